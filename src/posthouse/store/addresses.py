"""Rows of plus addresses with the emails that came to them, and of inboxes that have expired."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from posthouse.model.addresses import ExpiredInbox, PlusAddress
from posthouse.model.values import AccountId, EmailId, ExpiredId, InboxId, Page, PlusAddressId, Slice
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, read_page
from posthouse.store.tables import emails, expired_inboxes, plus_address_emails, plus_addresses


class PlusAddresses:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, plus: PlusAddress) -> None:
        await self._connection.execute(sa.insert(plus_addresses).values(asdict(plus)))

    async def tie(self, plus: PlusAddressId, numbers: Iterable[int]) -> None:
        """Note that these emails, by number, came to this address."""
        number = sa.select(plus_addresses.c.number).where(plus_addresses.c.id == plus).scalar_subquery()
        rows = [{"plus_address": number, "email": email} for email in numbers]
        for row in rows:
            await self._connection.execute(sa.insert(plus_address_emails).values(row))

    async def tie_known(self, plus: PlusAddress) -> None:
        """Note which emails of the inbox came to this address before it was known. Looks at all of them."""
        number = sa.select(plus_addresses.c.number).where(plus_addresses.c.id == plus.id).scalar_subquery()
        recipients = [sa.cast(emails.c[column], sa.Text) for column in ("to", "cc", "bcc")]
        came = sa.or_(*(text.icontains(f'"{plus.full_address}"', autoescape=True) for text in recipients))
        found = sa.select(number, emails.c.number).where(emails.c.inbox_id == plus.inbox_id, came)
        await self._connection.execute(sa.insert(plus_address_emails).from_select(["plus_address", "email"], found))

    async def of_emails(self, ids: Collection[EmailId]) -> dict[EmailId, PlusAddressId]:
        """The plus address that each of these emails came to, the oldest if there are several; those that did."""
        query = (
            sa.select(emails.c.id.label("email_id"), plus_addresses.c.id)
            .join(plus_address_emails, plus_address_emails.c.email == emails.c.number)
            .join(plus_addresses, plus_addresses.c.number == plus_address_emails.c.plus_address)
            .where(emails.c.id.in_(ids))
            .order_by(plus_addresses.c.number.desc())
        )
        return {row.email_id: row.id for row in await self._connection.execute(query)}

    async def get(self, account: AccountId, plus: PlusAddressId, inbox: InboxId | None = None) -> PlusAddress | None:
        query = _of(account, inbox).where(plus_addresses.c.id == plus)
        return await self._one(query)

    async def by_address(self, account: AccountId, inbox: InboxId, full_address: str) -> PlusAddress | None:
        return await self._one(_of(account, inbox).where(plus_addresses.c.full_address == full_address))

    async def by_tag(self, account: AccountId, inbox: InboxId, tag: str) -> PlusAddress | None:
        """The oldest address with this tag; those of the inbox and of its connector may both have it."""
        query = _of(account, inbox).where(plus_addresses.c.tag == tag).order_by(plus_addresses.c.number).limit(1)
        return await self._one(query)

    async def page(self, account: AccountId, slice_: Slice, inbox: InboxId | None = None) -> Page[PlusAddress]:
        return await read_page(self._connection, _of(account, inbox), slice_, _plus)

    async def _one(self, query: sa.Select[Any]) -> PlusAddress | None:
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _plus(row)


class ExpiredInboxes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, expired: ExpiredInbox) -> None:
        await self._connection.execute(sa.insert(expired_inboxes).values(asdict(expired)))

    async def get(
        self, account: AccountId, *, expired: ExpiredId | None = None, inbox: InboxId | None = None
    ) -> ExpiredInbox | None:
        """One, by its own id or by the id that the inbox had."""
        query = sa.select(expired_inboxes).where(expired_inboxes.c.account_id == account)
        wanted = expired_inboxes.c.inbox_id == inbox if expired is None else expired_inboxes.c.id == expired
        row = (await self._connection.execute(query.where(wanted))).mappings().first()
        return None if row is None else _expired(row)

    async def page(self, account: AccountId, slice_: Slice, inbox: InboxId | None = None) -> Page[ExpiredInbox]:
        query = sa.select(expired_inboxes).where(expired_inboxes.c.account_id == account)
        if inbox is not None:
            query = query.where(expired_inboxes.c.inbox_id == inbox)
        return await read_page(self._connection, query, slice_, _expired)


def _of(account: AccountId, inbox: InboxId | None) -> sa.Select[Any]:
    query = sa.select(plus_addresses).where(plus_addresses.c.account_id == account)
    return query if inbox is None else query.where(plus_addresses.c.inbox_id == inbox)


def _plus(row: Row) -> PlusAddress:
    return PlusAddress(**{name: value for name, value in row.items() if name != "number"})


def _expired(row: Row) -> ExpiredInbox:
    return ExpiredInbox(**{name: value for name, value in row.items() if name != "number"})
