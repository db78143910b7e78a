"""The whole house at a mailbox whose provider lets few in: nobody is refused, and everybody is served."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from posthouse.app import build
from posthouse.config import Settings
from posthouse.engine import gate as gate_module
from posthouse.model.budgets import Budget
from posthouse.model.connectors import ImapSettings, Security, SyncSettings
from posthouse.model.standing import Mode
from posthouse.model.values import Secret, Slice
from posthouse.remote import admission as admission_module
from posthouse.services.connectors import NewConnector
from posthouse.simulator import PLAIN, Provider

MOST = 3


async def test_many_connectors_and_visitors_share_a_mailbox_that_lets_few_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (admission_module, gate_module):
        monkeypatch.setattr(module, "budget_of", lambda _host: Budget(provider="Example", sessions=MOST))
    provider = Provider(replace(PLAIN, most_connections=MOST))
    user = provider.add_user("ann@post.example", "sesame")
    await provider.start()
    imap = ImapSettings(
        host="127.0.0.1",
        port=provider.imap_port,
        security=Security.PLAIN,
        username=user.address,
        password=Secret("sesame"),
    )
    app, most = build(Settings(data=tmp_path, egress_allow=(ip_network("127.0.0.0/8"),))), 0
    async with app.opened() as services, app.looking_after():
        account = (await services.accounts.create_key()).account.id
        wish = NewConnector(imap=imap, sync=SyncSettings(enabled=True, interval=timedelta(seconds=1)))
        made = [await services.connectors.create(account, wish) for _ in range(5)]
        provider.deliver(user.address, b"Subject: one\r\n\r\n")

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, user.sessions)
                await asyncio.sleep(0.002)

        async def all_have(count: int) -> None:
            async with asyncio.timeout(30):
                while {await services.mail.count(account, one.inbox_id) for one in made} != {count}:
                    await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        await all_have(1)
        results = await asyncio.gather(*(services.connectors.test_imap(imap) for _ in range(4)))
        assert [result.message for result in results if not result.success] == []
        assert await asyncio.gather(*(services.connectors.folders(imap) for _ in range(4)))
        provider.deliver(user.address, b"Subject: two\r\n\r\n")
        await all_have(2)
        watching.cancel()
        modes = [(await services.watching.report(account, one.id)).standing.mode for one in made]
        events = (await services.connectors.events(account, Slice(size=100))).items
    await provider.stop()
    assert sorted(modes) == sorted([Mode.PUSH] * 2 + [Mode.POLL] * 3)
    assert {event.status.value for event in events} == {"SUCCESS"}
    assert most == MOST
