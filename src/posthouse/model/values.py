"""Small values that every other room speaks in: ids, secrets, pages, pauses."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Generic, NewType, TypeVar
from uuid import UUID

AccountId = NewType("AccountId", UUID)
ConnectorId = NewType("ConnectorId", UUID)
EventId = NewType("EventId", UUID)
InboxId = NewType("InboxId", UUID)
EmailId = NewType("EmailId", UUID)
SentId = NewType("SentId", UUID)
DraftId = NewType("DraftId", UUID)
TemplateId = NewType("TemplateId", UUID)
ContactId = NewType("ContactId", UUID)
GroupId = NewType("GroupId", UUID)
PlusAddressId = NewType("PlusAddressId", UUID)
ExpiredId = NewType("ExpiredId", UUID)
JobId = NewType("JobId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
BounceId = NewType("BounceId", UUID)
ThreadId = NewType("ThreadId", UUID)
BouncedId = NewType("BouncedId", UUID)
UploadId = NewType("UploadId", str)
"""An uploaded attachment's id. Attachment ids are opaque strings on the wire, unlike every other id."""

Clock = Callable[[], datetime]
"""Tells the present moment, aware and in UTC."""


class _Sequence:
    """Makes UUIDs of version 7 that grow strictly, so that the order of ids is the order of making."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, now: datetime) -> UUID:
        # RFC 9562 §5.7, with method 3 of §6.2: the twelve bits after the version hold fractions of a millisecond.
        ticks = int(now.timestamp() * 4_096_000)
        with self._lock:
            self._last = ticks = max(ticks, self._last + 1)
        millis, fraction = divmod(ticks, 4096)
        value = (millis & ((1 << 48) - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62
        return UUID(int=value | secrets.randbits(62))


_sequence = _Sequence()


def new_id(now: datetime) -> UUID:
    """A new id. Ids made later in this process compare greater; across processes they follow the clock."""
    return _sequence.next(now)


def utc_now() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


class Secret:
    """A text that never prints itself. `reveal()` is the only way to it, and is called where it is used up."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and secrets.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Sort(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Which part of a list is asked for: a page, an order by creation, and bounds on creation (both exclusive)."""

    page: int = 0
    size: int = 20
    sort: Sort = Sort.ASC
    since: datetime | None = None
    before: datetime | None = None

    @property
    def offset(self) -> int:
        return self.page * self.size


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a longer list, with the length of the whole."""

    items: tuple[T, ...]
    total: int
    asked: Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to pause after so many failures in a row: doubling from `first` up to `most`."""

    first: timedelta = timedelta(seconds=5)
    most: timedelta = timedelta(minutes=15)

    def pause(self, failures: int) -> timedelta:
        doublings = min(max(failures - 1, 0), 30)
        return min(self.first * (1 << doublings), self.most)
