"""Transactions keep what they promise on both databases."""

import asyncio
from datetime import datetime

import pytest
import sqlalchemy as sa

from house import START, Tenant, an_inbox
from posthouse.model.errors import Conflict, Unavailable
from posthouse.model.events import Happening
from posthouse.model.values import EmailId, Secret, new_id
from posthouse.store.database import Database
from posthouse.store.sealing import Seal
from posthouse.store.tables import inboxes


async def test_no_update_is_lost_between_reading_and_writing(database: Database, tenant: Tenant) -> None:
    async def add_one() -> None:
        async with database.transaction() as tx:
            assert await tx.inboxes.hold(tenant.inbox.id)
            position = await tx.journal.position(tenant.inbox.id)
            await tx.connection.execute(sa.update(inboxes).values(position=position + 1))

    await asyncio.gather(*(add_one() for _ in range(60)))
    async with database.reading() as tx:
        assert await tx.journal.position(tenant.inbox.id) == 60


async def test_a_failed_transaction_leaves_nothing_and_calls_nobody(database: Database, tenant: Tenant) -> None:
    called = []

    async def follow_up() -> None:
        called.append(True)

    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            await tx.inboxes.add(an_inbox(tenant.account, "second@posthouse.example"))
            tx.after_commit(follow_up)
            raise RuntimeError
    async with database.reading() as tx:
        assert await tx.inboxes.count(tenant.account.id) == 1
    assert not called


async def test_what_must_be_unique_is_a_conflict(database: Database, tenant: Tenant) -> None:
    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await tx.inboxes.add(an_inbox(tenant.account, tenant.inbox.email_address))


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing", Seal([Secret("k" * 32)]))
    with pytest.raises(Unavailable):
        async with database.reading():
            pass


async def test_the_journal_has_no_gaps_and_its_order_is_that_of_commits(database: Database, tenant: Tenant) -> None:
    """Writers append and roll back at random while a reader follows: it must never see a later line before an
    earlier one."""
    inbox, seen = tenant.inbox.id, list[int]()
    done = asyncio.Event()

    async def write(worker: int) -> None:
        for step in range(12):
            emails = [EmailId(new_id(START)) for _ in range(1 + (worker + step) % 3)]
            try:
                async with database.transaction() as tx:
                    await tx.journal.append(inbox, Happening.EMAIL_RECEIVED, emails, START)
                    await asyncio.sleep(0.001 * ((worker * 7 + step) % 4))
                    if (worker + step) % 4 == 0:
                        raise RuntimeError("rolled back")
            except RuntimeError:
                pass

    async def follow() -> None:
        while True:
            ending = done.is_set()
            async with database.reading() as tx:
                entries = await tx.journal.after(inbox, seen[-1] if seen else 0, most=5)
            seen.extend(entry.position for entry in entries)
            if ending and not entries:
                return
            await asyncio.sleep(0)

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(write(worker) for worker in range(8)))
    done.set()
    await follower
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) > 50


async def test_moments_come_back_as_they_went_in(database: Database, tenant: Tenant) -> None:
    moment = datetime.fromisoformat("2026-07-01T10:00:00.123456+05:30")
    async with database.transaction() as tx:
        await tx.inboxes.change(tenant.inbox.id, moment, {"expires_at": moment})
        inbox = await tx.inboxes.get(tenant.account.id, tenant.inbox.id)
    assert inbox is not None
    assert inbox.expires_at == moment
    assert inbox.expires_at.utcoffset() == START.utcoffset()
