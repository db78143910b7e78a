"""Who is ready at the same moment shares a transaction: each is filed, or marked, once, or fails for itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from house import START, Tenant, TurnedClock, add_tenant, an_inbox, opened_database
from posthouse.model.connectors import Connector, ImapSettings, Security
from posthouse.model.errors import Conflict, Unavailable
from posthouse.model.events import Happening
from posthouse.model.mail import EmailQuery
from posthouse.model.sync import SyncOutcome
from posthouse.model.values import AccountId, InboxId, Slice
from posthouse.services.budget import forget_usage
from posthouse.services.connectors import Connectors, NewConnector
from posthouse.services.desk import Session
from posthouse.services.intake import Intake
from posthouse.services.mail import Mail
from posthouse.services.sync import Asked, Sync
from posthouse.services.together import Together
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction
from posthouse.store.tables import accounts, usage

from .fakes import FakeServer, Killed, a_message

ASKED = Asked(by_itself=True)


@dataclass
class Keeper:
    """Somebody with a connector, whose session is kept."""

    server: FakeServer
    connector: Connector
    session: Session


@dataclass
class Village:
    database: Database
    tenant: Tenant
    sync: Sync
    mail: Mail
    clock: TurnedClock
    keepers: list[Keeper] = field(default_factory=list)

    async def told(self, keeper: Keeper) -> SyncOutcome:
        return await self.sync.take_told(keeper.session, keeper.connector, ASKED)

    async def raw(self, inbox: InboxId) -> list[bytes]:
        page = await self.mail.page(self.tenant.account.id, EmailQuery(slice=Slice(), inbox_ids=(inbox,)))
        return [await self.mail.raw(self.tenant.account.id, email.id) for email in page.items]

    async def arrived_once(self, keeper: Keeper, numbers: Sequence[int]) -> None:
        inbox = keeper.connector.inbox_id
        assert await self.raw(inbox) == [a_message(number) for number in numbers]
        async with self.database.reading() as tx:
            entries = await tx.journal.after(inbox, 0)
            stands = await tx.standings.get(keeper.connector.id)
        assert [entry.position for entry in entries] == list(range(1, len(numbers) + 1))
        assert (stands.last_uid or 0) == keeper.server.next_uid - 1


@pytest.fixture
async def village(database_url: str, tmp_path: Path) -> AsyncIterator[Village]:
    """Five keepers, each with a message that has been synced."""
    clock = TurnedClock()
    async with opened_database(database_url) as database, AsyncExitStack() as stack:
        tenant = await add_tenant(database)
        blobs = Blobs(str(tmp_path / "blobs"))
        servers: dict[str, FakeServer] = {}

        async def open_(settings: ImapSettings, transcript: object) -> object:
            return await servers[settings.host].open(settings, transcript)  # type: ignore[arg-type]

        sync = Sync(database, Intake(blobs, clock), open_, clock)  # type: ignore[arg-type]
        connectors = Connectors(database, open_, None, lambda _: None, "posthouse.example", clock)  # type: ignore[arg-type]
        village = Village(database, tenant, sync, Mail(database, blobs, clock), clock)
        for number in range(5):
            inbox = an_inbox(tenant.account, f"keeper{number}@posthouse.example")
            async with database.transaction() as tx:
                await tx.inboxes.add(inbox)
            host = f"server{number}"
            servers[host] = FakeServer()
            servers[host].add(a_message(0))
            imap = ImapSettings(host=host, port=993, security=Security.TLS)
            connector = await connectors.create(tenant.account.id, NewConnector(name=host, imap=imap), inbox.id)
            session = await stack.enter_async_context(sync.session(connector))
            await sync.run_in(session, connector, ASKED)
            village.keepers.append(Keeper(servers[host], connector, session))
        yield village


@pytest.fixture
def groups(village: Village, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were in each transaction that files pushes."""
    sizes: list[int] = []
    real = village.sync._pushes._work

    async def file(tx: Transaction, pushes: Sequence[object]) -> Sequence[object]:
        sizes.append(len(pushes))
        return await real(tx, pushes)  # type: ignore[arg-type]

    monkeypatch.setattr(village.sync._pushes, "_work", file)
    return sizes


@asynccontextmanager
async def held(together: Together[Any, Any], count: int) -> AsyncIterator[None]:
    """All places for transactions are taken, until the block is done and so many have gathered."""
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(together._places)
        yield
        async with asyncio.timeout(10):
            while len(together._gathering or ()) < count:
                await asyncio.sleep(0.001)


async def told_together(village: Village) -> list[SyncOutcome]:
    async with held(village.sync._pushes, 5):
        told = asyncio.gather(*map(village.told, village.keepers))
    return await told


async def test_who_is_ready_at_the_same_moment_shares_a_transaction(village: Village, groups: list[int]) -> None:
    for place, keeper in enumerate(village.keepers):
        keeper.server.add(*(a_message(1 + number) for number in range(1 + place % 2)))
    outcomes = await told_together(village)
    assert groups == [5]
    assert [(len(one.email_ids), one.failure) for one in outcomes] == [(1, None), (2, None)] * 2 + [(1, None)]
    for place, keeper in enumerate(village.keepers):
        await village.arrived_once(keeper, range(2 + place % 2))


async def test_nobody_waits_for_company(village: Village, groups: list[int]) -> None:
    village.keepers[0].server.add(a_message(1))
    assert len((await village.told(village.keepers[0])).email_ids) == 1
    assert groups == [1]


async def test_of_a_group_those_are_left_out_that_somebody_else_syncs_or_has_synced(village: Village) -> None:
    elsewhere = Sync(village.database, village.sync._fetching._intake, village.sync._open_mailbox, village.clock)
    for keeper in village.keepers:
        keeper.server.add(a_message(1))
    under_way, synced = village.keepers[0].connector, village.keepers[1].connector
    await elsewhere.run(synced.account_id, synced.id)
    async with village.database.transaction() as tx:
        assert await tx.claims.lease(under_way.id, uuid4(), timedelta(milliseconds=200), village.clock())
    outcomes = await told_together(village)
    assert [one.failure for one in outcomes] == [None] * 5
    assert [len(one.email_ids) for one in outcomes] == [1, 0, 1, 1, 1]
    for keeper in village.keepers:
        await village.arrived_once(keeper, range(2))


async def test_what_each_has_fetched_is_counted_by_the_day(village: Village) -> None:
    async def used() -> set[tuple[date, int]]:
        async with village.database.reading() as tx:
            return {(row.day, row.bytes) for row in await tx.connection.execute(sa.select(usage))}

    size, today = len(a_message(0)), village.clock().date()
    for day, count in ((today, 2), (today, 3), (today + timedelta(days=1), 1)):
        village.clock.turn(day - village.clock().date())
        for keeper in village.keepers:
            keeper.server.add(a_message(keeper.server.next_uid - 1))
        await told_together(village)
        assert (day, count * size) in await used()
    assert await forget_usage(village.database, village.clock) == 5
    assert await used() == {(day, size)}


async def test_who_is_gone_meanwhile_takes_nobody_along(village: Village) -> None:
    for keeper in village.keepers:
        keeper.server.add(a_message(1))
    async with held(village.sync._pushes, 5):
        told = [asyncio.create_task(village.told(keeper)) for keeper in village.keepers]
    told[0].cancel()
    await asyncio.gather(*told, return_exceptions=True)
    for keeper in village.keepers:
        await village.arrived_once(keeper, range(2))


async def test_what_is_opened_by_many_at_once_is_marked_as_read_once(village: Village) -> None:
    page = await village.mail.page(village.tenant.account.id, EmailQuery(slice=Slice()))
    emails = [*page.items, *page.items]
    async with held(village.mail._opened, len(emails)):
        opened = asyncio.gather(*(village.mail.open_found(email, mark_read=True) for email in emails))
    assert [one.email.read for one in await opened] == [True] * 10
    assert await village.mail.count(village.tenant.account.id, unread_only=True) == 0
    async with village.database.reading() as tx:
        for keeper in village.keepers:
            entries = await tx.journal.after(keeper.connector.inbox_id, 0)
            assert [entry.happening for entry in entries] == [Happening.EMAIL_RECEIVED, Happening.EMAIL_READ]


async def named(tx: Transaction, names: Sequence[str]) -> list[AccountId]:
    """A new account for each of these names, which must be unique."""
    ids = [AccountId(uuid4()) for _ in names]
    for id_, name in zip(ids, names, strict=True):
        await tx.connection.execute(sa.insert(accounts).values(id=id_, name=name, created_at=START))
    return ids


async def test_what_can_not_be_opened_stays_unread(village: Village) -> None:
    account, inbox = village.tenant.account.id, village.keepers[0].connector.inbox_id
    query = EmailQuery(slice=Slice(), inbox_ids=(inbox,))
    [email] = (await village.mail.page(account, query)).items
    await village.mail._blobs.remove([email.stored.pack])
    with pytest.raises(FileNotFoundError):
        await village.mail.open(account, email.id, mark_read=True)
    [email] = (await village.mail.page(account, query)).items
    assert not email.read


async def test_one_that_fails_fails_alone(village: Village) -> None:
    together = Together(village.database, named)
    results = await asyncio.gather(*map(together.do, ("a", "b", "a", "c")), return_exceptions=True)
    async with village.database.reading() as tx:
        there = [await tx.accounts.by_name(name) for name in "abc"]
    assert [one and one.id for one in there] == [results[0], results[1], results[3]]
    assert isinstance(results[2], Conflict)


async def test_who_waits_dies_by_what_ends_the_process(village: Village) -> None:
    async def die(_tx: Transaction, _some: Sequence[int]) -> list[int]:
        raise Killed

    together = Together(village.database, die)
    results = await asyncio.gather(*map(together.do, range(2)), return_exceptions=True)
    assert [type(one) for one in results] == [Killed] * 2


async def test_a_group_has_its_bounds(village: Village) -> None:
    sizes = []

    async def count(_tx: Transaction, some: Sequence[int]) -> list[int]:
        sizes.append(len(some))
        return [2 * one for one in some]

    together = Together(village.database, count, most=3)
    assert await asyncio.gather(*map(together.do, range(8))) == list(range(0, 16, 2))
    assert sorted(sizes) == [2, 3, 3]


async def test_without_a_database_all_are_told_so_and_the_next_begin_anew(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    @asynccontextmanager
    async def none(*, durable: bool) -> AsyncIterator[Transaction]:
        nonlocal tries
        tries += 1
        raise Unavailable("the database does not answer")
        yield

    together = Together(village.database, named)
    with monkeypatch.context() as gone:
        gone.setattr(village.database, "transaction", none)
        results = await asyncio.gather(*map(together.do, ("a", "b", "c")), return_exceptions=True)
    assert [type(one) for one in results] == [Unavailable] * 3
    assert tries == 1
    async with asyncio.timeout(10):
        assert await together.do("d")
