"""Rows of how it went to tell webhooks something."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from posthouse.model.values import AccountId, Page
from posthouse.model.webhooks import FAILED, EventName, MessageId, Result, ResultId, ResultQuery, ResultType, WebhookId
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, read_page
from posthouse.store.tables import webhook_results as results


class Results:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, result: Result) -> None:
        await self._connection.execute(
            sa.insert(results).values(
                id=result.id,
                account_id=result.account_id,
                webhook_id=result.webhook_id,
                message_id=result.message_id,
                inbox_id=result.inbox_id,
                email_id=result.email_id,
                attachment_id=result.attachment_id,
                event=result.event.value,
                url=result.url,
                status=result.status,
                took_ms=result.took // timedelta(milliseconds=1),
                extract=result.extract,
                type=result.type.value,
                redrive_id=result.redrive_id,
                seen=result.seen,
                created_at=result.created_at,
                updated_at=result.updated_at,
            )
        )

    async def get(self, account: AccountId, result: ResultId) -> Result | None:
        query = sa.select(results).where(results.c.account_id == account, results.c.id == result)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _result(row)

    async def page(self, account: AccountId, query: ResultQuery) -> Page[Result]:
        return await read_page(self._connection, _chosen(account, query), query.slice, _result)

    async def first(self, account: AccountId, webhook: WebhookId, most: int) -> list[Result]:
        """The webhook's results, the oldest first."""
        query = sa.select(results).where(results.c.account_id == account, results.c.webhook_id == webhook)
        rows = await self._connection.execute(query.order_by(results.c.number).limit(most))
        return [_result(row) for row in rows.mappings()]

    async def count(self, account: AccountId, webhook: WebhookId) -> int:
        query = sa.select(sa.func.count()).where(results.c.account_id == account, results.c.webhook_id == webhook)
        return await self._connection.scalar(query) or 0

    async def unseen_failures(self, account: AccountId) -> int:
        query = sa.select(sa.func.count()).where(
            results.c.account_id == account, ~results.c.seen, results.c.type.in_([type_.value for type_ in FAILED])
        )
        return await self._connection.scalar(query) or 0

    async def mark_seen(self, result: ResultId, now: datetime) -> None:
        await self._connection.execute(
            sa.update(results).where(results.c.id == result, ~results.c.seen).values(seen=True, updated_at=now)
        )

    async def mark_redriven(self, messages: Collection[MessageId], redrive: UUID, now: datetime) -> int:
        """The failures of these messages have led to their being said again. How many results that were."""
        changed = await self._connection.execute(
            sa.update(results)
            .where(results.c.message_id.in_(messages), results.c.type.in_([type_.value for type_ in FAILED]))
            .values(type=ResultType.REDRIVEN.value, redrive_id=redrive, updated_at=now)
        )
        return changed.rowcount

    async def prune(self, before: datetime, most: int) -> int:
        """Forget results that are older. How many went."""
        old = sa.select(results.c.number).where(results.c.created_at < before).order_by(results.c.created_at)
        gone = await self._connection.execute(sa.delete(results).where(results.c.number.in_(old.limit(most))))
        return gone.rowcount


def _chosen(account: AccountId, wish: ResultQuery) -> sa.Select[Any]:
    query = sa.select(results).where(results.c.account_id == account)
    exact: Sequence[tuple[Any, Any]] = (
        (results.c.webhook_id, wish.webhook_id),
        (results.c.type, wish.type and wish.type.value),
        (results.c.event, wish.event and wish.event.value),
        (results.c.inbox_id, wish.inbox_id),
        (results.c.email_id, wish.email_id),
        (results.c.attachment_id, wish.attachment_id),
    )
    for column, wanted in exact:
        if wanted is not None:
            query = query.where(column == wanted)
    if wish.failed_only:
        query = query.where(results.c.type.in_([type_.value for type_ in FAILED]))
    if wish.unseen_only:
        query = query.where(~results.c.seen)
    if wish.least_status is not None:
        query = query.where(results.c.status >= wish.least_status)
    if wish.most_status is not None:
        query = query.where(results.c.status <= wish.most_status)
    if wish.search:
        texts = (results.c.url, results.c.extract)
        query = query.where(sa.or_(*(column.icontains(wish.search, autoescape=True) for column in texts)))
    if wish.nothing:
        query = query.where(sa.false())
    return query


def _result(row: Row) -> Result:
    return Result(
        id=row["id"],
        account_id=row["account_id"],
        webhook_id=row["webhook_id"],
        message_id=row["message_id"],
        inbox_id=row["inbox_id"],
        email_id=row["email_id"],
        attachment_id=row["attachment_id"],
        event=EventName(row["event"]),
        url=row["url"],
        status=row["status"],
        took=timedelta(milliseconds=row["took_ms"]),
        extract=row["extract"],
        type=ResultType(row["type"]),
        redrive_id=row["redrive_id"],
        seen=row["seen"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
