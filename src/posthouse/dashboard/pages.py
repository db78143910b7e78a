"""Pages for people: today, one that says that the server is there and how to talk to it."""

import secrets
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader

from posthouse.services import Services

_templates = Environment(loader=PackageLoader("posthouse.dashboard"), autoescape=True)


def create_dashboard(app: FastAPI, services: Services, *, public_url: str | None = None) -> None:
    """Add the pages to the web application."""

    @app.get("/", include_in_schema=False)
    async def status(request: Request) -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        page = _templates.get_template("status.html").render(
            nonce=nonce,
            ready=await services.accounts.ready(),
            version=version("posthouse"),
            url=(public_url or str(request.base_url)).rstrip("/"),
        )
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
        return HTMLResponse(page, headers={"content-security-policy": policy, "referrer-policy": "no-referrer"})
