"""What `GET /connectors/{id}/state` says beside the state itself, and what operators are told of it."""

import pytest

from .town import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_was_asked_of_the_mailbox_today_is_told(town: Town) -> None:
    ann = await town.tenant()
    path = f"/connectors/{ann.own.connector}"
    before = (await ann.client.get(f"{path}/state")).json()["today"]
    assert before["bytes"] > 1000  # its first sync
    assert 1 <= before["logins"] < before["commands"]
    rest = {name: value for name, value in before.items() if name not in ("bytes", "logins", "commands")}
    assert rest == {"provider": None, "maxBytes": None, "maxLogins": 10_000, "maxSessions": None}
    for ask, uri in (
        (ann.client.post, f"{path}/sync"),
        (ann.client.post, f"{path}/imap/test"),
        (ann.client.get, f"{path}/imap/folders"),
    ):
        assert (await ask(uri)).status_code == 200
        after = (await ann.client.get(f"{path}/state")).json()["today"]
        assert after["logins"] == before["logins"] + 1
        assert after["commands"] >= before["commands"] + 3
        before = after


async def test_a_provider_that_is_known_has_a_budget(town: Town) -> None:
    ann = await town.tenant()
    path = f"/connectors/{ann.own.bare_connector}"
    gmail = {"imapHost": "IMAP.gmail.com", "imapPort": 993, "imapSsl": True, "imapUsername": "a", "imapPassword": "b"}
    assert (await ann.client.post(f"{path}/imap", json={**gmail, "enabled": False})).status_code == 201
    assert (await ann.client.get(f"{path}/state")).json()["today"] == {
        "bytes": 0,
        "logins": 0,
        "commands": 0,
        "provider": "Google",
        "maxBytes": 2_250_000_000,
        "maxLogins": 10_000,
        "maxSessions": 10,
    }


async def test_operators_see_sign_ins_and_commands_by_provider(town: Town) -> None:
    ann = await town.tenant()
    await ann.client.post(f"/connectors/{ann.own.connector}/sync")
    numbers = (await ann.client.get("/metrics")).text
    for name in ("logins", "commands"):
        assert f'posthouse_mailbox_{name}_total{{provider="other"}}' in numbers
