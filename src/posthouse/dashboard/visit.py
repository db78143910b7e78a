"""A visit: who looks at a page, and how he is answered.

A browser shows its session by a cookie that no script can read. What changes something must also show a token that
only our own pages have, and must not come from another site.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment

from posthouse.dashboard.render import BASE
from posthouse.model.accounts import Account, Login, key_digest
from posthouse.model.errors import Forbidden, Unauthorized
from posthouse.services import Services
from posthouse.services.logins import NewLogin

SESSION = "posthouse_session"
_SAID = "posthouse_said"
_SAFE = ("GET", "HEAD", "OPTIONS")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class NotSignedIn(Exception):
    """Nobody is signed in who could see this page."""


class Answering:
    """How a request from a browser is answered, signed in or not."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @property
    def services(self) -> Services:
        services: Services = self.request.app.state.services
        return services

    @property
    def htmx(self) -> bool:
        """Whether a part of a page is asked for, rather than a whole one."""
        return self.request.headers.get("hx-request-type") == "partial"

    def render(self, template: str, **values: Any) -> str:
        """A template as text: for parts of a page that are sent as they change."""
        templates: Environment = self.request.app.state.templates
        return templates.get_template(template).render(self._common() | values)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page, or a part of one."""
        said = unquote(self.request.cookies.get(_SAID, "")) if not self.htmx else ""
        response = HTMLResponse(self.render(template, said=said, **values), status)
        if said:
            response.delete_cookie(_SAID, path=BASE)
        return response

    def to(self, path: str, said: str = "") -> Response:
        """Send the browser to another page, which shows what was said once."""
        url = BASE + path
        response: Response = (
            Response(status_code=200, headers={"hx-redirect": url}) if self.htmx else RedirectResponse(url, 303)
        )
        if said:
            response.set_cookie(_SAID, quote(said), max_age=60, path=BASE, httponly=True, samesite="lax")
        return response

    def _common(self) -> dict[str, Any]:
        return {"visit": None, "here": "", "origin": origin(self.request), "path": self.request.url.path}


@dataclass
class Visitor(Answering):
    """Somebody who is signed in."""

    request: Request
    account: Account
    login: Login
    csrf: str

    async def is_still_signed_in(self) -> bool:
        """Whether the session that this visit began with goes on."""
        try:
            await self.services.logins.visitor(self.request.cookies.get(SESSION, ""))
        except Unauthorized:
            return False
        return True

    def _common(self) -> dict[str, Any]:
        return super()._common() | {"visit": self}


def origin(request: Request) -> str:
    """The URL under which this server is reached, without a slash at its end."""
    public_url: str | None = request.app.state.public_url
    return (public_url or f"{request.url.scheme}://{request.url.netloc}").rstrip("/")


class _SignedInRoute(APIRoute):
    """Asks who it is before a byte of the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_for_a_visitor(request: Request) -> Response:
            secret = request.cookies.get(SESSION)
            if not secret:
                raise NotSignedIn
            services: Services = request.app.state.services
            try:
                account, login = await services.logins.visitor(secret)
            except Unauthorized:
                raise NotSignedIn from None
            request.state.visitor = Visitor(request, account, login, csrf_token(secret))
            return await handle(request)

        return handle_for_a_visitor


def pages() -> APIRouter:
    """A router for pages that only those see who are signed in."""
    return APIRouter(route_class=_SignedInRoute, default_response_class=HTMLResponse)


async def _visitor(request: Request) -> Visitor:
    visitor: Visitor = request.state.visitor
    visitor.request = request
    if request.method not in _SAFE:
        refuse_other_sites(request)
        shown = request.headers.get("x-csrf-token") or await _field(request, "csrf")
        if shown != visitor.csrf:
            raise Forbidden("this page was too old to change anything: load it again, and repeat what you did")
    return visitor


async def _guest(request: Request) -> Answering:
    if request.method not in _SAFE:
        refuse_other_sites(request)
    return Answering(request)


Visit = Annotated[Visitor, Depends(_visitor)]
"""Somebody who is signed in; a request that changes something came from a page of ours."""

Guest = Annotated[Answering, Depends(_guest)]
"""Anybody."""

PageNumber = Annotated[int, Query(ge=0, le=1_000_000)]
"""Which page of a list is asked for; 0 is the first."""


def csrf_token(secret: str) -> str:
    """What pages of a session show with everything that changes something. It does not tell the session's secret."""
    return key_digest(f"csrf {secret}").hex()


def refuse_other_sites(request: Request) -> None:
    """Raises Forbidden for a request that a page of another site made, as far as the browser says so."""
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        ours = said in ("same-origin", "none")
    else:
        host = urlsplit(request.headers.get("origin", "")).netloc
        ours = host in ("", request.url.netloc, urlsplit(origin(request)).netloc)
    if not ours:
        raise Forbidden("this was asked for by a page of another site, and not done")


def remember(request: Request, response: Response, login: NewLogin) -> None:
    """Give the browser what it shows from now on."""
    secure = origin(request).startswith("https:")
    response.set_cookie(
        SESSION,
        login.secret.reveal(),
        expires=login.expires_at,
        path=BASE,
        httponly=True,
        samesite="lax",
        secure=secure,
    )


async def _field(request: Request, name: str) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _FORMS:
        return ""
    value = (await request.form()).get(name)
    return value if isinstance(value, str) else ""


def own_path(text: str) -> str:
    """The path under /ui that somebody wanted to see, or the first page: never one of another site."""
    with suppress(ValueError):
        parts = urlsplit(text)
        if not parts.scheme and not parts.netloc and parts.path.startswith(BASE + "/") and "\\" not in text:
            return text[len(BASE) :]
    return "/connectors"
