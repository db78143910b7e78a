"""What a process does that receives mail and tells webhooks, until it is killed or all is done."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from posthouse.app import build
from posthouse.config import Settings
from posthouse.engine import dispatcher
from posthouse.engine.dispatcher import Dispatcher
from posthouse.model.accounts import Account
from posthouse.model.values import Backoff, InboxId, Slice, utc_now
from posthouse.model.webhooks import EventName, WebhookQuery
from posthouse.services import telling
from posthouse.services.inboxes import NewInbox
from posthouse.services.intake import Incoming, Intake
from posthouse.services.telling import Telling
from posthouse.services.webhooks import NewWebhook
from posthouse.store.database import Database

INBOXES = 6


@dataclass(frozen=True)
class Deed:
    """Receive so many emails in each inbox, going on where the one before was killed, and tell of them. With none,
    only tell. `patience` is how many seconds a message is tried for."""

    data: Path
    database_url: str
    webhook_url: str
    emails: int = 0
    patience: float = 2.0


def do(deed: Deed) -> None:
    """In a process of its own."""
    asyncio.run(_do(deed))


async def _do(deed: Deed) -> None:
    # Pauses are short, so that much happens.
    telling.LEASE = timedelta(seconds=2)
    dispatcher.BEAT = 0.2
    app = build(Settings(data=deed.data, database_url=deed.database_url, egress_allow=(ip_network("127.0.0.0/8"),)))
    async with app.opened() as services:
        async with app.database.reading() as tx:
            account = await tx.accounts.by_name("default")
        if account is None:
            account = (await services.accounts.create_key()).account
            for _ in range(INBOXES):
                await services.inboxes.create(account.id, NewInbox())
            await services.webhooks.create(account.id, NewWebhook(url=deed.webhook_url, event=EventName.NEW_EMAIL))
        backoff = Backoff(first=timedelta(seconds=0.05), most=timedelta(seconds=0.2))
        poster = services.webhooks._poster
        patience = timedelta(seconds=deed.patience)
        teller = Telling(app.database, poster, utc_now, backoff=backoff, patience=patience)
        task = asyncio.create_task(Dispatcher(teller).run())
        inboxes = await services.inboxes.addresses(account.id)
        intake = Intake(app.blobs, utc_now)
        await asyncio.gather(*(_receive(app.database, intake, account, *inbox, deed.emails) for inbox in inboxes))
        while True:
            async with app.database.reading() as tx:
                if not await tx.lanes.open_lanes(account.id) and not await tx.lanes.has_news():
                    break
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await services.webhooks.page(account.id, WebhookQuery(slice=Slice()))).total == 1


async def _receive(
    database: Database, intake: Intake, account: Account, inbox: InboxId, address: str, emails: int
) -> None:
    """What this inbox has not received yet, one after another."""
    async with database.reading() as tx:
        first = await tx.journal.position(inbox)
    for number in range(first, emails):
        content = f"Subject: {address} {number}\r\n\r\nHello\r\n".encode()
        prepared = await intake.prepare([Incoming(content=content, size=len(content))])
        async with database.transaction() as tx:
            await intake.take_in(tx, account.id, inbox, prepared)
        await asyncio.sleep(0.02)
