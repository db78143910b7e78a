"""What was sent."""

import sqlalchemy as sa

from posthouse.store.tables.base import Json, Utc, Words, key, metadata, number, of

sent_emails = sa.Table(
    "sent_emails",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    # Kept when the connector goes, so no reference.
    sa.Column("connector_id", sa.Uuid),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("state_text", Words, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("sent_at", Utc),
    sa.Column("sender", Json, nullable=False),
    sa.Column("to", Json, nullable=False),
    sa.Column("cc", Json, nullable=False),
    sa.Column("bcc", Json, nullable=False),
    sa.Column("reply_to", Json, nullable=False),
    sa.Column("refused", Json, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("message_id", Words, nullable=False),
    sa.Column("is_html", sa.Boolean, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("excerpt", Words, nullable=False),
    sa.Column("attachment_ids", Json, nullable=False),
    sa.Column("virtual", sa.Boolean, nullable=False),
    sa.Column("pack", sa.Text, nullable=False),
    sa.Column("pack_offset", sa.BigInteger, nullable=False),
    sa.Column("pack_length", sa.BigInteger, nullable=False),
    sa.Column("pack_size", sa.BigInteger, nullable=False),
    sa.Index(None, "inbox_id", "number"),
    sa.Index(None, "account_id", "number"),
)
