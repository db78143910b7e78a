"""Attachments by themselves: uploaded to be sent, and all of them in one list whichever way they came."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid5

from posthouse.mime.reading import content
from posthouse.model.errors import Conflict, Invalid, NotFound, TooLarge
from posthouse.model.mail import AttachmentEntry, Upload
from posthouse.model.values import AccountId, Clock, EmailId, InboxId, Page, SentId, Slice, UploadId, new_id
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database

_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.ASCII)
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """Bytes to keep. The same bytes under the same name are kept once for a `key`, however often they are sent."""

    content: bytes
    name: str | None = None
    content_type: str | None = None
    content_id: str | None = None
    key: str = ""


class Attachments:
    """`largest` bounds one upload, in bytes."""

    def __init__(self, database: Database, blobs: Blobs, now: Clock, largest: int = 50 << 20) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now
        self._largest = largest

    async def upload(self, account: AccountId, new: NewUpload) -> Upload:
        """Keep bytes to be sent, any number of times. Raises TooLarge, or Invalid for a type that is none."""
        if len(new.content) > self._largest:
            raise TooLarge(f"an attachment may have at most {self._largest} bytes, this one has {len(new.content)}")
        content_type = (new.content_type or UNKNOWN_TYPE).split(";")[0].strip().lower()
        if not _CONTENT_TYPE.fullmatch(content_type):
            raise Invalid(f"contentType must look like text/plain, not {new.content_type!r}")
        for field, text in (("filename", new.name), ("contentId", new.content_id)):
            if text and not text.isprintable():
                raise Invalid(f"{field} must not hold line breaks or control characters")
        now = self._now()
        id_ = UploadId(_repeatable(account, new) if new.key else f"{int(now.timestamp())}-{new_id(now)}")
        if new.key and (kept := await self._kept(account, id_)) is not None:
            return kept
        [stored] = await self._blobs.put([new.content])
        upload = Upload(
            id=id_,
            account_id=account,
            name=new.name or "unnamed",
            content_type=content_type,
            content_id=new.content_id,
            created_at=now,
            stored=stored,
        )
        try:
            async with self._database.transaction() as tx:
                await tx.packs.use([stored.pack], now)
                await tx.uploads.add(upload)
        except Conflict:
            # The same request was a moment ahead of us.
            await self._blobs.remove([stored.pack])
            if (kept := await self._kept(account, id_)) is None:
                raise
            return kept
        return upload

    async def _kept(self, account: AccountId, id_: UploadId) -> Upload | None:
        async with self._database.reading() as tx:
            return await tx.uploads.get(account, id_)

    async def page(
        self,
        account: AccountId,
        slice_: Slice,
        *,
        name: str = "",
        inbox: InboxId | None = None,
        email: EmailId | None = None,
        sent: SentId | None = None,
        include: Sequence[str] = (),
    ) -> Page[AttachmentEntry]:
        """`sent` asks for the uploads that went with a sent email; those in `include` are there in any case."""
        async with self._database.reading() as tx:
            went = await tx.sent.get(account, sent) if sent else None
            among = None if sent is None else went.attachment_ids if went else ()
            return await tx.uploads.page(
                account, slice_, name=name, inbox=inbox, email=email, among=among, include=include
            )

    async def get(self, account: AccountId, attachment: str) -> AttachmentEntry:
        async with self._database.reading() as tx:
            entry = await tx.uploads.entry(account, attachment)
        if entry is None:
            raise _missing(attachment)
        return entry

    async def content(self, account: AccountId, attachment: str) -> tuple[AttachmentEntry, bytes]:
        """Any attachment, with its decoded bytes."""
        entry = await self.get(account, attachment)
        async with self._database.reading() as tx:
            upload = await tx.uploads.get(account, attachment)
            received = await tx.mail.attachment(account, attachment)
            email = await tx.mail.get(account, received.email_id) if received else None
        if upload is not None:
            return entry, await self._blobs.get(upload.stored)
        if received is None or email is None:
            raise _missing(attachment)
        return entry, content(await self._blobs.get(email.stored), received)

    async def delete(self, account: AccountId, attachment: str) -> None:
        """Delete an upload. A received attachment is a part of its email, and goes with that."""
        entry = await self.get(account, attachment)
        if entry.email_id is not None:
            raise Invalid(f"this attachment belongs to the email {entry.email_id}: delete that")
        async with self._database.transaction() as tx:
            stored = await tx.uploads.remove(account, attachment)
            if stored is not None:
                freed = await tx.packs.release([stored.pack])
                tx.after_commit(lambda: self._blobs.remove(freed))

    async def delete_all(self, account: AccountId) -> None:
        """Delete all uploads of an account. Received attachments stay with their emails."""
        async with self._database.transaction() as tx:
            stored = await tx.uploads.remove_all(account)
            freed = await tx.packs.release(one.pack for one in stored)
            tx.after_commit(lambda: self._blobs.remove(freed))


def _repeatable(account: AccountId, new: NewUpload) -> str:
    """The same id for the same upload."""
    return str(uuid5(account, f"{new.key} {hashlib.sha256(new.content).hexdigest()} {new.name}"))


def _missing(attachment: str) -> NotFound:
    return NotFound(f"there is no attachment {attachment}")
