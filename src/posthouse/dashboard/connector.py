"""One connector: how it stands, what it does, syncs that are watched, its timeline and events, and its end."""

from collections.abc import AsyncGenerator
from itertools import takewhile
from typing import Any
from uuid import UUID

from fastapi import Response

from posthouse.dashboard.charts import days
from posthouse.dashboard.live import BEAT, event, stream
from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.errors import NotFound
from posthouse.model.events import ConnectorEvent, EventType
from posthouse.model.sync import SyncOutcome
from posthouse.model.values import ConnectorId, EventId, Page, Slice, Sort
from posthouse.services.conversations import Conversation

router = pages()

_AT_ONCE = 20  # events on a page
_TYPES = {kind.value.lower(): kind for kind in EventType}


@router.get("/connectors/{connector_id:uuid}")
async def connector(visit: Visit, connector_id: UUID, type: str = "", page: int = 0) -> Response:
    """All that there is to know of one, or its events alone where a part of the page is asked for."""
    id_ = ConnectorId(connector_id)
    events: dict[str, Any] = {"events": await _events(visit, id_, type, page), "type": type if type in _TYPES else ""}
    if visit.htmx:
        return visit.page("connector/_events.html", id=id_, **events)
    first = events["events"] if not events["type"] and page <= 0 else await _events(visit, id_, "", 0)
    newest = first.items[0].id if first.items else ""
    return visit.page(
        "connector/page.html", here="connectors", id=id_, newest=newest, **await _standing(visit, id_), **events
    )


@router.get("/connectors/{connector_id:uuid}/live")
async def live(visit: Visit, connector_id: UUID, after: str = "") -> Response:
    """How it stands, and events as they come: those that are newer than `after`, or than the last that was sent."""
    newest = visit.request.headers.get("last-event-id", after)
    return stream(visit, _changes(visit, ConnectorId(connector_id), newest))


async def _changes(visit: Visitor, id_: ConnectorId, newest: str) -> AsyncGenerator[str, None]:
    before: dict[str, Any] = {}
    topics = (f"connector:{id_}", "connectors", "inbox")
    async for _ in visit.services.lookout.changes(*topics, pause=1.0, within=2.0):
        try:
            now = await _standing(visit, id_)
            events = (await _events(visit, id_, "", 0)).items
        except NotFound:
            yield event(visit.render("connector/_gone.html"))
            return
        new = list(takewhile(lambda one: str(one.id) != newest, events))  # noqa: B023 (used up at once)
        newest = str(events[0].id) if events else ""
        if now != before or new:
            yield event(visit.render("connector/_changes.html", id=id_, new=new, **now), id_=newest)
        else:
            yield BEAT
        before = now


async def _standing(visit: Visitor, id_: ConnectorId) -> dict[str, Any]:
    """What is shown of a connector above its events. Raises NotFound."""
    services, account = visit.services, visit.account.id
    report = await services.watching.report(account, id_)
    found = await services.overviews.these(account, [id_])
    if not found:
        raise NotFound(f"there is no connector {id_}")
    return {
        "one": found[0],
        "chart": days,
        "under_way": await services.running.under_way(account, id_),
        "report": report,
        "imap": await services.connectors.imap(account, id_),
        "smtp": await services.connectors.smtp(account, id_),
        "schedule": await services.connectors.schedule(account, id_),
    }


# Syncs that somebody looks at


@router.post("/connectors/{connector_id:uuid}/sync")
async def sync(visit: Visit, connector_id: UUID) -> Response:
    """Begin a sync, and show it while it goes on."""
    services, account = visit.services, visit.account.id
    made = await services.connectors.get(account, ConnectorId(connector_id))
    conversation = services.conversations.begin(account, lambda ear: services.sync.run(account, made.id, ear=ear))
    if visit.htmx:
        return visit.page("connector/_sync.html", id=made.id, run=_Sync(conversation))
    async for _ in conversation.changes():
        pass
    return visit.to(f"/connectors/{made.id}/syncs/{conversation.id}")


@router.get("/connectors/{connector_id:uuid}/syncs/{conversation_id:uuid}")
async def shown_sync(visit: Visit, connector_id: UUID, conversation_id: UUID) -> Response:
    made = await visit.services.connectors.get(visit.account.id, ConnectorId(connector_id))
    run = _Sync(visit.services.conversations.get(visit.account.id, conversation_id))
    return visit.page("connector/sync.html", here="connectors", id=made.id, connector=made, run=run)


@router.get("/connectors/{connector_id:uuid}/syncs/{conversation_id:uuid}/live")
async def followed_sync(visit: Visit, connector_id: UUID, conversation_id: UUID) -> Response:
    conversation = visit.services.conversations.get(visit.account.id, conversation_id)
    return stream(visit, _said(visit, ConnectorId(connector_id), conversation))


async def _said(visit: Visitor, id_: ConnectorId, conversation: Conversation) -> AsyncGenerator[str, None]:
    shown = 0
    async for _ in conversation.changes():
        run = _Sync(conversation)
        # Whole for a browser that has come back, and at the end: of very many lines the last are kept, too.
        whole = not shown or run.over
        new, shown = run.lines if whole else run.lines[shown:], len(run.lines)
        yield event(visit.render("connector/_said.html", id=id_, run=run, new=new, whole=whole))
    yield event("", name="over")


class _Sync:
    """A sync as it is shown."""

    def __init__(self, conversation: Conversation) -> None:
        self.id = conversation.id
        self.over = conversation.over
        self.lines = conversation.lines
        self.progress = conversation.progress
        outcome = conversation.result
        self.new = len(outcome.email_ids) if isinstance(outcome, SyncOutcome) else 0
        self.failure = outcome.failure if isinstance(outcome, SyncOutcome) else conversation.failure


@router.post("/connectors/{connector_id:uuid}/cancel-sync")
async def cancel_sync(visit: Visit, connector_id: UUID) -> Response:
    await visit.services.running.cancel(visit.account.id, ConnectorId(connector_id))
    if visit.htmx:
        return visit.page("connector/_cancelled.html")
    return visit.to(f"/connectors/{connector_id}", said="The sync ends as soon as it can. What has come stays.")


# Pausing and resuming


@router.post("/connectors/{connector_id:uuid}/pause")
async def pause(visit: Visit, connector_id: UUID) -> Response:
    return await _switch(visit, ConnectorId(connector_id), enabled=False)


@router.post("/connectors/{connector_id:uuid}/resume")
async def resume(visit: Visit, connector_id: UUID) -> Response:
    return await _switch(visit, ConnectorId(connector_id), enabled=True)


async def _switch(visit: Visitor, id_: ConnectorId, *, enabled: bool) -> Response:
    await visit.services.connectors.get(visit.account.id, id_)
    await visit.services.connectors.switch(visit.account.id, [id_], enabled=enabled)
    return visit.to(f"/connectors/{id_}", said="Resumed." if enabled else "Paused: nothing is synced or sent.")


# Events


@router.get("/connectors/{connector_id:uuid}/events/{event_id:uuid}")
async def shown_event(visit: Visit, connector_id: UUID, event_id: UUID) -> Response:
    """One event with its log; the log alone where a part of a page is asked for."""
    made = await visit.services.connectors.get(visit.account.id, ConnectorId(connector_id))
    one = await visit.services.connectors.event(visit.account.id, EventId(event_id))
    if one.connector_id != made.id:
        raise NotFound(f"there is no connector event {event_id}")
    template = "connector/_log.html" if visit.htmx else "connector/event.html"
    return visit.page(template, here="connectors", connector=made, one=one)


async def _events(visit: Visitor, id_: ConnectorId, type_: str, page: int) -> Page[ConnectorEvent]:
    asked = Slice(page=min(max(page, 0), 100_000), size=_AT_ONCE, sort=Sort.DESC)
    return await visit.services.connectors.events(visit.account.id, asked, connector_id=id_, type_=_TYPES.get(type_))


# The end


@router.get("/connectors/{connector_id:uuid}/delete")
async def ask_to_delete(visit: Visit, connector_id: UUID) -> Response:
    id_ = ConnectorId(connector_id)
    return visit.page("connector/delete.html", here="connectors", id=id_, **await _standing(visit, id_))


@router.post("/connectors/{connector_id:uuid}/delete")
async def delete(visit: Visit, connector_id: UUID) -> Response:
    made = await visit.services.connectors.get(visit.account.id, ConnectorId(connector_id))
    await visit.services.connectors.delete(visit.account.id, made.id)
    name = made.name or made.email_address or "The connector"
    return visit.to("/connectors", said=f"{name} is deleted. Its inbox and the mail in it are still there.")
