"""Emails that are to be sent at a certain time: looked up, and cancelled while that time has not come."""

from dataclasses import replace

from posthouse.model.errors import Conflict, NotFound
from posthouse.model.mail import SendState
from posthouse.model.outbox import Job, JobStatus
from posthouse.model.values import AccountId, Clock, InboxId, JobId, Page, SentId, Slice
from posthouse.services.required import require_inbox
from posthouse.store.database import Database, Transaction

CANCELLED = "cancelled before it was sent"


class Jobs:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def page(self, account: AccountId, slice_: Slice, *, inbox: InboxId | None = None) -> Page[Job]:
        async with self._database.reading() as tx:
            if inbox is not None:
                await require_inbox(tx, account, inbox)
            return await tx.jobs.page(account, slice_, inbox=inbox)

    async def get(self, account: AccountId, job_id: JobId) -> Job:
        async with self._database.reading() as tx:
            return await _require(tx, account, job_id)

    async def of_sent(self, account: AccountId, sent_id: SentId) -> Job | None:
        """The job by which an email is, or was, to be sent at a certain time; None when it was not scheduled."""
        async with self._database.reading() as tx:
            return await tx.jobs.by_sent(account, sent_id)

    async def cancel(self, account: AccountId, job_id: JobId) -> Job:
        """See to it that it is never sent. Raises Conflict when it is being sent, or was."""
        async with self._database.transaction() as tx:
            job = await _require(tx, account, job_id)
            if job.status is JobStatus.CANCELLED:
                return job
            sent = await tx.sent.get(account, job.sent_id)
            assert sent is not None, "a job goes with its email"
            if sent.state is not SendState.QUEUED or not await tx.outbox.drop(sent.id):
                raise Conflict(f"it is too late to cancel this: its status is {job.status}")
            now = self._now()
            await tx.jobs.cancel(job_id, now)
            await tx.sent.settle(replace(sent, state=SendState.FAILED, state_text=CANCELLED, updated_at=now))
            tx.signal(f"sent:{sent.id}")
            return await _require(tx, account, job_id)


async def _require(tx: Transaction, account: AccountId, job_id: JobId) -> Job:
    job = await tx.jobs.get(account, job_id)
    if job is None:
        raise NotFound(f"there is no scheduled job {job_id}")
    return job
