"""Who looks after what: owners of connectors, and leases for one sync.

Two claims, both rows, the same statements on both databases:

- A *worker* (an engine process) says every few seconds that it lives. Connectors that want looking after and belong
  to nobody are adopted, a few at a time; a worker that has been silent too long is removed by whoever notices, and
  the foreign key sets its connectors free. A worker that was only paused finds its row gone, and knows.
- A *lease* makes one sync of a connector at a time, whoever runs it. It ends by itself, so that a dead process holds
  nothing; and each transaction that files mail checks, under the row's lock, that the lease is still its own: a
  process that was paused beyond its lease files nothing.

Moments are the database server's where there is one, so that the clocks of several machines don't matter.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from posthouse.model.errors import Cancelled, Conflict
from posthouse.model.standing import Standing
from posthouse.model.values import ConnectorId
from posthouse.store.among import Among
from posthouse.store.connection import Connection
from posthouse.store.standings import standing_of
from posthouse.store.tables import Utc, live_connectors, standings, workers

REVOKED = UUID(int=0)
"""The holder of a lease whose sync somebody has ended. It ends with that sync, or by itself."""
_LATELY = timedelta(seconds=20)

# Statements of every sync: to build one costs three times as much as to run it.
_THIS = standings.c.connector_id == sa.bindparam("connector")
_LEASE = sa.select(standings.c.lease_holder, standings.c.leased_until).where(_THIS).with_for_update()
_FREE = Among(
    sa.select(standings)
    .where(standings.c.connector_id.in_(sa.bindparam("connectors", expanding=True)), standings.c.lease_holder.is_(None))
    # All who change many standings do so in this order, so that none waits for another in a circle.
    .order_by(standings.c.connector_id)
    .with_for_update()
)
_TAKE_LEASE = (
    sa.update(standings)
    .where(
        _THIS,
        sa.or_(standings.c.lease_holder.is_(None), standings.c.leased_until < sa.bindparam("moment", type_=Utc)),
    )
    .values(lease_holder=sa.bindparam("holder"), leased_until=sa.bindparam("until"))
)
_GIVE_LEASE_BACK = (
    sa.update(standings)
    .where(_THIS, sa.or_(standings.c.lease_holder == sa.bindparam("holder"), standings.c.lease_holder == REVOKED))
    .values(lease_holder=None, leased_until=None)
)


class LeaseLost(Conflict):
    """Somebody else syncs this connector now: we were away for too long."""


class Claims:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Workers

    async def beat(self, worker: UUID, now: datetime) -> bool:
        """Say that this worker lives. False when it was declared dead, and owns nothing any more."""
        beaten = await self._connection.execute(
            sa.update(workers).where(workers.c.id == worker).values(seen_at=await moment(self._connection, now))
        )
        return bool(beaten.rowcount)

    async def enlist(self, worker: UUID, now: datetime) -> None:
        clock = await moment(self._connection, now)
        await self._connection.execute(sa.insert(workers).values(id=worker, started_at=clock, seen_at=clock))

    async def retire(self, worker: UUID) -> None:
        """Take a worker's row away; what it owned is free at once."""
        await self._connection.execute(sa.delete(workers).where(workers.c.id == worker))

    async def bury(self, silent_for: timedelta, now: datetime) -> list[UUID]:
        """Remove the workers that have been silent for so long."""
        silent = (
            sa.select(workers.c.id)
            .where(workers.c.seen_at < await moment(self._connection, now) - silent_for)
            .with_for_update(skip_locked=True)  # whose row is in use lives, or is being buried
        )
        dead = list((await self._connection.scalars(silent)).all())
        if dead:
            # All who change many standings do so in this order, so that none waits for another in a circle.
            theirs = sa.select(standings.c.connector_id).where(standings.c.owner_id.in_(dead))
            await self._connection.execute(theirs.order_by(standings.c.connector_id).with_for_update())
            await self._connection.execute(sa.delete(workers).where(workers.c.id.in_(dead)))
        return dead

    async def headcount(self) -> int:
        """How many workers there are."""
        return await self._connection.scalar(sa.select(sa.func.count()).select_from(workers)) or 0

    async def alive(self, now: datetime) -> int:
        """How many workers have shown a sign of life lately: whoever is silent is buried only when another lives."""
        lately = await moment(self._connection, now) - _LATELY
        query = sa.select(sa.func.count()).select_from(workers).where(workers.c.seen_at > lately)
        return await self._connection.scalar(query) or 0

    # Owners

    async def adopt(self, worker: UUID, room: int) -> list[ConnectorId]:
        """Take up to `room` connectors that want looking after and belong to nobody."""
        free = (
            sa.select(standings.c.connector_id)
            .where(standings.c.owner_id.is_(None), standings.c.connector_id.in_(live_connectors()))
            .limit(room)
            .with_for_update(skip_locked=True)
        )
        taken = (
            sa.update(standings)
            .where(standings.c.connector_id.in_(free.scalar_subquery()))
            .values(owner_id=worker)
            .returning(standings.c.connector_id)
        )
        return list((await self._connection.scalars(taken)).all())

    async def owned(self, worker: UUID) -> set[ConnectorId]:
        """What this worker owns and should look after: a connector that was paused meanwhile is not among it."""
        query = sa.select(standings.c.connector_id).where(
            standings.c.owner_id == worker, standings.c.connector_id.in_(live_connectors())
        )
        return set((await self._connection.scalars(query)).all())

    async def give_up(self, worker: UUID, ids: Sequence[ConnectorId]) -> None:
        """Set connectors of this worker's free."""
        await self._connection.execute(
            sa.update(standings)
            .where(standings.c.owner_id == worker, standings.c.connector_id.in_(ids))
            .values(owner_id=None)
        )

    async def live_count(self) -> int:
        """How many connectors want looking after."""
        return await self._connection.scalar(sa.select(sa.func.count()).select_from(live_connectors().subquery())) or 0

    # Leases

    async def lease(self, connector: ConnectorId, holder: UUID, length: timedelta, now: datetime) -> bool:
        """Take the lease for a sync. False when somebody else has it."""
        clock = await moment(self._connection, now)
        values = {"connector": connector, "holder": holder, "moment": clock, "until": clock + length}
        taken = await self._connection.execute(_TAKE_LEASE, values)
        return bool(taken.rowcount)

    async def free(self, connectors: Collection[ConnectorId]) -> dict[ConnectorId, Standing]:
        """Those of these connectors that nobody syncs, and nobody can until this transaction ends: how they stand. A
        lease that nobody has given back counts, over or not."""
        rows = (await self._connection.execute(*_FREE.of({"connectors": connectors}))).mappings()
        return {row["connector_id"]: standing_of(row) for row in rows}

    async def prolong(self, holders: Mapping[ConnectorId, UUID], length: timedelta, now: datetime) -> set[ConnectorId]:
        """Prolong those of these leases that are still our own. One that has been somebody else's since is never
        taken anew, because what its run knows is old by now."""
        prolonged = (
            sa.update(standings)
            .where(standings.c.connector_id.in_(holders), standings.c.lease_holder.in_(holders.values()))
            .values(leased_until=await moment(self._connection, now) + length)
            .returning(standings.c.connector_id)
        )
        return set((await self._connection.scalars(prolonged)).all())

    async def leased(self, connector: ConnectorId, now: datetime) -> UUID | None:
        """Who syncs this connector just now; nothing is locked."""
        clock = await moment(self._connection, now)
        query = sa.select(standings.c.lease_holder).where(_THIS, standings.c.leased_until >= clock)
        holder: UUID | None = await self._connection.scalar(query, {"connector": connector})
        return holder

    async def revoke(self, connector: ConnectorId) -> None:
        """Take a lease away from whoever has it: what he has not filed yet he files no more."""
        leased = sa.update(standings).where(_THIS, standings.c.lease_holder.is_not(None))
        await self._connection.execute(leased.values(lease_holder=REVOKED), {"connector": connector})

    async def give_back(self, connector: ConnectorId, holder: UUID) -> None:
        await self._connection.execute(_GIVE_LEASE_BACK, {"connector": connector, "holder": holder})

    async def hold(self, connector: ConnectorId, holder: UUID) -> None:
        """Make sure, until this transaction ends, that the lease is ours. Raises LeaseLost, and Cancelled when it was
        revoked."""
        lease = (await self._connection.execute(_LEASE, {"connector": connector})).first()
        if lease is not None and lease.lease_holder == REVOKED:
            raise Cancelled("cancelled")
        if lease is None or lease.lease_holder != holder:
            raise LeaseLost("another process has taken this sync over")


async def moment(connection: Connection, ours: datetime) -> datetime:
    """The present moment by the database server's clock where there is one, else by `ours`."""
    if connection.dialect.name != "postgresql":
        return ours
    theirs: Any = await connection.scalar(sa.select(sa.func.clock_timestamp()))
    return theirs  # type: ignore[no-any-return]
