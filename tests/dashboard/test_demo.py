"""What a newcomer sees: `posthouse demo`, its link in a browser, and mail that comes in."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from .visiting import context

pytestmark = pytest.mark.asyncio(loop_scope="module")

_LINK = re.compile(r"(http://127\.0\.0\.1:\d+)/ui/sign-in/\S+")
_PATIENCE = 30.0


@pytest_asyncio.fixture(loop_scope="module")
async def link() -> AsyncIterator[str]:
    """The demo runs, and has printed this."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTHOUSE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "posthouse.cli", "demo", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            async for line in process.stdout:
                if found := _LINK.search(line.decode()):
                    break
            else:
                pytest.fail("the demo ended, and had printed no link")
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_PATIENCE):
            await process.wait()


async def test_from_the_first_command_to_the_first_mail(browser: Browser, link: str) -> None:
    async with context(browser, link.partition("/ui")[0]) as (made, strays):
        page = await made.new_page()
        await page.goto(link)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Connectors")
        await expect(page.get_by_role("row", name=re.compile("demo"))).to_contain_text("fresh push")
        await page.get_by_role("link", name="Inboxes").click()
        await page.get_by_role("link", name=re.compile("demo")).first.click()
        await expect(page.get_by_text("Welcome to Lantern Books").first).to_be_visible()
        # More arrives while one looks.
        await expect(page.get_by_text("Three soups for November").first).to_be_visible(timeout=30_000)
        await page.get_by_text("Welcome to Lantern Books").first.click()
        await expect(page.get_by_role("heading", name="Welcome to Lantern Books")).to_be_visible()
        await expect(page.frame_locator("iframe").get_by_text("Your shelf is ready.")).to_be_visible()
        assert strays.requests == []
        assert strays.errors == []
