"""What emails are made from: drafts, templates, and the people they go to."""

import sqlalchemy as sa

from posthouse.store.tables.base import Json, Utc, Words, key, metadata, number, of

drafts = sa.Table(
    "drafts",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("inboxes"),
    sa.Column("said", Json, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
    sa.Index(None, "inbox_id", "number"),
)

templates = sa.Table(
    "templates",
    metadata,
    number(),
    key(),
    of("accounts"),
    sa.Column("name", Words, nullable=False),
    sa.Column("content", Words, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
)

contacts = sa.Table(
    "contacts",
    metadata,
    number(),
    key(),
    of("accounts"),
    sa.Column("first_name", Words),
    sa.Column("last_name", Words),
    sa.Column("company", Words),
    sa.Column("email_addresses", Json, nullable=False),
    sa.Column("tags", Json, nullable=False),
    sa.Column("about", Json),
    sa.Column("opted_out", sa.Boolean, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
)

contact_groups = sa.Table(
    "contact_groups",
    metadata,
    number(),
    key(),
    of("accounts"),
    sa.Column("name", Words, nullable=False),
    sa.Column("description", Words),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
)

group_members = sa.Table(
    "group_members",
    metadata,
    sa.Column("group_id", sa.Uuid, sa.ForeignKey("contact_groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("contact_id", sa.Uuid, sa.ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True, index=True),
)
