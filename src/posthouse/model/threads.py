"""Conversations: the emails, received and sent, that answer each other."""

from dataclasses import dataclass
from datetime import datetime

from posthouse.model.mail import Email, SentEmail
from posthouse.model.values import AccountId, InboxId, Slice, ThreadId

Letter = Email | SentEmail
"""An email in a conversation, whichever way it went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation. `first` and `last` are so by when they were written; `created_at` is when its first email came
    to us."""

    id: ThreadId
    account_id: AccountId
    created_at: datetime
    first: Letter
    last: Letter
    count: int
    unread: bool
    has_attachments: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadQuery:
    """Which conversations of an account are asked for: those with an email in this inbox, with one that holds these
    words."""

    slice: Slice
    inbox_id: InboxId | None = None
    search: str = ""


def written_at(letter: Letter) -> datetime:
    """When an email was written: by its own Date, where it has one."""
    return letter.created_at if isinstance(letter, SentEmail) else letter.sent_at or letter.created_at
