"""Operations that send, of whatever controller."""

from typing import Annotated

from fastapi import Query, Response

from posthouse.api.context import Caller, House, InboxPath, OnceKey, controller
from posthouse.api.wire.sending import SendEmailOptions, SentEmailDto, SimpleSendEmailOptions, SimpleSendEmailQuery
from posthouse.model.accounts import Account
from posthouse.model.values import InboxId
from posthouse.services import Services

router = controller("InboxController")
common = controller("CommonActionsController")


# From an inbox


@router.post("/inboxes/{inboxId}", operation_id="sendEmail", status_code=201, response_class=Response)
async def send_email(
    inbox_id: InboxPath, options: SendEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> Response:
    await house.sending.send_from_inbox(caller.id, InboxId(inbox_id), options.to_domain(), key=key)
    return Response(status_code=201)


@router.post("/inboxes/{inboxId}/confirm", operation_id="sendEmailAndConfirm", status_code=201)
async def send_email_and_confirm(
    inbox_id: InboxPath, options: SendEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> SentEmailDto:
    sent = await house.sending.send_from_inbox(caller.id, InboxId(inbox_id), options.to_domain(), key=key)
    return SentEmailDto.of(*await house.sent.open(caller.id, sent.id))


# From wherever it can be sent


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
    inbox = InboxId(options.sender_id) if options.sender_id else None
    await house.sending.send_from_anywhere(caller.id, inbox, options.to_domain(), key=key)
    return Response(status_code=201)
