"""Inboxes as MailSlurp's clients know them."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import (
    INT32,
    LARGEST_PAGE,
    EmailAddress,
    InOrderQuery,
    Line,
    Moment,
    PageQuery,
    QueryModel,
    SpringPage,
    Text,
    WireModel,
)
from posthouse.model.mail import Inbox, InboxKind, InboxQuery
from posthouse.model.values import Page, Slice, Sort
from posthouse.services.inboxes import NewInbox

_LONGEST_LIFE = timedelta(days=36_500)


class InboxType(StrEnum):
    """How an inbox was meant by whoever made it; here both are the same."""

    HTTP_INBOX = "HTTP_INBOX"
    SMTP_INBOX = "SMTP_INBOX"

    @classmethod
    def of(cls, kind: InboxKind) -> Self:
        return cls.SMTP_INBOX if kind is InboxKind.SMTP else cls.HTTP_INBOX

    def to_domain(self) -> InboxKind:
        return InboxKind.SMTP if self is InboxType.SMTP_INBOX else InboxKind.HTTP


class InboxFunction(StrEnum):
    """What an inbox serves as, in the words that every version of the clients knows."""

    ALIAS = "ALIAS"
    THREAD = "THREAD"
    CATCH_ALL = "CATCH_ALL"
    CONNECTOR = "CONNECTOR"
    ACCOUNT = "ACCOUNT"
    GUIDED_TOUR = "GUIDED_TOUR"
    GUEST = "GUEST"
    OAUTH_CONNECTION_GMAIL = "OAUTH_CONNECTION_GMAIL"


class CreateInboxDto(WireModel):
    """What a new inbox should be. Everything may be left out: then the address is random and the inbox is kept."""

    email_address: EmailAddress | None = None
    domain_name: Line | None = None
    domain_id: UUID | None = None
    name: Line | None = None
    description: Text | None = None
    use_domain_pool: bool | None = None
    tags: list[Line] | None = None
    expires_at: Moment | None = None
    favourite: bool | None = None
    expires_in: int | None = Field(default=None, ge=1, le=_LONGEST_LIFE // timedelta(milliseconds=1))
    allow_team_access: bool | None = None
    inbox_type: InboxType | None = None
    virtual_inbox: bool | None = None
    use_short_address: bool | None = None
    prefix: Line | None = None

    def to_domain(self) -> NewInbox:
        """`expiresIn` is in milliseconds. What stands for the pools and teams of a hosted service has no meaning
        here, and is passed over."""
        return NewInbox(
            email_address=self.email_address,
            name=self.name,
            description=self.description,
            tags=tuple(self.tags or ()),
            favourite=bool(self.favourite),
            virtual=bool(self.virtual_inbox),
            kind=self.inbox_type.to_domain() if self.inbox_type else InboxKind.HTTP,
            domain=self.domain_name or None,
            prefix=self.prefix,
            short_address=bool(self.use_short_address),
            expires_at=self.expires_at,
            expires_in=None if self.expires_in is None else timedelta(milliseconds=self.expires_in),
        )


class CreateInboxQuery(QueryModel, CreateInboxDto):
    """The same wishes in a query string."""


class UpdateInboxOptions(WireModel):
    """What to change of an inbox. A key that is not sent keeps its value."""

    name: Line | None = None
    description: Text | None = None
    tags: list[Line] | None = None
    expires_at: Moment | None = None
    favourite: bool | None = None

    def changes(self) -> dict[str, Any]:
        """What to set, under the names that an Inbox of ours has for it."""
        changes: dict[str, Any] = {field: getattr(self, field) for field in self.model_fields_set}
        if "tags" in changes:
            changes["tags"] = tuple(self.tags or ())
        if "favourite" in changes:
            changes["favourite"] = bool(self.favourite)
        return changes


class InboxesQuery(QueryModel):
    """The plain list of inboxes: no pages, the first hundred at most. Nothing here is a catch-all inbox."""

    size: int = Field(LARGEST_PAGE, ge=1, le=LARGEST_PAGE)
    sort: Sort = Sort.ASC
    since: Moment | None = None
    before: Moment | None = None
    exclude_catch_all_inboxes: bool | None = None

    def to_domain(self) -> InboxQuery:
        return InboxQuery(slice=Slice(size=self.size, sort=self.sort, since=self.since, before=self.before))


class InboxListQuery(PageQuery):
    favourite: bool = False
    search: Text | None = None
    tag: Text | None = None
    team_access: bool | None = None
    inbox_type: InboxType | None = None
    inbox_function: InboxFunction | None = None
    domain_id: UUID | None = None

    def to_domain(self) -> InboxQuery | None:
        """None where nothing can match: no inbox here belongs to a team or a domain, or is more than a mailbox."""
        nothing = self.team_access or self.domain_id
        if nothing or self.inbox_function not in (None, InboxFunction.CONNECTOR):
            return None
        return InboxQuery(
            slice=self.slice(),
            search=self.search or "",
            tag=self.tag or "",
            favourites_only=self.favourite,
            connected=True if self.inbox_function else None,
            kind=self.inbox_type.to_domain() if self.inbox_type else None,
        )


class SearchInboxesOptions(WireModel):
    """The same wishes as in `InboxListQuery`, in a body and with other names for the page."""

    page_index: int | None = Field(default=None, ge=0, le=INT32)
    page_size: int | None = Field(default=None, ge=1, le=LARGEST_PAGE)
    sort_direction: Sort | None = None
    favourite: bool | None = None
    search: Text | None = None
    tag: Text | None = None
    since: Moment | None = None
    before: Moment | None = None
    inbox_type: InboxType | None = None
    inbox_function: InboxFunction | None = None
    domain_id: UUID | None = None

    def as_query(self) -> InboxListQuery:
        return InboxListQuery(
            page=self.page_index or 0,
            size=self.page_size or 20,
            sort=self.sort_direction or Sort.ASC,
            since=self.since,
            before=self.before,
            favourite=bool(self.favourite),
            search=self.search,
            tag=self.tag,
            inbox_type=self.inbox_type,
            inbox_function=self.inbox_function,
            domain_id=self.domain_id,
        )


class InboxPreview(WireModel):
    """An inbox in a list. `connectorId` is a key of ours."""

    id: UUID
    domain_id: UUID | None = None
    email_address: str | None
    created_at: Moment
    favourite: bool
    name: str | None
    tags: list[str] | None
    team_access: bool = False
    inbox_type: InboxType | None
    virtual_inbox: bool
    expires_at: Moment | None
    functions_as: InboxFunction | None
    user_id: UUID | None
    description: str | None
    account_region: None = None
    merged_into_inbox_id: str | None = None
    connector_id: UUID | None

    @classmethod
    def of(cls, inbox: Inbox) -> Self:
        return cls(**_told(inbox))


class PageInboxProjection(SpringPage[InboxPreview]):
    pass


class OrganizationInboxProjection(InboxPreview):
    """The same in the list of an organization, which an account is here."""

    user_id: UUID
    read_only: bool = False


class PageOrganizationInboxProjection(SpringPage[OrganizationInboxProjection]):
    pass


class OrganizationListQuery(PageQuery):
    search_filter: Text | None = None

    def to_domain(self) -> InboxQuery:
        return InboxQuery(slice=self.slice(), search=self.search_filter or "")


class TagListQuery(InOrderQuery):
    """Which tags. They have no date of their own: the order is that of the inboxes that got them first."""

    search_filter: Text | None = None

    def of(self, tags: Sequence[str]) -> Page[str]:
        wanted = (self.search_filter or "").casefold()
        found = [tag for tag in tags if wanted in tag.casefold()]
        if self.sort is Sort.DESC:
            found.reverse()
        slice_ = self.slice()
        return Page(tuple(found[slice_.offset : slice_.offset + slice_.size]), len(found), slice_)


class PageInboxTags(SpringPage[str]):
    pass


class ByTagQuery(InOrderQuery):
    tag: Text
    search_filter: Text | None = None

    def to_domain(self) -> InboxQuery:
        return InboxQuery(slice=self.slice(), tag=self.tag, search=self.search_filter or "")


class SetInboxFavouritedOptions(WireModel):
    state: bool


class EmailAvailableResult(WireModel):
    available: bool


class InboxDto(WireModel):
    """An inbox. `connectorId` is a key of ours."""

    id: UUID
    user_id: UUID | None
    created_at: Moment
    name: str | None
    domain_id: UUID | None = None
    description: str | None
    email_address: str
    expires_at: Moment | None
    favourite: bool
    tags: list[str] | None
    inbox_type: InboxType | None
    read_only: bool = False
    virtual_inbox: bool
    functions_as: InboxFunction | None
    local_part: str | None
    domain: str | None
    account_region: None = None
    merged_into_inbox_id: str | None = None
    connector_id: UUID | None

    @classmethod
    def of(cls, inbox: Inbox) -> Self:
        local_part, _, domain = inbox.email_address.rpartition("@")
        return cls(**_told(inbox), local_part=local_part, domain=domain)


def _told(inbox: Inbox) -> dict[str, Any]:
    return {
        "id": inbox.id,
        "user_id": inbox.account_id,
        "created_at": inbox.created_at,
        "name": inbox.name,
        "description": inbox.description,
        "email_address": inbox.email_address,
        "expires_at": inbox.expires_at,
        "favourite": inbox.favourite,
        "tags": list(inbox.tags),
        "inbox_type": InboxType.of(inbox.kind),
        "virtual_inbox": inbox.virtual,
        "functions_as": InboxFunction.CONNECTOR if inbox.connector_id else None,
        "connector_id": inbox.connector_id,
    }


class InboxIdItem(WireModel):
    id: UUID
    email_address: str


class InboxIdsResult(WireModel):
    inbox_ids: list[InboxIdItem]


class InboxByEmailAddressResult(WireModel):
    inbox_id: UUID | None
    exists: bool

    @classmethod
    def of(cls, inbox: Inbox | None) -> Self:
        return cls(inbox_id=inbox.id if inbox else None, exists=inbox is not None)


class InboxByNameResult(InboxByEmailAddressResult):
    pass


class InboxExistsDto(WireModel):
    exists: bool
    soft_bounce: bool | None = False
    hard_bounce: bool | None = False
