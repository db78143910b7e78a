"""The list of connectors: what it finds, how it follows what happens, and what is done with many at once."""

import re

import pytest
from playwright.async_api import Page, expect

from posthouse.model.overview import OverviewQuery
from posthouse.model.standing import State

from .linked import a_user, link
from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")


def names(page: str) -> list[str]:
    """The connectors of a page, in their order."""
    return re.findall(r'<a href="/ui/connectors/[0-9a-f-]{36}">([^<]+)</a>', page)


async def test_without_connectors_the_page_says_what_to_do_next(client: Client) -> None:
    page = (await client.get("/connectors")).text
    assert "No connector yet" in page
    assert page.count('href="/ui/connectors/new"') == 2


async def test_connectors_are_found_by_words_and_state_and_put_in_order(
    house: House, ann: Visitor, client: Client
) -> None:
    users = [a_user(house) for _ in range(3)]
    for user, name in zip(users, ("Beta <desk>", "Alpha", None), strict=True):
        await link(house, ann, user, name=name)
    assert names((await client.get("/connectors")).text) == ["Alpha", "Beta &lt;desk&gt;", users[2].address]
    assert names((await client.get("/connectors?search=DESK+127.0")).text) == ["Beta &lt;desk&gt;"]
    assert names((await client.get("/connectors?state=paused&order=name")).text) != []
    assert "No connector is broken" in (await client.get("/connectors?state=broken")).text
    assert "“nobody”" in (await client.get("/connectors?search=nobody")).text
    odd = await client.get("/connectors?state=x&order=y&page=-4&search=%00%25")
    assert odd.status_code == 200


async def test_others_connectors_are_neither_seen_nor_touched(house: House, ann: Visitor, client: Client) -> None:
    bob = await house.visitor()
    theirs = await link(house, bob, a_user(house), name="Bob's")
    assert names((await client.get("/connectors")).text) == []
    await client.post("/connectors", {"do": "pause", "id": str(theirs.id)})
    assert (await house.services.connectors.get(bob.account.id, theirs.id)).enabled
    assert str(theirs.id) not in (await client.get("/connectors")).text


async def test_many_are_paused_resumed_and_synced_at_once(house: House, ann: Visitor, client: Client) -> None:
    users = [a_user(house) for _ in range(3)]
    made = [await link(house, ann, user) for user in users]
    house.provider.deliver(users[0].address, b"Subject: one\r\n\r\n")
    chosen = [str(one.id) for one in made[:2]]

    async def do(what: str, ids: list[str]) -> str:
        answer = await client.post("/connectors", {"do": what, "id": [*ids, "rubbish"], "back": "search=x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/connectors?search=x")
        page = (await client.get("/connectors")).text
        return page.partition('role="status"')[2].partition(">")[2].partition("<")[0]

    assert await do("pause", chosen) == "Paused 2 connectors."
    assert await do("pause", chosen) == "Paused 0 connectors."
    assert await do("resume", chosen[:1]) == "Resumed 1 connector."
    said = await do("sync", chosen)
    assert said == "Synced 1 connector: 1 new email. 1 connector failed; the list says why."
    assert await do("sync", []) == "Tick the connectors first."
    answer = await client.post("/connectors", {"do": "pause", "id": chosen, "back": "//evil.example"})
    assert answer.headers["location"] == "/ui/connectors"


async def test_the_list_follows_what_happens(house: House, ann: Visitor, page: Page) -> None:
    user, wrong = a_user(house), a_user(house)
    good = await link(house, ann, user, name="Helpdesk", live=True)
    bad = await link(house, ann, wrong, name="Locked", live=True)
    await page.goto(f"{house.url}/ui/connectors")
    row = page.get_by_role("row").filter(has_text="Helpdesk")
    await expect(row).to_contain_text("fresh")
    await row.get_by_role("checkbox").check()
    house.provider.deliver(user.address, b"From: a@b.example\r\nSubject: hello\r\n\r\nhello")
    await expect(row.get_by_role("link", name="1 unread email")).to_be_visible()
    await expect(row.get_by_role("img", name="1 email in 14 days, 1 today")).to_be_visible()
    await expect(row.get_by_role("checkbox")).to_be_checked()
    wrong.password = "another"
    house.provider.disconnect()
    row = page.get_by_role("row").filter(has_text="Locked")
    await expect(row).to_contain_text("broken", timeout=15_000)
    await expect(row).to_contain_text("refused the user name or password")
    await expect(page.get_by_role("navigation", name="By state")).to_contain_text("broken 1")
    await assert_accessible(page)
    await house.services.connectors.delete(ann.account.id, bad.id)
    await expect(row).to_have_count(0, timeout=10_000)
    counts = (await house.services.overviews.page(ann.account.id, OverviewQuery())).counts
    assert (sum(counts.values()), counts[State.BROKEN]) == (1, 0)
    assert good.id


async def test_a_search_goes_on_while_one_types_and_can_be_bookmarked(house: House, ann: Visitor, page: Page) -> None:
    for name in ("Alpha", "Beta"):
        await link(house, ann, a_user(house), name=name)
    await page.goto(f"{house.url}/ui/connectors")
    await expect(page.get_by_role("row")).to_have_count(3)
    await page.get_by_role("searchbox").press_sequentially("alp")
    await expect(page.get_by_role("row")).to_have_count(2)
    await expect(page.get_by_role("searchbox")).to_be_focused()
    assert "search=alp" in page.url
    await page.set_viewport_size({"width": 375, "height": 667})
    await page.reload()
    await expect(page.get_by_role("row")).to_have_count(2)
    await assert_fits(page)
    await assert_accessible(page)
