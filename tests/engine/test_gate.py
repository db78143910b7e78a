"""How many sessions of ours a mail server sees at once."""

import asyncio
from datetime import timedelta

import pytest

from posthouse.engine import gate as gate_module
from posthouse.engine.gate import Gate
from posthouse.engine.worker import Worker
from posthouse.model.budgets import Budget
from posthouse.model.standing import Mode
from posthouse.model.values import utc_now
from posthouse.services import watching as watching_module
from services.fakes import a_message

from .conftest import House, until


async def test_nine_tenths_of_a_hosts_places_are_for_those_who_stay() -> None:
    gate, stayed = Gate(20), []

    async def come(host: str) -> None:
        async with gate.seat(host, "ann") as stays:
            stayed.append((host, stays))
            await asyncio.Event().wait()

    guests = [asyncio.create_task(come(host)) for host in ["full"] * 25 + ["other"]]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stayed == [("full", True)] * 18 + [("full", False)] * 2 + [("other", True)]
    for guest in guests:
        guest.cancel()
    await asyncio.gather(*guests, return_exceptions=True)
    async with gate.seat("full", "ann") as stays:
        assert stays


async def test_of_a_mailboxs_places_the_engine_takes_most_to_stay_and_one_to_visit() -> None:
    gate, stayed = Gate(), []

    async def come(host: str, user: str) -> None:
        async with gate.seat(host, user) as stays:
            stayed.append((user, stays))
            await asyncio.Event().wait()

    comers = [("imap.gmail.com", "ann")] * 6 + [("imap.googlemail.com", "Ann")] * 6 + [("imap.gmail.com", "bob")]
    guests = [asyncio.create_task(come(*comer)) for comer in [*comers, *[("imap.example.org", "eve")] * 20]]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    names = [(user.lower(), stays) for user, stays in stayed]
    assert names == [("ann", True)] * 8 + [("ann", False)] + [("bob", True)] + [("eve", True)] * 20
    for guest in guests:
        guest.cancel()
    await asyncio.gather(*guests, return_exceptions=True)
    async with gate.seat("imap.gmail.com", "ann") as stays:
        assert stays


@pytest.mark.parametrize(("per_host", "per_mailbox", "stay"), [(2, None, 1), (None, 3, 2), (4, 3, 2)])
async def test_connectors_that_find_no_place_take_turns(
    house: House, monkeypatch: pytest.MonkeyPatch, per_host: int | None, per_mailbox: int | None, stay: int
) -> None:
    monkeypatch.setattr(gate_module, "budget_of", lambda _host: Budget(provider="Example", sessions=per_mailbox))
    monkeypatch.setattr(watching_module, "DEFAULT_INTERVAL", timedelta(seconds=0.05))
    for _ in range(4):
        await house.add()
    house.server.add(a_message(1))
    most = 0
    worker = asyncio.create_task(Worker(house.ours.sync, house.ours.watching, utc_now, per_host).run())

    async def all_have(count: int) -> bool:
        nonlocal most
        most = max(most, house.server.present)
        async with house.database.reading() as tx:
            found = [await tx.mail.count(house.tenant.account.id, [one.inbox_id]) for one in house.made]
        return found == [count] * len(house.made)

    await until(lambda: all_have(1), "the first message in all inboxes")
    house.server.deliver(a_message(2))
    await until(lambda: all_have(2), "the second")
    modes = [(await house.ours.watching.report(house.tenant.account.id, one.id)).standing.mode for one in house.made]
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert sorted(modes) == sorted([Mode.PUSH] * stay + [Mode.POLL] * (len(modes) - stay))
    assert most == stay + 1
