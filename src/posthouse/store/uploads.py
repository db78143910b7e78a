"""Rows of uploaded attachments, and the list of all attachments whichever way they came."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from posthouse.model.mail import AttachmentEntry, Stored, Upload
from posthouse.model.values import AccountId, EmailId, InboxId, Page, Slice, UploadId
from posthouse.store.connection import Connection
from posthouse.store.mail import stored_of
from posthouse.store.rows import Row, read_page
from posthouse.store.tables import attachments


class Uploads:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, upload: Upload) -> None:
        await self._connection.execute(
            sa.insert(attachments).values(
                id=upload.id,
                account_id=upload.account_id,
                name=upload.name,
                content_type=upload.content_type,
                content_id=upload.content_id,
                size=upload.stored.size,
                created_at=upload.created_at,
                pack=upload.stored.pack,
                pack_offset=upload.stored.offset,
                pack_length=upload.stored.length,
            )
        )

    async def get(self, account: AccountId, upload: str) -> Upload | None:
        query = sa.select(attachments).where(
            attachments.c.account_id == account,
            attachments.c.id == upload,
            attachments.c.email_id.is_(None),
        )
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _upload(row)

    async def remove(self, account: AccountId, upload: str) -> Stored | None:
        """Delete an upload. Where its bytes lay, for the caller to give back; None if there was none."""
        found = await self.get(account, upload)
        if found is not None:
            await self._connection.execute(sa.delete(attachments).where(attachments.c.id == upload))
        return found.stored if found else None

    async def remove_all(self, account: AccountId) -> list[Stored]:
        """Delete all uploads of an account. Where their bytes lay, for the caller to give back."""
        query = sa.select(attachments).where(attachments.c.account_id == account, attachments.c.email_id.is_(None))
        found = [_upload(row) for row in (await self._connection.execute(query)).mappings()]
        await self._connection.execute(sa.delete(attachments).where(attachments.c.id.in_([one.id for one in found])))
        return [one.stored for one in found]

    async def entry(self, account: AccountId, attachment: str) -> AttachmentEntry | None:
        query = _entries(account).where(attachments.c.id == attachment)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _entry(row)

    async def page(
        self,
        account: AccountId,
        slice_: Slice,
        *,
        name: str = "",
        inbox: InboxId | None = None,
        email: EmailId | None = None,
        among: Sequence[str] | None = None,
        include: Sequence[str] = (),
    ) -> Page[AttachmentEntry]:
        """Attachments of an account, received and uploaded: all, or those `among` some. Those in `include` are there
        whatever else is asked for."""
        wanted: list[sa.ColumnElement[bool]] = []
        if name:
            wanted.append(attachments.c.name.icontains(name, autoescape=True))
        if inbox is not None:
            wanted.append(attachments.c.inbox_id == inbox)
        if email is not None:
            wanted.append(attachments.c.email_id == email)
        if among is not None:
            wanted.append(attachments.c.id.in_(among))
        query = _entries(account)
        if include:
            query = query.where(sa.or_(sa.and_(sa.true(), *wanted), attachments.c.id.in_(include)))
        else:
            query = query.where(*wanted)
        return await read_page(self._connection, query, slice_, _entry)


def _entries(account: AccountId) -> sa.Select[Any]:
    return sa.select(attachments).where(attachments.c.account_id == account)


def _upload(row: Row) -> Upload:
    return Upload(
        id=UploadId(row["id"]),
        account_id=row["account_id"],
        name=row["name"],
        content_type=row["content_type"],
        content_id=row["content_id"],
        created_at=row["created_at"],
        stored=stored_of(row, size=row["size"]),
    )


def _entry(row: Row) -> AttachmentEntry:
    return AttachmentEntry(**{name: row[name] for name in AttachmentEntry.__dataclass_fields__})
