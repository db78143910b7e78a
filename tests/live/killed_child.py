"""A process that syncs one connector, and kills itself at a chosen point: POINT AT ADDRESS PASSWORD PORT.

Prints the journal's emails by subject when it lives to the end.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from posthouse.app import build, set_up_logging
from posthouse.config import Settings
from posthouse.model.connectors import ImapSettings, Security
from posthouse.model.values import Secret
from posthouse.remote import wire
from posthouse.services import sync
from posthouse.services.connectors import NewConnector
from posthouse.services.fetching import Batches
from posthouse.store.database import Database, Transaction

sync.LEASE = timedelta(seconds=1)  # the next process need not wait long for what this one leaves behind

POINT, AT, ADDRESS, PASSWORD, PORT = sys.argv[1:]
left = int(AT)


def burn() -> None:
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def make_commits_deadly() -> None:
    real = Database.transaction

    @asynccontextmanager
    async def transaction(self: Database, *, durable: bool = True) -> AsyncIterator[Transaction]:
        async with real(self, durable=durable) as tx:
            yield tx
            if POINT == "before-commit":
                burn()
        if POINT == "after-commit":
            burn()

    Database.transaction = transaction  # type: ignore[method-assign]


def make_transfer_deadly() -> None:
    """Die when bytes have come in, before anything is made of them; they come in small pieces, so that most
    deaths are in the middle of a message."""
    wire._scratch.view = memoryview(bytearray(700))
    real = wire.Wire.buffer_updated

    def buffer_updated(self: wire.Wire, count: int) -> None:
        burn()
        real(self, count)

    wire.Wire.buffer_updated = buffer_updated  # type: ignore[method-assign]


async def main() -> None:
    set_up_logging(json=False)
    app = build(Settings())
    app.services.sync._fetching._batches = Batches(messages=2)
    async with app.opened() as services:
        async with app.database.reading() as tx:
            account = await tx.accounts.by_name("default")
        if account is None:
            account = (await services.accounts.create_key()).account
        connector = await services.connectors.by_name(account.id, "victim")
        if connector is None:
            imap = ImapSettings(
                host="127.0.0.1", port=int(PORT), security=Security.PLAIN, username=ADDRESS, password=Secret(PASSWORD)
            )
            connector = await services.connectors.create(account.id, NewConnector(name="victim", imap=imap))
        match POINT:
            case "before-commit" | "after-commit":
                make_commits_deadly()
            case "transfer":
                make_transfer_deadly()
        outcome = await services.sync.run(account.id, connector.id)
        assert outcome.failure is None, outcome.failure
        async with app.database.reading() as tx:
            for entry in await tx.journal.after(connector.inbox_id, 0, most=10_000):
                assert entry.email_id is not None
                print((await services.mail.get(account.id, entry.email_id)).subject)


asyncio.run(main())
