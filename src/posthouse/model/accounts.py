"""Who may ask: accounts, and the keys that stand for them.

Everything in the house belongs to one account. A key is shown once, when it is made; only its digest is kept.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
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


def new_key() -> str:
    """A fresh API key: 256 random bits behind a prefix that secret scanners can know."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_digest(key: str) -> bytes:
    """What is kept of a key. Keys are random and long, so a plain SHA-256 can't be guessed back."""
    return hashlib.sha256(key.encode()).digest()
