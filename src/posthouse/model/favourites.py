"""What somebody has marked as a favourite, of every kind in one list."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class FavouriteKind(StrEnum):
    INBOX = "INBOX"
    EMAIL = "EMAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    """An inbox by its name (or address) and description, or an email by its subject and the beginning of its text."""

    id: UUID
    kind: FavouriteKind
    name: str
    description: str | None
    created_at: datetime
