"""The sent-emails controller: what was sent, and what became of it."""

from datetime import timedelta
from typing import Annotated

from fastapi import Path, Query, Request, Response

from posthouse.api.context import Caller, House, InboxPath, Origin, controller, told_as
from posthouse.api.emails import HTML, UNTRUSTED
from posthouse.api.patience import while_connected
from posthouse.api.wire.common import InOrderQuery, PageQuery
from posthouse.api.wire.extracting import EmailPreviewUrls
from posthouse.api.wire.inboxes import InboxPreview, PageInboxProjection
from posthouse.api.wire.mail import RawEmailJson, body_of
from posthouse.api.wire.outbox import (
    DeliveryStatusDto,
    DeliveryWaitQuery,
    PageDeliveryStatus,
    PageSentEmailWithQueueProjection,
    SendWithQueueResult,
)
from posthouse.api.wire.sending import AllSentQuery, PageSentEmailProjection, SentEmailDto, SentEmailProjection
from posthouse.model.mail import InboxQuery
from posthouse.model.values import DeliveryId, SentId

router = controller("SentEmailsController")
inboxes = controller("InboxController")

DeliveryPath = Annotated[DeliveryId, Path(alias="deliveryId")]
SentPathId = Annotated[SentId, Path(alias="id")]
SentEmailPath = Annotated[SentId, Path(alias="emailId")]
SentPath = Annotated[SentId, Path(alias="sentId")]


@router.get("/sent", operation_id="getSentEmails")
async def get_sent_emails(
    query: Annotated[AllSentQuery, Query()], caller: Caller, house: House
) -> PageSentEmailProjection:
    page = await house.sent.page(caller.id, query.to_domain(query.inbox_id))
    return PageSentEmailProjection.of(page, SentEmailProjection.of)


@router.delete("/sent", operation_id="deleteAllSentEmails", status_code=204)
async def delete_all_sent_emails(caller: Caller, house: House) -> None:
    await house.sent.delete_all(caller.id)


@router.get("/sent/organization", operation_id="getSentOrganizationEmails")
async def get_sent_organization_emails(
    query: Annotated[AllSentQuery, Query()], caller: Caller, house: House
) -> PageSentEmailProjection:
    """An account is an organization of its own."""
    return await get_sent_emails(query, caller, house)


@router.get("/sent/queue-results", operation_id="getSentEmailsWithQueueResults")
async def get_sent_emails_with_queue_results(
    query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageSentEmailWithQueueProjection:
    page = await house.sent.queued(caller.id, query.slice())
    return PageSentEmailWithQueueProjection.of(page, SendWithQueueResult.of)


# What became of them


@router.get("/sent/delivery-status", operation_id="getSentDeliveryStatuses")
async def get_sent_delivery_statuses(
    query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageDeliveryStatus:
    return PageDeliveryStatus.of(await house.reports.page(caller.id, query.slice()), DeliveryStatusDto.of)


@router.get("/sent/delivery-status/wait-for", operation_id="waitForDeliveryStatuses")
async def wait_for_delivery_statuses(
    query: Annotated[DeliveryWaitQuery, Query()], request: Request, caller: Caller, house: House
) -> DeliveryStatusDto:
    waiting = house.reports.wait(
        caller.id,
        inbox=query.inbox_id,
        sent=query.sent_id,
        index=query.index,
        since=query.since,
        before=query.before,
        timeout=timedelta(milliseconds=query.timeout),
    )
    return DeliveryStatusDto.of(await while_connected(request, waiting))


@router.get("/sent/delivery-status/{deliveryId}", operation_id="getSentDeliveryStatus")
async def get_sent_delivery_status(delivery_id: DeliveryPath, caller: Caller, house: House) -> DeliveryStatusDto:
    return DeliveryStatusDto.of(await house.reports.get(caller.id, delivery_id))


@router.get("/sent/{sentId}/delivery-status", operation_id="getSentDeliveryStatusesBySentId")
async def get_sent_delivery_statuses_by_sent_id(
    sent_id: SentPath, query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageDeliveryStatus:
    page = await house.reports.page(caller.id, query.slice(), sent=sent_id)
    return PageDeliveryStatus.of(page, DeliveryStatusDto.of)


@inboxes.get("/inboxes/{inboxId}/delivery-status", operation_id="getDeliveryStatusesByInboxId")
async def get_delivery_statuses_by_inbox_id(
    inbox_id: InboxPath, query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageDeliveryStatus:
    page = await house.reports.page(caller.id, query.slice(), inbox=inbox_id)
    return PageDeliveryStatus.of(page, DeliveryStatusDto.of)


@inboxes.get("/inboxes/outboxes", operation_id="getOutboxes")
async def get_outboxes(query: Annotated[InOrderQuery, Query()], caller: Caller, house: House) -> PageInboxProjection:
    """Inboxes from which something was sent."""
    page = await house.inboxes.page(caller.id, InboxQuery(slice=query.slice(), with_sent=True))
    return PageInboxProjection.of(page, InboxPreview.of)


# One of them


@router.get("/sent/{id}", operation_id="getSentEmail")
async def get_sent_email(sent_id: SentPathId, caller: Caller, house: House) -> SentEmailDto:
    return SentEmailDto.of(*await house.sent.open(caller.id, sent_id))


@router.delete("/sent/{id}", operation_id="deleteSentEmail", status_code=204)
async def delete_sent_email(sent_id: SentPathId, caller: Caller, house: House) -> None:
    await house.sent.delete(caller.id, sent_id)


@router.get(
    "/sent/{id}/html", operation_id="getSentEmailHTMLContent", response_class=Response, responses=told_as("text/html")
)
async def get_sent_email_html_content(sent_id: SentPathId, caller: Caller, house: House) -> Response:
    _, message = await house.sent.open(caller.id, sent_id)
    return Response(body_of(message).encode("utf-8", "replace"), media_type=HTML, headers=UNTRUSTED)


@router.get(
    "/sent/{emailId}/raw",
    operation_id="getRawSentEmailContents",
    response_class=Response,
    responses=told_as("text/plain"),
)
async def get_raw_sent_email_contents(sent_id: SentEmailPath, caller: Caller, house: House) -> Response:
    raw = await house.sent.raw(caller.id, sent_id)
    return Response(raw, headers={**UNTRUSTED, "Content-Type": "text/plain"})


@router.get("/sent/{emailId}/raw/json", operation_id="getRawSentEmailJson")
async def get_raw_sent_email_json(sent_id: SentEmailPath, caller: Caller, house: House) -> RawEmailJson:
    return RawEmailJson.of(await house.sent.raw(caller.id, sent_id))


@router.get("/sent/{id}/urls", operation_id="getSentEmailPreviewURLs")
async def get_sent_email_preview_urls(
    sent_id: SentPathId, caller: Caller, house: House, origin: Origin
) -> EmailPreviewUrls:
    sent = await house.sent.get(caller.id, sent_id)
    return EmailPreviewUrls.of(origin, f"/sent/{sent.id}")
