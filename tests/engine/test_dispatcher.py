"""The engine tells webhooks by itself: woken by commits, within its bounds, and nobody waits for a slow receiver."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from house import Tenant, add_tenant, an_inbox, opened_database
from posthouse.engine.dispatcher import Bounds, Dispatcher
from posthouse.model.mail import Inbox
from posthouse.model.values import Backoff, utc_now
from posthouse.model.webhooks import Answer, Call, EventName, Webhook
from posthouse.services.intake import Incoming, Intake
from posthouse.services.telling import Telling
from posthouse.services.webhooks import NewWebhook, Webhooks
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database

from .conftest import until

QUICK = Backoff(first=timedelta(seconds=0.01), most=timedelta(seconds=0.05))


class Receivers:
    """Many hosts. Those called slow don't answer until they are let go."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.let_go = asyncio.Event()

    async def __call__(self, call: Call) -> Answer:
        host = call.url.split("/")[2]
        self.running[host] += 1
        self.running["all"] += 1
        self.most |= self.running
        try:
            if host.startswith("slow"):
                await self.let_go.wait()
        finally:
            self.running[host] -= 1
            self.running["all"] -= 1
        self.heard.append((host, call.headers["webhook-id"]))
        return Answer(status=200, text="")

    def count(self, host: str) -> int:
        return sum(heard == host for heard, _ in self.heard)


class House:
    def __init__(self, database: Database, tenant: Tenant, blobs: Blobs) -> None:
        self.database = database
        self.tenant = tenant
        self.receivers = Receivers()
        self.webhooks = Webhooks(database, self.receivers, utc_now)
        self._intake = Intake(blobs, utc_now)

    async def hook(self, host: str, inbox: Inbox | None = None) -> Webhook:
        wish = NewWebhook(url=f"https://{host}/in", event=EventName.NEW_EMAIL)
        return await self.webhooks.create(self.tenant.account.id, wish, inbox.id if inbox else None)

    async def inboxes(self, count: int) -> list[Inbox]:
        made = [an_inbox(self.tenant.account, f"{uuid4().hex}@posthouse.example") for _ in range(count)]
        async with self.database.transaction() as tx:
            for inbox in made:
                await tx.inboxes.add(inbox)
        return made

    async def receive(self, inbox: Inbox, count: int = 1) -> None:
        contents = [f"Subject: {uuid4()}\r\n\r\nHello\r\n".encode() for _ in range(count)]
        prepared = await self._intake.prepare([Incoming(content=content, size=len(content)) for content in contents])
        async with self.database.transaction() as tx:
            await self._intake.take_in(tx, self.tenant.account.id, inbox.id, prepared)

    @asynccontextmanager
    async def dispatching(self, bounds: Bounds | None = None) -> AsyncIterator[None]:
        telling = Telling(self.database, self.receivers, utc_now, backoff=QUICK)
        task = asyncio.create_task(Dispatcher(telling, bounds).run())
        try:
            yield
        finally:
            self.receivers.let_go.set()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened_database(database_url) as database:
        yield House(database, await add_tenant(database), Blobs(str(tmp_path / "blobs")))


async def test_what_comes_in_is_told_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posthouse.engine.dispatcher.BEAT", 60.0)
    await house.hook("quick.example")
    async with house.dispatching():
        await asyncio.sleep(0.1)
        await house.receive(house.tenant.inbox, 3)
        await until(lambda: house.receivers.count("quick.example") == 3, "three calls, without waiting for a beat")


async def test_a_slow_receiver_keeps_nobody_waiting(house: House) -> None:
    inboxes = await house.inboxes(12)
    await house.hook("slow.example")
    await house.hook("quick.example")
    async with house.dispatching(Bounds(of_webhook=2, of_host=2, in_all=4)):
        for inbox in inboxes:
            await house.receive(inbox)
        await until(lambda: house.receivers.count("quick.example") == 12, "all for the quick one")
        assert house.receivers.count("slow.example") == 0
        house.receivers.let_go.set()
        await until(lambda: house.receivers.count("slow.example") == 12, "all for the slow one, too")
    assert house.receivers.most["slow.example"] == 2


async def test_there_are_bounds_for_a_host_and_for_all(house: House) -> None:
    inboxes = await house.inboxes(6)
    for name in ("slow-1.example", "slow-1.example", "slow-2.example", "slow-3.example"):
        await house.hook(name)
    async with house.dispatching(Bounds(of_webhook=2, of_host=3, in_all=5)):
        for inbox in inboxes:
            await house.receive(inbox)
        await until(lambda: house.receivers.running["all"] == 5, "as many as there may be")
        await asyncio.sleep(0.1)
        house.receivers.let_go.set()
        await until(lambda: len(house.receivers.heard) == 24, "everything")
    assert house.receivers.most["all"] == 5
    assert house.receivers.most["slow-1.example"] <= 3


async def test_several_processes_tell_each_thing_once(house: House) -> None:
    inboxes = await house.inboxes(10)
    await house.hook("quick.example")
    async with house.dispatching(), house.dispatching(), house.dispatching():
        for inbox in inboxes:
            await house.receive(inbox, 3)
        await until(lambda: len(house.receivers.heard) >= 30, "everything")
        await asyncio.sleep(0.2)
    assert len(house.receivers.heard) == len(set(house.receivers.heard)) == 30


async def test_who_stops_leaves_the_rest_to_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posthouse.engine.dispatcher._GOODBYES", 0.05)
    await house.hook("slow.example")
    telling = Telling(house.database, house.receivers, utc_now, backoff=QUICK)
    first = asyncio.create_task(Dispatcher(telling).run())
    await house.receive(house.tenant.inbox)
    await until(lambda: house.receivers.running["slow.example"] == 1, "a call under way")
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    house.receivers.let_go.set()
    async with house.dispatching():
        await until(lambda: len(house.receivers.heard) == 1, "another process")
