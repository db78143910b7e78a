"""What is still to be done with a sent email, and what was scheduled."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from posthouse.model.values import AccountId, InboxId, JobId, SentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Something that is still to be done with a sent email; what it is follows from the email's state.

    QUEUED, CONNECTING: bring it to those who are `waiting`. UNKNOWN: look for it where it would lie if it had been
    sent. ACCEPTED: file a copy of it. `taken`: somebody has got it already. `holder` is the claim of whoever is at it;
    `tries` counts them, this one included. A failure for the moment is followed by another try until `give_up_at`.
    """

    sent_id: SentId
    give_up_at: datetime
    waiting: tuple[str, ...] = ()
    taken: bool = False
    tries: int = 0
    holder: UUID | None = None


class JobStatus(StrEnum):
    """How far a scheduled email has come. The words are MailSlurp's."""

    SUBMITTED = "SUBMITTED"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An email that is to be sent at a certain time."""

    id: JobId
    account_id: AccountId
    inbox_id: InboxId
    sent_id: SentId
    send_at: datetime
    created_at: datetime
    updated_at: datetime
    status: JobStatus = JobStatus.SUBMITTED
