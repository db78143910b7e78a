"""The database, of either kind: transactions.

`transaction()` is for writing and `reading()` for looking; both give a `Transaction` whose parts (`tx.mail`,
`tx.connectors` …) hold the statements. What must follow a commit (a signal, the deletion of a file) is handed to
`tx.after_commit` and does not happen when the transaction fails.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from posthouse.model.errors import Conflict, Unavailable
from posthouse.store import migrate, sqlite
from posthouse.store.accounts import Accounts
from posthouse.store.addresses import ExpiredInboxes, PlusAddresses
from posthouse.store.browsing import Browsing
from posthouse.store.claims import Claims
from posthouse.store.composing import Contacts, Drafts, Groups, Templates
from posthouse.store.connection import Backend, Connection
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
from posthouse.store.postgresql import Postgresql
from posthouse.store.reports import Reports
from posthouse.store.results import Results
from posthouse.store.sealing import Seal
from posthouse.store.sent import Sent
from posthouse.store.signals import CHANNEL, Signals
from posthouse.store.standings import Standings
from posthouse.store.uploads import Uploads
from posthouse.store.webhooks import Webhooks

_DEADLOCK = "40P01"  # PostgreSQL ends one of two transactions that wait for each other
_NO_ANSWER = "the database does not answer; try again in a moment"

T = TypeVar("T")
AfterCommit = Callable[[], Awaitable[None]]


class Transaction:
    """One transaction's parts. Good until the block that gave it ends."""

    def __init__(self, connection: Connection, seal: Seal) -> None:
        self.connection = connection
        self._seal = seal
        self._before: list[asyncio.Future[object]] = []
        self._after: list[AfterCommit] = []
        self._signals: list[str] = []

    async def at_once(self, work: Coroutine[object, object, T]) -> T:
        """Do this work, which awaits nothing but statements of this transaction: SQLite does it in one errand."""
        connection = self.connection
        return await (connection.at_once(work) if isinstance(connection, sqlite.Connection) else work)

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
        self._backend = _backend(url)
        self._seal = seal
        self.signals = Signals()

    @property
    def engine(self) -> sa.Engine:
        """Whose URL and dialect it is, and whom to listen to for what is executed."""
        return self._backend.engine

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    async def open(self) -> None:
        """Bring the tables up to date. Safe to call from many processes at once."""
        async with self.transaction() as tx:
            await tx.connection.run_sync(migrate.upgrade)
        if not self.is_sqlite:
            dsn = self.engine.url.set(drivername="postgresql")
            await self.signals.connect(dsn.render_as_string(hide_password=False))

    async def close(self) -> None:
        await self.signals.close()
        await self._backend.close()

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        """A transaction that writes. Commits at the end of the block; an error rolls back and goes on.

        Broken uniqueness comes out as Conflict; callers who can say more look before they write. One that need not be
        `durable` is quicker: whatever becomes of our processes it is kept, but a power cut may undo the last of them.
        """
        async with self._in_our_words(self._backend.writing(durable=durable)) as connection:
            tx = Transaction(connection, self._seal)
            yield tx
            for needed in tx._before:
                await asyncio.shield(needed)
            await self._notify(tx)
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
        async with self._in_our_words(self._backend.reading()) as connection:
            yield Transaction(connection, self._seal)

    @asynccontextmanager
    async def _in_our_words(self, connecting: AbstractAsyncContextManager[Connection]) -> AsyncIterator[Connection]:
        """This connection; what goes wrong with it comes out as one of our errors."""
        had = False
        try:
            async with connecting as connection:
                had = True
                yield connection
        except IntegrityError as error:
            raise Conflict("this exists already, or refers to something that does not") from error
        except DBAPIError as error:
            if not had:
                raise Unavailable(_NO_ANSWER) from error
            if error.connection_invalidated:
                raise Unavailable("the connection to the database broke; try again in a moment") from error
            if getattr(error.orig, "sqlstate", None) == _DEADLOCK:
                raise Unavailable("the database is busy with the same rows; try again in a moment") from error
            raise
        except (OSError, TimeoutError, PoolExhausted) as error:
            if had:
                raise
            raise Unavailable(_NO_ANSWER) from error


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _to_json(value: Any) -> str:
    if value == []:
        return "[]"  # as most of a message's lists are
    # Half a surrogate pair has no place in UTF-8, which is what both databases keep.
    text = _encode(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _backend(url: str) -> Backend:
    parsed = sa.make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return sqlite.Sqlite(parsed, json_serializer=_to_json)
        case "postgresql":
            return Postgresql(parsed, json_serializer=_to_json)
        case other:
            raise ValueError(f"POSTHOUSE_DATABASE_URL: {other} is not a database we know; use sqlite or postgresql")
