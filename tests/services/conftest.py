"""Services over a real SQLite database and a real directory of packs; only the external server is made up."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from house import Tenant, TurnedClock, add_tenant, opened_database, sqlite_in
from posthouse.model.connectors import Connector, ImapSettings, Security
from posthouse.model.events import ConnectorEvent, Entry
from posthouse.model.mail import Email, EmailQuery
from posthouse.model.sync import SyncOutcome
from posthouse.model.values import Slice
from posthouse.services.connectors import Connectors, NewConnector
from posthouse.services.fetching import Batches
from posthouse.services.inboxes import Inboxes
from posthouse.services.intake import Intake
from posthouse.services.mail import Mail
from posthouse.services.sync import Sync
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database

from .fakes import FakeServer


@dataclass
class House:
    """A connector to the fake server, and the services around it."""

    database: Database
    blobs: Blobs
    tenant: Tenant
    connector: Connector
    server: FakeServer
    clock: TurnedClock
    connectors: Connectors
    inboxes: Inboxes
    mail: Mail

    async def sync(self, **options: object) -> SyncOutcome:
        """One run, by a process that has just started."""
        batches = Batches(messages=3, first_sync=options.pop("first_sync", None))  # type: ignore[arg-type]
        sync = Sync(self.database, Intake(self.blobs, self.clock), self.server.open, self.clock, batches)
        return await sync.run(self.tenant.account.id, self.connector.id, **options)  # type: ignore[arg-type]

    async def emails(self) -> list[Email]:
        page = await self.mail.page(self.tenant.account.id, EmailQuery(slice=Slice(size=1000)))
        return list(page.items)

    async def raw(self) -> list[bytes]:
        """The emails' bytes, in order of arrival."""
        return [await self.mail.raw(self.tenant.account.id, email.id) for email in await self.emails()]

    async def journal(self) -> list[Entry]:
        async with self.database.reading() as tx:
            return await tx.journal.after(self.tenant.inbox.id, 0, most=1000)

    async def events(self) -> list[ConnectorEvent]:
        return list((await self.connectors.events(self.tenant.account.id, Slice(size=1000))).items)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    server, clock = FakeServer(), TurnedClock()
    async with opened_database(sqlite_in(tmp_path)) as database:
        tenant = await add_tenant(database)
        blobs = Blobs(str(tmp_path / "blobs"))

        async def no_submission(*_: object) -> None:
            raise AssertionError("nothing is sent here")

        connectors = Connectors(database, server.open, no_submission, lambda _: None, "posthouse.example", clock)  # type: ignore[arg-type]
        imap = ImapSettings(host="fake", port=993, security=Security.TLS)
        wish = NewConnector(name="fake", email_address="ann@example.org", imap=imap)
        connector = await connectors.create(tenant.account.id, wish, tenant.inbox.id)
        yield House(
            database=database,
            blobs=blobs,
            tenant=tenant,
            connector=connector,
            server=server,
            clock=clock,
            connectors=connectors,
            inboxes=Inboxes(database, blobs, "posthouse.example", clock),
            mail=Mail(database, blobs, clock),
        )
