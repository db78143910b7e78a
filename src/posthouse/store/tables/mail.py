"""Inboxes, and the mail in them."""

import sqlalchemy as sa

from posthouse.store.tables.base import Json, Utc, Words, key, metadata, number, of

inboxes = sa.Table(
    "inboxes",
    metadata,
    number(),
    key(),
    of("accounts"),
    sa.Column("email_address", Words, nullable=False, unique=True),
    sa.Column("name", Words),
    sa.Column("description", Words),
    sa.Column("tags", Json, nullable=False),
    sa.Column("favourite", sa.Boolean, nullable=False),
    sa.Column("virtual", sa.Boolean, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="http"),
    sa.Column("expires_at", Utc, index=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    # The last position in this inbox's journal; raising it takes the row's lock, which is what keeps the journal
    # without gaps and makes every taking-in of mail wait its turn, one inbox at a time.
    sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
    # Up to which position of its journal the webhooks have been called.
    sa.Column("told", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index(None, "account_id", "number"),
)

# The inboxes with news for webhooks: few, whatever there is in all.
sa.Index(
    "ix_inboxes_untold",
    inboxes.c.id,
    sqlite_where=inboxes.c.position > inboxes.c.told,
    postgresql_where=inboxes.c.position > inboxes.c.told,
)

emails = sa.Table(
    "emails",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Column("read", sa.Boolean, nullable=False),
    sa.Column("favourite", sa.Boolean, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("sender", Json),
    sa.Column("to", Json, nullable=False),
    sa.Column("cc", Json, nullable=False),
    sa.Column("bcc", Json, nullable=False),
    sa.Column("reply_to", Json, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("message_id", Words, nullable=False),
    sa.Column("in_reply_to", Words, nullable=False),
    sa.Column("sent_at", Utc),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("excerpt", Words, nullable=False),
    sa.Column("is_html", sa.Boolean, nullable=False),
    sa.Column("charset", Words, nullable=False),
    sa.Column("content_types", Json, nullable=False),
    sa.Column("attachment_ids", Json, nullable=False),
    sa.Column("folder", Words),
    sa.Column("external_id", sa.Text),
    sa.Column("problem", Words),
    # No reference: threads are joined, and what is in them moves.
    sa.Column("thread_id", sa.Uuid, index=True),
    sa.Column("pack", sa.Text, nullable=False, index=True),
    sa.Column("pack_offset", sa.BigInteger, nullable=False),
    sa.Column("pack_length", sa.BigInteger, nullable=False),
    sa.Column("pack_size", sa.BigInteger, nullable=False),
    sa.Index(None, "inbox_id", "number"),
    sa.Index(None, "account_id", "number"),
    sa.Index(None, "inbox_id", "digest"),
    # Counts of an inbox (all, unread, of a day) are read from this alone.
    sa.Index(None, "inbox_id", "created_at", "read"),
)

# What is unread, counted and listed without a look at the rest.
sa.Index(
    "ix_emails_unread",
    emails.c.account_id,
    emails.c.inbox_id,
    emails.c.read,
    emails.c.number,
    sqlite_where=~emails.c.read,
    postgresql_where=~emails.c.read,
)

attachments = sa.Table(
    "attachments",
    metadata,
    number(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    of("accounts"),
    sa.Column("inbox_id", sa.Uuid, sa.ForeignKey("inboxes.id", ondelete="CASCADE"), index=True),
    sa.Column("email_id", sa.Uuid, sa.ForeignKey("emails.id", ondelete="CASCADE"), index=True),
    sa.Column("name", Words, nullable=False),
    sa.Column("content_type", Words, nullable=False),
    sa.Column("content_id", Words),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    # A received attachment is a stretch of its email's raw bytes …
    sa.Column("start", sa.BigInteger),
    sa.Column("end", sa.BigInteger),
    sa.Column("transfer", sa.Text),
    # … and an uploaded one has bytes of its own.
    sa.Column("pack", sa.Text),
    sa.Column("pack_offset", sa.BigInteger),
    sa.Column("pack_length", sa.BigInteger),
    sa.Index(None, "account_id", "number"),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("inbox_id", sa.Uuid, sa.ForeignKey("inboxes.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("happening", sa.Text, nullable=False),
    sa.Column("email_id", sa.Uuid),
    sa.Column("at", Utc, nullable=False),
    sqlite_with_rowid=False,
)

packs = sa.Table(
    "packs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    # How many stretches of it are still in use: at none, the pack can go.
    sa.Column("live", sa.Integer, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
)
