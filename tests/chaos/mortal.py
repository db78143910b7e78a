"""A process of ours that syncs, and dies or falls asleep where it is told to: at its transactions, for these are what
others see of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from house import KEY
from posthouse.model.connectors import Connector
from posthouse.model.values import Clock
from posthouse.remote.bounds import Bounds
from posthouse.remote.egress import Egress
from posthouse.remote.mailbox import open_mailbox
from posthouse.services.desk import Session
from posthouse.services.fetching import Batches
from posthouse.services.intake import Intake
from posthouse.services.sync import Sync
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction
from posthouse.store.sealing import Seal
from services.fakes import Killed

EGRESS = Egress((ip_network("127.0.0.0/8"),))
_BOUNDS = Bounds(connect=5.0, command=5.0, silence=5.0, goodbye=0.5)


class MortalDatabase(Database):
    """A process' way to the database. The process may die at one of its commits (just before it, or `after` it) and
    then does nothing more; or sleep before one of its transactions, and do nothing until it is woken."""

    def __init__(self, url: str) -> None:
        super().__init__(url, Seal([KEY]))
        self.dies_at: int | None = None
        self.after = False
        self.dead = False
        self.sleeps_at: int | None = None
        self.asleep, self.awake = asyncio.Event(), asyncio.Event()
        self.awake.set()

    def wake(self) -> None:
        self.sleeps_at = None
        self.asleep.clear()
        self.awake.set()

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        if self.sleeps_at is not None:
            self.sleeps_at -= 1
            if not self.sleeps_at:
                self.awake.clear()
                self.asleep.set()
        await self._alive()
        async with super().transaction(durable=durable) as tx:
            yield tx
            if not self.after:
                await self._burn()
        if self.after:
            await self._burn()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        await self._alive()
        async with super().reading() as tx:
            yield tx

    async def _burn(self) -> None:
        if self.dies_at is not None:
            self.dies_at -= 1
            self.dead = self.dies_at <= 0
        if self.dead:
            raise Killed

    async def _alive(self) -> None:
        await self.awake.wait()
        if self.dead:
            raise Killed


class Process:
    """Syncs with small batches and little patience. `keep` gives it a session that lasts, as a worker has."""

    def __init__(self, url: str, blobs: Path, now: Clock) -> None:
        self.database = MortalDatabase(url)
        self.blobs = Blobs(str(blobs))
        mailbox = partial(open_mailbox, egress=EGRESS, bounds=_BOUNDS, again=(0.01, 0.01, 0.01))
        self.sync = Sync(self.database, Intake(self.blobs, now), mailbox, now, Batches(messages=2))
        self.session: Session | None = None
        self._kept = AsyncExitStack()

    async def keep(self, connector: Connector) -> Session:
        self.session = await self._kept.enter_async_context(self.sync.session(connector))
        return self.session

    @property
    def broken(self) -> bool:
        return self.database.dead or self.session is None or self.session.broken

    async def end(self) -> None:
        with suppress(Killed):  # a dead one counts nothing any more
            await self._kept.aclose()
        await self.database.close()
