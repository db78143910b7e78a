"""What became of sent emails: what servers said at once, and what they reported later."""

import sqlalchemy as sa

from posthouse.store.tables.base import Json, Utc, Words, key, metadata, number, of

delivery_statuses = sa.Table(
    "delivery_statuses",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    # Kept when the sent email is deleted, so no reference.
    sa.Column("sent_id", sa.Uuid, index=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("recipients", Json, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("reporting_mta", Words),
    sa.Column("remote_mta", Words),
    sa.Column("smtp_code", sa.Integer),
    sa.Column("smtp_text", Words),
    sa.Column("milliseconds", sa.BigInteger),
    sa.Column("received_at", Utc),
    sa.Index(None, "inbox_id", "number"),
    sa.Index(None, "account_id", "number"),
)

bounces = sa.Table(
    "bounces",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    sa.Column("sent_id", sa.Uuid, index=True),
    # The report as it arrived; None where a server refused at once.
    sa.Column("email_id", sa.Uuid),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("sender", Words, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("sent_to", Json, nullable=False),
    sa.Index(None, "account_id", "number"),
)

bounced_recipients = sa.Table(
    "bounced_recipients",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    of("bounces"),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("recipient", Words, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Index(None, "bounce_id"),
    sa.Index(None, "account_id", "recipient"),
)
