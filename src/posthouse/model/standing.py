"""How a connector stands: how fresh its inbox is, proved, and what is wrong with it, in words.

Freshness is never concluded from the absence of errors. `fresh_as_of` is the last moment at which the server said,
in so many words, that there is nothing newer than what we have; everything else is told by how old that is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from posthouse.model.values import ConnectorId

MOST_REFUSALS = 3
"""After so many refused sign-ins in a row we stop asking, so that nobody's account is locked."""


NO_PROBLEM: dict[str, Any] = {
    "failures": 0,
    "refusals": 0,
    "lasting": False,
    "problem": None,
    "problem_since": None,
}
"""What a success, or new settings, make of a standing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the sessions that a server pushes to are asked whether they really have nothing new, in one process.

    Each comes once in a round: of `shortest` while that takes no more than `a_second` questions, else of as long as
    they take, up to `longest`.
    """

    shortest: timedelta = timedelta(seconds=45)
    longest: timedelta = timedelta(minutes=5)
    a_second: float = 40.0
    """A question costs 0.2 ms where many are asked together: not quite a hundredth of a core."""

    def round_of(self, sessions: int) -> timedelta:
        """How long a round of so many sessions takes."""
        return min(max(self.shortest, timedelta(seconds=sessions / self.a_second)), self.longest)


PACE = Pace()


class State(StrEnum):
    FRESH = "fresh"
    LAGGING = "lagging"
    STALE = "stale"
    BROKEN = "broken"
    PAUSED = "paused"


class Mode(StrEnum):
    """How a connector learns of new mail: told by the server, by asking at intervals, or only when asked."""

    PUSH = "push"
    POLL = "poll"
    MANUAL = "manual"


class MomentKind(StrEnum):
    """What a line of a connector's timeline is about."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    DOWNGRADED = "downgraded"
    UPGRADED = "upgraded"
    STOPPED = "stopped"
    CHANGED = "changed"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of a connector's timeline."""

    at: datetime
    kind: MomentKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a connector's doings; `problem` is the last failure since the last success, in words."""

    connector_id: ConnectorId
    mode: Mode = Mode.MANUAL
    fresh_as_of: datetime | None = None
    problem: str | None = None
    problem_since: datetime | None = None
    lasting: bool = False
    last_words: str | None = None
    failures: int = 0
    refusals: int = 0
    due_at: datetime | None = None
    uid_validity: int | None = None
    last_uid: int | None = None
    pushed_at: datetime | None = None
    owned: bool = False

    @property
    def locked_out(self) -> bool:
        """Refused so often that only new settings make us try again."""
        return self.refusals >= MOST_REFUSALS


def state_of(standing: Standing, now: datetime, *, live: bool, expected: timedelta) -> State:
    """How a connector stands at this moment. `live`: it is meant to look after itself; `expected`: how often its
    freshness should be proved.

    A lasting problem (refused credentials, an untrusted certificate) is BROKEN until it is gone. Otherwise age tells:
    over twice what is expected is LAGGING, over five times is STALE, and so is what was never proved.
    """
    if not live:
        return State.PAUSED
    if standing.lasting or standing.locked_out:
        return State.BROKEN
    if standing.fresh_as_of is None:
        return State.STALE if standing.failures else State.LAGGING
    age = now - standing.fresh_as_of
    if age > 5 * expected:
        return State.STALE
    if age > 2 * expected or standing.failures:
        return State.LAGGING
    return State.FRESH
