"""Rooms of the house for tests: a database of either kind, with an account and an inbox in it.

To apply every migration for each test would take longer than most tests do: tables are made once in each process,
and copied.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from posthouse.model.accounts import Account
from posthouse.model.mail import Inbox
from posthouse.model.values import AccountId, InboxId, Secret, new_id
from posthouse.store.database import Database
from posthouse.store.sealing import Seal

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = Secret("a key for sealing, long enough for tests")


class TurnedClock:
    """A clock that goes one second at every look, unless it is turned."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def turn(self, by: timedelta) -> None:
        self.time += by


@dataclass
class Tenant:
    """Somebody with an inbox."""

    account: Account
    inbox: Inbox


def make_tables(url: str) -> None:
    """Make our tables in this database. May be called wherever a loop runs."""

    async def make() -> None:
        async with opened_database(url):
            pass

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, make()).result()


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory, "empty.db")
        make_tables(f"sqlite:///{path}")
        return path.read_bytes()


def sqlite_in(data: Path) -> str:
    """The URL of the database of those who have their data in this directory. It has our tables from now on."""
    path = data / "posthouse.db"
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty())
    return f"sqlite:///{path}"


@asynccontextmanager
async def opened_database(url: str) -> AsyncIterator[Database]:
    """This database, with our tables."""
    database = Database(url, Seal([KEY]))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def add_tenant(database: Database, name: str = "default") -> Tenant:
    account = Account(id=AccountId(new_id(START)), name=name, created_at=START)
    inbox = an_inbox(account, f"{name}@posthouse.example")
    async with database.transaction() as tx:
        await tx.accounts.add(account)
        await tx.inboxes.add(inbox)
    return Tenant(account, inbox)


def an_inbox(account: Account, address: str) -> Inbox:
    return Inbox(
        id=InboxId(new_id(START)),
        account_id=account.id,
        email_address=address,
        name=None,
        description=None,
        tags=(),
        favourite=False,
        virtual=False,
        expires_at=None,
        created_at=START,
        updated_at=START,
    )
