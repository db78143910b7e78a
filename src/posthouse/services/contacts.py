"""Contacts, and the groups that they are in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from posthouse.mime.addresses import parse_addresses
from posthouse.model.composing import Contact, Group
from posthouse.model.errors import Invalid, NotFound, TooLarge
from posthouse.model.values import AccountId, Clock, ContactId, GroupId, Page, Slice, new_id
from posthouse.store.database import Database, Transaction

LARGEST_ABOUT = 64 << 10
"""What may be kept about one contact, in characters of JSON."""
_ALL = Slice(size=1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    email_addresses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    about: Any = None
    opted_out: bool = False
    group_id: GroupId | None = None


class Contacts:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    # Contacts

    async def create(self, account: AccountId, new: NewContact) -> Contact:
        """Raises Invalid for what is no address, and NotFound when there is no such group."""
        if len(json.dumps(new.about)) > LARGEST_ABOUT:
            raise TooLarge(f"metaData may have at most {LARGEST_ABOUT} characters of JSON")
        now = self._now()
        contact = Contact(
            id=ContactId(new_id(now)),
            account_id=account,
            first_name=new.first_name,
            last_name=new.last_name,
            company=new.company,
            email_addresses=tuple(dict.fromkeys(_checked(address) for address in new.email_addresses)),
            tags=tuple(dict.fromkeys(new.tags)),
            about=new.about,
            opted_out=new.opted_out,
            created_at=now,
        )
        async with self._database.transaction() as tx:
            await tx.contacts.add(contact)
            if new.group_id is not None:
                await _require_group(tx, account, new.group_id)
                await tx.groups.join(new.group_id, [contact.id])
        return replace(contact, group_id=new.group_id)

    async def get(self, account: AccountId, contact: ContactId) -> Contact:
        async with self._database.reading() as tx:
            found = await tx.contacts.get(account, contact)
        if found is None:
            raise NotFound(f"there is no contact {contact}")
        return found

    async def page(
        self, account: AccountId, slice_: Slice = _ALL, *, search: str = "", group: GroupId | None = None
    ) -> Page[Contact]:
        async with self._database.reading() as tx:
            if group is not None:
                await _require_group(tx, account, group)
            return await tx.contacts.page(account, slice_, search=search, group=group)

    async def delete(self, account: AccountId, contact: ContactId) -> None:
        async with self._database.transaction() as tx:
            if not await tx.contacts.remove(account, contact):
                raise NotFound(f"there is no contact {contact}")

    # Groups

    async def create_group(self, account: AccountId, name: str, description: str | None = None) -> Group:
        now = self._now()
        group = Group(id=GroupId(new_id(now)), account_id=account, name=name, description=description, created_at=now)
        async with self._database.transaction() as tx:
            await tx.groups.add(group)
        return group

    async def group(self, account: AccountId, group: GroupId) -> Group:
        async with self._database.reading() as tx:
            return await _require_group(tx, account, group)

    async def groups(self, account: AccountId, slice_: Slice = _ALL) -> Page[Group]:
        async with self._database.reading() as tx:
            return await tx.groups.page(account, slice_)

    async def members(self, account: AccountId, group: GroupId) -> tuple[Group, list[Contact]]:
        """A group with all its contacts."""
        async with self._database.reading() as tx:
            return await _require_group(tx, account, group), await tx.contacts.in_group(account, group)

    async def join(self, account: AccountId, group: GroupId, ids: Sequence[ContactId]) -> None:
        """Put contacts into a group. Raises NotFound, and puts in none, when one of them is not there."""
        async with self._database.transaction() as tx:
            await _require_group(tx, account, group)
            await _require_all(tx, account, ids)
            await tx.groups.join(group, ids)

    async def leave(self, account: AccountId, group: GroupId, ids: Sequence[ContactId]) -> None:
        """Take contacts out of a group. Raises NotFound as `join`."""
        async with self._database.transaction() as tx:
            await _require_group(tx, account, group)
            await _require_all(tx, account, ids)
            await tx.groups.leave(group, ids)

    async def delete_group(self, account: AccountId, group: GroupId) -> None:
        """Delete a group; its contacts stay."""
        async with self._database.transaction() as tx:
            if not await tx.groups.remove(account, group):
                raise NotFound(f"there is no group {group}")


def _checked(text: str) -> str:
    """The one address in this text."""
    found = parse_addresses(text)
    if len(found) != 1:
        raise Invalid(f"emailAddresses must each be one address such as name@example.org, not {text!r}")
    return found[0].email


async def _require_group(tx: Transaction, account: AccountId, group: GroupId) -> Group:
    found = await tx.groups.get(account, group)
    if found is None:
        raise NotFound(f"there is no group {group}")
    return found


async def _require_all(tx: Transaction, account: AccountId, ids: Sequence[ContactId]) -> None:
    missing = set(ids) - {contact.id for contact in await tx.contacts.those(account, ids)}
    if missing:
        raise NotFound(f"there is no contact {min(missing)}")
