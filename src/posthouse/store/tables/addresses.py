"""More addresses of an inbox than its own: with a plus and a word behind the name, and those that are no more."""

import sqlalchemy as sa

from posthouse.store.tables.base import Number, Utc, Words, key, metadata, number, of

plus_addresses = sa.Table(
    "plus_addresses",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    sa.Column("tag", Words, nullable=False),
    sa.Column("full_address", Words, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.UniqueConstraint("inbox_id", "full_address"),
    sa.Index(None, "account_id", "number"),
)

plus_address_emails = sa.Table(
    "plus_address_emails",
    metadata,
    sa.Column("plus_address", Number, sa.ForeignKey("plus_addresses.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("email", Number, sa.ForeignKey("emails.number", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

expired_inboxes = sa.Table(
    "expired_inboxes",
    metadata,
    number(),
    key(),
    of("accounts"),
    # The inbox is gone, so no reference.
    sa.Column("inbox_id", sa.Uuid, nullable=False, unique=True),
    sa.Column("email_address", Words, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
)
