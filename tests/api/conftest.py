"""The town that the tests of a module share: every test takes a tenant of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .town import Tenant, Town, town_around


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town_around(tmp_path_factory.mktemp("town")) as town:
        yield town


@pytest_asyncio.fixture(loop_scope="module")
async def ann(town: Town) -> Tenant:
    """A fresh account with one of everything."""
    return await town.tenant()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann_for_all(town: Town) -> Tenant:
    """An account that the tests of a module share: for calls that change nothing."""
    return await town.tenant()
