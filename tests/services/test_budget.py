"""What is asked of a mailbox in a day: counted as it is said, written down with what is written anyway, and bounded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from house import Tenant, TurnedClock, add_tenant, opened_database
from posthouse.model.budgets import NOTHING_USED, Budget, Usage
from posthouse.model.connectors import Connector, ImapSettings, Security
from posthouse.model.events import Transcript
from posthouse.model.values import ConnectorId, Secret, new_id
from posthouse.remote.egress import Egress
from posthouse.remote.mailbox import open_mailbox
from posthouse.services import budget as budget_module
from posthouse.services.connectors import Connectors, NewConnector
from posthouse.services.intake import Intake
from posthouse.services.sync import Asked, Sync
from posthouse.services.visiting import Visits
from posthouse.services.watching import Watching
from posthouse.simulator import Provider
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database

from .fakes import FakeMailbox, FakeServer, a_message

ASKED = Asked(by_itself=True)
ADDRESS, PASSWORD = "ann@post.example", "sesame"


@dataclass
class House:
    """A connector to a mailbox of the simulated provider."""

    database: Database
    tenant: Tenant
    clock: TurnedClock
    sync: Sync
    connectors: Connectors
    watching: Watching
    provider: Provider
    connector: Connector

    async def used(self) -> Usage:
        """What is written down for today."""
        return (await self.watching.report(self.tenant.account.id, self.connector.id)).today

    async def run(self) -> list[str]:
        """A sync in a session of its own; its conversation."""
        outcome = await self.sync.run(self.tenant.account.id, self.connector.id, logging=True)
        return list(outcome.logs or ())

    async def change(self, password: str) -> ImapSettings:
        """Other credentials from now on."""
        changed = await self.connectors.change_imap(
            self.tenant.account.id, self.connector.id, lambda present: replace(present, password=Secret(password))
        )
        return changed.settings

    def deliver(self, message: bytes) -> None:
        self.provider.deliver(ADDRESS, message)


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    provider, clock = Provider(), TurnedClock()
    provider.add_user(ADDRESS, PASSWORD)
    await provider.start()
    opening = partial(open_mailbox, egress=Egress.allowing(["127.0.0.0/8"]))
    async with opened_database(database_url) as database:
        tenant = await add_tenant(database)
        sync = Sync(database, Intake(Blobs(str(tmp_path / "blobs")), clock), opening, clock)
        connectors = Connectors(database, opening, None, lambda _: None, "posthouse.example", clock)  # type: ignore[arg-type]
        imap = ImapSettings(
            host="127.0.0.1",
            port=provider.imap_port,
            security=Security.PLAIN,
            username=ADDRESS,
            password=Secret(PASSWORD),
        )
        connector = await connectors.create(tenant.account.id, NewConnector(imap=imap), tenant.inbox.id)
        yield House(database, tenant, clock, sync, connectors, Watching(database, clock), provider, connector)
    await provider.stop()


def commands_in(lines: list[str]) -> int:
    """How many commands were said, by their tags."""
    return sum(line.startswith(("C: A", "C: DONE, A")) for line in lines)


async def test_a_sync_in_a_session_of_its_own_counts_all_that_it_has_said(house: House) -> None:
    house.deliver(a_message(1))
    lines = await house.run()
    assert commands_in(lines) > 5
    assert await house.used() == Usage(bytes=len(a_message(1)), logins=1, commands=commands_in(lines))
    more = await house.run()
    used = await house.used()
    assert (used.logins, used.commands) == (2, commands_in(lines) + commands_in(more))


async def test_refused_sign_ins_count_too(house: House) -> None:
    settings = await house.change("wrong")
    for tries in (1, 2):
        await house.run()
        used = await house.used()
        assert used.logins == tries
        assert used.commands > tries
    await house.connectors.test_imap(settings, connector_id=house.connector.id)
    assert (await house.used()).logins == 3


async def test_a_kept_session_is_counted_with_what_is_written_for_it_and_at_its_end(house: House) -> None:
    async with house.sync.session(house.connector) as session:
        assert await house.used() == NOTHING_USED
        await house.sync.run_in(session, house.connector, ASKED)
        opened = await house.used()
        assert opened.logins == 1
        house.deliver(a_message(1))
        assert await session.mailbox.anything_new()
        outcome = await house.sync.take_told(session, house.connector, ASKED)
        assert len(outcome.email_ids) == 1
        told = await house.used()
        assert (told.bytes, told.logins) == (len(a_message(1)), 1)
        assert told.commands == opened.commands + 2  # that, and itself
        assert session.transcript.uncounted == NOTHING_USED
        await session.mailbox.anything_new()
        assert await house.used() == told
    assert await house.used() == told + Usage(commands=2)  # NOOP, and LOGOUT


async def test_a_push_writes_its_usage_by_one_statement(house: House) -> None:
    async with house.sync.session(house.connector) as session:
        await house.sync.run_in(session, house.connector, ASKED)
        house.deliver(a_message(1))
        assert await session.mailbox.anything_new()
        said: list[str] = []

        def hear(_c: object, _cu: object, statement: str, *_: object) -> None:
            said.append(statement)

        engine = house.database.engine
        sa.event.listen(engine, "before_cursor_execute", hear)
        await house.sync.take_told(session, house.connector, ASKED)
        sa.event.remove(engine, "before_cursor_execute", hear)
    assert [statement.split()[0] for statement in said if " usage" in statement] == ["INSERT"]


async def test_what_an_idle_session_asks_is_written_for_many_at_once(house: House) -> None:
    async with house.sync.session(house.connector) as session:
        await house.sync.run_in(session, house.connector, ASKED)
        before = await house.used()
        for _ in range(3):
            await session.mailbox.anything_new()
            house.watching.fresh(house.connector.id, house.clock())
        await house.watching.flush()
        assert await house.used() == before
        used, gone = session.transcript.uncounted, ConnectorId(new_id(house.clock()))
        assert used == Usage(commands=3)
        for connector in (house.connector.id, gone):
            house.watching.fresh(connector, house.clock(), due_at=house.clock(), used=used)
        await house.watching.flush()
        assert await house.used() == before + used


async def test_every_day_is_counted_anew(house: House) -> None:
    await house.run()
    house.clock.turn(timedelta(days=1))
    assert await house.used() == NOTHING_USED
    await house.run()
    assert (await house.used()).logins == 1


async def test_who_has_signed_in_too_often_waits_for_the_next_day(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "budget_of", lambda _host: Budget(daily_logins=2))
    house.deliver(a_message(1))
    for _ in range(2):
        await house.run()
    refused = await house.sync.run(house.tenant.account.id, house.connector.id, logging=True)
    assert refused.failure is not None
    assert "signed in to 127.0.0.1 2 times today" in refused.failure
    assert refused.logs == ()
    assert (await house.used()).logins == 2
    house.clock.turn(timedelta(days=1))
    house.deliver(a_message(2))
    outcome = await house.sync.run(house.tenant.account.id, house.connector.id)
    assert (len(outcome.email_ids), outcome.failure) == (1, None)


async def test_a_session_that_may_not_be_had_any_more_today_is_not_tried(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "budget_of", lambda _host: Budget(daily_logins=0))
    with pytest.raises(Exception, match="after midnight") as caught:
        async with house.sync.session(house.connector):
            pass
    assert caught.value.transient  # type: ignore[attr-defined]
    hours = caught.value.retry_after / timedelta(hours=1)  # type: ignore[attr-defined]
    assert 11.9 < hours < 12  # the clock began at noon
    report = await house.watching.report(house.tenant.account.id, house.connector.id)
    assert "after midnight" in (report.standing.problem or "")


async def test_a_connector_that_is_deleted_while_its_session_ends_harms_nobody(house: House) -> None:
    async with house.sync.session(house.connector) as session:
        await house.sync.run_in(session, house.connector, ASKED)
        await house.connectors.delete(house.tenant.account.id, house.connector.id)
    async with house.database.reading() as tx:
        assert await tx.standings.usage(house.connector.id, house.clock().date()) == NOTHING_USED


async def test_two_who_count_at_the_same_time_lose_nothing(house: House) -> None:
    async def count() -> None:
        transcript = Transcript()
        async with visits.visit(settings, transcript, house.connector.id):
            pass
        assert transcript.uncounted == NOTHING_USED

    async def open_(_settings: ImapSettings, transcript: Transcript) -> FakeMailbox:
        transcript.count_command(login=True)
        return FakeMailbox(FakeServer())

    visits = Visits(house.database, open_, house.clock)  # type: ignore[arg-type]
    settings = ImapSettings(host="127.0.0.1", port=1, security=Security.PLAIN)
    await asyncio.gather(*(count() for _ in range(10)))
    assert await house.used() == Usage(logins=10, commands=10)
