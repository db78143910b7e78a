"""Accounts, the keys that open them, and who has signed in to the dashboard."""

import sqlalchemy as sa

from posthouse.store.tables.base import Utc, Words, metadata, of

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", Words, nullable=False, unique=True),
    sa.Column("created_at", Utc, nullable=False),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    of("accounts"),
    sa.Column("name", Words, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("last_used_at", Utc),
)

logins = sa.Table(
    "logins",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    of("accounts"),
    of("api_keys", nullable=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False, index=True),
)
