"""Rows of sent emails, and of those still on their way."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from posthouse.model.mail import SENT, SendState, SentEmail, SentQuery
from posthouse.model.message import Address
from posthouse.model.values import AccountId, InboxId, Page, SentId, Slice
from posthouse.store.connection import Connection
from posthouse.store.mail import stored_columns, stored_of
from posthouse.store.rows import Row, addresses_from_json, addresses_to_json, bounded, read_page
from posthouse.store.tables import sent_emails
from posthouse.store.threads import Naming, Threads


@dataclass(frozen=True, slots=True)
class RemovedSent:
    id: SentId
    pack: str


class Sent:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, sent: SentEmail) -> SentEmail:
        """File a sent email; it comes back with its thread."""
        naming = Naming(sent.account_id, sent.message_id, (sent.in_reply_to, *sent.references), sent.created_at)
        [thread] = await Threads(self._connection).place([naming])
        await self._connection.execute(
            sa.insert(sent_emails).values(
                id=sent.id,
                account_id=sent.account_id,
                inbox_id=sent.inbox_id,
                connector_id=sent.connector_id,
                state=sent.state,
                state_text=sent.state_text,
                created_at=sent.created_at,
                sent_at=sent.sent_at,
                sender=[sent.sender.name, sent.sender.email],
                to=addresses_to_json(sent.to),
                cc=addresses_to_json(sent.cc),
                bcc=addresses_to_json(sent.bcc),
                reply_to=addresses_to_json(sent.reply_to),
                refused=list(sent.refused),
                subject=sent.subject,
                message_id=sent.message_id,
                is_html=sent.is_html,
                size=sent.size,
                excerpt=sent.excerpt,
                attachment_ids=list(sent.attachment_ids),
                virtual=sent.virtual,
                updated_at=sent.updated_at,
                queued=sent.queued,
                return_path=sent.return_path,
                also_known_as=sent.also_known_as,
                in_reply_to=sent.in_reply_to,
                thread_id=thread,
                **stored_columns(sent.stored),
            )
        )
        return replace(sent, thread_id=thread)

    async def settle(self, sent: SentEmail) -> bool:
        """Write down how far a send has come. False when it was deleted meanwhile."""
        settled = await self._connection.execute(
            sa.update(sent_emails)
            .where(sent_emails.c.id == sent.id)
            .values(
                state=sent.state,
                state_text=sent.state_text,
                refused=list(sent.refused),
                sent_at=sent.sent_at,
                updated_at=sent.updated_at,
                also_known_as=sent.also_known_as,
            )
        )
        return bool(settled.rowcount)

    async def get(self, account: AccountId, sent: SentId) -> SentEmail | None:
        query = sa.select(sent_emails).where(sent_emails.c.account_id == account, sent_emails.c.id == sent)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else sent_of(row)

    async def by_id(self, sent: SentId) -> SentEmail | None:
        """As `get`, whosever it is."""
        row = (
            (await self._connection.execute(sa.select(sent_emails).where(sent_emails.c.id == sent))).mappings().first()
        )
        return None if row is None else sent_of(row)

    async def by_message_id(self, account: AccountId, message_id: str) -> SentEmail | None:
        """The newest email that was sent under this id, or got it from its server."""
        same = sa.or_(sent_emails.c.message_id == message_id, sent_emails.c.also_known_as == message_id)
        query = sa.select(sent_emails).where(sent_emails.c.account_id == account, same)
        row = (await self._connection.execute(query.order_by(sent_emails.c.number.desc()).limit(1))).mappings().first()
        return None if row is None else sent_of(row)

    async def by_subject(self, account: AccountId, subject: str, since: datetime) -> list[SentEmail]:
        """The newest emails that were sent under a subject since this moment."""
        query = sa.select(sent_emails).where(
            sent_emails.c.account_id == account,
            sent_emails.c.subject == subject,
            sent_emails.c.created_at >= since,
            _was_sent(),
        )
        rows = (await self._connection.execute(query.order_by(sent_emails.c.number.desc()).limit(20))).mappings()
        return [sent_of(row) for row in rows]

    async def page(self, account: AccountId, query: SentQuery) -> Page[SentEmail]:
        wanted = sa.select(sent_emails).where(sent_emails.c.account_id == account)
        if query.states:
            wanted = wanted.where(sent_emails.c.state.in_(query.states))
        if query.inbox_id is not None:
            wanted = wanted.where(sent_emails.c.inbox_id == query.inbox_id)
        if query.search:
            columns = (
                sent_emails.c.subject,
                *(sa.cast(sent_emails.c[c], sa.Text) for c in ("to", "cc", "bcc")),
            )
            wanted = wanted.where(sa.or_(*(column.icontains(query.search, autoescape=True) for column in columns)))
        return await read_page(self._connection, wanted, query.slice, sent_of)

    async def count(self, account: AccountId, inbox: InboxId) -> int:
        query = sa.select(sa.func.count()).where(
            sent_emails.c.account_id == account,
            sent_emails.c.inbox_id == inbox,
            _was_sent(),
        )
        return await self._connection.scalar(query) or 0

    async def queued(self, account: AccountId, slice_: Slice) -> Page[SentEmail]:
        """What was put into the outbox, however far it has come."""
        query = sa.select(sent_emails).where(sent_emails.c.account_id == account, sent_emails.c.queued)
        return await read_page(self._connection, query, slice_, sent_of)

    async def remove(
        self,
        account: AccountId,
        *,
        sent: SentId | None = None,
        inbox: InboxId | None = None,
        slice_: Slice = Slice(),
    ) -> list[RemovedSent]:
        """Delete sent emails: one, an inbox's, or all. The caller gives their packs back."""
        query: Any = sa.delete(sent_emails).where(sent_emails.c.account_id == account)
        if sent is not None:
            query = query.where(sent_emails.c.id == sent)
        if inbox is not None:
            query = query.where(sent_emails.c.inbox_id == inbox)
        query = bounded(query, sent_emails.c.created_at, slice_)
        returned = query.returning(sent_emails.c.id, sent_emails.c.pack, sent_emails.c.thread_id)
        removed = (await self._connection.execute(returned)).all()
        await Threads(self._connection).forget_empty(row.thread_id for row in removed)
        return [RemovedSent(row.id, row.pack) for row in removed]


def _was_sent() -> sa.ColumnElement[bool]:
    """It was sent, or may have been."""
    return sent_emails.c.state.in_(SENT)


def sent_of(row: Row) -> SentEmail:
    return SentEmail(
        id=row["id"],
        account_id=row["account_id"],
        inbox_id=row["inbox_id"],
        connector_id=row["connector_id"],
        state=SendState(row["state"]),
        state_text=row["state_text"],
        created_at=row["created_at"],
        sent_at=row["sent_at"],
        sender=Address(*row["sender"]),
        to=addresses_from_json(row["to"]),
        cc=addresses_from_json(row["cc"]),
        bcc=addresses_from_json(row["bcc"]),
        reply_to=addresses_from_json(row["reply_to"]),
        refused=tuple(row["refused"]),
        subject=row["subject"],
        message_id=row["message_id"],
        is_html=row["is_html"],
        size=row["size"],
        excerpt=row["excerpt"],
        attachment_ids=tuple(row["attachment_ids"]),
        virtual=row["virtual"],
        updated_at=row["updated_at"],
        queued=row["queued"],
        return_path=row["return_path"],
        also_known_as=row["also_known_as"],
        in_reply_to=row["in_reply_to"],
        thread_id=row["thread_id"],
        stored=stored_of(row),
    )
