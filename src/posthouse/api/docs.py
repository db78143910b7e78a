"""The page at /docs: every operation, with a form to try it out.

It is Swagger UI, kept here whole, so that the page works without the internet and tells nobody that it is read. Its
policy lets the browser load from this server alone, and run no script but ours.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(str(files("posthouse.api").joinpath("static")))

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    # Swagger UI styles its syntax highlighting in the elements themselves.
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def show_docs(app: FastAPI) -> None:
    """Add the page to the application. Needs no key: the document holds nothing of anybody's."""
    page = (STATIC / "docs.html").read_text("utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"})

    app.mount("/docs", _Kept(directory=STATIC))


class _Kept(StaticFiles):
    """Files that a browser may keep, if it asks each time whether they are still the same."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
