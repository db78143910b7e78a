"""Every table, once. Rows are what is stored; what they mean is said in `model`.

Two kinds of key: `id` is what the outside knows (a UUID), `number` is a small integer that grows with each row and
carries order and references inside the database.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(sa.TypeDecorator[datetime]):
    """A moment in UTC: aware outside the database, whatever the database keeps."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(sa.TypeDecorator[str]):
    """Text that may come from anybody. PostgreSQL takes no NUL, and neither database takes half a surrogate pair."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


Number = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
Json = sa.JSON(none_as_null=True)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, nullable=False, unique=True)


def _number() -> sa.Column[Any]:
    return sa.Column("number", Number, primary_key=True, autoincrement=True)


def _of(table: str, *, nullable: bool = False, column: str | None = None) -> sa.Column[Any]:
    """A reference to the row that this one belongs to, and goes away with."""
    name = column or {"inboxes": "inbox_id"}.get(table, table.removesuffix("s") + "_id")
    return sa.Column(name, sa.Uuid, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)


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
    _of("accounts"),
    sa.Column("name", Words, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("last_used_at", Utc),
)

inboxes = sa.Table(
    "inboxes",
    metadata,
    _number(),
    _id(),
    _of("accounts"),
    sa.Column("email_address", Words, nullable=False, unique=True),
    sa.Column("name", Words),
    sa.Column("description", Words),
    sa.Column("tags", Json, nullable=False),
    sa.Column("favourite", sa.Boolean, nullable=False),
    sa.Column("virtual", sa.Boolean, nullable=False),
    sa.Column("expires_at", Utc),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    # The last position in this inbox's journal; raising it takes the row's lock, which is what keeps the journal
    # without gaps and makes every taking-in of mail wait its turn, one inbox at a time.
    sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index(None, "account_id", "number"),
)

connectors = sa.Table(
    "connectors",
    metadata,
    _number(),
    _id(),
    _of("accounts"),
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
    _of("connectors"),
    sa.Column("protocol", sa.Text, nullable=False),
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
    _number(),
    _of("connectors"),
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

emails = sa.Table(
    "emails",
    metadata,
    _number(),
    _id(),
    _of("accounts"),
    _of("inboxes"),
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
    sa.Column("pack", sa.Text, nullable=False, index=True),
    sa.Column("pack_offset", sa.BigInteger, nullable=False),
    sa.Column("pack_length", sa.BigInteger, nullable=False),
    sa.Column("pack_size", sa.BigInteger, nullable=False),
    sa.Index(None, "inbox_id", "number"),
    sa.Index(None, "account_id", "number"),
    sa.Index(None, "inbox_id", "digest"),
)

attachments = sa.Table(
    "attachments",
    metadata,
    _number(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    _of("accounts"),
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

sent_emails = sa.Table(
    "sent_emails",
    metadata,
    _number(),
    _id(),
    _of("accounts"),
    _of("inboxes"),
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

events = sa.Table(
    "events",
    metadata,
    _number(),
    _id(),
    _of("accounts"),
    _of("connectors"),
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
    _number(),
    _of("connectors"),
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
)


def live_connectors() -> sa.Select[Any]:
    """The connectors that look after themselves: enabled, readable, and with a schedule that is switched on."""
    return (
        sa.select(connectors.c.id)
        .join(schedules, schedules.c.connector_id == connectors.c.id)
        .join(connections, sa.and_(connections.c.connector_id == connectors.c.id, connections.c.protocol == "imap"))
        .where(connectors.c.enabled, schedules.c.enabled, connections.c.settings["enabled"].as_boolean())
    )
