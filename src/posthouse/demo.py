"""`posthouse demo`: the whole house on one machine, with a mail provider of its own to play with."""

import asyncio
import contextlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from posthouse.app import build, serving, set_up_logging
from posthouse.config import Settings
from posthouse.model.accounts import Account
from posthouse.model.connectors import Connector, ImapSettings, Security, SmtpSettings, SyncSettings
from posthouse.model.values import Secret
from posthouse.services import Services
from posthouse.services.connectors import NewConnector
from posthouse.simulator.demo_mail import demo_messages
from posthouse.simulator.server import Provider

ADDRESS = "ann@demo.example"
PASSWORD = "demo password"  # noqa: S105 (of a mailbox that lives in this process)
PAUSE = 4.0  # seconds between the mails that arrive while one watches


async def run_demo(out: Console, port: int, data: Path | None, told_to_stop: Callable[[], Awaitable[None]]) -> None:
    """Start everything, print how to play with it, and go on until asked to stop."""
    set_up_logging(json=False)
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="posthouse-demo-")))
        settings = Settings(
            data=folder, host="127.0.0.1", port=port, database_url="sqlite", egress_allow=(ip_network("127.0.0.0/8"),)
        )
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        with Progress(*columns, console=out, transient=True) as progress:
            step = progress.add_task("Starting a mail provider …", total=None)
            provider = Provider()
            provider.add_user(ADDRESS, PASSWORD)
            await provider.start()
            messages = demo_messages(ADDRESS, datetime.now(UTC))
            for message in messages[:3]:
                provider.deliver(ADDRESS, message)
            try:
                progress.update(step, description="Building the house …")
                app = build(settings)
                async with app.opened() as services, app.looking_after(), serving(app) as url:
                    progress.update(step, description="Linking a connector to the mailbox …")
                    made = await services.accounts.create_key("demo")
                    connector = await _link(services, made.account, provider)
                    progress.stop()
                    link = await services.logins.link(made.account.id)
                    _explain(out, url, made.secret, link.secret, connector)
                    arriving = asyncio.create_task(_arrive(provider, messages[3:], out))
                    await told_to_stop()
                    arriving.cancel()
            finally:
                await provider.stop()


async def _link(services: Services, account: Account, provider: Provider) -> Connector:
    found = await services.connectors.by_name(account.id, "demo")
    if found is not None:
        await services.connectors.delete(account.id, found.id)  # yesterday's provider had other ports
    where = {"host": "127.0.0.1", "security": Security.PLAIN, "username": ADDRESS, "password": Secret(PASSWORD)}
    wish = NewConnector(
        name="demo",
        email_address=ADDRESS,
        imap=ImapSettings(port=provider.imap_port, **where),  # type: ignore[arg-type]
        smtp=SmtpSettings(port=provider.smtp_port, **where),  # type: ignore[arg-type]
        sync=SyncSettings(enabled=True),
    )
    return await services.connectors.create(account.id, wish)


def _explain(out: Console, url: str, key: Secret, link: Secret, connector: Connector) -> None:
    shown = key.reveal()
    mail = _command(url, shown, "GET", f"/inboxes/{connector.inbox_id}/emails")
    wait = _command(url, shown, "GET", f"/waitForLatestEmail?inboxId={connector.inbox_id}&unreadOnly=true")
    body = f'{{"to": ["{ADDRESS}"], "subject": "Hello from Posthouse", "body": "It works."}}'
    send = _command(url, shown, "POST", f"/connectors/{connector.id}/send", body)
    sync = _command(url, shown, "POST", f"/connectors/{connector.id}/sync?logging=true")
    out.print(
        "[bold]Posthouse is running.[/] A connector is linked to the mailbox "
        + ADDRESS
        + ", whose mail comes in by itself.\n"
    )
    for name, value in (
        ("Dashboard", f"{url}/ui/sign-in/{link.reveal()}"),
        ("", "(signs a browser in, once)"),
        ("API", url),
        ("API key", shown),
        ("API documentation", url + "/docs"),
    ):
        out.print(f"  {name:<18} {value}")
    for what, command in (
        ("List the mail", mail),
        ("Wait for unread mail", wait),
        ("Send through the mailbox, to itself: it comes back in a moment", send),
        ("Ask the mailbox for news, and see the conversation", sync),
    ):
        out.print(f"\n{what}:\n  {command}", markup=False)
    out.print("\nMore mail arrives in the next half minute. Ctrl-C ends the demo.")


def _command(url: str, key: str, method: str, path: str, body: str | None = None) -> str:
    """The call as a command that runs on this machine as it is: by curl, or by ourselves where there is none."""
    if shutil.which("curl"):
        words = ["curl", "-s", "-X", method, "-H", f"x-api-key: {key}", url + path]
        words += ["-H", "content-type: application/json", "-d", body] if body else []
    else:
        words = [sys.argv[0], "request", method, path, "--url", url, "--key", key]
        words += ["--body", body] if body else []
    return shlex.join(words)


async def _arrive(provider: Provider, messages: list[bytes], out: Console) -> None:
    for message in messages:
        await asyncio.sleep(PAUSE)
        provider.deliver(ADDRESS, message)
        out.print("  (a mail has just arrived at the mailbox)")
