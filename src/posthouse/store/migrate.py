"""Bringing the tables up to date: at every start, under a lock, so that many processes may start at once."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

_LOCK = 0x706F7374  # "post": PostgreSQL's advisory lock is a number that everybody agrees on


def upgrade(connection: Connection) -> None:
    """Apply the migrations that are missing. On SQLite the write transaction is the lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    else:
        connection.execute(text("SELECT 1"))  # in a transaction that it sees, Alembic leaves the end to us
    config = Config()
    config.set_main_option("script_location", "posthouse.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
