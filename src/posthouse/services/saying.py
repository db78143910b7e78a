"""Saying one message to a webhook, once."""

from dataclasses import dataclass
from datetime import timedelta

from posthouse.model.errors import RemoteError
from posthouse.model.values import Clock, new_id
from posthouse.model.webhooks import (
    Answer,
    Call,
    Message,
    Poster,
    Result,
    ResultId,
    ResultType,
    Webhook,
    headers_for,
)

_EXTRACT = 1000  # characters of an answer that are kept


@dataclass(frozen=True, slots=True)
class Said:
    """What was sent, and what came back, or why nothing did; and the result that tells of it, not kept yet."""

    call: Call
    answer: Answer | None
    problem: str | None
    result: Result


async def say(poster: Poster, webhook: Webhook, message: Message, now: Clock) -> Said:
    """Tell the webhook. Whatever the receiver does, there is a result."""
    began = now()
    call = Call(
        url=webhook.url,
        headers=headers_for(webhook, message, began),
        body=message.body.encode(),
        takes_any_certificate=webhook.takes_any_certificate,
    )
    answer: Answer | None = None
    problem: str | None = None
    try:
        answer = await poster(call)
    except RemoteError as error:
        problem = error.message
    if answer is None:
        type_ = ResultType.EXCEPTION
    else:
        type_ = ResultType.SUCCESS if answer.accepted else ResultType.BAD_RESPONSE
    ended = now()
    result = Result(
        id=ResultId(new_id(ended)),
        account_id=message.account_id,
        webhook_id=message.webhook_id,
        message_id=message.id,
        inbox_id=message.inbox_id,
        email_id=message.email_id,
        attachment_id=message.attachment_id,
        event=message.event,
        url=webhook.url,
        status=answer.status if answer else None,
        took=max(ended - began, timedelta()),
        extract=answer.text[:_EXTRACT] if answer else problem,
        type=type_,
        redrive_id=None,
        seen=False,
        created_at=ended,
        updated_at=ended,
    )
    return Said(call, answer, problem, result)
