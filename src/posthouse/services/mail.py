"""Received mail: found, read, marked, deleted. What a list shows is in rows; a text or attachment is cut from the
raw message when it is asked for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from posthouse.mime.reading import content, read
from posthouse.mime.showing import inline_images, text_to_html
from posthouse.model.errors import NotFound
from posthouse.model.events import Happening
from posthouse.model.mail import Attachment, Email, EmailQuery
from posthouse.model.message import Message
from posthouse.model.values import AccountId, Clock, EmailId, InboxId, Page, Slice
from posthouse.services.required import require_inbox
from posthouse.services.together import Together
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction

_LARGE = 256 << 10  # from here on, reading a message leaves the event loop


@dataclass(frozen=True, slots=True)
class Opened:
    """An email with its raw bytes, and what they say."""

    email: Email
    raw: bytes
    message: Message
    attachments: tuple[Attachment, ...]


class Mail:
    def __init__(self, database: Database, blobs: Blobs, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now
        # Somebody waits for this; and what a power cut makes unread again is none the worse for it.
        self._opened = Together(database, self._mark_opened, durable=False)

    # Finding

    async def page(self, account: AccountId, query: EmailQuery) -> Page[Email]:
        """Raises NotFound when one of the inboxes asked for, or the plus address, is not there."""
        async with self._database.reading() as tx:
            for inbox in query.inbox_ids:
                await require_inbox(tx, account, inbox)
            plus = query.plus_address
            if plus is not None and await tx.plus_addresses.get(account, plus) is None:
                raise NotFound(f"there is no plus address {plus}")
            page = await tx.mail.page(account, query)
            plussed = [email.id for email in page.items if _may_have_a_tag(email)]
            if not plussed:
                return page
            found = await tx.plus_addresses.of_emails(plussed)
        items = (replace(email, plus_address_id=found.get(email.id)) for email in page.items)
        return replace(page, items=tuple(items))

    async def get(self, account: AccountId, email_id: EmailId) -> Email:
        """What lists know of an email; it does not become read by this."""
        async with self._database.reading() as tx:
            return await _require(tx, account, email_id)

    async def latest(self, account: AccountId, inbox_ids: Sequence[InboxId] = ()) -> Email | None:
        async with self._database.reading() as tx:
            for inbox in inbox_ids:
                await require_inbox(tx, account, inbox)
            return await tx.mail.latest(account, inbox_ids)

    async def count(self, account: AccountId, inbox: InboxId | None = None, *, unread_only: bool = False) -> int:
        async with self._database.reading() as tx:
            if inbox is not None:
                await require_inbox(tx, account, inbox)
            return await tx.mail.count(account, [inbox] if inbox else [], unread_only=unread_only)

    # Reading

    async def open(self, account: AccountId, email_id: EmailId, *, mark_read: bool = False) -> Opened:
        """An email, whole. With `mark_read` it counts as read from now on."""
        async with self._database.reading() as tx:
            email = await _require(tx, account, email_id)
        return await self.open_found(email, mark_read=mark_read)

    async def open_found(self, email: Email, *, mark_read: bool = False) -> Opened:
        """As `open`, for an email that has been looked up."""
        raw = await self._blobs.get(email.stored)
        message = read(raw) if len(raw) < _LARGE else await asyncio.to_thread(read, raw)
        attachments: list[Attachment] = []
        if email.attachment_ids:
            async with self._database.reading() as tx:
                attachments = await tx.mail.attachments(email.id)
        if mark_read and not email.read:  # once it could be read: who fails must find it unread the next time
            await self._opened.do(email)
            email = replace(email, read=True)
        return Opened(email, raw, message, tuple(attachments))

    async def html(self, account: AccountId, email_id: EmailId, *, with_images: bool = False) -> str:
        """The email as HTML: its own, or its text made into some; `with_images` puts its inline images into it."""
        opened = await self.open(account, email_id)
        message = opened.message
        html = message.html or text_to_html(message.text)
        if not with_images:
            return html
        images = {
            part.content_id: (part.content_type, content(opened.raw, part))
            for part in message.parts
            if part.content_id and part.content_type.startswith("image/")
        }
        return inline_images(html, images)

    async def raw(self, account: AccountId, email_id: EmailId) -> bytes:
        """The message as it came."""
        return await self._blobs.get((await self.get(account, email_id)).stored)

    async def attachments(self, account: AccountId, email_id: EmailId) -> list[Attachment]:
        async with self._database.reading() as tx:
            await _require(tx, account, email_id)
            return await tx.mail.attachments(email_id)

    async def attachment(self, account: AccountId, attachment_id: str, email_id: EmailId | None = None) -> Attachment:
        """What is known of a received attachment, of this email where one is named."""
        async with self._database.reading() as tx:
            attachment = await tx.mail.attachment(account, attachment_id)
        if attachment is None or (email_id is not None and attachment.email_id != email_id):
            raise NotFound(f"there is no attachment {attachment_id} here")
        return attachment

    async def attachment_content(
        self, account: AccountId, attachment_id: str, email_id: EmailId | None = None
    ) -> tuple[Attachment, bytes]:
        """A received attachment and its decoded bytes."""
        attachment = await self.attachment(account, attachment_id, email_id)
        raw = await self.raw(account, attachment.email_id)
        if attachment.size < _LARGE:
            return attachment, content(raw, attachment)
        return attachment, await asyncio.to_thread(content, raw, attachment)

    # Changing

    async def mark_read(self, account: AccountId, email_id: EmailId, read: bool = True) -> Email:
        email = await self.get(account, email_id)
        await self._mark(account, read, ids=[email_id])
        return replace(email, read=read)

    async def mark_all_read(self, account: AccountId, read: bool = True, inbox: InboxId | None = None) -> None:
        if inbox is not None:
            async with self._database.reading() as tx:
                await require_inbox(tx, account, inbox)
        await self._mark(account, read, inbox=inbox)

    async def favour(self, account: AccountId, email_id: EmailId, favourite: bool = True) -> None:
        async with self._database.transaction() as tx:
            email = await _require(tx, account, email_id)
            await tx.mail.mark_favourite(account, email_id, favourite, self._now())
            tx.signal(f"inbox:{email.inbox_id}")

    async def delete(self, account: AccountId, email_id: EmailId) -> None:
        await self.get(account, email_id)
        await self._remove_some(account, ids=[email_id])

    async def delete_all(self, account: AccountId, slice_: Slice = Slice()) -> None:
        """Delete all emails of an account that came within the slice's bounds."""
        while await self._remove_some(account, slice_=slice_):
            pass

    async def _mark_opened(self, tx: Transaction, emails: Sequence[Email]) -> Sequence[None]:
        await tx.inboxes.lock_all({email.inbox_id for email in emails})
        changed = await tx.mail.read_now([email.id for email in emails], self._now())
        await _journal(tx, Happening.EMAIL_READ, changed, self._now)
        return [None] * len(emails)

    async def _mark(
        self,
        account: AccountId,
        read: bool,
        *,
        ids: Sequence[EmailId] | None = None,
        inbox: InboxId | None = None,
    ) -> None:
        now = self._now()
        async with self._database.transaction() as tx:
            # Inboxes first and emails after them, as everywhere, so that two of us never wait for each other.
            if inbox is not None:
                homes = [inbox]
            else:
                homes = await (tx.inboxes.ids(account) if ids is None else tx.mail.homes(account, ids=ids))
            await tx.inboxes.hold_all(homes)
            changed = await tx.mail.mark_read(account, read, now, ids=ids, inbox=inbox)
            happening = Happening.EMAIL_READ if read else Happening.EMAIL_UNREAD
            await _journal(tx, happening, changed, self._now)

    async def _remove_some(
        self, account: AccountId, *, ids: Sequence[EmailId] | None = None, slice_: Slice = Slice()
    ) -> bool:
        async with self._database.transaction() as tx:
            homes = await tx.mail.homes(account, ids=ids, slice_=slice_)
            held = await tx.inboxes.hold_all(homes)
            removed = await tx.mail.remove(account, ids=ids, inbox_ids=held, slice_=slice_)
            gone = [(one.inbox_id, one.email_id) for one in removed]
            await _journal(tx, Happening.EMAIL_DELETED, gone, self._now)
            freed = await tx.packs.release(one.pack for one in removed)
            tx.after_commit(lambda: self._blobs.remove(freed))
        return bool(homes)


def _may_have_a_tag(email: Email) -> bool:
    return any("+" in one.email for one in (*email.to, *email.cc, *email.bcc))


async def _journal(
    tx: Transaction, happening: Happening, emails: Sequence[tuple[InboxId, EmailId]], now: Clock
) -> None:
    by_inbox: dict[InboxId, list[EmailId]] = {}
    for inbox, email in emails:
        by_inbox.setdefault(inbox, []).append(email)
    await tx.journal.append_all(by_inbox, happening, now())
    for inbox in by_inbox:
        tx.signal(f"inbox:{inbox}")


async def _require(tx: Transaction, account: AccountId, email_id: EmailId) -> Email:
    email = await tx.mail.get(account, email_id)
    if email is None:
        raise NotFound(f"there is no email {email_id}")
    return email
