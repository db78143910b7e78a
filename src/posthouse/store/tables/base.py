"""What tables are made of: the types of their columns, and their names' conventions."""

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


def key() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, nullable=False, unique=True)


def number() -> sa.Column[Any]:
    return sa.Column("number", Number, primary_key=True, autoincrement=True)


def of(table: str, *, nullable: bool = False, column: str | None = None) -> sa.Column[Any]:
    """A reference to the row that this one belongs to, and goes away with."""
    name = column or {"inboxes": "inbox_id"}.get(table, table.removesuffix("s") + "_id")
    return sa.Column(name, sa.Uuid, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)
