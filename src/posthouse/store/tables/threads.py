"""Conversations: emails, received and sent, that name each other."""

import sqlalchemy as sa

from posthouse.store.tables.base import Utc, key, metadata, number, of

threads = sa.Table(
    "threads",
    metadata,
    number(),
    key(),
    of("accounts"),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
)

mentions = sa.Table(
    "mentions",
    metadata,
    # A Message-ID that an email has, or refers to, as a digest of it and of the account whose email that is.
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("thread_id", sa.Uuid, sa.ForeignKey("threads.id", ondelete="CASCADE"), nullable=False, index=True),
    sqlite_with_rowid=False,
)
