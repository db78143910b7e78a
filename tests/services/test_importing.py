"""Messages from files: filed like all mail, with a Message-ID of their own, and refused when they are none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mime.identity import renamed, why_no_message
from posthouse.mime.reading import read
from posthouse.model.errors import Invalid, NotFound, TooLarge
from posthouse.model.events import Happening
from posthouse.model.values import InboxId, new_id, utc_now
from posthouse.services.importing import Importing

from .posting import Post, a_post

RAW = (
    b"Received: from a by b\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-Id:\r\n <old@example.org>\r\n"
    b"From: zoe@example.org\r\n\r\nMessage-ID: not a header\r\n"
)


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path / "data") as post:
        yield post


async def test_an_imported_message_is_filed_journaled_and_keeps_every_other_byte(post: Post) -> None:
    inbox = await post.inbox()
    email_id = await post.services.importing.take_in(post.account.id, inbox.id, RAW, external_id="file 7")
    opened = await post.services.mail.open(post.account.id, email_id)
    email = opened.email
    assert (email.subject, email.external_id, email.read) == ("Grüße", "file 7", False)
    assert email.message_id.strip("<>") not in ("", "old@example.org")
    new = b"Message-ID: <" + email.message_id.strip("<>").encode() + b">\r\n"
    assert opened.raw == new + RAW.replace(b"Message-Id:\r\n <old@example.org>\r\n", b"")
    [entry] = await post.journal(inbox.id)
    assert (entry.happening, entry.email_id) == (Happening.EMAIL_RECEIVED, email_id)


async def test_the_same_file_comes_in_again_unless_it_keeps_its_message_id(post: Post) -> None:
    inbox = await post.inbox()
    take_in = post.services.importing.take_in
    assert await take_in(post.account.id, inbox.id, RAW) != await take_in(post.account.id, inbox.id, RAW)
    first = await take_in(post.account.id, inbox.id, RAW, rename=False)
    assert await take_in(post.account.id, inbox.id, RAW, rename=False) == first
    kept = await post.services.mail.open(post.account.id, first)
    assert kept.raw == RAW
    assert len(await post.emails(inbox)) == 3


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"just some text\nand more\n", "no header field"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", ".msg"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"From a@b Mon Jan 1\nSubject: 1\n\nx\n\nFrom c@d Mon Jan 1\nSubject: 2\n\ny\n", "mbox"),
    ],
)
async def test_what_is_no_message_is_refused_in_words(raw: bytes, said: str, post: Post) -> None:
    inbox = await post.inbox()
    with pytest.raises(Invalid) as refused:
        await post.services.importing.take_in(post.account.id, inbox.id, raw)
    assert said in refused.value.message
    assert await post.emails(inbox) == []


async def test_an_import_needs_room_and_an_inbox_of_ones_own(post: Post) -> None:
    inbox = await post.inbox()
    stranger = (await post.services.accounts.create_key(account="stranger")).account
    for account, where in ((stranger.id, inbox.id), (post.account.id, InboxId(new_id(utc_now())))):
        with pytest.raises(NotFound):
            await post.services.importing.take_in(account, where, RAW)
    small = Importing(post.app.database, None, "x.example", largest=10)  # type: ignore[arg-type]
    with pytest.raises(TooLarge):
        await small.take_in(post.account.id, inbox.id, RAW)


@pytest.mark.parametrize(
    ("raw", "new"),
    [
        (b"Subject: a\n\nb", b"Message-ID: <n@x>\nSubject: a\n\nb"),
        (b"Subject: a\r\nMESSAGE-ID : <o@x>\r\n\r\nb", b"Message-ID: <n@x>\r\nSubject: a\r\n\r\nb"),
        (b"Message-ID: <1@x>\nTo: a\nMessage-ID: <2@x>\n\tmore\n\n", b"Message-ID: <n@x>\nTo: a\n\n"),
        (b"From a Mon\nTo: b\n\nc", b"From a Mon\nMessage-ID: <n@x>\nTo: b\n\nc"),
        (b"X-Message-ID: <o@x>\n\n", b"Message-ID: <n@x>\nX-Message-ID: <o@x>\n\n"),
        (b"\r\nno header", b"Message-ID: <n@x>\r\n\r\nno header"),
    ],
)
def test_a_message_id_takes_the_place_of_all_others(raw: bytes, new: bytes) -> None:
    assert renamed(raw, "n@x") == new


@given(st.lists(st.sampled_from([b"Subject: a", b"Message-ID: <o@x>", b" folded", b"", b"text", b"\xff:"]), max_size=9))
def test_any_message_gets_just_the_new_id(lines: list[bytes]) -> None:
    raw = b"\r\n".join([b"To: a@b.example", *lines, b"", b"end"])
    assert not why_no_message(raw)
    assert read(renamed(raw, "n@x")).message_id.strip("<>") == "n@x"
