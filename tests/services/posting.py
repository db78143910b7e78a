"""A house that sends: the whole of it in this process, with a mail provider beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from house import sqlite_in
from mailboxes import both_ways
from posthouse.app import App, build
from posthouse.config import Settings
from posthouse.model.accounts import Account
from posthouse.model.connectors import Connector
from posthouse.model.events import Entry
from posthouse.model.mail import Email, EmailQuery, Inbox, Outgoing, SentEmail
from posthouse.model.values import InboxId, Slice, utc_now
from posthouse.services import Services
from posthouse.services.connectors import NewConnector
from posthouse.services.inboxes import NewInbox
from posthouse.simulator import Provider

PASSWORD = "a password"
DOMAIN = "posthouse.localhost"


class MovedClock:
    """The time, and what it was moved on by."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass
class Post:
    """The house and its provider; `account` is somebody who has nothing yet."""

    app: App
    provider: Provider
    account: Account
    clock: "MovedClock"

    @property
    def services(self) -> Services:
        return self.app.services

    async def inbox(self, local: str = "", account: Account | None = None, **wish: Any) -> Inbox:
        """An inbox without a connector, with this name before the @ of our domain."""
        address = f"{local}@{DOMAIN}" if local else None
        owner = account or self.account
        return await self.services.inboxes.create(owner.id, NewInbox(email_address=address, **wish))

    async def connector(self, name: str = "ann", *, imap: bool = True, **smtp: Any) -> Connector:
        """A connector to a new mailbox at the provider."""
        address = f"{name}@provider.example"
        self.provider.add_user(address, PASSWORD)
        by_imap, by_smtp = both_ways(self.provider, address, PASSWORD, **smtp)
        wish = NewConnector(name=name, email_address=address, imap=by_imap if imap else None, smtp=by_smtp)
        return await self.services.connectors.create(self.account.id, wish)

    async def send(self, inbox: InboxId, *to: str, **wish: Any) -> SentEmail:
        outgoing = Outgoing(to=to, **{"subject": "S", "body": "B", **wish})
        return await self.services.sending.send_from_inbox(self.account.id, inbox, outgoing)

    async def queue(self, inbox: InboxId, *to: str, **wish: Any) -> SentEmail:
        outgoing = Outgoing(to=to, **{"subject": "S", "body": "B", **wish})
        return await self.services.sending.queue(self.account.id, inbox, outgoing)

    async def work(self, after: timedelta = timedelta()) -> None:
        """Do, one after the other, all that the outbox has to do after so long."""
        self.clock.ahead += after
        while claimed := await self.services.outbox.claim(10):
            for errand, sent in claimed:
                await self.services.outbox.run(errand, sent)

    async def work_it_off(self) -> None:
        """Let two days pass, in which the outbox does what it has to."""
        for _ in range(60):
            await self.work(timedelta(minutes=50))

    async def now(self, sent: SentEmail) -> SentEmail:
        """How far it has come."""
        return await self.services.sent.get(self.account.id, sent.id)

    async def emails(self, inbox: Inbox) -> list[Email]:
        query = EmailQuery(slice=Slice(size=1000), inbox_ids=(inbox.id,))
        return list((await self.services.mail.page(inbox.account_id, query)).items)

    async def journal(self, inbox: InboxId) -> list[Entry]:
        async with self.app.database.reading() as tx:
            return await tx.journal.after(inbox, 0, most=1000)


@asynccontextmanager
async def a_post(data: Path, **settings: Any) -> AsyncIterator[Post]:
    provider = Provider()
    await provider.start()
    clock = MovedClock()
    if "database_url" not in settings:
        sqlite_in(data)
    app = build(Settings(data=data, egress_allow=(ip_network("127.0.0.0/8"),), **settings), now=clock)
    try:
        async with app.opened() as services:
            key = await services.accounts.create_key(account="somebody")
            yield Post(app, provider, key.account, clock)
    finally:
        await provider.stop()
