"""Rows of inboxes."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from posthouse.model.mail import Inbox
from posthouse.model.values import AccountId, InboxId, Page, Slice
from posthouse.store.rows import Row, bounded, read_page
from posthouse.store.tables import connectors, inboxes


class Inboxes:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, inbox: Inbox) -> None:
        await self._connection.execute(
            sa.insert(inboxes).values(
                id=inbox.id,
                account_id=inbox.account_id,
                email_address=inbox.email_address,
                name=inbox.name,
                description=inbox.description,
                tags=list(inbox.tags),
                favourite=inbox.favourite,
                virtual=inbox.virtual,
                expires_at=inbox.expires_at,
                created_at=inbox.created_at,
                updated_at=inbox.updated_at,
            )
        )

    async def get(self, account: AccountId, inbox: InboxId) -> Inbox | None:
        return await self._one(_query(account).where(inboxes.c.id == inbox))

    async def by_address(self, account: AccountId, address: str) -> Inbox | None:
        return await self._one(_query(account).where(inboxes.c.email_address == address))

    async def by_name(self, account: AccountId, name: str) -> Inbox | None:
        """The oldest inbox of this name: names are not unique."""
        return await self._one(_query(account).where(inboxes.c.name == name).order_by(inboxes.c.number).limit(1))

    async def hold(self, inbox: InboxId) -> bool:
        """Take the inbox's row until the commit, so that mail enters it one transaction at a time. False when the
        inbox is gone."""
        query = sa.select(inboxes.c.number).where(inboxes.c.id == inbox).with_for_update()
        return await self._connection.scalar(query) is not None

    async def address_taken(self, address: str) -> bool:
        query = sa.select(inboxes.c.number).where(inboxes.c.email_address == address)
        return await self._connection.scalar(query) is not None

    async def at(self, addresses: Sequence[str]) -> dict[str, tuple[AccountId, InboxId]]:
        """Whose inboxes these addresses are, those that are."""
        query = sa.select(inboxes.c.email_address, inboxes.c.account_id, inboxes.c.id).where(
            inboxes.c.email_address.in_(addresses)
        )
        return {row.email_address: (row.account_id, row.id) for row in await self._connection.execute(query)}

    async def page(
        self,
        account: AccountId,
        slice_: Slice,
        *,
        search: str = "",
        tag: str = "",
        favourites_only: bool = False,
        connected: bool | None = None,
    ) -> Page[Inbox]:
        """Inboxes of an account. `search` is looked for in address, name and description; `connected` tells
        those with a connector from those without."""
        query = _query(account)
        if search:
            texts = (inboxes.c.email_address, inboxes.c.name, inboxes.c.description)
            query = query.where(sa.or_(*(column.icontains(search, autoescape=True) for column in texts)))
        if tag:
            # Tags are few and short: their JSON text, quotes included, is told apart exactly.
            query = query.where(sa.cast(inboxes.c.tags, sa.Text).contains(_json_string(tag), autoescape=True))
        if favourites_only:
            query = query.where(inboxes.c.favourite)
        if connected is not None:
            query = query.where((connectors.c.id.is_not(None)) == connected)
        return await read_page(self._connection, query, slice_, _inbox)

    async def ids(self, account: AccountId, slice_: Slice = Slice()) -> list[InboxId]:
        query = bounded(sa.select(inboxes.c.id).where(inboxes.c.account_id == account), inboxes.c.created_at, slice_)
        return list((await self._connection.scalars(query.order_by(inboxes.c.number))).all())

    async def addresses(self, account: AccountId) -> list[tuple[InboxId, str]]:
        query = sa.select(inboxes.c.id, inboxes.c.email_address).where(inboxes.c.account_id == account)
        return [(row.id, row.email_address) for row in await self._connection.execute(query.order_by(inboxes.c.number))]

    async def positions(self, account: AccountId, inbox: InboxId | None = None) -> dict[InboxId, int]:
        """The last position in the journal of each inbox of an account, or of one: 0 where nothing has happened."""
        query = sa.select(inboxes.c.id, inboxes.c.position).where(inboxes.c.account_id == account)
        if inbox is not None:
            query = query.where(inboxes.c.id == inbox)
        return {row.id: row.position for row in await self._connection.execute(query)}

    async def count(self, account: AccountId) -> int:
        query = sa.select(sa.func.count()).where(inboxes.c.account_id == account)
        return await self._connection.scalar(query) or 0

    async def change(self, inbox: InboxId, now: datetime, values: dict[str, Any]) -> None:
        if "tags" in values:
            values["tags"] = list(values["tags"])
        await self._connection.execute(sa.update(inboxes).where(inboxes.c.id == inbox).values(updated_at=now, **values))

    async def remove(self, ids: Sequence[InboxId]) -> None:
        """Take inboxes away, with their connectors. Their mail must be gone before: it lies in packs."""
        await self._connection.execute(sa.delete(inboxes).where(inboxes.c.id.in_(ids)))

    async def _one(self, query: sa.Select[Any]) -> Inbox | None:
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _inbox(row)


def _query(account: AccountId) -> sa.Select[Any]:
    return (
        sa.select(inboxes, connectors.c.id.label("connector_id"))
        .select_from(inboxes.outerjoin(connectors, connectors.c.inbox_id == inboxes.c.id))
        .where(inboxes.c.account_id == account)
    )


def _inbox(row: Row) -> Inbox:
    return Inbox(
        id=row["id"],
        account_id=row["account_id"],
        email_address=row["email_address"],
        name=row["name"],
        description=row["description"],
        tags=tuple(row["tags"]),
        favourite=row["favourite"],
        virtual=row["virtual"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        connector_id=row["connector_id"],
    )


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
