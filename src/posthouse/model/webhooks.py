"""Webhooks: what somebody wants to hear of, and how what we say is signed.

A webhook listens to one kind of event, in one inbox or in all of its account's. What it is told of one event is a
*message*: its id and its words are fixed before it is said for the first time and never change, however often it is
said again. Each time that a message was said is a *result*.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType, Protocol
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from posthouse.model.errors import Invalid
from posthouse.model.events import Happening
from posthouse.model.values import AccountId, Backoff, InboxId, Secret, Slice

WebhookId = NewType("WebhookId", UUID)
MessageId = NewType("MessageId", UUID)
ResultId = NewType("ResultId", UUID)

FAILURES_TO_BE_UNHEALTHY = 3
"""In a row, after which a webhook is called unhealthy and is tried once at a time."""
BACKOFF = Backoff(first=timedelta(seconds=5), most=timedelta(hours=1))
PATIENCE = timedelta(hours=24)
"""How long a message is tried again, counted from when it was to be said; it is tried once in any case."""
LONGEST_URL = 2000


class EventName(StrEnum):
    """What a webhook may listen to. The words are MailSlurp's; those without a happening never come to pass here."""

    EMAIL_RECEIVED = "EMAIL_RECEIVED"
    NEW_AI_TRANSFORM_RESULT = "NEW_AI_TRANSFORM_RESULT"
    NEW_EMAIL = "NEW_EMAIL"
    NEW_CONTACT = "NEW_CONTACT"
    NEW_ATTACHMENT = "NEW_ATTACHMENT"
    EMAIL_OPENED = "EMAIL_OPENED"
    EMAIL_READ = "EMAIL_READ"
    DELIVERY_STATUS = "DELIVERY_STATUS"
    BOUNCE = "BOUNCE"
    BOUNCE_RECIPIENT = "BOUNCE_RECIPIENT"
    NEW_SMS = "NEW_SMS"
    NEW_GUEST_USER = "NEW_GUEST_USER"

    @property
    def happening(self) -> Happening | None:
        """The word of the journal that this event follows from."""
        return _HAPPENINGS.get(self)


_HAPPENINGS = {
    EventName.EMAIL_RECEIVED: Happening.EMAIL_RECEIVED,
    EventName.NEW_EMAIL: Happening.EMAIL_RECEIVED,
    EventName.NEW_ATTACHMENT: Happening.EMAIL_RECEIVED,
    EventName.EMAIL_READ: Happening.EMAIL_READ,
    EventName.BOUNCE: Happening.BOUNCED,
    EventName.BOUNCE_RECIPIENT: Happening.BOUNCED_RECIPIENT,
    EventName.DELIVERY_STATUS: Happening.DELIVERY_STATUS,
}


class Health(StrEnum):
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


class ResultType(StrEnum):
    """How it went to say a message: the receiver took it, said something else, or could not be reached; the last try
    after which we gave up; or one after which the user had it said again."""

    SUCCESS = "SUCCESS"
    BAD_RESPONSE = "BAD_RESPONSE"
    EXCEPTION = "EXCEPTION"
    EXHAUSTED = "EXHAUSTED"
    REDRIVEN = "REDRIVEN"


FAILED = (ResultType.BAD_RESPONSE, ResultType.EXCEPTION, ResultType.EXHAUSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Who wants to hear of which event, and where.

    `headers` go out with every message; `template` makes its words, where there is one. `takes_any_certificate`
    switches the checking of the receiver's certificate off. `failures` is how many tries have failed in a row.
    """

    id: WebhookId
    account_id: AccountId
    inbox_id: InboxId | None
    name: str | None
    url: str
    event: EventName
    secret: Secret
    username: str | None
    password: Secret | None
    headers: Mapping[str, Secret] = field(default_factory=dict)
    template: str | None
    takes_any_certificate: bool
    static_addresses: bool | None
    ai_transform_id: UUID | None
    tags: tuple[str, ...]
    failures: int
    created_at: datetime
    updated_at: datetime

    @property
    def host(self) -> str:
        return (urlsplit(self.url).hostname or "").lower()

    @property
    def health(self) -> Health:
        return Health.UNHEALTHY if self.failures >= FAILURES_TO_BE_UNHEALTHY else Health.HEALTHY


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a webhook is told of one event. `position` and `part` are its place in the inbox's journal, and within that
    line; a test has none. `wanted_at` is since when it should be said."""

    id: MessageId
    webhook_id: WebhookId
    account_id: AccountId
    inbox_id: InboxId | None
    event: EventName
    body: str
    wanted_at: datetime
    position: int = 0
    part: int = 0
    email_id: UUID | None = None
    attachment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many messages wait to be said, and how many we have given up."""

    waiting: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One time that a message was said. `extract` begins the receiver's answer, or tells why there is none."""

    id: ResultId
    account_id: AccountId
    webhook_id: WebhookId
    message_id: MessageId
    inbox_id: InboxId | None
    email_id: UUID | None
    attachment_id: str | None
    event: EventName
    url: str
    status: int | None
    took: timedelta
    extract: str | None
    type: ResultType
    redrive_id: UUID | None
    seen: bool
    created_at: datetime
    updated_at: datetime


def message_id(webhook: WebhookId, inbox: InboxId, position: int, event: EventName, part: int) -> MessageId:
    """The id under which a webhook is told of an event: the same, however often it is told."""
    return MessageId(uuid5(webhook, f"{inbox}:{position}:{event}:{part}"))


# Saying it


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One POST. The headers hold secrets."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    takes_any_certificate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the receiver said; `text` is the beginning of it. `retry_after` is its wish, where it has one."""

    status: int
    text: str
    retry_after: timedelta | None = None

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


class Poster(Protocol):
    """Says something to a receiver. Raises RemoteError when there is no answer."""

    async def __call__(self, call: Call) -> Answer: ...


# Where to


def checked_url(text: str) -> str:
    """The URL, if messages can be sent there at all. Raises Invalid."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("url: this is not a URL") from None
    if len(url) > LONGEST_URL:
        raise Invalid(f"url: a URL may have {LONGEST_URL} characters")
    if not url.isprintable() or " " in url or not parts.hostname:
        raise Invalid("url: this is not a URL, such as https://example.com/hooks")
    if parts.scheme not in ("http", "https"):
        raise Invalid("url: it must begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise Invalid("url: it may hold no user name or password: give them as basicAuth")
    if port == 0:
        raise Invalid("url: there is no port 0")
    return url


_OURS = ("x-event", "x-message-id", "x-signature", "x-from", "webhook-id", "webhook-timestamp", "webhook-signature")
_THE_CONNECTIONS = ("host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer")
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")  # RFC 9110 §5.6.2
_MOST_HEADERS, _LONGEST_HEADER = 50, 8000
_TELLING = ("auth", "cookie", "key", "pass", "secret", "signature", "token")


def check_header(name: str, value: str) -> None:
    """Raises Invalid when this header can't be sent along."""
    if not name or not _TOKEN.issuperset(name.lower()):
        raise Invalid(f"includeHeaders: {name[:80]!r} is not a header's name")
    if name.lower() in _OURS or name.lower() in _THE_CONNECTIONS:
        raise Invalid(f"includeHeaders: {name} is written by us")
    if not value.isprintable() or not value.isascii() or len(value) > _LONGEST_HEADER:
        raise Invalid(f"includeHeaders: the value of {name} must be printable ASCII on one line")


def check_headers(headers: Mapping[str, Secret]) -> None:
    """Raises Invalid when these headers can't be sent along."""
    if len(headers) > _MOST_HEADERS:
        raise Invalid(f"includeHeaders: there may be {_MOST_HEADERS} headers")
    for name, value in headers.items():
        check_header(name, value.reveal())


def tells_a_secret(header: str) -> bool:
    """Whether a header of this name is likely to hold something that nobody should be shown."""
    return any(word in header.lower() for word in _TELLING)


# Signing


def new_signing_secret() -> Secret:
    """A secret in the form of the Standard Webhooks specification."""
    return Secret("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())


def signature(secret: Secret, message: MessageId, body: str) -> str:
    """What stands in `x-signature`, and is checked by asking us."""
    return hmac.new(_key(secret), f"{message}.{body}".encode(), hashlib.sha256).hexdigest()


def standard_signature(secret: Secret, message: MessageId, body: str, at: datetime) -> str:
    """What stands in `webhook-signature`, by the Standard Webhooks specification."""
    said = f"{message}.{int(at.timestamp())}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(_key(secret), said, hashlib.sha256).digest()).decode()


def _key(secret: Secret) -> bytes:
    return base64.b64decode(secret.reveal().removeprefix("whsec_"))


def headers_for(webhook: Webhook, message: Message, at: datetime) -> dict[str, str]:
    """Everything that stands above a message that is said at this moment."""
    own = {name.lower() for name in webhook.headers}
    headers = {"Content-Type": "application/json", "User-Agent": "Posthouse-Webhooks/1"}
    if webhook.username is not None:
        password = webhook.password.reveal() if webhook.password else ""
        token = base64.b64encode(f"{webhook.username}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    headers = {name: value for name, value in headers.items() if name.lower() not in own}
    headers |= {name: value.reveal() for name, value in webhook.headers.items()}
    return headers | {
        "x-event": message.event.value,
        "x-message-id": str(message.id),
        "x-signature": signature(webhook.secret, message.id, message.body),
        "x-from": "api.mailslurp.com",
        "webhook-id": str(message.id),
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": standard_signature(webhook.secret, message.id, message.body, at),
    }


# Asking for them


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookQuery:
    """Which webhooks of an account are asked for. With an inbox those of that inbox are meant, and with `account_wide`
    those of the whole account besides; without one `account_wide` tells the latter from the others."""

    slice: Slice
    inbox_id: InboxId | None = None
    account_wide: bool | None = None
    event: EventName | None = None
    health: Health | None = None
    url: str = ""
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultQuery:
    """Which results of an account are asked for. `failed_only` are those of which the receiver was not told;
    `nothing` stands for a wish that nothing here can fulfil."""

    slice: Slice
    webhook_id: WebhookId | None = None
    search: str = ""
    unseen_only: bool = False
    failed_only: bool = False
    type: ResultType | None = None
    event: EventName | None = None
    least_status: int | None = None
    most_status: int | None = None
    inbox_id: InboxId | None = None
    email_id: UUID | None = None
    attachment_id: str | None = None
    nothing: bool = False
