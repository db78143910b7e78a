"""What a process does that syncs one connector and kills itself at a chosen point."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from posthouse.app import build
from posthouse.config import Settings
from posthouse.model.connectors import ImapSettings, Security
from posthouse.model.values import Secret
from posthouse.remote import wire
from posthouse.services import sync
from posthouse.services.connectors import NewConnector
from posthouse.services.fetching import Batches

from .fuses import Fuse, make_commits_deadly


@dataclass(frozen=True)
class Deed:
    """Sync, and die at the `at`-th time that `point` is passed. With an empty `point`, live, and write down the
    subjects of what has arrived, in `data / "subjects"`."""

    data: Path
    address: str
    password: str
    imap_port: int
    point: str = ""
    at: int = 0


def make_transfer_deadly(fuse: Fuse) -> None:
    """Die when bytes have come in, before anything is made of them; they come in small pieces, so that most
    deaths are in the middle of a message."""
    wire._scratch.view = memoryview(bytearray(700))
    heard = wire.Wire.buffer_updated

    def buffer_updated(self: wire.Wire, count: int) -> None:
        fuse.burn()
        heard(self, count)

    wire.Wire.buffer_updated = buffer_updated  # type: ignore[method-assign]


def do(deed: Deed) -> None:
    """In a process of its own."""
    asyncio.run(_do(deed))


async def _do(deed: Deed) -> None:
    sync.LEASE = timedelta(seconds=1)  # the next process need not wait long for what this one leaves behind
    app = build(Settings(data=deed.data, egress_allow=(ip_network("127.0.0.0/8"),)))
    app.services.sync._fetching._batches = Batches(messages=2)
    async with app.opened() as services:
        account = (await services.accounts.create_key()).account
        connector = await services.connectors.by_name(account.id, "victim")
        if connector is None:
            imap = ImapSettings(
                host="127.0.0.1",
                port=deed.imap_port,
                security=Security.PLAIN,
                username=deed.address,
                password=Secret(deed.password),
            )
            connector = await services.connectors.create(account.id, NewConnector(name="victim", imap=imap))
        fuse = Fuse(deed.at)
        if deed.point.endswith("commit"):
            make_commits_deadly(deed.point, fuse)
        elif deed.point:
            make_transfer_deadly(fuse)
        outcome = await services.sync.run(account.id, connector.id)
        assert outcome.failure is None, outcome.failure
        subjects = []
        async with app.database.reading() as tx:
            for entry in await tx.journal.after(connector.inbox_id, 0, most=10_000):
                assert entry.email_id is not None
                subjects.append((await services.mail.get(account.id, entry.email_id)).subject)
        (deed.data / "subjects").write_text("\n".join(subjects))
