"""SQLite's connection as SQLAlchemy drives it: aiosqlite's, with one errand to its thread for a whole statement.

SQLite works in a thread of the connection's own, so that a slow disk holds up nobody else. Each errand there and back
costs more than a small statement does, and aiosqlite makes five of one: a cursor, the statement, its rows, the
cursor's end, and the roll-back of a transaction that has ended already. Here a statement is one, which brings its
rows along. What brings nothing back is not waited for: a BEGIN goes with the first statement, and an INSERT, or one
statement for many rows, with the next errand, be it the COMMIT. When it fails, that is where the error comes out.
Work that waits for nothing but its statements is done whole in the thread, SQLAlchemy's part and ours too.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from threading import get_ident
from typing import Any, Self, TypeVar

import aiosqlite

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], object]


async def connect(path: str, **options: Any) -> aiosqlite.Connection:
    """An open connection; `options` are those of `sqlite3.connect`."""
    connection = Connection(partial(sqlite3.connect, path, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # a forgotten connection must not keep the process
    return await connection


class Connection(aiosqlite.Connection):
    """Used by one task at a time, as SQLAlchemy's pool sees to."""

    _unsaid: tuple[Work, ...] = ()
    """What SQLite has not been told yet: it goes with the next errand, in this order."""
    _in_doubt = False
    """Whoever waited for the last errand has gone: it may still be under way."""
    _durable = True
    """Whether commits are, as this connection is set up. Only its thread looks at this."""

    def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self)

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have this done in the thread, in the transaction that has begun; here and now where this is the thread."""
        unsaid, self._unsaid = self._unsaid, ()

        def errand() -> T:
            for each in unsaid:
                each(self._conn)
            return work(self._conn)

        if self._thread.ident == get_ident():
            return errand()
        self._in_doubt = True
        try:
            result: T = await self._execute(errand)  # type: ignore[no-untyped-call]
        except Exception:  # not where the waiting was cancelled
            self._in_doubt = False
            raise
        self._in_doubt = False
        return result

    async def whole(self, work: Coroutine[object, object, T]) -> T:
        """Have this done in one errand. It awaits nothing but what is asked of this connection."""

        def errand(_: sqlite3.Connection) -> T:
            try:
                work.send(None)
            except StopIteration as done:
                result: T = done.value
                return result
            work.close()
            raise RuntimeError("this waits for something besides the database")

        doing = asyncio.ensure_future(self.do(errand))
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            await asyncio.wait({doing})  # nobody else may touch the connection meanwhile
            raise

    def begin(self) -> None:
        """Begin a transaction that only looks, with the next errand."""
        self.later(lambda connection: connection.execute("BEGIN"))

    def begin_writing(self, *, durable: bool) -> None:
        """Begin a transaction that writes, with the next errand. One that is not `durable` may be forgotten in a power
        cut, when nothing that was came after it."""

        def begin(connection: sqlite3.Connection) -> None:
            if durable is not self._durable:
                connection.execute(f"PRAGMA synchronous = {'full' if durable else 'normal'}")
                self._durable = durable
            connection.execute("BEGIN IMMEDIATE")

        self.later(begin)

    def later(self, work: Work) -> None:
        """Have this done with the next errand: nobody waits for what it brings."""
        self._unsaid = (*self._unsaid, work)

    async def commit(self) -> None:
        if self._unsaid or self._in_doubt or self._conn.in_transaction:
            await self.do(sqlite3.Connection.commit)

    async def rollback(self) -> None:
        self._unsaid = ()
        if self._in_doubt or self._conn.in_transaction:
            await self.do(sqlite3.Connection.rollback)


class Cursor:
    """What SQLAlchemy uses of a cursor. The rows are there when a statement has been executed."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.lastrowid: int | None = None
        self.rowcount = -1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        def work(connection: sqlite3.Connection) -> sqlite3.Cursor:
            return connection.execute(statement, parameters)

        if statement.startswith("INSERT") and "RETURNING" not in statement:
            self._connection.later(work)
            return self
        return await self._run(work)

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> Self:
        self._connection.later(lambda connection: connection.executemany(statement, parameters))
        return self

    async def _run(self, execute: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> Self:
        def work(connection: sqlite3.Connection) -> sqlite3.Cursor:
            cursor = execute(connection)
            try:
                self._rows = cursor.fetchall() if cursor.description else ()
            finally:
                cursor.close()
            return cursor

        done = await self._connection.do(work)
        self.description, self.lastrowid, self.rowcount = done.description, done.lastrowid, done.rowcount
        return self

    async def fetchall(self) -> Sequence[Any]:
        return self._rows

    async def close(self) -> None:
        """There is nothing to close."""
