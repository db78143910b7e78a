"""Mail as people look through it: inboxes with what is in them, and lists of emails with the newest on top."""

from dataclasses import dataclass
from enum import StrEnum

from posthouse.model.mail import Email, Inbox
from posthouse.model.values import EmailId, InboxId


class InboxOrder(StrEnum):
    """How inboxes are put in order: those with the newest mail first, or by their addresses."""

    NEWEST = "newest"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxSummary:
    """An inbox with what a list tells of it: how much mail there is, how much of it is unread, and the newest email.
    `connector` is the name of the connector that fills it, None without one."""

    inbox: Inbox
    connector: str | None
    total: int
    unread: int
    newest: Email | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """Which emails of an account a list is to show: those of one inbox or of all; only those unread, or starred; those
    that hold these words, each at least at a word's beginning."""

    inbox_id: InboxId | None = None
    unread_only: bool = False
    favourites_only: bool = False
    search: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """An email in a list, with its inbox's address. `place` grows with each email that comes in: it tells a newer one
    from an older."""

    place: int
    email: Email
    inbox_address: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A stretch of a list, newest first. `older` is the place that the next stretch lies beyond, None at the end."""

    items: tuple[Listed, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What stands before and after an email in a list; None at its ends."""

    newer: EmailId | None
    older: EmailId | None
