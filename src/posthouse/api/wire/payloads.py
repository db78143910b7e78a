"""What receivers of webhooks get, as models: for documents, examples and JSON schemas."""

import json
from functools import cache
from uuid import UUID

from pydantic import ConfigDict

from posthouse.api.wire.common import Moment, WireModel
from posthouse.api.wire.mail import AttachmentMetaData
from posthouse.model.webhooks import EventName


class WebhookPayload(WireModel):
    """What every payload begins with. `messageId` is the same however often it comes."""

    message_id: str
    webhook_id: UUID
    event_name: EventName
    webhook_name: str | None


class AbstractWebhookPayload(WebhookPayload):
    """A payload of whichever event: it has the keys of its own event besides."""

    model_config = ConfigDict(extra="allow")


class WebhookNewEmailPayload(WebhookPayload):
    inbox_id: UUID
    domain_id: UUID | None
    email_id: UUID
    created_at: Moment
    to: list[str]
    from_: str
    cc: list[str]
    bcc: list[str]
    subject: str | None
    attachment_meta_datas: list[AttachmentMetaData]


class WebhookNewAttachmentPayload(WebhookPayload):
    attachment_id: str
    name: str
    content_type: str
    content_length: int


class WebhookEmailReadPayload(WebhookPayload):
    email_id: UUID
    inbox_id: UUID
    email_is_read: bool
    created_at: Moment


class WebhookEmailOpenedPayload(WebhookPayload):
    inbox_id: UUID
    pixel_id: UUID
    sent_email_id: UUID
    recipient: str
    created_at: Moment


class WebhookBouncePayload(WebhookPayload):
    bounce_id: UUID
    sent_to_recipients: list[str] | None
    sender: str
    bounce_recipients: list[str] | None


class WebhookBounceRecipientPayload(WebhookPayload):
    recipient: str


class WebhookDeliveryStatusPayload(WebhookPayload):
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


class WebhookNewContactPayload(WebhookPayload):
    contact_id: UUID
    group_id: UUID | None
    first_name: str | None
    last_name: str | None
    company: str | None
    primary_email_address: str | None
    email_addresses: list[str]
    tags: list[str]
    meta_data: None = None
    opt_out: bool
    created_at: Moment


_PAYLOADS: dict[EventName, type[WebhookPayload]] = {
    EventName.EMAIL_RECEIVED: WebhookNewEmailPayload,
    EventName.NEW_EMAIL: WebhookNewEmailPayload,
    EventName.NEW_ATTACHMENT: WebhookNewAttachmentPayload,
    EventName.EMAIL_READ: WebhookEmailReadPayload,
    EventName.EMAIL_OPENED: WebhookEmailOpenedPayload,
    EventName.BOUNCE: WebhookBouncePayload,
    EventName.BOUNCE_RECIPIENT: WebhookBounceRecipientPayload,
    EventName.DELIVERY_STATUS: WebhookDeliveryStatusPayload,
    EventName.NEW_CONTACT: WebhookNewContactPayload,
}


@cache
def schema_of(event: EventName) -> str:
    """The JSON schema of what a webhook is told of such an event, as text."""
    model = _PAYLOADS.get(event, WebhookPayload)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(schema | model.model_json_schema(mode="serialization"), separators=(",", ":"))
