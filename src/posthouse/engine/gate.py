"""How many begin at the same time, connect to one host, and stay there: a good guest does not come with everybody."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_LONGEST_BEGINNING = 10.0  # seconds


@dataclass(slots=True)
class Gate:
    """Lets few begin at the same time, and fewer connect to one host: thousands at once help nobody, and each would
    be done last. With `sessions_per_host`, no more sessions than that are at one host at any time."""

    sessions_per_host: int | None = None
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(100))
    per_host: int = 20
    _hosts: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _staying: Counter[str] = field(default_factory=Counter)
    _visiting: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def enter(self) -> "Place":
        """Wait for a place among those who begin."""
        await self.at_once.acquire()
        return Place(self.at_once)

    @contextlib.asynccontextmanager
    async def passage(self, host: str) -> AsyncIterator[None]:
        """Only to connect."""
        async with self._hosts.setdefault(host, asyncio.Semaphore(self.per_host)):
            yield

    @contextlib.asynccontextmanager
    async def seat(self, host: str) -> AsyncIterator[bool]:
        """A session's place at a host, until the block ends. True: it may stay for as long as it likes. False: the
        places for those who stay are taken, this one is wanted by others, too."""
        most = self.sessions_per_host
        if most is None:
            yield True
            return
        for_visitors = max(1, most // 10)
        if self._staying[host] < most - for_visitors:
            self._staying[host] += 1
            try:
                yield True
            finally:
                self._staying[host] -= 1
        else:
            async with self._visiting.setdefault(host, asyncio.Semaphore(for_visitors)):
                yield False


class Place:
    """A place among those who begin. Who takes long (a slow server, a large mailbox) keeps nobody else away."""

    def __init__(self, taken: asyncio.Semaphore) -> None:
        self._taken: asyncio.Semaphore | None = taken
        self._timer = asyncio.get_running_loop().call_later(_LONGEST_BEGINNING, self.leave)

    def leave(self) -> None:
        """Make room. To leave twice is allowed."""
        if self._taken is not None:
            self._taken.release()
            self._taken = None
            self._timer.cancel()
