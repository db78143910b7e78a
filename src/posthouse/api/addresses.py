"""Plus addresses of inboxes, and inboxes that have expired."""

from typing import Annotated

from fastapi import Path, Query

from posthouse.api.context import Caller, House, InboxPath, controller
from posthouse.api.wire.addresses import (
    ExpirationDefaults,
    ExpiredInboxDto,
    ExpiredInboxRecordProjection,
    ExpiredListQuery,
    FlushExpiredInboxesResult,
    PageExpiredInboxRecordProjection,
    PagePlusAddressProjection,
    PlusAddressDto,
    PlusAddressListQuery,
    PlusAddressProjection,
)
from posthouse.api.wire.common import EmailAddress, InOrderQuery, Line, Moment, PageQuery
from posthouse.api.wire.mail import EmailPreview, OfInboxQuery, PageEmailPreview
from posthouse.model.mail import EmailQuery
from posthouse.model.values import ExpiredId, Page, PlusAddressId

router = controller("InboxController")
expired = controller("ExpiredController")

PlusPath = Annotated[PlusAddressId, Path(alias="plusAddressId")]
FullAddress = Annotated[EmailAddress, Query(alias="fullAddress", min_length=1)]


# Plus addresses


@router.post("/inboxes/get-or-create-plus-address", operation_id="getOrCreatePlusAddressByFullAddress")
async def get_or_create_plus_address_by_full_address(
    full_address: FullAddress, caller: Caller, house: House
) -> PlusAddressDto:
    return PlusAddressDto.of(await house.plus_addresses.get_or_create(caller.id, full_address))


@router.get("/inboxes/plus-addresses", operation_id="getAllPlusAddresses")
async def get_all_plus_addresses(
    query: Annotated[PlusAddressListQuery, Query()], caller: Caller, house: House
) -> PagePlusAddressProjection:
    page = await house.plus_addresses.page(caller.id, query.slice(), query.inbox_id)
    return PagePlusAddressProjection.of(page, PlusAddressProjection.of)


@router.get("/inboxes/plus-addresses/{plusAddressId}", operation_id="getInboxPlusAddressById")
async def get_inbox_plus_address_by_id(
    plus: PlusPath, query: Annotated[OfInboxQuery, Query()], caller: Caller, house: House
) -> PlusAddressDto:
    return PlusAddressDto.of(await house.plus_addresses.get(caller.id, plus, query.inbox_id))


@router.get("/inboxes/{inboxId}/plus-addresses", operation_id="getInboxPlusAddresses")
async def get_inbox_plus_addresses(
    inbox_id: InboxPath, query: Annotated[InOrderQuery, Query()], caller: Caller, house: House
) -> PagePlusAddressProjection:
    page = await house.plus_addresses.page(caller.id, query.slice(), inbox_id)
    return PagePlusAddressProjection.of(page, PlusAddressProjection.of)


@router.post("/inboxes/{inboxId}/plus-addresses/get-or-create", operation_id="getOrCreateInboxPlusAddress")
async def get_or_create_inbox_plus_address(
    inbox_id: InboxPath, full_address: FullAddress, caller: Caller, house: House
) -> PlusAddressDto:
    return PlusAddressDto.of(await house.plus_addresses.get_or_create(caller.id, full_address, inbox_id))


@router.get("/inboxes/{inboxId}/plus-addresses/emails", operation_id="getInboxPlusAddressEmails")
async def get_inbox_plus_address_emails(
    inbox_id: InboxPath,
    plus_address: Annotated[Line, Query(alias="plusAddress")],
    query: Annotated[PageQuery, Query()],
    caller: Caller,
    house: House,
) -> PageEmailPreview:
    """`plusAddress` is the tag, or the whole address. To one that nobody has written to there is no mail."""
    found = await house.plus_addresses.by_tag(caller.id, inbox_id, plus_address)
    if found is None:
        return PageEmailPreview.of(Page((), 0, query.slice()), EmailPreview.of)
    wanted = EmailQuery(slice=query.slice(), inbox_ids=(inbox_id,), plus_address=found.id)
    return PageEmailPreview.of(await house.mail.page(caller.id, wanted), EmailPreview.of)


@router.get("/inboxes/{inboxId}/plus-addresses/{plusAddressId}", operation_id="getInboxPlusAddress")
async def get_inbox_plus_address(inbox_id: InboxPath, plus: PlusPath, caller: Caller, house: House) -> PlusAddressDto:
    return PlusAddressDto.of(await house.plus_addresses.get(caller.id, plus, inbox_id))


@router.get(
    "/inboxes/{inboxId}/plus-addresses/{plusAddressId}/emails",
    operation_id="getInboxPlusAddressEmailsForPlusAddressId",
)
async def get_inbox_plus_address_emails_for_plus_address_id(
    inbox_id: InboxPath, plus: PlusPath, query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageEmailPreview:
    found = await house.plus_addresses.get(caller.id, plus, inbox_id)
    wanted = EmailQuery(slice=query.slice(), inbox_ids=(found.inbox_id,), plus_address=found.id)
    return PageEmailPreview.of(await house.mail.page(caller.id, wanted), EmailPreview.of)


# Expired inboxes


@router.delete("/inboxes/expired", operation_id="flushExpired")
async def flush_expired(caller: Caller, house: House, before: Moment | None = None) -> FlushExpiredInboxesResult:
    """Expire, at once, the caller's inboxes that are to expire before this moment."""
    return FlushExpiredInboxesResult.of(await house.inboxes.flush_expired(caller.id, before))


@expired.get("/expired", operation_id="getExpiredInboxes")
async def get_expired_inboxes(
    query: Annotated[ExpiredListQuery, Query()], caller: Caller, house: House
) -> PageExpiredInboxRecordProjection:
    page = await house.inboxes.expired(caller.id, query.slice(), query.inbox_id)
    return PageExpiredInboxRecordProjection.of(page, ExpiredInboxRecordProjection.of)


@expired.get("/expired/defaults", operation_id="getExpirationDefaults")
async def get_expiration_defaults(caller: Caller, house: House) -> ExpirationDefaults:
    return ExpirationDefaults()


@expired.get("/expired/inbox/{inboxId}", operation_id="getExpiredInboxByInboxId")
async def get_expired_inbox_by_inbox_id(inbox_id: InboxPath, caller: Caller, house: House) -> ExpiredInboxDto:
    return ExpiredInboxDto.of(await house.inboxes.expired_one(caller.id, inbox=inbox_id))


@expired.get("/expired/{expiredId}", operation_id="getExpiredInboxRecord")
async def get_expired_inbox_record(
    expired_id: Annotated[ExpiredId, Path(alias="expiredId")], caller: Caller, house: House
) -> ExpiredInboxDto:
    return ExpiredInboxDto.of(await house.inboxes.expired_one(caller.id, expired=expired_id))
