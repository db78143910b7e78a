"""An external mailbox in memory, for what no real server does on command: dying at a chosen step."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from posthouse.model.connectors import ImapSettings
from posthouse.model.errors import FolderMissing
from posthouse.model.events import Transcript
from posthouse.model.sync import Arrival, Cursor, Identity, RawMessage, Snapshot

DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process dies here. Nothing may catch it."""


@dataclass
class Fuse:
    """Dies at the n-th step; None lives on. `steps` counts what was done."""

    at: int | None = None
    steps: int = 0

    def burn(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Killed(f"at step {self.steps}")


@dataclass
class FakeServer:
    """A folder at a server. `fetched` counts how often a body was asked for."""

    messages: dict[int, bytes] = field(default_factory=dict)
    uid_validity: int | None = 7
    next_uid: int = 1
    fetched: list[int] = field(default_factory=list)
    fuse: Fuse = field(default_factory=Fuse)
    silent_about: set[int] = field(default_factory=set)

    def add(self, *messages: bytes) -> None:
        for message in messages:
            self.messages[self.next_uid] = message
            self.next_uid += 1

    def renumber(self, start: int) -> None:
        """Give all messages new UIDs, under a new UIDVALIDITY."""
        self.messages = {start + place: message for place, message in enumerate(self.messages.values())}
        self.next_uid = start + len(self.messages)
        self.uid_validity = (self.uid_validity or 0) + 1

    async def open(self, settings: ImapSettings, transcript: Transcript) -> "FakeMailbox":
        self.fuse.burn()
        transcript.note("S: * OK ready")
        return FakeMailbox(self)


@dataclass
class FakeMailbox:
    server: FakeServer
    closed: bool = False

    async def select(self, folder: str, known: Cursor | None = None) -> Snapshot:
        self.server.fuse.burn()
        if folder != "INBOX":
            raise FolderMissing(f"there is no folder {folder}")
        return Snapshot(
            folder=folder,
            uid_validity=self.server.uid_validity,
            next_uid=self.server.next_uid,
            exists=len(self.server.messages),
        )

    async def search(self, uids: range, *, terms: str = "", since: date | None = None) -> list[int]:
        self.server.fuse.burn()
        words = terms.removeprefix("SUBJECT ").encode()
        found = [uid for uid, message in sorted(self.server.messages.items()) if uid in uids and words in message]
        return [uid for uid in found if since is None or _date(uid).date() >= since]

    async def identities(self, uids: Sequence[int], *, message_ids: bool = True) -> AsyncIterator[Identity]:
        for uid in uids:
            if (message := self.server.messages.get(uid)) is not None:
                self.server.fuse.burn()
                message_id = _message_id(message) if message_ids else ""
                yield Identity(uid=uid, size=len(message), internal_date=DAY, message_id=message_id)

    async def arrivals(self, next_uid: int) -> list[Arrival]:
        self.server.fuse.burn()
        uids = sorted(uid for uid in self.server.messages if uid >= next_uid)
        return [Arrival(identity) async for identity in self.identities(uids, message_ids=False)]

    async def fetch(self, identities: Sequence[Identity]) -> AsyncIterator[RawMessage]:
        for one in identities:
            message = self.server.messages.get(one.uid)
            if message is not None and one.uid not in self.server.silent_about:
                self.server.fuse.burn()
                self.server.fetched.append(one.uid)
                yield RawMessage(uid=one.uid, size=len(message), internal_date=DAY, content=message)

    async def close(self) -> None:
        self.closed = True


def a_message(number: int, *, message_id: bool = True) -> bytes:
    header = f"From: ann@example.org\r\nTo: bob@example.org\r\nSubject: Number {number}\r\n"
    if message_id:
        header += f"Message-ID: <number-{number}@example.org>\r\n"
    return f"{header}\r\nThis is message {number}.\r\n".encode()


def _date(uid: int) -> datetime:
    return DAY.replace(day=min(uid, 28))


def _message_id(message: bytes) -> str:
    for line in message.split(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"message-id:"):
            return line.partition(b":")[2].strip().strip(b"<>").decode()
    return ""
