"""The page of one connector: what it tells, a sync that is watched, its events, and its end."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from posthouse.model.errors import NotFound
from posthouse.model.values import Slice

from .linked import PASSWORD, a_user, link
from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_page_tells_all_but_the_passwords(house: House, ann: Visitor, client: Client) -> None:
    user = a_user(house)
    made = await link(house, ann, user, name="Helpdesk")
    page = (await client.get(f"/connectors/{made.id}")).text
    assert f"127.0.0.1:{house.provider.imap_port}" in page
    assert f"127.0.0.1:{house.provider.smtp_port}" in page
    assert f"{user.address} · password set" in page
    assert PASSWORD not in page
    assert "not encrypted" in page
    assert "Only when somebody asks for it." in page


async def test_the_page_tells_what_was_asked_of_the_mailbox_today(house: House, ann: Visitor, client: Client) -> None:
    made = await link(house, ann, a_user(house))
    assert "Asked today" not in (await client.get(f"/connectors/{made.id}")).text
    await house.services.sync.run(ann.account.id, made.id)
    page = (await client.get(f"/connectors/{made.id}")).text
    assert re.search(r"<dt>Asked today</dt><dd>1 sign-in, \d+ commands, 0 B</dd>", page)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/sync"),
        ("POST", "/cancel-sync"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("GET", "/delete"),
        ("POST", "/delete"),
    ],
)
async def test_others_connectors_are_not_there(house: House, client: Client, method: str, path: str) -> None:
    bob = await house.visitor()
    theirs = await link(house, bob, a_user(house))
    ask = client.get if method == "GET" else client.post
    assert (await ask(f"/connectors/{theirs.id}{path}")).status_code == 404
    assert (await ask(f"/connectors/{uuid4()}{path}")).status_code == 404
    assert (await house.services.connectors.get(bob.account.id, theirs.id)).enabled


async def test_others_syncs_and_events_are_not_there(house: House, ann: Visitor, client: Client) -> None:
    bob = await house.visitor()
    theirs, mine = await link(house, bob, a_user(house)), await link(house, ann, a_user(house))
    await house.services.sync.run(bob.account.id, theirs.id)
    [event] = (await house.services.connectors.events(bob.account.id, Slice(), connector_id=theirs.id)).items
    conversation = house.services.conversations.begin(bob.account.id, lambda _: house.services.accounts.ready())
    for path in (f"events/{event.id}", f"syncs/{conversation.id}", f"syncs/{conversation.id}/live"):
        assert (await client.get(f"/connectors/{mine.id}/{path}")).status_code == 404
        assert (await client.get(f"/connectors/{theirs.id}/{path}")).status_code == 404


async def test_pausing_and_resuming(house: House, ann: Visitor, client: Client) -> None:
    made = await link(house, ann, a_user(house))
    for verb, enabled in (("pause", False), ("resume", True)):
        answer = await client.post(f"/connectors/{made.id}/{verb}")
        assert answer.headers["location"] == f"/ui/connectors/{made.id}"
        assert (await house.services.connectors.get(ann.account.id, made.id)).enabled is enabled
        assert f"{verb.capitalize()}d" in (await client.get(f"/connectors/{made.id}")).text


async def test_a_sync_without_scripts_ends_on_a_page_with_its_log(house: House, ann: Visitor, client: Client) -> None:
    user = a_user(house)
    made = await link(house, ann, user)
    house.provider.deliver(user.address, b"Subject: one\r\n\r\n")
    answer = await client.post(f"/connectors/{made.id}/sync")
    page = await client.http.get(answer.headers["location"])
    assert "1 new email." in page.text
    assert "* connected to 127.0.0.1" in page.text
    assert PASSWORD not in page.text


async def test_who_watches_a_long_sync_sees_its_beginning_and_its_end(
    house: House, ann: Visitor, client: Client
) -> None:
    user = a_user(house)
    made = await link(house, ann, user)
    for number in range(900):
        house.provider.deliver(user.address, b"Subject: %d\r\n\r\n" % number)
    answer = await client.post(f"/connectors/{made.id}/sync")
    told = (await client.http.get(answer.headers["location"] + "/live")).text
    assert told.count("* connected to 127.0.0.1") == 1
    assert "lines left out" in told
    assert "LOGOUT" in told


async def test_events_are_told_by_type_with_their_logs(house: House, ann: Visitor, client: Client) -> None:
    made = await link(house, ann, a_user(house))
    for _ in range(22):
        await house.services.sync.run(ann.account.id, made.id)
    page = (await client.get(f"/connectors/{made.id}")).text
    assert "Page 1 of 2" in page
    assert page.count('id="e-') == 20
    second = (await client.get(f"/connectors/{made.id}?page=1&type=sync")).text
    assert second.count('id="e-') == 2
    assert "Nothing yet." in (await client.get(f"/connectors/{made.id}?type=send")).text
    [event] = set(re.findall(r'id="e-([^"]+)"', second)) - {""} and [re.findall(r'id="e-([^"]+)"', second)[0]]
    log = (await client.get(f"/connectors/{made.id}/events/{event}")).text
    assert "S: * OK" in log
    part = await client.get(f"/connectors/{made.id}/events/{event}", headers={"hx-request-type": "partial"})
    assert part.text.startswith("<pre")


async def test_deleting_asks_first_and_keeps_inbox_and_mail(house: House, ann: Visitor, client: Client) -> None:
    user = a_user(house)
    made = await link(house, ann, user, name="Old desk")
    house.provider.deliver(user.address, b"Subject: one\r\n\r\n")
    await house.services.sync.run(ann.account.id, made.id)
    question = (await client.get(f"/connectors/{made.id}/delete")).text
    assert "with 1 email, and everything in the mailbox" in question
    assert (await client.post(f"/connectors/{made.id}/delete")).headers["location"] == "/ui/connectors"
    assert (
        "Old desk is deleted. Its inbox and the mail in it are still there." in (await client.get("/connectors")).text
    )
    with pytest.raises(NotFound):
        await house.services.connectors.get(ann.account.id, made.id)
    assert await house.services.mail.count(ann.account.id, made.inbox_id) == 1


async def test_a_sync_is_watched_line_by_line(house: House, ann: Visitor, page: Page) -> None:
    user = a_user(house)
    made = await link(house, ann, user, name="Helpdesk")
    await page.goto(f"{house.url}/ui/connectors/{made.id}")
    for number in range(3):
        house.provider.deliver(user.address, b"Subject: %d\r\n\r\n" % number)
    await page.get_by_role("button", name="Sync now").click()
    said = page.get_by_label("Conversation with the server")
    await expect(said).to_contain_text("* connected to 127.0.0.1")
    await expect(page.get_by_role("status").filter(has_text="3 new emails.")).to_be_visible()
    await expect(said).to_contain_text("LOGOUT")
    assert PASSWORD not in await page.content()
    # The page follows: an event has come, and its log unfolds.
    event = page.locator("#newest-events li")
    await expect(event).to_have_count(1, timeout=10_000)
    await event.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(event.get_by_label("Log")).to_contain_text("S: * OK")
    await expect(page.get_by_text("3 emails, 3 unread")).to_be_visible()
    await event.evaluate("item => Promise.all(item.getAnimations().map(one => one.finished))")
    await assert_accessible(page)
    await page.set_viewport_size({"width": 375, "height": 667})
    await assert_fits(page)


async def test_a_failed_sync_is_told_in_words(house: House, ann: Visitor, page: Page) -> None:
    made = await link(house, ann, a_user(house), password="wrong")
    await page.goto(f"{house.url}/ui/connectors/{made.id}")
    await page.get_by_role("button", name="Sync now").click()
    status = page.get_by_role("status").filter(has_text="failed")
    await expect(status).to_contain_text("refused the user name or password")
    await expect(page.get_by_label("How it stands")).to_contain_text("refused the user name", timeout=10_000)


async def test_a_connector_that_is_deleted_elsewhere_says_so(house: House, ann: Visitor, page: Page) -> None:
    made = await link(house, ann, a_user(house))
    await page.goto(f"{house.url}/ui/connectors/{made.id}")
    await house.services.connectors.delete(ann.account.id, made.id)
    await expect(page.get_by_role("heading", name="Deleted")).to_be_visible(timeout=10_000)
