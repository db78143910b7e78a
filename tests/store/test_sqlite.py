"""What SQLite is told late is told in order, and what goes wrong with it comes out."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from house import KEY, START, Tenant, add_tenant, opened_database
from posthouse.model.errors import Conflict, Unavailable
from posthouse.store.database import Database, Transaction
from posthouse.store.rows import UNANSWERED
from posthouse.store.sealing import Seal
from posthouse.store.sqlite import Connection
from posthouse.store.tables import accounts, workers


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    async with opened_database(sqlite_url) as database:
        yield database


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await add_tenant(database)


@pytest.fixture
def errands(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Everything that the thread is asked to do from now on, by others."""
    done: list[object] = []
    real = Connection._do

    async def do(self: Connection, work: object) -> object:
        if threading.get_ident() != self._ident:
            done.append(work)
        return await real(self, work)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "_do", do)
    return done


async def enlist(tx: Transaction, *moments: object) -> None:
    for _ in moments or (None,):
        await tx.connection.execute(sa.insert(workers).values(id=uuid4(), started_at=START, seen_at=START))


async def count(tx: Transaction) -> int:
    return await tx.connection.scalar(sa.select(sa.func.count()).select_from(workers)) or 0


async def test_a_transaction_that_only_inserts_is_one_errand(database: Database, errands: list[object]) -> None:
    async with database.transaction() as tx:
        await enlist(tx)
        await enlist(tx)
    assert len(errands) == 1
    async with database.reading() as tx:
        assert await count(tx) == 2


async def test_what_nobody_wants_the_answer_of_is_not_waited_for(database: Database, errands: list[object]) -> None:
    later = sa.update(workers).values(seen_at=sa.bindparam("moment")).execution_options(**{UNANSWERED: True})
    async with database.transaction() as tx:
        await enlist(tx)
        await tx.connection.execute(later, {"moment": START + timedelta(days=1)})
    assert len(errands) == 1
    async with database.reading() as tx:
        assert await tx.connection.scalar(sa.select(workers.c.seen_at)) == START + timedelta(days=1)


async def test_only_what_need_not_be_durable_is_not_written_through(database: Database) -> None:
    async def synchronous(*, durable: bool) -> int:
        async with database.transaction(durable=durable) as tx:
            await enlist(tx)
            return int(await tx.connection.scalar(sa.text("PRAGMA synchronous")) or 0)

    full, normal = 2, 1
    assert [await synchronous(durable=each) for each in (True, False, False, True, True)] == [
        *(full, normal, normal, full, full)
    ]
    with pytest.raises(RuntimeError):
        async with database.transaction(durable=False):
            raise RuntimeError
    assert await synchronous(durable=True) == full
    async with database.reading() as tx:
        assert await count(tx) == 6


async def test_what_is_done_at_once_is_one_errand(database: Database, errands: list[object]) -> None:
    async def work(tx: Transaction) -> int:
        before = await count(tx)
        await enlist(tx)
        return await count(tx) - before

    async with database.transaction() as tx:
        assert await tx.at_once(work(tx)) == 1
        assert len(errands) == 1
        assert await tx.at_once(work(tx)) == 1
    assert len(errands) == 3, "and the commit"
    async with database.reading() as tx:
        assert await count(tx) == 2


async def test_what_fails_at_once_leaves_nothing(database: Database, tenant: Tenant) -> None:
    async def work(tx: Transaction) -> None:
        await enlist(tx)
        await tx.connection.execute(sa.insert(accounts).values(id=tenant.account.id, name="again", created_at=START))
        await count(tx)

    for _ in range(2):
        with pytest.raises(Conflict):
            async with database.transaction() as tx:
                await tx.at_once(work(tx))
    async with database.transaction() as tx:
        assert await count(tx) == 0


async def test_what_is_done_at_once_waits_for_nothing_else(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await enlist(tx)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="besides the database"):
        async with database.transaction() as tx:
            await tx.at_once(work(tx))
    async with database.transaction() as tx:
        assert await count(tx) == 0


class Slow:
    """A statement that takes until it may `go_on`."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, _connection: sa.Connection) -> None:
        self.begun.set()
        assert self.go_on.wait(10)

    async def is_left_by(self, task: "asyncio.Task[object]") -> None:
        await asyncio.to_thread(self.begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_under_way_when_one_leaves_is_undone_before_anything_else(
    database: Database, at_once: bool
) -> None:
    slow = Slow()

    async def work(tx: Transaction) -> None:
        await enlist(tx)
        await tx.connection.run_sync(slow)
        await enlist(tx)

    async def whole() -> None:
        async with database.transaction() as tx:
            await (tx.at_once(work(tx)) if at_once else work(tx))

    async def others() -> int:
        async with database.transaction() as tx:
            return await count(tx)

    await slow.is_left_by(asyncio.create_task(whole()))
    next_one = asyncio.create_task(others())
    await asyncio.sleep(0.01)
    assert not next_one.done()
    slow.go_on.set()
    assert await next_one == 0


async def test_what_one_leaves_while_looking_is_over_for_the_next(database: Database) -> None:
    slow = Slow()

    async def look() -> int:
        async with database.reading() as tx:
            if not slow.begun.is_set():
                await tx.connection.run_sync(slow)
            return await count(tx)

    await slow.is_left_by(asyncio.create_task(look()))
    async with database.transaction() as tx:
        await enlist(tx)
    next_one = asyncio.create_task(look())  # by the same connection, which saw the file as it was before
    await asyncio.sleep(0.01)
    slow.go_on.set()
    assert await next_one == 1


async def test_a_transaction_sees_what_it_has_inserted(database: Database) -> None:
    async with database.transaction() as tx:
        for before in range(3):
            assert await count(tx) == before
            await enlist(tx)


async def test_a_statement_for_many_rows_keeps_its_place(database: Database) -> None:
    async with database.transaction() as tx:
        rows = [{"id": uuid4(), "started_at": START, "seen_at": START} for _ in range(3)]
        await tx.connection.execute(sa.insert(workers), rows)
        await tx.connection.execute(
            sa.delete(workers).where(workers.c.id == sa.bindparam("gone")),
            [{"gone": rows[0]["id"]}, {"gone": rows[1]["id"]}],
        )
        await enlist(tx)
        assert await count(tx) == 2


async def test_what_was_not_said_before_a_failure_is_never_said(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            await enlist(tx)
            raise RuntimeError
    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            assert await count(tx) == 0
            await enlist(tx)
            raise RuntimeError
    async with database.transaction() as tx:  # by the same connection
        assert await count(tx) == 0


@pytest.mark.parametrize("more", [False, True])
async def test_an_insert_that_fails_late_fails_the_transaction(database: Database, tenant: Tenant, more: bool) -> None:
    """With the next statement, or with the commit."""
    again = sa.insert(accounts).values(id=tenant.account.id, name="again", created_at=START)
    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await enlist(tx)
            await tx.connection.execute(again)
            if more:
                await count(tx)
    async with database.transaction() as tx:
        assert await count(tx) == 0
        await enlist(tx)
    async with database.reading() as tx:
        assert await count(tx) == 1


async def test_who_writes_does_not_queue_with_those_who_look(database: Database) -> None:
    async with database.transaction():
        pass  # the writer keeps his connection from now on
    async with AsyncExitStack() as looking:
        for _ in range(15):  # all others that there may be
            await looking.enter_async_context(database.reading())
        async with asyncio.timeout(5), database.transaction() as tx:
            await enlist(tx)
    async with database.reading() as tx:
        assert await count(tx) == 1


async def test_who_writes_goes_on_after_failures(database: Database) -> None:
    async with database.transaction() as tx:
        await enlist(tx)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            async with database.transaction() as tx:
                await enlist(tx)
                assert await count(tx) == 2
                raise RuntimeError
    async with database.transaction() as tx:
        assert await count(tx) == 1


async def test_a_file_that_another_process_writes_to_is_unavailable(database: Database) -> None:
    def be_impatient(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10")

    async def work(tx: Transaction) -> None:
        await enlist(tx)

    async with database.transaction() as tx:
        await tx.connection.run_sync(be_impatient)
    with contextlib.closing(sqlite3.connect(str(database.engine.url.database), isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        for at_once in (True, False):
            with pytest.raises(Unavailable, match="another process"):
                async with database.transaction() as tx:
                    await (tx.at_once(work(tx)) if at_once else work(tx))
    async with database.transaction() as tx:
        assert await count(tx) == 0


async def test_a_transaction_in_which_nothing_is_said_ends(database: Database) -> None:
    async def nothing() -> None:
        pass

    for _ in range(2):
        async with database.transaction():
            pass
        async with database.transaction() as tx:
            await tx.at_once(nothing())
        async with database.reading():
            pass


async def test_a_file_that_can_not_be_opened_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/x.db", Seal([KEY]))
    for _ in range(20):  # more than there are places
        with pytest.raises(Unavailable):
            async with database.reading():
                pass
        with pytest.raises(Unavailable):
            async with database.transaction():
                pass
    await database.close()
