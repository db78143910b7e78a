"""Every table, once. Rows are what is stored; what they mean is said in `model`.

Two kinds of key: `id` is what the outside knows (a UUID), `number` is a small integer that grows with each row and
carries order and references inside the database.
"""

from posthouse.store.tables.accounts import accounts, api_keys
from posthouse.store.tables.base import Json, Number, Utc, Words, metadata
from posthouse.store.tables.connectors import (
    connections,
    connectors,
    events,
    folders,
    live_connectors,
    moments,
    occurrences,
    schedules,
    standings,
    usage,
    workers,
)
from posthouse.store.tables.mail import attachments, emails, inboxes, journal, packs
from posthouse.store.tables.sending import sent_emails

__all__ = [
    "Json",
    "Number",
    "Utc",
    "Words",
    "accounts",
    "api_keys",
    "attachments",
    "connections",
    "connectors",
    "emails",
    "events",
    "folders",
    "inboxes",
    "journal",
    "live_connectors",
    "metadata",
    "moments",
    "occurrences",
    "packs",
    "schedules",
    "sent_emails",
    "standings",
    "usage",
    "workers",
]
