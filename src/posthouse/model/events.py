"""What happened: a line of an inbox's journal, one sync or send of a connector, and what was said meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from posthouse.model.budgets import Usage
from posthouse.model.errors import Cancelled, FolderMissing, NotFound, RemoteError, Stage
from posthouse.model.hearing import Ear, Reached, Said, deaf
from posthouse.model.values import AccountId, ConnectorId, EmailId, EventId, InboxId


class Happening(StrEnum):
    """What a line of the journal says."""

    EMAIL_RECEIVED = "EMAIL_RECEIVED"
    EMAIL_READ = "EMAIL_READ"
    EMAIL_UNREAD = "EMAIL_UNREAD"
    EMAIL_DELETED = "EMAIL_DELETED"
    EMAIL_SENT = "EMAIL_SENT"
    BOUNCED = "bounced"
    BOUNCED_RECIPIENT = "bounced_recipient"
    DELIVERY_STATUS = "delivery_status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of an inbox's journal. Positions start at 1 and have no gaps, and their order is the order of commits.

    `email_id` names the row that the line is about: a received or sent email, a bounce, a bounced recipient, a delivery
    status.
    """

    inbox_id: InboxId
    position: int
    happening: Happening
    email_id: EmailId | None
    at: datetime


class EventType(StrEnum):
    SYNC = "SYNC"
    SEND = "SEND"


class EventStatus(StrEnum):
    """How a sync or send ended. The words are MailSlurp's; there are no others that its clients know."""

    SUCCESS = "SUCCESS"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SUBSCRIPTION_ERROR = "SUBSCRIPTION_ERROR"
    CONNECTION_ERROR = "CONNECTION_ERROR"
    NOT_FOUND = "NOT_FOUND"


def status_of(error: BaseException | None) -> EventStatus:
    """The status that tells of this end."""
    match error:
        case None | Cancelled():  # it did as it was told, and what it had done is whole
            return EventStatus.SUCCESS
        case FolderMissing() | NotFound():
            return EventStatus.NOT_FOUND
        case RemoteError():
            return EventStatus.CONNECTION_ERROR
        case _:
            return EventStatus.INTERNAL_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorEvent:
    """One sync or one send: how it ended, how many emails it moved, and the conversation where it was kept."""

    id: EventId
    account_id: AccountId
    connector_id: ConnectorId
    type: EventType
    status: EventStatus
    size: int
    message: str | None
    logs: str | None
    seen: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How a connection test went: how far it came, in words for the user, with what was said."""

    __test__ = False  # pytest collects what is called Test…

    success: bool
    message: str
    stage: Stage | None = None
    logs: tuple[str, ...] = ()


@dataclass(slots=True)
class Transcript:
    """What was said on a connection, line by line, secrets masked by those who write it.

    Bounded: the first `head` lines and the last `tail` are kept, so that neither the sign-in nor the end is lost
    to a long transfer between them. An ear hears all of it, and the stages that the connection reaches. Sign-ins and
    commands are counted until they are written down elsewhere.
    """

    head: int = 400
    tail: int = 400
    _ear: Ear = deaf
    _stage: Stage | None = None
    _first: list[str] = field(default_factory=list)
    _last: list[str] = field(default_factory=list)
    _left_out: int = 0
    _logins: int = 0
    _commands: int = 0

    def note(self, line: str) -> None:
        if not line.isprintable():
            line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        self._ear(Said(line))
        if len(self._first) < self.head:
            self._first.append(line)
            return
        self._last.append(line)
        if len(self._last) >= 2 * self.tail:
            self._left_out += len(self._last) - self.tail
            del self._last[: -self.tail]

    def reach(self, stage: Stage) -> None:
        """The connection is at this stage now."""
        if stage is not self._stage:
            self._stage = stage
            self._ear(Reached(stage))

    def count_command(self, *, login: bool) -> None:
        """A command has been said; `login`, by which we sign in."""
        self._commands += 1
        self._logins += login

    @property
    def uncounted(self) -> Usage:
        """What has been asked of the server, and is not written down."""
        return Usage(logins=self._logins, commands=self._commands)

    def counted(self, used: Usage) -> None:
        """So much of that is written down."""
        self._logins -= used.logins
        self._commands -= used.commands

    @contextmanager
    def heard_by(self, ear: Ear) -> Iterator[None]:
        """Let this ear hear what is said from now on, until the block ends."""
        self._ear, self._stage = ear, None
        try:
            yield
        finally:
            self._ear = deaf

    def forget_since(self, count: int) -> None:
        """Leave out what has been noted since `count` was this, as far as it stands at the end."""
        for lines in (self._last, self._first):
            if (new := self.count - count) > 0:
                del lines[max(0, len(lines) - new) :]

    @property
    def lines(self) -> list[str]:
        last = self._last[-self.tail :]
        left_out = self._left_out + len(self._last) - len(last)
        gap = [f"({left_out} lines left out)"] if left_out else []
        return [*self._first, *gap, *last]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def count(self) -> int:
        """How many lines have been noted so far, those left out included."""
        return len(self._first) + self._left_out + len(self._last)

    def since(self, count: int) -> list[str]:
        """What has been noted since `count` was this, as far as it is kept."""
        new = self.count - count
        return self.lines[-new:] if 0 < new < len(self.lines) else self.lines if new > 0 else []
