"""The short way of mail that a server has told of: one transaction, and nothing lost or doubled on the way."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from posthouse.model.errors import Unreachable
from posthouse.model.events import EventStatus
from posthouse.model.standing import Standing
from posthouse.model.sync import SyncOutcome
from posthouse.services.desk import Session
from posthouse.services.fetching import Batches
from posthouse.services.intake import Intake
from posthouse.services.sync import LEASE, Asked, Sync

from .conftest import House
from .fakes import FakeMailbox, Fuse, Killed, a_message

ASKED = Asked(by_itself=True)


@dataclass
class Kept:
    """A session that is kept, by one process."""

    sync: Sync
    session: Session
    house: House

    async def told(self) -> SyncOutcome:
        return await self.sync.take_told(self.session, self.house.connector, ASKED)


@asynccontextmanager
async def kept(house: House, messages: int = 3) -> AsyncIterator[Kept]:
    """A session in which all that is there so far has been filed."""
    sync = Sync(
        house.database, Intake(house.blobs, house.clock), house.server.open, house.clock, Batches(messages=messages)
    )
    async with sync.session(house.connector) as session:
        await sync.run_in(session, house.connector, ASKED)
        yield Kept(sync, session, house)


async def standing(house: House) -> Standing:
    async with house.database.reading() as tx:
        return await tx.standings.get(house.connector.id)


async def arrived_once(house: House, count: int) -> None:
    assert await house.raw() == [a_message(n) for n in range(count)]
    assert [entry.position for entry in await house.journal()] == list(range(1, count + 1))


@pytest.fixture
def selects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are opened from now on."""
    opened: list[str] = []
    real = FakeMailbox.select

    async def select(self: FakeMailbox, folder: str, *known: object) -> object:
        opened.append(folder)
        return await real(self, folder, *known)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeMailbox, "select", select)
    return opened


async def test_what_a_server_tells_of_is_filed_without_opening_the_folder_anew(
    house: House, selects: list[str]
) -> None:
    house.server.add(a_message(0))
    async with kept(house) as session:
        before = house.clock()
        house.server.add(a_message(1), a_message(2))
        outcome = await session.told()
        assert (len(outcome.email_ids), outcome.failure) == (2, None)
        house.server.add(a_message(3))
        await session.told()
    await arrived_once(house, 4)
    assert selects == ["INBOX"]
    assert house.server.fetched == [1, 2, 3, 4]
    assert [event.size for event in await house.events()] == [1, 2, 1]
    stands = await standing(house)
    assert stands.last_uid == 4
    assert stands.fresh_as_of is not None
    assert stands.fresh_as_of > before
    assert (await house.sync()).email_ids == ()  # the next run knows it all


async def test_more_than_one_transaction_should_hold_is_synced_as_ever(house: House, selects: list[str]) -> None:
    async with kept(house, messages=3) as session:
        house.server.add(*(a_message(n) for n in range(10)))
        assert len((await session.told()).email_ids) == 10
    await arrived_once(house, 10)
    assert selects == ["INBOX", "INBOX"]


async def test_news_of_nothing_new_opens_the_folder(house: House, selects: list[str]) -> None:
    async with kept(house) as session:
        assert (await session.told()).failure is None
    assert selects == ["INBOX", "INBOX"]


async def test_another_process_has_filed_it_already(house: House) -> None:
    async with kept(house) as session:
        house.server.add(a_message(0), a_message(1))
        await house.sync()
        house.server.add(a_message(2))
        assert len((await session.told()).email_ids) == 1
    await arrived_once(house, 3)


async def test_another_process_is_at_it(house: House) -> None:
    async with kept(house) as session:
        async with house.database.transaction() as tx:
            assert await tx.claims.lease(house.connector.id, uuid4(), LEASE, house.clock())
        house.server.add(a_message(0))
        house.clock.turn(LEASE / 2)
        async with house.database.transaction() as tx:
            assert not await tx.claims.free([house.connector.id])
        house.clock.turn(LEASE / 2)
        assert len((await session.told()).email_ids) == 1  # whoever it was has died
    await arrived_once(house, 1)


async def test_a_session_that_breaks_meanwhile_is_of_no_further_use(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: FakeMailbox, _next_uid: int) -> None:
        raise Unreachable("the server broke the connection off")

    monkeypatch.setattr(FakeMailbox, "arrivals", broken)
    async with kept(house) as session:
        house.server.add(a_message(0))
        outcome = await session.told()
        assert outcome.failure == "the server broke the connection off"
        assert session.session.broken
    assert [event.status for event in await house.events()][-1] is EventStatus.CONNECTION_ERROR
    assert (await standing(house)).problem == "the server broke the connection off"
    assert await house.emails() == []
    await house.sync()
    await arrived_once(house, 1)


async def test_whatever_step_it_dies_at_everything_arrives_once(house: House) -> None:
    """Each round dies one step later than the one before, until one does not."""
    house.server.add(a_message(0))
    count, step = 1, 0
    while True:
        step += 1
        async with kept(house) as session:
            house.server.add(a_message(count))
            count += 1
            house.server.fuse = Fuse(at=step)
            try:
                await session.told()
            except Killed:
                house.server.fuse = Fuse()
                house.clock.turn(2 * LEASE)
                continue
            break
    assert step > 2
    await arrived_once(house, count)


async def test_nothing_is_filed_before_its_bytes_are_durable(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, real = threading.Event(), os.fsync

    def fsync(file: int) -> None:
        assert slow.wait(10)
        real(file)

    async with kept(house) as session:
        monkeypatch.setattr(os, "fsync", fsync)
        house.server.add(a_message(0))
        told = asyncio.create_task(session.told())
        await asyncio.sleep(0.1)
        assert not told.done()
        assert await house.emails() == []
        slow.set()
        await told
    await arrived_once(house, 1)


async def test_what_can_not_be_made_durable_is_not_filed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    async with kept(house) as session:
        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            house.server.add(a_message(0))
            assert (await session.told()).failure is not None
        assert await house.emails() == []
    await house.sync()
    await arrived_once(house, 1)


async def test_what_a_commit_has_filed_whose_answer_was_lost_keeps_its_bytes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kept(house) as one:
        house.server.add(a_message(0))
        committed = one.sync._pushes._committed

        async def again(group: list[tuple[object, "asyncio.Future[object]"]]) -> None:
            lost = [(push, asyncio.get_running_loop().create_future()) for push, _ in group]
            await committed(lost)  # type: ignore[arg-type]
            await committed(group)  # type: ignore[arg-type]

        monkeypatch.setattr(one.sync._pushes, "_committed", again)
        await one.told()
    await arrived_once(house, 1)
