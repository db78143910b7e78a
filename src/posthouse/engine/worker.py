"""One engine process: it says that it lives, takes its share of the connectors, and looks after each.

Whoever is silent too long is taken for dead and loses its connectors to the others; one that was only paused finds
that out at its next heartbeat, drops everything and begins anew.
"""

import asyncio
import contextlib
from uuid import UUID

import structlog

from posthouse.engine.gate import Gate
from posthouse.engine.rounds import Rounds
from posthouse.engine.watcher import Watcher
from posthouse.model.errors import PosthouseError
from posthouse.model.values import Clock, ConnectorId
from posthouse.services.sync import Sync
from posthouse.services.watching import Watching

log = structlog.get_logger()

BEAT = 2.0
"""Seconds between two signs of life."""
_SHARE_OUT = 5  # beats between two looks at who has what, when nothing has changed meanwhile …
_LOOKED_AT = 200  # … or more, as it takes longer with many: a beat for so many connectors
_ADOPTED_AT_ONCE = 1000
_GOODBYES = 5.0  # seconds that watchers have to finish what they do and to say goodbye; what is left is cut off


class Worker:
    def __init__(self, sync: Sync, watching: Watching, now: Clock, sessions_per_host: int | None = None) -> None:
        self._sync = sync
        self._watching = watching
        self._now = now
        self._gate = Gate(sessions_per_host)
        self._rounds = Rounds()
        self._watchers: dict[ConnectorId, tuple[Watcher, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Look after connectors until cancelled; then say goodbye everywhere, and set them free."""
        worker: UUID | None = None
        beats, news, more = 0, False, False
        rounds = asyncio.create_task(self._rounds.run())
        try:
            with self._watching.changes() as changes:
                while True:
                    try:
                        before, worker = worker, await self._beat(worker)
                        if news or worker != before or beats >= max(_SHARE_OUT, len(self._watchers) // _LOOKED_AT):
                            more = await self._share_out(worker)
                            beats = 0
                        await self._watching.flush()
                        beats += 1
                    except PosthouseError as error:
                        log.warning("the engine can't reach its database", why=error.message)
                    except Exception:
                        log.exception("the engine stumbled by a fault of ours")
                    news = await changes.next(BEAT) or more
        finally:
            rounds.cancel()
            await self._drop_all()
            with contextlib.suppress(PosthouseError):
                await self._watching.flush()
                if worker is not None:
                    await self._watching.retire(worker)

    async def _beat(self, worker: UUID | None) -> UUID:
        if worker is not None and await self._watching.beat(worker):
            return worker
        if worker is not None:
            log.warning("this worker was taken for dead; beginning anew", worker=str(worker))
            await self._drop_all()
        return await self._watching.enlist()

    async def _share_out(self, worker: UUID) -> bool:
        """Take our share. True: there may be more of it, at the next beat."""
        before = len(self._watchers)
        mine = await self._watching.share_out(worker, _ADOPTED_AT_ONCE)
        self._let_go(set(self._watchers) - mine)
        for connector_id in mine:
            running = self._watchers.get(connector_id)
            if running is None or running[1].done():
                watcher = Watcher(connector_id, self._sync, self._watching, self._gate, self._rounds, self._now)
                self._watchers[connector_id] = watcher, asyncio.create_task(watcher.run())
        return len(mine) - before >= _ADOPTED_AT_ONCE

    def _let_go(self, ids: set[ConnectorId]) -> set[asyncio.Task[None]]:
        """Have these watchers end; their sessions say goodbye, all at the same time, while we go on. Those that are
        not gone yet."""
        leaving = set()
        for connector_id in ids:
            watcher, task = self._watchers[connector_id]
            if task.done():
                del self._watchers[connector_id]
                continue
            leaving.add(task)
            if not watcher.ended:
                watcher.end()
                asyncio.get_running_loop().call_later(_GOODBYES, task.cancel)
        return leaving

    async def _drop_all(self) -> None:
        """End all watchers, and wait until they are gone."""
        if leaving := self._let_go(set(self._watchers)):
            await asyncio.wait(leaving, timeout=2 * _GOODBYES)
        self._watchers.clear()
