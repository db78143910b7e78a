"""An external mailbox in memory that pushes, or promises to; everything that is asked of it is in `log`."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from posthouse.model.connectors import ImapSettings
from posthouse.model.errors import RemoteError
from posthouse.model.events import Transcript
from posthouse.model.sync import Arrival, Cursor, Glance, Knock, Mailbox, Snapshot
from services.fakes import FakeMailbox, FakeServer

CAPABILITY = "S: * CAPABILITY IMAP4rev1 IDLE"


@dataclass
class PushServer(FakeServer):
    """INBOX, and an empty Archive. Faults may be set and healed at any time."""

    pushes: bool = True
    deaf: bool = False
    """IDLE is accepted, and tells nothing."""
    mute: bool = False
    """Not even who asks is told, until a folder is opened anew."""
    closed_to: RemoteError | None = None
    """Nobody gets in, for this reason."""
    trouble: RemoteError | None = None
    """No folder can be opened, for this reason."""
    dead: RemoteError | None = None
    """What is asked in a session ends so."""
    hold: asyncio.Event | None = None
    """Folders are opened when this is set."""
    log: list[str] = field(default_factory=list)
    ears: set[asyncio.Event] = field(default_factory=set)
    opened: int = 0
    present: int = 0

    @property
    def last(self) -> str:
        """The last thing that was asked."""
        return self.log[-1] if self.log else ""

    def deliver(self, *messages: bytes) -> None:
        self.add(*messages)
        self.stir()

    def stir(self) -> None:
        """Have sessions in IDLE look up."""
        for ear in self.ears:
            ear.set()

    async def connect(self, settings: ImapSettings, transcript: Transcript) -> Mailbox:
        self.log.append("connect")
        if self.closed_to is not None:
            raise self.closed_to
        transcript.note(CAPABILITY)
        self.opened += 1
        self.present += 1
        return cast(Mailbox, PushMailbox(self))


@dataclass
class PushMailbox(FakeMailbox):
    server: PushServer
    told: int = 0
    folder: str = ""
    whole: bool = True

    @property
    def can_push(self) -> bool:
        return self.server.pushes

    async def select(self, folder: str, known: Cursor | None = None) -> Snapshot:
        server = self.server
        server.log.append(f"select {folder}")
        if server.hold is not None:
            await server.hold.wait()
        self._living()
        if server.trouble is not None:
            raise server.trouble
        self.folder, self.told = folder, server.next_uid
        if folder == "Archive":
            return Snapshot(folder=folder, uid_validity=1, next_uid=1, exists=0)
        return await super().select(folder, known)

    async def idle(self, wake: Knock, rest: float | None = None) -> bool:
        server, ear = self.server, asyncio.Event()
        server.log.append("idle")
        server.ears.add(ear)
        wake.ear = ear.set
        try:
            end = asyncio.get_running_loop().time() + (3600 if rest is None else rest)
            while not wake.is_set():
                self._living()
                if self.folder == "INBOX" and not server.deaf and server.next_uid > self.told:
                    self.told = server.next_uid
                    return True
                left = end - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                with suppress(TimeoutError):
                    await asyncio.wait_for(ear.wait(), left)
                ear.clear()
            return False
        except BaseException:
            self.whole = False  # as a stream that was left in the middle of a command
            raise
        finally:
            server.ears.discard(ear)
            wake.ear = None

    async def arrivals(self, next_uid: int) -> list[Arrival]:
        self.server.log.append("arrivals")
        if self.server.hold is not None:
            await self.server.hold.wait()
        self._living()
        self.told = max(self.told, self.server.next_uid)
        return await super().arrivals(next_uid)

    @property
    def has_news(self) -> bool:
        return False

    async def anything_new(self) -> bool:
        self.server.log.append("noop")
        self._living()
        if self.server.mute:
            return False
        new = self.folder == "INBOX" and self.server.next_uid > self.told
        self.told = self.server.next_uid
        return new

    async def glance(self, folder: str) -> Glance:
        return Glance(1, 1, 0)

    async def notify(self, folders: Sequence[str]) -> bool:
        return False

    async def close(self) -> None:
        if not self.closed:
            self.server.log.append("logout" if self.whole else "cut")
            self.server.present -= 1
        self.closed = True

    def _living(self) -> None:
        if self.server.dead is not None:
            self.whole = False
            raise self.server.dead
