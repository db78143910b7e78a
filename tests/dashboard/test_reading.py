"""Reading mail in the dashboard: lists that follow what happens, emails of strangers, keys, a phone."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from playwright.async_api import Browser, Page, expect

from mime.test_showing import HOSTILE, image_part
from posthouse.model.mail import Inbox
from posthouse.model.values import EmailId
from posthouse.services.inboxes import NewInbox
from posthouse.store.tables import emails

from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL_FILE = b"<html><script>alert(document.cookie)</script></html>"
WITH_FILE = (
    b"From: Zoe <zoe@example.org>\r\nSubject: with a file\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee https://a.example/x.\r\n"
    b'--b\r\nContent-Type: text/html; name="page.html"\r\nContent-Disposition: attachment; filename="page.html"\r\n\r\n'
    + EVIL_FILE
    + b"\r\n--b--\r\n"
)


def plain(subject: str, text: str = "words") -> bytes:
    return f"From: Bob <bob@example.org>\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


def html(subject: str, markup: str, *more: bytes) -> bytes:
    head = f"From: Eve <eve@example.org>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n".encode()
    head += b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    return b"--b\r\n".join([head + markup.encode() + b"\r\n", *more]) + b"--b--\r\n"


async def an_inbox(house: House, visitor: Visitor, name: str | None = "Letters") -> Inbox:
    return await house.services.inboxes.create(visitor.account.id, NewInbox(name=name))


async def filed(house: House, inbox: Inbox, *messages: bytes) -> list[EmailId]:
    take_in = house.services.importing.take_in
    return [await take_in(inbox.account_id, inbox.id, message) for message in messages]


def subjects(page: str) -> list[str]:
    return re.findall(r'<span class="subject">([^<]*)</span>', page)


# Without a browser


async def test_inboxes_are_listed_with_what_is_in_them(house: House, ann: Visitor, client: Client) -> None:
    assert "No inbox yet" in (await client.get("/inboxes")).text
    letters, empty = await an_inbox(house, ann), await an_inbox(house, ann, "Empty & alone")
    await filed(house, letters, plain("one"), plain("two"))
    page = (await client.get("/inboxes")).text
    assert page.index("Letters") < page.index("Empty &amp; alone")
    assert "no mail yet" in page
    found = (await client.get("/inboxes?search=alon&order=address")).text
    assert str(empty.id) in found
    assert str(letters.id) not in found
    assert "No inbox found" in (await client.get("/inboxes?search=nothing")).text


async def test_an_inbox_is_made_and_what_was_typed_is_kept_when_it_can_not_be(house: House, client: Client) -> None:
    address = "our-own@posthouse.localhost"
    made = await client.post("/inboxes/new", {"email_address": address, "name": "Own"})
    assert made.status_code == 303
    assert address in (await client.get(made.headers["location"].removeprefix("/ui"))).text
    again = await client.post("/inboxes/new", {"email_address": address, "name": "Again"})
    assert again.status_code == 422
    assert "is taken" in again.text
    assert 'value="Again"' in again.text
    wrong = await client.post("/inboxes/new", {"email_address": "no address"})
    assert wrong.status_code == 422
    assert "write it as name@example.org" in wrong.text


async def test_an_inbox_is_deleted_after_a_question_that_says_what_goes(
    house: House, ann: Visitor, client: Client
) -> None:
    inbox = await an_inbox(house, ann)
    await filed(house, inbox, plain("one"), plain("two"))
    assert "2 emails" in (await client.get(f"/inboxes/{inbox.id}/delete")).text
    assert (await client.post(f"/inboxes/{inbox.id}/delete")).headers["location"] == "/ui/inboxes"
    assert (await client.get(f"/inboxes/{inbox.id}")).status_code == 404


async def test_a_list_is_searched_filtered_and_goes_on_where_it_is_cut(
    house: House, ann: Visitor, client: Client
) -> None:
    inbox, second = await an_inbox(house, ann), await an_inbox(house, ann, "Second")
    ids = await filed(house, inbox, *(plain(f"number {n}") for n in range(55)))
    await filed(house, second, plain("elsewhere", "apples"))
    first = (await client.get(f"/inboxes/{inbox.id}")).text
    assert subjects(first) == [f"number {n}" for n in range(54, 4, -1)]
    older = re.search(r'rel="next" href="/ui([^"]*)">Older', first)
    assert older is not None
    assert subjects((await client.get(older[1].replace("&amp;", "&"))).text) == [
        f"number {n}" for n in range(4, -1, -1)
    ]

    everything = (await client.get("/mail?search=app")).text
    assert subjects(everything) == ["elsewhere"]
    assert second.email_address in everything
    await house.services.mail.favour(ann.account.id, ids[7])
    assert subjects((await client.get("/mail?show=starred")).text) == ["number 7"]
    await client.post(f"/inboxes/{inbox.id}/read")
    assert subjects((await client.get("/mail?show=unread")).text) == ["elsewhere"]
    assert "Everything is read" in (await client.get(f"/inboxes/{inbox.id}?show=unread")).text
    part = await client.get("/mail?search=app", headers={"hx-request-type": "partial", "hx-target": "div#list"})
    assert subjects(part.text) == ["elsewhere"]
    assert "<html" not in part.text
    for nonsense in ("show=nonsense", "beyond=0", f"beyond={'9' * 30}", "email=x", f"search={'a' * 501}"):
        assert (await client.get(f"/mail?{nonsense}")).status_code == 400, nonsense
    live = await client.get(f"/mail/live?seen={'9' * 5000}.x")
    assert live.status_code == 400


async def test_an_email_is_read_marked_starred_and_deleted_without_scripts(
    house: House, ann: Visitor, client: Client
) -> None:
    inbox = await an_inbox(house, ann)
    below, email_id = await filed(house, inbox, plain("below"), WITH_FILE)
    at = (await client.get(f"/mail/{email_id}")).headers["location"]
    assert at == f"/ui/inboxes/{inbox.id}?email={email_id}"
    page = (await client.get(at.removeprefix("/ui"))).text
    assert '<a href="https://a.example/x" target="_blank" rel="noopener noreferrer nofollow">' in page
    assert "<iframe" not in page
    assert (await house.services.mail.get(ann.account.id, email_id)).read

    inside = f"inbox={inbox.id}&show=starred"
    answer = await client.post(f"/mail/{email_id}/read?{inside}", {"read": "false"})
    assert answer.headers["location"] == f"/ui/inboxes/{inbox.id}?show=starred"
    await client.post(f"/mail/{email_id}/star?{inside}", {"starred": "true"})
    email = await house.services.mail.get(ann.account.id, email_id)
    assert (email.read, email.favourite) == (False, True)

    assert "<td" in (await client.get(f"/inboxes/{inbox.id}?email={email_id}&view=headers")).text
    assert "&lt;script&gt;alert" in (await client.get(f"/inboxes/{inbox.id}?email={email_id}&view=source")).text
    assert "with a file" in (await client.get(f"/mail/{email_id}/delete?inbox={inbox.id}")).text
    gone = await client.post(f"/mail/{email_id}/delete?inbox={inbox.id}")
    assert gone.headers["location"] == f"/ui/inboxes/{inbox.id}?email={below}"
    assert (await client.get(f"/mail/{email_id}")).status_code == 404


async def test_attachments_and_messages_are_saved_and_never_shown(house: House, ann: Visitor, client: Client) -> None:
    inbox = await an_inbox(house, ann)
    [email_id] = await filed(house, inbox, WITH_FILE)
    [attachment] = await house.services.mail.attachments(ann.account.id, email_id)
    got = await client.get(f"/mail/{email_id}/attachments/{attachment.id}")
    assert got.content == EVIL_FILE
    raw = await client.get(f"/mail/{email_id}/raw")
    assert raw.content == await house.services.mail.raw(ann.account.id, email_id)
    assert raw.headers["content-disposition"] == 'attachment; filename="with a file.eml"'
    for answer in (got, raw):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_a_frame_says_that_it_is_a_document_of_nowhere(house: House, ann: Visitor, client: Client) -> None:
    inbox = await an_inbox(house, ann)
    [email_id] = await filed(house, inbox, html("pages", "<p>hello</p><img src=http://tracker.example/1.gif>"))
    answer = await client.get(f"/mail/{email_id}/body")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; img-src data:;" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "sandbox allow-popups" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "tracker" not in answer.text
    with_images = await client.get(f"/mail/{email_id}/body?images=true")
    assert "img-src data: https: http:;" in with_images.headers["content-security-policy"]
    assert "http://tracker.example/1.gif" in with_images.text
    page = (await client.get(f"/inboxes/{inbox.id}?email={email_id}")).text
    assert "1 image from elsewhere is not shown" in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page


async def test_what_could_not_be_read_says_why_and_shows_its_source(house: House, ann: Visitor, client: Client) -> None:
    inbox = await an_inbox(house, ann)
    [email_id] = await filed(house, inbox, plain("broken", "what it says"))
    async with house.app.database.transaction() as tx:
        change = sa.update(emails).where(emails.c.id == email_id).values(problem="it takes more than 10 s", subject="")
        await tx.connection.execute(change)
    page = (await client.get(f"/inboxes/{inbox.id}?email={email_id}")).text
    assert "This message could not be read" in page
    assert "It takes more than 10 s." in page
    assert "what it says" in page
    assert "Could not be read: it takes more than 10 s" in page
    assert (await client.get(f"/mail/{email_id}/body")).status_code == 404


async def test_a_conversation_is_told_with_each_of_its_emails(house: House, ann: Visitor, client: Client) -> None:
    inbox = await an_inbox(house, ann)
    take_in = house.services.importing.take_in
    question = b"From: bob@example.org\r\nMessage-ID: <q@x>\r\nSubject: a question\r\n\r\n?\r\n"
    answer = b"From: cy@example.org\r\nMessage-ID: <a@x>\r\nIn-Reply-To: <q@x>\r\nSubject: an answer\r\n\r\n!\r\n"
    first = await take_in(ann.account.id, inbox.id, question, rename=False)
    second = await take_in(ann.account.id, inbox.id, answer, rename=False)
    page = (await client.get(f"/inboxes/{inbox.id}?email={second}")).text
    assert f'<a href="/ui/mail/{first}">a question</a>' in page.partition("In the same conversation")[2]


async def test_nothing_of_it_is_there_for_others(house: House, ann: Visitor, client: Client) -> None:
    stranger = await house.client(await house.visitor())
    inbox = await an_inbox(house, ann)
    [email_id] = await filed(house, inbox, WITH_FILE)
    [attachment] = await house.services.mail.attachments(ann.account.id, email_id)
    of_email = ("", "/body", "/raw", f"/attachments/{attachment.id}", "/delete", f"/delete?inbox={inbox.id}")
    paths = [f"/mail/{email_id}{more}" for more in of_email]
    paths += [f"/inboxes/{inbox.id}{more}" for more in ("", "/live", "/delete", f"?email={email_id}")]
    paths += [f"/mail?email={email_id}"]
    for path in paths:
        assert (await stranger.get(path)).status_code == 404, path
    for path in (f"/mail/{email_id}/{verb}" for verb in ("read", "star", "delete")):
        assert (await stranger.post(path)).status_code == 404, path
    for path in (f"/inboxes/{inbox.id}/{verb}" for verb in ("read", "delete")):
        assert (await stranger.post(path)).status_code == 404, path
    assert subjects((await stranger.get("/mail")).text) == []
    second = await an_inbox(house, ann)
    assert (await client.get(f"/inboxes/{second.id}?email={email_id}")).status_code == 404
    assert (await house.services.mail.get(ann.account.id, email_id)).read is False


@asynccontextmanager
async def following(client: Client, path: str, last: str = "") -> AsyncIterator[AsyncIterator[tuple[str, str]]]:
    """The events of a stream: their ids and data."""
    headers = {"last-event-id": last} if last else {}
    async with client.http.stream("GET", "/ui" + path, headers=headers, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")

        async def events() -> AsyncIterator[tuple[str, str]]:
            id_, data = "", []
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    id_ = line[4:]
                elif line.startswith("data: "):
                    data.append(line[6:])
                elif not line and data:
                    yield id_, "\n".join(data)
                    id_, data = "", []

        yield events()


def live_of(page: str) -> str:
    found = re.search(r'hx-sse:connect="/ui([^"]*)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_a_list_is_told_again_when_it_has_changed_and_nothing_is_missed_in_between(
    house: House, ann: Visitor, client: Client
) -> None:
    inbox = await an_inbox(house, ann)
    [old] = await filed(house, inbox, plain("old"))
    live = live_of((await client.get(f"/inboxes/{inbox.id}")).text)
    async with asyncio.timeout(20):
        async with following(client, live) as events:
            await filed(house, inbox, plain("new"))
            last, told = await anext(events)
            assert subjects(told) == ["new", "old"]
            assert "1 new</hx-partial>" in told
        # Nobody listens while more happens.
        await filed(house, inbox, plain("newer"), plain("newest"))
        await house.services.mail.delete(ann.account.id, old)
        async with following(client, live, last) as events:
            _, told = await anext(events)
            assert subjects(told) == ["newest", "newer", "new"]
            assert "2 new</hx-partial>" in told
            await house.services.mail.mark_all_read(ann.account.id, inbox=inbox.id)
            _, told = await anext(events)
            assert "unread" not in told
            assert "</hx-partial>" not in told


async def test_all_mail_is_followed_too_with_its_search(house: House, ann: Visitor, client: Client) -> None:
    inbox = await an_inbox(house, ann)
    live = live_of((await client.get("/mail?search=apples")).text)
    async with asyncio.timeout(20), following(client, live) as events:
        await filed(house, inbox, plain("pears"), plain("apples"))
        _, told = await anext(events)
        assert subjects(told) == ["apples"]


# With a browser


async def test_mail_appears_on_top_while_another_is_read(house: House, ann: Visitor, page: Page) -> None:
    inbox = await an_inbox(house, ann)
    await filed(house, inbox, plain("first"), html("second", "<p>hello</p>"))
    await page.goto(f"{house.url}/ui/inboxes/{inbox.id}")
    row = page.get_by_role("link", name=re.compile("second"))
    await row.click()
    await expect(page.frame_locator("iframe.body").get_by_text("hello")).to_be_visible()
    await expect(row).to_have_class("message read")  # told by the stream, without loading anything
    await page.evaluate("document.querySelector('iframe.body').kept = true")
    await filed(house, inbox, plain("third"), plain("fourth"))
    await expect(page.locator("#messages .subject")).to_have_text(["fourth", "third", "second", "first"])
    await expect(page.locator("#news")).to_have_text(re.compile("^[12] new$"))
    await expect(row).to_have_attribute("aria-current", "true")
    await expect(row).to_be_focused()
    assert await page.evaluate("document.querySelector('iframe.body').kept") is True
    await page.get_by_role("button", name="Mark as unread").click()
    await expect(row).to_have_class("message unread")
    await page.get_by_role("searchbox").press_sequentially("thir")
    await expect(page.locator("#messages .subject")).to_have_text(["third"])
    await expect(page).to_have_url(re.compile("search=thir"))
    await page.get_by_role("searchbox").fill("")
    await expect(page.locator("#messages .subject")).to_have_count(4)
    await page.go_back()
    await expect(page.locator("article.email")).to_have_count(0)


class Canary:
    """A web server that nobody should ask for anything; it has a picture for whoever does."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        async with server:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        said = (line.partition(": ") for line in head[1:] if line)
        self.asked.append((head[0].split(" ")[1], {name.lower(): value for name, _, value in said}))
        picture = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/svg+xml\r\nconnection: close\r\n")
        writer.write(f"content-length: {len(picture)}\r\n\r\n".encode() + picture)
        await writer.drain()
        writer.close()


async def test_hostile_mail_runs_nothing_and_fetches_nothing_but_images_when_asked(
    house: House, ann: Visitor, browser: Browser
) -> None:
    inbox, canary = await an_inbox(house, ann), Canary()
    async with canary.listening() as host:
        markup = HOSTILE.replace("tps://", "tp://").replace("evil.example", host)
        markup += '<img src="cid:pixel" alt="came along"><script>alert(1)</script><img src=x onerror="alert(2)">'
        [email_id] = await filed(house, inbox, html("hostile", markup, image_part("pixel")))
        made = await browser.new_context()
        try:
            page, asked, alarms = await made.new_page(), list[str](), list[str]()
            made.on("request", lambda request: asked.append(request.url))
            made.on("dialog", lambda dialog: alarms.append(dialog.message))
            await page.goto(await house.sign_in_link(ann))
            await page.goto(f"{house.url}/ui/inboxes/{inbox.id}?email={email_id}")
            frame = page.frame_locator("iframe.body")
            await expect(frame.get_by_text("a fine link")).to_be_visible()
            await expect(frame.get_by_alt_text("came along")).to_be_visible()
            await page.wait_for_timeout(300)  # time for what must not happen
            assert canary.asked == []
            assert [url for url in asked if not url.startswith((house.url, "data:image/gif"))] == []

            await page.get_by_role("link", name="Show images").click()
            picture = frame.get_by_alt_text("a picture")
            await expect(picture).to_have_js_property("naturalWidth", 9)
            await page.wait_for_timeout(300)
            assert sorted({path for path, _ in canary.asked}) == ["/k.png", "/m.png"]
            for _, headers in canary.asked:
                assert "cookie" not in headers
                assert "referer" not in headers
            assert alarms == []

            link = frame.get_by_role("link", name="a fine link")
            assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
            sandboxed = next(one for one in page.frames if "/body" in one.url)
            assert await (await sandboxed.frame_element()).evaluate("frame => frame.contentDocument") is None
        finally:
            await made.close()


async def test_mail_is_read_by_the_keyboard_alone(house: House, ann: Visitor, page: Page) -> None:
    inbox = await an_inbox(house, ann)
    await filed(house, inbox, *(plain(subject) for subject in ("one", "two", "three", "four")))
    await page.goto(f"{house.url}/ui/inboxes/{inbox.id}")
    subject, press = page.locator("#subject"), page.keyboard.press
    await press("j")
    await press("ArrowDown")
    await press("Enter")
    await expect(subject).to_have_text("three")
    await press("j")
    await expect(subject).to_have_text("two")
    await press("k")
    await expect(subject).to_have_text("three")
    await press("u")
    await expect(page.get_by_role("button", name="Mark as read")).to_be_visible()
    await press("s")
    await expect(page.get_by_role("button", name="Starred")).to_be_visible()
    await press("#")
    await expect(page.get_by_role("button", name="Delete")).to_be_focused()
    await assert_accessible(page)
    await press("Enter")
    await expect(page.get_by_role("status").first).to_have_text("Deleted.")
    await expect(subject).to_have_text("two")
    await page.wait_for_load_state()  # it is a new page, whose scripts may not run yet
    await press("?")
    await expect(page.get_by_role("heading", name="Shortcuts")).to_be_visible()
    await press("?")
    await press("Escape")
    await page.wait_for_url(lambda url: "email=" not in url)
    await press("/")
    await page.keyboard.type("fou")
    await expect(page.locator("#messages .subject")).to_have_text(["four"])
    await press("Escape")
    await press("j")
    await press("Enter")
    await expect(subject).to_have_text("four")


async def test_on_a_phone_the_list_gives_way_to_the_email_and_comes_back(
    house: House, ann: Visitor, page: Page
) -> None:
    inbox = await an_inbox(house, ann)
    long = "averylongwordwithoutanyspace" * 8
    await filed(house, inbox, html("wide", f"<table width=900><tr><td>{long}</td></tr></table>"), plain(long, long))
    await page.set_viewport_size({"width": 375, "height": 667})
    await page.goto(f"{house.url}/ui/inboxes")
    await assert_fits(page)
    await assert_accessible(page)
    await page.get_by_role("link", name="Letters").click()
    for subject in (long, "wide"):
        await assert_fits(page)
        await page.locator("a.message", has_text=subject).first.click()
        await expect(page.locator("#subject")).to_have_text(subject)
        await expect(page.locator("#subject")).to_be_focused()
        await expect(page.locator(".list")).to_be_hidden()
        await assert_fits(page)
        await page.get_by_role("link", name="← Letters").click()
        await expect(page.locator(".list")).to_be_visible()


async def test_whoever_can_not_see_or_sees_in_the_dark_can_read_mail(house: House, ann: Visitor, page: Page) -> None:
    inbox = await an_inbox(house, ann)
    await filed(house, inbox, plain("text"), html("pages", "<p>hi</p><img src=http://x.example/>"), WITH_FILE)
    for path in ("/inboxes", "/inboxes/new", "/mail", f"/inboxes/{inbox.id}/delete"):
        await page.goto(f"{house.url}/ui{path}")
        await assert_accessible(page)
    for subject in ("pages", "with a file"):
        await page.goto(f"{house.url}/ui/inboxes/{inbox.id}")
        await page.locator("a.message", has_text=subject).click()
        await expect(page.locator("#subject")).to_have_text(subject)
        await assert_accessible(page)
