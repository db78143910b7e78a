"""Rows of inboxes."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from posthouse.model.mail import Inbox, InboxKind, InboxQuery
from posthouse.model.values import AccountId, InboxId, Page
from posthouse.store.among import Among
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, bounded, read_page
from posthouse.store.tables import connectors, inboxes, sent_emails

_HOLD = sa.select(inboxes.c.number).where(inboxes.c.id == sa.bindparam("inbox")).with_for_update()
_HOLD_ALL = Among(
    sa.select(inboxes.c.id)
    .where(inboxes.c.id.in_(sa.bindparam("inboxes", expanding=True)))
    .order_by(inboxes.c.id)
    .with_for_update()
)
_POSITIONS = sa.select(inboxes.c.id, inboxes.c.position).where(inboxes.c.account_id == sa.bindparam("account"))
_POSITION = _POSITIONS.where(inboxes.c.id == sa.bindparam("inbox"))


class Inboxes:
    def __init__(self, connection: Connection) -> None:
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
                kind=inbox.kind,
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
        return await self._connection.scalar(_HOLD, {"inbox": inbox}) is not None

    async def hold_all(self, ids: Collection[InboxId]) -> list[InboxId]:
        """As `hold`, for several: in one order everywhere, so that two transactions never wait for each other. Those
        that are there."""
        if not ids:
            return []
        return list(await self._connection.scalars(*_HOLD_ALL.of({"inboxes": ids})))

    async def lock_all(self, ids: Collection[InboxId]) -> None:
        """As `hold_all`, whether they are there or not. SQLite's only writer holds everything."""
        if self._connection.dialect.name != "sqlite":
            await self.hold_all(ids)

    async def due(self, inbox: InboxId, moment: datetime) -> bool:
        """Whether the inbox is to expire before this moment."""
        query = sa.select(inboxes.c.number).where(inboxes.c.id == inbox, inboxes.c.expires_at < moment)
        return await self._connection.scalar(query) is not None

    async def expiring(
        self, moment: datetime, account: AccountId | None = None, most: int = 100
    ) -> list[tuple[AccountId, InboxId]]:
        """Inboxes that are to expire before this moment, of one account or of all; the longest due first."""
        query = sa.select(inboxes.c.account_id, inboxes.c.id).where(inboxes.c.expires_at < moment)
        if account is not None:
            query = query.where(inboxes.c.account_id == account)
        rows = await self._connection.execute(query.order_by(inboxes.c.expires_at, inboxes.c.number).limit(most))
        return [(row.account_id, row.id) for row in rows]

    async def address_taken(self, address: str) -> bool:
        query = sa.select(inboxes.c.number).where(inboxes.c.email_address == address)
        return await self._connection.scalar(query) is not None

    async def at(self, addresses: Sequence[str]) -> dict[str, tuple[AccountId, InboxId]]:
        """Whose inboxes these addresses are, those that are."""
        query = sa.select(inboxes.c.email_address, inboxes.c.account_id, inboxes.c.id).where(
            inboxes.c.email_address.in_(addresses)
        )
        return {row.email_address: (row.account_id, row.id) for row in await self._connection.execute(query)}

    async def page(self, account: AccountId, query: InboxQuery) -> Page[Inbox]:
        return await read_page(self._connection, matching_inboxes(_query(account), query), query.slice, inbox_of)

    async def ids(self, account: AccountId, query: InboxQuery = InboxQuery()) -> list[InboxId]:
        """All that the query asks for, whatever its page and size."""
        found = matching_inboxes(sa.select(inboxes.c.id).where(inboxes.c.account_id == account), query)
        found = bounded(found, inboxes.c.created_at, query.slice)
        return list((await self._connection.scalars(found.order_by(inboxes.c.number))).all())

    async def among(self, account: AccountId, ids: Collection[InboxId]) -> set[InboxId]:
        """Which of these inboxes the account has."""
        query = sa.select(inboxes.c.id).where(inboxes.c.account_id == account, inboxes.c.id.in_(ids))
        return set(await self._connection.scalars(query))

    async def tags(self, account: AccountId) -> list[str]:
        """All tags of an account's inboxes, each once, in the order in which inboxes got them."""
        tagged = sa.cast(inboxes.c.tags, sa.Text) != "[]"
        query = sa.select(inboxes.c.tags).where(inboxes.c.account_id == account, tagged).order_by(inboxes.c.number)
        return list(dict.fromkeys([tag for tags in await self._connection.scalars(query) for tag in tags]))

    async def addresses(self, account: AccountId) -> list[tuple[InboxId, str]]:
        query = sa.select(inboxes.c.id, inboxes.c.email_address).where(inboxes.c.account_id == account)
        return [(row.id, row.email_address) for row in await self._connection.execute(query.order_by(inboxes.c.number))]

    async def positions(self, account: AccountId, inbox: InboxId | None = None) -> dict[InboxId, int]:
        """The last position in the journal of each inbox of an account, or of one: 0 where nothing has happened."""
        query, values = _POSITIONS, dict[str, Any](account=account)
        if inbox is not None:
            query, values = _POSITION, {**values, "inbox": inbox}
        return {row.id: row.position for row in await self._connection.execute(query, values)}

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
        return None if row is None else inbox_of(row)


def _query(account: AccountId) -> sa.Select[Any]:
    return (
        sa.select(inboxes, connectors.c.id.label("connector_id"))
        .select_from(inboxes.outerjoin(connectors, connectors.c.inbox_id == inboxes.c.id))
        .where(inboxes.c.account_id == account)
    )


def matching_inboxes(found: sa.Select[Any], query: InboxQuery) -> sa.Select[Any]:
    """The query without its bounds on creation."""
    wanted: list[sa.ColumnElement[bool]] = []
    if query.search:
        texts = (inboxes.c.email_address, inboxes.c.name, inboxes.c.description)
        wanted.append(sa.or_(*(column.icontains(query.search, autoescape=True) for column in texts)))
    if query.tag:
        # Tags are few and short: their JSON text, quotes included, is told apart exactly.
        wanted.append(sa.cast(inboxes.c.tags, sa.Text).contains(_json_string(query.tag), autoescape=True))
    if query.name is not None:
        wanted.append(inboxes.c.name == query.name)
    if query.description is not None:
        wanted.append(inboxes.c.description == query.description)
    if query.favourites_only:
        wanted.append(inboxes.c.favourite)
    if query.connected is not None:
        has_one = inboxes.c.id.in_(sa.select(connectors.c.inbox_id))
        wanted.append(has_one if query.connected else ~has_one)
    if query.with_sent:
        wanted.append(
            inboxes.c.id.in_(sa.select(sent_emails.c.inbox_id).where(sent_emails.c.state.in_(("accepted", "unknown"))))
        )
    if query.kind is not None:
        wanted.append(inboxes.c.kind == query.kind)
    return found.where(*wanted)


def inbox_of(row: Row) -> Inbox:
    return Inbox(
        id=row["id"],
        account_id=row["account_id"],
        email_address=row["email_address"],
        name=row["name"],
        description=row["description"],
        tags=tuple(row["tags"]),
        favourite=row["favourite"],
        virtual=row["virtual"],
        kind=InboxKind(row["kind"]),
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        connector_id=row["connector_id"],
    )


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
