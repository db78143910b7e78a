"""Waiting for what comes about elsewhere, in another request or another process: listen first, then look, then wait
for news, and look again. News may get lost, so one looks now and then without any.

All who wait are let go when this server stops.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta

from posthouse.model.errors import Unavailable
from posthouse.store.signals import Listener, Signals

LOOK_AGAIN = 2.0
"""Seconds after which who waits looks again although he was told nothing."""
_STOP = "lookout:stop"


class Lookout:
    """Where requests wait, and pages that follow what happens. `longest` caps every request's wait, whatever is
    asked. Topics are those of store.signals."""

    def __init__(self, signals: Signals, longest: timedelta) -> None:
        self._signals = signals
        self.longest = longest
        self.stopping = False

    @contextlib.contextmanager
    def on(self, *topics: str, timeout: timedelta) -> Iterator["News"]:
        """News of these topics, until the block ends: look, and ask for more when there is nothing to see yet."""
        with self._signals.listen(*topics, _STOP) as listener:
            yield News(self, listener, min(timeout, self.longest))

    async def changes(self, *topics: str, pause: float = 0.5, within: float = 15.0) -> AsyncGenerator[bool, None]:
        """True whenever there may be news of these topics, and False when there was none within so many seconds. What
        comes in a burst comes as one: `pause` seconds lie between two. Ends when this server stops.

        It listens from the first step on: look once after that, and nothing is missed.
        """
        with self._signals.listen(*topics, _STOP) as listener:
            yield False
            while not self.stopping:
                news = await listener.next(within)
                if self.stopping:
                    return
                yield news
                if news:
                    await asyncio.sleep(pause)

    def stop(self) -> None:
        """End all waits, and those to come: this server stops."""
        self.stopping = True
        self._signals.tell([_STOP])


class News:
    def __init__(self, lookout: Lookout, listener: Listener, timeout: timedelta) -> None:
        self._lookout = lookout
        self._listener = listener
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + timeout.total_seconds()

    async def more(self) -> bool:
        """Wait until it is worth looking again; False when the time is up. Raises Unavailable when this server
        stops."""
        if self._lookout.stopping:
            raise Unavailable("this server stops just now: ask again in a moment")
        left = self._until - self._clock()
        if left <= 0:
            return False
        await self._listener.next(min(LOOK_AGAIN, left))
        return True
