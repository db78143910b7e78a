"""What a process does that sends one email and kills itself at a chosen point. Run by forks of one that has imported
everything, so that many deaths cost little."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from posthouse.app import build
from posthouse.config import Settings
from posthouse.model.accounts import Account
from posthouse.model.connectors import Connector, ImapSettings, Security, SmtpSettings
from posthouse.model.errors import PosthouseError
from posthouse.model.mail import Outgoing
from posthouse.model.values import Secret
from posthouse.remote import wire
from posthouse.services import Services, delivering, outbox, sentfolder
from posthouse.services.connectors import NewConnector
from posthouse.services.sending import Wish

from .fuses import Fuse, make_commits_deadly

BOB = "bob@elsewhere.example"


@dataclass(frozen=True)
class Deed:
    """Send the email of this number, by the queue or while one waits; die at the `at`-th time that `point` is passed.
    With an empty `point`, live, and see to what others have left behind."""

    data: Path
    database_url: str
    address: str
    password: str
    imap_port: int
    smtp_port: int
    number: int
    queued: bool
    point: str = ""
    at: int = 0


def make_the_wire_deadly(point: str, fuse: Fuse) -> None:
    """Die before or after something is said to the server, or when it has answered, before that is looked at."""
    heard = wire.Wire.buffer_updated

    def buffer_updated(self: wire.Wire, count: int) -> None:
        if point == "before an answer is read":
            fuse.burn()
        heard(self, count)

    wire.Wire.buffer_updated = buffer_updated  # type: ignore[method-assign]
    made = wire.Wire.connection_made

    def connection_made(self: wire.Wire, transport: Any) -> None:
        said = transport.write

        class Telltale:
            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

            def write(self, data: bytes) -> None:
                if point == "before something is said":
                    fuse.burn()
                said(data)
                if point == "after something is said":
                    fuse.burn()

        made(self, Telltale())  # type: ignore[arg-type]

    wire.Wire.connection_made = connection_made  # type: ignore[method-assign]


def do(deed: Deed) -> None:
    """In a process of its own."""
    asyncio.run(_do(deed))


async def _do(deed: Deed) -> None:
    # What takes a minute in life takes a second here.
    outbox.CLAIM = timedelta(seconds=1)
    delivering.FIRST_LOOK = timedelta(seconds=0.1)
    delivering.COPY_AFTER = timedelta()
    sentfolder.LOOKS = (timedelta(seconds=0.1),) * 2
    app = build(Settings(data=deed.data, database_url=deed.database_url, egress_allow=(ip_network("127.0.0.0/8"),)))
    async with app.opened() as services:
        account, connector = await _established(services, deed)
        fuse = Fuse(deed.at)
        if deed.point.endswith("commit"):
            make_commits_deadly(deed.point, fuse)
        elif deed.point:
            make_the_wire_deadly(deed.point, fuse)
        else:
            await _work(services, patiently=True)
        letter = Outgoing(to=(BOB,), subject=f"Number {deed.number}", body="B" * 5000)
        key = f"key {deed.number}"
        if deed.queued:
            await services.sending.queue(account.id, connector.inbox_id, letter, Wish(key=key))
        else:
            try:
                await services.sending.send_from_inbox(account.id, connector.inbox_id, letter, key=key)
            except PosthouseError as error:
                (deed.data / "failure").write_text(error.message)
        await _work(services, patiently=not deed.point)
        if not deed.point:
            async with app.database.reading() as tx:
                [part] = await tx.outbox.parts(account.id, key)
                sent = await tx.sent.by_id(part.sent_id)
            assert sent is not None
            (deed.data / "state").write_text(sent.state)


async def _established(services: Services, deed: Deed) -> tuple[Account, Connector]:
    key = await services.accounts.create_key()
    connector = await services.connectors.by_name(key.account.id, "sender")
    if connector is None:
        common: dict[str, Any] = {
            "host": "127.0.0.1",
            "security": Security.PLAIN,
            "username": deed.address,
            "password": Secret(deed.password),
        }
        wish = NewConnector(
            name="sender",
            email_address=deed.address,
            imap=ImapSettings(port=deed.imap_port, **common),
            smtp=SmtpSettings(port=deed.smtp_port, **common),
        )
        connector = await services.connectors.create(key.account.id, wish)
    return key.account, connector


async def _work(services: Services, *, patiently: bool) -> None:
    """Do what the outbox has to do; patiently, also what is due in a moment."""
    while (rest := await services.outbox.rest()) is not None:
        if rest > timedelta():
            if not patiently:
                return
            await asyncio.sleep(rest.total_seconds() + 0.02)
        for errand, sent in await services.outbox.claim(10):
            await services.outbox.run(errand, sent)
