"""What is sent later, or by an envelope of its own, and what became of it, as MailSlurp's clients know it."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import Line, Moment, PageQuery, QueryModel, SpringPage, Text, WireModel
from posthouse.api.wire.mail import bare_id
from posthouse.api.wire.sending import SendEmailOptions
from posthouse.model.errors import Invalid
from posthouse.model.mail import SendState, SentEmail
from posthouse.model.outbox import Job, JobStatus
from posthouse.model.reports import DeliveryStatus
from posthouse.model.values import InboxId, SentId
from posthouse.services.waiting import DEFAULT_TIMEOUT

LONGEST_SCHEDULE = 366 * 24 * 3600
"""Seconds until the latest moment for which an email can be scheduled."""


class QueueQuery(QueryModel):
    """What is queued is always validated first: `validateBeforeEnqueue` changes nothing."""

    validate_before_enqueue: bool


class ScheduleQuery(QueryModel):
    send_at_timestamp: Moment | None = None
    send_at_now_plus_seconds: int | None = Field(None, ge=0, le=LONGEST_SCHEDULE)
    validate_before_enqueue: bool = False

    def at(self, now: datetime) -> datetime:
        """Raises Invalid when no moment is given, or one too far away."""
        if self.send_at_timestamp is not None:
            if self.send_at_timestamp > now + timedelta(seconds=LONGEST_SCHEDULE):
                raise Invalid("sendAtTimestamp may be at most a year from now")
            return self.send_at_timestamp
        if self.send_at_now_plus_seconds is not None:
            return now + timedelta(seconds=self.send_at_now_plus_seconds)
        raise Invalid("say when: sendAtTimestamp or sendAtNowPlusSeconds")


class SourceQuery(QueryModel):
    """`useDomainPool` is taken and changes nothing."""

    inbox_id: InboxId | None = None
    use_domain_pool: bool | None = None
    virtual_send: bool = False


class BulkSendEmailOptions(WireModel):
    inbox_ids: list[InboxId] = Field(max_length=1000)
    send_email_options: SendEmailOptions


class SendSMTPEnvelopeOptions(WireModel):
    """A message as it is to be sent, header and body, and its envelope."""

    rcpt_to: list[Line]
    mail_from: Line
    data: Text

    @property
    def message(self) -> bytes:
        """Raises Invalid when it holds half a character."""
        try:
            return self.data.encode()
        except UnicodeEncodeError:
            raise Invalid("data holds half a character") from None


class CanSendEmailResults(WireModel):
    is_sending_permitted: bool
    message: str | None


class JobsQuery(PageQuery):
    inbox_id: InboxId | None = None


class ScheduledJobDto(WireModel):
    """`sentId`, a key of ours, is the email."""

    id: UUID
    user_id: UUID
    inbox_id: UUID
    job_id: str
    group_id: str
    trigger_id: str
    status: JobStatus
    send_at_timestamp: Moment
    created_at: Moment
    updated_at: Moment
    sent_id: UUID

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            id=job.id,
            user_id=job.account_id,
            inbox_id=job.inbox_id,
            job_id=str(job.id),
            group_id=str(job.inbox_id),
            trigger_id=str(job.id),
            status=job.status,
            send_at_timestamp=job.send_at,
            created_at=job.created_at,
            updated_at=job.updated_at,
            sent_id=job.sent_id,
        )


class ScheduledJob(ScheduledJobDto):
    """The same in a list."""


class PageScheduledJobs(SpringPage[ScheduledJob]):
    pass


class SendWithQueueResult(WireModel):
    """How far a queued email has come. `state` and `sentId` are keys of ours."""

    id: UUID
    user_id: UUID
    subject: str | None
    inbox_id: UUID | None
    header_id: str
    delivered: bool
    exception_name: str | None
    message: str | None
    created_at: Moment
    updated_at: Moment
    state: SendState
    sent_id: UUID

    @classmethod
    def of(cls, sent: SentEmail) -> Self:
        return cls(
            id=sent.id,
            user_id=sent.account_id,
            subject=sent.subject,
            inbox_id=sent.inbox_id,
            header_id=bare_id(sent.message_id) or "",
            delivered=sent.state is SendState.ACCEPTED,
            exception_name="SendFailed" if sent.state is SendState.FAILED else None,
            message=sent.state_text or None,
            created_at=sent.created_at,
            updated_at=sent.updated_at or sent.created_at,
            state=sent.state,
            sent_id=sent.id,
        )


class PageSentEmailWithQueueProjection(SpringPage[SendWithQueueResult]):
    pass


class DeliveryStatusDto(WireModel):
    """What a server said of some recipients of a sent email."""

    id: UUID
    user_id: UUID
    sent_id: UUID | None
    remote_mta_ip: str | None
    inbox_id: UUID | None
    reporting_mta: str | None
    recipients: list[str] | None
    smtp_response: str | None
    smtp_status_code: int | None
    processing_time_millis: int | None
    received: Moment | None
    subject: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, status: DeliveryStatus) -> Self:
        return cls(
            id=status.id,
            user_id=status.account_id,
            sent_id=status.sent_id,
            remote_mta_ip=status.remote_mta,
            inbox_id=status.inbox_id,
            reporting_mta=status.reporting_mta,
            recipients=list(status.recipients),
            smtp_response=status.smtp_text,
            smtp_status_code=status.smtp_code,
            processing_time_millis=status.milliseconds,
            received=status.received_at,
            subject=status.subject,
            created_at=status.created_at,
            updated_at=status.created_at,
        )


class PageDeliveryStatus(SpringPage[DeliveryStatusDto]):
    pass


class DeliveryWaitQuery(QueryModel):
    sent_id: SentId | None = None
    inbox_id: InboxId | None = None
    timeout: int = Field(int(DEFAULT_TIMEOUT.total_seconds() * 1000), ge=0, le=2**53)
    index: int = Field(0, ge=0, le=2**31 - 1)
    since: Moment | None = None
    before: Moment | None = None
