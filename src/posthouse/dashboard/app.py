"""The dashboard as one web application, mounted under /ui: its pages, its files, and what it says when things fail."""

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posthouse.dashboard import (
    about,
    connector,
    connector_settings,
    connectors,
    content,
    drafts,
    inboxes,
    keys,
    linking,
    mail,
    marking,
    sent,
    settings,
    signin,
    webhook_results,
    webhooks,
    writing,
)
from posthouse.dashboard.render import BASE, environment
from posthouse.dashboard.static import Static
from posthouse.dashboard.visit import Answering, NotSignedIn, Visitor
from posthouse.model.errors import PosthouseError
from posthouse.model.figures import ShownSetting
from posthouse.services import Services

log = structlog.get_logger()

ROUTERS = (
    signin.router,
    connectors.router,
    connector.router,
    connector_settings.router,
    linking.router,
    inboxes.router,
    mail.router,
    marking.router,
    content.router,
    writing.router,
    drafts.router,
    sent.router,
    webhook_results.router,
    webhooks.router,
    keys.router,
    settings.router,
    about.router,
)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def create_dashboard(
    app: FastAPI, services: Services, *, public_url: str | None = None, settings: Sequence[ShownSetting] = ()
) -> None:
    """Add the pages to the web application; `/` leads to them."""
    statics = Static(f"{BASE}/static")
    pages = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    pages.state.services = services
    pages.state.public_url = public_url
    pages.state.settings = settings
    pages.state.templates = environment(statics.urls)
    for router in ROUTERS:
        pages.include_router(router)
    pages.router.routes.append(Route("/static/{name}", statics.serve))
    _tell_failures(pages)
    app.mount(BASE, _Guarded(pages))

    @app.get("/", include_in_schema=False)
    @app.get(BASE, include_in_schema=False)
    async def front_door() -> Response:
        return RedirectResponse(f"{BASE}/connectors", 303)


class _Guarded:
    """What every answer says to browsers, unless a page knows better."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", POLICY)
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception as error:  # its page has been sent by now
            log.error("a page failed by a fault of ours", path=scope["path"], exc_info=error)


def _tell_failures(pages: FastAPI) -> None:
    async def ask_to_sign_in(request: Request, _error: Exception) -> Response:
        answering = Answering(request)
        if request.method != "GET" or answering.htmx:
            headers = {"hx-redirect": f"{BASE}/sign-in"}
            return Response("You are not signed in any more.", 401, headers=headers, media_type="text/plain")
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{BASE}/sign-in?next={quote(wanted)}", 303)

    async def tell_ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, PosthouseError)
        return _failed(request, error.status, error.message)

    async def tell_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        where = ", ".join(str(found["loc"][-1]) for found in error.errors()[:5])
        if any(found["loc"][0] == "path" for found in error.errors()):
            return _failed(request, 404, "there is no such page")
        return _failed(request, 400, f"what was given for {where} can't be understood")

    async def tell_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = "there is no such page" if error.status_code == 404 else str(error.detail)
        return _failed(request, error.status_code, words)

    async def tell_a_bug(request: Request, _error: Exception) -> Response:
        return _failed(request, 500, "that was a fault of ours: the server's log has the details")

    pages.add_exception_handler(NotSignedIn, ask_to_sign_in)
    pages.add_exception_handler(PosthouseError, tell_ours)
    pages.add_exception_handler(RequestValidationError, tell_invalid)
    pages.add_exception_handler(HTTPException, tell_http)
    pages.add_exception_handler(500, tell_a_bug)


def _failed(request: Request, status: int, words: str) -> Response:
    """A page that says what went wrong; as a part of a page, a message."""
    visitor = getattr(request.state, "visitor", None)
    answering = visitor if isinstance(visitor, Visitor) else Answering(request)
    title = HTTPStatus(status).phrase
    return answering.page("_problem.html" if answering.htmx else "problem.html", status, title=title, words=words)
