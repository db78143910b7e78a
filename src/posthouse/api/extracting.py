"""The email controller's reading tools: what is in an email, found for those who test or follow it."""

from typing import Annotated

from fastapi import Query, Response

from posthouse.api.context import Caller, EmailPath, House, Origin, controller, told_as
from posthouse.api.emails import UNTRUSTED
from posthouse.api.wire.common import Text
from posthouse.api.wire.extracting import (
    CheckEmailBodyResults,
    ContentMatchOptions,
    ContentPartQuery,
    EmailContentMatchResult,
    EmailContentPartResult,
    EmailLinksResult,
    EmailPreviewHtmlDto,
    EmailPreviewUrls,
    EmailSignatureParseResult,
    EmailTextLinesResult,
    ExtractCodesOptions,
    ExtractCodesResult,
    HTMLValidationResult,
    ImapFlagOperationOptions,
    PreviewQuery,
    TextLinesQuery,
    ValidationDto,
)
from posthouse.api.wire.mail import EmailPreview

router = controller("EmailController")


# Finding


@router.post("/emails/{emailId}/codes", operation_id="getEmailCodes")
async def get_email_codes(
    email_id: EmailPath, caller: Caller, house: House, options: ExtractCodesOptions | None = None
) -> ExtractCodesResult:
    options = options or ExtractCodesOptions()
    found = await house.extracting.codes(caller.id, email_id, options.to_domain())
    return ExtractCodesResult.of(found, options.notes())


@router.post("/emails/{emailId}/contentMatch", operation_id="getEmailContentMatch")
async def get_email_content_match(
    email_id: EmailPath, options: ContentMatchOptions, caller: Caller, house: House
) -> EmailContentMatchResult:
    matches = await house.extracting.match(caller.id, email_id, options.pattern)
    return EmailContentMatchResult(pattern=options.pattern, matches=list(matches))


@router.get("/emails/{emailId}/htmlQuery", operation_id="getEmailHTMLQuery")
async def get_email_html_query(
    email_id: EmailPath, html_selector: Annotated[Text, Query(alias="htmlSelector")], caller: Caller, house: House
) -> EmailTextLinesResult:
    return EmailTextLinesResult.of(await house.extracting.query(caller.id, email_id, html_selector))


@router.get("/emails/{emailId}/links", operation_id="getEmailLinks")
async def get_email_links(
    email_id: EmailPath, caller: Caller, house: House, selector: Annotated[Text, Query()] = ""
) -> EmailLinksResult:
    links, body = await house.extracting.links(caller.id, email_id, selector)
    return EmailLinksResult(links=links, body=body)


@router.get("/emails/{emailId}/textLines", operation_id="getEmailTextLines")
async def get_email_text_lines(
    email_id: EmailPath, query: Annotated[TextLinesQuery, Query()], caller: Caller, house: House
) -> EmailTextLinesResult:
    lines = await house.extracting.lines(caller.id, email_id, decoded=query.decode_html_entities)
    return EmailTextLinesResult.of(lines, query.line_separator)


@router.get("/emails/{emailId}/signature", operation_id="getEmailSignature")
async def get_email_signature(email_id: EmailPath, caller: Caller, house: House) -> EmailSignatureParseResult:
    return EmailSignatureParseResult.of(await house.extracting.signature(caller.id, email_id))


# Parts


@router.get("/emails/{emailId}/contentPart", operation_id="getEmailContentPart")
async def get_email_content_part(
    email_id: EmailPath, query: Annotated[ContentPartQuery, Query()], caller: Caller, house: House
) -> EmailContentPartResult:
    part = await house.extracting.part(caller.id, email_id, query.content_type, strict=query.strict, index=query.index)
    return EmailContentPartResult.of(part)


@router.get(
    "/emails/{emailId}/contentPart/raw",
    operation_id="getEmailContentPartContent",
    response_class=Response,
    responses=told_as("*/*"),
)
async def get_email_content_part_content(
    email_id: EmailPath, query: Annotated[ContentPartQuery, Query()], caller: Caller, house: House
) -> Response:
    """Text in UTF-8, whatever charset it came in; anything else in one of one byte, as attachments are."""
    part = await house.extracting.part(caller.id, email_id, query.content_type, strict=query.strict, index=query.index)
    content = part.content if part.text is None else part.text.encode("utf-8", "replace")
    charset = "ISO-8859-1" if part.text is None else "utf-8"
    # As text, so that no client takes the JSON in an email for an answer of ours.
    kind = part.content_type if part.text is None or part.content_type.startswith("text/") else "text/plain"
    return Response(content, headers={**UNTRUSTED, "Content-Type": f"{kind};charset={charset}"})


# Showing


@router.get("/emails/{emailId}/preview", operation_id="getEmailPreviewHtml")
async def get_email_preview_html(
    email_id: EmailPath, query: Annotated[PreviewQuery, Query()], caller: Caller, house: House
) -> EmailPreviewHtmlDto:
    email, html = await house.extracting.preview(
        caller.id, email_id, links=query.link_behavior, with_images=query.replace_cid_images
    )
    return EmailPreviewHtmlDto(subject=email.subject, html=html, link_behavior=query.link_behavior)


@router.get("/emails/{emailId}/urls", operation_id="getEmailPreviewURLs")
async def get_email_preview_urls(email_id: EmailPath, caller: Caller, house: House, origin: Origin) -> EmailPreviewUrls:
    email = await house.mail.get(caller.id, email_id)
    return EmailPreviewUrls.of(origin, f"/emails/{email.id}")


# Judging


@router.post("/emails/{emailId}/validate", operation_id="validateEmail", status_code=201)
async def validate_email(email_id: EmailPath, caller: Caller, house: House) -> ValidationDto:
    flaws = await house.extracting.validate(caller.id, email_id)
    return ValidationDto(email_id=email_id, html=HTMLValidationResult.of(flaws))


@router.post("/emails/{emailId}/check-email-body", operation_id="checkEmailBody")
async def check_email_body(email_id: EmailPath, caller: Caller, house: House) -> CheckEmailBodyResults:
    return CheckEmailBodyResults.of(await house.extracting.check(caller.id, email_id))


# Marking


@router.put("/emails/{emailId}/favourite", operation_id="setEmailFavourited", status_code=204)
async def set_email_favourited(email_id: EmailPath, favourited: bool, caller: Caller, house: House) -> None:
    await house.mail.favour(caller.id, email_id, favourited)


@router.post("/emails/{emailId}/imap-flag-operation", operation_id="applyImapFlagOperation")
async def apply_imap_flag_operation(
    email_id: EmailPath, options: ImapFlagOperationOptions, caller: Caller, house: House
) -> EmailPreview:
    """The read state alone; nothing is changed at the mail server that the email came from."""
    read = options.read()
    if read is None:
        return EmailPreview.of(await house.mail.get(caller.id, email_id))
    return EmailPreview.of(await house.mail.mark_read(caller.id, email_id, read))
