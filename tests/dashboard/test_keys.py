"""API keys: made, shown once, used, revoked; by their account alone."""

import re

import pytest
from playwright.async_api import Page, expect

from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_key_is_made_shown_once_used_and_revoked(house: House, page: Page) -> None:
    await page.goto(f"{house.url}/ui/keys")
    await page.get_by_label("Name").fill("end-to-end <tests>")
    await page.get_by_role("button", name="Make a key").click()
    await assert_accessible(page)
    key = await page.locator("#secret").inner_text()
    assert key.startswith("ph_")
    stranger = house.stranger()
    assert (await stranger.get("/inboxes", headers={"x-api-key": key})).status_code == 200
    await page.goto(f"{house.url}/ui/keys")
    assert key not in await page.content()
    await page.get_by_role("link", name="Revoke end-to-end <tests>").click()
    await assert_accessible(page)
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("status")).to_have_text("Revoked.")
    assert (await stranger.get("/inboxes", headers={"x-api-key": key})).status_code == 401


async def test_whoever_revokes_his_own_key_is_told_and_signed_out(house: House, ann: Visitor) -> None:
    stranger = house.stranger()
    await stranger.post("/ui/sign-in", data={"key": ann.key})
    client = Client(stranger)
    page = (await client.get("/keys")).text
    assert "you are signed in with it" in page
    client.csrf = re.findall(r'name="csrf" value="(\w+)"', page)[0]
    [key] = await house.services.accounts.keys_of(ann.account.id)
    question = (await client.get(f"/keys/{key.id}/revoke")).text
    assert "You are signed in with this key" in question
    assert "last key of this account" in question
    await client.post(f"/keys/{key.id}/revoke")
    assert (await client.get("/keys")).headers["location"].startswith("/ui/sign-in")


async def test_nobody_sees_or_revokes_another_accounts_keys(house: House, client: Client) -> None:
    theirs = (await house.services.accounts.create_key("theirs", account="somebody else")).key
    assert "theirs" not in (await client.get("/keys")).text
    assert (await client.get(f"/keys/{theirs.id}/revoke")).status_code == 404
    assert (await client.post(f"/keys/{theirs.id}/revoke")).status_code == 404
    assert theirs.id in [key.id for key in await house.services.accounts.keys_of(theirs.account_id)]


async def test_a_name_that_is_too_long_is_told_beside_the_field(client: Client) -> None:
    answer = await client.post("/keys", {"name": "x" * 101})
    assert answer.status_code == 422
    assert 'id="name-problem"' in answer.text
    assert "x" * 101 in answer.text


async def test_without_its_token_nothing_is_made(house: House, client: Client, ann: Visitor) -> None:
    assert (await client.post("/keys", {"name": "n", "csrf": "guessed"})).status_code == 403
    assert len(await house.services.accounts.keys_of(ann.account.id)) == 1


@pytest.mark.parametrize("path", ["keys", "settings", "about", "sent", "write", "webhooks", "webhooks/new"])
async def test_pages_fit_on_a_phone(path: str, house: House, page: Page) -> None:
    await page.set_viewport_size({"width": 375, "height": 667})
    await page.goto(f"{house.url}/ui/{path}")
    await assert_fits(page)
    await assert_accessible(page)
