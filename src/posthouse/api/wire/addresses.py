"""Plus addresses and expired inboxes, as MailSlurp's clients know them."""

from datetime import datetime
from typing import Self
from uuid import UUID

from posthouse.api.wire.common import InOrderQuery, Moment, PageQuery, SpringPage, WireModel
from posthouse.model.addresses import ExpiredInbox, PlusAddress
from posthouse.model.values import InboxId


class PlusAddressListQuery(InOrderQuery):
    inbox_id: InboxId | None = None


class PlusAddressDto(WireModel):
    """`plusAddress` is the tag, `fullAddress` the whole."""

    id: UUID
    plus_address: str
    full_address: str
    user_id: UUID
    inbox_id: UUID
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, plus: PlusAddress) -> Self:
        return cls(
            id=plus.id,
            plus_address=plus.tag,
            full_address=plus.full_address,
            user_id=plus.account_id,
            inbox_id=plus.inbox_id,
            created_at=plus.created_at,
            updated_at=plus.created_at,
        )


class PlusAddressProjection(PlusAddressDto):
    pass


class PagePlusAddressProjection(SpringPage[PlusAddressProjection]):
    pass


class ExpiredListQuery(PageQuery):
    inbox_id: InboxId | None = None


class ExpiredInboxDto(WireModel):
    id: UUID
    inbox_id: UUID
    email_address: str

    @classmethod
    def of(cls, expired: ExpiredInbox) -> Self:
        return cls(id=expired.id, inbox_id=expired.inbox_id, email_address=expired.email_address)


class ExpiredInboxRecordProjection(WireModel):
    """An expired inbox in a list; `createdAt` is when it expired. `inboxId` is a key of ours here."""

    id: UUID
    user_id: UUID
    created_at: Moment
    email_address: str
    inbox_id: UUID

    @classmethod
    def of(cls, expired: ExpiredInbox) -> Self:
        return cls(
            id=expired.id,
            user_id=expired.account_id,
            created_at=expired.created_at,
            email_address=expired.email_address,
            inbox_id=expired.inbox_id,
        )


class PageExpiredInboxRecordProjection(SpringPage[ExpiredInboxRecordProjection]):
    pass


class ExpirationDefaults(WireModel):
    """Nothing expires here unless somebody asks for it."""

    default_expiration_millis: int | None = None
    max_expiration_millis: int | None = None
    default_expires_at: Moment | None = None
    can_permanent_inbox: bool = True
    next_inbox_allows_permanent: bool = True


class FlushExpiredInboxesResult(WireModel):
    inbox_ids: list[UUID]
    expire_before: Moment

    @classmethod
    def of(cls, flushed: tuple[list[InboxId], datetime]) -> Self:
        return cls(inbox_ids=list(flushed[0]), expire_before=flushed[1])
