"""The wait-for controller, and operations of our own beside it: marks, and waiting that nothing comes.

Every wait takes `after` besides what MailSlurp's clients know: a mark, behind which is only what came later.
"""

from typing import Annotated

from fastapi import Query, Request

from posthouse.api.context import Caller, House, InboxPath, controller
from posthouse.api.patience import while_connected
from posthouse.api.wire.mail import EmailDto, EmailPreview
from posthouse.api.wire.waiting import (
    AssertNoneOptions,
    MarkDto,
    MatchOptions,
    NothingCameDto,
    WaitForConditions,
    WaitForCountQuery,
    WaitForFirstQuery,
    WaitForLatestQuery,
    WaitForNthQuery,
)
from posthouse.model.accounts import Account
from posthouse.services import Services
from posthouse.services.waiting import Wish

router = controller("WaitForController")
own = controller("Posthouse")


@router.post("/waitFor", operation_id="waitFor")
async def wait_for(conditions: WaitForConditions, request: Request, caller: Caller, house: House) -> list[EmailPreview]:
    return await _previews(conditions.to_domain(), request, caller, house)


@router.get("/waitForEmailCount", operation_id="waitForEmailCount")
async def wait_for_email_count(
    query: Annotated[WaitForCountQuery, Query()], request: Request, caller: Caller, house: House
) -> list[EmailPreview]:
    return await _previews(query.to_domain(), request, caller, house)


@router.get("/waitForLatestEmail", operation_id="waitForLatestEmail")
async def wait_for_latest_email(
    query: Annotated[WaitForLatestQuery, Query()], request: Request, caller: Caller, house: House
) -> EmailDto:
    return await wait_for_email(query.to_domain(), request, caller, house)


@router.post("/waitForMatchingEmails", operation_id="waitForMatchingEmails")
async def wait_for_matching_emails(
    options: MatchOptions,
    query: Annotated[WaitForCountQuery, Query()],
    request: Request,
    caller: Caller,
    house: House,
) -> list[EmailPreview]:
    return await _previews(query.to_domain(options), request, caller, house)


@router.post("/waitForMatchingFirstEmail", operation_id="waitForMatchingFirstEmail")
async def wait_for_matching_first_email(
    options: MatchOptions,
    query: Annotated[WaitForFirstQuery, Query()],
    request: Request,
    caller: Caller,
    house: House,
) -> EmailDto:
    return await wait_for_email(query.to_domain(options), request, caller, house)


@router.get("/waitForNthEmail", operation_id="waitForNthEmail")
async def wait_for_nth_email(
    query: Annotated[WaitForNthQuery, Query()], request: Request, caller: Caller, house: House
) -> EmailDto:
    return await wait_for_email(query.to_domain(), request, caller, house)


@own.post("/inboxes/{inboxId}/mark", operation_id="markInbox")
async def mark_inbox(inbox_id: InboxPath, caller: Caller, house: House) -> MarkDto:
    """This very place in an inbox. What lies in its external mailbox by now comes before it; give it as `after` to a
    wait, and nothing older can satisfy that."""
    return MarkDto.of(await house.waiting.mark(caller.id, inbox_id))


@own.post("/inboxes/{inboxId}/assertNone", operation_id="assertNoEmail")
async def assert_no_email(
    inbox_id: InboxPath, options: AssertNoneOptions, request: Request, caller: Caller, house: House
) -> NothingCameDto:
    """Wait that nothing of the kind arrives, with the external mailbox proved to be fresh at the end: 200 when it did
    not, 409 when it did, 502 or 503 when the mailbox can't be asked."""
    waiting = house.waiting.assert_none(caller.id, options.to_domain(inbox_id))
    return NothingCameDto(passed=True, fresh_as_of=await while_connected(request, waiting))


async def wait_for_email(wish: Wish, request: Request, caller: Account, house: Services) -> EmailDto:
    """The last of the emails waited for, whole: it counts as read from now on."""
    emails = await while_connected(request, house.waiting.wait(caller.id, wish))
    opened = await house.mail.open_found(emails[-1], mark_read=True)
    return EmailDto.of(opened.email, opened.message)


async def _previews(wish: Wish, request: Request, caller: Account, house: Services) -> list[EmailPreview]:
    emails = await while_connected(request, house.waiting.wait(caller.id, wish))
    return [EmailPreview.of(email) for email in emails]
