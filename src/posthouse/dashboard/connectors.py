"""The list of connectors: searched, filtered and sorted, up to date by itself, and things to do with many at once."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Form, Query, Response

from posthouse.dashboard.charts import days
from posthouse.dashboard.live import BEAT, event, stream
from posthouse.dashboard.render import counted
from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.errors import PosthouseError
from posthouse.model.overview import TROUBLED_FIRST, Order, OverviewQuery, Summary
from posthouse.model.standing import State
from posthouse.model.values import ConnectorId

router = pages()

_ORDERS = {Order.TROUBLED: "Trouble first", Order.NAME: "Name", Order.FRESHNESS: "Longest not proved"}
_MOST_SHOWN = 200
_PATIENCE = 4.0  # seconds that many syncs are waited for before the page says that they go on


def _query(search: str, state: str, order: str, page: int) -> OverviewQuery:
    """What a page's address asks for; what it can't mean is passed over, as old bookmarks may say anything."""
    return OverviewQuery(
        search=search.strip()[:200],
        state=State(state) if state in set(State) else None,
        order=Order(order) if order in set(Order) else Order.TROUBLED,
        page=min(max(page, 0), 100_000),
    )


def _words(query: OverviewQuery, **changed: str) -> str:
    """The query as part of an address, without what goes without saying; a page number is left out."""
    said = {
        "search": query.search,
        "state": query.state.value if query.state else "",
        "order": query.order.value if query.order is not Order.TROUBLED else "",
    } | changed
    return urlencode({name: value for name, value in said.items() if value})


@router.get("/connectors")
async def connectors(visit: Visit, search: str = "", state: str = "", order: str = "", page: int = 0) -> Response:
    query = _query(search, state, order, page)
    overview = await visit.services.overviews.page(visit.account.id, query)
    template = "connectors/_list.html" if visit.htmx else "connectors/list.html"
    return visit.page(
        template,
        here="connectors",
        overview=overview,
        query=query,
        orders=_ORDERS,
        peak=_peak(overview.items),
        shown=",".join(str(one.id) for one in overview.items),
        **_HOW,
    )


@router.get("/connectors/live")
async def live(
    visit: Visit,
    search: str = "",
    state: str = "",
    order: str = "",
    shown: Annotated[str, Query(max_length=40 * _MOST_SHOWN)] = "",
) -> Response:
    """The rows that are shown, and the counts, whenever they have changed."""
    ids = _ids(shown.split(","))
    return stream(visit, _changes(visit, _query(search, state, order, 0), ids))


async def _changes(visit: Visitor, query: OverviewQuery, ids: Sequence[ConnectorId]) -> AsyncGenerator[str, None]:
    shown: dict[ConnectorId, Summary] = {}
    counted: dict[State, int] = {}
    peaked = -1
    # Proofs of freshness and failures raise no signal: hence a look every few seconds, whatever is heard.
    async for _ in visit.services.lookout.changes("connector", "connectors", "inbox", pause=1.0, within=3.0):
        items, counts = await visit.services.overviews.again(visit.account.id, query, ids)
        now, peak = {one.id: one for one in items}, _peak(items)
        changes: dict[str, Any] = {
            "counts": counts if counts != counted else None,
            "new": [one for one in items if shown.get(one.id) != one or peak != peaked],
            "gone": [id_ for id_ in ids if id_ not in now and (id_ in shown or not shown)],
        }
        shown, counted, peaked = now, counts, peak
        if any(changes.values()):
            yield event(visit.render("connectors/_changes.html", query=query, peak=peak, **changes, **_HOW))
        else:
            yield BEAT


_HOW: dict[str, Any] = {"states": TROUBLED_FIRST, "words": _words, "chart": days}
"""What the parts of the list are made with."""


@router.post("/connectors")
async def do_with_many(
    visit: Visit,
    do: Annotated[str, Form()] = "",
    ids: Annotated[list[str] | None, Form(alias="id")] = None,
    back: Annotated[str, Form()] = "",
) -> Response:
    """Sync, pause or resume the connectors that were ticked."""
    chosen = _ids(ids or [])
    where = f"/connectors?{back}" if back and not set(back) & set("/\\#\r\n") else "/connectors"
    if not chosen:
        return visit.to(where, said="Tick the connectors first.")
    match do:
        case "pause" | "resume":
            changed = await visit.services.connectors.switch(visit.account.id, chosen, enabled=do == "resume")
            said = f"{'Resumed' if do == 'resume' else 'Paused'} {counted(len(changed), 'connector')}."
        case "sync":
            said = await _sync(visit, chosen)
        case _:
            said = "Choose what to do with them."
    return visit.to(where, said=said)


async def _sync(visit: Visitor, chosen: Sequence[ConnectorId]) -> str:
    """Sync all of these; how it went, as far as it went quickly. A sync that has begun goes on whoever looks."""
    tasks = [asyncio.create_task(visit.services.sync.refresh(visit.account.id, one)) for one in chosen]
    done, going_on = await asyncio.wait(tasks, timeout=_PATIENCE)
    for task in going_on:
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    new, failed = 0, 0
    for task in done:
        try:
            outcome = task.result()
        except PosthouseError:
            failed += 1
        else:
            new += len(outcome.email_ids)
            failed += outcome.failure is not None
    words = [f"Synced {counted(len(done) - failed, 'connector')}: {counted(new, 'new email')}."]
    if failed:
        words.append(f"{counted(failed, 'connector')} failed; the list says why.")
    if going_on:
        words.append(f"{counted(len(going_on), 'connector')} still under way.")
    return " ".join(words)


def _ids(texts: Sequence[str]) -> list[ConnectorId]:
    """Those of these texts that are ids."""
    found = []
    for text in texts[:_MOST_SHOWN]:
        try:
            found.append(ConnectorId(UUID(text)))
        except ValueError:
            continue
    return found


def _peak(items: Sequence[Summary]) -> int:
    """The most mail of a day among these, to which the charts are drawn."""
    return max((max(one.days) for one in items), default=0)
