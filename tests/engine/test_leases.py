"""One sync of a connector at a time, whichever process it is in; and what is written down about it."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from house import opened_database
from posthouse.model.errors import Unavailable
from posthouse.model.events import EventStatus
from posthouse.model.standing import Moment, MomentKind
from posthouse.model.values import ConnectorId, utc_now
from posthouse.services import sync as sync_module
from posthouse.store.claims import Claims, LeaseLost
from posthouse.store.standings import TIMELINE
from posthouse.store.tables import standings, workers
from services.fakes import a_message

from .conftest import House, until


async def test_two_processes_never_file_at_the_same_time(either: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_module, "LEASE", timedelta(minutes=5))  # a machine that stands still ends none
    connector = await either.add()
    account = either.tenant.account.id
    either.server.add(*map(a_message, range(40)))
    processes = [either.process() for _ in range(6)]
    outcomes = await asyncio.gather(*(process.sync.run(account, connector.id) for process in processes))
    assert sorted(len(outcome.email_ids) for outcome in outcomes) == [0, 0, 0, 0, 0, 40]
    assert [outcome.failure for outcome in outcomes] == [None] * 6
    assert len(either.server.fetched) == 40  # each was asked for once
    assert await either.announced() == 40


async def test_who_was_paused_beyond_its_lease_files_nothing(either: House) -> None:
    """Another process has synced meanwhile, and has even given its lease back."""
    connector = await either.add()
    account = either.tenant.account.id
    either.server.add(a_message(1), a_message(2))
    either.server.hold = asyncio.Event()
    paused, other = either.process().sync, either.process().sync
    run = asyncio.create_task(paused.run(account, connector.id))
    await until(lambda: either.server.last == "select INBOX", "the first run")
    async with either.database.transaction() as tx:  # its lease is over, for it could not prolong it
        [holder] = await _holders(either)
        await tx.claims.give_back(connector.id, holder)
    release, either.server.hold = either.server.hold, None
    assert len((await other.run(account, connector.id)).email_ids) == 2
    release.set()
    outcome = await run
    assert (outcome.email_ids, outcome.failure) == ((), "another process has taken this sync over")
    assert await either.announced() == 2
    statuses = [event.status for event in await either.events()]
    assert statuses == [EventStatus.SUCCESS, EventStatus.INTERNAL_ERROR]
    assert (await either.standing()).failures == 0  # it is not the server's fault


async def _holders(house: House) -> list[UUID]:
    async with house.database.reading() as tx:
        return [holder for holder in await tx.connection.scalars(sa.select(standings.c.lease_holder)) if holder]


async def test_a_lease_is_taken_once_prolonged_and_lost_for_ever(either: House) -> None:
    connector = (await either.add()).id
    one, two, length = uuid4(), uuid4(), timedelta(seconds=60)
    now = utc_now()

    async with either.database.transaction() as tx:
        assert await tx.claims.lease(connector, one, length, now)
        assert not await tx.claims.lease(connector, two, length, now)
        assert await tx.claims.prolong({connector: one}, length, now) == {connector}
        await tx.claims.hold(connector, one)
        await tx.claims.give_back(connector, two)  # not its own: nothing happens
        await tx.claims.hold(connector, one)
        await tx.claims.give_back(connector, one)
        assert not await tx.claims.prolong({connector: one}, length, now)  # nobody has it, and it is not taken anew
        with pytest.raises(LeaseLost):
            await tx.claims.hold(connector, one)


async def test_a_lease_ends_by_itself(either: House) -> None:
    connector = await either.add()
    async with either.database.transaction() as tx:
        assert await tx.claims.lease(connector.id, uuid4(), timedelta(seconds=0.3), utc_now())
    began = asyncio.get_running_loop().time()
    outcome = await either.ours.sync.run(either.tenant.account.id, connector.id)
    assert outcome.failure is None
    assert asyncio.get_running_loop().time() - began > 0.2


async def test_a_long_run_keeps_its_lease(either: House) -> None:
    connector = await either.add()
    account = either.tenant.account.id
    either.server.add(a_message(1))
    either.server.hold = asyncio.Event()
    long = asyncio.create_task(either.process().sync.run(account, connector.id))
    await until(lambda: either.server.last == "select INBOX", "the long run")
    other = asyncio.create_task(either.process().sync.run(account, connector.id))
    await asyncio.sleep(2.5 * sync_module.LEASE.total_seconds())
    assert either.server.log.count("connect") == 1  # the other one still waits
    either.server.hold.set()
    assert len((await long).email_ids) == 1
    assert (await other).email_ids == ()


async def test_the_lease_is_prolonged_again_after_the_database_was_away(
    either: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = await either.add()
    either.server.add(a_message(1))
    either.server.hold = asyncio.Event()
    tries: list[bool] = []
    real = Claims.prolong

    async def prolong(self: Claims, *words: object) -> set[ConnectorId]:
        tries.append(True)
        if len(tries) == 1:
            raise Unavailable("the database does not answer")
        return await real(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Claims, "prolong", prolong)
    run = asyncio.create_task(either.ours.sync.run(either.tenant.account.id, connector.id))
    await until(lambda: len(tries) >= 3, "more tries")
    either.server.hold.set()
    outcome = await run
    assert (len(outcome.email_ids), outcome.failure) == (1, None)


async def test_proofs_never_go_back_in_time(either: House) -> None:
    connector = (await either.add()).id
    watching, now = either.ours.watching, utc_now()
    for seconds, expected in ((0, 0), (30, 30), (10, 30), (31, 31)):
        watching.fresh(connector, now + timedelta(seconds=seconds))
        await watching.flush()
        assert (await either.standing()).fresh_as_of == now + timedelta(seconds=expected)


async def test_a_proof_for_a_connector_that_is_gone_is_forgotten(either: House) -> None:
    one, two = await either.add(), await either.add()
    await either.connectors.delete(either.tenant.account.id, two.id)
    now = utc_now()
    for connector in (one, two):
        either.ours.watching.fresh(connector.id, now)
    await either.ours.watching.flush()
    assert (await either.standing(one.id)).fresh_as_of == now


async def test_burials_and_proofs_do_not_wait_for_each_other_in_a_circle(either: House) -> None:
    """Both change many rows at once."""
    connectors = sorted([(await either.add()).id for _ in range(5)])
    watching = either.process().watching
    living, dead = await watching.enlist(), await watching.enlist()
    await watching.beat(living)
    async with either.database.transaction() as tx:
        for connector in reversed(connectors):  # so that the rows lie in the other order
            own = sa.update(standings).where(standings.c.connector_id == connector).values(owner_id=dead)
            await tx.connection.execute(own)
        long_ago = utc_now() - timedelta(hours=1)
        await tx.connection.execute(sa.update(workers).where(workers.c.id == dead).values(seen_at=long_ago))
    async with either.database.transaction() as tx:
        await tx.standings.prove({connectors[0]: utc_now()})
        burying = asyncio.create_task(watching.beat(living))
        await asyncio.sleep(0.2)
        await tx.standings.prove({connectors[-1]: utc_now()})
    assert await burying
    async with either.database.reading() as tx:
        assert await tx.claims.headcount() == 1


async def test_a_timeline_keeps_the_latest_moments_of_each_connector(either: House) -> None:
    one, two = await either.add(), await either.add()
    await either.ours.watching.note(two.id, MomentKind.CONNECTED, "the other's")
    async with either.database.transaction() as tx:
        for number in range(TIMELINE + 20):
            moment = Moment(at=utc_now(), kind=MomentKind.CONNECTED, text=str(number))
            await tx.standings.add_moment(one.id, moment)
    assert [moment.text for moment in await either.timeline()] == [str(n) for n in range(20, TIMELINE + 20)]
    async with either.database.reading() as tx:
        assert [moment.text for moment in await tx.standings.timeline(two.id)] == ["the other's"]


@pytest.mark.parametrize("when", ["between statements", "during a statement", "before the commit", "reading"])
async def test_a_broken_connection_to_the_database_is_said_to_be_that(postgres_url: str, when: str) -> None:
    """Whoever retries must be able to tell it from a fault of ours."""
    ours, end = sa.text("SELECT pg_backend_pid()"), sa.text("SELECT pg_terminate_backend(:pid)")
    async with opened_database(postgres_url) as database:

        async def kill(pid: object) -> None:
            async with database.reading() as tx:
                await tx.connection.execute(end, {"pid": pid})
            await asyncio.sleep(0.1)

        with pytest.raises(Unavailable):
            async with database.reading() if when == "reading" else database.transaction() as tx:
                pid = await tx.connection.scalar(ours)
                if when == "during a statement":
                    killing = asyncio.create_task(kill(pid))
                    await tx.connection.execute(sa.text("SELECT pg_sleep(5)"))
                    await killing
                await kill(pid)
                if when != "before the commit":
                    await tx.connection.scalar(ours)
        async with database.transaction() as tx:  # the next one is as good as ever
            assert await tx.connection.scalar(sa.text("SELECT 1")) == 1


async def test_a_sync_of_one_process_is_cancelled_from_another(either: House) -> None:
    connector = await either.add(scheduled=False)
    account, theirs = either.tenant.account.id, either.process()
    either.server.add(*(a_message(number) for number in range(3)))
    either.server.hold = asyncio.Event()
    run = asyncio.create_task(either.ours.sync.run(account, connector.id))
    await until(lambda: either.server.last == "select INBOX", "the sync")
    seen = await theirs.sync.running.under_way(account, connector.id)
    assert seen is not None
    assert (seen.here, seen.progress, seen.ending) == (False, None, False)
    await theirs.sync.running.cancel(account, connector.id)
    either.server.hold.set()
    outcome = await run
    assert (outcome.cancelled, outcome.email_ids) == (True, ())
    assert await theirs.sync.running.under_way(account, connector.id) is None
    assert len((await theirs.sync.run(account, connector.id)).email_ids) == 3
    assert await either.announced() == 3
