"""What was sent, and what is on its way."""

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
    sa.Column("in_reply_to", Words, nullable=False, server_default=""),
    sa.Column("thread_id", sa.Uuid, index=True),
    sa.Column("pack", sa.Text, nullable=False),
    sa.Column("pack_offset", sa.BigInteger, nullable=False),
    sa.Column("pack_length", sa.BigInteger, nullable=False),
    sa.Column("pack_size", sa.BigInteger, nullable=False),
    sa.Column("updated_at", Utc),
    sa.Column("queued", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("return_path", Words),
    sa.Column("also_known_as", Words),
    sa.Index(None, "message_id"),
    sa.Index(None, "also_known_as"),
    sa.Index(None, "inbox_id", "number"),
    sa.Index(None, "account_id", "number"),
)


outbox = sa.Table(
    "outbox",
    metadata,
    # One row for each sent email that something is still to be done with, and none for any other.
    sa.Column("sent_id", sa.Uuid, sa.ForeignKey("sent_emails.id", ondelete="CASCADE"), primary_key=True),
    # When it is to be done. Whoever does it moves this on, again and again: after his death it is due again.
    sa.Column("due_at", Utc, nullable=False, index=True),
    sa.Column("holder", sa.Uuid),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("give_up_at", Utc, nullable=False),
    # Who has not got it yet, and whether anybody has.
    sa.Column("waiting", Json, nullable=False),
    sa.Column("taken", sa.Boolean, nullable=False),
)

sending_keys = sa.Table(
    "sending_keys",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", Words, primary_key=True),
    # One request may send several emails: each is a part.
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    # Kept when the email is deleted, so that it is not sent a second time; hence no reference.
    sa.Column("sent_id", sa.Uuid, nullable=False),
    sa.Column("created_at", Utc, nullable=False, index=True),
)

scheduled_jobs = sa.Table(
    "scheduled_jobs",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    sa.Column("sent_id", sa.Uuid, sa.ForeignKey("sent_emails.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("send_at", Utc, nullable=False),
    sa.Column("cancelled_at", Utc),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index(None, "inbox_id", "number"),
    sa.Index(None, "account_id", "number"),
)
