"""Who may ask: accounts, the keys that stand for them, and people who have signed in with one.

Everything in the house belongs to one account. A key is shown once, when it is made; only its digest is kept, and so
it is with what a signed-in browser or a sign-in link shows.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from posthouse.model.values import AccountId

KEY_PREFIX = "ph_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: AccountId
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept: everything but the key itself. `hint` is its first letters, to tell keys apart."""

    id: UUID
    account_id: AccountId
    name: str
    hint: str
    created_at: datetime
    last_used_at: datetime | None = None


class LoginKind(StrEnum):
    """A link signs in once, and soon; a session is what a browser shows from then on."""

    LINK = "link"
    SESSION = "session"


LIFETIMES = {LoginKind.LINK: timedelta(minutes=15), LoginKind.SESSION: timedelta(days=14)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Somebody has signed in to the dashboard, or may by a link. It ends with the key that it was made by."""

    kind: LoginKind
    account_id: AccountId
    api_key_id: UUID | None
    created_at: datetime
    expires_at: datetime


def new_key() -> str:
    """A fresh API key: 256 random bits behind a prefix that secret scanners can know."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def new_login_secret() -> str:
    """What a browser or a link shows: 256 random bits."""
    return secrets.token_urlsafe(32)


def key_digest(key: str) -> bytes:
    """What is kept of a key or another secret of ours. They are long and random, so that SHA-256 can't be undone."""
    return hashlib.sha256(key.encode()).digest()
