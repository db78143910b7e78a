"""The store's tests run on both databases."""

from collections.abc import AsyncIterator

import pytest

from house import Tenant, add_tenant, opened_database
from posthouse.store.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened_database(database_url) as database:
        yield database


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await add_tenant(database)
