"""Lanes: what webhooks have still to be told, in order, and who is telling it.

A journal has no gaps and one order for each inbox, so that is what a webhook follows: one inbox's journal. The way is
a *lane*, a row that is there only while there is something to do:

- `spread` looks at the inboxes whose journal has gone on since their webhooks were called (an index holds just these)
  and opens a lane for each webhook that what has happened there is meant for.
- A lane is claimed until a moment, by whoever has time. One that its holder has left behind comes due by itself.
- Its lines become messages, fixed before the first of them is said. They are said one after another.
- A lane in which nothing is left is closed.

Lanes are opened, set back and closed under the lock of their inbox's row, so that none is closed while news comes in.
Whoever works on one holds the lane's own row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from posthouse.model.errors import Conflict
from posthouse.model.events import Entry, Happening
from posthouse.model.values import AccountId, InboxId
from posthouse.model.webhooks import FAILURES_TO_BE_UNHEALTHY, Backlog, EventName, Message, MessageId, WebhookId
from posthouse.store.claims import moment
from posthouse.store.connection import Connection
from posthouse.store.rows import Row
from posthouse.store.tables import Utc, inboxes, journal, webhooks
from posthouse.store.tables import webhook_lanes as lanes
from posthouse.store.tables import webhook_messages as messages

WAITING, DELIVERED, EXHAUSTED, TEST = "waiting", "delivered", "exhausted", "test"
"""The states of a message. A test is said once, by whoever asked for it."""

Key = tuple[WebhookId, InboxId]


class LaneLost(Conflict):
    """Somebody else works on this lane now, or it is gone."""


@dataclass(frozen=True, slots=True)
class Due:
    """A lane that somebody should work on."""

    key: Key
    host: str
    failing: bool
    """Whether its webhook is unhealthy."""


@cache
def _due(besides: bool, besides_hosts: bool) -> sa.Select[Any]:
    """The statement that finds lanes which are due. It is asked every second, and costs more to build than to run."""
    place = sa.func.row_number().over(partition_by=lanes.c.webhook_id, order_by=lanes.c.due_at).label("place")
    failing = webhooks.c.failures >= FAILURES_TO_BE_UNHEALTHY
    ranked = (
        sa.select(lanes, webhooks.c.host, failing.label("failing"), place)
        .join(webhooks, webhooks.c.id == lanes.c.webhook_id)
        .where(lanes.c.due_at <= sa.bindparam("moment", type_=Utc))
    )
    if besides:
        ranked = ranked.where(lanes.c.webhook_id.not_in(sa.bindparam("besides", expanding=True)))
    if besides_hosts:
        ranked = ranked.where(webhooks.c.host.not_in(sa.bindparam("besides_hosts", expanding=True)))
    few = ranked.subquery()
    return (
        sa.select(few.c.webhook_id, few.c.inbox_id, few.c.host, few.c.failing)
        .where(few.c.place <= sa.case((few.c.failing, 1), else_=sa.bindparam("each", type_=sa.Integer)))
        .order_by(few.c.due_at)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )


class Lanes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Opening

    async def has_news(self) -> bool:
        """Whether something has happened that webhooks have not been called for."""
        query = sa.select(inboxes.c.id).where(inboxes.c.position > inboxes.c.told).limit(1)
        return await self._connection.scalar(query) is not None

    async def spread(self, now: datetime, *, most: int = 200, account: AccountId | None = None) -> int:
        """Open lanes for what has happened since the last call: in `most` inboxes that nobody else is looking at, or
        in all of an account's. How many inboxes had news."""
        # In one order, as everybody who takes several inboxes.
        chosen = sa.select(inboxes.c.id).where(inboxes.c.position > inboxes.c.told).order_by(inboxes.c.id)
        if account is None:
            chosen = chosen.limit(most).with_for_update(skip_locked=True)
        else:
            chosen = chosen.where(inboxes.c.account_id == account).with_for_update()
        ids = list((await self._connection.scalars(chosen)).all())
        if not ids:
            return 0
        concerned = sa.exists().where(
            journal.c.inbox_id == inboxes.c.id,
            journal.c.position > inboxes.c.told,
            journal.c.happening == webhooks.c.happening,
        )
        open_already = sa.exists().where(lanes.c.webhook_id == webhooks.c.id, lanes.c.inbox_id == inboxes.c.id)
        of_inbox = sa.and_(
            webhooks.c.account_id == inboxes.c.account_id,
            sa.or_(webhooks.c.inbox_id.is_(None), webhooks.c.inbox_id == inboxes.c.id),
        )
        clock = sa.literal(await moment(self._connection, now), lanes.c.due_at.type)
        opened = (
            sa.select(webhooks.c.id, inboxes.c.id, inboxes.c.told, clock, clock, sa.literal(0))
            .select_from(inboxes.join(webhooks, of_inbox))
            .where(inboxes.c.id.in_(ids), concerned, ~open_already)
        )
        await self._connection.execute(
            sa.insert(lanes).from_select(
                ["webhook_id", "inbox_id", "position", "opened_at", "due_at", "failures"], opened
            )
        )
        await self._connection.execute(sa.update(inboxes).where(inboxes.c.id.in_(ids)).values(told=inboxes.c.position))
        return len(ids)

    async def set_back(self, key: Key, position: int, now: datetime) -> None:
        """Have the webhook told again of what came after this position; the caller holds the inbox."""
        await self._open(key, now, position)

    async def reopen(self, key: Key, now: datetime) -> None:
        """Have a lane's waiting messages said as soon as can be; the caller holds the inbox."""
        await self._open(key, now, None)

    async def _open(self, key: Key, now: datetime, position: int | None) -> None:
        clock = sa.literal(await moment(self._connection, now), lanes.c.due_at.type)
        values: dict[str, Any] = {
            "failures": 0,
            "due_at": sa.case((lanes.c.holder.is_(None), clock), else_=lanes.c.due_at),
        }
        if position is not None:
            back = sa.literal(position, lanes.c.position.type)
            values["opened_at"] = clock
            values["position"] = sa.case((lanes.c.position > back, back), else_=lanes.c.position)
        changed = await self._connection.execute(sa.update(lanes).where(_at(key)).values(values))
        if changed.rowcount:
            return
        webhook, inbox = key
        told = sa.select(inboxes.c.told).where(inboxes.c.id == inbox).scalar_subquery()
        await self._connection.execute(
            sa.insert(lanes).values(
                webhook_id=webhook,
                inbox_id=inbox,
                position=told if position is None else position,
                opened_at=clock,
                due_at=clock,
                failures=0,
            )
        )

    # Claiming

    async def due(
        self,
        now: datetime,
        *,
        each: int,
        most: int,
        besides: Collection[WebhookId] = (),
        besides_hosts: Collection[str] = (),
    ) -> list[Due]:
        """Lanes that are due, the longest first: `each` of a webhook, one alone of a webhook that fails, and none of
        those in `besides` or at these hosts."""
        values: dict[str, Any] = {"moment": await moment(self._connection, now), "each": each, "most": most}
        if besides:
            values["besides"] = list(besides)
        if besides_hosts:
            values["besides_hosts"] = list(besides_hosts)
        rows = await self._connection.execute(_due(bool(besides), bool(besides_hosts)), values)
        return [Due((row.webhook_id, row.inbox_id), row.host, bool(row.failing)) for row in rows]

    async def claim(self, keys: Sequence[Key], holder: UUID, now: datetime, until: datetime) -> list[Key]:
        """Take those of these lanes that are still due."""
        clock = await moment(self._connection, now)
        taken = (
            sa.update(lanes)
            .where(sa.tuple_(lanes.c.webhook_id, lanes.c.inbox_id).in_(keys), lanes.c.due_at <= clock)
            .values(holder=holder, due_at=clock + (until - now))
            .returning(lanes.c.webhook_id, lanes.c.inbox_id)
        )
        return [(row.webhook_id, row.inbox_id) for row in await self._connection.execute(taken)]

    async def hold(self, key: Key, holder: UUID, now: datetime, until: datetime) -> tuple[int, int]:
        """Make sure until the commit that the lane is ours, and keep it until that moment. Its position, and how many
        tries in it have failed in a row. Raises LaneLost."""
        clock = await moment(self._connection, now)
        kept = (
            sa.update(lanes)
            .where(_at(key), lanes.c.holder == holder)
            .values(due_at=clock + (until - now))
            .returning(lanes.c.position, lanes.c.failures)
        )
        row = (await self._connection.execute(kept)).first()
        if row is None:
            raise LaneLost("somebody else tells this webhook now")
        return row.position, row.failures

    async def opened_at(self, key: Key) -> datetime:
        """Since when there has been something to do in it, or when it was set back."""
        opened: datetime | None = await self._connection.scalar(sa.select(lanes.c.opened_at).where(_at(key)))
        assert opened is not None, "the caller holds it"
        return opened

    async def release(self, holder: UUID, now: datetime) -> None:
        """Let somebody else have all that this holder has claimed."""
        await self._connection.execute(
            sa.update(lanes)
            .where(lanes.c.holder == holder)
            .values(holder=None, due_at=await moment(self._connection, now))
        )

    async def give_back(self, key: Key, *, failures: int, now: datetime, due_at: datetime) -> None:
        """Let somebody else have it from that moment on; the caller holds the lane."""
        clock = await moment(self._connection, now)
        await self._connection.execute(
            sa.update(lanes).where(_at(key)).values(holder=None, failures=failures, due_at=clock + (due_at - now))
        )

    async def ends_with(self, key: Key, message: MessageId) -> bool:
        """Whether nothing else seems to be left to say; a look alone, which holds nothing."""
        waiting = sa.exists().where(
            messages.c.webhook_id == key[0],
            messages.c.inbox_id == key[1],
            messages.c.state == sa.text(f"'{WAITING}'"),
            messages.c.id != message,
        )
        query = (
            sa.select(lanes.c.position)
            .join(inboxes, inboxes.c.id == lanes.c.inbox_id)
            .where(_at(key), lanes.c.position >= inboxes.c.told, ~waiting)
        )
        return await self._connection.scalar(query) is not None

    async def empty(self, key: Key, position: int) -> bool:
        """Whether all is said, and nothing has happened since that webhooks have been called for."""
        told = await self._connection.scalar(sa.select(inboxes.c.told).where(inboxes.c.id == key[1])) or 0
        return position >= told and await self.head(key, position) is None

    async def close(self, key: Key) -> None:
        """Nothing is left to do; the caller holds the inbox and the lane."""
        await self._connection.execute(sa.delete(lanes).where(_at(key)))

    # Lines

    async def lines(self, key: Key, position: int, happening: Happening | None, most: int) -> tuple[list[Entry], int]:
        """What has happened in the lane's inbox after this position that concerns its webhook, as far as webhooks have
        been called; and the position to go on from."""
        told = await self._connection.scalar(sa.select(inboxes.c.told).where(inboxes.c.id == key[1])) or 0
        if happening is None:
            return [], told
        query = (
            sa.select(journal)
            .where(
                journal.c.inbox_id == key[1],
                journal.c.position > position,
                journal.c.position <= told,
                journal.c.happening == happening,
            )
            .order_by(journal.c.position)
            .limit(most)
        )
        rows = (await self._connection.execute(query)).mappings()
        found = [Entry(**{**row, "happening": Happening(row["happening"])}) for row in rows]
        return found, max(position, found[-1].position if len(found) == most else told)

    async def advance(self, key: Key, position: int, fixed: Sequence[Message], now: datetime) -> None:
        """The journal up to this position has become these messages. One that was there before is said again."""
        await self._connection.execute(sa.update(lanes).where(_at(key)).values(position=position))
        ids = [message.id for message in fixed]
        known = set((await self._connection.scalars(sa.select(messages.c.id).where(messages.c.id.in_(ids)))).all())
        await self.say_again(known, now)
        if fresh := [_message_row(message, WAITING, now) for message in fixed if message.id not in known]:
            await self._connection.execute(sa.insert(messages), fresh)

    # Messages

    async def head(self, key: Key, position: int) -> Message | None:
        """What is to be said next."""
        query = (
            sa.select(messages)
            .where(
                messages.c.webhook_id == key[0],
                messages.c.inbox_id == key[1],
                messages.c.state == sa.text(f"'{WAITING}'"),  # as the index has it
                messages.c.position <= position,
            )
            .order_by(messages.c.position, messages.c.part)
            .limit(1)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _message(row)

    async def add_test(self, message: Message, now: datetime) -> None:
        await self._connection.execute(sa.insert(messages).values(_message_row(message, TEST, now)))

    async def message(self, account: AccountId, message: MessageId) -> Message | None:
        query = sa.select(messages).where(messages.c.account_id == account, messages.c.id == message)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _message(row)

    async def settle(self, message: MessageId, state: str) -> None:
        await self._connection.execute(sa.update(messages).where(messages.c.id == message).values(state=state))

    async def given_up(self, account: AccountId, most: int, webhook: WebhookId | None = None) -> list[Message]:
        """Messages of an account, or of one of its webhooks, that have been given up, the oldest first."""
        query = sa.select(messages).where(
            messages.c.account_id == account,
            messages.c.state == sa.text(f"'{EXHAUSTED}'"),  # as the index has it
        )
        if webhook is not None:
            query = query.where(messages.c.webhook_id == webhook)
        rows = await self._connection.execute(query.order_by(messages.c.number).limit(most))
        return [_message(row) for row in rows.mappings()]

    async def say_again(self, ids: Collection[MessageId], now: datetime) -> None:
        """Have these messages wait in their lanes once more, with all the time that they had at first."""
        if ids:
            await self._connection.execute(
                sa.update(messages).where(messages.c.id.in_(ids)).values(state=WAITING, wanted_at=now)
            )

    async def open_lanes(self, account: AccountId) -> list[Key]:
        """All lanes of an account."""
        query = (
            sa.select(lanes.c.webhook_id, lanes.c.inbox_id)
            .join(webhooks, webhooks.c.id == lanes.c.webhook_id)
            .where(webhooks.c.account_id == account)
        )
        return [(row.webhook_id, row.inbox_id) for row in await self._connection.execute(query)]

    async def backlog(self, account: AccountId) -> dict[WebhookId, Backlog]:
        """How many messages of each webhook of an account wait, and have been given up."""
        waiting, given_up = await self._count(account, WAITING), await self._count(account, EXHAUSTED)
        return {id_: Backlog(waiting.get(id_, 0), given_up.get(id_, 0)) for id_ in waiting | given_up}

    async def _count(self, account: AccountId, state: str) -> dict[WebhookId, int]:
        query = (
            sa.select(messages.c.webhook_id, sa.func.count().label("count"))
            .where(
                messages.c.state == sa.text(f"'{state}'"),  # as the index has it
                messages.c.webhook_id.in_(sa.select(webhooks.c.id).where(webhooks.c.account_id == account)),
            )
            .group_by(messages.c.webhook_id)
        )
        return {row.webhook_id: row[1] for row in await self._connection.execute(query)}

    async def prune(self, before: datetime, most: int) -> int:
        """Forget messages that are older and not waiting. How many went."""
        old = sa.select(messages.c.number).where(messages.c.created_at < before, messages.c.state != WAITING)
        gone = await self._connection.execute(
            sa.delete(messages).where(messages.c.number.in_(old.order_by(messages.c.created_at).limit(most)))
        )
        return gone.rowcount


def _at(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(lanes.c.webhook_id == key[0], lanes.c.inbox_id == key[1])


def _message_row(message: Message, state: str, now: datetime) -> dict[str, Any]:
    return {
        "id": message.id,
        "webhook_id": message.webhook_id,
        "account_id": message.account_id,
        "inbox_id": message.inbox_id,
        "position": message.position,
        "part": message.part,
        "event": message.event.value,
        "body": message.body,
        "email_id": message.email_id,
        "attachment_id": message.attachment_id,
        "state": state,
        "wanted_at": message.wanted_at,
        "created_at": now,
    }


def _message(row: Row) -> Message:
    return Message(
        id=row["id"],
        webhook_id=row["webhook_id"],
        account_id=row["account_id"],
        inbox_id=row["inbox_id"],
        event=EventName(row["event"]),
        body=row["body"],
        wanted_at=row["wanted_at"],
        position=row["position"],
        part=row["part"],
        email_id=row["email_id"],
        attachment_id=row["attachment_id"],
    )
