"""Inboxes: made, found, changed, emptied, deleted."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from posthouse.mime.addresses import parse_addresses
from posthouse.model.errors import Conflict, Invalid, NotFound
from posthouse.model.events import Happening
from posthouse.model.mail import Inbox
from posthouse.model.values import AccountId, Clock, EmailId, InboxId, Page, Slice, new_id
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInbox:
    """What somebody wants of a new inbox; everything has a sensible default."""

    email_address: str | None = None
    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    favourite: bool = False
    virtual: bool = False
    prefix: str | None = None
    short_address: bool = False
    expires_at: datetime | None = None
    expires_in: timedelta | None = None


class Inboxes:
    """`domain` is where new inboxes get their addresses."""

    def __init__(self, database: Database, blobs: Blobs, domain: str, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._domain = domain
        self._now = now

    async def create(self, account: AccountId, wish: NewInbox = NewInbox()) -> Inbox:
        """Raises Conflict when the address is taken, Invalid when it is none."""
        async with self._database.transaction() as tx:
            return await add_inbox(tx, account, wish, self._domain, self._now())

    async def get(self, account: AccountId, inbox: InboxId) -> Inbox:
        async with self._database.reading() as tx:
            return await _require(tx, account, inbox)

    async def by_address(self, account: AccountId, address: str) -> Inbox | None:
        async with self._database.reading() as tx:
            return await tx.inboxes.by_address(account, address)

    async def by_name(self, account: AccountId, name: str) -> Inbox | None:
        async with self._database.reading() as tx:
            return await tx.inboxes.by_name(account, name)

    async def address_taken(self, address: str) -> bool:
        """Whether any account has this address."""
        async with self._database.reading() as tx:
            return await tx.inboxes.address_taken(address)

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
        async with self._database.reading() as tx:
            return await tx.inboxes.page(
                account, slice_, search=search, tag=tag, favourites_only=favourites_only, connected=connected
            )

    async def addresses(self, account: AccountId) -> list[tuple[InboxId, str]]:
        """Every inbox's id and address, oldest first."""
        async with self._database.reading() as tx:
            return await tx.inboxes.addresses(account)

    async def count(self, account: AccountId) -> int:
        async with self._database.reading() as tx:
            return await tx.inboxes.count(account)

    async def change(self, account: AccountId, inbox: InboxId, **values: Any) -> Inbox:
        """Set some of name, description, tags, favourite, expires_at. The inbox as it is now."""
        async with self._database.transaction() as tx:
            await _require(tx, account, inbox)
            await tx.inboxes.change(inbox, self._now(), values)
            return await _require(tx, account, inbox)

    async def empty(self, account: AccountId, inbox: InboxId) -> None:
        """Delete all mail that the inbox has received."""
        async with self._database.reading() as tx:
            await _require(tx, account, inbox)
        await self._remove_mail(account, [inbox])

    async def delete(self, account: AccountId, inbox: InboxId) -> None:
        """Delete an inbox with its mail, received and sent, and its connector."""
        async with self._database.reading() as tx:
            await _require(tx, account, inbox)
        await self._delete(account, [inbox])

    async def delete_all(self, account: AccountId, slice_: Slice = Slice()) -> None:
        """Delete all inboxes made within the slice's bounds, with their mail and connectors."""
        async with self._database.reading() as tx:
            ids = await tx.inboxes.ids(account, slice_)
        await self._delete(account, ids)

    async def _delete(self, account: AccountId, ids: Sequence[InboxId]) -> None:
        await self._remove_mail(account, ids)
        for inbox in ids:
            async with self._database.transaction() as tx:
                sent = await tx.sent.remove(account, inbox=inbox)
                # Mail that came in since the last look goes with the inbox.
                received = await tx.mail.remove(account, inbox_ids=[inbox])
                freed = await tx.packs.release([*(one.pack for one in sent), *(one.pack for one in received)])
                await tx.inboxes.remove([inbox])
                tx.after_commit(lambda freed=freed: self._blobs.remove(freed))  # type: ignore[misc]

    async def _remove_mail(self, account: AccountId, ids: Sequence[InboxId]) -> None:
        for inbox in ids:
            while await self._remove_some(account, inbox):
                pass

    async def _remove_some(self, account: AccountId, inbox: InboxId) -> bool:
        async with self._database.transaction() as tx:
            if not await tx.inboxes.hold(inbox):
                return False
            removed = await tx.mail.remove(account, inbox_ids=[inbox])
            gone: list[EmailId] = [one.email_id for one in removed]
            await tx.journal.append(inbox, Happening.EMAIL_DELETED, gone, self._now())
            freed = await tx.packs.release([one.pack for one in removed])
            tx.after_commit(lambda: self._blobs.remove(freed))
        return bool(removed)


async def add_inbox(tx: Transaction, account: AccountId, wish: NewInbox, domain: str, now: datetime) -> Inbox:
    """Make an inbox inside a transaction. Raises Conflict when its address is taken, Invalid when it is none."""
    address = _checked(wish.email_address) if wish.email_address else _fresh_address(wish, domain)
    if await tx.inboxes.address_taken(address):
        raise Conflict(f"the address {address} is taken: choose another emailAddress, or leave it out for a new one")
    expires_at = wish.expires_at
    if expires_at is None and wish.expires_in is not None:
        expires_at = now + wish.expires_in
    inbox = Inbox(
        id=InboxId(new_id(now)),
        account_id=account,
        email_address=address,
        name=wish.name,
        description=wish.description,
        tags=wish.tags,
        favourite=wish.favourite,
        virtual=wish.virtual,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
    )
    await tx.inboxes.add(inbox)
    return inbox


async def _require(tx: Transaction, account: AccountId, inbox: InboxId) -> Inbox:
    found = await tx.inboxes.get(account, inbox)
    if found is None:
        raise NotFound(f"there is no inbox {inbox}")
    return found


def _checked(address: str) -> str:
    parsed = parse_addresses(address)
    if len(parsed) != 1 or parsed[0].name or "@" not in parsed[0].email:
        raise Invalid(f"emailAddress must be one plain address such as name@example.org, not {address!r}")
    return parsed[0].email


def _fresh_address(wish: NewInbox, domain: str) -> str:
    token = secrets.token_hex(6 if wish.short_address else 16)
    prefix = re.sub(r"[^a-z0-9._-]+", "-", (wish.prefix or "").lower()).strip(".-")[:32]
    return f"{prefix}-{token}@{domain}" if prefix else f"{token}@{domain}"
