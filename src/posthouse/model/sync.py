"""Reading an external mailbox: what we know of it, what it shows, and what follows from the two.

`plan` decides, and needs no server to be tested. The port `Mailbox` is what a sync asks of a connection.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from mmap import mmap
from typing import Literal, Protocol

from posthouse.model.values import EmailId, EventId

Buffer = bytes | mmap
"""A message's bytes: in memory, or (when large) on disk and mapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far we have come in one folder of one connector.

    Every message with a UID below `next_uid` that matches `search_terms` is filed. The UIDs mean something only
    together with `uid_validity` (RFC 3501 §2.3.1.1); None is a server that gives none, so that no UID can be
    trusted from one session to the next.
    """

    folder: str
    uid_validity: int | None
    next_uid: int = 1
    highest_modseq: int | None = None
    search_terms: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a folder looked like when it was opened. `next_uid` is above every UID in it."""

    folder: str
    uid_validity: int | None
    next_uid: int
    exists: int
    highest_modseq: int | None = None
    vanished: tuple[range, ...] = ()


@dataclass(frozen=True, slots=True)
class Glance:
    """By what it is seen from outside whether something has come to a folder; None is what the server didn't say."""

    uid_validity: int | None
    next_uid: int | None
    exists: int | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing has come since the last look."""


@dataclass(frozen=True, slots=True)
class FetchFrom:
    """Fetch what lies at or above this UID and is not filed yet."""

    uid: int


@dataclass(frozen=True, slots=True)
class StartOver:
    """The UIDs that we know mean nothing any more: recognise what we have, fetch the rest."""

    why: str


Plan = Nothing | FetchFrom | StartOver


def plan(cursor: Cursor | None, seen: Snapshot, search_terms: str = "") -> Plan:
    """What there is to do in a folder, given how far we have come and what it shows now."""
    if cursor is None:
        return FetchFrom(1)  # never looked at this folder
    if seen.uid_validity is None:
        return StartOver("the server gives no UIDVALIDITY")
    if cursor.uid_validity != seen.uid_validity:
        return StartOver(f"UIDVALIDITY changed from {cursor.uid_validity} to {seen.uid_validity}")
    if seen.next_uid < cursor.next_uid:
        return StartOver(f"UIDNEXT went back from {cursor.next_uid} to {seen.next_uid}")
    if cursor.search_terms != search_terms:
        return FetchFrom(1)  # older mail may match the new terms
    if cursor.next_uid == seen.next_uid:
        return Nothing()
    return FetchFrom(cursor.next_uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder at the server. `special_use` is `inbox`, `sent`, `junk`, `trash`, `drafts`, `archive`, `all`,
    `flagged`, `important`, or ''."""

    name: str
    selectable: bool
    special_use: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """By what a message is recognised when its UID is new: cheap to ask for, and the same at every visit."""

    uid: int
    size: int
    internal_date: datetime | None
    message_id: str

    @property
    def mark(self) -> bytes | None:
        """Sixteen bytes that are equal for the same message; None where it has too little to be told by."""
        if not self.message_id:
            return None
        date = self.internal_date.isoformat() if self.internal_date else ""
        return blake2b(f"{self.size} {date} {self.message_id}".encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One message in one place at the server. `email` is the number of the email it became, None when that was
    deleted here since: the message is then known, and stays away."""

    uid: int
    mark: bytes | None
    digest: bytes
    email: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message as the server gave it. `cut` says why `content` is the header alone, or is None."""

    uid: int
    size: int
    internal_date: datetime | None
    content: Buffer
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that has come to an open folder; itself, where it was given in the same breath."""

    identity: Identity
    message: RawMessage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """How a sync ended: the emails it filed, in the mailbox's order, or why it failed (in words for the user)."""

    event_id: EventId
    email_ids: tuple[EmailId, ...]
    logs: tuple[str, ...] | None = None
    failure: str | None = None
    seen: Snapshot | None = None
    cancelled: bool = False
    """Somebody has ended it, as `failure` says: nothing is wrong, and the next sync goes on."""


class Knock(Protocol):
    """What may end a wait: it is set when there is something to do, and `ear` is called when that happens."""

    ear: Callable[[], object] | None

    def is_set(self) -> bool: ...


class Wake(Knock, Protocol):
    """A knock that can be waited for by itself, and stays set until it is cleared, as an asyncio.Event."""

    async def wait(self) -> Literal[True]: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...


class Mailbox(Protocol):
    """A signed-in session at an external mailbox. Nothing here changes anything at the server, but `append`.

    Every method raises RemoteError and its kin; after one, only `close` may be called.
    """

    async def select(self, folder: str, known: Cursor | None = None) -> Snapshot:
        """Open a folder for reading. Raises FolderMissing when it is not there."""
        ...

    async def search(self, uids: range, *, terms: str = "", since: date | None = None) -> list[int]:
        """The UIDs in this range that match, ascending. Raises Invalid when the terms are no search keys."""
        ...

    def identities(self, uids: Sequence[int], *, message_ids: bool = True) -> AsyncIterator[Identity]:
        """By what these messages can be recognised, without their bodies.

        Without `message_ids` only sizes and dates are asked for, which costs the server much less.
        """
        ...

    async def arrivals(self, next_uid: int) -> list[Arrival]:
        """What has come to the selected folder under this UID and higher ones, ascending, recognised as by `identities`
        without message ids; small messages, where they are few, at once. The folder is not opened anew."""
        ...

    async def list_folders(self) -> list[Folder]:
        """The folders of the mailbox, as the server lists them."""
        ...

    def fetch(self, identities: Sequence[Identity]) -> AsyncGenerator[RawMessage, None]:
        """The messages themselves, as they come; one that is gone meanwhile is left out. Whoever leaves early and
        closes the generator ends the session."""
        ...

    @property
    def can_push(self) -> bool:
        """Whether the server says that it tells of new mail by itself (IDLE)."""
        ...

    async def glance(self, folder: str) -> Glance:
        """The numbers of a folder that need not be selected. Raises FolderMissing."""
        ...

    async def notify(self, folders: Sequence[str]) -> bool:
        """Have `idle` end for news in these folders too. False: the server can't, they must be asked after."""
        ...

    async def idle(self, wake: Knock, rest: float | None = None) -> bool:
        """Wait in the selected folder until the server tells of a change (True), `wake` is set or `rest` seconds are
        over (False)."""
        ...

    @property
    def has_news(self) -> bool:
        """The server has told of a change in an answer to something else: `idle` returns at once."""
        ...

    async def anything_new(self) -> bool:
        """Ask whether the selected folder has changed since it was last looked at, or told of."""
        ...

    async def sent_folder(self) -> str | None:
        """The folder where sent mail is kept, by its special use or by its name; None when there is none to be
        seen."""
        ...

    async def holds(self, folder: str, message_id: str) -> bool:
        """Whether a message with this id (without its brackets) lies in a folder. Raises FolderMissing."""
        ...

    async def append(self, folder: str, message: bytes, at: datetime) -> None:
        """Put a message there, read, as if it had come at that moment. Raises FolderMissing, and Refused."""
        ...

    async def close(self) -> None:
        """Say goodbye and close; never raises."""
        ...
