"""The database: transactions, and everything in which SQLite and PostgreSQL differ.

`transaction()` is for writing and `reading()` for looking; both give a `Transaction` whose parts (`tx.mail`,
`tx.connectors` …) hold the statements. What must follow a commit (a signal, the deletion of a file) is handed to
`tx.after_commit` and does not happen when the transaction fails.

The differences, all of them here:
- SQLite has one writer. Ours queue in this process, and start with BEGIN IMMEDIATE: Python's default starts a
  transaction at the first write, which loses updates silently. PostgreSQL runs at READ COMMITTED.
- SQLite's pragmas.
- Signals to other processes: PostgreSQL's LISTEN and NOTIFY; with SQLite there is but one process.
- Full-text search (`search.py`), which each database does in its own way.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cached_property, partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from posthouse.model.errors import Conflict, Unavailable
from posthouse.store import migrate, sqlite
from posthouse.store.accounts import Accounts
from posthouse.store.addresses import ExpiredInboxes, PlusAddresses
from posthouse.store.browsing import Browsing
from posthouse.store.claims import Claims
from posthouse.store.composing import Contacts, Drafts, Groups, Templates
from posthouse.store.connectors import Connectors
from posthouse.store.conversations import Conversations
from posthouse.store.events import Events
from posthouse.store.favourites import Favourites
from posthouse.store.figures import Figures
from posthouse.store.folders import Folders
from posthouse.store.inboxes import Inboxes
from posthouse.store.jobs import Jobs
from posthouse.store.journal import Journal
from posthouse.store.lanes import Lanes
from posthouse.store.logins import Logins
from posthouse.store.mail import Mail
from posthouse.store.outbox import Outbox
from posthouse.store.overview import Overviews
from posthouse.store.packs import Packs
from posthouse.store.reports import Reports
from posthouse.store.results import Results
from posthouse.store.rows import UNANSWERED
from posthouse.store.sealing import Seal
from posthouse.store.sent import Sent
from posthouse.store.signals import CHANNEL, Signals
from posthouse.store.standings import Standings
from posthouse.store.uploads import Uploads
from posthouse.store.webhooks import Webhooks

_READING, _DURABLE = "posthouse_reading", "posthouse_durable"  # execution options, for `_begin`
_NOT_DURABLE = sa.text("SET LOCAL synchronous_commit = off")
_DEADLOCK = "40P01"  # PostgreSQL ends one of two transactions that wait for each other

T = TypeVar("T")
AfterCommit = Callable[[], Awaitable[None]]


class Transaction:
    """One transaction's parts. Good until the block that gave it ends."""

    def __init__(self, connection: AsyncConnection, seal: Seal) -> None:
        self.connection = connection
        self._seal = seal
        self._before: list[asyncio.Future[object]] = []
        self._after: list[AfterCommit] = []
        self._signals: list[str] = []

    async def at_once(self, work: Coroutine[object, object, T]) -> T:
        """Do this work, which awaits nothing but statements of this transaction: SQLite does it in one errand."""
        assert self.connection.sync_connection is not None
        driver = self.connection.sync_connection.connection.driver_connection
        return await (driver.whole(work) if isinstance(driver, sqlite.Connection) else work)

    def await_before_commit(self, needed: asyncio.Future[object]) -> None:
        """This must have been done before anything is committed."""
        self._before.append(needed)

    def after_commit(self, do: AfterCommit) -> None:
        self._after.append(do)

    def signal(self, topic: str) -> None:
        """Wake who listens to this topic, here and in other processes, when this is committed."""
        self._signals.append(topic)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(self.connection)

    @cached_property
    def logins(self) -> Logins:
        return Logins(self.connection)

    @cached_property
    def inboxes(self) -> Inboxes:
        return Inboxes(self.connection)

    @cached_property
    def templates(self) -> Templates:
        return Templates(self.connection)

    @cached_property
    def drafts(self) -> Drafts:
        return Drafts(self.connection)

    @cached_property
    def contacts(self) -> Contacts:
        return Contacts(self.connection)

    @cached_property
    def groups(self) -> Groups:
        return Groups(self.connection)

    @cached_property
    def plus_addresses(self) -> PlusAddresses:
        return PlusAddresses(self.connection)

    @cached_property
    def expired_inboxes(self) -> ExpiredInboxes:
        return ExpiredInboxes(self.connection)

    @cached_property
    def connectors(self) -> Connectors:
        return Connectors(self.connection, self._seal)

    @cached_property
    def folders(self) -> Folders:
        return Folders(self.connection)

    @cached_property
    def events(self) -> Events:
        return Events(self.connection)

    @cached_property
    def mail(self) -> Mail:
        return Mail(self.connection)

    @cached_property
    def browsing(self) -> Browsing:
        return Browsing(self.connection)

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.connection)

    @cached_property
    def conversations(self) -> Conversations:
        return Conversations(self.connection)

    @cached_property
    def favourites(self) -> Favourites:
        return Favourites(self.connection)

    @cached_property
    def sent(self) -> Sent:
        return Sent(self.connection)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.connection)

    @cached_property
    def reports(self) -> Reports:
        return Reports(self.connection)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.connection)

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.connection)

    @cached_property
    def claims(self) -> Claims:
        return Claims(self.connection)

    @cached_property
    def standings(self) -> Standings:
        return Standings(self.connection)

    @cached_property
    def overviews(self) -> Overviews:
        return Overviews(self.connection)

    @cached_property
    def packs(self) -> Packs:
        return Packs(self.connection)

    @cached_property
    def figures(self) -> Figures:
        return Figures(self.connection)

    @cached_property
    def webhooks(self) -> Webhooks:
        return Webhooks(self.connection, self._seal)

    @cached_property
    def lanes(self) -> Lanes:
        return Lanes(self.connection)

    @cached_property
    def results(self) -> Results:
        return Results(self.connection)


class Database:
    """A database by its URL: `sqlite:///path` or `postgresql://user:password@host/name`."""

    def __init__(self, url: str, seal: Seal) -> None:
        self.engine = _engine(url)
        self._seal = seal
        self.signals = Signals()
        # One writer at a time within SQLite's one process: a fair queue instead of its busy time-out.
        self._turn = asyncio.Lock() if self.is_sqlite else None
        self._writer: AsyncConnection | None = None
        self._closed = False

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    async def open(self) -> None:
        """Bring the tables up to date. Safe to call from many processes at once."""
        await migrate.upgrade(self.engine)
        if not self.is_sqlite:
            dsn = self.engine.url.set(drivername="postgresql")
            await self.signals.connect(dsn.render_as_string(hide_password=False))

    async def close(self) -> None:
        await self.signals.close()
        self._closed = True
        if self._writer is not None:
            await self._writer.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        """A transaction that writes. Commits at the end of the block; an error rolls back and goes on.

        Broken uniqueness comes out as Conflict; callers who can say more look before they write. One that need not be
        `durable` is quicker: whatever becomes of our processes it is kept, but a power cut may undo the last of them.
        """
        async with self._connected(self._writing()) as connection:
            tx = Transaction(connection, self._seal)
            if self.is_sqlite:
                assert connection.sync_connection is not None
                connection.sync_connection.execution_options(**{_DURABLE: durable})
            try:
                async with connection.begin():
                    if not (durable or self.is_sqlite):
                        await connection.execute(_NOT_DURABLE)
                    yield tx
                    for needed in tx._before:
                        await asyncio.shield(needed)
                    await self._notify(tx)
            except IntegrityError as error:
                raise Conflict("this exists already, or refers to something that does not") from error
        self.signals.tell(tx._signals)
        for do in tx._after:
            await do()

    async def _notify(self, tx: Transaction) -> None:
        """Have PostgreSQL tell other processes; it does so at the commit."""
        if not self.is_sqlite:
            for topic in dict.fromkeys(tx._signals):
                await tx.connection.execute(sa.select(sa.func.pg_notify(CHANNEL, topic)))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A transaction that only looks, at one moment's state (SQLite) or statement by statement (PostgreSQL)."""
        async with self._connected(self.engine.connect()) as connection:
            connection = await connection.execution_options(**{_READING: True})
            yield Transaction(connection, self._seal)

    @asynccontextmanager
    async def _connected(
        self, connecting: AbstractAsyncContextManager[AsyncConnection]
    ) -> AsyncIterator[AsyncConnection]:
        """This connection, with what goes wrong in our words."""
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(connecting)
            except (OSError, DBAPIError, TimeoutError, PoolExhausted) as error:
                raise Unavailable("the database does not answer; try again in a moment") from error
            try:
                yield connection
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise Unavailable("the connection to the database broke; try again in a moment") from error
                if getattr(error.orig, "sqlstate", None) == _DEADLOCK:
                    raise Unavailable("the database is busy with the same rows; try again in a moment") from error
                raise

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """SQLite's writer keeps its connection: it would have to queue for one with all who look."""
        if self._turn is None:
            async with self.engine.connect() as connection:
                yield connection
            return
        async with self._turn:
            connection, self._writer = self._writer or await self.engine.connect(), None
            try:
                yield connection
            except BaseException:
                await connection.close()
                raise
            if self._closed:  # while something was still being finished
                await connection.close()
            else:
                self._writer = connection


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _to_json(value: Any) -> str:
    if value == []:
        return "[]"  # as most of a message's lists are
    # Half a surrogate pair has no place in UTF-8, which is what both databases keep.
    text = _encode(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _engine(url: str) -> AsyncEngine:
    parsed = sa.make_url(url)
    common: dict[str, Any] = {"json_serializer": _to_json}
    match parsed.get_backend_name():
        case "sqlite":
            engine = create_async_engine(
                parsed.set(drivername="sqlite+aiosqlite"),
                pool_size=8,
                max_overflow=8,
                pool_use_lifo=True,  # whose page cache is the warmest
                async_creator=partial(sqlite.connect, parsed.database or ":memory:"),
                **common,
            )
            sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
            sa.event.listen(engine.sync_engine, "begin", _begin)
            sa.event.listen(engine.sync_engine, "do_execute", _execute)
        case "postgresql":
            engine = create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"),
                pool_size=10,
                max_overflow=20,
                pool_pre_ping=True,
                **common,
            )
        case other:
            raise ValueError(f"POSTHOUSE_DATABASE_URL: {other} is not a database we know; use sqlite or postgresql")
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 15000")
    _keep_a_log(cursor)
    for pragma in (
        "synchronous = full",  # a commit that was answered survives a power cut
        "foreign_keys = on",
        "cache_size = -16000",
        "temp_store = memory",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _keep_a_log(cursor: Any) -> None:
    """Switch to write-ahead logging, once for the file. Of two that do so at the same moment SQLite tells one at once
    that the file is locked, however long it would wait."""
    for pause in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        try:
            cursor.execute("PRAGMA journal_mode = wal")
        except sqlite3.OperationalError:
            time.sleep(pause)
        else:
            return
    cursor.execute("PRAGMA journal_mode = wal")


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Don't wait for a statement whose result nobody wants to know: it goes with the next one."""
    unanswered: bool = context.execution_options.get(UNANSWERED, False)
    if unanswered:
        cursor.executemany(statement, [parameters])
    return unanswered


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    driver: Any = connection.connection.driver_connection
    if options.get(_READING):
        driver.begin()
    else:
        driver.begin_writing(durable=options.get(_DURABLE, True))
