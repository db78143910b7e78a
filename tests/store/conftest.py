"""The store's tests run on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from house import Tenant, add_tenant, opened_database
from posthouse.store.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'posthouse.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened_database(database_url) as database:
        yield database


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await add_tenant(database)
