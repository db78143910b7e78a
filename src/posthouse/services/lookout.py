"""Waiting for what comes about elsewhere, in another request or another process: listen first, then look, then wait
for news, and look again. News may get lost, so one looks now and then without any.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import timedelta

from posthouse.model.errors import Unavailable
from posthouse.store.signals import Listener, Signals

LOOK_AGAIN = 2.0
"""Seconds after which who waits looks again although he was told nothing."""
_STOP = "lookout:stop"


class Lookout:
    """Where requests wait. `longest` caps every wait, whatever is asked."""

    def __init__(self, signals: Signals, longest: timedelta) -> None:
        self._signals = signals
        self._longest = longest
        self.stopping = False

    @contextlib.contextmanager
    def on(self, topic: str, timeout: timedelta) -> Iterator["News"]:
        """News of a topic, until the block ends: look, and ask for more when there is nothing to see yet."""
        with self._signals.listen(topic, _STOP) as listener:
            yield News(self, listener, min(timeout, self._longest))

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
