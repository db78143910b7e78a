"""What emails are made from: templates, drafts, and the people they go to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from posthouse.model.values import AccountId, ContactId, DraftId, GroupId, InboxId, TemplateId


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with variables in moustaches, to be a body one day."""

    id: TemplateId
    account_id: AccountId
    name: str
    content: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDraft:
    """An email that is not sent yet. `said` is JSON, just as its writer said it."""

    id: DraftId
    account_id: AccountId
    inbox_id: InboxId
    said: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody to write to, unless he has opted out. `about` is JSON of the owner's own; `group_id` is the oldest of
    the groups that he is in. Mail goes to the first address."""

    id: ContactId
    account_id: AccountId
    first_name: str | None
    last_name: str | None
    company: str | None
    email_addresses: tuple[str, ...]
    tags: tuple[str, ...]
    about: Any
    opted_out: bool
    created_at: datetime
    group_id: GroupId | None = None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)

    def variables(self) -> dict[str, Any]:
        """What a template may say of him: his own words (`about`), and what we know."""
        own = self.about if isinstance(self.about, Mapping) else {}
        return {
            **own,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "company": self.company,
            "emailAddress": self.email_addresses[0] if self.email_addresses else None,
            "emailAddresses": list(self.email_addresses),
            "tags": list(self.tags),
            "metaData": self.about,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Contacts under one name."""

    id: GroupId
    account_id: AccountId
    name: str
    description: str | None
    created_at: datetime
