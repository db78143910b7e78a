"""The command line: what an operator says to the house."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from posthouse.app import build, serving, set_up_logging
from posthouse.config import Settings
from posthouse.model.accounts import Account
from posthouse.model.errors import PosthouseError
from posthouse.model.values import Secret
from posthouse.services import Services

T = TypeVar("T")

_M_MMAP_THRESHOLD = -3  # of malloc.h

cli = typer.Typer(
    name="posthouse",
    help="The self-hosted home for mailbox connectors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and so secrets
    rich_markup_mode=None,
)
keys = typer.Typer(help="API keys: make, list, revoke; links to sign in with.", no_args_is_help=True)
cli.add_typer(keys, name="key")

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


class Role(StrEnum):
    """What a process does: answer requests, look after connectors, or both."""

    ALL = "all"
    API = "api"
    ENGINE = "engine"


def _environment_help() -> str:
    lines = ["Settings from the environment:", ""]
    for name, field in Settings.model_fields.items():
        lines += [f"POSTHOUSE_{name.upper()}: {field.description}", ""]
    return "\n".join(lines)


Data = Annotated[Path | None, typer.Option(help="Where database, raw mail and key file lie. [POSTHOUSE_DATA; data]")]


@cli.command(epilog=_environment_help())
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [POSTHOUSE_HOST; 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. [POSTHOUSE_PORT; 8026]")] = None,
    data: Data = None,
    role: Annotated[
        Role, typer.Option(help="What this process does; several processes share a PostgreSQL.")
    ] = Role.ALL,
) -> None:
    """Run the server: the API, the dashboard, and the engine that looks after connectors."""
    settings = _settings(host=host, port=port, data=data)
    set_up_logging(settings.log_json)
    _run(_serve(settings, role))


async def _serve(settings: Settings, role: Role) -> None:
    app = build(settings)
    async with app.opened() as services:
        given = settings.api_key
        key = await services.accounts.first_key(Secret(given.get_secret_value()) if given else None)
        if key is not None and given is None:
            out.print(f"First API key, shown only now: {key.secret.reveal()}")
        async with contextlib.AsyncExitStack() as stack:
            if role is not Role.API:
                await stack.enter_async_context(app.looking_after())
            if role is Role.ENGINE:
                out.print("Posthouse's engine is running.")
            else:
                url = await stack.enter_async_context(serving(app))
                out.print(f"Posthouse is ready: {url} (API documentation: {url}/docs)")
                if key is not None or out.is_terminal:
                    account = key.account if key else await services.accounts.named()
                    out.print(
                        f"Sign in to the dashboard (once, within 15 minutes): {await _link(services, account, url)}"
                    )
            await _told_to_stop()


async def _link(services: Services, account: Account, url: str) -> str:
    """An address that signs its visitor in."""
    return f"{url}/ui/sign-in/{(await services.logins.link(account.id)).secret.reveal()}"


async def _told_to_stop() -> None:
    """Return when the process is asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await stop.wait()


@cli.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8026,
    data: Annotated[Path | None, typer.Option(help="Keep the demo's data here. [a temporary directory]")] = None,
) -> None:
    """Try everything on this machine: a mail provider to play with, a connector linked to it, and mail arriving."""
    from posthouse.demo import run_demo

    _run(run_demo(out, port, data, _told_to_stop))


@cli.command()
def simulate(
    profile: Annotated[str, typer.Option(help="What kind of provider: plain, gmail, exchange or courier.")] = "plain",
    imap_port: Annotated[int, typer.Option(help="Port for IMAP; of this and all others, 0 is any free one.")] = 1143,
    imaps_port: Annotated[int, typer.Option(help="Port for IMAP in TLS.")] = 1993,
    smtp_port: Annotated[int, typer.Option(help="Port for SMTP.")] = 1587,
    smtps_port: Annotated[int, typer.Option(help="Port for SMTP in TLS.")] = 1465,
    control_port: Annotated[int, typer.Option(help="Port for the control by HTTP.")] = 8027,
    user: Annotated[list[str] | None, typer.Option(help="address:password; may be repeated.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="name=value, or name:times=value for one that heals; may be repeated. See the guide."),
    ] = None,
    messages: Annotated[int, typer.Option(help="Demo mail to begin with, in the first user's INBOX.", min=0)] = 3,
    deliver_every: Annotated[float, typer.Option(help="Seconds between mails that arrive; 0: none do.", min=0)] = 0,
    expired_certificate: Annotated[bool, typer.Option("--expired-certificate", help="Show an expired one.")] = False,
    require_tls: Annotated[bool, typer.Option("--require-tls", help="Refuse to sign in without TLS.")] = False,
) -> None:
    """Run a mail provider that misbehaves as you like, to rehearse failures with. It listens on loopback alone."""
    from posthouse.simulator.command import BadOption, Options
    from posthouse.simulator.command import simulate as run_simulator

    options = Options(
        profile=profile,
        imap_port=imap_port,
        imaps_port=imaps_port,
        smtp_port=smtp_port,
        smtps_port=smtps_port,
        control_port=control_port,
        users=user or (),
        faults=fault or (),
        messages=messages,
        deliver_every=deliver_every,
        expired_certificate=expired_certificate,
        require_tls=require_tls,
    )
    try:
        _run(run_simulator(options, lambda text: out.print(escape(text)), _told_to_stop))
    except BadOption as error:
        err.print(f"error: {escape(str(error))}")
        raise typer.Exit(2) from None
    except OSError as error:
        err.print(f"can't listen: {escape(str(error))}; choose another port, or 0 for any free one")
        raise typer.Exit(1) from None


@cli.command()
def sync(
    connector: Annotated[str, typer.Argument(help="The connector's name, email address or id.")],
    folder: Annotated[str | None, typer.Option(help="The folder to sync, instead of the connector's own.")] = None,
    log: Annotated[bool, typer.Option("--log", help="Print the conversation with the server.")] = False,
    data: Data = None,
) -> None:
    """Sync one connector now. No server needs to run for it."""

    async def run(services: Services) -> bool:
        found = await services.connectors.named(connector)
        outcome = await services.sync.run(found.account_id, found.id, folder=folder, logging=log)
        for line in outcome.logs or ():
            out.print(escape(line))
        if outcome.failure:
            err.print(f"failed: {escape(outcome.failure)}")
            return False
        out.print(f"{len(outcome.email_ids)} new emails")
        return True

    if not _with_services(run, data):
        raise typer.Exit(1)


@cli.command()
def check(data: Data = None) -> None:
    """Say what is wrong with this installation, and what is right."""

    async def run() -> bool:
        from posthouse.check import examine

        good = True
        async for finding in examine(_settings(data=data)):
            out.print(f"{'ok  ' if finding.good else 'BAD '} {escape(finding.text)}")
            good = good and finding.good
        return good

    if not _run(run()):
        raise typer.Exit(1)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is for, to tell it apart.")] = "",
    account: Annotated[str, typer.Option(help="The account it stands for; made when new.")] = "default",
    data: Data = None,
) -> None:
    """Make an API key, and show it: the only time that it is shown."""

    async def run(services: Services) -> None:
        made = await services.accounts.create_key(name, account=account)
        out.print(made.secret.reveal())

    _with_services(run, data)


@keys.command("link")
def make_link(
    account: Annotated[str, typer.Option(help="The account to sign in to.")] = "default",
    data: Data = None,
) -> None:
    """Print a link that signs a browser in to the dashboard, once, within 15 minutes."""

    async def run(services: Services) -> None:
        settings = _settings(data=data)
        url = settings.public_url or f"http://{settings.host}:{settings.port}"
        out.print(await _link(services, await services.accounts.named(account), url.rstrip("/")))

    _with_services(run, data)


@keys.command("list")
def list_keys(data: Data = None) -> None:
    """Show the keys that there are: never the keys themselves."""

    async def run(services: Services) -> None:
        for key, account in await services.accounts.keys():
            used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            made = f"made {key.created_at:%Y-%m-%d %H:%M}"
            out.print(f"{key.id}  {key.hint}…  {escape(key.name)} ({escape(account)})  {made}, {used}")

    _with_services(run, data)


@keys.command("revoke")
def revoke_key(key: Annotated[UUID, typer.Argument(help="The key's id, from `key list`.")], data: Data = None) -> None:
    """Take a key back: from now on it opens nothing."""

    async def run(services: Services) -> None:
        await services.accounts.revoke(key)
        out.print("revoked")

    _with_services(run, data)


@cli.command()
def request(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="What to ask for, such as /inboxes.")],
    body: Annotated[str | None, typer.Option(help="A JSON body.")] = None,
    url: Annotated[str, typer.Option(help="Where the server is.")] = "http://127.0.0.1:8026",
    key: Annotated[str | None, typer.Option(help="The API key. [POSTHOUSE_API_KEY]")] = None,
) -> None:
    """Ask a running server for something, as curl would, and print its answer."""
    headers = {"x-api-key": key or os.environ.get("POSTHOUSE_API_KEY", ""), "content-type": "application/json"}
    asked = urllib.request.Request(  # noqa: S310 (the operator's own URL)
        url + path, method=method.upper(), headers=headers, data=body.encode() if body else None
    )
    try:
        with urllib.request.urlopen(asked) as answer:  # noqa: S310
            _print_answer(answer.read())
    except urllib.error.HTTPError as error:
        _print_answer(error.read())
        raise typer.Exit(1) from None
    except urllib.error.URLError as error:
        err.print(f"no answer from {escape(url)}: {escape(str(error.reason))}; is `posthouse serve` running?")
        raise typer.Exit(1) from None


def _print_answer(answer: bytes) -> None:
    text = answer.decode(errors="replace")
    with contextlib.suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    out.print(escape(text))


@cli.command("version")
def show_version() -> None:
    """Print the version."""
    out.print(version("posthouse"))


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(place) for place in problem["loc"]).upper()
            err.print(f"POSTHOUSE_{name}: {escape(problem['msg'])}")
        raise typer.Exit(2) from None


def _with_services(do: Callable[[Services], Awaitable[T]], data: Path | None) -> T:
    async def run() -> T:
        async with build(settings).opened() as services:
            return await do(services)

    settings = _settings(data=data)
    set_up_logging(settings.log_json)
    return _run(run())


def _run(work: Coroutine[Any, Any, T]) -> T:
    _keep_large_buffers_apart()
    try:
        return uvloop.run(work)
    except PosthouseError as error:
        err.print(f"error: {escape(error.message)}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _keep_large_buffers_apart() -> None:
    """Have glibc map every block of 128 KiB or more by itself, as it does until the first of them is freed.

    uvloop gives each TLS connection a buffer of 256 KiB, of which a few are ever touched. From a heap that has been
    used before they would be real memory, all of it.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library does as it likes
        ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, 128 * 1024)


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
