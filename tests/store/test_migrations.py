"""The migrations make exactly the tables that the code believes in, whoever starts first."""

import asyncio

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from house import opened_database
from posthouse.store.database import Database
from posthouse.store.tables import metadata

# Full-text search is made by hand in each dialect.
NOT_OURS = ("email_search", "alembic_version")


async def test_the_migrated_schema_is_the_one_in_tables(database: Database) -> None:
    def difference(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or not str(name).startswith(NOT_OURS)},
        )
        return list(compare_metadata(context, metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(difference) == []


async def test_three_processes_may_start_at_once(database_url: str) -> None:
    async def start() -> None:
        async with opened_database(database_url) as database, database.reading() as tx:
            assert await tx.accounts.by_name("nobody") is None

    await asyncio.gather(start(), start(), start())
