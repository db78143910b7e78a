"""The email controller's conversations."""

from typing import Annotated

from fastapi import Path, Query

from posthouse.api.context import Caller, House, controller
from posthouse.api.wire.threads import (
    EmailThreadDto,
    EmailThreadItem,
    EmailThreadItemsDto,
    EmailThreadProjection,
    PageEmailThreadProjection,
    ThreadItemsQuery,
    ThreadListQuery,
)
from posthouse.model.values import ThreadId

router = controller("EmailController")

ThreadPath = Annotated[ThreadId, Path(alias="threadId")]


@router.get("/emails/threads", operation_id="getEmailThreads")
async def get_email_threads(
    query: Annotated[ThreadListQuery, Query()], caller: Caller, house: House
) -> PageEmailThreadProjection:
    page = await house.threads.page(caller.id, query.to_domain())
    return PageEmailThreadProjection.of(page, EmailThreadProjection.of)


@router.get("/emails/threads/{threadId}", operation_id="getEmailThread")
async def get_email_thread(thread_id: ThreadPath, caller: Caller, house: House) -> EmailThreadDto:
    return EmailThreadDto.of(await house.threads.get(caller.id, thread_id))


@router.get("/emails/threads/{threadId}/items", operation_id="getEmailThreadItems")
async def get_email_thread_items(
    thread_id: ThreadPath, query: Annotated[ThreadItemsQuery, Query()], caller: Caller, house: House
) -> EmailThreadItemsDto:
    letters = await house.threads.letters(caller.id, thread_id, query.sort)
    return EmailThreadItemsDto(items=[EmailThreadItem.of(letter) for letter in letters])
