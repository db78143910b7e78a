"""The migrations make exactly the tables that the code believes in, whoever starts first."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from house import TurnedClock, add_tenant, opened_database
from posthouse.model.mail import EmailQuery
from posthouse.model.values import Slice
from posthouse.services.intake import Incoming, Intake
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database
from posthouse.store.migrations.versions import v0006_composing_and_expiry
from posthouse.store.tables import metadata

# Full-text search is made by hand in each dialect.
NOT_OURS = ("email_search", "alembic_version")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that was not opened yet."""
    url: str = request.getfixturevalue("empty_postgres_url") if request.param == "postgresql" else ""
    return url or f"sqlite:///{tmp_path / 'new.db'}"


async def test_the_migrated_schema_is_the_one_in_tables(database: Database) -> None:
    def difference(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or not str(name).startswith(NOT_OURS)},
        )
        return list(compare_metadata(context, metadata))

    async with database.reading() as tx:
        assert await tx.connection.run_sync(difference) == []


async def test_three_processes_may_start_at_once(empty_url: str) -> None:
    async def start() -> None:
        async with opened_database(empty_url) as database, database.reading() as tx:
            assert await tx.accounts.by_name("nobody") is None

    await asyncio.gather(start(), start(), start())


async def test_mail_filed_with_a_final_sigma_is_found_after_the_migration(database: Database, tmp_path: Path) -> None:
    """Words are now folded to one form of the letter; what was filed before is folded once."""
    tenant = await add_tenant(database)
    intake = Intake(Blobs(str(tmp_path / "blobs")), TurnedClock())
    prepared = await intake.prepare([Incoming(content=b"Subject: one\r\n\r\n", size=16)])
    async with database.transaction() as tx:
        await intake.take_in(tx, tenant.account.id, tenant.inbox.id, prepared)

    def as_before(connection: sa.Connection) -> None:
        words = "'λογος one'" if connection.dialect.name == "sqlite" else "array_to_tsvector(ARRAY['λογος', 'one'])"
        connection.execute(sa.text(f"UPDATE email_search SET words = {words}"))

    def migrate(connection: sa.Connection) -> None:
        with Operations.context(MigrationContext.configure(connection)):
            v0006_composing_and_expiry._fold_the_final_sigma()

    async def found(text: str) -> int:
        async with database.reading() as tx:
            return await tx.mail.tally(tenant.account.id, EmailQuery(slice=Slice(), search=text))

    async with database.transaction() as tx:
        await tx.connection.run_sync(as_before)
    assert await found("ΛΟΓΟΣ") == database.is_sqlite, "SQLite's tokenizer folds the letter by itself"
    async with database.transaction() as tx:
        await tx.connection.run_sync(migrate)
    assert [await found(text) for text in ("ΛΟΓΟΣ", "λόγος", "λογοσ", "one")] == [1, 1, 1, 1]
