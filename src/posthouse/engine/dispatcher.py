"""Tells webhooks, in one engine process among as many as there are.

It looks whenever a commit signals news, and every second whatever happens; at rest that is two questions to indexes
with nothing in them. What is due is taken a few lanes of each webhook at a time, fewer of one that fails, and so many
of a host and in all: one slow receiver keeps nobody waiting but itself.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from uuid import uuid4

import structlog

from posthouse.model.errors import PosthouseError
from posthouse.model.webhooks import WebhookId
from posthouse.services.telling import Key, Listener, Telling

log = structlog.get_logger()

BEAT = 1.0
"""Seconds between two looks when nothing is heard."""
_GATHER = 0.02  # seconds in which news comes together before we look
_LOOKED_AT = 500  # lanes at a time
_GOODBYES = 5.0  # seconds that calls under way have to end when we stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many calls this process makes at a time."""

    of_webhook: int = 8
    of_host: int = 32
    in_all: int = 256


class Dispatcher:
    def __init__(self, telling: Telling, bounds: Bounds | None = None) -> None:
        self._telling = telling
        self._bounds = bounds or Bounds()
        self._name = uuid4()
        self._working: set[asyncio.Task[None]] = set()
        self._of_webhook: Counter[WebhookId] = Counter()
        self._of_host: Counter[str] = Counter()
        self._failing: set[WebhookId] = set()
        self._freed = asyncio.Event()

    async def run(self) -> None:
        """Tell webhooks until cancelled; then let the calls under way end, and leave the rest to others."""
        try:
            with self._telling.news() as news:
                while True:
                    more = False
                    try:
                        more = await self._look()
                    except PosthouseError as error:
                        log.warning("webhooks can't be looked after", why=error.message)
                    except Exception:
                        log.exception("telling webhooks failed by a fault of ours")
                    if not more:
                        await self._rest(news)
                    await asyncio.sleep(_GATHER)
        finally:
            await self._stop()

    async def _rest(self, news: Listener) -> None:
        """Until there is news, or room for more."""
        waiting = [asyncio.create_task(news.next(BEAT)), asyncio.create_task(self._freed.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        self._freed.clear()

    async def _look(self) -> bool:
        """Start what there is to do and room for. True when there may be more than one look takes."""
        news = await self._telling.spread()
        due = await self._telling.due(
            each=self._bounds.of_webhook,
            most=_LOOKED_AT,
            besides=[webhook for webhook in self._of_webhook if not self._room_for(webhook)],
            besides_hosts=[host for host, count in self._of_host.items() if count >= self._bounds.of_host],
        )
        chosen: dict[Key, str] = {}
        for lane in due:
            webhook = lane.key[0]
            if lane.failing:
                self._failing.add(webhook)
            if len(self._working) + len(chosen) >= self._bounds.in_all:
                break
            if self._room_for(webhook) and self._of_host[lane.host] < self._bounds.of_host:
                chosen[lane.key] = lane.host
                self._count(lane.key, lane.host, 1)
        taken: list[Key] = []
        try:
            if chosen:
                taken = await self._telling.claim(self._name, list(chosen))
        finally:
            for key in chosen.keys() - taken:
                self._count(key, chosen[key], -1)
        for key in taken:
            self._working.add(asyncio.create_task(self._work(key, chosen[key])))
        return news or (bool(taken) and len(due) == _LOOKED_AT)

    def _room_for(self, webhook: WebhookId) -> bool:
        return self._of_webhook[webhook] < (1 if webhook in self._failing else self._bounds.of_webhook)

    def _count(self, key: Key, host: str, change: int) -> None:
        webhook = key[0]
        self._of_webhook[webhook] += change
        self._of_host[host] += change
        if self._of_webhook[webhook] <= 0:
            del self._of_webhook[webhook]
            self._failing.discard(webhook)
        if self._of_host[host] <= 0:
            del self._of_host[host]

    async def _work(self, key: Key, host: str) -> None:
        try:
            await self._telling.work(self._name, key)
        except PosthouseError as error:
            log.warning("a webhook can't be told just now", webhook=str(key[0]), why=error.message)
        except Exception:
            log.exception("a webhook was not told by a fault of ours", webhook=str(key[0]))
        finally:
            self._count(key, host, -1)
            task = asyncio.current_task()
            assert task is not None
            self._working.discard(task)
            self._freed.set()

    async def _stop(self) -> None:
        if self._working:
            await asyncio.wait(self._working, timeout=_GOODBYES)
        left = list(self._working)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with contextlib.suppress(PosthouseError):
            await self._telling.release(self._name)
