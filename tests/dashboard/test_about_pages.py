"""What runs here and how it is set up, without its secrets."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from pydantic import SecretStr

from posthouse.config import Settings
from posthouse.services.inboxes import NewInbox

from .linked import a_mailbox
from .visiting import Client, House, Visitor, assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_page_about_the_server_counts_what_is_the_visitors(
    house: House, client: Client, ann: Visitor
) -> None:
    other = (await house.services.accounts.create_key(account="somebody else")).account
    for account in (ann.account, other):
        await house.services.inboxes.create(account.id, NewInbox())
    page = (await client.get("/about")).text
    assert '<a href="/ui/inboxes">1</a>' in page
    assert "SQLite 3." in page
    assert "1 process" in page
    assert "/openapi.json" in page


async def test_connectors_are_counted_by_how_they_stand(house: House, page: Page, ann: Visitor) -> None:
    await a_mailbox(house, ann, "counted")  # which is fetched only when asked
    await page.goto(f"{house.url}/ui/about")
    await expect(page.get_by_role("link", name="1 paused")).to_be_visible()
    await assert_accessible(page)


async def test_every_setting_is_shown_with_what_it_does(client: Client) -> None:
    page = (await client.get("/settings")).text
    for name in Settings.model_fields:
        assert f"POSTHOUSE_{name.upper()}" in page
    assert "127.0.0.0/8" in page


async def test_no_secret_is_among_the_settings(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path,
        database_url="postgresql://house:hunter2:/@x@127.0.0.1:5432/name?password=hunter3&sslmode=require",
        api_key=SecretStr("hunter4-hunter4-hunter4"),
        secret_key=SecretStr("hunter5" * 8),
        metrics_key=SecretStr("hunter6"),
    )
    shown = {one.variable: one for one in settings.shown()}
    assert "hunter" not in str(list(shown.values()))
    assert (
        shown["POSTHOUSE_DATABASE_URL"].value
        == "postgresql://house:***@127.0.0.1:5432/name?password=***&sslmode=require"
    )
    assert shown["POSTHOUSE_API_KEY"].value == "set"
    assert (shown["POSTHOUSE_BLOBS"].value, shown["POSTHOUSE_BLOBS"].default) == ("", True)
