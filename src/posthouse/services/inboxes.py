"""Inboxes: made, found, changed, emptied, deleted, and expired when their time is up.

Whoever removes mail holds its inbox first, and takes other rows after it: so two of them wait for each other in turn
and never in a circle.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from posthouse.mime.addresses import parse_addresses
from posthouse.model.addresses import ExpiredInbox
from posthouse.model.errors import Conflict, Invalid, NotFound
from posthouse.model.events import Happening
from posthouse.model.mail import Inbox, InboxKind, InboxQuery
from posthouse.model.values import AccountId, Clock, EmailId, ExpiredId, InboxId, Page, Slice, new_id
from posthouse.services.required import require_inbox
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction

_AT_ONCE = 1000  # emails in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInbox:
    """What somebody wants of a new inbox; everything has a sensible default."""

    email_address: str | None = None
    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    favourite: bool = False
    virtual: bool = False
    kind: InboxKind = InboxKind.HTTP
    domain: str | None = None
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

    async def create_many(self, account: AccountId, count: int) -> list[Inbox]:
        """So many inboxes with new addresses, all of them or none."""
        async with self._database.transaction() as tx:
            return [await add_inbox(tx, account, NewInbox(), self._domain, self._now()) for _ in range(count)]

    async def get(self, account: AccountId, inbox: InboxId) -> Inbox:
        async with self._database.reading() as tx:
            return await require_inbox(tx, account, inbox)

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

    async def page(self, account: AccountId, query: InboxQuery) -> Page[Inbox]:
        async with self._database.reading() as tx:
            return await tx.inboxes.page(account, query)

    async def tags(self, account: AccountId) -> list[str]:
        """The tags of all inboxes, each once, oldest first."""
        async with self._database.reading() as tx:
            return await tx.inboxes.tags(account)

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
            await require_inbox(tx, account, inbox)
            await tx.inboxes.change(inbox, self._now(), values)
            return await require_inbox(tx, account, inbox)

    async def empty(self, account: AccountId, inbox: InboxId) -> None:
        """Delete all mail that the inbox has received."""
        async with self._database.reading() as tx:
            await require_inbox(tx, account, inbox)
        while await self._empty_some(account, inbox):
            pass

    async def delete(self, account: AccountId, inbox: InboxId) -> None:
        """Delete an inbox with its mail, received and sent, and its connector."""
        async with self._database.reading() as tx:
            await require_inbox(tx, account, inbox)
        await self._delete(account, [inbox])

    async def delete_all(self, account: AccountId, query: InboxQuery) -> None:
        """Delete all inboxes that the query asks for, whatever its page, with their mail and connectors."""
        async with self._database.reading() as tx:
            ids = await tx.inboxes.ids(account, query)
        await self._delete(account, ids)

    async def delete_these(self, account: AccountId, ids: Sequence[InboxId]) -> None:
        """Delete some inboxes. Raises NotFound, and deletes none, when one of them is not there."""
        async with self._database.reading() as tx:
            missing = set(ids) - await tx.inboxes.among(account, ids)
        if missing:
            raise NotFound(f"there is no inbox {min(missing)}")
        await self._delete(account, list(dict.fromkeys(ids)))

    # Expiring

    async def expire_due(self, most: int = 100) -> int:
        """Expire the inboxes of all accounts whose time is up, `most` of them at once. How many there were."""
        async with self._database.reading() as tx:
            due = await tx.inboxes.expiring(self._now(), most=most)
        return len([inbox for account, inbox in due if await self._expire(account, inbox, self._now())])

    async def flush_expired(self, account: AccountId, before: datetime | None = None) -> tuple[list[InboxId], datetime]:
        """Expire an account's inboxes that are to expire before this moment, or before now; even one to come. Which
        these were, and the moment."""
        moment = before or self._now()
        gone: list[InboxId] = []
        while True:
            async with self._database.reading() as tx:
                due = await tx.inboxes.expiring(moment, account)
            flushed = [inbox for _, inbox in due if await self._expire(account, inbox, moment)]
            if not flushed:
                return gone, moment
            gone += flushed

    async def _expire(self, account: AccountId, inbox: InboxId, before: datetime) -> bool:
        """Remove the inbox for good and remember it as expired; False when it is gone, or was given more time."""
        while True:
            now = self._now()
            async with self._database.transaction() as tx:
                found = await tx.inboxes.get(account, inbox) if await tx.inboxes.hold(inbox) else None
                if found is None or not await tx.inboxes.due(inbox, before):
                    return False
                if await self._clear(tx, account, inbox):
                    continue
                await tx.inboxes.remove([inbox])
                record = ExpiredInbox(
                    id=ExpiredId(new_id(now)),
                    account_id=account,
                    inbox_id=inbox,
                    email_address=found.email_address,
                    created_at=now,
                )
                await tx.expired_inboxes.add(record)
            return True

    async def expired(self, account: AccountId, slice_: Slice, inbox: InboxId | None = None) -> Page[ExpiredInbox]:
        """The inboxes that have expired; their `created_at` is when."""
        async with self._database.reading() as tx:
            return await tx.expired_inboxes.page(account, slice_, inbox)

    async def expired_one(
        self, account: AccountId, *, expired: ExpiredId | None = None, inbox: InboxId | None = None
    ) -> ExpiredInbox:
        """The record of an expired inbox, by its own id or by the id that the inbox had. Raises NotFound."""
        async with self._database.reading() as tx:
            found = await tx.expired_inboxes.get(account, expired=expired, inbox=inbox)
        if found is None:
            raise NotFound(f"no inbox has expired as {expired or inbox}")
        return found

    # Removing

    async def _delete(self, account: AccountId, ids: Sequence[InboxId]) -> None:
        for inbox in ids:
            more = True
            while more:
                async with self._database.transaction() as tx:
                    if not await tx.inboxes.hold(inbox):
                        break
                    more = await self._clear(tx, account, inbox)
                    if not more:
                        await tx.inboxes.remove([inbox])

    async def _clear(self, tx: Transaction, account: AccountId, inbox: InboxId) -> bool:
        """Remove what lies in packs of an inbox that is held: a thousand emails, and what was sent with the last of
        them. Whether there is more."""
        received = await tx.mail.remove(account, inbox_ids=[inbox], most=_AT_ONCE)
        more = len(received) == _AT_ONCE
        sent = [] if more else await tx.sent.remove(account, inbox=inbox)
        freed = await tx.packs.release([*(one.pack for one in received), *(one.pack for one in sent)])
        tx.after_commit(lambda: self._blobs.remove(freed))
        return more

    async def _empty_some(self, account: AccountId, inbox: InboxId) -> bool:
        async with self._database.transaction() as tx:
            if not await tx.inboxes.hold(inbox):
                return False
            removed = await tx.mail.remove(account, inbox_ids=[inbox], most=_AT_ONCE)
            gone: list[EmailId] = [one.email_id for one in removed]
            await tx.journal.append(inbox, Happening.EMAIL_DELETED, gone, self._now())
            freed = await tx.packs.release([one.pack for one in removed])
            tx.after_commit(lambda: self._blobs.remove(freed))
        return bool(removed)


async def add_inbox(tx: Transaction, account: AccountId, wish: NewInbox, domain: str, now: datetime) -> Inbox:
    """Make an inbox inside a transaction. Raises Conflict when its address is taken, Invalid when it is none."""
    address = _checked(wish.email_address or _fresh_address(wish, wish.domain or domain))
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
        kind=wish.kind,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
    )
    await tx.inboxes.add(inbox)
    return inbox


def _checked(address: str) -> str:
    parsed = parse_addresses(address)
    if len(parsed) != 1 or parsed[0].name or "@" not in parsed[0].email:
        raise Invalid(f"emailAddress must be one plain address such as name@example.org, not {address!r}")
    return parsed[0].email


def _fresh_address(wish: NewInbox, domain: str) -> str:
    token = secrets.token_hex(6 if wish.short_address else 16)
    prefix = re.sub(r"[^a-z0-9._-]+", "-", (wish.prefix or "").lower()).strip(".-")[:32]
    return f"{prefix}-{token}@{domain}" if prefix else f"{token}@{domain}"
