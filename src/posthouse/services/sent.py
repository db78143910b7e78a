"""What was sent: found, opened, deleted."""

from posthouse.mime.reading import content, read
from posthouse.model.errors import NotFound
from posthouse.model.mail import SentEmail, SentQuery
from posthouse.model.message import Message, Part
from posthouse.model.values import AccountId, InboxId, Page, SentId, Slice
from posthouse.services.required import require_inbox, require_sent
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database


class Sent:
    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def page(self, account: AccountId, query: SentQuery) -> Page[SentEmail]:
        async with self._database.reading() as tx:
            if query.inbox_id is not None:
                await require_inbox(tx, account, query.inbox_id)
            return await tx.sent.page(account, query)

    async def queued(self, account: AccountId, slice_: Slice) -> Page[SentEmail]:
        """What was queued, however far it has come."""
        async with self._database.reading() as tx:
            return await tx.sent.queued(account, slice_)

    async def count(self, account: AccountId, inbox: InboxId) -> int:
        async with self._database.reading() as tx:
            await require_inbox(tx, account, inbox)
            return await tx.sent.count(account, inbox)

    async def get(self, account: AccountId, sent_id: SentId) -> SentEmail:
        async with self._database.reading() as tx:
            return await require_sent(tx, account, sent_id)

    async def open(self, account: AccountId, sent_id: SentId) -> tuple[SentEmail, Message]:
        """A sent email, whole."""
        sent = await self.get(account, sent_id)
        return sent, read(await self._blobs.get(sent.stored))

    async def raw(self, account: AccountId, sent_id: SentId) -> bytes:
        """The message as it was given to the server."""
        return await self._blobs.get((await self.get(account, sent_id)).stored)

    async def attachment(self, account: AccountId, sent_id: SentId, number: int) -> tuple[Part, bytes]:
        """A part of a sent email, by its place among the parts, with its decoded bytes."""
        raw = await self.raw(account, sent_id)
        parts = read(raw).parts
        if not 0 <= number < len(parts):
            raise NotFound(f"there is no attachment {number} here")
        return parts[number], content(raw, parts[number])

    async def delete(self, account: AccountId, sent_id: SentId) -> None:
        """Forget a sent email. One that waits to be sent is not sent then."""
        await self.get(account, sent_id)
        await self._remove(account, sent_id)

    async def delete_all(self, account: AccountId) -> None:
        await self._remove(account)

    async def _remove(self, account: AccountId, sent_id: SentId | None = None) -> None:
        async with self._database.transaction() as tx:
            removed = await tx.sent.remove(account, sent=sent_id)
            freed = await tx.packs.release(one.pack for one in removed)
            tx.after_commit(lambda: self._blobs.remove(freed))
