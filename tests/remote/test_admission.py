"""How many sessions of ours a mailbox sees at once, whoever opens them: the simulated provider counts them itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from posthouse.model.budgets import Budget, budget_of
from posthouse.model.connectors import ImapSettings, Security
from posthouse.model.errors import CredentialsRefused, Deferred
from posthouse.model.events import Transcript
from posthouse.model.values import Secret
from posthouse.remote import admission as admission_module
from posthouse.remote.admission import Admission
from posthouse.remote.mailbox import ImapMailbox, open_mailbox
from posthouse.simulator import PLAIN, Provider

from .servers import LOOPBACK

MOST = 3


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    """One that refuses the fourth session, and of which that is known."""
    known = Budget(provider="Example", sessions=MOST)
    monkeypatch.setattr(admission_module, "budget_of", lambda host: known if host == "127.0.0.1" else budget_of(host))
    provider = Provider(replace(PLAIN, most_connections=MOST))
    for name in ("ann", "bob"):
        provider.add_user(f"{name}@post.example", "sesame")
    await provider.start()
    yield provider
    await provider.stop()


class Door:
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.admission = Admission(partial(open_mailbox, egress=LOOPBACK))

    async def open(self, name: str = "ann", password: str = "sesame", host: str = "127.0.0.1") -> ImapMailbox:
        settings = ImapSettings(
            host=host,
            port=self.provider.imap_port,
            security=Security.PLAIN,
            username=f"{name}@post.example",
            password=Secret(password),
        )
        return await self.admission.open(settings, Transcript())


@pytest.fixture
def door(provider: Provider) -> Door:
    return Door(provider)


async def test_there_are_never_more_sessions_at_a_mailbox_than_its_budget_allows(door: Door) -> None:
    most, ann = 0, door.provider.users["ann@post.example"]

    async def visit(name: str) -> None:
        nonlocal most
        mailbox = await door.open(name)
        most = max(most, ann.sessions)
        await mailbox.select("INBOX")
        await mailbox.close()

    await asyncio.gather(*(visit(name) for name in ["ann", "ANN"] * 10))
    assert most == MOST
    assert not door.admission._places  # nothing is remembered of a mailbox where nobody is


async def test_who_comes_too_late_is_told_of_the_limit_in_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "PATIENCE", 0.05)
    there = [await door.open() for _ in range(MOST)]
    with pytest.raises(Deferred, match="no more than 3 sessions are opened at a mailbox of Example") as caught:
        await door.open()
    assert caught.value.transient
    bobs = await door.open("bob")  # his mailbox is another
    for mailbox in (*there, bobs):
        await mailbox.close()
    await (await door.open()).close()


async def test_a_place_is_free_again_however_a_session_ends(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "PATIENCE", 2.0)
    for _ in range(MOST + 1):
        with pytest.raises(CredentialsRefused):
            await door.open(password="wrong")
    for _ in range(MOST + 1):
        opening = asyncio.create_task(door.open())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    for _ in range(MOST + 1):
        mailbox = await door.open()
        await mailbox.close()
        await mailbox.close()  # gives back nothing twice
    there = [await door.open() for _ in range(MOST)]
    [places] = door.admission._places.values()
    assert places.locked()
    for mailbox in there:
        await mailbox.close()


async def test_who_gives_up_waiting_takes_no_place(door: Door) -> None:
    there = [await door.open() for _ in range(MOST)]
    waiting = [asyncio.create_task(door.open()) for _ in range(2)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    await there[0].close()
    for mailbox in (*there[1:], await waiting[1]):
        await mailbox.close()
    assert door.provider.users["ann@post.example"].sessions == 0


async def test_a_mailbox_without_a_budget_is_neither_counted_nor_remembered(door: Door) -> None:
    door.provider.add_user("eve@post.example", "sesame")
    mailbox = await door.open("eve", host="localhost")
    assert not door.admission._places
    await mailbox.close()
