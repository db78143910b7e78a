"""What is tidied up now and then: time runs out for inboxes, and old records are let go.

Each chore is a service's verb that does some of its work and says how much that was. Any number of processes may do
the same chores at the same time: the services see to it that nothing is done twice. A chore that fails is tried
again at its next time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from posthouse.model.errors import PosthouseError

log = structlog.get_logger()

_BETWEEN = 0.1  # seconds between two rounds of a chore that has more to do: others want the database, too


@dataclass(frozen=True, slots=True)
class Chore:
    """`what` was done is for the log, in the past tense; `do` does some of it and gives the count, 0 at the end."""

    what: str
    every: timedelta
    do: Callable[[], Awaitable[int]]


class Janitor:
    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = chores

    async def run(self) -> None:
        """Do the chores, each at its own pace and first of all at once, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for chore in self._chores:
                group.create_task(self._keep_doing(chore))

    async def _keep_doing(self, chore: Chore) -> None:
        while True:
            await self.round(chore)
            await asyncio.sleep(chore.every.total_seconds())

    async def round(self, chore: Chore) -> int:
        """Do one chore until there is nothing left of it. How much was done; failures are logged, not raised."""
        done = 0
        try:
            while some := await chore.do():
                done += some
                await asyncio.sleep(_BETWEEN)
        except PosthouseError as error:
            log.warning("a chore has to wait", chore=chore.what, why=error.message)
        except Exception:
            log.exception("a chore failed by a fault of ours", chore=chore.what)
        if done:
            log.info(chore.what, count=done)
        return done
