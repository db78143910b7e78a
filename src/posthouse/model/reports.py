"""What became of sent emails: what a server said of each recipient, at once or in a report that came later."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from posthouse.model.values import AccountId, BouncedId, BounceId, DeliveryId, EmailId, InboxId, SentId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatus:
    """What a server said of some recipients. `reporting_mta` is who says so, `remote_mta` who had said it to that one.

    `milliseconds` is how long the conversation took; `received_at` is when the sending server had got the message,
    where a report tells.
    """

    id: DeliveryId
    account_id: AccountId
    inbox_id: InboxId
    sent_id: SentId | None
    created_at: datetime
    recipients: tuple[str, ...]
    subject: str
    reporting_mta: str | None = None
    remote_mta: str | None = None
    smtp_code: int | None = None
    smtp_text: str | None = None
    milliseconds: int | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncedRecipient:
    """Somebody whom an email will not reach. `status` is like `5.1.1` (RFC 3463)."""

    id: BouncedId
    recipient: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """An email that does not reach some of its recipients. `email_id` is the report that said so, as it arrived; None
    where a server refused at once."""

    id: BounceId
    account_id: AccountId
    inbox_id: InboxId
    sent_id: SentId | None
    email_id: EmailId | None
    created_at: datetime
    sender: str
    subject: str
    sent_to: tuple[str, ...]
    recipients: tuple[BouncedRecipient, ...]


class Action(StrEnum):
    """What a report says that has happened to a recipient (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a report says of one recipient."""

    recipient: str
    action: Action
    status: str = ""
    reason: str = ""
    remote_mta: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A message in which a server tells what became of another. Message ids are without their brackets; what it does
    not say is '' or None."""

    outcomes: tuple[Outcome, ...]
    reporting_mta: str = ""
    envelope_id: str = ""
    message_id: str = ""
    subject: str = ""
    arrived_at: datetime | None = None
