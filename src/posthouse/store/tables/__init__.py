"""Every table, once. Rows are what is stored; what they mean is said in `model`.

Two kinds of key: `id` is what the outside knows (a UUID), `number` is a small integer that grows with each row and
carries order and references inside the database.
"""

from posthouse.store.tables.accounts import accounts, api_keys, logins
from posthouse.store.tables.addresses import expired_inboxes, plus_address_emails, plus_addresses
from posthouse.store.tables.base import Json, Number, Utc, Words, metadata
from posthouse.store.tables.composing import contact_groups, contacts, drafts, group_members, templates
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
from posthouse.store.tables.reports import bounced_recipients, bounces, delivery_statuses
from posthouse.store.tables.sending import outbox, scheduled_jobs, sending_keys, sent_emails
from posthouse.store.tables.threads import mentions, threads
from posthouse.store.tables.webhooks import webhook_lanes, webhook_messages, webhook_results, webhooks

__all__ = [
    "Json",
    "Number",
    "Utc",
    "Words",
    "accounts",
    "api_keys",
    "attachments",
    "bounced_recipients",
    "bounces",
    "connections",
    "connectors",
    "contact_groups",
    "contacts",
    "delivery_statuses",
    "drafts",
    "emails",
    "events",
    "expired_inboxes",
    "folders",
    "group_members",
    "inboxes",
    "journal",
    "live_connectors",
    "logins",
    "mentions",
    "metadata",
    "moments",
    "occurrences",
    "outbox",
    "packs",
    "plus_address_emails",
    "plus_addresses",
    "scheduled_jobs",
    "schedules",
    "sending_keys",
    "sent_emails",
    "standings",
    "templates",
    "threads",
    "usage",
    "webhook_lanes",
    "webhook_messages",
    "webhook_results",
    "webhooks",
    "workers",
]
