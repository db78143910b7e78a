"""Where a long-lived session is lent: one mailbox sees one connection of ours, whoever wants something of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from posthouse.model.connectors import ImapSettings
from posthouse.model.errors import RemoteError
from posthouse.model.events import Transcript
from posthouse.model.hearing import Ear, Said
from posthouse.model.sync import Mailbox, Snapshot, Wake


@dataclass(slots=True)
class Session:
    """A signed-in mailbox, the settings it was opened with, and what has been said on it."""

    settings: ImapSettings
    mailbox: Mailbox
    transcript: Transcript
    opening: tuple[str, ...]
    broken: bool = False
    """A sync has failed in it: it is good for nothing but closing."""
    retry_after: timedelta | None = None
    """… and the server wishes for such a pause."""
    seen: Snapshot | None = None
    """How the folder of the settings looked when all that is in it was filed, and it is still the one that is open."""

    def said_since(self, start: int) -> tuple[str, ...]:
        """How it was opened, and what has been said since the transcript's line of this number."""
        return (*self.opening, *self.transcript.since(start))

    @contextmanager
    def heard_by(self, ear: Ear) -> Iterator[None]:
        """Let this ear hear how the session was opened, and what is said from now on until the block ends."""
        for line in self.opening:
            ear(Said(line))
        with self.transcript.heard_by(ear):
            yield

    def spoilt_by(self, error: BaseException) -> None:
        self.broken = True
        self.retry_after = error.retry_after if isinstance(error, RemoteError) else None


class Desk:
    """The keeper of a session calls `serve` whenever it does not need it itself; `wanted` is set when there is
    somebody to serve."""

    def __init__(self, wanted: Wake) -> None:
        self.wanted = wanted
        self._queue: list[tuple[asyncio.Future[Session | None], asyncio.Event]] = []
        self._closed = False

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Session | None]:
        """The session, for the length of the block; None when it ends before our turn comes."""
        lent: asyncio.Future[Session | None] = asyncio.get_running_loop().create_future()
        returned = asyncio.Event()
        if self._closed:
            lent.set_result(None)
        else:
            self._queue.append((lent, returned))
            self.wanted.set()
        try:
            yield await lent
        finally:
            returned.set()

    @property
    def busy(self) -> bool:
        """Somebody waits to be served."""
        return bool(self._queue)

    async def serve(self, session: Session) -> bool:
        """Lend the session to each who wants it, in turn, while it is whole. Whether anybody did."""
        served = False
        while self._queue and not session.broken:
            lent, returned = self._queue.pop(0)
            if not lent.done():  # else its borrower has gone
                served = True
                lent.set_result(session)
                await returned.wait()
        return served

    def close(self) -> None:
        """There is no session any more: who waits for it must open one of his own."""
        self._closed = True
        while self._queue:
            lent, _ = self._queue.pop(0)
            if not lent.done():
                lent.set_result(None)
