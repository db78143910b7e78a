"""Hearing a conversation with a server while it goes on.

Whoever wants to follow a connection test or a sync hands in an ear, which is told three kinds of things at the moment
they happen: a line that was said, the stage that the connection has reached, and how far the sync has come.

    connectors.test_imap(settings, ear), connectors.test_smtp(settings, ear)      Said, Reached
    sync.run(account, connector_id, ear=ear)                                      Said, Reached, Progress

An ear is called in the midst of the work, so it returns at once and never raises. Lines come masked as they stand in
the log: what an ear hears may be shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from posthouse.model.errors import Stage


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the transcript."""

    line: str


@dataclass(frozen=True, slots=True)
class Reached:
    """The connection is at this stage now, and the stages that were told before are behind it. A test or sync that
    fails says by its result at which stage."""

    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a sync has come in a folder: of the `messages` that are wanted, `fetched` have come, and `filed` are in
    the inbox.

    Sizes are asked for some thousands of messages at a time. `sized` is of how many they are known, and `bytes` their
    sum, of which `fetched_bytes` have come.
    """

    folder: str
    messages: int
    fetched: int = 0
    filed: int = 0
    sized: int = 0
    bytes: int = 0
    fetched_bytes: int = 0
    began_at: datetime
    at: datetime

    @property
    def expected_bytes(self) -> int:
        """The size of all messages that are wanted: known, or else by the average of those that are."""
        return self.bytes * self.messages // self.sized if self.sized else 0

    @property
    def bytes_per_second(self) -> float | None:
        """How fast messages have come so far; None as long as there is nothing to tell by."""
        seconds = (self.at - self.began_at).total_seconds()
        return self.fetched_bytes / seconds if self.fetched_bytes and seconds > 0 else None

    @property
    def time_left(self) -> timedelta | None:
        """How long the rest takes if it goes on like this; None as long as there is nothing to tell by."""
        speed = self.bytes_per_second
        return None if speed is None else timedelta(seconds=max(0, self.expected_bytes - self.fetched_bytes) / speed)


Heard = Said | Reached | Progress
Ear = Callable[[Heard], object]


def deaf(_heard: Heard) -> None:
    """The ear of those who only want to know how it ends."""
