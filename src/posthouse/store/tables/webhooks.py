"""Webhooks: who wants to hear of what, what they have still to be told, and how telling them went."""

import sqlalchemy as sa

from posthouse.store.tables.base import Json, Utc, Words, key, metadata, number, of

webhooks = sa.Table(
    "webhooks",
    metadata,
    number(),
    key(),
    of("accounts"),
    # None: all inboxes of the account.
    sa.Column("inbox_id", sa.Uuid, sa.ForeignKey("inboxes.id", ondelete="CASCADE"), index=True),
    sa.Column("name", Words),
    sa.Column("url", Words, nullable=False),
    sa.Column("host", Words, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    # The journal's word for what this event follows from; None when it never comes to pass.
    sa.Column("happening", sa.Text),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("username", Words),
    sa.Column("password", sa.LargeBinary),
    sa.Column("headers", sa.LargeBinary),
    sa.Column("template", Words),
    sa.Column("takes_any_certificate", sa.Boolean, nullable=False),
    sa.Column("static_addresses", sa.Boolean),
    sa.Column("ai_transform_id", sa.Uuid),
    sa.Column("tags", Json, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
)

# One for each webhook and inbox between which there is something to do, and none at rest.
webhook_lanes = sa.Table(
    "webhook_lanes",
    metadata,
    sa.Column("webhook_id", sa.Uuid, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("inbox_id", sa.Uuid, sa.ForeignKey("inboxes.id", ondelete="CASCADE"), primary_key=True, index=True),
    # The inbox's journal has become messages up to here.
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("opened_at", Utc, nullable=False),
    # When somebody should work on it; for whoever has it, this is the end of the lease.
    sa.Column("due_at", Utc, nullable=False, index=True),
    sa.Column("holder", sa.Uuid),
    sa.Column("failures", sa.Integer, nullable=False),
)

webhook_messages = sa.Table(
    "webhook_messages",
    metadata,
    number(),
    key(),
    of("webhooks"),
    of("accounts"),
    sa.Column("inbox_id", sa.Uuid, sa.ForeignKey("inboxes.id", ondelete="CASCADE"), index=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("body", Words, nullable=False),
    sa.Column("email_id", sa.Uuid),
    sa.Column("attachment_id", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    # Since when it should be said: it is tried again for so long from then on.
    sa.Column("wanted_at", Utc, nullable=False),
    sa.Column("created_at", Utc, nullable=False, index=True),
)

# What is still to be said in a lane, in its order, however much has been said before.
sa.Index(
    "ix_webhook_messages_waiting",
    webhook_messages.c.webhook_id,
    webhook_messages.c.inbox_id,
    webhook_messages.c.position,
    webhook_messages.c.part,
    sqlite_where=webhook_messages.c.state == sa.text("'waiting'"),
    postgresql_where=webhook_messages.c.state == sa.text("'waiting'"),
)

# … and what was given up, until somebody has it said again.
sa.Index(
    "ix_webhook_messages_given_up",
    webhook_messages.c.webhook_id,
    webhook_messages.c.number,
    sqlite_where=webhook_messages.c.state == sa.text("'exhausted'"),
    postgresql_where=webhook_messages.c.state == sa.text("'exhausted'"),
)

webhook_results = sa.Table(
    "webhook_results",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("webhooks"),
    sa.Column("message_id", sa.Uuid, nullable=False, index=True),
    sa.Column("inbox_id", sa.Uuid),
    sa.Column("email_id", sa.Uuid),
    sa.Column("attachment_id", sa.Text),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("url", Words, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("took_ms", sa.BigInteger, nullable=False),
    sa.Column("extract", Words),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("redrive_id", sa.Uuid),
    sa.Column("seen", sa.Boolean, nullable=False),
    sa.Column("created_at", Utc, nullable=False, index=True),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
    sa.Index(None, "webhook_id", "number"),
)
