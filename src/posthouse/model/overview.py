"""Connectors as a list for people: how each one stands, and what has come in lately."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from posthouse.model.standing import Mode, State
from posthouse.model.values import ConnectorId, InboxId

DAYS = 14
"""Of so many days is told how much mail came."""


TROUBLED_FIRST = (State.BROKEN, State.STALE, State.LAGGING, State.FRESH, State.PAUSED)


class Order(StrEnum):
    """What comes first. TROUBLED: as TROUBLED_FIRST says, and by name among those who stand alike.
    FRESHNESS: who was proved fresh longest ago, or never."""

    TROUBLED = "troubled"
    NAME = "name"
    FRESHNESS = "freshness"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewQuery:
    """Which connectors are asked for. Each word of `search` stands in the name, the address, the inbox's address or
    the name of a server. Pages count from 0."""

    search: str = ""
    state: State | None = None
    order: Order = Order.TROUBLED
    page: int = 0
    size: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One connector in the list.

    `host` is where mail is read from, else where it is sent through. It is `live` when it looks after itself; why it
    does not is told by `enabled`, `readable` (it has an IMAP connection that is switched on) and `scheduled`. `days`
    are the emails of each of the last DAYS days (UTC), the oldest first and today last.
    """

    id: ConnectorId
    name: str | None
    email_address: str | None
    inbox_id: InboxId
    inbox_address: str
    host: str | None
    enabled: bool
    readable: bool
    scheduled: bool
    state: State
    mode: Mode
    fresh_as_of: datetime | None
    problem: str | None
    problem_since: datetime | None
    unread: int
    total: int
    last_mail_at: datetime | None
    days: tuple[int, ...]

    @property
    def title(self) -> str:
        """What people know it by."""
        return self.name or self.email_address or self.inbox_address

    @property
    def live(self) -> bool:
        return self.enabled and self.readable and self.scheduled


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of connectors. `counts` are of all that the search finds, in whatever state; `total` is how many of them
    are asked for."""

    items: tuple[Summary, ...]
    counts: dict[State, int]
    total: int
    asked: OverviewQuery

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.asked.size))
