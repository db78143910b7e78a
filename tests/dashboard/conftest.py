"""A house and a browser that the tests of a module share; every test has a visitor of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from .visiting import Client, House, Visitor, chromium, context, house_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def ann(house: House) -> Visitor:
    """A fresh account."""
    return await house.visitor()


@pytest_asyncio.fixture(loop_scope="module")
async def client(house: House, ann: Visitor) -> Client:
    """Ann, signed in, without a browser."""
    return await house.client(ann)


@pytest_asyncio.fixture(loop_scope="module")
async def page(house: House, browser: Browser, ann: Visitor) -> AsyncIterator[Page]:
    """Ann's browser, signed in. It asks no other host for anything, and no script of ours fails in it."""
    async with context(browser, house.url) as (made, strays):
        page = await made.new_page()
        await page.goto(await house.sign_in_link(ann))
        yield page
    assert strays.requests == []
    assert strays.errors == []
