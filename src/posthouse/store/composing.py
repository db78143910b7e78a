"""Rows of templates and drafts, of contacts and the groups that they are in."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from posthouse.model.composing import Contact, Group, KeptDraft, Template
from posthouse.model.values import AccountId, ContactId, DraftId, GroupId, InboxId, Page, Slice, TemplateId
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, read_page
from posthouse.store.tables import contact_groups, contacts, drafts, group_members, templates


class Templates:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, template: Template) -> None:
        await self._connection.execute(sa.insert(templates).values(asdict(template)))

    async def change(self, template: TemplateId, name: str, content: str, now: datetime) -> None:
        changed = sa.update(templates).where(templates.c.id == template)
        await self._connection.execute(changed.values(name=name, content=content, updated_at=now))

    async def get(self, account: AccountId, template: TemplateId) -> Template | None:
        query = sa.select(templates).where(templates.c.account_id == account, templates.c.id == template)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _template(row)

    async def page(self, account: AccountId, slice_: Slice) -> Page[Template]:
        query = sa.select(templates).where(templates.c.account_id == account)
        return await read_page(self._connection, query, slice_, _template)

    async def remove(self, account: AccountId, template: TemplateId) -> bool:
        """Whether it was there."""
        gone = sa.delete(templates).where(templates.c.account_id == account, templates.c.id == template)
        return bool((await self._connection.execute(gone)).rowcount)


class Drafts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, draft: KeptDraft) -> None:
        await self._connection.execute(sa.insert(drafts).values(asdict(draft)))

    async def change(self, draft: DraftId, said: dict[str, Any], now: datetime) -> None:
        await self._connection.execute(sa.update(drafts).where(drafts.c.id == draft).values(said=said, updated_at=now))

    async def get(self, account: AccountId, draft: DraftId) -> KeptDraft | None:
        query = sa.select(drafts).where(drafts.c.account_id == account, drafts.c.id == draft)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _draft(row)

    async def page(self, account: AccountId, slice_: Slice, inbox: InboxId | None = None) -> Page[KeptDraft]:
        query = sa.select(drafts).where(drafts.c.account_id == account)
        if inbox is not None:
            query = query.where(drafts.c.inbox_id == inbox)
        return await read_page(self._connection, query, slice_, _draft)

    async def remove(self, account: AccountId, draft: DraftId) -> bool:
        """Whether it was there."""
        gone = sa.delete(drafts).where(drafts.c.account_id == account, drafts.c.id == draft)
        return bool((await self._connection.execute(gone)).rowcount)


class Contacts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, contact: Contact) -> None:
        """Its group is joined by `Groups.join`."""
        values = {name: value for name, value in asdict(contact).items() if name != "group_id"}
        await self._connection.execute(sa.insert(contacts).values(values))

    async def get(self, account: AccountId, contact: ContactId) -> Contact | None:
        row = (await self._connection.execute(_contacts(account).where(contacts.c.id == contact))).mappings().first()
        return None if row is None else _contact(row)

    async def those(self, account: AccountId, ids: Collection[ContactId]) -> list[Contact]:
        """The account's contacts among these, oldest first."""
        query = _contacts(account).where(contacts.c.id.in_(ids)).order_by(contacts.c.number)
        return [_contact(row) for row in (await self._connection.execute(query)).mappings()]

    async def page(
        self, account: AccountId, slice_: Slice, *, search: str = "", group: GroupId | None = None
    ) -> Page[Contact]:
        """`search` is looked for in names, company and addresses."""
        query = _contacts(account)
        if search:
            columns = (contacts.c.first_name, contacts.c.last_name, contacts.c.company)
            texts = (*columns, sa.cast(contacts.c.email_addresses, sa.Text))
            query = query.where(sa.or_(*(text.icontains(search, autoescape=True) for text in texts)))
        if group is not None:
            query = query.where(contacts.c.id.in_(_members(group)))
        return await read_page(self._connection, query, slice_, _contact)

    async def in_group(self, account: AccountId, group: GroupId) -> list[Contact]:
        """All contacts of a group, oldest first."""
        query = _contacts(account).where(contacts.c.id.in_(_members(group))).order_by(contacts.c.number)
        return [_contact(row) for row in (await self._connection.execute(query)).mappings()]

    async def remove(self, account: AccountId, contact: ContactId) -> bool:
        """Whether it was there."""
        gone = sa.delete(contacts).where(contacts.c.account_id == account, contacts.c.id == contact)
        return bool((await self._connection.execute(gone)).rowcount)


class Groups:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, group: Group) -> None:
        await self._connection.execute(sa.insert(contact_groups).values(asdict(group)))

    async def get(self, account: AccountId, group: GroupId) -> Group | None:
        query = sa.select(contact_groups).where(contact_groups.c.account_id == account, contact_groups.c.id == group)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _group(row)

    async def page(self, account: AccountId, slice_: Slice) -> Page[Group]:
        query = sa.select(contact_groups).where(contact_groups.c.account_id == account)
        return await read_page(self._connection, query, slice_, _group)

    async def remove(self, account: AccountId, group: GroupId) -> bool:
        """Whether it was there. Its contacts stay."""
        gone = sa.delete(contact_groups).where(contact_groups.c.account_id == account, contact_groups.c.id == group)
        return bool((await self._connection.execute(gone)).rowcount)

    async def join(self, group: GroupId, ids: Sequence[ContactId]) -> None:
        """Put contacts into a group; those that are in it stay in it."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        rows = [{"group_id": group, "contact_id": contact} for contact in dict.fromkeys(ids)]
        if rows:
            await self._connection.execute(dialect.insert(group_members).values(rows).on_conflict_do_nothing())

    async def leave(self, group: GroupId, ids: Sequence[ContactId]) -> None:
        gone = sa.delete(group_members).where(group_members.c.group_id == group, group_members.c.contact_id.in_(ids))
        await self._connection.execute(gone)


def _members(group: GroupId) -> sa.Select[Any]:
    return sa.select(group_members.c.contact_id).where(group_members.c.group_id == group)


def _contacts(account: AccountId) -> sa.Select[Any]:
    oldest_group = (
        sa.select(contact_groups.c.id)
        .join(group_members, group_members.c.group_id == contact_groups.c.id)
        .where(group_members.c.contact_id == contacts.c.id)
        .order_by(contact_groups.c.number)
        .limit(1)
        .correlate(contacts)
        .scalar_subquery()
    )
    return sa.select(contacts, oldest_group.label("group_id")).where(contacts.c.account_id == account)


def _contact(row: Row) -> Contact:
    values = {name: value for name, value in row.items() if name != "number"}
    lists = {name: tuple(row[name]) for name in ("email_addresses", "tags")}
    return Contact(**{**values, **lists})


def _group(row: Row) -> Group:
    return Group(**{name: value for name, value in row.items() if name != "number"})


def _template(row: Row) -> Template:
    return Template(**{name: value for name, value in row.items() if name != "number"})


def _draft(row: Row) -> KeptDraft:
    return KeptDraft(**{name: value for name, value in row.items() if name != "number"})
