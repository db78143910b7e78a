"""Connectors as a list: the database says how each one stands just as `state_of` does, and counts what is there."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from house import START, Tenant, add_tenant, an_inbox, opened_database
from posthouse.model.accounts import Account
from posthouse.model.connectors import (
    Connector,
    ImapConnection,
    ImapSettings,
    Security,
    SmtpConnection,
    SmtpSettings,
    SyncSchedule,
    SyncSettings,
)
from posthouse.model.overview import DAYS, Order, OverviewQuery, Summary
from posthouse.model.standing import Mode, Standing, State, state_of
from posthouse.model.values import ConnectorId, new_id
from posthouse.services.intake import Incoming, Intake
from posthouse.services.overview import Overviews
from posthouse.services.watching import DEFAULT_INTERVAL, expected_proof
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction
from posthouse.store.tables import emails, standings

NOW = START + timedelta(days=100)
ROUND = timedelta(seconds=45)
_numbers = count()


async def a_round() -> timedelta:
    """How often who is pushed is asked in a small house."""
    return ROUND


@dataclass(frozen=True, kw_only=True)
class Case:
    """One connector in some condition; `age` is how long ago it was proved fresh."""

    mode: Mode = Mode.PUSH
    enabled: bool = True
    readable: bool | None = True
    scheduled: bool | None = True
    interval: int | None = 300
    age: timedelta | None = timedelta(seconds=10)
    lasting: bool = False
    failures: int = 0
    refusals: int = 0

    @property
    def state(self) -> State:
        standing = Standing(
            connector_id=ConnectorId(uuid4()),
            fresh_as_of=None if self.age is None else NOW - self.age,
            lasting=self.lasting,
            failures=self.failures,
            refusals=self.refusals,
        )
        interval = timedelta(seconds=self.interval or 0) or DEFAULT_INTERVAL
        live = bool(self.enabled and self.readable and self.scheduled)
        return state_of(standing, NOW, live=live, expected=expected_proof(self.mode, interval, ROUND))


# What is asked for is a multiple of seconds: the ages at which a state changes, and a microsecond to either side.
EDGES = [
    timedelta(seconds=times * seconds, microseconds=off)
    for times in (2, 5)
    for seconds in (1, 9, 10, 11, 44, 45, 46, 300)
    for off in (-1, 0, 1)
]
CASES = st.builds(
    Case,
    mode=st.sampled_from(Mode),
    enabled=st.booleans() | st.just(True),
    readable=st.sampled_from([True, True, False, None]),
    scheduled=st.sampled_from([True, True, False, None]),
    interval=st.sampled_from([None, 0, 1, 9, 10, 11, 44, 45, 46, 300]),
    age=st.none() | st.sampled_from(EDGES) | st.timedeltas(timedelta(seconds=-5), timedelta(days=3)),
    lasting=st.sampled_from([False, False, True]),
    failures=st.integers(0, 2),
    refusals=st.integers(0, 4),
)


async def add(tx: Transaction, account: Account, case: Case = Case(), name: str | None = None) -> Connector:
    number = next(_numbers)
    inbox = an_inbox(account, f"box{number}@posthouse.example")
    await tx.inboxes.add(inbox)
    connector = Connector(
        id=ConnectorId(new_id(START)),
        account_id=account.id,
        inbox_id=inbox.id,
        name=name,
        email_address=f"user{number}@example.org",
        enabled=case.enabled,
        created_at=START,
        updated_at=START,
    )
    await tx.connectors.add(connector)
    if case.readable is not None:
        imap = ImapSettings(host="imap.example.org", port=993, security=Security.TLS, enabled=case.readable)
        await tx.connectors.set_connection(
            ImapConnection(id=uuid4(), connector_id=connector.id, settings=imap, created_at=START)
        )
    if case.scheduled is not None:
        interval = None if case.interval is None else timedelta(seconds=case.interval)
        schedule = SyncSettings(enabled=case.scheduled, interval=interval)
        await tx.connectors.set_schedule(
            SyncSchedule(id=uuid4(), account_id=account.id, connector_id=connector.id, settings=schedule)
        )
    await tx.standings.change(
        connector.id,
        mode=case.mode,
        fresh_as_of=None if case.age is None else NOW - case.age,
        lasting=case.lasting,
        failures=case.failures,
        refusals=case.refusals,
    )
    return connector


@pytest.fixture
def overviews(database: Database) -> Overviews:
    return Overviews(database, a_round, lambda: NOW)


def test_the_database_says_how_connectors_stand_as_state_of_does(database_url: str) -> None:
    async def check(cases: list[Case]) -> None:
        async with opened_database(database_url) as database:
            tenant = await add_tenant(database, f"tenant{next(_numbers)}")
            async with database.transaction() as tx:
                made = [await add(tx, tenant.account, case) for case in cases]
            service = Overviews(database, a_round, lambda: NOW)
            found = await service.these(tenant.account.id, [one.id for one in made])
            wrong = [(case, one.state) for case, one in zip(cases, found, strict=True) if one.state is not case.state]
            assert not wrong
            whole = await service.page(tenant.account.id)
            assert [whole.counts[state] for state in State] == [
                sum(case.state is state for case in cases) for state in State
            ]

    # Without shrinking: each example fills a database.
    @settings(max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(CASES, min_size=30, max_size=80))
    def same(cases: list[Case]) -> None:
        asyncio.run(check(cases))

    same()


async def test_every_state_can_be_asked_for_and_trouble_comes_first(
    database: Database, tenant: Tenant, overviews: Overviews
) -> None:
    cases = {
        "fresh": Case(),
        "late": Case(age=timedelta(seconds=100)),
        "silent": Case(age=timedelta(hours=1)),
        "refused": Case(refusals=3),
        "asleep": Case(enabled=False),
    }
    async with database.transaction() as tx:
        made = {name: await add(tx, tenant.account, case, name) for name, case in cases.items()}
    whole = await overviews.page(tenant.account.id)
    assert [one.name for one in whole.items] == ["refused", "silent", "late", "fresh", "asleep"]
    assert whole.total == 5
    assert set(whole.counts.values()) == {1}
    for state, name in zip(State, ("fresh", "late", "silent", "refused", "asleep"), strict=True):
        page = await overviews.page(tenant.account.id, OverviewQuery(state=state))
        assert [one.id for one in page.items] == [made[name].id]
        assert (page.total, page.counts) == (1, whole.counts)


async def test_lists_are_sorted_and_come_in_pages(database: Database, tenant: Tenant, overviews: Overviews) -> None:
    names = ["beta", "Alpha", None, "gamma", "delta"]
    ages = [40, 20, 30, 10, None]
    async with database.transaction() as tx:
        for name, age in zip(names, ages, strict=True):
            case = Case(age=None if age is None else timedelta(seconds=age))
            await add(tx, tenant.account, case, name)

    async def titles(**query: object) -> list[str]:
        page = await overviews.page(tenant.account.id, OverviewQuery(**query))  # type: ignore[arg-type]
        assert page.total == 5
        return ["user" if one.title.startswith("user") else one.title for one in page.items]

    assert await titles(order=Order.NAME) == ["Alpha", "beta", "delta", "gamma", "user"]
    assert await titles(order=Order.FRESHNESS) == ["delta", "beta", "user", "Alpha", "gamma"]
    assert [await titles(order=Order.NAME, size=2, page=page) for page in range(4)] == [
        ["Alpha", "beta"],
        ["delta", "gamma"],
        ["user"],
        [],
    ]


async def test_a_search_looks_at_names_addresses_and_hosts(
    database: Database, tenant: Tenant, overviews: Overviews
) -> None:
    async with database.transaction() as tx:
        one = await add(tx, tenant.account, name="Help 100%_desk")
        two = await add(tx, tenant.account, Case(readable=None), name="Sales")
        smtp = SmtpSettings(host="relay.example.com", port=465, security=Security.TLS)
        await tx.connectors.set_connection(
            SmtpConnection(id=uuid4(), connector_id=two.id, settings=smtp, created_at=START)
        )

    async def found(search: str) -> list[str | None]:
        page = await overviews.page(tenant.account.id, OverviewQuery(search=search))
        assert page.total == sum(page.counts.values()) == len(page.items)
        return [each.name for each in page.items]

    assert await found("HELP") == await found("imap.example") == await found("0%_d") == [one.name]
    assert await found("relay sal") == await found(str(two.email_address)) == ["Sales"]
    assert await found("box posthouse.example") == [one.name, "Sales"]
    assert await found("help relay") == []
    assert await found("%_") == [one.name]
    assert [each.host for each in await overviews.these(tenant.account.id, [two.id, one.id])] == [
        "relay.example.com",
        "imap.example.org",
    ]


async def test_mail_is_counted_by_day(database: Database, tenant: Tenant, overviews: Overviews, tmp_path: Path) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    came = [
        NOW,
        midnight,
        midnight - timedelta(microseconds=1),
        midnight - timedelta(days=DAYS - 1),
        midnight - timedelta(days=DAYS - 1, microseconds=1),
    ]
    moments = iter(sorted(came))
    intake = Intake(Blobs(str(tmp_path)), lambda: next(moments))
    async with database.transaction() as tx:
        connector = await add(tx, tenant.account)
        quiet = await add(tx, tenant.account)
    for number in range(len(came)):
        [prepared] = await intake.prepare([Incoming(content=b"Subject: %d\r\n\r\n" % number, size=14)])
        async with database.transaction() as tx:
            await intake.take_in(tx, tenant.account.id, connector.inbox_id, [prepared], connector)
    async with database.transaction() as tx:
        await tx.connection.execute(sa.update(emails).where(emails.c.subject == "1").values(read=True))
    busy, idle = await overviews.these(tenant.account.id, [connector.id, quiet.id])
    assert (busy.total, busy.unread, busy.last_mail_at) == (5, 4, NOW)
    assert busy.days == (1, *[0] * (DAYS - 3), 1, 2)
    assert (idle.total, idle.unread, idle.last_mail_at, sum(idle.days)) == (0, 0, None, 0)


async def test_others_connectors_are_not_seen(database: Database, tenant: Tenant, overviews: Overviews) -> None:
    other = await add_tenant(database, "other")
    async with database.transaction() as tx:
        theirs = await add(tx, other.account)
    page = await overviews.page(tenant.account.id)
    assert (page.items, page.total, sum(page.counts.values())) == ((), 0, 0)
    assert await overviews.these(tenant.account.id, [theirs.id]) == []


async def test_a_connector_that_nobody_looks_after_is_read_when_asked(
    database: Database, tenant: Tenant, overviews: Overviews
) -> None:
    async with database.transaction() as tx:
        connector = await add(tx, tenant.account, Case(scheduled=None))
        await tx.connection.execute(sa.update(standings).values(problem="gone", problem_since=NOW))
    [one] = await overviews.these(tenant.account.id, [connector.id])
    assert isinstance(one, Summary)
    assert (one.state, one.mode, one.live, one.problem) == (State.PAUSED, Mode.MANUAL, False, "gone")
    assert replace(one, scheduled=True).live


async def test_who_is_pushed_is_late_only_when_its_round_is_over(database: Database, tenant: Tenant) -> None:
    """Ten thousand are asked in rounds of some minutes, whatever their intervals are."""

    async def a_long_round() -> timedelta:
        return timedelta(seconds=250)

    ages = (499, 501, 1249, 1251)
    async with database.transaction() as tx:
        made = [await add(tx, tenant.account, Case(interval=30, age=timedelta(seconds=age))) for age in ages]
    found = await Overviews(database, a_long_round, lambda: NOW).these(tenant.account.id, [one.id for one in made])
    assert [one.state for one in found] == [State.FRESH, State.LAGGING, State.LAGGING, State.STALE]
