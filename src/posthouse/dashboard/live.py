"""Pages that change by themselves: parts of them sent as server-sent events (HTML Standard §9.2)."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Response
from fastapi.responses import StreamingResponse

from posthouse.dashboard.visit import Visitor

CHECKED_EVERY = 5.0
"""Seconds after which a stream asks again, before it tells something, whether its visitor is signed in."""
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def event(html: str, *, name: str = "", id_: str = "") -> str:
    """One event: HTML to be put in its place, or with a name an event of the DOM. `id_` comes back, when the browser
    connects again, as the header Last-Event-ID."""
    lines = [f"event: {name}"] * bool(name) + [f"id: {id_}"] * bool(id_)
    return "\n".join([*lines, *(f"data: {line}" for line in html.splitlines() or [""])]) + "\n\n"


BEAT = ": still here\n\n"
"""What keeps a quiet connection open through proxies, and tells us when nobody listens any more."""


def stream(visit: Visitor, events: AsyncGenerator[str, None]) -> Response:
    """An answer that goes on for as long as there are events and the visitor is signed in: each event by `event`, or
    BEAT now and then."""

    async def sent() -> AsyncIterator[str]:
        yield BEAT  # the browser knows that it is connected
        checked = time.monotonic()
        async with aclosing(events):
            async for one in events:
                if time.monotonic() - checked >= CHECKED_EVERY:
                    if not await visit.is_still_signed_in():
                        return
                    checked = time.monotonic()
                yield one

    return StreamingResponse(sent(), media_type="text/event-stream", headers=_HEADERS)
