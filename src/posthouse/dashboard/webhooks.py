"""Webhooks: the list with how they are, one with all that it was told, made, changed, tried out."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import Response

from posthouse.dashboard.inboxes import inbox_with
from posthouse.dashboard.visit import PageNumber, Visit, Visitor, pages
from posthouse.dashboard.webhook_form import EVENTS, KEPT, Wish, beside, read
from posthouse.model.errors import Invalid, NotFound
from posthouse.model.values import InboxId, Slice, Sort
from posthouse.model.webhooks import Backlog, ResultQuery, Webhook, WebhookId, WebhookQuery
from posthouse.services.webhooks import NewWebhook

router = pages()

PER_PAGE = 50


@router.get("/webhooks")
async def webhooks(visit: Visit, page: PageNumber = 0) -> Response:
    services, account = visit.services, visit.account.id
    found = await services.webhooks.page(account, WebhookQuery(slice=Slice(page=page, size=PER_PAGE, sort=Sort.DESC)))
    backlog = await services.webhook_results.backlog(account)
    inboxes = await services.browsing.addresses(account, {one.inbox_id for one in found.items if one.inbox_id})
    return visit.page(
        "webhooks/list.html",
        here="webhooks",
        page=found,
        rows=[
            (one, inboxes.get(one.inbox_id, "") if one.inbox_id else "", backlog.get(one.id, Backlog()))
            for one in found.items
        ],
        given_up=sum(one.given_up for one in backlog.values()),
    )


@router.get("/webhooks/new")
async def ask_for_new(visit: Visit, inbox: UUID | None = None) -> Response:
    address = (await visit.services.inboxes.get(visit.account.id, InboxId(inbox))).email_address if inbox else ""
    return _form(visit, Wish(inbox=address))


@router.post("/webhooks/new")
async def make(visit: Visit) -> Response:
    form = await visit.request.form()
    wish, problems = Wish.of(form), dict[str, str]()
    inbox: InboxId | None = None
    if wish.inbox.strip():
        inbox = await inbox_with(visit, wish.inbox.strip())
        if inbox is None:
            problems["inbox"] = "no inbox and no connector of yours has this address"
    if not problems:
        try:
            values = read(wish, str(form.get("password", "")))
            webhook = await visit.services.webhooks.create(visit.account.id, NewWebhook(**values), inbox)
        except Invalid as error:
            problems = beside(error)
        else:
            return visit.to(f"/webhooks/{webhook.id}", said="Made. Test it to see what your receiver answers.")
    return _form(visit, wish, problems=problems)


@router.get("/webhooks/{webhook_id}")
async def one(visit: Visit, webhook_id: UUID, show: str = "", page: PageNumber = 0) -> Response:
    return await shown(visit, webhook_id, show=show, page=page)


@router.get("/webhooks/{webhook_id}/edit")
async def ask_to_change(visit: Visit, webhook_id: UUID) -> Response:
    webhook = await visit.services.webhooks.get(visit.account.id, WebhookId(webhook_id))
    return _form(visit, Wish.to_change(webhook), webhook)


@router.post("/webhooks/{webhook_id}/edit")
async def change(visit: Visit, webhook_id: UUID) -> Response:
    id_ = WebhookId(webhook_id)
    webhook = await visit.services.webhooks.get(visit.account.id, id_)
    form = await visit.request.form()
    wish = Wish.of(form)
    try:
        values = read(wish, str(form.get("password", "")), webhook)
        await visit.services.webhooks.change(visit.account.id, id_, **values)
    except Invalid as error:
        return _form(visit, wish, webhook, beside(error))
    return visit.to(f"/webhooks/{webhook_id}", said="Changed.")


@router.get("/webhooks/{webhook_id}/delete")
async def ask_to_delete(visit: Visit, webhook_id: UUID) -> Response:
    webhook = await visit.services.webhooks.get(visit.account.id, WebhookId(webhook_id))
    backlog = (await visit.services.webhook_results.backlog(visit.account.id)).get(webhook.id, Backlog())
    return visit.page("webhooks/delete.html", here="webhooks", webhook=webhook, backlog=backlog)


@router.post("/webhooks/{webhook_id}/delete")
async def delete(visit: Visit, webhook_id: UUID) -> Response:
    await visit.services.webhooks.delete(visit.account.id, WebhookId(webhook_id))
    return visit.to("/webhooks", said="Deleted.")


@router.post("/webhooks/{webhook_id}/test")
async def test(visit: Visit, webhook_id: UUID) -> Response:
    tried = await visit.services.webhooks.test(visit.account.id, WebhookId(webhook_id))
    if visit.htmx:
        return visit.page("webhooks/_tested.html", tried=tried)
    return await shown(visit, webhook_id, tried=tried)


@router.post("/webhooks/{webhook_id}/secret")
async def show_secret(visit: Visit, webhook_id: UUID) -> Response:
    webhook = await visit.services.webhooks.get(visit.account.id, WebhookId(webhook_id))
    return await shown(visit, webhook_id, secret=webhook.secret)


@router.post("/webhooks/{webhook_id}/new-secret")
async def new_secret(visit: Visit, webhook_id: UUID) -> Response:
    secret = await visit.services.webhooks.new_secret(visit.account.id, WebhookId(webhook_id))
    return await shown(visit, webhook_id, secret=secret, renewed=True)


async def shown(
    visit: Visitor, webhook_id: UUID, status: int = 200, *, show: str = "", page: int = 0, **more: Any
) -> Response:
    """A webhook's page; `more` is what was just done with it."""
    services, account = visit.services, visit.account.id
    webhook = await services.webhooks.get(account, WebhookId(webhook_id))
    slice_ = Slice(page=page, size=PER_PAGE, sort=Sort.DESC)
    asked = ResultQuery(slice=slice_, webhook_id=webhook.id, failed_only=show == "failed")
    inboxes = await services.browsing.addresses(account, {webhook.inbox_id} if webhook.inbox_id else ())
    values = {"tried": None, "secret": None, "renewed": False, "problems": {}, "since": "", "inbox": ""} | more
    return visit.page(
        "webhooks/one.html",
        status,
        here="webhooks",
        webhook=webhook,
        event=EVENTS.get(webhook.event, "something that never comes to pass here"),
        address=next(iter(inboxes.values()), ""),
        backlog=(await services.webhook_results.backlog(account)).get(webhook.id, Backlog()),
        page=await services.webhook_results.page(account, asked),
        show=show,
        **values,
    )


def _form(
    visit: Visitor, wish: Wish, webhook: Webhook | None = None, problems: Mapping[str, str] | None = None
) -> Response:
    return visit.page(
        "webhooks/form.html",
        422 if problems else 200,
        here="webhooks",
        wish=asdict(wish),
        webhook=webhook,
        events=EVENTS,
        kept=KEPT,
        problems=problems or {},
    )


async def inbox_of(visit: Visitor, webhook: Webhook, address: str) -> InboxId | None:
    """Which inbox's journal is meant: the webhook's, or of one that hears of all, the one with this address. Raises
    NotFound."""
    if webhook.inbox_id is not None:
        return None
    inbox = await inbox_with(visit, address.strip())
    if inbox is None:
        raise NotFound("no inbox and no connector of yours has this address")
    return inbox
