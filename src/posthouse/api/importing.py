"""Importing messages from files (`.eml`) into an inbox."""

from typing import Annotated

from fastapi import Query, Request, UploadFile

from posthouse.api.context import Caller, House, InboxPath, controller
from posthouse.api.wire.importing import ImportEmailOptions, ImportQuery, as_sent
from posthouse.api.wire.mail import EmailDto
from posthouse.model.accounts import Account
from posthouse.model.values import InboxId
from posthouse.services import Services

router = controller("InboxController")

MESSAGE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.post("/inboxes/{inboxId}/emails/import", operation_id="importEmailIntoInbox", status_code=201)
async def import_email_into_inbox(
    inbox_id: InboxPath, options: ImportEmailOptions, caller: Caller, house: House
) -> EmailDto:
    wish = ImportQuery(external_id=options.external_id, override_message_id=options.override_message_id is not False)
    return await _imported(caller, house, inbox_id, options.content(), wish)


@router.post(
    "/inboxes/{inboxId}/emails/import/multipart", operation_id="importEmailIntoInboxMultipart", status_code=201
)
async def import_email_into_inbox_multipart(
    inbox_id: InboxPath, file: UploadFile, wish: Annotated[ImportQuery, Query()], caller: Caller, house: House
) -> EmailDto:
    """The message is the form's part `file`."""
    return await _imported(caller, house, inbox_id, await file.read(), wish)


@router.post(
    "/inboxes/{inboxId}/emails/import/raw",
    operation_id="importEmailIntoInboxBytes",
    status_code=201,
    openapi_extra={"requestBody": {"content": MESSAGE}},
)
async def import_email_into_inbox_bytes(
    inbox_id: InboxPath, request: Request, wish: Annotated[ImportQuery, Query()], caller: Caller, house: House
) -> EmailDto:
    """The body is the message."""
    return await _imported(caller, house, inbox_id, as_sent(await request.body()), wish)


async def _imported(caller: Account, house: Services, inbox: InboxId, raw: bytes, wish: ImportQuery) -> EmailDto:
    email = await house.importing.take_in(
        caller.id, inbox, raw, external_id=wish.external_id, rename=wish.override_message_id
    )
    opened = await house.mail.open(caller.id, email)
    return EmailDto.of(opened.email, opened.message)
