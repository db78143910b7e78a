"""Changing a connector: its name, its connections with a test of what was typed, and when it is synced."""

from collections.abc import AsyncGenerator
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Form, Request, Response

from posthouse.dashboard import connector_form as forms
from posthouse.dashboard.live import event, stream
from posthouse.dashboard.stages import Trial, begin
from posthouse.dashboard.typed import texts
from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.connectors import Connector, ImapSettings, ServerSettings, SmtpSettings
from posthouse.model.errors import Invalid
from posthouse.model.values import ConnectorId
from posthouse.services.connectors import NewConnector

router = pages()

Kind = Literal["imap", "smtp"]


def _kind(request: Request) -> Kind:
    return "imap" if "imap" in request.url.path.split("/")[-2:] else "smtp"


ThisKind = Annotated[Kind, Depends(_kind)]
"""Which of the two connections an address is about."""


@router.get("/connectors/{connector_id:uuid}/name")
async def ask_for_name(visit: Visit, connector_id: UUID) -> Response:
    made = await visit.services.connectors.get(visit.account.id, ConnectorId(connector_id))
    return visit.page("connector/name.html", here="connectors", connector=made)


@router.post("/connectors/{connector_id:uuid}/name")
async def rename(
    visit: Visit,
    connector_id: UUID,
    name: Annotated[str, Form(max_length=500)] = "",
    email_address: Annotated[str, Form(max_length=320)] = "",
) -> Response:
    made = await visit.services.connectors.get(visit.account.id, ConnectorId(connector_id))
    wish = NewConnector(name=name.strip() or None, email_address=email_address.strip() or None, enabled=made.enabled)
    await visit.services.connectors.change(visit.account.id, made.id, wish)
    return visit.to(f"/connectors/{made.id}", said="Saved.")


@router.get("/connectors/{connector_id:uuid}/schedule")
async def ask_for_schedule(visit: Visit, connector_id: UUID) -> Response:
    made = await visit.services.connectors.get(visit.account.id, ConnectorId(connector_id))
    schedule = await visit.services.connectors.schedule(visit.account.id, made.id)
    fields = forms.shown_schedule(schedule)
    return visit.page("connector/schedule.html", here="connectors", connector=made, fields=fields, problems={})


@router.post("/connectors/{connector_id:uuid}/schedule")
async def change_schedule(
    visit: Visit,
    connector_id: UUID,
    how: Annotated[str, Form()] = "",
    minutes: Annotated[str, Form(max_length=20)] = "",
    watch_folders: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    made = await visit.services.connectors.get(visit.account.id, ConnectorId(connector_id))
    fields = {"how": how, "minutes": minutes, "watch_folders": watch_folders}
    settings, problems = forms.read_schedule(fields)
    if problems:
        values = {"connector": made, "fields": fields, "problems": problems}
        return visit.page("connector/schedule.html", 422, here="connectors", **values)
    await visit.services.connectors.set_schedule(visit.account.id, made.id, settings)
    return visit.to(f"/connectors/{made.id}", said="Saved.")


@router.get("/connectors/{connector_id:uuid}/imap")
@router.get("/connectors/{connector_id:uuid}/smtp")
async def ask_for_connection(visit: Visit, connector_id: UUID, kind: ThisKind) -> Response:
    made, old = await _found(visit, connector_id, kind)
    return _page(visit, made, kind, old, forms.shown(old, kind))


@router.post("/connectors/{connector_id:uuid}/imap")
@router.post("/connectors/{connector_id:uuid}/smtp")
async def change_connection(visit: Visit, connector_id: UUID, kind: ThisKind) -> Response:
    """Save what the form says, or the connection's end."""
    made, old = await _found(visit, connector_id, kind)
    form = await visit.request.form()
    connectors, account = visit.services.connectors, visit.account.id
    if form.get("do") == "remove":
        await (connectors.delete_imap if kind == "imap" else connectors.delete_smtp)(account, made.id)
        return visit.to(f"/connectors/{made.id}", said=f"The {kind.upper()} connection is removed.")
    fields = forms.given(form)
    reading = forms.read(kind, fields, texts(form, ["password"])["password"], old)
    if not reading.problems:
        try:
            await _save(visit, made, reading.settings, old)
        except Invalid as error:
            reading.problems["search_terms" if kind == "imap" else ""] = error.message
    if reading.problems:
        return _page(visit, made, kind, old, fields, reading.problems)
    return visit.to(f"/connectors/{made.id}", said="Saved.")


@router.post("/connectors/{connector_id:uuid}/imap/test")
@router.post("/connectors/{connector_id:uuid}/smtp/test")
async def test_connection(visit: Visit, connector_id: UUID, kind: ThisKind) -> Response:
    """Try out what the form says, saved or not: stage by stage as it goes, or as a page when it is over."""
    made, old = await _found(visit, connector_id, kind)
    form = await visit.request.form()
    fields = forms.given(form)
    reading = forms.read(kind, fields, texts(form, ["password"])["password"], old)
    if reading.problems:
        if visit.htmx:
            return visit.page("connector/_problems.html", problems=reading.problems)
        return _page(visit, made, kind, old, fields, reading.problems)
    trial = begin(visit, reading.settings, made.id)
    if visit.htmx:
        return stream(visit, _shown(visit, trial))
    async for _ in trial.conversation.changes():
        pass
    return _page(visit, made, kind, old, fields, trial=trial)


async def _shown(visit: Visitor, trial: Trial) -> AsyncGenerator[str, None]:
    async for _ in trial.conversation.changes():
        yield event(visit.render("_trial.html", trial=trial))


async def _save(
    visit: Visitor, made: Connector, settings: ImapSettings | SmtpSettings, old: ServerSettings | None
) -> None:
    connectors, account = visit.services.connectors, visit.account.id
    if isinstance(settings, ImapSettings):
        imap = settings
        await (
            connectors.create_imap(account, made.id, imap)
            if old is None
            else connectors.change_imap(account, made.id, lambda _: imap)
        )
    else:
        smtp = settings
        await (
            connectors.create_smtp(account, made.id, smtp)
            if old is None
            else connectors.change_smtp(account, made.id, lambda _: smtp)
        )


async def _found(visit: Visitor, connector_id: UUID, kind: Kind) -> tuple[Connector, ServerSettings | None]:
    connectors, account = visit.services.connectors, visit.account.id
    made = await connectors.get(account, ConnectorId(connector_id))
    connection = await (connectors.imap if kind == "imap" else connectors.smtp)(account, made.id)
    return made, connection.settings if connection else None


def _page(
    visit: Visitor,
    made: Connector,
    kind: Kind,
    old: ServerSettings | None,
    fields: dict[str, str],
    problems: dict[str, str] | None = None,
    trial: Trial | None = None,
) -> Response:
    return visit.page(
        "connector/connection.html",
        422 if problems else 200,
        here="connectors",
        connector=made,
        kind=kind,
        old=old,
        fields=fields,
        problems=problems or {},
        trial=trial,
    )
