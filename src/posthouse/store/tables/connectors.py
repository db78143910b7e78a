"""Connectors: their settings, where they stand in each folder, who looks after them, and what has happened."""

from typing import Any

import sqlalchemy as sa

from posthouse.store.tables.base import Json, Number, Utc, Words, key, metadata, number, of

connectors = sa.Table(
    "connectors",
    metadata,
    number(),
    key(),
    of("accounts"),
    sa.Column("inbox_id", sa.Uuid, sa.ForeignKey("inboxes.id", ondelete="CASCADE"), nullable=False, unique=True),
    sa.Column("name", Words),
    sa.Column("email_address", Words),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Index(None, "account_id", "number"),
)

connections = sa.Table(
    "connections",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    of("connectors"),
    sa.Column("protocol", sa.Text, nullable=False),
    # Beside the other settings, because lists of all connectors ask for them.
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("host", Words, nullable=False, server_default=""),
    sa.Column("settings", Json, nullable=False),
    sa.Column("password", sa.LargeBinary),
    sa.Column("proxy_password", sa.LargeBinary),
    sa.Column("created_at", Utc, nullable=False),
    sa.UniqueConstraint("connector_id", "protocol"),
)

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column(
        "connector_id",
        sa.Uuid,
        sa.ForeignKey("connectors.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("interval_seconds", sa.Integer),
    sa.Column("watch_folders", Json, nullable=False, server_default="[]"),
)

folders = sa.Table(
    "folders",
    metadata,
    number(),
    of("connectors"),
    sa.Column("name", Words, nullable=False),
    sa.Column("uid_validity", sa.BigInteger),
    sa.Column("next_uid", sa.BigInteger, nullable=False),
    sa.Column("highest_modseq", sa.BigInteger),
    sa.Column("search_terms", Words, nullable=False),
    # Raised whenever the server's UIDs lose their meaning: occurrences of an older era are only good for
    # recognising what we have.
    sa.Column("era", sa.Integer, nullable=False),
    sa.UniqueConstraint("connector_id", "name"),
)

occurrences = sa.Table(
    "occurrences",
    metadata,
    sa.Column("folder", Number, sa.ForeignKey("folders.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("era", sa.Integer, primary_key=True),
    sa.Column("uid", sa.BigInteger, primary_key=True),
    sa.Column("mark", sa.LargeBinary),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("email", Number, sa.ForeignKey("emails.number", ondelete="SET NULL"), index=True),
    sqlite_with_rowid=False,
)

# What was deleted here, so that it is told by its bytes when it shows up again.
sa.Index(
    "ix_occurrences_deleted",
    occurrences.c.folder,
    occurrences.c.digest,
    sqlite_where=occurrences.c.email.is_(None),
    postgresql_where=occurrences.c.email.is_(None),
)

events = sa.Table(
    "events",
    metadata,
    number(),
    key(),
    of("accounts"),
    of("connectors"),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("message", Words),
    sa.Column("logs", Words),
    sa.Column("seen", sa.Boolean, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index(None, "connector_id", "number"),
    sa.Index(None, "account_id", "number"),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("started_at", Utc, nullable=False),
    # One heartbeat for a whole process, not for each connector: the load of writing stays flat.
    sa.Column("seen_at", Utc, nullable=False),
)

standings = sa.Table(
    "standings",
    metadata,
    sa.Column("connector_id", sa.Uuid, sa.ForeignKey("connectors.id", ondelete="CASCADE"), primary_key=True),
    # Who looks after it. When that process is declared dead its row goes, and the database itself sets this free.
    sa.Column("owner_id", sa.Uuid, sa.ForeignKey("workers.id", ondelete="SET NULL"), index=True),
    # Who is syncing it just now, and until when that is to be believed.
    sa.Column("lease_holder", sa.Uuid),
    sa.Column("leased_until", Utc),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("due_at", Utc),
    sa.Column("fresh_as_of", Utc),
    sa.Column("problem", Words),
    sa.Column("problem_since", Utc),
    sa.Column("lasting", sa.Boolean, nullable=False),
    sa.Column("last_words", Words),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("refusals", sa.Integer, nullable=False),
    sa.Column("uid_validity", sa.BigInteger),
    sa.Column("last_uid", sa.BigInteger),
    sa.Column("pushed_at", Utc),
)

moments = sa.Table(
    "moments",
    metadata,
    number(),
    of("connectors"),
    sa.Column("at", Utc, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", Words, nullable=False),
    sa.Index(None, "connector_id", "number"),
)

usage = sa.Table(
    "usage",
    metadata,
    sa.Column("connector_id", sa.Uuid, sa.ForeignKey("connectors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("logins", sa.Integer, nullable=False, server_default="0"),
    sa.Column("commands", sa.Integer, nullable=False, server_default="0"),
)


def live_connectors() -> sa.Select[Any]:
    """The connectors that look after themselves: enabled, readable, and with a schedule that is switched on."""
    return (
        sa.select(connectors.c.id)
        .join(schedules, schedules.c.connector_id == connectors.c.id)
        .join(connections, sa.and_(connections.c.connector_id == connectors.c.id, connections.c.protocol == "imap"))
        .where(connectors.c.enabled, schedules.c.enabled, connections.c.enabled)
    )
