"""Inboxes whose time is up are gone, whoever looks and however many do; what is removed at the same time by several
is removed once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from posthouse.engine.janitor import Chore, Janitor
from posthouse.model.connectors import ImapSettings, Security, SyncSettings
from posthouse.model.errors import NotFound, Unavailable
from posthouse.model.mail import Inbox
from posthouse.model.values import AccountId, EmailId, Slice, utc_now
from posthouse.services.connectors import NewConnector
from posthouse.store.tables import emails, inboxes, packs

from .posting import Post, a_post

MOMENT = timedelta(milliseconds=1)


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path / "data", database_url=database_url) as post:
        yield post


async def fill(post: Post, inbox: Inbox, count: int) -> None:
    """Put so many different messages into the inbox."""
    for number in range(count):
        raw = f"Subject: {number}\r\n\r\nhello {number}\r\n".encode()
        await post.services.importing.take_in(inbox.account_id, inbox.id, raw)


async def count(post: Post, table: sa.Table) -> int:
    async with post.app.database.reading() as tx:
        return await tx.connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


async def test_an_inbox_expires_with_all_that_is_in_it_and_is_remembered(post: Post) -> None:
    kept = await post.inbox("kept", expires_in=timedelta(hours=1))
    brief = await post.inbox("brief", expires_in=MOMENT)
    await fill(post, brief, 3)
    await post.send(brief.id, kept.email_address)
    await asyncio.sleep(0.01)
    assert await post.services.inboxes.expire_due() == 1
    assert await post.services.inboxes.expire_due() == 0
    with pytest.raises(NotFound):
        await post.services.inboxes.get(post.account.id, brief.id)
    assert (await post.services.inboxes.get(post.account.id, kept.id)).expires_at is not None
    assert await count(post, emails) == 1, "the mail that was sent elsewhere stays there"
    assert await count(post, packs) == 1
    [record] = (await post.services.inboxes.expired(post.account.id, Slice())).items
    assert (record.inbox_id, record.email_address) == (brief.id, brief.email_address)
    assert await post.services.inboxes.expired_one(post.account.id, inbox=brief.id) == record
    assert await post.services.inboxes.expired_one(post.account.id, expired=record.id) == record
    stranger = (await post.services.accounts.create_key(account="stranger")).account
    assert (await post.services.inboxes.expired(stranger.id, Slice())).total == 0
    with pytest.raises(NotFound):
        await post.services.inboxes.expired_one(stranger.id, inbox=brief.id)


async def test_an_inbox_with_more_mail_than_one_transaction_takes_expires_whole(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthouse.services.inboxes._AT_ONCE", 2)
    brief = await post.inbox(expires_in=MOMENT)
    await fill(post, brief, 5)
    assert await post.services.inboxes.expire_due() == 1
    assert (await count(post, emails), await count(post, inboxes), await count(post, packs)) == (0, 0, 0)


async def test_who_is_given_more_time_in_the_last_moment_stays(post: Post) -> None:
    brief = await post.inbox(expires_in=MOMENT)
    moment = utc_now()
    await post.services.inboxes.change(post.account.id, brief.id, expires_at=moment + timedelta(days=1))
    assert not await post.services.inboxes._expire(post.account.id, brief.id, moment)
    assert (await post.services.inboxes.get(post.account.id, brief.id)).id == brief.id
    await post.services.inboxes.change(post.account.id, brief.id, expires_at=None)
    assert await post.services.inboxes.flush_expired(post.account.id, moment + timedelta(days=2)) == (
        [],
        moment + timedelta(days=2),
    )


async def test_only_the_own_inboxes_are_flushed_even_such_as_would_expire_later(post: Post) -> None:
    stranger = (await post.services.accounts.create_key(account="stranger")).account
    own = await post.inbox(expires_in=timedelta(hours=1))
    foreign = await post.inbox(account=stranger, expires_in=timedelta(hours=1))
    assert (await post.services.inboxes.flush_expired(post.account.id))[0] == []
    gone, _ = await post.services.inboxes.flush_expired(post.account.id, utc_now() + timedelta(hours=2))
    assert gone == [own.id]
    assert (await post.services.inboxes.get(stranger.id, foreign.id)).id == foreign.id


async def test_many_janitors_expire_each_inbox_once(post: Post) -> None:
    made = [await post.inbox(expires_in=MOMENT) for _ in range(12)]
    for inbox in made[:4]:
        await fill(post, inbox, 2)
    done = await asyncio.gather(*(post.services.inboxes.expire_due() for _ in range(4)))
    assert sum(done) == 12
    assert {one.inbox_id for one in (await post.services.inboxes.expired(post.account.id, Slice(size=50))).items} == {
        inbox.id for inbox in made
    }


async def test_a_connector_goes_with_its_inbox_only_when_that_was_asked_to_expire(post: Post) -> None:
    imap = ImapSettings(host="127.0.0.1", port=1, security=Security.PLAIN)
    wish = NewConnector(name="c", imap=imap, sync=SyncSettings(enabled=False))
    lasting = await post.services.connectors.create(post.account.id, wish)
    brief = await post.inbox(expires_in=MOMENT)
    going = await post.services.connectors.create(post.account.id, wish, brief.id)
    assert await post.services.inboxes.expire_due() == 1
    assert (await post.services.connectors.get(post.account.id, lasting.id)).id == lasting.id
    with pytest.raises(NotFound):
        await post.services.connectors.get(post.account.id, going.id)


async def test_deleting_single_emails_while_their_inbox_is_emptied_never_ends_in_a_deadlock(post: Post) -> None:
    """Everybody locks the inbox before its emails; the packs are given back once by whoever did it."""
    inbox = await post.inbox()
    account: AccountId = post.account.id
    for _ in range(6):
        await fill(post, inbox, 12)
        found = [email.id for email in await post.emails(inbox)]

        async def delete(some: list[EmailId]) -> None:
            for email in some:
                with contextlib.suppress(NotFound):
                    await post.services.mail.delete(account, email)

        async def mark(some: list[EmailId]) -> None:
            for email in some:
                with contextlib.suppress(NotFound):
                    await post.services.mail.mark_read(account, email)

        try:
            await asyncio.gather(
                delete(found),
                delete(found[::-1]),
                mark(found[::-1]),
                post.services.mail.mark_all_read(account),
                post.services.inboxes.empty(account, inbox.id),
                post.services.mail.delete_all(account),
            )
        except Unavailable as error:
            raise AssertionError("two of them waited for each other") from error
        assert (await count(post, emails), await count(post, packs)) == (0, 0)


async def test_a_janitor_goes_on_whatever_a_chore_meets() -> None:
    log: list[str] = []
    left = [3, 2]

    async def fine() -> int:
        log.append("fine")
        return left.pop() if left else 0

    async def busy() -> int:
        log.append("busy")
        raise Unavailable("the database does not answer")

    async def broken() -> int:
        log.append("broken")
        raise ValueError("a fault of ours")

    every = timedelta(milliseconds=20)
    janitor = Janitor([Chore("fine", every, fine), Chore("busy", every, busy), Chore("broken", every, broken)])
    assert await janitor.round(Chore("fine", every, fine)) == 5
    task = asyncio.create_task(janitor.run())
    while not all(log.count(one) > 2 for one in ("fine", "busy", "broken")):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_old_events_are_forgotten_some_at_a_time(tmp_path: Path) -> None:
    async with a_post(tmp_path / "data") as post:
        connector = await post.connector()
        for _ in range(3):
            await post.services.sync.run(post.account.id, connector.id)
        before = (await post.services.connectors.events(post.account.id, Slice())).total
        assert before == 3
        assert await post.services.connectors.forget(timedelta(days=1)) == 0
        assert await post.services.connectors.forget(timedelta()) == 3
        assert (await post.services.connectors.events(post.account.id, Slice())).total == 0
