"""A process that receives mail and tells webhooks, until it is killed or all is done: EMAILS PATIENCE URL INBOXES.

It goes on where the one before it was killed. With no EMAILS it only tells. Pauses are short, so that much happens.
"""

import asyncio
import sys
from datetime import timedelta

from posthouse.app import build, set_up_logging
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

telling.LEASE = timedelta(seconds=2)
dispatcher.BEAT = 0.2

EMAILS, PATIENCE, URL, INBOXES = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4])


async def main() -> None:
    set_up_logging(json=False)
    app = build(Settings())
    async with app.opened() as services:
        async with app.database.reading() as tx:
            account = await tx.accounts.by_name("default")
        if account is None:
            account = (await services.accounts.create_key()).account
            for _ in range(INBOXES):
                await services.inboxes.create(account.id, NewInbox())
            await services.webhooks.create(account.id, NewWebhook(url=URL, event=EventName.NEW_EMAIL))
        backoff = Backoff(first=timedelta(seconds=0.05), most=timedelta(seconds=0.2))
        poster = services.webhooks._poster
        telling = Telling(app.database, poster, utc_now, backoff=backoff, patience=timedelta(seconds=PATIENCE))
        task = asyncio.create_task(Dispatcher(telling).run())
        inboxes = await services.inboxes.addresses(account.id)
        intake = Intake(app.blobs, utc_now)
        await asyncio.gather(*(receive(app.database, intake, account, *inbox) for inbox in inboxes))
        while True:
            async with app.database.reading() as tx:
                if not await tx.lanes.open_lanes(account.id) and not await tx.lanes.has_news():
                    break
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await services.webhooks.page(account.id, WebhookQuery(slice=Slice()))).total == 1


async def receive(database: Database, intake: Intake, account: Account, inbox: InboxId, address: str) -> None:
    """What this inbox has not received yet, one after another."""
    async with database.reading() as tx:
        first = await tx.journal.position(inbox)
    for number in range(first, EMAILS):
        content = f"Subject: {address} {number}\r\n\r\nHello\r\n".encode()
        prepared = await intake.prepare([Incoming(content=content, size=len(content))])
        async with database.transaction() as tx:
            await intake.take_in(tx, account.id, inbox, prepared)
        await asyncio.sleep(0.02)


asyncio.run(main())
