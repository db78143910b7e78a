"""Operations that send, of whatever controller."""

from typing import Annotated

from fastapi import Path, Query, Response

from posthouse.api.context import Caller, House, InboxPath, OnceKey, controller
from posthouse.api.wire.common import PageQuery
from posthouse.api.wire.outbox import (
    BulkSendEmailOptions,
    CanSendEmailResults,
    JobsQuery,
    PageScheduledJobs,
    QueueQuery,
    ScheduledJob,
    ScheduledJobDto,
    ScheduleQuery,
    SendSMTPEnvelopeOptions,
    SourceQuery,
)
from posthouse.api.wire.sending import SendEmailOptions, SentEmailDto, SimpleSendEmailOptions, SimpleSendEmailQuery
from posthouse.model.accounts import Account
from posthouse.model.errors import Invalid
from posthouse.model.values import InboxId, JobId, utc_now
from posthouse.services import Services
from posthouse.services.sending import Wish

router = controller("InboxController")
common = controller("CommonActionsController")
emails = controller("EmailController")
bulk = controller("BulkActionsController")
jobs = controller("InboxController")

JobPath = Annotated[JobId, Path(alias="jobId")]


# From an inbox


@router.post("/inboxes/{inboxId}", operation_id="sendEmail", status_code=201, response_class=Response)
async def send_email(
    inbox_id: InboxPath, options: SendEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> Response:
    await house.sending.send_from_inbox(caller.id, inbox_id, options.to_domain(), key=key)
    return Response(status_code=201)


@router.post("/inboxes/{inboxId}/confirm", operation_id="sendEmailAndConfirm", status_code=201)
async def send_email_and_confirm(
    inbox_id: InboxPath, options: SendEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> SentEmailDto:
    sent = await house.sending.send_from_inbox(caller.id, inbox_id, options.to_domain(), key=key)
    return SentEmailDto.of(*await house.sent.open(caller.id, sent.id))


@router.post("/inboxes/{inboxId}/smtp-envelope", operation_id="sendSmtpEnvelope", status_code=201)
async def send_smtp_envelope(
    inbox_id: InboxPath, options: SendSMTPEnvelopeOptions, caller: Caller, house: House, key: OnceKey = None
) -> SentEmailDto:
    sent = await house.sending.send_message(
        caller.id, inbox_id, options.mail_from, options.rcpt_to, options.message, key=key
    )
    return SentEmailDto.of(*await house.sent.open(caller.id, sent.id))


@router.post("/inboxes/{inboxId}/send-test-email", operation_id="sendTestEmail", status_code=204)
async def send_test_email(inbox_id: InboxPath, caller: Caller, house: House) -> None:
    await house.sending.send_test(caller.id, inbox_id)


@emails.post("/emails/can-send", operation_id="canSend")
async def can_send(
    inbox_id: Annotated[InboxId, Query(alias="inboxId")], options: SendEmailOptions, caller: Caller, house: House
) -> CanSendEmailResults:
    """As far as it can be told without asking a mail server."""
    try:
        outgoing = options.to_domain()
    except Invalid as error:
        return CanSendEmailResults(is_sending_permitted=False, message=error.message)
    why_not = await house.sending.can_send(caller.id, inbox_id, outgoing)
    return CanSendEmailResults(is_sending_permitted=why_not is None, message=why_not)


# Later


@router.post(
    "/inboxes/{inboxId}/with-queue", operation_id="sendEmailWithQueue", status_code=201, response_class=Response
)
async def send_email_with_queue(
    inbox_id: InboxPath,
    options: SendEmailOptions,
    query: Annotated[QueueQuery, Query()],
    caller: Caller,
    house: House,
    key: OnceKey = None,
) -> Response:
    await house.sending.queue(caller.id, inbox_id, options.to_domain(), Wish(key=key))
    return Response(status_code=201)


@router.post("/inboxes/{inboxId}/with-schedule", operation_id="sendWithSchedule", status_code=201)
async def send_with_schedule(
    inbox_id: InboxPath,
    options: SendEmailOptions,
    query: Annotated[ScheduleQuery, Query()],
    caller: Caller,
    house: House,
    key: OnceKey = None,
) -> ScheduledJobDto:
    at = query.at(utc_now())
    return ScheduledJobDto.of(await house.sending.schedule(caller.id, inbox_id, options.to_domain(), at, key=key))


@bulk.post("/bulk/send", operation_id="bulkSendEmails", status_code=201, response_class=Response)
async def bulk_send_emails(
    options: BulkSendEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> Response:
    outgoing = options.send_email_options.to_domain()
    await house.sending.queue_from_all(caller.id, options.inbox_ids, outgoing, key=key)
    return Response(status_code=201)


@jobs.get("/inboxes/scheduled-jobs", operation_id="getAllScheduledJobs")
async def get_all_scheduled_jobs(
    query: Annotated[JobsQuery, Query()], caller: Caller, house: House
) -> PageScheduledJobs:
    return PageScheduledJobs.of(await house.jobs.page(caller.id, query.slice(), inbox=query.inbox_id), ScheduledJob.of)


@jobs.get("/inboxes/scheduled-jobs/{jobId}", operation_id="getScheduledJob")
async def get_scheduled_job(job_id: JobPath, caller: Caller, house: House) -> ScheduledJobDto:
    return ScheduledJobDto.of(await house.jobs.get(caller.id, job_id))


@jobs.delete("/inboxes/scheduled-jobs/{jobId}", operation_id="cancelScheduledJob")
async def cancel_scheduled_job(job_id: JobPath, caller: Caller, house: House) -> ScheduledJobDto:
    return ScheduledJobDto.of(await house.jobs.cancel(caller.id, job_id))


@jobs.get("/inboxes/{inboxId}/scheduled-jobs", operation_id="getScheduledJobsByInboxId")
async def get_scheduled_jobs_by_inbox_id(
    inbox_id: InboxPath, query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageScheduledJobs:
    page = await house.jobs.page(caller.id, query.slice(), inbox=inbox_id)
    return PageScheduledJobs.of(page, ScheduledJob.of)


# From wherever it can be sent


@emails.post("/emails", operation_id="sendEmailSourceOptional", status_code=201, response_class=Response)
async def send_email_source_optional(
    options: SendEmailOptions,
    query: Annotated[SourceQuery, Query()],
    caller: Caller,
    house: House,
    key: OnceKey = None,
) -> Response:
    inbox = query.inbox_id or options.inbox_id
    outgoing = options.to_domain()
    await house.sending.send_from_anywhere(caller.id, inbox, outgoing, virtual=query.virtual_send, key=key)
    return Response(status_code=201)


@common.post("/sendEmail", operation_id="sendEmailSimple", status_code=201, response_class=Response)
async def send_email_simple(
    options: SimpleSendEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> Response:
    return await _send_simple(options, caller, house, key)


@common.post("/sendEmailQuery", operation_id="sendEmailQuery", status_code=201, response_class=Response)
async def send_email_query(
    options: Annotated[SimpleSendEmailQuery, Query()], caller: Caller, house: House, key: OnceKey = None
) -> Response:
    return await _send_simple(options, caller, house, key)


async def _send_simple(options: SimpleSendEmailOptions, caller: Account, house: Services, key: str | None) -> Response:
    await house.sending.send_from_anywhere(caller.id, options.sender_id, options.to_domain(), key=key)
    return Response(status_code=201)
