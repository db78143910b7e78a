"""How a connector stands, as the API tells it: words of our own, which MailSlurp has none for."""

from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from posthouse.api.wire.common import Moment, WireModel
from posthouse.model import standing
from posthouse.model.budgets import Budget, Usage
from posthouse.services.running import UnderWay
from posthouse.services.watching import Report


class ConnectorCondition(StrEnum):
    """FRESH: proved to be up to date. LAGGING, STALE: the proof is old, very old. BROKEN: only a change of settings
    helps. PAUSED: not looked after, because it is disabled or has no schedule."""

    FRESH = "FRESH"
    LAGGING = "LAGGING"
    STALE = "STALE"
    BROKEN = "BROKEN"
    PAUSED = "PAUSED"


class ConnectorMode(StrEnum):
    """How we learn of new mail: told by the server, by asking at intervals, or only when somebody asks us."""

    PUSH = "PUSH"
    POLL = "POLL"
    MANUAL = "MANUAL"


class ConnectorMomentDto(WireModel):
    """One line of a timeline."""

    at: Moment
    kind: str
    text: str

    @classmethod
    def of(cls, moment: standing.Moment) -> Self:
        return cls(at=moment.at, kind=moment.kind.name, text=moment.text)


class ConnectorUsageDto(WireModel):
    """What was asked of a connector's mailbox since midnight (UTC): bytes of messages, sign-ins that were tried, and
    commands. Beside them what is allowed, which is less than what the `provider` allows, because the mailbox's owner
    has other programs; null where nobody counts. `maxSessions` is of sessions at the same time."""

    bytes: int
    logins: int
    commands: int
    provider: str | None
    max_bytes: int | None
    max_logins: int
    max_sessions: int | None

    @classmethod
    def of(cls, used: Usage, budget: Budget) -> Self:
        return cls(
            bytes=used.bytes,
            logins=used.logins,
            commands=used.commands,
            provider=budget.provider or None,
            max_bytes=budget.daily_bytes,
            max_logins=budget.daily_logins,
            max_sessions=budget.sessions,
        )


class ConnectorStateDto(WireModel):
    """How a connector stands. `freshAsOf` is when the server last said that there is nothing newer than what we have;
    `lagSeconds` is how long ago that was, and `expectedEverySeconds` how often it should be said. `problem` holds what
    fails and what to do about it, `lastWords` what failed last even if that is over. `timeline` has the newest first,
    a hundred lines at the most; `today` is what was asked of the mailbox."""

    connector_id: UUID
    state: ConnectorCondition
    mode: ConnectorMode
    fresh_as_of: Moment | None
    expected_every_seconds: float | None
    lag_seconds: float | None
    last_uid: int | None
    uid_validity: int | None
    pushed_at: Moment | None
    next_run_at: Moment | None
    failures_in_a_row: int
    problem: str | None
    problem_since: Moment | None
    last_words: str | None
    timeline: list[ConnectorMomentDto]
    today: ConnectorUsageDto

    @classmethod
    def of(cls, report: Report, now: datetime) -> Self:
        known = report.standing
        lag = None if known.fresh_as_of is None else max(0.0, (now - known.fresh_as_of).total_seconds())
        return cls(
            connector_id=known.connector_id,
            state=ConnectorCondition[report.state.name],
            mode=ConnectorMode[known.mode.name],
            fresh_as_of=known.fresh_as_of,
            expected_every_seconds=report.expected.total_seconds() if report.expected else None,
            lag_seconds=None if lag is None else round(lag, 3),
            last_uid=known.last_uid,
            uid_validity=known.uid_validity,
            pushed_at=known.pushed_at,
            next_run_at=known.due_at if report.expected else None,
            failures_in_a_row=known.failures,
            problem=known.problem,
            problem_since=known.problem_since,
            last_words=known.last_words,
            timeline=[ConnectorMomentDto.of(moment) for moment in report.timeline],
            today=ConnectorUsageDto.of(report.today, report.budget),
        )


class ConnectorProgressDto(WireModel):
    """How far the sync that goes on just now has come. Of the `messages` that are wanted, `fetchedMessages` have come
    and `filedMessages` are in the inbox; `bytes` are their sizes together, estimated until all are known. What is not
    known is null: all of it when nothing is `running`, or another process of this server is at it."""

    connector_id: UUID
    running: bool
    ending: bool
    folder: str | None
    messages: int | None
    fetched_messages: int | None
    filed_messages: int | None
    bytes: int | None
    fetched_bytes: int | None
    bytes_per_second: float | None
    seconds_left: float | None
    started_at: Moment | None

    @classmethod
    def of(cls, connector_id: UUID, under_way: UnderWay | None) -> Self:
        known = under_way.progress if under_way else None
        speed, left = (known.bytes_per_second, known.time_left) if known else (None, None)
        return cls(
            connector_id=connector_id,
            running=under_way is not None,
            ending=under_way is not None and under_way.ending,
            folder=known.folder if known else None,
            messages=known.messages if known else None,
            fetched_messages=known.fetched if known else None,
            filed_messages=known.filed if known else None,
            bytes=known.expected_bytes if known else None,
            fetched_bytes=known.fetched_bytes if known else None,
            bytes_per_second=None if speed is None else round(speed, 1),
            seconds_left=None if left is None else round(left.total_seconds(), 1),
            started_at=known.began_at if known else None,
        )
