"""Wake-ups: a commit tells whoever listens that there may be something to see.

A signal is a hint, never the truth: it can come for nothing, come twice or (when a connection to PostgreSQL breaks)
not come at all. Who waits for something listens first, then looks, then waits, and looks again now and then whatever
happens. Topics are texts: `inbox:ID`, `connector:ID`; who listens to `inbox` hears of all of them.

Signals reach the listeners of this process directly, and those of other processes on the same PostgreSQL by
LISTEN/NOTIFY.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import asyncpg
import structlog

log = structlog.get_logger()

CHANNEL = "posthouse"
_AGAIN = 2.0  # seconds between tries to listen again


class Bell(asyncio.Event):
    """An event that can also be heard without a task that waits for it: thousands of sessions idle."""

    ear: Callable[[], object] | None = None

    def set(self) -> None:
        super().set()
        if self.ear is not None:
            self.ear()


class Listener:
    """Hears of its topics from the moment it is made: `news` is set, and stays so until it is cleared."""

    def __init__(self) -> None:
        self.news = Bell()

    async def next(self, within: float) -> bool:
        """Wait for news, those included that came since the last call. False when none came in time (seconds)."""
        try:
            async with asyncio.timeout(max(0.0, within)):
                await self.news.wait()
        except TimeoutError:
            return False
        self.news.clear()
        return True


class Signals:
    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self._bridge: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def listen(self, *topics: str) -> Iterator[Listener]:
        """A listener to these topics, for the length of the block."""
        listener = Listener()
        for topic in topics:
            self._listeners.setdefault(topic, set()).add(listener)
        try:
            yield listener
        finally:
            for topic in topics:
                ears = self._listeners[topic]
                ears.discard(listener)
                if not ears:
                    del self._listeners[topic]

    def tell(self, topics: Iterable[str]) -> None:
        """Wake the listeners of this process."""
        for topic in topics:
            for heard in {topic, topic.partition(":")[0]}:
                for listener in self._listeners.get(heard, ()):
                    listener.news.set()

    async def connect(self, dsn: str) -> None:
        """Hear the signals of other processes too, from a PostgreSQL database. Returns when it does."""
        connected = asyncio.Event()
        self._bridge = asyncio.create_task(self._follow(dsn, connected))
        await connected.wait()

    async def close(self) -> None:
        if self._bridge is not None:
            self._bridge.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._bridge

    async def _follow(self, dsn: str, connected: asyncio.Event) -> None:
        while True:
            try:
                connection = await asyncpg.connect(dsn)
                ended = asyncio.Event()
                connection.add_termination_listener(lambda _, ended=ended: ended.set())
                await connection.add_listener(CHANNEL, self._hear)
                connected.set()
                self._tell_everybody()  # whatever was said while we did not listen
                await ended.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("can't listen to the database's signals; trying again", why=type(error).__name__)
            connected.set()  # the server can work without: looking is the truth
            await asyncio.sleep(_AGAIN)

    def _hear(self, _connection: Any, _pid: int, _channel: str, topic: object) -> None:
        self.tell([str(topic)])

    def _tell_everybody(self) -> None:
        self.tell(list(self._listeners))
