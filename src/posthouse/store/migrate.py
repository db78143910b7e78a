"""Bringing the tables up to date: at every start, under a lock, so that many processes may start at once."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

_LOCK = 0x706F7374  # "post": PostgreSQL's advisory lock is a number that everybody agrees on


async def upgrade(engine: AsyncEngine) -> None:
    """Apply the migrations that are missing. On SQLite the write transaction is the lock."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    else:
        connection.execute(text("SELECT 1"))  # a transaction begins with its first statement
    config = Config()
    config.set_main_option("script_location", "posthouse.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
