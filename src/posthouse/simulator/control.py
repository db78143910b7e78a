"""The provider by HTTP, for those who rehearse failures from another process: look, set faults, deliver, renumber.

Whoever reaches it may do everything, so it listens on loopback alone and answers no web page.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.middleware.trustedhost import TrustedHostMiddleware

from posthouse.simulator.demo_mail import endless_mail
from posthouse.simulator.faults import IMPATIENT, Faults, NoSuchFault
from posthouse.simulator.mailbox import INBOX, Folder, Refused, User
from posthouse.simulator.server import Provider

LOOPBACK = "127.0.0.1"


class Chance(BaseModel):
    """Faults at random: with which probability at each command, from which seed, and which ones."""

    rate: float = Field(ge=0, le=1)
    seed: int = 0
    names: list[str] = list(IMPATIENT)


@contextlib.asynccontextmanager
async def controlled(provider: Provider, port: int = 0) -> AsyncIterator[str]:
    """Serve the control of this provider on loopback while one is inside; the URL. Raises `OSError`."""
    with socket.create_server((LOOPBACK, port)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(create_control(provider), log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        )
        # Signals are for whoever runs the loop.
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def create_control(provider: Provider) -> FastAPI:
    """The control as an ASGI application; it must run on the provider's event loop."""
    app = FastAPI(title="Posthouse simulator", docs_url=None, redoc_url=None)
    # A page in a browser on this machine reaches loopback too: by another name for it, or by plain forms.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])
    mail: dict[str, Iterator[bytes]] = {}

    @app.middleware("http")
    async def no_pages(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        if "origin" in request.headers:
            return JSONResponse({"detail": "not for web pages"}, 403)
        return await answer(request)

    @app.exception_handler(NoSuchFault)
    async def no_such_fault(_request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 404)

    async def json_object(request: Request) -> dict[str, Any]:
        """The body, whatever its content type says: curl says that everything is a form."""
        try:
            wanted = json.loads(await request.body())
        except ValueError as error:
            raise HTTPException(422, f"not JSON: {error}") from error
        if not isinstance(wanted, dict):
            raise HTTPException(422, "a JSON object is expected")
        return wanted

    def user_named(address: str | None) -> User:
        if address is None and provider.users:
            return next(iter(provider.users.values()))
        if address is None or address.lower() not in provider.users:
            raise HTTPException(404, "there is no such user")
        return provider.users[address.lower()]

    @app.get("/state")
    async def state() -> dict[str, Any]:
        return state_of(provider)

    @app.get("/faults")
    async def faults() -> dict[str, Any]:
        return provider.faults.shown()

    @app.put("/faults")
    async def replace_faults(wanted: Annotated[dict[str, Any], Depends(json_object)]) -> dict[str, Any]:
        new = Faults()
        set_all(new, wanted)
        new.strikes = provider.faults.strikes
        provider.faults = new
        return new.shown()

    @app.patch("/faults")
    async def add_faults(wanted: Annotated[dict[str, Any], Depends(json_object)]) -> dict[str, Any]:
        set_all(Faults(), wanted)  # all of them or none
        set_all(provider.faults, wanted)
        return provider.faults.shown()

    @app.delete("/faults")
    async def clear_faults() -> dict[str, Any]:
        return await replace_faults({})

    @app.delete("/faults/{name}")
    async def clear_fault(name: str) -> dict[str, Any]:
        provider.faults.clear(name)
        return provider.faults.shown()

    @app.put("/random-faults")
    async def random_faults(wanted: Annotated[dict[str, Any], Depends(json_object)]) -> Chance:
        try:
            chance = Chance.model_validate(wanted)
        except ValidationError as error:
            raise HTTPException(422, error.errors(include_url=False, include_context=False)) from error
        provider.faults.at_random(chance.rate, chance.seed, chance.names)
        return chance

    @app.delete("/random-faults")
    async def no_random_faults() -> dict[str, Any]:
        provider.faults.at_random(0, 0)
        return {}

    @app.post("/deliver")
    async def deliver(request: Request, to: str | None = None, folder: str = INBOX) -> dict[str, Any]:
        """The body is the message, byte for byte; without a body, a demo message is delivered."""
        user = user_named(to)
        message = await request.body()
        if not message:
            message = next(mail.setdefault(user.address, endless_mail(user.address, provider.now)))
        uid = provider.deliver(user.address, message, folder=folder)
        return {"to": user.address, "folder": folder, "uid": uid}

    @app.post("/folders/{folder:path}/uidvalidity")
    async def bump_uid_validity(folder: str, user: str | None = None) -> dict[str, Any]:
        found = user_named(user).mail_folder(folder)
        found.bump_uid_validity()
        return shown_folder(found)

    @app.post("/folders/{folder:path}/renumber")
    async def renumber(
        folder: str, user: str | None = None, keep_uid_validity: bool = False, reverse: bool = False
    ) -> dict[str, Any]:
        found = user_named(user).mail_folder(folder)
        found.renumber(keep_uid_validity=keep_uid_validity, reverse=reverse)
        return shown_folder(found)

    @app.delete("/folders/{folder:path}/messages/{uid}")
    async def remove_message(folder: str, uid: int, user: str | None = None) -> dict[str, Any]:
        owner = user_named(user)
        found = owner.mail_folder(folder)
        messages = [message for message in found.messages if message.uid == uid]
        if not messages:
            raise HTTPException(404, "there is no such message")
        owner.remove(found, messages)
        return shown_folder(found)

    @app.post("/disconnect")
    async def disconnect() -> dict[str, Any]:
        return {"disconnected": provider.disconnect()}

    @app.get("/outside")
    async def outside() -> list[dict[str, Any]]:
        return [
            {"sender": each.sender, "recipients": each.recipients, "message": each.message.decode("utf-8", "replace")}
            for each in provider.outside
        ]

    return app


def set_all(faults: Faults, wanted: Mapping[str, Any]) -> None:
    """Set faults as JSON has them: each a value, or `{"value": …, "times": n}`. Raises `NoSuchFault`."""
    for name, value in wanted.items():
        times: int | None = None
        if isinstance(value, dict) and value and value.keys() <= {"value", "times"}:
            times, value = value.get("times"), value.get("value", True)
        if not isinstance(times, int | None):
            raise NoSuchFault(f"{name}: times is a whole number")
        faults.set(name, value, times=times)


def state_of(provider: Provider) -> dict[str, Any]:
    """All that there is to see, as JSON has it."""
    return {
        "profile": provider.profile.name,
        "ports": {name: getattr(provider, f"{name}_port") for name in ("imap", "imaps", "smtp", "smtps")},
        "users": [
            {"address": user.address, "folders": [shown_folder(folder) for folder in user.folders.values()]}
            for user in provider.users.values()
        ],
        "connections": [asdict(presence) for presence in provider.present],
        "sign_ins": provider.sign_ins,
        "changes": [asdict(change) for change in provider.changes],
        "outside": len(provider.outside),
        "faults": provider.faults.shown(),
        "strikes": dict(provider.faults.strikes),
    }


def shown_folder(folder: Folder) -> dict[str, Any]:
    return {
        "name": folder.name,
        "messages": len(folder.messages),
        "unseen": sum("\\Seen" not in message.flags for message in folder.messages),
        "uid_validity": folder.uid_validity,
        "uid_next": folder.uid_next,
        "highest_modseq": folder.highest_modseq,
    }
