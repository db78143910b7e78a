"""The email controller: what has been received."""

from email.message import Message as Header
from typing import Annotated

from fastapi import Query, Response

from posthouse.api.context import AttachmentPath, Caller, EmailPath, House, controller, told_as
from posthouse.api.wire.common import CountDto, Moment
from posthouse.api.wire.mail import (
    AttachmentMetaData,
    DownloadAttachmentDto,
    EmailDto,
    EmailHtmlDto,
    EmailListQuery,
    EmailPreview,
    EmailProjection,
    HtmlQuery,
    LatestQuery,
    OfInboxQuery,
    PageEmailProjection,
    RawEmailJson,
    SearchEmailsOptions,
    SearchEmailsQuery,
    UnreadCount,
    body_of,
)
from posthouse.model.accounts import Account
from posthouse.model.errors import NotFound
from posthouse.model.mail import Email, EmailQuery
from posthouse.model.values import InboxId, Slice
from posthouse.services import Services

router = controller("EmailController")

HTML = "text/html;charset=utf-8"
PLAIN = "text/plain;charset=utf-8"

# Mail is written by anybody. A browser that opens it by itself shows it as a page of nowhere, without scripts, and
# fetches nothing for it.
UNTRUSTED = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


# Lists


@router.get("/emails", operation_id="getEmailsPaginated")
async def get_emails_paginated(
    query: Annotated[EmailListQuery, Query()], caller: Caller, house: House
) -> PageEmailProjection:
    return await _listed(query.to_domain(), query.sync_connectors, caller, house)


@router.get("/emails/organization", operation_id="getOrganizationEmailsPaginated")
async def get_organization_emails_paginated(
    query: Annotated[EmailListQuery, Query()], caller: Caller, house: House
) -> PageEmailProjection:
    """An account is an organization of its own."""
    return await _listed(query.to_domain(), query.sync_connectors, caller, house)


@router.get("/emails/offset-paginated", operation_id="getEmailsOffsetPaginated")
async def get_emails_offset_paginated(
    query: Annotated[EmailListQuery, Query()], caller: Caller, house: House
) -> PageEmailProjection:
    return await _listed(query.to_domain(), query.sync_connectors, caller, house)


@router.post("/emails/search", operation_id="searchEmails")
async def search_emails(
    options: SearchEmailsOptions, query: Annotated[SearchEmailsQuery, Query()], caller: Caller, house: House
) -> PageEmailProjection:
    wanted = options.to_domain(query)
    return await _listed(wanted, query.sync_connectors, caller, house)


@router.get("/emails/emails/count", operation_id="getEmailCount")
async def get_email_count(query: Annotated[OfInboxQuery, Query()], caller: Caller, house: House) -> CountDto:
    return CountDto(total_elements=await house.mail.count(caller.id, query.inbox_id))


@router.get("/emails/unreadCount", operation_id="getUnreadEmailCount")
async def get_unread_email_count(query: Annotated[OfInboxQuery, Query()], caller: Caller, house: House) -> UnreadCount:
    return UnreadCount(count=await house.mail.count(caller.id, query.inbox_id, unread_only=True))


@router.get("/emails/latest", operation_id="getLatestEmail")
async def get_latest_email(query: Annotated[LatestQuery, Query()], caller: Caller, house: House) -> EmailDto:
    return await _whole(await house.mail.latest(caller.id, query.inbox_ids), caller, house)


@router.get("/emails/latestIn", operation_id="getLatestEmailInInbox1")
async def get_latest_email_in_inbox(
    inbox_id: Annotated[InboxId, Query(alias="inboxId")], caller: Caller, house: House
) -> EmailDto:
    return await _whole(await house.mail.latest(caller.id, [inbox_id]), caller, house)


# Changing


@router.patch("/emails/read", operation_id="markAllAsRead", status_code=204)
async def mark_all_as_read(
    caller: Caller,
    house: House,
    read: bool = True,
    inbox_id: Annotated[InboxId | None, Query(alias="inboxId")] = None,
) -> None:
    await house.mail.mark_all_read(caller.id, read, inbox_id)


@router.patch("/emails/{emailId}/read", operation_id="markAsRead")
async def mark_as_read(email_id: EmailPath, caller: Caller, house: House, read: bool = True) -> EmailPreview:
    return EmailPreview.of(await house.mail.mark_read(caller.id, email_id, read))


@router.delete("/emails", operation_id="deleteAllEmails", status_code=204)
async def delete_all_emails(
    caller: Caller,
    house: House,
    since: Annotated[Moment | None, Query(alias="createdAtSince")] = None,
    before: Annotated[Moment | None, Query(alias="createdAtBefore")] = None,
) -> None:
    await house.mail.delete_all(caller.id, Slice(since=since, before=before))


@router.delete("/emails/{emailId}", operation_id="deleteEmail", status_code=204)
async def delete_email(email_id: EmailPath, caller: Caller, house: House) -> None:
    await house.mail.delete(caller.id, email_id)


# One email


@router.get("/emails/{emailId}", operation_id="getEmail")
async def get_email(email_id: EmailPath, caller: Caller, house: House) -> EmailDto:
    """Who is given the whole email has read it: from now on it counts as read."""
    opened = await house.mail.open(caller.id, email_id, mark_read=True)
    return EmailDto.of(opened.email, opened.message)


@router.get("/emails/{emailId}/summary", operation_id="getEmailSummary")
async def get_email_summary(email_id: EmailPath, caller: Caller, house: House) -> EmailPreview:
    return EmailPreview.of(await house.mail.get(caller.id, email_id))


@router.get(
    "/emails/{emailId}/html", operation_id="getEmailHTML", response_class=Response, responses=told_as("text/html")
)
async def get_email_html(
    email_id: EmailPath, query: Annotated[HtmlQuery, Query()], caller: Caller, house: House
) -> Response:
    html = await house.mail.html(caller.id, email_id, with_images=query.replace_cid_images)
    return Response(_utf8(html), media_type=HTML, headers=UNTRUSTED)


@router.get("/emails/{emailId}/html/json", operation_id="getEmailHTMLJson")
async def get_email_html_json(
    email_id: EmailPath, query: Annotated[HtmlQuery, Query()], caller: Caller, house: House
) -> EmailHtmlDto:
    email = await house.mail.get(caller.id, email_id)
    html = await house.mail.html(caller.id, email.id, with_images=query.replace_cid_images)
    return EmailHtmlDto(subject=email.subject, body=html)


@router.get(
    "/emails/{emailId}/body",
    operation_id="downloadBody",
    response_class=Response,
    responses=told_as("text/html", "text/plain"),
)
async def download_body(email_id: EmailPath, caller: Caller, house: House) -> Response:
    opened = await house.mail.open(caller.id, email_id)
    kind = HTML if opened.message.html else PLAIN
    return Response(_utf8(body_of(opened.message)), media_type=kind, headers=UNTRUSTED)


@router.get(
    "/emails/{emailId}/body-bytes",
    operation_id="downloadBodyBytes",
    response_class=Response,
    responses=told_as("application/octet-stream"),
)
async def download_body_bytes(email_id: EmailPath, caller: Caller, house: House) -> Response:
    opened = await house.mail.open(caller.id, email_id)
    return Response(_utf8(body_of(opened.message)), media_type="application/octet-stream", headers=UNTRUSTED)


@router.get(
    "/emails/{emailId}/raw",
    operation_id="getRawEmailContents",
    response_class=Response,
    responses=told_as("text/plain"),
)
async def get_raw_email_contents(email_id: EmailPath, caller: Caller, house: House) -> Response:
    """The bytes as they came: what charset they are in only the message itself can say."""
    raw = await house.mail.raw(caller.id, email_id)
    return Response(raw, headers={**UNTRUSTED, "Content-Type": "text/plain"})


@router.get("/emails/{emailId}/raw/json", operation_id="getRawEmailJson")
async def get_raw_email_json(email_id: EmailPath, caller: Caller, house: House) -> RawEmailJson:
    return RawEmailJson.of(await house.mail.raw(caller.id, email_id))


# Its attachments


@router.get("/emails/{emailId}/attachments", operation_id="getEmailAttachments")
async def get_email_attachments(email_id: EmailPath, caller: Caller, house: House) -> list[AttachmentMetaData]:
    return [AttachmentMetaData.of(one) for one in await house.mail.attachments(caller.id, email_id)]


@router.get(
    "/emails/{emailId}/attachments/{attachmentId}",
    operation_id="downloadAttachment",
    response_class=Response,
    responses=told_as("*/*"),
)
async def download_attachment(
    email_id: EmailPath, attachment_id: AttachmentPath, caller: Caller, house: House
) -> Response:
    attachment, content = await house.mail.attachment_content(caller.id, attachment_id, email_id)
    return attachment_response(content, attachment.content_type, attachment.name)


@router.get("/emails/{emailId}/attachments/{attachmentId}/base64", operation_id="downloadAttachmentBase64")
async def download_attachment_base64(
    email_id: EmailPath, attachment_id: AttachmentPath, caller: Caller, house: House
) -> DownloadAttachmentDto:
    attachment, content = await house.mail.attachment_content(caller.id, attachment_id, email_id)
    return DownloadAttachmentDto.of(content, attachment.content_type)


@router.get("/emails/{emailId}/attachments/{attachmentId}/metadata", operation_id="getAttachmentMetaData")
async def get_attachment_meta_data(
    email_id: EmailPath, attachment_id: AttachmentPath, caller: Caller, house: House
) -> AttachmentMetaData:
    return AttachmentMetaData.of(await house.mail.attachment(caller.id, attachment_id, email_id))


def attachment_response(content: bytes, content_type: str, name: str) -> Response:
    """A file to be saved. Nothing in it is run, shown or guessed at by a browser.

    MailSlurp's Python client reads whatever comes as text; in a one-byte charset every byte survives that.
    """
    disposition = Header()
    disposition.add_header("Content-Disposition", "attachment", filename=_ascii_or_encoded(name))
    headers = {
        **UNTRUSTED,
        "Content-Type": f"{content_type};charset=ISO-8859-1",
        "Content-Disposition": disposition["Content-Disposition"],
    }
    return Response(content, headers=headers)


def _ascii_or_encoded(name: str) -> str | tuple[str, str, str]:
    return name if name.isascii() else ("utf-8", "", name)  # RFC 6266 §4.3


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


async def _listed(query: EmailQuery, sync_first: bool, caller: Account, house: Services) -> PageEmailProjection:
    if sync_first:
        await house.waiting.refresh(caller.id, query.inbox_ids)
    return PageEmailProjection.of(await house.mail.page(caller.id, query), EmailProjection.of)


async def _whole(email: Email | None, caller: Account, house: Services) -> EmailDto:
    if email is None:
        raise NotFound("there is no email yet")
    opened = await house.mail.open(caller.id, email.id, mark_read=True)
    return EmailDto.of(opened.email, opened.message)
