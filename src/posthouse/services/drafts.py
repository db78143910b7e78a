"""Drafts: kept as they were said, until they are sent or thrown away. What is in one is checked when it is sent."""

from typing import Any

from posthouse.model.composing import KeptDraft
from posthouse.model.errors import NotFound
from posthouse.model.values import AccountId, Clock, DraftId, InboxId, Page, Slice, new_id
from posthouse.services.required import require_inbox
from posthouse.store.database import Database, Transaction


class Drafts:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def create(self, account: AccountId, inbox: InboxId, said: dict[str, Any]) -> KeptDraft:
        """Keep a draft that is to be sent from this inbox. `said` is JSON."""
        now = self._now()
        draft = KeptDraft(
            id=DraftId(new_id(now)), account_id=account, inbox_id=inbox, said=said, created_at=now, updated_at=now
        )
        async with self._database.transaction() as tx:
            await require_inbox(tx, account, inbox)
            await tx.drafts.add(draft)
        return draft

    async def change(self, account: AccountId, draft: DraftId, said: dict[str, Any]) -> KeptDraft:
        """Put something else in its place; it stays with its inbox."""
        async with self._database.transaction() as tx:
            await _require(tx, account, draft)
            await tx.drafts.change(draft, said, self._now())
            return await _require(tx, account, draft)

    async def get(self, account: AccountId, draft: DraftId) -> KeptDraft:
        async with self._database.reading() as tx:
            return await _require(tx, account, draft)

    async def page(self, account: AccountId, slice_: Slice, inbox: InboxId | None = None) -> Page[KeptDraft]:
        async with self._database.reading() as tx:
            if inbox is not None:
                await require_inbox(tx, account, inbox)
            return await tx.drafts.page(account, slice_, inbox)

    async def delete(self, account: AccountId, draft: DraftId) -> None:
        async with self._database.transaction() as tx:
            if not await tx.drafts.remove(account, draft):
                raise _missing(draft)


async def _require(tx: Transaction, account: AccountId, draft: DraftId) -> KeptDraft:
    found = await tx.drafts.get(account, draft)
    if found is None:
        raise _missing(draft)
    return found


def _missing(draft: DraftId) -> NotFound:
    return NotFound(f"there is no draft {draft}")
