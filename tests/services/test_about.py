"""What people look up about their server: keys, uploads, what is on its way, and how much there is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from posthouse.model.accounts import ApiKey
from posthouse.model.errors import Conflict, Invalid, NotFound, Unauthorized
from posthouse.model.figures import Holdings
from posthouse.model.mail import Outgoing, SendState, SentQuery
from posthouse.model.values import InboxId, new_id
from posthouse.services.attachments import NewUpload
from posthouse.services.sending import Wish
from posthouse.store.accounts import Accounts

from .posting import Post, a_post

BOB = "bob@elsewhere.example"


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path / "data", database_url=database_url) as post:
        yield post


async def test_a_key_is_made_used_and_revoked_by_its_account_alone(post: Post) -> None:
    accounts = post.services.accounts
    made = await accounts.another_key(post.account.id, "for the tests")
    assert (await accounts.authenticate(made.secret.reveal())).id == post.account.id
    other = (await accounts.create_key(account="other")).account
    assert made.key.id not in [key.id for key in await accounts.keys_of(other.id)]
    assert [key.name for key in await accounts.keys_of(post.account.id)] == ["unnamed", "for the tests"]
    with pytest.raises(NotFound):
        await accounts.revoke(made.key.id, other.id)
    await accounts.revoke(made.key.id, post.account.id)
    with pytest.raises(Unauthorized):
        await accounts.authenticate(made.secret.reveal())


async def test_requests_of_one_moment_note_once_that_their_key_was_used(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = post.services.accounts
    made = await accounts.another_key(post.account.id, "for the tests")
    marked, mark = [], Accounts.mark_used

    async def mark_used(self: Accounts, key: ApiKey, now: datetime) -> None:
        marked.append(key.id)
        await mark(self, key, now)

    monkeypatch.setattr(Accounts, "mark_used", mark_used)
    await asyncio.gather(*(accounts.authenticate(made.secret.reveal()) for _ in range(20)))
    await accounts.authenticate(made.secret.reveal())
    assert marked == [made.key.id]
    [key] = [key for key in await accounts.keys_of(post.account.id) if key.id == made.key.id]
    assert key.last_used_at is not None


@pytest.mark.parametrize("name", ["x" * 101, "two\nlines"])
async def test_a_keys_name_is_one_short_line(name: str, post: Post) -> None:
    with pytest.raises(Invalid):
        await post.services.accounts.another_key(post.account.id, name)


async def test_the_same_upload_under_one_key_is_kept_once(post: Post) -> None:
    upload = post.services.attachments.upload
    new = NewUpload(content=b"abc", name="a.txt", content_type="text/plain", key="k")
    first, second = await asyncio.gather(upload(post.account.id, new), upload(post.account.id, new))
    assert first.id == second.id
    others = [
        await upload(post.account.id, NewUpload(content=b"abd", name="a.txt", key="k")),
        await upload(post.account.id, NewUpload(content=b"abc", name="b.txt", key="k")),
        await upload(post.account.id, NewUpload(content=b"abc", name="a.txt", key="l")),
        await upload(post.account.id, NewUpload(content=b"abc", name="a.txt")),
    ]
    assert len({first.id, *(one.id for one in others)}) == 5
    _, content = await post.services.attachments.content(post.account.id, first.id)
    assert content == b"abc"


async def test_everything_that_was_to_be_sent_is_listed_by_how_far_it_has_come(post: Post) -> None:
    ann = await post.connector("ann")
    queued = await post.queue(ann.inbox_id, BOB, subject="waits")
    done = await post.send(ann.inbox_id, BOB, subject="went")
    everything = await post.services.sent.page(post.account.id, SentQuery(states=()))
    assert [one.id for one in everything.items] == [queued.id, done.id]
    waiting = await post.services.sent.page(post.account.id, SentQuery(states=(SendState.QUEUED,)))
    assert [one.id for one in waiting.items] == [queued.id]
    assert [one.id for one in (await post.services.sent.page(post.account.id, SentQuery())).items] == [done.id]
    assert (await post.services.about.backlogs(post.account.id)).sending == 1, "a copy to be filed does not count"


async def test_who_looks_at_a_scheduled_email_hears_that_it_was_cancelled(post: Post) -> None:
    ann = await post.connector("ann")
    outgoing, at = Outgoing(to=(BOB,), body="B"), post.clock() + timedelta(hours=1)
    sent = await post.services.sending.queue(post.account.id, ann.inbox_id, outgoing, Wish(key="k", at=at))
    assert (await post.services.sending.sent_with(post.account.id, "k")) == await post.now(sent)
    assert await post.services.sending.sent_with(post.account.id, "l") is None
    job = await post.services.jobs.of_sent(post.account.id, sent.id)
    assert job is not None
    with post.app.database.signals.listen(f"sent:{sent.id}") as news:
        await post.services.jobs.cancel(post.account.id, job.id)
        assert await news.next(5)
    with pytest.raises(Conflict):
        await post.services.sending.queue(post.account.id, ann.inbox_id, Outgoing(to=(BOB,)), Wish(key="k"))


async def test_it_is_known_how_much_there_is_and_on_what_it_runs(post: Post) -> None:
    ann = await post.connector("ann")
    await post.inbox("bob")
    post.provider.deliver("ann@provider.example", b"Subject: one\r\n\r\nHello\r\n")
    await post.services.sync.run(post.account.id, ann.id)
    assert await post.services.about.holdings(post.account.id) == Holdings(
        connectors=1, inboxes=2, emails=1, sent=0, events=1, webhooks=0
    )
    other = (await post.services.accounts.create_key(account="other")).account
    nothing = Holdings(connectors=0, inboxes=0, emails=0, sent=0, events=0, webhooks=0)
    assert await post.services.about.holdings(other.id) == nothing
    await post.services.watching.enlist()
    house = await post.services.about.house()
    assert house.database.startswith(("SQLite 3.", "PostgreSQL 1"))
    assert house.schema.isdecimal()
    assert house.database_size > 100_000
    assert house.free
    assert house.workers == 1
    post.clock.ahead += timedelta(minutes=1)
    if post.app.database.is_sqlite:  # whose moments are ours; PostgreSQL has its own clock
        assert (await post.services.about.house()).workers == 0


async def test_bounces_are_told_of_what_is_there(post: Post) -> None:
    with pytest.raises(NotFound):
        await post.services.reports.bounces(post.account.id, InboxId(new_id(post.clock())))  # type: ignore[arg-type]
