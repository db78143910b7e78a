"""Signing in and out, and what keeps other sites from acting for who is signed in."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from posthouse.dashboard import live

from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_front_door_leads_to_the_sign_in_page(house: House) -> None:
    stranger = house.stranger()
    first = await stranger.get("/")
    assert (first.status_code, first.headers["location"]) == (303, "/ui/connectors")
    second = await stranger.get("/ui/connectors?search=x")
    assert second.status_code == 303
    assert second.headers["location"] == "/ui/sign-in?next=/ui/connectors%3Fsearch%3Dx"


async def test_a_key_signs_in_and_leads_to_what_was_asked_for(house: House, ann: Visitor) -> None:
    stranger = house.stranger()
    answer = await stranger.post("/ui/sign-in", data={"key": f" {ann.key} ", "next": "/ui/about"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/about")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/ui" in cookie
    assert (await stranger.get("/ui/about")).status_code == 200


@pytest.mark.parametrize(
    "next_", ["https://evil.example/ui/", "//evil.example/ui/x", "/\\evil.example", "/emails", "http:/ui/", "", "/ui"]
)
async def test_signing_in_never_leads_elsewhere(house: House, ann: Visitor, next_: str) -> None:
    answer = await house.stranger().post("/ui/sign-in", data={"key": ann.key, "next": next_})
    assert answer.headers["location"] == "/ui/connectors"


async def test_an_unknown_key_is_told_as_such_and_not_repeated(house: House) -> None:
    answer = await house.stranger().post("/ui/sign-in", data={"key": "ph_nobody_has_this_key"})
    assert answer.status_code == 422
    assert "this API key is not known" in answer.text
    assert "ph_nobody" not in answer.text


async def test_a_link_signs_in_once(house: House, ann: Visitor) -> None:
    link = await house.sign_in_link(ann)
    guess = await house.stranger().get(link, headers={"sec-purpose": "prefetch;prerender"})
    assert guess.status_code == 503
    assert (await house.stranger().get(link)).status_code == 303
    again = await house.stranger().get(link)
    assert again.status_code == 401
    assert "used already" in again.text


async def test_signing_out_ends_the_session_everywhere(house: House, client: Client) -> None:
    stolen = dict(client.http.cookies)
    await client.post("/sign-out")
    thief = house.stranger()
    thief.cookies.update(stolen)
    assert (await thief.get("/ui/about")).status_code == 303


async def test_a_session_ends_with_its_key(house: House, ann: Visitor) -> None:
    stranger = house.stranger()
    await stranger.post("/ui/sign-in", data={"key": ann.key})
    assert (await stranger.get("/ui/about")).status_code == 200
    (key,) = [key for key, account in await house.services.accounts.keys() if account == ann.account.name]
    await house.services.accounts.revoke(key.id)
    assert (await stranger.get("/ui/about")).status_code == 303


async def test_a_page_that_follows_ends_with_its_session(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CHECKED_EVERY", 0.0)
    async with asyncio.timeout(20), client.http.stream("GET", "/ui/connectors/live") as told:
        assert told.status_code == 200
        pieces = told.aiter_text()
        await anext(pieces)
        await client.post("/sign-out")
        async for _ in pieces:
            pass


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ],
)
async def test_other_sites_can_neither_sign_in_nor_out(
    house: House, ann: Visitor, client: Client, headers: dict[str, str]
) -> None:
    refused = await house.stranger().post("/ui/sign-in", data={"key": ann.key}, headers=headers)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert (await client.post("/sign-out", headers=headers)).status_code == 403
    assert (await client.get("/about")).status_code == 200


async def test_every_page_says_what_a_browser_may_do_on_it(client: Client) -> None:
    answer = await client.get("/about")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_unknown_page_is_told_as_a_page(client: Client) -> None:
    answer = await client.get("/nothing/here")
    assert answer.status_code == 404
    assert "<h1>Not Found</h1>" in answer.text


async def test_styles_are_kept_for_good_under_the_name_of_their_content(client: Client) -> None:
    page = (await client.get("/about")).text
    url = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = await client.http.get(url)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert (await client.http.get(url.replace("posthouse.", "posthouse.0"))).status_code == 404


async def test_signing_in_by_the_keyboard_alone(house: House, page: Page, ann: Visitor) -> None:
    await page.goto(f"{house.url}/ui/about")
    await page.get_by_role("button", name="Sign out").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Signed out.")
    await assert_accessible(page)
    await page.keyboard.type(ann.key)  # the field has the focus
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/ui/connectors")


async def test_the_first_thing_that_a_keyboard_reaches_is_the_way_past_the_menu(house: House, page: Page) -> None:
    await page.goto(f"{house.url}/ui/about")
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()


async def test_about_fits_on_a_phone(house: House, page: Page) -> None:
    await page.set_viewport_size({"width": 375, "height": 667})
    await page.goto(f"{house.url}/ui/about")
    await assert_fits(page)
    await assert_accessible(page)
