"""Signing in: by an API key, or by a link that works once; and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Response

from posthouse.dashboard.render import BASE
from posthouse.dashboard.visit import SESSION, Guest, own_path, remember
from posthouse.model.errors import Unauthorized

router = APIRouter()


@router.get("/sign-in")
async def ask(guest: Guest, next: str = "") -> Response:
    return guest.page("sign-in.html", next=next, problem="")


@router.post("/sign-in")
async def sign_in(guest: Guest, key: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "") -> Response:
    try:
        login = await guest.services.logins.sign_in(key.strip())
    except Unauthorized as error:
        problem = error.message if key.strip() else "an API key is needed"
        return guest.page("sign-in.html", 422, next=next, problem=problem)
    response = guest.to(own_path(next))
    remember(guest.request, response, login)
    return response


@router.get("/sign-in/{secret}")
async def sign_in_by_link(guest: Guest, secret: str) -> Response:
    if "prefetch" in guest.request.headers.get("sec-purpose", ""):
        return Response(status_code=503)  # a browser that guesses would use the link up
    try:
        login = await guest.services.logins.sign_in_by_link(secret)
    except Unauthorized as error:
        return guest.page("sign-in.html", 401, next="", problem=error.message)
    response = guest.to("/connectors")
    remember(guest.request, response, login)
    return response


@router.post("/sign-out")
async def sign_out(guest: Guest) -> Response:
    await guest.services.logins.sign_out(guest.request.cookies.get(SESSION, ""))
    response = guest.to("/sign-in", said="Signed out.")
    response.delete_cookie(SESSION, path=BASE)
    return response
