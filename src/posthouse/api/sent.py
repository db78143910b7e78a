"""The sent-emails controller."""

from typing import Annotated

from fastapi import Query, Response

from posthouse.api.context import Caller, EmailPath, House, PathId, controller, told_as
from posthouse.api.emails import HTML, UNTRUSTED
from posthouse.api.wire.mail import RawEmailJson, body_of
from posthouse.api.wire.sending import AllSentQuery, PageSentEmailProjection, SentEmailDto, SentEmailProjection
from posthouse.model.values import InboxId, SentId

router = controller("SentEmailsController")


@router.get("/sent", operation_id="getSentEmails")
async def get_sent_emails(
    query: Annotated[AllSentQuery, Query()], caller: Caller, house: House
) -> PageSentEmailProjection:
    inbox = InboxId(query.inbox_id) if query.inbox_id else None
    page = await house.sent.page(caller.id, query.slice(), inbox=inbox, search=query.search_filter or "")
    return PageSentEmailProjection.of(page, SentEmailProjection.of)


@router.delete("/sent", operation_id="deleteAllSentEmails", status_code=204)
async def delete_all_sent_emails(caller: Caller, house: House) -> None:
    await house.sent.delete_all(caller.id)


@router.get("/sent/{id}", operation_id="getSentEmail")
async def get_sent_email(sent_id: PathId, caller: Caller, house: House) -> SentEmailDto:
    return SentEmailDto.of(*await house.sent.open(caller.id, SentId(sent_id)))


@router.delete("/sent/{id}", operation_id="deleteSentEmail", status_code=204)
async def delete_sent_email(sent_id: PathId, caller: Caller, house: House) -> None:
    await house.sent.delete(caller.id, SentId(sent_id))


@router.get(
    "/sent/{id}/html", operation_id="getSentEmailHTMLContent", response_class=Response, responses=told_as("text/html")
)
async def get_sent_email_html_content(sent_id: PathId, caller: Caller, house: House) -> Response:
    _, message = await house.sent.open(caller.id, SentId(sent_id))
    return Response(body_of(message).encode("utf-8", "replace"), media_type=HTML, headers=UNTRUSTED)


@router.get(
    "/sent/{emailId}/raw",
    operation_id="getRawSentEmailContents",
    response_class=Response,
    responses=told_as("text/plain"),
)
async def get_raw_sent_email_contents(sent_id: EmailPath, caller: Caller, house: House) -> Response:
    raw = await house.sent.raw(caller.id, SentId(sent_id))
    return Response(raw, headers={**UNTRUSTED, "Content-Type": "text/plain"})


@router.get("/sent/{emailId}/raw/json", operation_id="getRawSentEmailJson")
async def get_raw_sent_email_json(sent_id: EmailPath, caller: Caller, house: House) -> RawEmailJson:
    return RawEmailJson.of(await house.sent.raw(caller.id, SentId(sent_id)))
