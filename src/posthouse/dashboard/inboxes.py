"""The inboxes: listed with what is in them, made, deleted."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Form, Response

from posthouse.dashboard.visit import PageNumber, Visit, Visitor, pages
from posthouse.model.browsing import InboxOrder
from posthouse.model.errors import Conflict, Invalid
from posthouse.model.mail import InboxQuery
from posthouse.model.values import InboxId, Slice
from posthouse.services.inboxes import NewInbox

router = pages()

MOST = 50


@router.get("/inboxes")
async def inboxes(
    visit: Visit,
    search: str = "",
    order: InboxOrder = InboxOrder.NEWEST,
    page: PageNumber = 0,
) -> Response:
    query = InboxQuery(slice=Slice(page=page, size=MOST), search=search.strip())
    found = await visit.services.browsing.inboxes(visit.account.id, query, order)
    values: dict[str, Any] = {
        "found": found,
        "search": search,
        "order": order,
        "kept": urlencode({"search": search, "order": order}),
    }
    if visit.htmx:
        return visit.page("inboxes/_list.html", **values)
    return visit.page("inboxes/list.html", here="inboxes", **values)


@router.get("/inboxes/new")
async def ask_for_a_new_one(visit: Visit) -> Response:
    return _form(visit)


@router.post("/inboxes/new")
async def make(
    visit: Visit,
    email_address: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    description: Annotated[str, Form()] = "",
) -> Response:
    wish = NewInbox(
        email_address=email_address.strip() or None, name=name.strip() or None, description=description.strip() or None
    )
    try:
        inbox = await visit.services.inboxes.create(visit.account.id, wish)
    except (Conflict, Invalid) as error:
        problem = (
            f"{email_address.strip()} is taken: choose another address, or leave it empty for a new one"
            if isinstance(error, Conflict)
            else "this is not one plain address: write it as name@example.org"
        )
        typed = {"email_address": email_address, "name": name, "description": description}
        return _form(visit, {"email_address": problem}, typed)
    return visit.to(f"/inboxes/{inbox.id}", said=f"{inbox.email_address} is ready for mail.")


@router.get("/inboxes/{inbox_id}/delete")
async def ask_about_deleting(visit: Visit, inbox_id: InboxId) -> Response:
    return visit.page(
        "inboxes/delete.html",
        here="inboxes",
        inbox=await visit.services.inboxes.get(visit.account.id, inbox_id),
        total=await visit.services.mail.count(visit.account.id, inbox_id),
    )


@router.post("/inboxes/{inbox_id}/delete")
async def delete(visit: Visit, inbox_id: InboxId) -> Response:
    inbox = await visit.services.inboxes.get(visit.account.id, inbox_id)
    await visit.services.inboxes.delete(visit.account.id, inbox_id)
    return visit.to("/inboxes", said=f"{inbox.email_address} is deleted.")


@router.post("/inboxes/{inbox_id}/read")
async def mark_all_read(visit: Visit, inbox_id: InboxId) -> Response:
    await visit.services.mail.mark_all_read(visit.account.id, True, inbox_id)
    return visit.to(f"/inboxes/{inbox_id}", said="All of it is marked as read.")


async def inbox_with(visit: Visitor, address: str) -> InboxId | None:
    """The inbox with this address, its connector's or its own."""
    services, account = visit.services, visit.account.id
    if (connector := await services.connectors.by_address(account, address)) is not None:
        return connector.inbox_id
    inbox = await services.inboxes.by_address(account, address)
    return inbox.id if inbox is not None else None


def _form(visit: Visitor, problems: dict[str, str] | None = None, typed: dict[str, str] | None = None) -> Response:
    values = {"email_address": "", "name": "", "description": ""} | (typed or {})
    return visit.page(
        "inboxes/new.html", 422 if problems else 200, here="inboxes", problems=problems or {}, values=values
    )
