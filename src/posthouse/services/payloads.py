"""What webhooks are told: MailSlurp's payloads, as the JSON objects that go out."""

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from posthouse.model.errors import Invalid
from posthouse.model.events import Entry
from posthouse.model.mail import Attachment, Email
from posthouse.model.message import Address
from posthouse.model.moustache import as_json, render, variables
from posthouse.model.reports import Bounce, BouncedRecipient, DeliveryStatus
from posthouse.model.values import InboxId
from posthouse.model.webhooks import EventName, MessageId, Webhook, WebhookId

Payload = dict[str, Any]

_LONGEST_TEMPLATE = 50_000


def check_template(template: str) -> None:
    """Raises Invalid for what is no template."""
    if len(template) > _LONGEST_TEMPLATE:
        raise Invalid(f"requestBodyTemplate: it may have {_LONGEST_TEMPLATE} characters")
    try:
        variables(template)
    except Invalid as error:
        raise Invalid(f"requestBodyTemplate: {error.message}") from None


def body(payload: Payload, template: str | None) -> str:
    """The words that go out: the payload, or what the template makes of it, unless that grows beyond all bounds."""
    if template is not None:
        with contextlib.suppress(Invalid):
            return render(template, payload, as_json)
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Received:
    """An email, with its attachments."""

    email: Email
    attachments: Sequence[Attachment]


About = Received | Bounce | BouncedRecipient | DeliveryStatus
"""What a line of the journal is about."""


def of_entry(webhook: Webhook, entry: Entry, about: About | None) -> list[Payload]:
    """What a webhook is told of a line of the journal, without the message's id; mostly one thing. Nothing is to be
    said of what is gone."""
    head = _head(webhook.event, webhook.id, webhook.name)
    match webhook.event, about:
        case ((EventName.NEW_EMAIL | EventName.EMAIL_RECEIVED), Received(email, attachments)):
            return [head | _new_email(email, attachments)]
        case EventName.NEW_ATTACHMENT, Received(_, attachments):
            return [head | _new_attachment(attachment) for attachment in attachments]
        case EventName.EMAIL_READ, _:
            return [head | _email_read(entry)]
        case EventName.BOUNCE, Bounce():
            return [head | _bounce(about)]
        case EventName.BOUNCE_RECIPIENT, BouncedRecipient():
            return [head | {"recipient": about.recipient}]
        case EventName.DELIVERY_STATUS, DeliveryStatus():
            return [head | _delivery_status(about)]
    return []


def identified(payload: Payload, message: MessageId) -> Payload:
    """The payload with the id that it goes out under."""
    return {"messageId": str(message), **payload}


def _head(event: EventName, webhook: WebhookId, name: str | None) -> Payload:
    return {"webhookId": str(webhook), "eventName": event.value, "webhookName": name}


def _new_email(email: Email, attachments: Iterable[Attachment]) -> Payload:
    return {
        "inboxId": str(email.inbox_id),
        "domainId": None,
        "emailId": str(email.id),
        "createdAt": moment(email.created_at),
        "to": _addresses(email.to),
        "from": email.sender.email if email.sender else "",
        "cc": _addresses(email.cc),
        "bcc": _addresses(email.bcc),
        "subject": email.subject,
        "attachmentMetaDatas": [
            {
                "name": one.name or "unnamed",
                "contentType": one.content_type,
                "contentLength": one.size,
                "id": one.id,
                "contentId": one.content_id,
            }
            for one in attachments
        ],
    }


def _new_attachment(attachment: Attachment) -> Payload:
    return {
        "attachmentId": attachment.id,
        "name": attachment.name or "unnamed",
        "contentType": attachment.content_type,
        "contentLength": attachment.size,
    }


def _email_read(entry: Entry) -> Payload:
    return {
        "emailId": str(entry.email_id),
        "inboxId": str(entry.inbox_id),
        "emailIsRead": True,
        "createdAt": moment(entry.at),
    }


def _bounce(bounce: Bounce) -> Payload:
    return {
        "bounceId": str(bounce.id),
        "sentToRecipients": list(bounce.sent_to),
        "sender": bounce.sender,
        "bounceRecipients": [one.recipient for one in bounce.recipients],
    }


def _delivery_status(status: DeliveryStatus) -> Payload:
    return {
        "id": str(status.id),
        "userId": str(status.account_id),
        "sentId": str(status.sent_id) if status.sent_id else None,
        "remoteMtaIp": status.remote_mta,
        "inboxId": str(status.inbox_id),
        "reportingMta": status.reporting_mta,
        "recipients": list(status.recipients),
        "smtpResponse": status.smtp_text,
        "smtpStatusCode": status.smtp_code,
        "processingTimeMillis": status.milliseconds,
        "received": moment(status.received_at) if status.received_at else None,
        "subject": status.subject,
    }


def moment(at: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _addresses(addresses: Iterable[Address]) -> list[str]:
    return [address.email for address in addresses]


# Examples

_SOMETHING = UUID(int=0x00000000_0000_4000_8000_000000000001)
_SOMETHING_ELSE = UUID(int=0x00000000_0000_4000_8000_000000000002)
_AT = "2026-01-01T12:00:00.000Z"
_ATTACHMENT = {
    "name": "invoice.pdf",
    "contentType": "application/pdf",
    "contentLength": 12345,
    "id": f"1767268800-{_SOMETHING}",
    "contentId": None,
}


def example(
    event: EventName, message: MessageId, webhook: WebhookId, name: str | None, inbox: InboxId | None = None
) -> Payload:
    """What a webhook that listens to this might be told; of an inbox where one is named."""
    told = _EXAMPLES.get(event, dict)()
    if inbox is not None and "inboxId" in told:
        told["inboxId"] = str(inbox)
    return identified(_head(event, webhook, name) | told, message)


def _example_email() -> Payload:
    return {
        "inboxId": str(_SOMETHING),
        "domainId": None,
        "emailId": str(_SOMETHING_ELSE),
        "createdAt": _AT,
        "to": ["you@example.com"],
        "from": "sender@example.org",
        "cc": [],
        "bcc": [],
        "subject": "Your invoice",
        "attachmentMetaDatas": [dict(_ATTACHMENT)],
    }


def _example_attachment() -> Payload:
    return {
        "attachmentId": _ATTACHMENT["id"],
        "name": _ATTACHMENT["name"],
        "contentType": _ATTACHMENT["contentType"],
        "contentLength": _ATTACHMENT["contentLength"],
    }


def _example_read() -> Payload:
    return {"emailId": str(_SOMETHING_ELSE), "inboxId": str(_SOMETHING), "emailIsRead": True, "createdAt": _AT}


def _example_opened() -> Payload:
    return {
        "inboxId": str(_SOMETHING),
        "pixelId": str(_SOMETHING_ELSE),
        "sentEmailId": str(_SOMETHING_ELSE),
        "recipient": "reader@example.org",
        "createdAt": _AT,
    }


def _example_contact() -> Payload:
    return {
        "contactId": str(_SOMETHING),
        "groupId": None,
        "firstName": "Ann",
        "lastName": "Archer",
        "company": None,
        "primaryEmailAddress": "ann@example.org",
        "emailAddresses": ["ann@example.org"],
        "tags": [],
        "metaData": None,
        "optOut": False,
        "createdAt": _AT,
    }


def _example_bounce() -> Payload:
    return {
        "bounceId": str(_SOMETHING),
        "sentToRecipients": ["nobody@example.org"],
        "sender": "you@example.com",
        "bounceRecipients": ["nobody@example.org"],
    }


def _example_recipient() -> Payload:
    return {"recipient": "nobody@example.org"}


def _example_delivery_status() -> Payload:
    return {
        "id": str(_SOMETHING),
        "userId": str(_SOMETHING_ELSE),
        "sentId": str(_SOMETHING_ELSE),
        "remoteMtaIp": "192.0.2.1",
        "inboxId": str(_SOMETHING),
        "reportingMta": "mx.example.org",
        "recipients": ["bob@example.org"],
        "smtpResponse": "250 2.0.0 OK",
        "smtpStatusCode": 250,
        "processingTimeMillis": 1200,
        "received": _AT,
        "subject": "Your invoice",
    }


_EXAMPLES: dict[EventName, Callable[[], Payload]] = {
    EventName.NEW_EMAIL: _example_email,
    EventName.EMAIL_RECEIVED: _example_email,
    EventName.NEW_ATTACHMENT: _example_attachment,
    EventName.EMAIL_READ: _example_read,
    EventName.EMAIL_OPENED: _example_opened,
    EventName.NEW_CONTACT: _example_contact,
    EventName.BOUNCE: _example_bounce,
    EventName.BOUNCE_RECIPIENT: _example_recipient,
    EventName.DELIVERY_STATUS: _example_delivery_status,
}
