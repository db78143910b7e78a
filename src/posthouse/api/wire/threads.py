"""Conversations as MailSlurp's clients know them."""

from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from posthouse.api.wire.common import Moment, PageQuery, QueryModel, SpringPage, Text, WireModel
from posthouse.api.wire.mail import EmailRecipients, Recipient, Sender, bare_id, plain_addresses
from posthouse.model.mail import SentEmail
from posthouse.model.threads import Letter, Thread, ThreadQuery
from posthouse.model.values import InboxId, Sort


class ThreadListQuery(PageQuery):
    """`htmlSelector` is what older clients call the inbox."""

    html_selector: InboxId | None = None
    inbox_id: InboxId | None = None
    search_filter: Text | None = None

    def to_domain(self) -> ThreadQuery:
        inbox = self.inbox_id or self.html_selector
        return ThreadQuery(slice=self.slice(), inbox_id=inbox, search=self.search_filter or "")


class ThreadItemsQuery(QueryModel):
    sort: Sort = Sort.ASC


class SenderProjection(Sender):
    pass


class RecipientProjection(Recipient):
    pass


class EmailRecipientsProjection(WireModel):
    to: list[RecipientProjection] | None
    cc: list[RecipientProjection] | None
    bcc: list[RecipientProjection] | None

    @classmethod
    def of(cls, letter: Letter) -> Self:
        to, cc, bcc = (
            [RecipientProjection.of(address) for address in addresses]
            for addresses in (letter.to, letter.cc, letter.bcc)
        )
        return cls(to=to, cc=cc, bcc=bcc)


class EmailThreadProjection(WireModel):
    """A conversation in a list: of its first email, and of its last."""

    subject: str | None
    from_: str | None
    id: UUID
    user_id: UUID
    inbox_id: UUID | None
    recipients: EmailRecipientsProjection | None
    to: list[str]
    created_at: Moment
    cc: list[str] | None
    bcc: list[str] | None
    updated_at: Moment
    sender: SenderProjection | None
    last_created_at: Moment | None
    has_attachments: bool
    last_sender: SenderProjection | None
    last_from: str | None
    unread: bool
    message_count: int
    last_body_excerpt: str | None
    last_text_excerpt: str | None

    @classmethod
    def of(cls, thread: Thread) -> Self:
        first, last = thread.first, thread.last
        return cls(
            **_told(thread),
            recipients=EmailRecipientsProjection.of(first),
            sender=SenderProjection.of(first.sender) if first.sender else None,
            last_created_at=last.created_at,
            has_attachments=thread.has_attachments,
            last_sender=SenderProjection.of(last.sender) if last.sender else None,
            last_from=_from(last),
            unread=thread.unread,
            message_count=thread.count,
            last_body_excerpt=last.excerpt,
            last_text_excerpt=last.excerpt,
        )


class PageEmailThreadProjection(SpringPage[EmailThreadProjection]):
    pass


class EmailThreadDto(WireModel):
    id: UUID
    user_id: UUID
    inbox_id: UUID | None
    from_: str | None
    to: list[str]
    cc: list[str] | None
    bcc: list[str] | None
    sender: Sender | None
    recipients: EmailRecipients | None
    subject: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, thread: Thread) -> Self:
        first = thread.first
        return cls(
            **_told(thread),
            sender=Sender.of(first.sender) if first.sender else None,
            recipients=EmailRecipients.of(first.to, first.cc, first.bcc),
        )


class ItemType(StrEnum):
    RECEIVED_EMAIL = "RECEIVED_EMAIL"
    SENT_EMAIL = "SENT_EMAIL"


class EmailThreadItem(WireModel):
    """An email in a conversation. What was sent counts as read."""

    item_type: ItemType
    entity_id: UUID
    body_excerpt: str | None
    text_excerpt: str | None
    subject: str | None
    to: list[str]
    from_: str | None
    bcc: list[str] | None
    cc: list[str] | None
    attachments: list[str] | None
    created_at: Moment
    read: bool
    in_reply_to: str | None
    message_id: str | None
    thread_id: UUID | None
    sender: Sender | None
    recipients: EmailRecipients | None

    @classmethod
    def of(cls, letter: Letter) -> Self:
        sent = isinstance(letter, SentEmail)
        return cls(
            item_type=ItemType.SENT_EMAIL if sent else ItemType.RECEIVED_EMAIL,
            entity_id=letter.id,
            body_excerpt=letter.excerpt,
            text_excerpt=letter.excerpt,
            attachments=list(letter.attachment_ids),
            created_at=letter.created_at,
            read=True if isinstance(letter, SentEmail) else letter.read,
            in_reply_to=bare_id(letter.in_reply_to),
            message_id=bare_id(letter.message_id),
            thread_id=letter.thread_id,
            sender=Sender.of(letter.sender) if letter.sender else None,
            recipients=EmailRecipients.of(letter.to, letter.cc, letter.bcc),
            **_addressed(letter),
        )


class EmailThreadItemsDto(WireModel):
    items: list[EmailThreadItem]


def _told(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.id,
        "user_id": thread.account_id,
        "inbox_id": thread.first.inbox_id,
        "created_at": thread.created_at,
        "updated_at": thread.last.created_at,
        **_addressed(thread.first),
    }


def _addressed(letter: Letter) -> dict[str, Any]:
    return {
        "subject": letter.subject,
        "from_": _from(letter),
        "to": plain_addresses(letter.to),
        "cc": plain_addresses(letter.cc),
        "bcc": plain_addresses(letter.bcc),
    }


def _from(letter: Letter) -> str | None:
    return next(iter(plain_addresses([letter.sender] if letter.sender else [])), None)
