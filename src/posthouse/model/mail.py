"""Inboxes and the mail in them, received and sent."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from posthouse.model.message import Address, Draft, Transfer
from posthouse.model.values import (
    AccountId,
    ConnectorId,
    ContactId,
    EmailId,
    GroupId,
    InboxId,
    PlusAddressId,
    SentId,
    Slice,
    TemplateId,
    ThreadId,
    UploadId,
)


class InboxKind(StrEnum):
    """What somebody called an inbox when he made it. It makes no difference here, and is told as it was said."""

    HTTP = "http"
    SMTP = "smtp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """A place of ours where mail is kept. One with a connector holds the copy of an external mailbox."""

    id: InboxId
    account_id: AccountId
    email_address: str
    name: str | None
    description: str | None
    tags: tuple[str, ...]
    favourite: bool
    virtual: bool
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    connector_id: ConnectorId | None = None
    kind: InboxKind = InboxKind.HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxQuery:
    """Which inboxes of an account are asked for. `search` is looked for in address, name and description; `connected`
    tells those with a connector from those without; `name` and `description` are meant exactly; `with_sent` are those
    from which something was sent.
    """

    slice: Slice = Slice()
    search: str = ""
    tag: str = ""
    name: str | None = None
    description: str | None = None
    favourites_only: bool = False
    connected: bool | None = None
    kind: InboxKind | None = None
    with_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where raw bytes lie in the blob store: a stretch of a pack, compressed or not. `size` is the plain length."""

    pack: str
    offset: int
    length: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part of an email that is not its text. `start`, `end` and `transfer` find it in the raw message."""

    id: str
    email_id: EmailId
    inbox_id: InboxId
    name: str
    content_type: str
    content_id: str | None
    size: int
    start: int
    end: int
    transfer: Transfer
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """An email that has been received: what lists and previews need. Its text lies in the raw message. Pages tell the
    plus address that it came to, the first if there are several.

    `problem` is None, or says why the message could not be taken in whole; the raw bytes are there all the same.
    """

    id: EmailId
    account_id: AccountId
    inbox_id: InboxId
    created_at: datetime
    updated_at: datetime
    read: bool
    favourite: bool
    sender: Address | None
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    subject: str
    message_id: str
    in_reply_to: str
    sent_at: datetime | None
    size: int
    excerpt: str
    is_html: bool
    charset: str
    content_types: tuple[str, ...]
    attachment_ids: tuple[str, ...]
    folder: str | None
    external_id: str | None
    problem: str | None
    stored: Stored
    thread_id: ThreadId | None = None
    plus_address_id: PlusAddressId | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in an inbox's journal: what came in after it can be told from all that was there before."""

    inbox_id: InboxId
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailQuery:
    """Which emails of an account are asked for. An empty `inbox_ids` means all inboxes; `search` is words; with
    `after`, only those that came in after this place in their inbox's journal; with `plus_address`, only those that
    came to it."""

    slice: Slice
    inbox_ids: tuple[InboxId, ...] = ()
    unread_only: bool = False
    favourites_only: bool = False
    search: str = ""
    after: Mark | None = None
    plus_address: PlusAddressId | None = None


class Place(StrEnum):
    """Where in an email a match looks. HEADERS is every header, as a line `Name: value`."""

    SUBJECT = "SUBJECT"
    TO = "TO"
    CC = "CC"
    BCC = "BCC"
    FROM = "FROM"
    HEADERS = "HEADERS"


class Should(StrEnum):
    """What a match asks for: MATCH is a regular expression that is found anywhere, EQUAL means the whole text."""

    MATCH = "MATCH"
    CONTAIN = "CONTAIN"
    EQUAL = "EQUAL"


@dataclass(frozen=True, slots=True)
class Match:
    """Something that an email should have in one place.

    Upper and lower case are told apart in subjects, and not in addresses, names and headers; a regular expression
    says itself what it wants (`(?i)`). An address EQUALs without its display name.
    """

    place: Place
    should: Should
    value: str

    def __str__(self) -> str:
        return f'{self.place} {self.should} "{self.value}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What an email must be like: all of this holds. `attachments` says whether it must have some."""

    matches: tuple[Match, ...] = ()
    attachments: tuple[bool, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.matches or self.attachments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An attachment that was uploaded to be sent, any number of times."""

    id: UploadId
    account_id: AccountId
    name: str
    content_type: str
    content_id: str | None
    created_at: datetime
    stored: Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentEntry:
    """An attachment in the list of all: received (with an email) or uploaded (without)."""

    id: str
    account_id: AccountId
    inbox_id: InboxId | None
    email_id: EmailId | None
    name: str
    content_type: str
    content_id: str | None
    size: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An email as somebody asks us to send it. Addresses are texts as people write them (`Ann <ann@x.y>`), but for
    `recipients`, which are read already and come before `to`; `attachments` are ids of any attachments, uploaded or
    received; an absent sender is the connector's or inbox's own address. `in_reply_to` and `references` are message
    ids, with their angle brackets or without.

    A template takes the body's place. With `variables` (JSON), or with a template, moustaches in subject and body are
    filled in. Each of the `contacts`, and each contact of the `group`, gets an email of its own.
    """

    recipients: tuple[Address, ...] = ()
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    sender: str | None = None
    sender_name: str | None = None
    use_inbox_name: bool = False
    reply_to: str | None = None
    subject: str = ""
    body: str = ""
    is_html: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[str, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    template: TemplateId | None = None
    variables: Mapping[str, Any] | None = None
    contacts: tuple[ContactId, ...] = ()
    group: GroupId | None = None


class SendState(StrEnum):
    """How far a sent email has come.

    QUEUED: it will be sent, now or later. CONNECTING: it is being sent. UNKNOWN: it was given to the server, whose
    answer has not come; it is never sent again. FAILED: it was not sent, and will not be.
    """

    QUEUED = "queued"
    CONNECTING = "connecting"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    FAILED = "failed"


SENT = (SendState.ACCEPTED, SendState.UNKNOWN)
"""It was sent, or may have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentQuery:
    """Which sent emails of an account are asked for: those that were sent, or may have been, unless other `states` are
    named; none named are all, on their way or failed. `search` is looked for in subject and recipients."""

    slice: Slice = Slice()
    inbox_id: InboxId | None = None
    search: str = ""
    states: Collection[SendState] = SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEmail:
    """An email that we sent, or tried to, or shall.

    `state_text` holds the server's words; `connector_id` is None where none was needed. `queued`: nobody waited for it
    to be sent. `return_path` is the envelope's sender where that is another than the message's; `also_known_as` is the
    Message-ID that the server gave it instead, where it said so.
    """

    id: SentId
    account_id: AccountId
    inbox_id: InboxId
    connector_id: ConnectorId | None
    state: SendState
    state_text: str
    created_at: datetime
    sent_at: datetime | None
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    refused: tuple[str, ...]
    subject: str
    message_id: str
    is_html: bool
    size: int
    excerpt: str
    attachment_ids: tuple[str, ...]
    virtual: bool
    stored: Stored
    updated_at: datetime | None = None
    queued: bool = False
    return_path: str | None = None
    also_known_as: str | None = None
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_id: ThreadId | None = None

    @property
    def envelope_sender(self) -> str:
        return self.sender.email if self.return_path is None else self.return_path

    @property
    def stays_here(self) -> bool:
        """Nobody outside is among its recipients, or it was only written down."""
        return self.virtual or self.connector_id is None


def recipients_of(sent: SentEmail | Draft) -> tuple[str, ...]:
    """The addresses of everybody who is to get it, each once."""
    return tuple(dict.fromkeys(address.email for address in (*sent.to, *sent.cc, *sent.bcc)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a submission server said of each recipient, in the end. `deferred` are those of the refused who may be
    tried again later."""

    accepted: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    words: str
    deferred: tuple[str, ...] = ()


class Submission(Protocol):
    """A signed-in session at a connector's SMTP server."""

    async def send(
        self,
        sender: str,
        recipients: Sequence[str],
        message: bytes,
        *,
        envelope_id: str = "",
        no_return: Callable[[], Awaitable[None]] | None = None,
    ) -> Verdict:
        """Send one message; reports about it will name its `envelope_id`, where the server can do that.

        `no_return` is called when all is said but the end of the message: up to there nothing is sent, and when it
        raises nothing will be. Raises Refused or Deferred when no recipient was taken, OutcomeUnknown when the
        connection broke after the whole message was given and before the server's answer."""
        ...

    async def close(self) -> None:
        """Say goodbye and close; never raises."""
        ...
