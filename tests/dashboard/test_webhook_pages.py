"""Webhooks from the browser: made, tried out, failed, told again."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from posthouse.model.values import AccountId, InboxId, Secret, Slice
from posthouse.model.webhooks import EventName, ResultQuery, Webhook, WebhookQuery
from posthouse.services.inboxes import NewInbox
from posthouse.services.webhooks import NewWebhook

from .receiving import Receiver, a_receiver
from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as receiver:
        yield receiver


async def mail_comes(house: House, account: AccountId, inbox: InboxId, subject: str) -> None:
    raw = f"From: a@b.example\r\nSubject: {subject}\r\n\r\n{uuid4()}\r\n".encode()
    await house.services.importing.take_in(account, inbox, raw, rename=False)


async def told(receiver: Receiver, count: int) -> None:
    async with asyncio.timeout(20):
        while len(receiver.heard) < count:
            await asyncio.sleep(0.05)


async def results(house: House, webhook: Webhook, count: int) -> None:
    """Wait until so many results are written down."""
    query = ResultQuery(slice=Slice(), webhook_id=webhook.id)
    async with asyncio.timeout(20):
        while (await house.services.webhook_results.page(webhook.account_id, query)).total < count:
            await asyncio.sleep(0.05)


async def test_a_webhook_is_made_tested_failed_and_told_again(
    house: House, page: Page, ann: Visitor, receiver: Receiver
) -> None:
    inbox = await house.services.inboxes.create(ann.account.id, NewInbox())
    await page.goto(f"{house.url}/ui/webhooks")
    await page.get_by_role("link", name="New webhook").first.click()
    await assert_accessible(page)
    await page.get_by_label("URL of the receiver").fill(receiver.url)
    await page.get_by_label("Only of the inbox").fill(inbox.email_address)
    await page.get_by_label("Name", exact=True).fill("Orders")
    await page.get_by_role("button", name="Make it").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Orders")
    await assert_accessible(page)
    receiver.status = 500
    await page.get_by_role("button", name="Send an example").click()
    await expect(page.locator("#tested")).to_contain_text("answered with the status 500")
    await expect(page.locator("#tested")).to_contain_text("said 500 <b>")
    [webhook] = (await house.services.webhooks.page(ann.account.id, WebhookQuery(slice=Slice()))).items
    await mail_comes(house, ann.account.id, inbox.id, "Order 1")
    await told(receiver, 2)
    await results(house, webhook, 2)
    await page.goto(f"{house.url}/ui/webhooks/{webhook.id}?show=failed")
    await expect(page.get_by_role("cell", name="500", exact=True)).to_have_count(2)
    await expect(page.get_by_text("1 message waiting for another try")).to_be_visible()
    await assert_accessible(page)
    receiver.status = 204
    await page.get_by_role("button", name="Try all that failed, now").click()
    await told(receiver, 3)
    assert "Order 1" in receiver.heard[2]
    await results(house, webhook, 3)
    await page.goto(f"{house.url}/ui/webhooks/{webhook.id}")
    await page.get_by_role("row", name="204").get_by_role("link").click()
    await expect(page.get_by_role("main")).to_contain_text("Order 1")
    await assert_accessible(page)
    await page.get_by_role("button", name="Tell it again").click()
    await told(receiver, 4)
    message_ids = [re.findall(r"webhook-id: (\S+)", heard)[0] for heard in receiver.heard]
    assert len(set(message_ids[1:])) == 1
    await page.goto(f"{house.url}/ui/webhooks/{webhook.id}")
    await page.set_viewport_size({"width": 375, "height": 667})
    await assert_fits(page)


async def a_webhook(house: House, visitor: Visitor, url: str = "http://127.0.0.1:9/", **more: object) -> Webhook:
    wish = NewWebhook(url=url, event=EventName.NEW_EMAIL, **more)  # type: ignore[arg-type]
    return await house.services.webhooks.create(visitor.account.id, wish)


async def test_a_secret_is_shown_when_asked_for_and_replaced(house: House, client: Client, ann: Visitor) -> None:
    webhook = await a_webhook(house, ann)
    path = f"/webhooks/{webhook.id}"
    assert webhook.secret.reveal() not in (await client.get(path)).text
    assert html.escape(webhook.secret.reveal()) in (await client.post(f"{path}/secret")).text
    renewed = (await client.post(f"{path}/new-secret")).text
    changed = (await house.services.webhooks.get(ann.account.id, webhook.id)).secret
    assert changed != webhook.secret
    assert html.escape(changed.reveal()) in renewed


async def test_a_change_keeps_the_secrets_that_the_form_does_not_show(
    house: House, client: Client, ann: Visitor
) -> None:
    webhook = await a_webhook(
        house, ann, username="u", password=Secret("canary-password"), headers={"X-Key": Secret("canary-header")}
    )
    path = f"/webhooks/{webhook.id}"
    page = (await client.get(f"{path}/edit")).text
    assert "canary" not in page + (await client.get(path)).text
    form = {
        "url": "https://example.com/other",
        "event": "BOUNCE",
        "username": "u",
        "headers": "X-Key: (kept)\nX-Two: 2",
    }
    assert (await client.post(f"{path}/edit", form)).status_code == 303
    changed = await house.services.webhooks.get(ann.account.id, webhook.id)
    assert (changed.url, changed.event) == ("https://example.com/other", EventName.BOUNCE)
    assert changed.password == Secret("canary-password")
    assert changed.headers == {"X-Key": Secret("canary-header"), "X-Two": Secret("2")}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "ftp://example.com"}, "url"),
        ({"headers": "no colon"}, "headers"),
        ({"headers": "X-A: (kept)"}, "headers"),
        ({"headers": "X-A: 1\nx-a: 2"}, "headers"),
        ({"username": "a:b"}, "username"),
        ({"template": "{{#oops"}, "template"),
        ({"inbox": "nobody@nowhere.example"}, "inbox"),
        ({"event": "NEW_SMS"}, "event"),
    ],
)
async def test_what_is_wrong_is_told_beside_its_field(wrong: dict[str, str], field: str, client: Client) -> None:
    form = {"url": "https://example.com/hooks", "event": "NEW_EMAIL", "name": "kept <name>"} | wrong
    answer = await client.post("/webhooks/new", form)
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    assert "kept &lt;name&gt;" in answer.text


async def test_a_webhook_is_set_back_to_a_moment(
    house: House, client: Client, ann: Visitor, receiver: Receiver
) -> None:
    inbox = await house.services.inboxes.create(ann.account.id, NewInbox())
    await mail_comes(house, ann.account.id, inbox.id, "Before")
    webhook = await a_webhook(house, ann, receiver.url)
    path = f"/webhooks/{webhook.id}"
    wrong = await client.post(f"{path}/rewind", {"since": "yesterday", "inbox": inbox.email_address})
    assert (wrong.status_code, 'id="since-problem"' in wrong.text) == (422, True)
    wrong = await client.post(f"{path}/rewind", {"since": "2026-01-01T00:00", "inbox": "x@y.example"})
    assert (wrong.status_code, 'id="inbox-problem"' in wrong.text) == (422, True)
    right = {"since": "2026-01-01T00:00", "inbox": inbox.email_address}
    assert (await client.post(f"{path}/rewind", right)).status_code == 303
    await told(receiver, 1)
    assert "Before" in receiver.heard[0]


async def test_nobody_reaches_another_accounts_webhook(house: House, client: Client, ann: Visitor) -> None:
    other = await house.visitor()
    theirs = await a_webhook(house, other, "https://example.com/theirs")
    await house.services.webhooks.test(other.account.id, theirs.id)
    query = ResultQuery(slice=Slice(), webhook_id=theirs.id)
    [result] = (await house.services.webhook_results.page(other.account.id, query)).items
    path = f"/webhooks/{theirs.id}"
    for page in ("", "/edit", "/delete", f"/results/{result.id}"):
        assert (await client.get(path + page)).status_code == 404
    for verb in ("edit", "delete", "test", "secret", "new-secret", "redrive", "rewind", f"results/{result.id}/redrive"):
        assert (await client.post(f"{path}/{verb}", {"since": "2026-01-01T00:00"})).status_code == 404
    mine = await a_webhook(house, ann)
    assert (await client.get(f"/webhooks/{mine.id}/results/{result.id}")).status_code == 404
    assert "theirs" not in (await client.get("/webhooks")).text
    assert (await client.post(f"/webhooks/{mine.id}/delete")).status_code == 303
    assert (await client.get(f"/webhooks/{mine.id}")).status_code == 404
