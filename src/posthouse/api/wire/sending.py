"""What is sent, and what was sent, as MailSlurp's clients know it."""

import base64
import re
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import Line, Moment, PageQuery, QueryModel, SpringPage, Text, WireModel
from posthouse.api.wire.mail import (
    EmailRecipients,
    Sender,
    bare_id,
    body_hash,
    body_of,
    header_lists,
    plain_addresses,
)
from posthouse.model.errors import Invalid
from posthouse.model.mail import Outgoing, SendState, SentEmail, SentQuery
from posthouse.model.message import Message
from posthouse.model.values import ContactId, GroupId, InboxId, TemplateId
from posthouse.services.attachments import NewUpload

_TAG = re.compile(r"<[a-zA-Z!/][^<>]*>")


class SendStrategy(StrEnum):
    SINGLE_MESSAGE = "SINGLE_MESSAGE"


class AddressValidation(StrEnum):
    VALIDATE_FILTER_REMOVE_INVALID = "VALIDATE_FILTER_REMOVE_INVALID"
    VALIDATE_ERROR_IF_INVALID = "VALIDATE_ERROR_IF_INVALID"
    NO_VALIDATION = "NO_VALIDATION"


class SendEmailBodyPart(WireModel):
    content_type: Line
    content_body: Text


class SendEmailOptions(WireModel):
    """An email to be sent. Everything may be left out; addresses may carry a display name."""

    to_contacts: list[ContactId] | None = None
    to_group: GroupId | None = None
    to: list[Line] | None = None
    from_: Line | None = None
    from_name: Line | None = None
    cc: list[Line] | None = None
    bcc: list[Line] | None = None
    subject: Line | None = None
    reply_to: Line | None = None
    custom_headers: dict[Line, Line] | None = None
    body: Text | None = None
    html: bool | None = None
    is_html: bool | None = None
    charset: Line | None = None
    attachments: list[Line] | None = None
    template_variables: dict[str, Any] | None = None
    template: TemplateId | None = None
    send_strategy: SendStrategy | None = None
    use_inbox_name: bool | None = None
    add_tracking_pixel: bool | None = None
    filter_bounced_recipients: bool | None = None
    validate_email_addresses: AddressValidation | None = None
    ignore_empty_recipients: bool | None = None
    is_x_amp_html: bool | None = None
    body_parts: list[SendEmailBodyPart] | None = None
    inbox_id: InboxId | None = None

    def to_domain(self) -> Outgoing:
        """Raises Invalid for a wish that would otherwise be passed over in silence."""
        for asked, name in (
            (self.add_tracking_pixel, "addTrackingPixel"),
            (self.is_x_amp_html, "isXAmpHtml"),
        ):
            if asked:
                raise Invalid(f"{name} is not supported here: leave it out")
        body, is_html = self._body()
        return Outgoing(
            to=tuple(self.to or ()),
            cc=tuple(self.cc or ()),
            bcc=tuple(self.bcc or ()),
            sender=self.from_ or None,
            sender_name=self.from_name or None,
            use_inbox_name=bool(self.use_inbox_name),
            reply_to=self.reply_to or None,
            subject=self.subject or "",
            body=body,
            is_html=is_html,
            headers=tuple((self.custom_headers or {}).items()),
            attachments=tuple(self.attachments or ()),
            template=None if self.body_parts else self.template,
            variables=self.template_variables,
            contacts=tuple(self.to_contacts or ()),
            group=self.to_group,
        )

    def as_said(self) -> dict[str, Any]:
        """What was said, as JSON, and nothing more: to be kept and sent another day."""
        said: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return said

    def _body(self) -> tuple[str, bool]:
        """The one body that we can send, and whether it is HTML. Body parts win over the body."""
        if not self.body_parts:
            as_html = self.is_html if self.is_html is not None else self.html  # the newer name first
            return self.body or "", bool(as_html)
        types = [part.content_type.partition(";")[0].strip().lower() for part in self.body_parts]
        if types not in (["text/plain"], ["text/html"]):
            raise Invalid("bodyParts may hold one text/plain or one text/html part here")
        return self.body_parts[0].content_body, types == ["text/html"]


class SimpleSendEmailOptions(WireModel):
    sender_id: InboxId | None = None
    to: Line
    body: Text | None = None
    subject: Line | None = None

    def to_domain(self) -> Outgoing:
        """There is no key here that says whether the body is HTML; one with a tag in it is."""
        body = self.body or ""
        return Outgoing(to=(self.to,), subject=self.subject or "", body=body, is_html=bool(_TAG.search(body)))


class SimpleSendEmailQuery(QueryModel, SimpleSendEmailOptions):
    """The same in a query string."""


class SendQuery(QueryModel):
    """`useFallback`: when the connector's server can't take it, send it by our own means."""

    use_fallback: bool = False


class SentListQuery(PageQuery):
    search_filter: Text | None = None

    def to_domain(self, inbox: InboxId | None) -> SentQuery:
        return SentQuery(slice=self.slice(), inbox_id=inbox, search=self.search_filter or "")


class AllSentQuery(SentListQuery):
    inbox_id: InboxId | None = None


class Transport(StrEnum):
    PUBLIC_EMAIL = "PUBLIC_EMAIL"
    SANDBOX_LOCAL = "SANDBOX_LOCAL"


class SentEmailProjection(WireModel):
    """A sent email in a list. `state`, `stateText`, `refused` and `sentAt` are keys of ours."""

    id: UUID
    user_id: UUID
    inbox_id: UUID
    subject: str | None
    from_: str | None
    thread_id: UUID | None
    recipients: EmailRecipients | None
    attachments: list[str]
    text_excerpt: str | None
    body_excerpt: str | None
    to: list[str]
    cc: list[str]
    bcc: list[str]
    created_at: Moment
    message_id: str | None
    in_reply_to: str | None
    sender: Sender | None
    body_md5_hash: str | None = None
    virtual_send: bool
    state: SendState
    state_text: str
    refused: list[str]
    sent_at: Moment | None

    @classmethod
    def of(cls, sent: SentEmail) -> Self:
        return cls(**_told(sent), sent_at=sent.sent_at)


class PageSentEmailProjection(SpringPage[SentEmailProjection]):
    pass


class SentEmailDto(WireModel):
    """A sent email, whole. `sentAt` may not be null on the wire: until it is sent, it is when it was accepted.

    Keys of ours: `state` says how far it has come, `stateText` what the server said, and `refused` who did not
    get it.
    """

    id: UUID
    user_id: UUID
    inbox_id: UUID
    domain_id: UUID | None = None
    to: list[str]
    from_: str | None
    sender: Sender | None
    recipients: EmailRecipients | None
    reply_to: str | None
    cc: list[str]
    bcc: list[str]
    attachments: list[str]
    subject: str | None
    body_md5_hash: str | None
    body: str | None
    to_contacts: list[UUID] | None = Field(default_factory=list)
    to_group: UUID | None = None
    charset: str | None
    is_html: bool | None
    sent_at: Moment
    created_at: Moment
    pixel_ids: list[UUID] | None = Field(default_factory=list)
    message_id: str | None
    message_ids: list[str] | None
    virtual_send: bool | None
    template_id: UUID | None = None
    template_variables: dict[str, Any] | None = None
    headers: dict[str, str] | None
    thread_id: UUID | None
    body_excerpt: str | None
    text_excerpt: str | None
    in_reply_to: str | None
    favourite: bool | None = False
    size_bytes: int | None
    transport: Transport
    html: bool
    state: SendState
    state_text: str
    refused: list[str]

    @classmethod
    def of(cls, sent: SentEmail, message: Message) -> Self:
        """`message` is the raw message that was sent, read."""
        body = body_of(message)
        message_id = bare_id(sent.message_id)
        headers = header_lists(message.headers)
        return cls(
            **_told(sent),
            reply_to=", ".join(plain_addresses(sent.reply_to)) or None,
            body=body,
            body_md5_hash=body_hash(body),
            charset=message.charset or None,
            is_html=sent.is_html,
            html=sent.is_html,
            sent_at=sent.sent_at or sent.created_at,
            message_ids=[message_id] if message_id else [],
            headers={name: values[0] for name, values in headers.items()},
            size_bytes=sent.size,
            transport=Transport.SANDBOX_LOCAL if sent.stays_here else Transport.PUBLIC_EMAIL,
        )


def _told(sent: SentEmail) -> dict[str, Any]:
    return {
        "id": sent.id,
        "user_id": sent.account_id,
        "inbox_id": sent.inbox_id,
        "thread_id": sent.thread_id,
        "in_reply_to": bare_id(sent.in_reply_to),
        "subject": sent.subject,
        "from_": sent.sender.email,
        "sender": Sender.of(sent.sender),
        "recipients": EmailRecipients.of(sent.to, sent.cc, sent.bcc),
        "to": plain_addresses(sent.to),
        "cc": plain_addresses(sent.cc),
        "bcc": plain_addresses(sent.bcc),
        "attachments": list(sent.attachment_ids),
        "text_excerpt": sent.excerpt,
        "body_excerpt": sent.excerpt,
        "created_at": sent.created_at,
        "message_id": bare_id(sent.message_id),
        "virtual_send": sent.virtual,
        "state": sent.state,
        "state_text": sent.state_text,
        "refused": list(sent.refused),
    }


class UploadAttachmentOptions(WireModel):
    content_id: Line | None = None
    content_type: Line | None = None
    filename: Line | None = None
    base64_contents: str = Field(min_length=1)

    def to_domain(self) -> NewUpload:
        """Raises Invalid when the contents are not Base64."""
        try:
            content = base64.b64decode("".join(self.base64_contents.split()), validate=True)
        except ValueError:
            raise Invalid("base64Contents is not Base64") from None
        return NewUpload(
            content=content, name=self.filename, content_type=self.content_type, content_id=self.content_id
        )
