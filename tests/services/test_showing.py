"""Emails to be looked at: text with links, HTML for a frame, source; each only for whom it belongs to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from posthouse.model.errors import NotFound
from posthouse.model.values import EmailId
from posthouse.services import showing

from .posting import Post, a_post

HTML = (
    b"Subject: pages\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<h1>Hello</h1><p>see <a href='http://x.example'>this</a> or http://y.example/ now</p>"
    b"<img src='http://tracker.example/1.gif'><script>steal()</script>\r\n"
)
PLAIN = b"Subject: words\r\n\r\nsee http://x.example/ now\r\n"


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path / "data") as post:
        yield post


async def filed(post: Post, raw: bytes) -> EmailId:
    inbox = await post.inbox()
    return await post.services.importing.take_in(post.account.id, inbox.id, raw, rename=False)


async def test_html_is_shown_as_text_too_and_in_a_frame_without_what_it_would_fetch(post: Post) -> None:
    email_id = await filed(post, HTML)
    seen = await post.services.showing.email(post.account.id, email_id)
    assert seen.email.subject == "pages"
    assert (seen.shown.has_html, seen.shown.remote_images, seen.shown.cut) == (True, 1, False)
    assert "".join(piece for piece, _ in seen.shown.text) == "Hello\n\nsee this or http://y.example/ now"
    assert [url for _, url in seen.shown.text if url] == ["http://y.example/"]
    frame = await post.services.showing.frame(post.account.id, email_id)
    assert "<h1>Hello</h1>" in frame
    assert "steal" not in frame
    assert "tracker" not in frame
    assert "http://tracker.example/1.gif" in await post.services.showing.frame(post.account.id, email_id, remote=True)


async def test_looking_marks_as_read_only_when_it_is_said(post: Post) -> None:
    email_id = await filed(post, PLAIN)
    assert not (await post.services.showing.email(post.account.id, email_id)).email.read
    assert (await post.services.showing.email(post.account.id, email_id, mark_read=True)).email.read
    assert (await post.services.mail.get(post.account.id, email_id)).read


async def test_a_text_has_no_frame_but_a_source(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    email_id = await filed(post, PLAIN)
    with pytest.raises(NotFound):
        await post.services.showing.frame(post.account.id, email_id)
    assert (await post.services.showing.source(post.account.id, email_id)).text == PLAIN.decode().replace("\r\n", "\n")
    monkeypatch.setattr(showing, "LONGEST_TEXT", 8)
    assert await post.services.showing.source(post.account.id, email_id) == showing.Source("Subject:", True)
    seen = (await post.services.showing.email(post.account.id, email_id)).shown
    assert (seen.text, seen.cut) == ((("see http", ""),), True)


async def test_nobody_sees_the_mail_of_others(post: Post) -> None:
    email_id = await filed(post, HTML)
    stranger = (await post.services.accounts.create_key(account="stranger")).account
    for look in (post.services.showing.email, post.services.showing.frame, post.services.showing.source):
        with pytest.raises(NotFound):
            await look(stranger.id, email_id)
