"""Several engine processes share the connectors: none is without one for long, none has two."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from posthouse.engine import worker as worker_module
from posthouse.model.errors import Unavailable
from posthouse.model.values import ConnectorId, utc_now
from posthouse.services import watching as watching_module
from posthouse.services.watching import Watching
from posthouse.store.tables import standings, workers
from services.fakes import a_message

from .conftest import House, Process, until


@asynccontextmanager
async def working(*processes: Process) -> AsyncIterator[Sequence["asyncio.Task[None]"]]:
    """Workers of these processes run until the block ends, or their task is cancelled."""
    tasks = [asyncio.create_task(process.worker().run()) for process in processes]
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def owners(house: House) -> dict[ConnectorId, UUID | None]:
    async with house.database.reading() as tx:
        rows = await tx.connection.execute(sa.select(standings.c.connector_id, standings.c.owner_id))
        return {ConnectorId(row.connector_id): row.owner_id for row in rows}


async def shares(house: House) -> list[int]:
    """How many connectors each owner has, most first; what nobody has is not counted."""
    count: dict[UUID, int] = {}
    for owner in (await owners(house)).values():
        if owner is not None:
            count[owner] = count.get(owner, 0) + 1
    return sorted(count.values(), reverse=True)


async def enlisted(house: House) -> list[UUID]:
    async with house.database.reading() as tx:
        return list(await tx.connection.scalars(sa.select(workers.c.id).order_by(workers.c.started_at)))


async def test_each_takes_a_fair_share_and_gives_up_what_is_more(either: House) -> None:
    for _ in range(7):
        await either.add()
    await either.add(scheduled=False)

    async def shared(*expected: int) -> bool:
        return await shares(either) == list(expected)

    async with working(either.process()):
        await until(lambda: shared(7), "one with all that have a schedule")
        async with working(either.process(), either.process()):
            await until(lambda: _shared_by_three(either), "three with a share each")
            await until(lambda: either.server.present == 7, "one session for each")
        await until(lambda: shared(7), "the one that stays has all again")
        await until(lambda: either.server.present == 7, "one session for each")


async def _shared_by_three(house: House) -> bool:
    found = await shares(house)
    return sum(found) == 7 and len(found) == 3 and max(found) <= 3


async def test_a_new_connector_is_looked_after_at_once(either: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "BEAT", 30.0)  # so that only the signal can be the reason
    monkeypatch.setattr(watching_module, "SILENCE", timedelta(minutes=1))
    await either.add()
    async with working(either.process()):
        await until(lambda: either.server.present == 1, "the first")
        await either.add()
        await until(lambda: either.server.present == 2, "the second, by a signal", within=2.0)


async def test_a_dead_workers_connectors_are_taken_over_soon(either: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_SHARE_OUT", 10_000)  # the burial is what makes them look
    for _ in range(4):
        await either.add()
    dead = either.process().watching
    name = await dead.enlist()
    assert len(await dead.share_out(name, 100)) == 4
    async with working(either.process()):
        await until(lambda: either.server.present == 4, "all four")
        assert name not in await enlisted(either)
        assert await shares(either) == [4]


async def test_who_was_away_itself_buries_nobody(either: House) -> None:
    """After the database was away everybody looks dead; the first to come back must not believe it."""
    away = timedelta()
    first, second = (Watching(either.database, lambda: utc_now() + away) for _ in range(2))
    one, two = await first.enlist(), await second.enlist()
    assert await first.beat(one)
    assert await second.beat(two)
    away += timedelta(hours=1)
    await silence(either, one, two)
    assert await first.beat(one)
    assert await second.beat(two)
    assert await first.beat(one)
    assert set(await enlisted(either)) == {one, two}
    await silence(either, two)
    assert await first.beat(one)  # it was there all the time, the other was not
    assert await enlisted(either) == [one]
    assert not await second.beat(two)


async def silence(house: House, *names: UUID) -> None:
    """Nothing has been heard of these workers for an hour."""
    async with house.database.transaction() as tx:
        for name in names:
            seen = await tx.connection.scalar(sa.select(workers.c.seen_at).where(workers.c.id == name))
            assert seen is not None
            earlier = sa.update(workers).where(workers.c.id == name).values(seen_at=seen - timedelta(hours=1))
            await tx.connection.execute(earlier)


async def test_a_worker_that_was_only_paused_drops_everything_and_begins_anew(either: House) -> None:
    for _ in range(3):
        await either.add()
    async with working(either.process()):
        await until(lambda: either.server.present == 3, "all three")
        [before] = await enlisted(either)
        async with either.database.transaction() as tx:
            await tx.claims.retire(before)  # as another does who thinks it dead
        await until(lambda: either.server.opened >= 6 and either.server.present == 3, "three new sessions")
        [after] = await enlisted(either)
        assert after != before
        assert set((await owners(either)).values()) == {after}


async def test_a_worker_that_stops_says_goodbye_and_sets_its_connectors_free(either: House) -> None:
    for _ in range(3):
        await either.add()
    async with working(either.process()):
        await until(lambda: either.server.log.count("idle") >= 3, "all three")
    assert (either.server.present, either.server.log.count("logout"), "cut" in either.server.log) == (0, 3, False)
    assert await enlisted(either) == []
    assert set((await owners(either)).values()) == {None}


async def test_a_slow_goodbye_does_not_silence_a_worker(either: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives connectors up must go on saying that it lives."""
    monkeypatch.setattr(worker_module, "_GOODBYES", 1.0)
    connector = await either.add()
    async with working(either.process()):
        await until(lambda: "idle" in either.server.log, "IDLE")
        [worker] = await enlisted(either)
        either.server.hold = asyncio.Event()  # a server that does not answer any more
        either.server.deliver(a_message(1))
        await until(lambda: either.server.last == "arrivals", "the sync that hangs")
        await either.connectors.delete_schedule(either.tenant.account.id, connector.id)
        watching = either.process().watching
        other = await watching.enlist()
        for _ in range(16):
            await asyncio.sleep(0.05)
            assert await watching.beat(other)
        assert worker in await enlisted(either)
        await until(lambda: either.server.present == 0, "the end of the session")


async def test_a_database_that_is_away_does_not_end_a_worker(either: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await either.add()
    away = False
    real = Watching.beat

    async def beat(self: Watching, worker: UUID) -> bool:
        if away:
            raise Unavailable("the database does not answer")
        return await real(self, worker)

    monkeypatch.setattr(Watching, "beat", beat)
    async with working(either.process()) as [task]:
        await until(lambda: either.server.present == 1, "a session")
        away = True
        await asyncio.sleep(0.2)
        assert (task.done(), either.server.present) == (False, 1)
        away = False
        await either.add()
        await until(lambda: either.server.present == 2, "the next one too")
