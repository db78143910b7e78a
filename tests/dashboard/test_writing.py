"""Writing from the browser: what is sent arrives, once; what is not sent is told, with nothing typed lost."""

import asyncio
import html
import re
from datetime import timedelta
from email import message_from_bytes, policy
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from posthouse.model.mail import SendState, SentEmail, SentQuery
from posthouse.model.values import Slice, Sort, utc_now
from posthouse.services.inboxes import NewInbox

from .linked import a_mailbox
from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOB = "bob@elsewhere.example"


async def settled(house: House, visitor: Visitor, count: int = 1) -> list[SentEmail]:
    """What the visitor has sent, the newest first, once so many have come to an end."""
    async with asyncio.timeout(20):
        while True:
            page = await house.services.sent.page(visitor.account.id, SentQuery(slice=Slice(sort=Sort.DESC), states=()))
            ended = [one for one in page.items if one.state in (SendState.ACCEPTED, SendState.FAILED)]
            if len(ended) >= count:
                return ended
            await asyncio.sleep(0.05)


def outside(house: House, subject: str) -> list[bytes]:
    """What has left the provider under this subject."""
    found = []
    for one in house.provider.outside:
        if message_from_bytes(one.message, policy=policy.default)["subject"] == subject:
            found.append(one.message)
    return found


async def test_an_email_with_a_file_is_sent_and_seen_to_be_accepted(house: House, page: Page, ann: Visitor) -> None:
    await a_mailbox(house, ann, "writer")
    await page.goto(f"{house.url}/ui/write")
    await expect(page.get_by_label("From")).to_have_value("writer@provider.example")
    await page.get_by_label("To", exact=True).fill(BOB)
    await page.get_by_label("Subject").fill("With a file")
    await page.get_by_label("Text").fill("Hello Bob,\n\nas promised.\n")
    file = {"name": "März & more.txt", "mimeType": "text/plain", "buffer": b"the file"}
    await page.get_by_label("Attach files").set_input_files([file])  # type: ignore[list-item]
    await assert_accessible(page)
    await page.get_by_role("button", name="Send").click()
    await page.wait_for_url("**/ui/sent/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text("With a file")
    await expect(page.locator("[aria-live] > p .badge")).to_have_text("accepted")
    await expect(page.get_by_role("row", name=BOB)).to_contain_text("250")
    await assert_accessible(page)
    [raw] = outside(house, "With a file")
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail.get_body().get_content().split() == ["Hello", "Bob,", "as", "promised."]  # type: ignore[union-attr]
    [attachment] = mail.iter_attachments()  # type: ignore[attr-defined]
    assert (attachment.get_filename(), attachment.get_content()) == ("März & more.txt", "the file")
    async with page.expect_download() as saved:
        await page.get_by_role("link", name="März & more.txt").click()
    assert (await saved.value).suggested_filename == "März & more.txt"


async def test_a_refused_recipient_is_told_in_the_servers_words(house: House, page: Page, ann: Visitor) -> None:
    connector = await a_mailbox(house, ann, "refused")
    house.provider.faults.set("refused_recipients", {"nobody@elsewhere.example": "550 5.1.1 Never heard of him"})
    await page.goto(f"{house.url}/ui/write?inbox={connector.inbox_id}&to=nobody@elsewhere.example,{BOB}&subject=Two")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("[aria-live] > p .badge")).to_have_text("accepted for some")
    await expect(page.get_by_role("row", name="nobody@")).to_contain_text("Never heard of him")
    await expect(page.get_by_role("row", name="nobody@")).to_contain_text("refused")
    await expect(page.get_by_role("row", name=BOB)).to_contain_text("accepted")
    await page.reload()
    await expect(page.get_by_text("It came back")).to_be_visible()
    await assert_accessible(page)
    await page.set_viewport_size({"width": 375, "height": 667})
    await assert_fits(page)


async def test_a_reply_is_proposed_and_stays_in_its_conversation(house: House, page: Page, ann: Visitor) -> None:
    connector = await a_mailbox(house, ann, "replier")
    raw = (
        b'From: "Doe, Jane" <jane@elsewhere.example>\r\nTo: replier@provider.example, tom@elsewhere.example\r\n'
        b"Subject: Lunch?\r\nMessage-ID: <lunch@elsewhere.example>\r\n\r\nAt noon?\r\n"
    )
    email = await house.services.importing.take_in(ann.account.id, connector.inbox_id, raw, rename=False)
    await page.goto(f"{house.url}/ui/write?replyAll={email}")
    await expect(page.get_by_label("To", exact=True)).to_have_value('"Doe, Jane" <jane@elsewhere.example>')
    await expect(page.get_by_label("Cc", exact=True)).to_have_value("tom@elsewhere.example")
    await expect(page.get_by_label("Subject")).to_have_value("Re: Lunch?")
    await expect(page.get_by_label("Text")).to_be_focused()
    await page.keyboard.press("Control+Home")
    await page.keyboard.type("Yes.")
    await page.get_by_label("Subject").fill("Re: Lunch at noon")
    await page.get_by_role("button", name="Send").click()
    await page.wait_for_url("**/ui/sent/*")
    await settled(house, ann)
    [raw] = outside(house, "Re: Lunch at noon")
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["In-Reply-To"] == "<lunch@elsewhere.example>"
    assert "jane@elsewhere.example" in mail["To"]
    text = mail.get_body().get_content()  # type: ignore[union-attr]
    assert text.startswith("Yes.")
    assert "> At noon?" in text


async def test_a_forward_takes_the_attachments_that_stay_ticked(house: House, client: Client, ann: Visitor) -> None:
    connector = await a_mailbox(house, ann, "forwarder")
    raw = (
        b"From: jane@elsewhere.example\r\nTo: forwarder@provider.example\r\nSubject: Files\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHere\r\n"
        b"--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nA\r\n"
        b"--b\r\nContent-Disposition: attachment; filename=b.txt\r\n\r\nB\r\n--b--\r\n"
    )
    email = await house.services.importing.take_in(ann.account.id, connector.inbox_id, raw, rename=False)
    form = fields((await client.get(f"/write?forward={email}")).text)
    assert (form["subject"], form["to"]) == ("Fwd: Files", "")
    ids = form.pop("attachments")
    assert len(ids) == 2
    answer = await client.post("/write", {**form, "to": BOB, "attachments": ids[1:]})
    assert answer.status_code == 303, answer.text
    await settled(house, ann)
    [sent] = outside(house, "Fwd: Files")
    assert b"a.txt" not in sent
    assert b"b.txt" in sent


async def test_nothing_is_lost_when_something_is_wrong(house: House, client: Client, ann: Visitor) -> None:
    await a_mailbox(house, ann, "careless")
    form = fields((await client.get("/write")).text)
    wrong = {**form, "to": "not an address", "cc": "a@b.example,", "subject": "S <1>", "text": "one\r\ntwo"}
    answer = await client.post("/write", wrong, files={"file": ("notes.txt", b"notes", "text/plain")})
    assert answer.status_code == 422
    assert 'id="to-problem"' in answer.text
    again = fields(answer.text)
    assert {name: again[name] for name in ("to", "cc", "subject", "text", "key")} == {
        "to": "not an address",
        "cc": "a@b.example,",
        "subject": "S <1>",
        "text": "one\ntwo",
        "key": form["key"],
    }
    assert len(again["attachments"]) == 1
    right = {**again, "to": BOB, "cc": ""}
    assert (await client.post("/write", right)).status_code == 303
    await settled(house, ann)
    [sent] = outside(house, "S <1>")
    assert b"notes.txt" in sent


async def test_a_form_that_is_sent_twice_is_one_email(house: House, client: Client, ann: Visitor) -> None:
    await a_mailbox(house, ann, "twice")
    form = {**fields((await client.get("/write")).text), "to": BOB, "subject": f"Once {uuid4()}"}
    file = {"file": ("a.txt", b"the same", "text/plain")}
    first, second = await asyncio.gather(
        client.post("/write", form, files=file), client.post("/write", form, files=file)
    )
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    await settled(house, ann)
    assert len(outside(house, form["subject"])) == 1
    changed = await client.post("/write", {**form, "text": "more"})
    assert changed.status_code == 422
    assert "sent before" in changed.text
    assert first.headers["location"] in changed.text
    assert fields(changed.text)["key"] != form["key"]


async def test_what_is_to_be_sent_later_can_be_cancelled(house: House, page: Page, ann: Visitor) -> None:
    await a_mailbox(house, ann, "planner")
    await page.goto(f"{house.url}/ui/write?to={BOB}&subject=Later")
    await page.get_by_text("Send it later").click()
    # The browser's clock, which the test's machine shares: no zone is typed anywhere.
    at = await page.evaluate(
        "() => { const d = new Date(Date.now() + 7200e3); d.setMinutes(d.getMinutes() - d.getTimezoneOffset());"
        " return d.toISOString().slice(0, 16); }"
    )
    await page.get_by_label("At this time").fill(at)
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("[aria-live] > p .badge")).to_have_text("scheduled")
    [job] = (await house.services.jobs.page(ann.account.id, Slice())).items
    assert timedelta(minutes=118) < job.send_at - utc_now() < timedelta(minutes=121)
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.get_by_role("status")).to_contain_text("will not be sent")
    await expect(page.locator("[aria-live] > p .badge")).to_have_text("not sent")


async def test_an_outcome_that_is_not_known_is_explained(house: House, client: Client, ann: Visitor) -> None:
    await a_mailbox(house, ann, "unlucky")
    house.provider.faults.set("smtp_cut_at", "answer", times=1)
    form = {**fields((await client.get("/write")).text), "to": BOB, "subject": "Lost"}
    location = (await client.post("/write", form)).headers["location"]
    async with asyncio.timeout(20):
        while "unknown" not in (page := (await client.http.get(location)).text):
            await asyncio.sleep(0.1)
    assert "never sent again by itself" in page
    assert "look into the Sent folder" in page


async def test_an_inbox_without_a_connector_says_why_it_cannot_send(house: House, client: Client, ann: Visitor) -> None:
    inbox = await house.services.inboxes.create(ann.account.id, NewInbox())
    form = fields((await client.get(f"/write?inbox={inbox.id}")).text)
    assert form["sender"] == inbox.email_address
    answer = await client.post("/write", {**form, "to": BOB, "subject": "S"})
    assert answer.status_code == 422
    assert "no connector to send through" in answer.text
    unknown = await client.post("/write", {**form, "sender": "who@nowhere.example", "to": BOB})
    assert 'id="sender-problem"' in unknown.text


async def test_a_draft_is_kept_changed_sent_and_gone(house: House, client: Client, ann: Visitor) -> None:
    await a_mailbox(house, ann, "drafter")
    form = {
        **fields((await client.get("/write")).text),
        "to": "bob@",
        "subject": "Draft <1>",
        "text": "to be",
        "do": "keep",
    }
    kept = await client.post("/write", form, files={"file": ("a.txt", b"A", "text/plain")})
    location = kept.headers["location"].removeprefix("/ui")
    assert location.startswith("/write?draft=")
    assert "Draft &lt;1&gt;" in (await client.get("/drafts")).text
    again = fields((await client.get(location)).text)
    assert (again["to"], again["sender"], again["text"]) == ("bob@", "drafter@provider.example", "to be")
    assert (await client.post("/write", {**again, "to": f"Bob <{BOB}>", "do": "keep"})).headers[
        "location"
    ] == f"/ui{location}"
    [draft] = (await house.services.drafts.page(ann.account.id, Slice())).items
    assert draft.said["to"] == [f"Bob <{BOB}>"], "as the API has it, too"
    assert len(draft.said["attachments"]) == 1
    final = fields((await client.get(location)).text)
    assert (await client.post("/write", final)).headers["location"].startswith("/ui/sent/")
    await settled(house, ann)
    [raw] = outside(house, "Draft <1>")
    assert b"a.txt" in raw
    assert (await client.get(location)).status_code == 404
    other = await house.client(await house.visitor())
    theirs = await house.services.drafts.create(ann.account.id, draft.inbox_id, {"subject": "mine"})
    assert (await other.get(f"/write?draft={theirs.id}")).status_code == 404
    assert (await other.post(f"/drafts/{theirs.id}/delete")).status_code == 404
    assert (await client.post(f"/drafts/{theirs.id}/delete")).status_code == 303


async def test_nobody_writes_from_or_looks_into_anothers(house: House, client: Client, ann: Visitor) -> None:
    other = await house.visitor()
    theirs = await a_mailbox(house, other, "theirs")
    raw = b"From: a@b.example\r\nSubject: Secret\r\n\r\nx\r\n"
    email = await house.services.importing.take_in(other.account.id, theirs.inbox_id, raw, rename=False)
    for query in (f"inbox={theirs.inbox_id}", f"reply={email}", f"forward={email}"):
        assert (await client.get(f"/write?{query}")).status_code == 404
    form = fields((await client.get("/write")).text)
    stolen = {"sender": "theirs@provider.example", "inbox": str(theirs.inbox_id), "to": BOB}
    assert (await client.post("/write", {**form, **stolen})).status_code == 422
    their_client = await house.client(other)
    sent = (
        (await their_client.post("/write", {**fields((await their_client.get("/write")).text), "to": BOB}))
        .headers["location"]
        .removeprefix("/ui")
    )
    for path in ("", "/live", "/body", "/raw", "/attachments/0", "/delete"):
        assert (await client.get(sent + path)).status_code == 404
    for path in ("/cancel", "/delete"):
        assert (await client.post(sent + path)).status_code == 404
    assert "provider.example" not in (await client.get("/sent")).text


async def test_the_list_finds_by_words_and_state(house: House, client: Client, ann: Visitor) -> None:
    await a_mailbox(house, ann, "lister")
    for subject in ("Apples <b>", "Pears"):
        form = {**fields((await client.get("/write")).text), "to": BOB, "subject": subject}
        assert (await client.post("/write", form)).status_code == 303
    await settled(house, ann, 2)
    everything = (await client.get("/sent")).text
    assert "Apples &lt;b&gt;" in everything
    assert "Pears" in everything
    assert "Pears" not in (await client.get("/sent?search=apples")).text
    assert "Apples" in (await client.get("/sent?state=accepted")).text
    assert "Apples" not in (await client.get("/sent?state=failed")).text
    [email, _] = await settled(house, ann, 2)
    for view in ("text", "headers", "source"):
        assert "Pears" in (await client.get(f"/sent/{email.id}?view={view}")).text
    assert (await client.get(f"/sent/{email.id}/raw")).headers["content-disposition"].startswith("attachment")
    assert (await client.post(f"/sent/{email.id}/delete")).status_code == 303
    assert (await client.get(f"/sent/{email.id}")).status_code == 404


def fields(page: str) -> dict[str, object]:
    """The form's fields as a browser would send them."""
    found: dict[str, object] = {}
    for tag in re.findall(r"<input [^>]*>", page):
        name, value = re.search(r' name="([^"]*)"', tag), re.search(r' value="([^"]*)"', tag)
        if name is None or 'type="file"' in tag or name[1] in ("search", "csrf"):
            continue
        text = html.unescape(value[1]) if value else ""
        if 'type="checkbox"' in tag:
            found.setdefault(name[1], [])
            found[name[1]].append(text)  # type: ignore[attr-defined]
        else:
            found[name[1]] = text
    for name_, text in re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>\n(.*?)</textarea>', page, re.S):
        found[name_] = html.unescape(text).replace("\r\n", "\n")
    return found
