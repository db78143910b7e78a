"""Does what the outbox has to do, beside the worker: in any number of processes, each errand by one of them.

It is told when an email is put in, and otherwise sleeps until the next one is due.
"""

import asyncio
import contextlib

import structlog

from posthouse.model.errors import PosthouseError
from posthouse.services.outbox import Outbox

log = structlog.get_logger()

AT_ONCE = 16
"""Errands that one process does at the same time."""
_LONGEST_REST = 20.0  # seconds without a look, whatever is due when
_SHORTEST_REST = 0.05
_LAST_WORDS = 10.0  # seconds that errands have to finish when we stop; what is left is taken up by the next


class Postman:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Go on until cancelled; then finish what is under way."""
        try:
            with self._outbox.news() as news:
                while True:
                    rest = _LONGEST_REST
                    try:
                        for errand, sent in await self._outbox.claim(AT_ONCE - len(self._errands)):
                            task = asyncio.create_task(self._outbox.run(errand, sent))
                            self._errands.add(task)
                            task.add_done_callback(self._errands.discard)
                            task.add_done_callback(lambda _: news.news.set())
                        rest = await self._rest()
                    except PosthouseError as error:
                        log.warning("the postman can't reach its database", why=error.message)
                        rest = 2.0
                    except Exception:
                        log.exception("the postman stumbled by a fault of ours")
                    await news.next(rest)
        finally:
            await self._finish()

    async def _rest(self) -> float:
        if len(self._errands) >= AT_ONCE:
            return _LONGEST_REST  # an errand that ends wakes us
        rest = await self._outbox.rest()
        return _LONGEST_REST if rest is None else min(max(rest.total_seconds(), _SHORTEST_REST), _LONGEST_REST)

    async def _finish(self) -> None:
        if not self._errands:
            return
        _, late = await asyncio.wait(self._errands, timeout=_LAST_WORDS)
        for task in late:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*late, return_exceptions=True)
