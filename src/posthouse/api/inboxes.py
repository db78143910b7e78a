"""The inbox controller, and the older common actions on inboxes."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request

from posthouse.api.context import Caller, House, InboxPath, controller
from posthouse.api.patience import while_connected
from posthouse.api.waiting import wait_for_email
from posthouse.api.wire.common import CountDto, Moment, Text
from posthouse.api.wire.inboxes import (
    CreateInboxDto,
    CreateInboxQuery,
    InboxByEmailAddressResult,
    InboxByNameResult,
    InboxDto,
    InboxesQuery,
    InboxExistsDto,
    InboxFunction,
    InboxIdItem,
    InboxIdsResult,
    InboxListQuery,
    InboxPreview,
    PageInboxProjection,
    SearchInboxesOptions,
    UpdateInboxOptions,
)
from posthouse.api.wire.mail import EmailDto, EmailPreview, InboxEmailsQuery, InboxPageQuery, PageEmailPreview
from posthouse.api.wire.sending import PageSentEmailProjection, SentEmailProjection, SentListQuery
from posthouse.api.wire.waiting import LatestInInboxQuery
from posthouse.model.accounts import Account
from posthouse.model.values import InboxId, Slice
from posthouse.services import Services
from posthouse.services.inboxes import NewInbox
from posthouse.services.waiting import PATIENCE

router = controller("InboxController")
common = controller("CommonActionsController")


# Making


@router.post("/inboxes", operation_id="createInbox", status_code=201)
async def create_inbox(wish: Annotated[CreateInboxQuery, Query()], caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.create(caller.id, wish.to_domain()))


@router.post("/inboxes/withOptions", operation_id="createInboxWithOptions", status_code=201)
async def create_inbox_with_options(wish: CreateInboxDto, caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.create(caller.id, wish.to_domain()))


@router.post("/inboxes/withDefaults", operation_id="createInboxWithDefaults", status_code=201)
async def create_inbox_with_defaults(caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.create(caller.id, NewInbox()))


@common.post("/createInbox", operation_id="createRandomInbox", status_code=201)
async def create_random_inbox(wish: Annotated[CreateInboxQuery, Query()], caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.create(caller.id, wish.to_domain()))


@common.post("/newEmailAddress", operation_id="createNewEmailAddress", status_code=201)
async def create_new_email_address(
    wish: Annotated[CreateInboxQuery, Query()], caller: Caller, house: House
) -> InboxDto:
    return InboxDto.of(await house.inboxes.create(caller.id, wish.to_domain()))


# Finding


@router.get("/inboxes", operation_id="getInboxes")
async def get_inboxes(query: Annotated[InboxesQuery, Query()], caller: Caller, house: House) -> list[InboxDto]:
    page = await house.inboxes.page(caller.id, query.slice())
    return [InboxDto.of(inbox) for inbox in page.items]


@router.get("/inboxes/paginated", operation_id="getAllInboxes")
async def get_all_inboxes(
    query: Annotated[InboxListQuery, Query()], caller: Caller, house: House
) -> PageInboxProjection:
    return await _listed(query, caller, house)


@router.get("/inboxes/offset-paginated", operation_id="getAllInboxesOffsetPaginated")
async def get_all_inboxes_offset_paginated(
    query: Annotated[InboxListQuery, Query()], caller: Caller, house: House
) -> PageInboxProjection:
    return await _listed(query, caller, house)


@router.post("/inboxes/search", operation_id="searchInboxes")
async def search_inboxes(options: SearchInboxesOptions, caller: Caller, house: House) -> PageInboxProjection:
    return await _listed(options.as_query(), caller, house)


@router.get("/inboxes/count", operation_id="getInboxCount")
async def get_inbox_count(caller: Caller, house: House) -> CountDto:
    return CountDto(total_elements=await house.inboxes.count(caller.id))


@router.get("/inboxes/ids", operation_id="getInboxIds")
async def get_inbox_ids(caller: Caller, house: House) -> InboxIdsResult:
    found = await house.inboxes.addresses(caller.id)
    return InboxIdsResult(inbox_ids=[InboxIdItem(id=inbox, email_address=address) for inbox, address in found])


@router.get("/inboxes/getLatestEmail", operation_id="getLatestEmailInInbox")
async def get_latest_email_in_inbox(
    query: Annotated[LatestInInboxQuery, Query()], request: Request, caller: Caller, house: House
) -> EmailDto:
    return await wait_for_email(query.to_domain(), request, caller, house)


@router.get("/inboxes/byEmailAddress", operation_id="getInboxByEmailAddress")
async def get_inbox_by_email_address(
    email_address: Annotated[Text, Query(alias="emailAddress", min_length=1)], caller: Caller, house: House
) -> InboxByEmailAddressResult:
    return InboxByEmailAddressResult.of(await house.inboxes.by_address(caller.id, email_address))


@router.get("/inboxes/byName", operation_id="getInboxByName")
async def get_inbox_by_name(
    name: Annotated[Text, Query(min_length=1)], caller: Caller, house: House
) -> InboxByNameResult:
    return InboxByNameResult.of(await house.inboxes.by_name(caller.id, name))


@router.get("/inboxes/exists", operation_id="doesInboxExist")
async def does_inbox_exist(
    email_address: Annotated[Text, Query(alias="emailAddress")], caller: Caller, house: House
) -> InboxExistsDto:
    return InboxExistsDto(exists=await house.inboxes.by_address(caller.id, email_address) is not None)


@router.get("/inboxes/{inboxId}", operation_id="getInbox")
async def get_inbox(inbox_id: InboxPath, caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.get(caller.id, InboxId(inbox_id)))


# Changing


@router.patch("/inboxes/{inboxId}", operation_id="updateInbox")
async def update_inbox(inbox_id: InboxPath, options: UpdateInboxOptions, caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.change(caller.id, InboxId(inbox_id), **options.changes()))


@router.delete("/inboxes", operation_id="deleteAllInboxes", status_code=204)
async def delete_all_inboxes(
    caller: Caller,
    house: House,
    since: Annotated[Moment | None, Query(alias="createdAtSince")] = None,
    before: Annotated[Moment | None, Query(alias="createdAtBefore")] = None,
) -> None:
    await house.inboxes.delete_all(caller.id, Slice(since=since, before=before))


@router.delete("/inboxes/{inboxId}", operation_id="deleteInbox", status_code=204)
async def delete_inbox(inbox_id: InboxPath, caller: Caller, house: House) -> None:
    await house.inboxes.delete(caller.id, InboxId(inbox_id))


@common.delete("/deleteEmailAddress", operation_id="deleteEmailAddress", status_code=204)
async def delete_email_address(inbox_id: Annotated[UUID, Query(alias="inboxId")], caller: Caller, house: House) -> None:
    await house.inboxes.delete(caller.id, InboxId(inbox_id))


@router.delete("/inboxes/{inboxId}/deleteAllInboxEmails", operation_id="deleteAllInboxEmails", status_code=204)
async def delete_all_inbox_emails(inbox_id: InboxPath, caller: Caller, house: House) -> None:
    await house.inboxes.empty(caller.id, InboxId(inbox_id))


@common.delete("/emptyInbox", operation_id="emptyInbox", status_code=204)
async def empty_inbox(inbox_id: Annotated[UUID, Query(alias="inboxId")], caller: Caller, house: House) -> None:
    await house.inboxes.empty(caller.id, InboxId(inbox_id))


# The mail in one


@router.get("/inboxes/{inboxId}/emails", operation_id="getEmails")
async def get_emails(
    inbox_id: InboxPath, query: Annotated[InboxEmailsQuery, Query()], request: Request, caller: Caller, house: House
) -> list[EmailPreview]:
    """With `minCount` and `retryTimeout` it waits for so many, and is a 408 when they don't come."""
    wish = query.to_wait(InboxId(inbox_id))
    if wish is not None:
        await while_connected(request, house.waiting.wait(caller.id, wish))
    else:
        await house.waiting.refresh(caller.id, [InboxId(inbox_id)], unless_fresh=True, patience=PATIENCE)
    page = await house.mail.page(caller.id, query.to_domain(InboxId(inbox_id)))
    return [EmailPreview.of(email) for email in page.items]


@router.get("/inboxes/{inboxId}/emails/paginated", operation_id="getInboxEmailsPaginated")
async def get_inbox_emails_paginated(
    inbox_id: InboxPath, query: Annotated[InboxPageQuery, Query()], caller: Caller, house: House
) -> PageEmailPreview:
    if query.sync_connectors:
        await house.waiting.refresh(caller.id, [InboxId(inbox_id)])
    return PageEmailPreview.of(await house.mail.page(caller.id, query.to_domain(InboxId(inbox_id))), EmailPreview.of)


@router.get("/inboxes/{inboxId}/emails/count", operation_id="getInboxEmailCount")
async def get_inbox_email_count(inbox_id: InboxPath, caller: Caller, house: House) -> CountDto:
    return CountDto(total_elements=await house.mail.count(caller.id, InboxId(inbox_id)))


# Sending from one


@router.get("/inboxes/{inboxId}/sent", operation_id="getInboxSentEmails")
async def get_inbox_sent_emails(
    inbox_id: InboxPath, query: Annotated[SentListQuery, Query()], caller: Caller, house: House
) -> PageSentEmailProjection:
    page = await house.sent.page(caller.id, query.slice(), inbox=InboxId(inbox_id), search=query.search_filter or "")
    return PageSentEmailProjection.of(page, SentEmailProjection.of)


@router.get("/inboxes/{inboxId}/sent/count", operation_id="getInboxSentCount")
async def get_inbox_sent_count(inbox_id: InboxPath, caller: Caller, house: House) -> CountDto:
    return CountDto(total_elements=await house.sent.count(caller.id, InboxId(inbox_id)))


async def _listed(query: InboxListQuery, caller: Account, house: Services) -> PageInboxProjection:
    page = await house.inboxes.page(
        caller.id,
        query.slice(),
        search=query.search or "",
        tag=query.tag or "",
        favourites_only=query.favourite,
        connected=True if query.inbox_function is InboxFunction.CONNECTOR else None,
    )
    return PageInboxProjection.of(page, InboxPreview.of)
