"""The engine over a real database; only the external server is made up, and the long pauses are short."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from house import Tenant, add_tenant, opened_database
from posthouse.engine import rounds as rounds_module
from posthouse.engine import watcher as watcher_module
from posthouse.engine import worker as worker_module
from posthouse.engine.gate import Gate
from posthouse.engine.rounds import Rounds
from posthouse.engine.watcher import Watcher
from posthouse.engine.worker import Worker
from posthouse.model.connectors import Connector, ImapSettings, Security, SyncSettings
from posthouse.model.events import ConnectorEvent
from posthouse.model.mail import EmailQuery, Submission
from posthouse.model.standing import Moment, MomentKind, Pace, Standing
from posthouse.model.values import Backoff, ConnectorId, Slice, utc_now
from posthouse.services import sync as sync_module
from posthouse.services import watching as watching_module
from posthouse.services.connectors import Connectors, NewConnector
from posthouse.services.intake import Intake
from posthouse.services.sync import Sync
from posthouse.services.watching import Watching
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database

from .fakes import PushServer

Condition = Callable[[], bool | Awaitable[bool]]
IMAP = ImapSettings(host="fake", port=993, security=Security.TLS)


async def until(condition: Condition, what: str = "", within: float = 20.0) -> None:
    """Wait until this is so. Fails, naming `what`, when it is not within so many seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        assert asyncio.get_running_loop().time() < deadline, f"in vain: {what}"
        await asyncio.sleep(0.005)


@dataclass
class Process:
    """What one process has of its own."""

    sync: Sync
    watching: Watching

    def worker(self) -> Worker:
        return Worker(self.sync, self.watching, utc_now)


@dataclass
class House:
    database: Database
    server: PushServer
    tenant: Tenant
    blobs: Blobs
    connectors: Connectors
    ours: Process
    made: list[Connector] = field(default_factory=list)
    rounds: Rounds = field(default_factory=Rounds)

    @property
    def connector(self) -> Connector:
        return self.made[0]

    def process(self) -> Process:
        sync = Sync(self.database, Intake(self.blobs, utc_now), self.server.connect, utc_now)
        return Process(sync, Watching(self.database, utc_now))

    async def add(self, *, scheduled: bool = True) -> Connector:
        wish = NewConnector(imap=IMAP, sync=SyncSettings(enabled=True) if scheduled else None)
        self.made.append(await self.connectors.create(self.tenant.account.id, wish))
        return self.made[-1]

    def watcher(self) -> Watcher:
        return Watcher(self.connector.id, self.ours.sync, self.ours.watching, Gate(), self.rounds, utc_now)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Watcher]:
        """The first connector is looked after, and in sync, until the block ends."""
        watcher = self.watcher()
        task = asyncio.create_task(watcher.run())
        await until(self._in_sync, "a first sync")
        yield watcher
        watcher.end()
        async with asyncio.timeout(20):
            await task

    async def _in_sync(self) -> bool:
        return (await self.standing()).fresh_as_of is not None

    # What is seen of it

    async def standing(self, connector: ConnectorId | None = None) -> Standing:
        async with self.database.reading() as tx:
            return await tx.standings.get(connector or self.connector.id)

    async def timeline(self) -> list[Moment]:
        """Oldest first."""
        async with self.database.reading() as tx:
            return (await tx.standings.timeline(self.connector.id))[::-1]

    async def kinds(self) -> list[MomentKind]:
        return [moment.kind for moment in await self.timeline()]

    async def subjects(self) -> list[str]:
        async with self.database.reading() as tx:
            page = await tx.mail.page(self.tenant.account.id, EmailQuery(slice=Slice(size=1000)))
        return [email.subject for email in page.items]

    async def announced(self) -> int:
        """How many lines there are in the journals of all inboxes, which have no gaps."""
        count = 0
        async with self.database.reading() as tx:
            for connector in self.made:
                entries = await tx.journal.after(connector.inbox_id, 0, most=10_000)
                assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
                count += len(entries)
        return count

    async def events(self) -> list[ConnectorEvent]:
        page = await self.connectors.events(self.tenant.account.id, Slice(size=1000))
        return [await self.connectors.event(self.tenant.account.id, event.id) for event in page.items]

    async def set_standing(self, **values: Any) -> None:
        async with self.database.transaction() as tx:
            await tx.standings.change(self.connector.id, **values)


@asynccontextmanager
async def house_on(url: str, data: Path) -> AsyncIterator[House]:
    server = PushServer()
    async with opened_database(url) as database:
        tenant, blobs = await add_tenant(database), Blobs(str(data / "blobs"))

        async def no_submission(*_: object) -> Submission:
            raise AssertionError("nothing is sent here")

        connectors = Connectors(
            database,
            server.connect,
            no_submission,
            lambda _: None,
            "posthouse.example",
            utc_now,
        )
        sync = Sync(database, Intake(blobs, utc_now), server.connect, utc_now)
        house = House(database, server, tenant, blobs, connectors, Process(sync, Watching(database, utc_now)))
        rounds = asyncio.create_task(house.rounds.run())
        yield house
        rounds.cancel()


@pytest.fixture
async def house(sqlite_url: str, tmp_path: Path, quick: None) -> AsyncIterator[House]:
    async with house_on(sqlite_url, tmp_path) as house:
        await house.add()
        yield house


@pytest.fixture
async def either(database_url: str, tmp_path: Path, quick: None) -> AsyncIterator[House]:
    """A house without connectors, on both databases."""
    async with house_on(database_url, tmp_path) as house:
        yield house


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become hundredths."""
    monkeypatch.setattr(rounds_module, "PACE", Pace(shortest=timedelta(seconds=0.2)))
    monkeypatch.setattr(rounds_module, "TICK", 0.02)
    monkeypatch.setattr(watcher_module, "BACKOFF", Backoff(first=timedelta(seconds=0.02), most=timedelta(seconds=0.2)))
    monkeypatch.setattr(watcher_module, "_SHORT", timedelta(seconds=0.01))
    monkeypatch.setattr(watching_module, "SILENCE", timedelta(seconds=0.5))
    monkeypatch.setattr(worker_module, "BEAT", 0.05)
    monkeypatch.setattr(sync_module, "LEASE", timedelta(seconds=0.4))
