"""Following a sync while it goes on, and ending it before its time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from posthouse.model.errors import Conflict, NotFound, Stage
from posthouse.model.events import EventStatus, Transcript
from posthouse.model.hearing import Ear, Heard, Progress, Reached, Said
from posthouse.model.sync import SyncOutcome
from posthouse.model.values import AccountId, new_id
from posthouse.services import sync as sync_module
from posthouse.services.conversations import Conversations
from posthouse.services.desk import Session
from posthouse.services.fetching import Batches
from posthouse.services.intake import Intake
from posthouse.services.running import Running
from posthouse.services.sync import Asked, Sync

from .conftest import House
from .fakes import FakeMailbox, a_message


@pytest.fixture(autouse=True)
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes a second at every look: no lease ends by that."""
    monkeypatch.setattr(sync_module, "LEASE", timedelta(minutes=5))


def a_process(house: House, messages: int = 3) -> Sync:
    intake = Intake(house.blobs, house.clock)
    return Sync(house.database, intake, house.server.open, house.clock, Batches(messages=messages))


async def run(house: House, sync: Sync, **options: object) -> SyncOutcome:
    return await sync.run(house.tenant.account.id, house.connector.id, **options)  # type: ignore[arg-type]


def at_message(number: int, do: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something when the server is about to give its message of this number."""
    real = FakeMailbox.fetch

    async def fetch(self: FakeMailbox, identities):  # type: ignore[no-untyped-def]
        async for message in real(self, identities):
            if message.uid == number and asyncio.iscoroutine(doing := do()):
                await doing
            yield message

    monkeypatch.setattr(FakeMailbox, "fetch", fetch)


# Hearing


async def test_an_ear_hears_what_is_said_and_how_far_a_sync_has_come(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(8)))
    heard: list[Heard] = []
    await run(house, a_process(house), ear=heard.append)
    assert heard[0] == Said("S: * OK ready")
    told = [one for one in heard if isinstance(one, Progress)]
    assert [(one.messages, one.fetched, one.filed) for one in (told[0], told[-1])] == [(8, 0, 0), (8, 8, 8)]
    assert told[-1].fetched_bytes == told[-1].bytes == sum(len(a_message(n)) for n in range(8))
    assert all(one.filed <= one.fetched <= one.messages for one in told)
    assert [one.filed for one in told] == sorted(one.filed for one in told)
    assert told[-1].bytes_per_second is not None
    assert told[-1].time_left is not None
    assert told[-1].time_left.total_seconds() == 0


async def test_what_is_left_is_estimated_as_long_as_not_all_sizes_are_known(house: House) -> None:
    now = house.clock()
    known = Progress(
        folder="INBOX",
        messages=300,
        sized=100,
        bytes=1000,
        fetched=50,
        fetched_bytes=500,
        began_at=now,
        at=house.clock(),
    )
    assert known.expected_bytes == 3000
    assert known.bytes_per_second == 500
    assert known.time_left is not None
    assert known.time_left.total_seconds() == 5


async def test_in_a_lent_session_its_opening_is_heard_first_and_nothing_after_the_run(house: House) -> None:
    sync, heard = a_process(house), list[Heard]()
    async with sync.session(house.connector) as session:
        assert isinstance(session, Session)
        await sync.run_in(session, house.connector, Asked(ear=heard.append))
        assert heard == [Said("S: * OK ready")]
        session.transcript.note("S: * BYE")
        assert len(heard) == 1


def test_a_stage_is_told_when_it_is_reached_and_once() -> None:
    transcript, heard = Transcript(), list[Heard]()
    with transcript.heard_by(heard.append):
        for stage in (Stage.NAME, Stage.CONNECTION, Stage.CONNECTION, Stage.SIGN_IN):
            transcript.reach(stage)
    transcript.reach(Stage.FOLDER)
    assert heard == [Reached(Stage.NAME), Reached(Stage.CONNECTION), Reached(Stage.SIGN_IN)]


# What is under way, and its end


async def test_what_is_under_way_can_be_asked_for_by_its_owner(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.server.add(*(a_message(n) for n in range(6)))
    sync, account = a_process(house), house.tenant.account.id
    elsewhere = Running(house.database, house.clock)

    async def ask() -> None:
        ours = await sync.running.under_way(account, house.connector.id)
        assert ours is not None
        assert ours.here
        assert ours.progress is not None
        assert (ours.progress.messages, ours.progress.fetched) == (6, 4)
        theirs = await elsewhere.under_way(account, house.connector.id)
        assert theirs is not None
        assert (theirs.here, theirs.progress, theirs.ending) == (False, None, False)
        with pytest.raises(NotFound):
            await sync.running.under_way(AccountId(new_id(house.clock())), house.connector.id)

    at_message(5, ask, monkeypatch)
    assert (await run(house, sync)).failure is None
    assert await sync.running.under_way(account, house.connector.id) is None
    assert await elsewhere.under_way(account, house.connector.id) is None


async def test_a_cancelled_sync_files_what_it_has_and_the_next_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.server.add(*(a_message(n) for n in range(20)))
    sync = a_process(house)
    with monkeypatch.context() as patch:
        at_message(8, lambda: sync.running.cancel(house.tenant.account.id, house.connector.id), patch)
        outcome = await run(house, sync)
    assert (outcome.cancelled, len(outcome.email_ids)) == (True, 8)
    assert outcome.failure == "cancelled: 8 of 20 messages are filed, the next sync goes on"
    [event] = await house.events()
    assert (event.status, event.size, event.message) == (EventStatus.SUCCESS, 8, outcome.failure)
    rest = await run(house, sync)
    assert (rest.cancelled, len(rest.email_ids)) == (False, 12)
    assert house.server.fetched == list(range(1, 21))
    assert await house.raw() == [a_message(n) for n in range(20)]


async def test_a_cancelled_sync_proves_nothing_and_is_no_problem(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.server.add(*(a_message(n) for n in range(5)))
    sync = a_process(house)
    at_message(2, lambda: sync.running.cancel(house.tenant.account.id, house.connector.id), monkeypatch)
    await run(house, sync)
    async with house.database.reading() as tx:
        standing = await tx.standings.get(house.connector.id)
    assert (standing.fresh_as_of, standing.problem, standing.failures) == (None, None, 0)


async def test_a_sync_of_another_process_can_be_cancelled(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.server.add(*(a_message(n) for n in range(20)))
    sync, elsewhere = a_process(house), Running(house.database, house.clock)
    account = house.tenant.account.id

    async def end() -> None:
        await elsewhere.cancel(account, house.connector.id)
        seen = await elsewhere.under_way(account, house.connector.id)
        assert seen is not None
        assert seen.ending

    with monkeypatch.context() as patch:
        at_message(8, end, patch)
        outcome = await run(house, sync)
    assert outcome.cancelled
    assert len(outcome.email_ids) < 20
    assert await elsewhere.under_way(account, house.connector.id) is None
    await run(house, sync)
    assert await house.raw() == [a_message(n) for n in range(20)]
    assert [entry.position for entry in await house.journal()] == list(range(1, 21))


async def test_cancelling_what_is_not_under_way_changes_nothing(house: House) -> None:
    house.server.add(a_message(0))
    sync = a_process(house)
    await sync.running.cancel(house.tenant.account.id, house.connector.id)
    assert len((await run(house, sync)).email_ids) == 1
    with pytest.raises(NotFound):
        await sync.running.cancel(AccountId(new_id(house.clock())), house.connector.id)


# Conversations


@pytest.fixture
async def conversations() -> AsyncIterator[Conversations]:
    kept = Conversations()
    yield kept
    await kept.close()


async def test_a_conversation_is_followed_from_its_beginning_by_whoever_comes(
    house: House, conversations: Conversations
) -> None:
    house.server.add(*(a_message(n) for n in range(4)))
    account = house.tenant.account.id
    begun = conversations.begin(account, lambda ear: run(house, a_process(house), ear=ear))
    for _ in range(2):  # the second comes when it is over
        found = conversations.get(account, begun.id)
        async for _ in found.changes():
            pass
        assert found.lines == ["S: * OK ready"]
        assert found.progress is not None
        assert found.progress.filed == 4
        assert found.result.failure is None
    with pytest.raises(NotFound):
        conversations.get(AccountId(new_id(house.clock())), begun.id)


async def test_what_goes_wrong_in_a_conversation_is_told_in_words(house: House, conversations: Conversations) -> None:
    async def explode(_ear: Ear) -> None:
        raise ZeroDivisionError("a secret detail")

    async def refuse(_ear: Ear) -> None:
        raise NotFound("there is no such thing")

    for work, words in (
        (explode, "an internal error; the server's log has the details"),
        (refuse, "there is no such thing"),
    ):
        begun = conversations.begin(house.tenant.account.id, work)
        async for _ in begun.changes():
            pass
        assert begun.failure == words


async def test_so_many_conversations_go_on_at_once_and_all_end_with_the_house(house: House) -> None:
    conversations, account = Conversations(), house.tenant.account.id

    async def wait(_ear: Ear) -> None:
        await asyncio.Event().wait()

    begun = [conversations.begin(account, wait) for _ in range(20)]
    with pytest.raises(Conflict):
        conversations.begin(account, wait)
    await asyncio.sleep(0)
    await conversations.close()
    assert all(one.over for one in begun)
