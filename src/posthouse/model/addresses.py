"""More addresses of an inbox than its own: with a plus and a tag behind the name, and those that are no more."""

from dataclasses import dataclass
from datetime import datetime

from posthouse.model.values import AccountId, ExpiredId, InboxId, PlusAddressId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlusAddress:
    """An inbox's address with a tag: mail to `name+tag@domain` comes to the inbox of `name@domain` (RFC 5233)."""

    id: PlusAddressId
    account_id: AccountId
    inbox_id: InboxId
    tag: str
    full_address: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredInbox:
    """What is remembered of an inbox whose time was up: it is gone, with all its mail."""

    id: ExpiredId
    account_id: AccountId
    inbox_id: InboxId
    email_address: str
    created_at: datetime


def plus_tag(address: str, base: str) -> str:
    """The tag of `address` if it is a plus address of `base`, in lower case; else ''. Case means nothing here."""
    name, _, domain = address.lower().rpartition("@")
    own, _, own_domain = base.lower().rpartition("@")
    return name.removeprefix(f"{own}+") if domain == own_domain and name.startswith(f"{own}+") else ""


def with_tag(base: str, tag: str) -> str:
    """The plus address of `base` with this tag."""
    name, _, domain = base.rpartition("@")
    return f"{name}+{tag}@{domain}"


def without_tag(address: str) -> str:
    """The address without what stands behind its first plus; itself when there is none."""
    name, _, domain = address.rpartition("@")
    return f"{name.partition('+')[0]}@{domain}"
