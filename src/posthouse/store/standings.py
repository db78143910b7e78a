"""Rows of how connectors stand, and of the timelines behind that."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from posthouse.model.budgets import NOTHING_USED, Usage
from posthouse.model.standing import NO_PROBLEM, Mode, Moment, MomentKind, Standing
from posthouse.model.values import ConnectorId
from posthouse.store.among import Among
from posthouse.store.connection import Connection
from posthouse.store.rows import UNANSWERED, Row
from posthouse.store.tables import Utc, live_connectors, moments, schedules, standings, usage

TIMELINE = 100
"""How many moments of a connector are kept."""


_THIS = standings.c.connector_id == sa.bindparam("connector")
_FIND = sa.select(standings).where(_THIS)
_HOLD = Among(
    sa.select(standings)
    .where(standings.c.connector_id.in_(sa.bindparam("connectors", expanding=True)))
    .order_by(standings.c.connector_id)  # in one order, as everybody who takes several
    .with_for_update()
)


_USED = (usage.c.bytes, usage.c.logins, usage.c.commands)


def _using(insert: sqlite.Insert | postgresql.Insert) -> sa.Executable:
    return insert.on_conflict_do_update(
        index_elements=[usage.c.connector_id, usage.c.day],
        set_={column.name: column + insert.excluded[column.name] for column in _USED},
    )


_USE = {"sqlite": _using(sqlite.insert(usage)), "postgresql": _using(postgresql.insert(usage))}
_FIND_USE = sa.select(*_USED).where(
    usage.c.connector_id == sa.bindparam("connector"), usage.c.day == sa.bindparam("today")
)


_MOMENT = sa.bindparam("moment", type_=Utc)
_PROVE = (
    sa.update(standings)
    .where(
        standings.c.connector_id == sa.bindparam("proved"),
        sa.or_(standings.c.fresh_as_of.is_(None), standings.c.fresh_as_of < _MOMENT),
        sa.or_(standings.c.problem_since.is_(None), standings.c.problem_since < _MOMENT),
    )
    .values(fresh_as_of=_MOMENT, **NO_PROBLEM)
)


_PLAN = sa.update(standings).where(standings.c.connector_id == sa.bindparam("planned")).values(due_at=_MOMENT)
_MOST_PUSHED = (
    sa.select(sa.func.count().label("pushed"))
    .where(standings.c.mode == Mode.PUSH.value)
    .group_by(standings.c.owner_id)
    .order_by(sa.desc("pushed"))
    .limit(1)
)


_ADD_MOMENT = sa.insert(moments).returning(moments.c.number)
_THEIR_MOMENTS = moments.c.connector_id == sa.bindparam("connector")
_KEPT_MOMENT = (
    sa.select(moments.c.number)
    .where(_THEIR_MOMENTS, moments.c.number <= sa.bindparam("newest"))
    .order_by(moments.c.number.desc())
    .offset(TIMELINE)
    .limit(1)
    .scalar_subquery()
)
_TRIM_MOMENTS = sa.delete(moments).where(_THEIR_MOMENTS, moments.c.number <= _KEPT_MOMENT)


@cache
def _changing(names: frozenset[str]) -> sa.Update:
    """The statement that sets these columns; few sets of names are ever asked for."""
    change = sa.update(standings).where(_THIS).values({name: sa.bindparam(name) for name in sorted(names)})
    return change.execution_options(**{UNANSWERED: True})


class Standings:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, connector: ConnectorId) -> Standing | None:
        """None when there is no such connector."""
        row = (await self._connection.execute(_FIND, {"connector": connector})).mappings().first()
        return None if row is None else standing_of(row)

    async def get(self, connector: ConnectorId) -> Standing:
        return await self.find(connector) or Standing(connector_id=connector)

    async def change(self, connector: ConnectorId, **values: Any) -> None:
        """Set some of a standing's fields."""
        await self.change_all({connector: values})

    async def held(self, connectors: Collection[ConnectorId]) -> dict[ConnectorId, Standing]:
        """How these connectors stand, as far as they are there; nobody changes that until this transaction ends."""
        rows = (await self._connection.execute(*_HOLD.of({"connectors": connectors}))).mappings()
        return {row["connector_id"]: standing_of(row) for row in rows}

    async def change_all(self, changes: Mapping[ConnectorId, Mapping[str, Any]]) -> None:
        """As `change`, for several connectors: lock them in one order before."""
        alike: dict[frozenset[str], list[dict[str, Any]]] = {}
        for connector, values in changes.items():
            if values:
                alike.setdefault(frozenset(values), []).append({**values, "connector": connector})
        for names, rows in alike.items():
            await self._connection.execute(_changing(names), rows)

    async def prove(self, proofs: Mapping[ConnectorId, datetime]) -> None:
        """Note the moments at which connectors were proved fresh, many at once; never back in time.

        That ends an earlier problem: a process that was paused may have written it down after others had taken over.
        """
        rows = [{"proved": connector, "moment": moment} for connector, moment in sorted(proofs.items())]
        await self._connection.execute(_PROVE, rows)

    async def plan(self, planned: Mapping[ConnectorId, datetime]) -> None:
        """Note when connectors are looked at next, many at once."""
        if planned:
            rows = [{"planned": connector, "moment": moment} for connector, moment in sorted(planned.items())]
            await self._connection.execute(_PLAN, rows)

    async def most_pushed(self) -> int:
        """How many connectors that are pushed belong to the same worker, at most."""
        return await self._connection.scalar(_MOST_PUSHED) or 0

    async def add_moment(self, connector: ConnectorId, moment: Moment) -> None:
        """Write a line into the connector's timeline; the oldest beyond TIMELINE goes."""
        values = {"connector_id": connector, "at": moment.at, "kind": moment.kind, "text": moment.text}
        number = await self._connection.scalar(_ADD_MOMENT, values)
        await self._connection.execute(_TRIM_MOMENTS, {"connector": connector, "newest": number})

    async def states(self) -> list[tuple[Standing, timedelta]]:
        """How all connectors stand that look after themselves, with their intervals (zero: none is set)."""
        query = (
            sa.select(standings, schedules.c.interval_seconds)
            .join(schedules, schedules.c.connector_id == standings.c.connector_id)
            .where(standings.c.connector_id.in_(live_connectors()))
        )
        rows = (await self._connection.execute(query)).mappings()
        return [(standing_of(row), timedelta(seconds=row["interval_seconds"] or 0)) for row in rows]

    async def timeline(self, connector: ConnectorId) -> list[Moment]:
        """The latest moments of a connector, newest first."""
        query = sa.select(moments).where(moments.c.connector_id == connector).order_by(moments.c.number.desc())
        rows = (await self._connection.execute(query.limit(TIMELINE))).mappings()
        return [Moment(at=row["at"], kind=MomentKind(row["kind"]), text=row["text"]) for row in rows]

    async def count_usage(self, uses: Mapping[ConnectorId, Usage], day: date) -> None:
        """Add to what connectors, all of which are there, have asked of their mailboxes on a day."""
        rows = [
            {"connector_id": connector, "day": day, "bytes": use.bytes, "logins": use.logins, "commands": use.commands}
            for connector, use in sorted(uses.items())  # in one order, as everybody who takes several
            if use
        ]
        if not rows:
            return
        await self._connection.execute(_USE[self._connection.dialect.name], rows)

    async def forget_usage(self, before: date) -> int:
        """Forget what was asked on earlier days than this. Of how many connectors and days that was."""
        return (await self._connection.execute(sa.delete(usage).where(usage.c.day < before))).rowcount

    async def usage(self, connector: ConnectorId, day: date) -> Usage:
        """What has been asked of the connector's mailbox on a day, as far as it is written down."""
        row = (await self._connection.execute(_FIND_USE, {"connector": connector, "today": day})).first()
        return NOTHING_USED if row is None else Usage(bytes=row.bytes, logins=row.logins, commands=row.commands)


def standing_of(row: Row) -> Standing:
    left_out = {"owner_id", "lease_holder", "leased_until", "interval_seconds"}
    values = {name: value for name, value in row.items() if name not in left_out}
    return Standing(**{**values, "mode": Mode(values["mode"]), "owned": row["owner_id"] is not None})


async def create_standing(connection: Connection, connector: ConnectorId) -> None:
    """Every connector stands somehow, from its first moment."""
    await connection.execute(
        sa.insert(standings).values(connector_id=connector, mode=Mode.MANUAL, lasting=False, failures=0, refusals=0)
    )
