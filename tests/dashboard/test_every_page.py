"""What holds for every page: it is accessible, fits a phone, asks nobody else for anything, and is small.

With SCREENSHOTS=1 each is also photographed, in light and in dark, into docs/screenshots: `make screenshots`.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Response

from .furnished import Furnished, furnish
from .visiting import House, Visitor, assert_accessible, assert_fits, context

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = (
    *("connectors", "connector", "new-connector", "inboxes", "inbox", "email", "mail", "write", "sent", "sent-email"),
    *("webhooks", "webhook", "keys", "settings", "about"),
)
SCREENSHOTS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
LARGEST = 150_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owner(house: House) -> Visitor:
    return await house.visitor()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def furnished(house: House, owner: Visitor) -> Furnished:
    return await furnish(house, owner)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window(house: House, browser: Browser, owner: Visitor, furnished: Furnished) -> AsyncIterator[Page]:
    """A browser in which the owner of it all is signed in."""
    async with context(browser, house.url) as (made, strays):
        page = await made.new_page()
        await page.goto(await house.sign_in_link(owner))
        yield page
    assert strays.requests == []
    assert strays.errors == []


@pytest.mark.parametrize("name", PAGES)
async def test_it_is_accessible_and_fits_a_phone(house: House, window: Page, furnished: Furnished, name: str) -> None:
    await window.goto(f"{house.url}/ui{furnished.pages[name]}")
    assert await window.locator("h1").count() == 1
    await assert_accessible(window)
    if os.environ.get("SCREENSHOTS"):
        await photograph(window, name, {str(house.app.settings.data): "data"})
    await window.set_viewport_size({"width": 375, "height": 667})
    await assert_fits(window)
    await window.set_viewport_size({"width": 1280, "height": 800})


async def test_the_first_page_is_small(house: House, browser: Browser, owner: Visitor, furnished: Furnished) -> None:
    """Counted in an empty cache, as sent."""
    async with context(browser, house.url) as (made, _):
        page = await made.new_page()
        responses: list[Response] = []
        page.on("response", lambda response: responses.append(response))
        await page.goto(await house.sign_in_link(owner))
        await page.wait_for_load_state("load")
        ended = [one for one in responses if "event-stream" not in one.headers.get("content-type", "")]
        sizes = [await one.request.sizes() for one in ended]
        total = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
        assert len(sizes) > 4
        assert total <= LARGEST, f"{total} bytes in {len(sizes)} answers"


async def photograph(page: Page, name: str, instead: dict[str, str]) -> None:
    """As it is in light and in dark, but for texts that are of this machine alone."""
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.evaluate(
        """instead => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode())
                for (const [text, other] of Object.entries(instead))
                    texts.currentNode.data = texts.currentNode.data.replace(text, other);
        }""",
        instead,
    )
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png")
    await page.emulate_media(color_scheme=None)
