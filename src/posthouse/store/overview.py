"""Reading connectors as a list for people: a page of them in a handful of statements, however many there are.

One statement works out how every connector of the account stands, and gives the counts and the numbers of the page;
the rest is read of these few alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa

from posthouse.model.overview import DAYS, TROUBLED_FIRST, Order, OverviewQuery, Summary
from posthouse.model.standing import MOST_REFUSALS, Mode, State
from posthouse.model.values import AccountId, ConnectorId, InboxId
from posthouse.store.connection import Connection
from posthouse.store.rows import Row
from posthouse.store.tables import Utc, connections, connectors, emails, inboxes, schedules, standings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000  # ages are compared in microseconds, exactly as Python does

_IMAP = connections.alias("imap")
_SMTP = connections.alias("smtp")
_READABLE = sa.func.coalesce(_IMAP.c.enabled, sa.false())
_SCHEDULED = sa.func.coalesce(schedules.c.enabled, sa.false())
_RANKS = {state.value: rank for rank, state in enumerate(TROUBLED_FIRST)}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often freshness should be proved: of who is pushed, of who has no interval of its own, and the shortest."""

    push: timedelta = field(compare=False)
    """It changes with their number, and stands in no statement."""
    default: timedelta
    least: timedelta


class Overviews:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name

    async def find(
        self, account: AccountId, query: OverviewQuery, now: datetime, pace: Pace
    ) -> tuple[dict[State, int], list[int]]:
        """How many of the connectors that the search finds stand how, and the numbers of those on the page."""
        statement = _finding(self._dialect, pace, query.search, query.state, query.order)
        values = _moments(now, pace) | {"account": account, "size": query.size, "offset": query.page * query.size}
        rows = (await self._connection.execute(statement, values)).all()
        told = {State(row.state): row.amount for row in rows if row.number is None}
        return told, [row.number for row in rows if row.number is not None]

    async def summaries(
        self, account: AccountId, which: Sequence[int] | Sequence[ConnectorId], now: datetime, pace: Pace
    ) -> list[Summary]:
        """These connectors (by number or by id; a few hundred at most), in this order, as far as they are there."""
        if not which:
            return []
        column = "number" if isinstance(which[0], int) else "id"
        values = _moments(now, pace) | {"account": account, "which": which}
        rows = (await self._connection.execute(_showing(self._dialect, pace, column), values)).mappings().all()
        mail = await self._mail([row["inbox_id"] for row in rows], now)
        found = {row[column]: _summary(row, mail) for row in rows}
        return [found[one] for one in which if one in found]

    async def _mail(self, of: Sequence[InboxId], now: datetime) -> dict[InboxId, "_Mail"]:
        """What has come into these inboxes."""
        mail = {row[0]: _Mail(*row[1:]) for row in await self._connection.execute(_COUNTING, {"inboxes": of})}
        first = now.astimezone(UTC).date() - timedelta(days=DAYS - 1)
        since = datetime.combine(first, time(), UTC)
        recent = [inbox for inbox, known in mail.items() if known.last_at >= since]
        values = {"inboxes": recent, "since": since}
        for inbox, text, count in await self._connection.execute(_by_day(self._dialect), values) if recent else ():
            number = (date.fromisoformat(str(text)) - first).days
            if number < DAYS:  # else a clock of another process is ahead, or midnight has passed
                mail[inbox].days[number] += count
        return mail


# Statements. They are large, and made once for what they are asked.


@lru_cache(maxsize=200)
def _finding(dialect: str, pace: Pace, search: str, state: State | None, order: Order) -> sa.CompoundSelect[Any]:
    found = (
        _known(sa.select(connectors.c.number, _state(dialect, pace).label("state"), standings.c.fresh_as_of))
        .add_columns(_title().label("title"))
        .where(connectors.c.account_id == sa.bindparam("account"), *_holding(search))
        .cte("found")
    )
    counts = sa.select(
        found.c.state, sa.func.count().label("amount"), sa.cast(sa.null(), sa.BigInteger).label("number")
    ).group_by(found.c.state)
    page = sa.select(found.c.state, sa.literal(0), found.c.number)
    if state is not None:
        page = page.where(found.c.state == state)
    orders: dict[Order, tuple[Any, ...]] = {
        Order.TROUBLED: (sa.case(_RANKS, value=found.c.state), found.c.title, found.c.number),
        Order.NAME: (found.c.title, found.c.number),
        Order.FRESHNESS: (found.c.fresh_as_of.asc().nulls_first(), found.c.number),
    }
    page = page.order_by(*orders[order]).limit(sa.bindparam("size")).offset(sa.bindparam("offset"))
    # The page keeps its order: a UNION ALL gives one part's rows after the other's.
    return sa.union_all(counts, sa.select(page.subquery()))


@cache
def _showing(dialect: str, pace: Pace, column: str) -> sa.Select[Any]:
    return (
        _known(sa.select(*_SHOWN, _state(dialect, pace).label("state")))
        .join(inboxes, inboxes.c.id == connectors.c.inbox_id)
        .outerjoin(_SMTP, sa.and_(_SMTP.c.connector_id == connectors.c.id, _SMTP.c.protocol == "smtp"))
        .where(
            connectors.c.account_id == sa.bindparam("account"),
            connectors.c[column].in_(sa.bindparam("which", expanding=True)),
        )
    )


_THEIRS = emails.c.inbox_id.in_(sa.bindparam("inboxes", expanding=True))
_COUNTING = (
    sa.select(
        emails.c.inbox_id,
        sa.func.count(),
        sa.func.count(sa.case((~emails.c.read, 1))),
        sa.func.max(emails.c.created_at),
    )
    .where(_THEIRS)
    .group_by(emails.c.inbox_id)
)


@cache
def _by_day(dialect: str) -> sa.Select[Any]:
    """Emails of each day in UTC, which is written as in ISO 8601."""
    day: sa.ColumnElement[Any]
    if dialect == "postgresql":
        day = sa.cast(sa.cast(sa.func.timezone("UTC", emails.c.created_at), sa.Date), sa.Text)
    else:
        day = sa.func.substr(sa.type_coerce(emails.c.created_at, sa.Text), 1, 10)
    query = sa.select(emails.c.inbox_id, day.label("day"), sa.func.count())
    query = query.where(_THEIRS, emails.c.created_at >= sa.bindparam("since", type_=Utc))
    return query.group_by(emails.c.inbox_id, sa.text("day"))


# How connectors stand


def _state(dialect: str, pace: Pace) -> sa.ColumnElement[str]:
    """`model.standing.state_of`, for the rows of `_known`, at the moment that `_moments` tells of."""
    interval = sa.func.coalesce(sa.func.nullif(schedules.c.interval_seconds, 0), _seconds(pace.default))
    pushed = standings.c.mode == Mode.PUSH
    expected = sa.case((interval >= _seconds(pace.least), interval), else_=_seconds(pace.least))
    age = sa.bindparam("now", type_=sa.BigInteger) - _micros(dialect, standings.c.fresh_as_of)

    def older(times: int) -> sa.ColumnElement[bool]:
        """Than so many times what is expected. Nearly all are pushed, and need no reckoning."""
        before = standings.c.fresh_as_of < sa.bindparam(f"late_{times}", type_=Utc)
        return sa.case((pushed, before), else_=age > times * _SECOND * expected)

    never, failing = standings.c.fresh_as_of.is_(None), standings.c.failures > 0
    return sa.case(
        (~(connectors.c.enabled & _READABLE & _SCHEDULED), sa.literal(State.PAUSED.value)),
        (standings.c.lasting | (standings.c.refusals >= MOST_REFUSALS), State.BROKEN.value),
        (never & failing, State.STALE.value),
        (never, State.LAGGING.value),
        (older(5), State.STALE.value),
        (older(2) | failing, State.LAGGING.value),
        else_=State.FRESH.value,
    )


def _moments(now: datetime, pace: Pace) -> dict[str, Any]:
    """What `_state` compares with."""
    late = {f"late_{times}": now - times * pace.push for times in (2, 5)}
    return {"now": (now - _EPOCH) // timedelta(microseconds=1), **late}


def _micros(dialect: str, moment: sa.ColumnElement[datetime]) -> sa.ColumnElement[int]:
    """Microseconds since 1970, exactly."""
    if dialect == "postgresql":
        return sa.cast(sa.extract("epoch", moment) * _SECOND, sa.BigInteger)
    text = sa.type_coerce(moment, sa.Text)
    # Of the whole seconds alone: SQLite rounds to milliseconds, and so to the next second.
    whole = sa.cast(sa.func.strftime("%s", sa.func.substr(text, 1, 19)), sa.BigInteger)
    return whole * _SECOND + sa.cast(sa.func.substr(text, 21, 6), sa.BigInteger)


@dataclass(slots=True)
class _Mail:
    total: int
    unread: int
    last_at: datetime
    days: list[int] = field(default_factory=lambda: [0] * DAYS)


_SHOWN = (
    connectors.c.number,
    connectors.c.id,
    connectors.c.name,
    connectors.c.email_address,
    connectors.c.inbox_id,
    inboxes.c.email_address.label("inbox_address"),
    sa.func.coalesce(_IMAP.c.host, _SMTP.c.host).label("host"),
    connectors.c.enabled,
    _READABLE.label("readable"),
    _SCHEDULED.label("scheduled"),
    standings.c.mode,
    standings.c.fresh_as_of,
    standings.c.problem,
    standings.c.problem_since,
)


def _known(query: sa.Select[Any]) -> sa.Select[Any]:
    """The query from connectors with all that says how they stand."""
    return (
        query.select_from(connectors)
        .join(standings, standings.c.connector_id == connectors.c.id)
        .outerjoin(schedules, schedules.c.connector_id == connectors.c.id)
        .outerjoin(_IMAP, sa.and_(_IMAP.c.connector_id == connectors.c.id, _IMAP.c.protocol == "imap"))
    )


def _inbox_address() -> sa.ScalarSelect[str]:
    query = sa.select(inboxes.c.email_address).where(inboxes.c.id == connectors.c.inbox_id)
    return query.correlate(connectors).scalar_subquery()


def _title() -> sa.ColumnElement[str]:
    """`Summary.title`, for sorting."""
    name, address = sa.func.nullif(connectors.c.name, ""), sa.func.nullif(connectors.c.email_address, "")
    # In few cases the inbox's address is needed, and then looked up; a join would look all of them up.
    return sa.func.lower(sa.func.coalesce(name, address, _inbox_address()))


def _holding(search: str) -> list[sa.ColumnElement[bool]]:
    """True for the connectors that have each of these words in what they are known by."""
    at = sa.select(connections.c.host).where(connections.c.connector_id == connectors.c.id).correlate(connectors)
    return [
        connectors.c.name.icontains(word, autoescape=True)
        | connectors.c.email_address.icontains(word, autoescape=True)
        | _inbox_address().icontains(word, autoescape=True)
        | at.where(connections.c.host.icontains(word, autoescape=True)).exists()
        for word in search.split()
    ]


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())


def _summary(row: Row, mail: Mapping[InboxId, _Mail]) -> Summary:
    known = mail.get(row["inbox_id"])
    live = row["enabled"] and row["readable"] and row["scheduled"]
    names = (column.key for column in _SHOWN if column.key not in ("number", "mode"))
    return Summary(
        **{name: row[name] for name in names},
        state=State(row["state"]),
        mode=Mode(row["mode"]) if live else Mode.MANUAL,
        unread=known.unread if known else 0,
        total=known.total if known else 0,
        last_mail_at=known.last_at if known else None,
        days=tuple(known.days) if known else (0,) * DAYS,
    )
