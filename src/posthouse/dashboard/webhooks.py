"""Webhooks: the list with how they are, one with all that it was told, made, changed, tried out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from starlette.datastructures import FormData

from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.errors import Invalid, NotFound
from posthouse.model.values import InboxId, Secret, Slice, Sort
from posthouse.model.webhooks import Backlog, EventName, ResultQuery, Webhook, WebhookId, WebhookQuery
from posthouse.services.webhooks import NewWebhook

router = pages()

PER_PAGE = 50
EVENTS: Mapping[EventName, str] = {
    EventName.NEW_EMAIL: "a new email, with what lists show of it",
    EventName.EMAIL_RECEIVED: "a new email, by its ids alone",
    EventName.NEW_ATTACHMENT: "each attachment of a new email",
    EventName.EMAIL_READ: "an email that was marked as read",
    EventName.DELIVERY_STATUS: "what a server said of an email that was sent",
    EventName.BOUNCE: "an email that did not reach somebody",
    EventName.BOUNCE_RECIPIENT: "each recipient whom an email did not reach",
}
"""What can be listened to and comes to pass here, in words."""
KEPT = "(kept)"
"""Stands for the value of a header that is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The form as it was filled in. Headers are lines, `Name: value`; of a webhook that is there, an empty password
    is the one that it has."""

    url: str = ""
    name: str = ""
    event: str = EventName.NEW_EMAIL.value
    inbox: str = ""
    username: str = ""
    headers: str = ""
    template: str = ""
    any_certificate: str = ""

    @classmethod
    def of(cls, form: FormData) -> "Wish":
        said = {name: form.get(name, "") for name in cls.__dataclass_fields__}
        return cls(**{name: value for name, value in said.items() if isinstance(value, str)})

    @classmethod
    def to_change(cls, webhook: Webhook) -> "Wish":
        return cls(
            url=webhook.url,
            name=webhook.name or "",
            event=webhook.event.value,
            username=webhook.username or "",
            headers="\n".join(f"{name}: {KEPT}" for name in webhook.headers),
            template=webhook.template or "",
            any_certificate="on" if webhook.takes_any_certificate else "",
        )


@router.get("/webhooks")
async def webhooks(visit: Visit, page: Annotated[int, Query(ge=0, le=100_000)] = 0) -> Response:
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
        inbox = await _inbox(visit, wish.inbox.strip())
        if inbox is None:
            problems["inbox"] = "no inbox and no connector of yours has this address"
    if not problems:
        try:
            values = _values(wish, str(form.get("password", "")))
            webhook = await visit.services.webhooks.create(visit.account.id, NewWebhook(**values), inbox)
        except Invalid as error:
            _add(problems, error)
        else:
            return visit.to(f"/webhooks/{webhook.id}", said="Made. Test it to see what your receiver answers.")
    return _form(visit, wish, problems=problems)


@router.get("/webhooks/{webhook_id}")
async def one(
    visit: Visit, webhook_id: UUID, show: str = "", page: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> Response:
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
    wish, problems = Wish.of(form), dict[str, str]()
    try:
        values = _values(wish, str(form.get("password", "")), webhook)
        await visit.services.webhooks.change(visit.account.id, id_, **values)
    except Invalid as error:
        _add(problems, error)
        return _form(visit, wish, webhook, problems)
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


def _values(wish: Wish, password: str, webhook: Webhook | None = None) -> dict[str, Any]:
    """The webhook's fields. Raises Invalid."""
    kept = webhook.password if webhook is not None and webhook.username == wish.username.strip() else None
    if wish.event not in EVENTS and (webhook is None or wish.event != webhook.event.value):
        raise Invalid("eventName: choose one of these events")
    return {
        "url": wish.url,
        "name": wish.name.strip() or None,
        "event": EventName(wish.event),
        "username": wish.username.strip() or None,
        "password": (Secret(password) if password else kept) if wish.username.strip() else None,
        "headers": _headers(wish.headers, webhook.headers if webhook else {}),
        "template": wish.template.replace("\r\n", "\n") if wish.template.strip() else None,
        "takes_any_certificate": bool(wish.any_certificate),
    }


def _headers(lines: str, present: Mapping[str, Secret]) -> dict[str, Secret]:
    known = {name.lower(): value for name, value in present.items()}
    found: dict[str, Secret] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise Invalid(f"includeHeaders: {name[:80]!r} has no colon: write Name: value")
        if name.lower() in {one.lower() for one in found}:
            raise Invalid(f"includeHeaders: {name} is there twice")
        if value == KEPT and name.lower() not in known:
            raise Invalid(f"includeHeaders: {name} has no value yet")
        found[name] = known[name.lower()] if value == KEPT else Secret(value)
    return found


async def _inbox(visit: Visitor, address: str) -> InboxId | None:
    """The inbox with this address, its own or its connector's."""
    if (connector := await visit.services.connectors.by_address(visit.account.id, address)) is not None:
        return connector.inbox_id
    inbox = await visit.services.inboxes.by_address(visit.account.id, address)
    return inbox.id if inbox is not None else None


_FIELDS = {
    "url": "url",
    "basicAuth": "username",
    "includeHeaders": "headers",
    "requestBodyTemplate": "template",
    "eventName": "event",
}


def _add(problems: dict[str, str], error: Invalid) -> None:
    """Put what is wrong beside its field: the services begin with the field's name in the API."""
    name, colon, words = error.message.partition(": ")
    field = _FIELDS.get(name) if colon else None
    problems[field or ""] = words if field else error.message


async def inbox_of(visit: Visitor, webhook: Webhook, address: str) -> InboxId | None:
    """Which inbox's journal is meant: the webhook's, or of one that hears of all, the one with this address. Raises
    NotFound."""
    if webhook.inbox_id is not None:
        return None
    inbox = await _inbox(visit, address.strip())
    if inbox is None:
        raise NotFound("no inbox and no connector of yours has this address")
    return inbox
