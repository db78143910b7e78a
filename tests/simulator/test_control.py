"""The control by HTTP says what there is and does what it is told, on loopback and for no web page."""

import asyncio
import contextlib
import json
import urllib.error
import urllib.request

import httpx2
import pytest

from posthouse.simulator.control import controlled, create_control
from simulator.clients import mail

ADDRESS = "ann@post.example"


@pytest.fixture
async def control(provider):
    transport = httpx2.ASGITransport(app=create_control(provider))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_the_state_shows_users_folders_clients_and_what_they_changed(provider, control, ann):
    provider.deliver(ADDRESS, mail("Tea"))
    await ann.imap("SELECT INBOX")
    await ann.imap(r"STORE 1 +FLAGS (\Seen)")
    state = (await control.get("/state")).json()
    assert state["ports"]["imap"] == provider.imap_port
    shown = state["users"][0]["folders"][0]
    assert shown == {
        "name": "INBOX",
        "messages": 1,
        "unseen": 0,
        "uid_validity": provider.users[ADDRESS].folder("INBOX").uid_validity,
        "uid_next": 2,
        "highest_modseq": 3,
    }
    assert state["connections"] == [
        {"protocol": "imap", "peer": "127.0.0.1", "user": ADDRESS, "folder": "INBOX", "secure": False}
    ]
    assert [(change["what"], change["uid"]) for change in state["changes"]] == [("STORE", 1)]


async def test_faults_are_replaced_added_and_cleared(provider, control, ann):
    assert (await control.put("/faults", json={"deaf_idle": True})).json() == {"deaf_idle": True}
    bounded = {"throttle": {"value": 30, "times": 1}}
    assert (await control.patch("/faults", json=bounded)).json() == {"deaf_idle": True, **bounded}
    assert (await ann.imap("NOOP"))[0].startswith("t BAD Request is throttled")
    state = (await control.get("/state")).json()
    assert (state["faults"], state["strikes"]) == ({"deaf_idle": True}, {"throttle": 1})
    assert (await control.delete("/faults/deaf_idle")).json() == {}
    await control.put("/faults", json={"greylist": True, "imap_answers": {"SELECT": "NO later"}})
    assert await ann.imap("SELECT INBOX") == ["t NO later"]
    assert (await control.delete("/faults")).json() == {}
    assert (await control.get("/faults")).json() == {}


@pytest.mark.parametrize(
    "body",
    [
        b'{"nonsense": true, "deaf_idle": true}',
        b'{"throttle": "soon", "deaf_idle": true}',
        b'{"throttle": {"value": 1, "times": "x"}}',
        b"[]",
        b"deaf_idle",
    ],
)
async def test_nonsense_is_refused_and_changes_nothing(provider, control, body):
    provider.faults.greylist = True
    for method in ("PUT", "PATCH"):
        answer = await control.request(method, "/faults", content=body)
        assert answer.status_code == 422
        assert answer.json()["detail"]
    assert provider.faults.shown() == {"greylist": True}
    assert (await control.put("/random-faults", json={"rate": 2})).status_code == 422
    assert (await control.put("/random-faults", json={"rate": 1, "names": ["drip"]})).status_code == 422


async def test_faults_at_random_come_and_go(provider, control, ann):
    await control.put("/random-faults", json={"rate": 1, "seed": 1, "names": ["throttle"]})
    assert (await ann.imap("NOOP"))[0].startswith("t BAD Request is throttled")
    await control.delete("/random-faults")
    assert await ann.imap("NOOP") == ["t OK Nothing done"]


async def test_mail_is_delivered_byte_for_byte_or_invented(provider, control):
    raw = b"Subject: \xff\n\nbare\n"
    answer = await control.post("/deliver", params={"to": "bob@post.example", "folder": "Lists"}, content=raw)
    assert answer.json() == {"to": "bob@post.example", "folder": "Lists", "uid": 1}
    assert provider.users["bob@post.example"].folder("Lists").messages[0].data == raw
    for _ in range(10):
        await control.post("/deliver")
    messages = provider.users[ADDRESS].folder("INBOX").messages
    assert len({message.data for message in messages}) == 10
    assert (await control.post("/deliver", params={"to": "nobody@post.example"})).status_code == 404


async def test_folders_are_renumbered_and_lose_messages(provider, control):
    for text in (b"a", b"b", b"c"):
        provider.deliver(ADDRESS, text, folder="Lists/Tea")
    folder = provider.users[ADDRESS].folder("Lists/Tea")
    before = folder.uid_validity
    assert (await control.post("/folders/Lists/Tea/uidvalidity")).json()["uid_validity"] == before + 1
    assert (await control.delete("/folders/Lists/Tea/messages/1")).json()["messages"] == 2
    query = {"keep_uid_validity": True, "reverse": True, "user": ADDRESS}
    assert (await control.post("/folders/Lists/Tea/renumber", params=query)).json()["uid_validity"] == before + 1
    assert [(message.uid, message.data) for message in folder.messages] == [(1, b"c"), (2, b"b")]
    for method, path in (
        ("POST", "/folders/Nowhere/uidvalidity"),
        ("POST", "/folders/Nowhere/renumber"),
        ("DELETE", "/folders/INBOX/messages/99"),
        ("DELETE", "/nothing"),
    ):
        assert (await control.request(method, path)).status_code == 404, path


async def test_all_clients_are_cut_off(provider, control, ann):
    assert (await control.post("/disconnect")).json() == {"disconnected": 1}
    with contextlib.suppress(ConnectionError):
        assert await ann.rest() == b""
    assert provider.connections == 0


async def test_what_went_out_is_shown(provider, control, connect):
    raw = await connect(provider.smtp_port)
    await raw.until("220")
    await raw.smtp("EHLO me")
    await raw.smtp("AUTH PLAIN AGFubkBwb3N0LmV4YW1wbGUAc2VzYW1l")
    for command in ("MAIL FROM:<ann@post.example>", "RCPT TO:<o@far.example>", "DATA"):
        await raw.smtp(command)
    assert (await raw.smtp("Subject: Out\r\n\r\nHello\r\n."))[-1].startswith("250")
    outside = (await control.get("/outside")).json()
    assert [(each["sender"], each["recipients"]) for each in outside] == [("ann@post.example", ["o@far.example"])]
    assert outside[0]["message"].endswith("Subject: Out\r\n\r\nHello\r\n")


async def test_web_pages_are_not_answered(control):
    assert (await control.get("/state", headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await control.get("/state", headers={"Host": "evil.example"})).status_code == 400


async def test_it_listens_on_loopback_until_it_is_left(provider):
    def get(url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    async with controlled(provider) as url:
        assert url.startswith("http://127.0.0.1:")
        assert (await asyncio.to_thread(get, f"{url}/state"))["profile"] == "plain"
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(get, f"{url}/state")
