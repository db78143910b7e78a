"""Conversations: listed, and opened. Which email is in which was settled when it was filed (`store.threads`)."""

from posthouse.model.errors import NotFound
from posthouse.model.threads import Letter, Thread, ThreadQuery
from posthouse.model.values import AccountId, Page, Sort, ThreadId
from posthouse.services.required import require_inbox
from posthouse.store.database import Database


class Threads:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, account: AccountId, query: ThreadQuery) -> Page[Thread]:
        """Raises NotFound when the inbox asked for is not there."""
        async with self._database.reading() as tx:
            if query.inbox_id is not None:
                await require_inbox(tx, account, query.inbox_id)
            return await tx.conversations.page(account, query)

    async def get(self, account: AccountId, thread_id: ThreadId) -> Thread:
        async with self._database.reading() as tx:
            thread = await tx.conversations.get(account, thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {thread_id}")
        return thread

    async def letters(self, account: AccountId, thread_id: ThreadId, sort: Sort = Sort.ASC) -> list[Letter]:
        """The emails of a thread by when they were written, a thousand at most."""
        async with self._database.reading() as tx:
            found = await tx.conversations.letters(account, thread_id, sort)
        if not found:
            raise NotFound(f"there is no thread {thread_id}")
        return found
