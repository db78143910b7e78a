"""SQLite, by SQLAlchemy's ordinary engine: each connection has a thread, and all that concerns it is done there.

SQLite has no sockets to wait for, and a slow disk may hold up nobody else. An errand to the thread and back costs more
than a small statement does, so there are as few as can be. A statement is one, SQLAlchemy's part included, and brings
its rows along. What brings nothing back is not waited for: a BEGIN goes with the first statement, an INSERT or one
statement for many rows with the next errand, be it the COMMIT, which is where the error comes out when it fails; the
end of a transaction that is given up goes by itself. Work that waits for nothing but its statements is done whole.

SQLite has one writer. Ours queue in this process, and start with BEGIN IMMEDIATE: Python's default starts a
transaction at the first write, which loses updates silently.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from threading import get_ident
from typing import Any, Self, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from posthouse.model.errors import Unavailable
from posthouse.store.connection import Rows
from posthouse.store.rows import UNANSWERED

T = TypeVar("T")

_AT_ONCE, _KEPT = 16, 8  # who look
_PATIENCE = 30.0  # seconds that one waits for his turn to look


class Sqlite:
    """The database file of this URL. Whoever looks sees it as it was when he began."""

    def __init__(self, url: sa.URL, **options: Any) -> None:
        path = url.database or ":memory:"
        url = url.set(drivername="sqlite")
        self.engine = sa.create_engine(url, creator=partial(_opened, path), poolclass=NullPool, **options)
        self._idle: list[Connection] = []  # the one used last, whose page cache is the warmest, is used next
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._turn = asyncio.Lock()  # a fair queue, instead of SQLite's busy time-out
        self._writer: Connection | None = None
        self._closed = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Connection"]:
        async with asyncio.timeout(_PATIENCE):
            await self._places.acquire()
        try:
            connection = self._idle.pop() if self._idle else await Connection.to(self.engine)
            connection.begin()
            try:
                yield connection
            finally:
                connection.roll_back()
                if self._closed or len(self._idle) == _KEPT:
                    connection.close()
                else:
                    self._idle.append(connection)
        finally:
            self._places.release()

    @asynccontextmanager
    async def writing(self, *, durable: bool) -> AsyncIterator["Connection"]:
        """The writer keeps his connection: he would have to queue for one with all who look."""
        async with self._turn:
            connection, self._writer = self._writer or await Connection.to(self.engine), None
            try:
                connection.begin_writing(durable=durable)
                yield connection
                await connection.commit()
            except BaseException:
                connection.roll_back()
                raise
            finally:
                if self._closed:  # while something was still being finished
                    connection.close()
                else:
                    self._writer = connection

    async def close(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in (*idle, *filter(None, [self._writer])):
            await asyncio.wrap_future(connection.close())
        self._writer = None


class Connection:
    """Used by one task at a time. Its thread does what it is asked for in this order, so that nobody need wait for the
    end of what somebody else has left."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._ident = 0
        self._connection: sa.Connection
        self._raw: sqlite3.Connection
        self._durable = True  # as it is set up; only the thread looks at this
        self._unsaid: list[Callable[[], object]] = []
        """What SQLite has not been told yet: it goes with the next errand, in this order."""
        self._asked = False
        """Something was, in this transaction."""

    @classmethod
    async def to(cls, engine: sa.Engine) -> Self:
        """A connection that is open."""
        self = cls()

        def connect() -> None:
            self._ident = get_ident()
            self._connection = engine.connect()
            raw = self._connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            self._raw = raw

        try:
            await self._do(connect)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    @property
    def dialect(self) -> sa.Dialect:
        return self._connection.dialect

    async def execute(self, statement: sa.Executable, parameters: Any = None, /) -> Rows:
        """What brings nothing back is executed with what comes next; its result must be left alone."""
        self._asked = True
        work = partial(self._connection.execute, statement, parameters)
        if get_ident() != self._ident and _is_unanswered(statement, parameters):
            self._unsaid.append(work)
            return cast(Rows, None)
        return await self._do(work)

    async def scalar(self, statement: sa.Executable, parameters: Any = None, /) -> Any:
        return (await self.execute(statement, parameters)).scalar()

    async def scalars(self, statement: sa.Executable, parameters: Any = None, /) -> sa.ScalarResult[Any]:
        return (await self.execute(statement, parameters)).scalars()

    async def run_sync(self, do: Callable[[sa.Connection], T], /) -> T:
        self._asked = True
        return await self._do(partial(do, self._connection))

    async def at_once(self, work: Coroutine[object, object, T]) -> T:
        """Have this work done in one errand. It awaits nothing but what is asked of this connection."""
        self._asked = True

        def errand() -> T:
            try:
                work.send(None)
            except StopIteration as done:
                result: T = done.value
                return result
            work.close()
            raise RuntimeError("this waits for something besides the database")

        try:
            return await self._do(errand)
        except Exception:
            work.close()  # where even the transaction could not begin
            raise

    async def _do(self, work: Callable[[], T]) -> T:
        """Have this done in the thread, after what is unsaid; here and now where this is the thread."""
        unsaid, self._unsaid = self._unsaid, []

        def errand() -> T:
            for each in unsaid:
                each()
            return work()

        if get_ident() == self._ident:
            return errand()
        return await asyncio.get_running_loop().run_in_executor(self._thread, errand)

    # Transactions

    def begin(self) -> None:
        """Begin one that only looks."""
        self._begin(lambda: self._raw.execute("BEGIN"))

    def begin_writing(self, *, durable: bool) -> None:
        def begin() -> None:
            if durable is not self._durable:
                self._raw.execute(f"PRAGMA synchronous = {'full' if durable else 'normal'}")
                self._durable = durable
            try:
                self._raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise Unavailable(f"another process does not let us write ({error}); try again in a moment") from error

        self._begin(begin)

    def _begin(self, begin: Callable[[], object]) -> None:
        self._unsaid, self._asked = [begin], False

    async def commit(self) -> None:
        if self._asked:
            await self._do(self._committed)

    def roll_back(self) -> None:
        """Give up what has begun. Nobody waits for that."""
        self._unsaid = []
        if self._asked:
            self._thread.submit(self._rolled_back)

    # SQLAlchemy knows of a transaction from its first statement on; ours may have ended before it came to one.

    def _committed(self) -> None:
        self._connection.commit()
        self._raw.commit()

    def _rolled_back(self) -> None:
        self._connection.rollback()
        self._raw.rollback()

    def close(self) -> Future[None]:
        """Close it after all that was asked of it: done when that is."""
        closed = self._thread.submit(self._connection.close)
        self._thread.shutdown(wait=False)
        return closed


def _is_unanswered(statement: sa.Executable, parameters: Any) -> bool:
    if not isinstance(statement, sa.UpdateBase) or statement.returning_column_descriptions:
        return False
    unanswered: bool = statement.get_execution_options().get(UNANSWERED, False)
    return unanswered or isinstance(statement, sa.Insert) or isinstance(parameters, list)


class _Driver(sqlite3.Connection):
    def cursor(self, *_: Any) -> "_Cursor":  # type: ignore[override]
        return _Cursor(super().cursor())


class _Cursor:
    """A cursor that has all rows when it has executed, and leaves SQLite alone from then on: they are looked at outside
    of the thread."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._rows: deque[Any] = deque()

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        self._cursor.execute(statement, parameters)
        if self._cursor.description:
            self._rows = deque(self._cursor.fetchall())
        return self

    def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> Self:
        self._cursor.executemany(statement, parameters)
        return self

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int = 1) -> list[Any]:
        return [self._rows.popleft() for _ in range(min(size, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        rows, self._rows = list(self._rows), deque()
        return rows

    def close(self) -> None:
        """There is nothing to close."""


def _opened(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        isolation_level=None,  # we say BEGIN ourselves
        check_same_thread=False,
        factory=_Driver,
    )
    connection.execute("PRAGMA busy_timeout = 15000")
    _keep_a_log(connection)
    for pragma in (
        "synchronous = full",  # a commit that was answered survives a power cut
        "foreign_keys = on",
        "cache_size = -16000",
        "temp_store = memory",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, once for the file. Of two that do so at the same moment SQLite tells one at once
    that the file is locked, however long it would wait."""
    for pause in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        try:
            connection.execute("PRAGMA journal_mode = wal")
        except sqlite3.OperationalError:
            time.sleep(pause)
        else:
            return
    connection.execute("PRAGMA journal_mode = wal")
