"""The inbox controller, and the older common actions on inboxes."""

from typing import Annotated

from fastapi import Body, Query, Request, Response

from posthouse.api.context import Caller, House, InboxPath, controller
from posthouse.api.patience import while_connected
from posthouse.api.waiting import wait_for_email
from posthouse.api.wire.common import CountDto, EmailAddress, Moment, Text
from posthouse.api.wire.inboxes import (
    ByTagQuery,
    CreateInboxDto,
    CreateInboxQuery,
    EmailAvailableResult,
    InboxByEmailAddressResult,
    InboxByNameResult,
    InboxDto,
    InboxesQuery,
    InboxExistsDto,
    InboxIdItem,
    InboxIdsResult,
    InboxListQuery,
    InboxPreview,
    OrganizationInboxProjection,
    OrganizationListQuery,
    PageInboxProjection,
    PageInboxTags,
    PageOrganizationInboxProjection,
    SearchInboxesOptions,
    SetInboxFavouritedOptions,
    TagListQuery,
    UpdateInboxOptions,
)
from posthouse.api.wire.mail import EmailDto, EmailPreview, InboxEmailsQuery, InboxPageQuery, PageEmailPreview
from posthouse.api.wire.sending import PageSentEmailProjection, SentEmailProjection, SentListQuery
from posthouse.api.wire.waiting import LatestInInboxQuery
from posthouse.model.accounts import Account
from posthouse.model.mail import Inbox, InboxQuery
from posthouse.model.values import InboxId, Page, Slice
from posthouse.services import Services
from posthouse.services.inboxes import NewInbox
from posthouse.services.waiting import PATIENCE

router = controller("InboxController")
common = controller("CommonActionsController")
bulk = controller("BulkActionsController")

MOST_IN_BULK = 1000

Exactly = Annotated[Text, Query(min_length=1)]
"""Something that a deletion goes by: it must be said, and be the whole of it."""


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


@bulk.post("/bulk/inboxes", operation_id="bulkCreateInboxes", status_code=201)
async def bulk_create_inboxes(
    count: Annotated[int, Query(ge=1, le=MOST_IN_BULK)], caller: Caller, house: House
) -> list[InboxDto]:
    return [InboxDto.of(inbox) for inbox in await house.inboxes.create_many(caller.id, count)]


# Finding


@router.get("/inboxes", operation_id="getInboxes")
async def get_inboxes(query: Annotated[InboxesQuery, Query()], caller: Caller, house: House) -> list[InboxDto]:
    page = await house.inboxes.page(caller.id, query.to_domain())
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


@router.post("/inboxes/available", operation_id="isEmailAddressAvailable")
async def is_email_address_available(
    email_address: Annotated[EmailAddress, Query(alias="emailAddress")], caller: Caller, house: House
) -> EmailAvailableResult:
    return EmailAvailableResult(available=not await house.inboxes.address_taken(email_address))


@router.get("/inboxes/tags", operation_id="getInboxTags")
async def get_inbox_tags(query: Annotated[TagListQuery, Query()], caller: Caller, house: House) -> list[str]:
    return list(query.of(await house.inboxes.tags(caller.id)).items)


@router.get("/inboxes/tags/paginated", operation_id="getInboxTagsPaginated")
async def get_inbox_tags_paginated(
    query: Annotated[TagListQuery, Query()], caller: Caller, house: House
) -> PageInboxTags:
    return PageInboxTags.of(query.of(await house.inboxes.tags(caller.id)), str)


@router.get("/inboxes/tags/inboxes", operation_id="getInboxesByTag")
async def get_inboxes_by_tag(
    query: Annotated[ByTagQuery, Query()], caller: Caller, house: House
) -> PageInboxProjection:
    return PageInboxProjection.of(await house.inboxes.page(caller.id, query.to_domain()), InboxPreview.of)


@router.get("/inboxes/organization", operation_id="getOrganizationInboxes")
async def get_organization_inboxes(
    query: Annotated[OrganizationListQuery, Query()], caller: Caller, house: House
) -> PageOrganizationInboxProjection:
    """An account is an organization of its own."""
    page = await house.inboxes.page(caller.id, query.to_domain())
    return PageOrganizationInboxProjection.of(page, OrganizationInboxProjection.of)


@router.get("/inboxes/automations", operation_id="doesInboxHaveAutomations", status_code=201, response_class=Response)
async def does_inbox_have_automations(caller: Caller, house: House) -> Response:
    """The clients expect nothing but the status."""
    return Response(status_code=201)


@router.get("/inboxes/{inboxId}", operation_id="getInbox")
async def get_inbox(inbox_id: InboxPath, caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.get(caller.id, inbox_id))


# Changing


@router.patch("/inboxes/{inboxId}", operation_id="updateInbox")
async def update_inbox(inbox_id: InboxPath, options: UpdateInboxOptions, caller: Caller, house: House) -> InboxDto:
    return InboxDto.of(await house.inboxes.change(caller.id, inbox_id, **options.changes()))


@router.put("/inboxes/{inboxId}/favourite", operation_id="setInboxFavourited")
async def set_inbox_favourited(
    inbox_id: InboxPath, options: SetInboxFavouritedOptions, caller: Caller, house: House
) -> InboxDto:
    return InboxDto.of(await house.inboxes.change(caller.id, inbox_id, favourite=options.state))


@router.delete("/inboxes", operation_id="deleteAllInboxes", status_code=204)
async def delete_all_inboxes(
    caller: Caller,
    house: House,
    since: Annotated[Moment | None, Query(alias="createdAtSince")] = None,
    before: Annotated[Moment | None, Query(alias="createdAtBefore")] = None,
) -> None:
    await house.inboxes.delete_all(caller.id, InboxQuery(slice=Slice(since=since, before=before)))


@router.delete("/inboxes/by-name", operation_id="deleteAllInboxesByName", status_code=204)
async def delete_all_inboxes_by_name(name: Exactly, caller: Caller, house: House) -> None:
    await house.inboxes.delete_all(caller.id, InboxQuery(name=name))


@router.delete("/inboxes/by-description", operation_id="deleteAllInboxesByDescription", status_code=204)
async def delete_all_inboxes_by_description(description: Exactly, caller: Caller, house: House) -> None:
    await house.inboxes.delete_all(caller.id, InboxQuery(description=description))


@router.delete("/inboxes/by-tag", operation_id="deleteAllInboxesByTag", status_code=204)
async def delete_all_inboxes_by_tag(tag: Exactly, caller: Caller, house: House) -> None:
    await house.inboxes.delete_all(caller.id, InboxQuery(tag=tag))


@bulk.delete("/bulk/inboxes", operation_id="bulkDeleteInboxes", status_code=204)
async def bulk_delete_inboxes(
    ids: Annotated[list[InboxId], Body(min_length=1, max_length=MOST_IN_BULK)], caller: Caller, house: House
) -> None:
    await house.inboxes.delete_these(caller.id, ids)


@router.delete("/inboxes/{inboxId}", operation_id="deleteInbox", status_code=204)
async def delete_inbox(inbox_id: InboxPath, caller: Caller, house: House) -> None:
    await house.inboxes.delete(caller.id, inbox_id)


@common.delete("/deleteEmailAddress", operation_id="deleteEmailAddress", status_code=204)
async def delete_email_address(
    inbox_id: Annotated[InboxId, Query(alias="inboxId")], caller: Caller, house: House
) -> None:
    await house.inboxes.delete(caller.id, inbox_id)


@router.delete("/inboxes/{inboxId}/deleteAllInboxEmails", operation_id="deleteAllInboxEmails", status_code=204)
async def delete_all_inbox_emails(inbox_id: InboxPath, caller: Caller, house: House) -> None:
    await house.inboxes.empty(caller.id, inbox_id)


@common.delete("/emptyInbox", operation_id="emptyInbox", status_code=204)
async def empty_inbox(inbox_id: Annotated[InboxId, Query(alias="inboxId")], caller: Caller, house: House) -> None:
    await house.inboxes.empty(caller.id, inbox_id)


# The mail in one


@router.get("/inboxes/{inboxId}/emails", operation_id="getEmails")
async def get_emails(
    inbox_id: InboxPath, query: Annotated[InboxEmailsQuery, Query()], request: Request, caller: Caller, house: House
) -> list[EmailPreview]:
    """With `minCount` and `retryTimeout` it waits for so many, and is a 408 when they don't come."""
    wish = query.to_wait(inbox_id)
    if wish is not None:
        await while_connected(request, house.waiting.wait(caller.id, wish))
    else:
        await house.waiting.refresh(caller.id, [inbox_id], unless_fresh=True, patience=PATIENCE)
    page = await house.mail.page(caller.id, query.to_domain(inbox_id))
    return [EmailPreview.of(email) for email in page.items]


@router.get("/inboxes/{inboxId}/emails/paginated", operation_id="getInboxEmailsPaginated")
async def get_inbox_emails_paginated(
    inbox_id: InboxPath, query: Annotated[InboxPageQuery, Query()], caller: Caller, house: House
) -> PageEmailPreview:
    if query.sync_connectors:
        await house.waiting.refresh(caller.id, [inbox_id])
    return PageEmailPreview.of(await house.mail.page(caller.id, query.to_domain(inbox_id)), EmailPreview.of)


@router.get("/inboxes/{inboxId}/emails/count", operation_id="getInboxEmailCount")
async def get_inbox_email_count(inbox_id: InboxPath, caller: Caller, house: House) -> CountDto:
    return CountDto(total_elements=await house.mail.count(caller.id, inbox_id))


# Sending from one


@router.get("/inboxes/{inboxId}/sent", operation_id="getInboxSentEmails")
async def get_inbox_sent_emails(
    inbox_id: InboxPath, query: Annotated[SentListQuery, Query()], caller: Caller, house: House
) -> PageSentEmailProjection:
    page = await house.sent.page(caller.id, query.to_domain(inbox_id))
    return PageSentEmailProjection.of(page, SentEmailProjection.of)


@router.get("/inboxes/{inboxId}/sent/count", operation_id="getInboxSentCount")
async def get_inbox_sent_count(inbox_id: InboxPath, caller: Caller, house: House) -> CountDto:
    return CountDto(total_elements=await house.sent.count(caller.id, inbox_id))


async def _listed(query: InboxListQuery, caller: Account, house: Services) -> PageInboxProjection:
    wanted = query.to_domain()
    nothing: Page[Inbox] = Page((), 0, query.slice())
    page = await house.inboxes.page(caller.id, wanted) if wanted else nothing
    return PageInboxProjection.of(page, InboxPreview.of)
