"""Rows of the outbox: the sent emails that something is still to be done with, and who is at it.

A row's `due_at` is when it may be taken. Who takes it moves that on by a lease, and again while he is at it, so that a
dead process' rows come back by themselves. Every claim has a name of its own, the *holder*; each transaction that goes
on with the email checks, under the row's lock, that the claim is still its own.

Beside them the keys by which a request is recognised when it is made again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from posthouse.model.errors import Conflict
from posthouse.model.outbox import Errand
from posthouse.model.values import AccountId, SentId
from posthouse.store.claims import moment
from posthouse.store.connection import Connection
from posthouse.store.rows import Row
from posthouse.store.tables import outbox, sending_keys

NOTHING = timedelta()


class ClaimLost(Conflict):
    """Somebody else is at this email now, or it was deleted."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was sent under a key: one email of the request that has this fingerprint."""

    name: str
    fingerprint: str
    sent_id: SentId


class Outbox:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, errand: Errand, now: datetime, after: timedelta = NOTHING) -> None:
        """To be taken up after so long."""
        due_at = await moment(self._connection, now) + after
        await self._connection.execute(
            sa.insert(outbox).values(
                sent_id=errand.sent_id,
                due_at=due_at,
                holder=errand.holder,
                tries=errand.tries,
                give_up_at=errand.give_up_at,
                waiting=list(errand.waiting),
                taken=errand.taken,
            )
        )

    async def claim(self, names: Iterable[UUID], length: timedelta, now: datetime) -> list[Errand]:
        """Take what is due, one errand for each of these new holders' names at most."""
        names = list(names)
        clock = await moment(self._connection, now)
        due = (
            sa.select(outbox.c.sent_id)
            .where(outbox.c.due_at <= clock)
            .order_by(outbox.c.due_at)
            .limit(len(names))
            .with_for_update(skip_locked=True)
        )
        ids = list(await self._connection.scalars(due))
        taken = []
        for sent_id, holder in zip(ids, names, strict=False):
            if errand := await self._take(outbox.c.sent_id == sent_id, holder, clock + length):
                taken.append(errand)
        return taken

    async def take(self, sent_id: SentId, holder: UUID, length: timedelta, now: datetime) -> Errand | None:
        """Take this one, due or not. None when somebody is at it, or nothing is to be done with it."""
        clock = await moment(self._connection, now)
        free = sa.or_(outbox.c.holder.is_(None), outbox.c.due_at <= clock)
        return await self._take(sa.and_(outbox.c.sent_id == sent_id, free), holder, clock + length)

    async def _take(self, which: sa.ColumnElement[bool], holder: UUID, until: datetime) -> Errand | None:
        query = (
            sa.update(outbox)
            .where(which)
            .values(holder=holder, due_at=until, tries=outbox.c.tries + 1)
            .returning(*outbox.c)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _errand(row)

    async def hold(self, errand: Errand) -> None:
        """Make sure, until this transaction ends, that the errand is still its holder's. Raises ClaimLost."""
        query = sa.select(outbox.c.holder).where(outbox.c.sent_id == errand.sent_id).with_for_update()
        if await self._connection.scalar(query) != errand.holder:
            raise ClaimLost("another process has taken this email over, or it was deleted")

    async def prolong(self, holders: Iterable[UUID], length: timedelta, now: datetime) -> None:
        until = await moment(self._connection, now) + length
        await self._connection.execute(sa.update(outbox).where(outbox.c.holder.in_(list(holders))).values(due_at=until))

    async def again(self, errand: Errand, now: datetime, after: timedelta = NOTHING) -> None:
        """Set it free, to be taken up after so long, as it is now."""
        due_at = await moment(self._connection, now) + after
        await self._connection.execute(
            sa.update(outbox)
            .where(outbox.c.sent_id == errand.sent_id)
            .values(holder=None, due_at=due_at, tries=errand.tries, waiting=list(errand.waiting), taken=errand.taken)
        )

    async def note(self, errand: Errand) -> None:
        """Who has got it meanwhile."""
        await self._connection.execute(
            sa.update(outbox)
            .where(outbox.c.sent_id == errand.sent_id)
            .values(waiting=list(errand.waiting), taken=errand.taken)
        )

    async def done(self, sent_id: SentId) -> None:
        """There is nothing more to be done with it."""
        await self._connection.execute(sa.delete(outbox).where(outbox.c.sent_id == sent_id))

    async def drop(self, sent_id: SentId) -> bool:
        """Take it off, unless somebody is at it. Whether it was there to take."""
        gone = await self._connection.execute(
            sa.delete(outbox).where(outbox.c.sent_id == sent_id, outbox.c.holder.is_(None))
        )
        return bool(gone.rowcount)

    async def find(self, sent_id: SentId) -> Errand | None:
        row = (await self._connection.execute(sa.select(outbox).where(outbox.c.sent_id == sent_id))).mappings().first()
        return None if row is None else _errand(row)

    async def rest(self, now: datetime) -> timedelta | None:
        """How long until the next is due; None when there is none."""
        due: datetime | None = await self._connection.scalar(sa.select(sa.func.min(outbox.c.due_at)))
        return None if due is None else due - await moment(self._connection, now)

    # Keys

    async def parts(self, account: AccountId, key: str) -> list[Part]:
        """What was sent under this key."""
        query = sa.select(sending_keys).where(sending_keys.c.account_id == account, sending_keys.c.key == key)
        return [Part(row.part, row.fingerprint, row.sent_id) for row in await self._connection.execute(query)]

    async def add_part(self, account: AccountId, key: str, part: Part, now: datetime) -> None:
        """Raises Conflict (at the statement, and for the whole transaction) when there is such a part already."""
        await self._connection.execute(
            sa.insert(sending_keys).values(
                account_id=account,
                key=key,
                part=part.name,
                fingerprint=part.fingerprint,
                sent_id=part.sent_id,
                created_at=now,
            )
        )

    async def forget_keys(self, before: datetime) -> int:
        """Forget the keys of requests that were made before this moment. How many there were."""
        return (
            await self._connection.execute(sa.delete(sending_keys).where(sending_keys.c.created_at < before))
        ).rowcount


def _errand(row: Row) -> Errand:
    return Errand(
        sent_id=row["sent_id"],
        holder=row["holder"],
        tries=row["tries"],
        give_up_at=row["give_up_at"],
        waiting=tuple(row["waiting"]),
        taken=row["taken"],
    )
