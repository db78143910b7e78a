"""Received emails and attachments as MailSlurp's clients know them."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any, Protocol, Self
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic import Field

from posthouse.api.wire.common import (
    INT32,
    LARGEST_PAGE,
    Moment,
    PageQuery,
    QueryModel,
    SpringPage,
    Text,
    WireModel,
)
from posthouse.api.wire.waiting import milliseconds
from posthouse.model.mail import AttachmentEntry, Email, EmailQuery
from posthouse.model.message import Address, Message
from posthouse.model.values import EmailId, InboxId, PlusAddressId, SentId, Slice, Sort
from posthouse.services.waiting import DEFAULT_DELAY, DEFAULT_TIMEOUT, Wish

# --- asking for emails -------------------------------------------------------------------------------------------


class EmailListQuery(PageQuery):
    """Which emails of an account. `syncConnectors` says to look at the external mailboxes first."""

    inbox_id: list[InboxId] = Field(default_factory=list)
    unread_only: bool = False
    search_filter: Text | None = None
    sync_connectors: bool = False
    plus_address_id: PlusAddressId | None = None
    favourited: bool = False

    def to_domain(self) -> EmailQuery:
        return EmailQuery(
            slice=self.slice(),
            inbox_ids=tuple(self.inbox_id),
            unread_only=self.unread_only,
            favourites_only=self.favourited,
            search=self.search_filter or "",
            plus_address=self.plus_address_id,
        )


class SearchEmailsQuery(QueryModel):
    """What `POST /emails/search` takes beside its body."""

    sync_connectors: bool = False
    favourited: bool = False
    plus_address_id: PlusAddressId | None = None


class SearchEmailsOptions(WireModel):
    inbox_ids: list[InboxId] | None = None
    page_index: int | None = Field(default=None, ge=0, le=INT32)
    page_size: int | None = Field(default=None, ge=1, le=LARGEST_PAGE)
    sort_direction: Sort | None = None
    unread_only: bool | None = None
    search_filter: Text | None = None
    since: Moment | None = None
    before: Moment | None = None

    def to_domain(self, beside: SearchEmailsQuery = SearchEmailsQuery()) -> EmailQuery:  # noqa: B008 (never changed)
        return EmailQuery(
            slice=Slice(
                page=self.page_index or 0,
                size=self.page_size or 20,
                sort=self.sort_direction or Sort.ASC,
                since=self.since,
                before=self.before,
            ),
            inbox_ids=tuple(self.inbox_ids or ()),
            unread_only=bool(self.unread_only),
            favourites_only=beside.favourited,
            search=self.search_filter or "",
            plus_address=beside.plus_address_id,
        )


class InboxPageQuery(PageQuery):
    """Which emails of one inbox, in pages."""

    sync_connectors: bool = False

    def to_domain(self, inbox_id: InboxId) -> EmailQuery:
        return EmailQuery(slice=self.slice(), inbox_ids=(inbox_id,))


class InboxEmailsQuery(QueryModel):
    """Which emails of one inbox, as a plain list. `size` is looked at before `limit`; with `minCount` the answer
    may wait for as long as `retryTimeout` (milliseconds)."""

    size: int | None = Field(default=None, ge=1, le=LARGEST_PAGE)
    limit: int | None = Field(default=None, ge=1, le=LARGEST_PAGE)
    sort: Sort = Sort.ASC
    retry_timeout: int | None = Field(default=None, ge=0)
    delay_timeout: int | None = Field(default=None, ge=0)
    min_count: int | None = Field(default=None, ge=0)
    unread_only: bool = False
    before: Moment | None = None
    since: Moment | None = None

    def to_domain(self, inbox_id: InboxId) -> EmailQuery:
        size = self.size or self.limit or LARGEST_PAGE
        return EmailQuery(
            slice=Slice(size=size, sort=self.sort, since=self.since, before=self.before),
            inbox_ids=(inbox_id,),
            unread_only=self.unread_only,
        )

    def to_wait(self, inbox_id: InboxId) -> Wish | None:
        """What is to be waited for first; None for an answer at once."""
        if not self.min_count or not self.retry_timeout:
            return None
        return Wish(
            inbox_id=inbox_id,
            count=self.min_count,
            unread_only=self.unread_only,
            since=self.since,
            before=self.before,
            sort=self.sort,
            timeout=milliseconds(self.retry_timeout, DEFAULT_TIMEOUT),
            delay=milliseconds(self.delay_timeout, DEFAULT_DELAY),
        )


class OfInboxQuery(QueryModel):
    """Of one inbox, or of all."""

    inbox_id: InboxId | None = None


class LatestQuery(QueryModel):
    """The newest of some inboxes, or of all."""

    inbox_ids: list[InboxId] = Field(default_factory=list)


class HtmlQuery(QueryModel):
    replace_cid_images: bool = False


# --- emails ------------------------------------------------------------------------------------------------------


class Sender(WireModel):
    raw_value: str
    email_address: str
    name: str | None

    @classmethod
    def of(cls, address: Address) -> Self:
        return cls(raw_value=str(address), email_address=address.email, name=address.name or None)


class Recipient(Sender):
    pass


class EmailRecipients(WireModel):
    to: list[Recipient] | None
    cc: list[Recipient] | None
    bcc: list[Recipient] | None

    @classmethod
    def of(cls, to: Iterable[Address], cc: Iterable[Address], bcc: Iterable[Address]) -> Self:
        return cls(
            to=[Recipient.of(address) for address in to],
            cc=[Recipient.of(address) for address in cc],
            bcc=[Recipient.of(address) for address in bcc],
        )


def plain_addresses(addresses: Iterable[Address]) -> list[str]:
    """The addresses alone; of one that could not be read, what there is of it."""
    return [text for address in addresses if (text := address.email or address.name)]


def bare_id(message_id: str) -> str | None:
    """A Message-ID without its angle brackets, as the clients compare them."""
    return message_id.strip().removeprefix("<").removesuffix(">") or None


def body_of(message: Message) -> str:
    """The one body that the wire has room for: HTML where there is any."""
    return message.html or message.text


def body_hash(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def header_lists(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Every value of every header, under the name as it was first spelled (RFC 5322 §1.2.2: case means nothing)."""
    spelling: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    return values


class EmailPreview(WireModel):
    """An email in a list of one inbox. `externalId` and `folder` (where it lies at its server), `sentAt` (its own
    Date) and `problem` (why it could not be taken in whole) are keys of ours here."""

    id: UUID
    inbox_id: UUID | None
    domain_id: UUID | None = None
    subject: str | None
    to: list[str] | None
    from_: str | None
    bcc: list[str] | None
    cc: list[str] | None
    created_at: Moment
    read: bool
    attachments: list[str] | None
    thread_id: UUID | None
    message_id: str | None
    in_reply_to: str | None
    sender: Sender | None
    recipients: EmailRecipients | None
    favourite: bool | None
    body_part_content_types: list[str] | None
    plus_address: UUID | None
    size_bytes: int | None
    external_id: str | None
    sent_at: Moment | None
    folder: str | None
    problem: str | None

    @classmethod
    def of(cls, email: Email) -> Self:
        return cls(**_told(email), plus_address=email.plus_address_id)


class PageEmailPreview(SpringPage[EmailPreview]):
    pass


class EmailProjection(WireModel):
    """An email in a list of an account. It has the same keys of ours as a preview."""

    id: UUID
    inbox_id: UUID
    domain_id: UUID | None = None
    subject: str | None
    to: list[str]
    from_: str | None
    bcc: list[str] | None
    cc: list[str] | None
    created_at: Moment
    read: bool
    attachments: list[str] | None
    thread_id: UUID | None
    message_id: str | None
    in_reply_to: str | None
    sender: Sender | None
    recipients: EmailRecipients | None
    favourite: bool | None
    body_part_content_types: list[str] | None
    plus_address: UUID | None
    size_bytes: int | None
    text_excerpt: str | None
    body_excerpt: str | None
    body_md5_hash: str | None = None
    imap_uid: int | None = None
    team_access: bool = False
    external_id: str | None
    sent_at: Moment | None
    folder: str | None
    problem: str | None

    @classmethod
    def of(cls, email: Email) -> Self:
        return cls(
            **_told(email),
            plus_address=email.plus_address_id,
            text_excerpt=email.excerpt,
            body_excerpt=email.excerpt,
        )


class PageEmailProjection(SpringPage[EmailProjection]):
    pass


class EmailDto(WireModel):
    """An email, whole: what the clients call `Email`. `sentAt`, `folder` and `problem` are keys of ours."""

    id: UUID
    user_id: UUID
    inbox_id: UUID
    domain_id: UUID | None = None
    to: list[str]
    from_: str | None
    sender: Sender | None
    recipients: EmailRecipients | None
    reply_to: str | None
    cc: list[str] | None
    bcc: list[str] | None
    headers: dict[str, str] | None
    headers_map: dict[str, list[str]] | None
    attachments: list[str] | None
    subject: str | None
    body: str | None
    body_excerpt: str | None
    text_excerpt: str | None
    body_md5_hash: str | None
    is_html: bool | None
    charset: str | None
    analysis: None = None
    created_at: Moment
    updated_at: Moment
    read: bool
    team_access: bool = False
    is_x_amp_html: bool | None = False
    body_part_content_types: list[str] | None
    external_id: str | None
    message_id: str | None
    thread_id: UUID | None
    in_reply_to: str | None
    favourite: bool | None
    size_bytes: int | None
    html: bool
    xamp_html: bool = False
    sent_at: Moment | None
    folder: str | None
    problem: str | None

    @classmethod
    def of(cls, email: Email, message: Message) -> Self:
        """`message` is the email's raw message, read."""
        body = body_of(message)
        headers = header_lists(message.headers)
        return cls(
            **_told(email),
            user_id=email.account_id,
            updated_at=email.updated_at,
            reply_to=", ".join(plain_addresses(email.reply_to)) or None,
            headers={name: values[0] for name, values in headers.items()},
            headers_map=headers,
            body=body,
            body_excerpt=email.excerpt,
            text_excerpt=email.excerpt,
            body_md5_hash=body_hash(body),
            is_html=bool(message.html),
            html=bool(message.html),
            charset=message.charset or email.charset or None,
        )


def _told(email: Email) -> dict[str, Any]:
    return {
        "id": email.id,
        "inbox_id": email.inbox_id,
        "subject": email.subject,
        "to": plain_addresses(email.to),
        "from_": next(iter(plain_addresses([email.sender] if email.sender else [])), None),
        "cc": plain_addresses(email.cc),
        "bcc": plain_addresses(email.bcc),
        "created_at": email.created_at,
        "read": email.read,
        "attachments": list(email.attachment_ids),
        "message_id": bare_id(email.message_id),
        "in_reply_to": bare_id(email.in_reply_to),
        "thread_id": email.thread_id,
        "sender": Sender.of(email.sender) if email.sender else None,
        "recipients": EmailRecipients.of(email.to, email.cc, email.bcc),
        "favourite": email.favourite,
        "body_part_content_types": list(email.content_types),
        "size_bytes": email.size,
        "external_id": email.external_id,
        "sent_at": email.sent_at,
        "folder": email.folder,
        "problem": email.problem,
    }


class EmailHtmlDto(WireModel):
    subject: str | None
    body: str | None


class RawEmailJson(WireModel):
    content: str

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """The message's bytes as text: as UTF-8 where that is what they are, else one character a byte."""
        try:
            return cls(content=raw.decode())
        except UnicodeDecodeError:
            return cls(content=raw.decode("latin-1"))


class UnreadCount(WireModel):
    count: int


# --- attachments -------------------------------------------------------------------------------------------------


class AttachmentListQuery(PageQuery):
    file_name_filter: Text | None = None
    inbox_id: InboxId | None = None
    email_id: EmailId | None = None
    sent_email_id: SentId | None = None
    include: list[Text] = Field(default_factory=list)


class DescribedAttachment(Protocol):
    """What is told of any attachment, whichever way it came."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def content_id(self) -> str | None: ...
    @property
    def size(self) -> int: ...


class AttachmentMetaData(WireModel):
    name: str
    content_type: str
    content_length: int
    id: str
    content_id: str | None

    @classmethod
    def of(cls, attachment: DescribedAttachment) -> Self:
        return cls(
            name=attachment.name or "unnamed",
            content_type=attachment.content_type,
            content_length=attachment.size,
            id=attachment.id,
            content_id=attachment.content_id,
        )


class AttachmentProjection(WireModel):
    id: UUID
    attachment_id: str
    user_id: UUID
    inbox_id: UUID | None
    name: str | None
    content_type: str | None
    content_length: int | None
    content_id: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, attachment: AttachmentEntry) -> Self:
        return cls(
            # The wire wants a UUID beside the real id, which is an opaque string there. Nothing is asked for by it.
            id=uuid5(NAMESPACE_OID, attachment.id),
            attachment_id=attachment.id,
            user_id=attachment.account_id,
            inbox_id=attachment.inbox_id,
            name=attachment.name,
            content_type=attachment.content_type,
            content_length=attachment.size,
            content_id=attachment.content_id,
            created_at=attachment.created_at,
            updated_at=attachment.created_at,
        )


class PageAttachmentEntity(SpringPage[AttachmentProjection]):
    pass


class AttachmentEntityDto(AttachmentProjection):
    pass


class DownloadAttachmentDto(WireModel):
    base64_file_contents: str
    content_type: str
    size_bytes: int

    @classmethod
    def of(cls, content: bytes, content_type: str) -> Self:
        encoded = base64.b64encode(content).decode("ascii")
        return cls(base64_file_contents=encoded, content_type=content_type, size_bytes=len(content))
