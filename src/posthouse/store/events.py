"""Rows of connector events: one for each sync and each send."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa

from posthouse.model.events import ConnectorEvent, EventStatus, EventType
from posthouse.model.values import AccountId, ConnectorId, EventId, Page, Slice
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, read_page
from posthouse.store.tables import events

_ADD = sa.insert(events)
_FIELDS = [field.name for field in fields(ConnectorEvent)]


class Events:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, event: ConnectorEvent) -> None:
        await self.add_all([event])

    async def add_all(self, some: Sequence[ConnectorEvent]) -> None:
        if some:
            await self._connection.execute(_ADD, [{name: getattr(event, name) for name in _FIELDS} for event in some])

    async def get(self, account: AccountId, event: EventId) -> ConnectorEvent | None:
        query = sa.select(events).where(events.c.account_id == account, events.c.id == event)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _event(row)

    async def page(
        self,
        account: AccountId,
        slice_: Slice,
        *,
        connector: ConnectorId | None = None,
        type_: EventType | None = None,
    ) -> Page[ConnectorEvent]:
        """Events without their logs, which may be long: `get` has them."""
        query = sa.select(*_WITHOUT_LOGS, sa.null().label("logs")).where(events.c.account_id == account)
        if connector is not None:
            query = query.where(events.c.connector_id == connector)
        if type_ is not None:
            query = query.where(events.c.type == type_)
        return await read_page(self._connection, query, slice_, _event)

    async def mark_seen(self, event: EventId) -> None:
        await self._connection.execute(sa.update(events).where(events.c.id == event).values(seen=True))

    async def remove_before(self, moment: datetime, most: int) -> int:
        """Forget events that are older, the oldest first and `most` of them at once. How many went."""
        oldest = sa.select(events.c.number, events.c.created_at).order_by(events.c.number).limit(most).subquery()
        old = sa.select(oldest.c.number).where(oldest.c.created_at < moment)
        return (await self._connection.execute(sa.delete(events).where(events.c.number.in_(old)))).rowcount


_WITHOUT_LOGS = [column for column in events.c if column.name != "logs"]


def _event(row: Row) -> ConnectorEvent:
    values = {name: value for name, value in row.items() if name != "number"}
    return ConnectorEvent(**{**values, "type": EventType(values["type"]), "status": EventStatus(values["status"])})
