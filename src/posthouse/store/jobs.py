"""Rows of scheduled jobs: emails that are to be sent at a certain time. How far they have come is the emails' state."""

from datetime import datetime

import sqlalchemy as sa

from posthouse.model.mail import SendState
from posthouse.model.outbox import Job, JobStatus
from posthouse.model.values import AccountId, InboxId, JobId, Page, SentId, Slice
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, read_page
from posthouse.store.tables import scheduled_jobs, sent_emails

_STATUS = {
    SendState.QUEUED: JobStatus.SUBMITTED,
    SendState.CONNECTING: JobStatus.SUBMITTED,
    SendState.ACCEPTED: JobStatus.COMPLETED,
    SendState.UNKNOWN: JobStatus.ABORTED,
    SendState.FAILED: JobStatus.FAILED,
}


class Jobs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, job: Job) -> None:
        await self._connection.execute(
            sa.insert(scheduled_jobs).values(
                id=job.id,
                account_id=job.account_id,
                inbox_id=job.inbox_id,
                sent_id=job.sent_id,
                send_at=job.send_at,
                created_at=job.created_at,
            )
        )

    async def get(self, account: AccountId, job: JobId) -> Job | None:
        return await self._one(_query(account).where(scheduled_jobs.c.id == job))

    async def by_sent(self, account: AccountId, sent: SentId) -> Job | None:
        return await self._one(_query(account).where(scheduled_jobs.c.sent_id == sent))

    async def page(self, account: AccountId, slice_: Slice, *, inbox: InboxId | None = None) -> Page[Job]:
        query = _query(account)
        if inbox is not None:
            query = query.where(scheduled_jobs.c.inbox_id == inbox)
        return await read_page(self._connection, query, slice_, _job)

    async def cancel(self, job: JobId, at: datetime) -> None:
        await self._connection.execute(
            sa.update(scheduled_jobs).where(scheduled_jobs.c.id == job).values(cancelled_at=at)
        )

    async def _one(self, query: sa.Select[tuple[object, ...]]) -> Job | None:
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _job(row)


def _query(account: AccountId) -> sa.Select[tuple[object, ...]]:
    query: sa.Select[tuple[object, ...]] = (
        sa.select(scheduled_jobs, sent_emails.c.state, sent_emails.c.updated_at)
        .select_from(scheduled_jobs.join(sent_emails, sent_emails.c.id == scheduled_jobs.c.sent_id))
        .where(scheduled_jobs.c.account_id == account)
    )
    return query


def _job(row: Row) -> Job:
    cancelled = row["cancelled_at"]
    return Job(
        id=row["id"],
        account_id=row["account_id"],
        inbox_id=row["inbox_id"],
        sent_id=row["sent_id"],
        send_at=row["send_at"],
        created_at=row["created_at"],
        updated_at=cancelled or row["updated_at"] or row["created_at"],
        status=JobStatus.CANCELLED if cancelled else _STATUS[SendState(row["state"])],
    )
