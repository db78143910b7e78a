"""Inboxes with what is in them, for lists: which are shown is found first, and what is told of these few after."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from posthouse.model.browsing import InboxOrder, InboxSummary
from posthouse.model.mail import Email, InboxQuery
from posthouse.model.values import AccountId, InboxId, Page
from posthouse.store.connection import Connection
from posthouse.store.inboxes import inbox_of, matching_inboxes
from posthouse.store.mail import email_of
from posthouse.store.tables import connectors, emails, inboxes

_NEWEST = (
    sa.select(sa.func.max(emails.c.number))
    .where(emails.c.inbox_id == inboxes.c.id)
    .correlate(inboxes)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class _Count:
    total: int = 0
    unread: int = 0


class Browsing:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def inboxes(self, account: AccountId, query: InboxQuery, order: InboxOrder) -> Page[InboxSummary]:
        """A page of inboxes; those without mail come after those with some, the newest inbox first."""
        found = matching_inboxes(sa.select(inboxes.c.number).where(inboxes.c.account_id == account), query)
        total = await self._connection.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0
        newest = _NEWEST.label("newest")
        if order is InboxOrder.ADDRESS:
            found = found.order_by(inboxes.c.email_address)
        else:
            found = found.order_by(sa.func.coalesce(newest, 0).desc(), inboxes.c.number.desc())
        chosen = found.offset(query.slice.offset).limit(query.slice.size).subquery()
        rows = (
            (
                await self._connection.execute(
                    sa.select(
                        inboxes, connectors.c.id.label("connector_id"), connectors.c.name.label("connector"), newest
                    )
                    .select_from(inboxes.outerjoin(connectors, connectors.c.inbox_id == inboxes.c.id))
                    .where(inboxes.c.number.in_(sa.select(chosen.c.number)))
                )
            )
            .mappings()
            .all()
        )
        if order is InboxOrder.ADDRESS:
            rows = sorted(rows, key=lambda row: row["email_address"])
        else:
            rows = sorted(rows, key=lambda row: (row["newest"] or 0, row["number"]), reverse=True)
        counts = await self._counts(account, [row["id"] for row in rows])
        emails_of = await self._numbered([row["newest"] for row in rows if row["newest"]])
        summaries = tuple(
            InboxSummary(
                inbox=inbox_of(row),
                connector=row["connector"],
                total=counts.get(row["id"], _Count()).total,
                unread=counts.get(row["id"], _Count()).unread,
                newest=emails_of.get(row["newest"]),
            )
            for row in rows
        )
        return Page(summaries, total, query.slice)

    async def addresses(self, ids: Collection[InboxId]) -> dict[InboxId, str]:
        """The addresses of these inboxes."""
        query = sa.select(inboxes.c.id, inboxes.c.email_address).where(inboxes.c.id.in_(ids))
        return {row.id: row.email_address for row in await self._connection.execute(query)}

    async def _counts(self, account: AccountId, ids: Collection[InboxId]) -> dict[InboxId, _Count]:
        home = emails.c.inbox_id
        query = sa.select(home, sa.func.count().label("so_many")).where(home.in_(ids)).group_by(home)
        # The account is named where the index of what is unread begins with it.
        unread = query.where(emails.c.account_id == account, ~emails.c.read)
        totals = {row.inbox_id: row.so_many for row in await self._connection.execute(query)}
        of_these = {row.inbox_id: row.so_many for row in await self._connection.execute(unread)}
        return {inbox: _Count(total, of_these.get(inbox, 0)) for inbox, total in totals.items()}

    async def _numbered(self, numbers: Collection[int]) -> dict[Any, Email]:
        query = sa.select(emails).where(emails.c.number.in_(numbers))
        return {row["number"]: email_of(row) for row in (await self._connection.execute(query)).mappings()}
