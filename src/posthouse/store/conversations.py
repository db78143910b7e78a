"""Reading threads: a page of them with what lists show, and all that is in one.

A page is taken from the threads themselves; what is told of each is then counted in the emails of these few alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from posthouse.model.mail import SendState
from posthouse.model.threads import Letter, Thread, ThreadQuery, written_at
from posthouse.model.values import AccountId, Page, Sort, ThreadId
from posthouse.store import search
from posthouse.store.connection import Connection
from posthouse.store.mail import email_of
from posthouse.store.rows import Row, read_page
from posthouse.store.sent import sent_of
from posthouse.store.tables import emails, sent_emails, threads

MOST = 1000
"""Emails of one thread that are given."""

_WRITTEN = sa.func.coalesce(emails.c.sent_at, emails.c.created_at)
_SHOWN = sent_emails.c.state.in_((SendState.ACCEPTED, SendState.UNKNOWN))


@dataclass(slots=True)
class _Count:
    """What is counted in one thread."""

    letters: list[Letter]
    count: int = 0
    unread: bool = False
    has_attachments: bool = False


class Conversations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(self, account: AccountId, query: ThreadQuery) -> Page[Thread]:
        found = sa.select(threads).where(threads.c.account_id == account)
        received = sa.exists().where(emails.c.thread_id == threads.c.id)
        sent = sa.exists().where(sent_emails.c.thread_id == threads.c.id, _SHOWN)
        if query.inbox_id is not None:
            received = received.where(emails.c.inbox_id == query.inbox_id)
            sent = sent.where(sent_emails.c.inbox_id == query.inbox_id)
        found = found.where(received | sent)
        if query.search:
            matching = search.matching(self._connection.dialect.name, query.search)
            subject = sent_emails.c.subject.icontains(query.search, autoescape=True)
            found = found.where(
                threads.c.id.in_(sa.select(emails.c.thread_id).where(emails.c.account_id == account, matching))
                | threads.c.id.in_(
                    sa.select(sent_emails.c.thread_id).where(sent_emails.c.account_id == account, _SHOWN, subject)
                )
            )
        page = await read_page(self._connection, found, query.slice, lambda row: row)
        counts = await self._counted([row["id"] for row in page.items])
        # What was deleted between two looks is not there any more.
        there = tuple(_thread(row, counts[row["id"]]) for row in page.items if row["id"] in counts)
        return Page(there, page.total, page.asked)

    async def get(self, account: AccountId, thread: ThreadId) -> Thread | None:
        query = sa.select(threads).where(threads.c.account_id == account, threads.c.id == thread)
        row = (await self._connection.execute(query)).mappings().first()
        counts = await self._counted([thread]) if row is not None else {}
        return None if row is None or thread not in counts else _thread(row, counts[thread])

    async def letters(self, account: AccountId, thread: ThreadId, sort: Sort) -> list[Letter]:
        """The emails of a thread by when they were written: the first thousand in this order."""
        downwards = sort is Sort.DESC
        received = sa.select(emails).where(emails.c.account_id == account, emails.c.thread_id == thread)
        received = received.order_by(_WRITTEN.desc() if downwards else _WRITTEN, emails.c.number).limit(MOST)
        sent = sa.select(sent_emails).where(
            sent_emails.c.account_id == account, sent_emails.c.thread_id == thread, _SHOWN
        )
        at = sent_emails.c.created_at
        sent = sent.order_by(at.desc() if downwards else at, sent_emails.c.number).limit(MOST)
        found: list[Letter] = [email_of(row) for row in (await self._connection.execute(received)).mappings()]
        found += [sent_of(row) for row in (await self._connection.execute(sent)).mappings()]
        return sorted(found, key=written_at, reverse=downwards)[:MOST]

    async def _counted(self, ids: Sequence[ThreadId]) -> dict[ThreadId, _Count]:
        """Of each of these threads its first and last email of either kind, and what there is to count."""
        counts: dict[ThreadId, _Count] = {}
        unread = sa.func.max(sa.case((emails.c.read, 0), else_=1))
        for row in await self._ends(emails, _WRITTEN, emails.c.thread_id.in_(ids), unread):
            _count(counts, row, email_of(row))
        sent = sent_emails.c.thread_id.in_(ids) & _SHOWN
        for row in await self._ends(sent_emails, sent_emails.c.created_at, sent, sa.func.max(sa.literal(0))):
            _count(counts, row, sent_of(row))
        return counts

    async def _ends(
        self, table: sa.Table, order: sa.ColumnElement[Any], which: sa.ColumnElement[bool], unread: sa.Function[Any]
    ) -> Sequence[Row]:
        """The first and the last row of each thread, with what all of its rows come to."""
        thread = table.c.thread_id
        attached = sa.func.max(sa.case((sa.cast(table.c.attachment_ids, sa.Text) == "[]", 0), else_=1))
        numbered = (
            sa.select(
                table,
                sa.func.row_number().over(partition_by=thread, order_by=(order, table.c.number)).label("nth"),
                sa.func.count().over(partition_by=thread).label("in_all"),
                unread.over(partition_by=thread).label("any_unread"),
                attached.over(partition_by=thread).label("any_attached"),
            )
            .where(which)
            .subquery()
        )
        ends = sa.select(numbered).where(sa.or_(numbered.c.nth == 1, numbered.c.nth == numbered.c.in_all))
        return (await self._connection.execute(ends)).mappings().all()


def _count(counts: dict[ThreadId, _Count], row: Row, letter: Letter) -> None:
    count = counts.setdefault(row["thread_id"], _Count([]))
    count.letters.append(letter)
    count.unread = count.unread or bool(row["any_unread"])
    count.has_attachments = count.has_attachments or bool(row["any_attached"])
    if row["nth"] == 1:
        count.count += row["in_all"]


def _thread(row: Row, count: _Count) -> Thread:
    return Thread(
        id=row["id"],
        account_id=row["account_id"],
        created_at=row["created_at"],
        first=min(count.letters, key=written_at),
        last=max(count.letters, key=written_at),
        count=count.count,
        unread=count.unread,
        has_attachments=count.has_attachments,
    )
