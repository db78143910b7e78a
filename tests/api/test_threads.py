"""Threads over the API: a talk with somebody outside, over a connector."""

from email.message import EmailMessage

import pytest

from .town import Tenant, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def letter(name: str, *refers_to: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Zoë <zoe@example.org>", "ann@provider.example", f"Letter {name}"
    mail["Message-ID"] = f"<{name}@example.org>"
    if refers_to:
        mail["References"] = " ".join(f"<{one}@example.org>" for one in refers_to)
    mail.set_content(f"This is {name}.")
    return mail.as_bytes()


async def test_a_talk_is_one_thread_whoever_wrote(town: Town, ann: Tenant) -> None:
    client, own = ann.client, ann.own

    async def come_in(*letters: bytes) -> None:
        for one in letters:
            town.provider.deliver(own.mailbox.address, one)
        await client.post(f"/connectors/{own.connector}/sync")

    async def talk() -> dict[str, object]:
        page = (await client.get("/emails/threads", params={"searchFilter": "letter", "sort": "DESC"})).json()
        assert page["totalElements"] == 1
        return dict(page["content"][0])

    await come_in(letter("one"))
    begun = await talk()
    assert (begun["messageCount"], begun["unread"], begun["subject"]) == (1, True, "Letter one")
    answer = await client.post(
        f"/inboxes/{own.inbox}/confirm",
        json={
            "to": ["zoe@example.org"],
            "subject": "Re: Letter one",
            "body": "Yes.",
            "customHeaders": {"In-Reply-To": "<one@example.org>", "References": "<one@example.org>"},
        },
    )
    assert answer.status_code == 201
    sent = answer.json()
    assert (sent["threadId"], sent["inReplyTo"]) == (begun["id"], "one@example.org")
    reply = EmailMessage()
    reply["Message-ID"], reply["In-Reply-To"] = "<two@example.org>", f"<{sent['messageId']}>"
    reply["Subject"], reply["From"] = "Re: Re: Letter one", "zoe@example.org"
    await come_in(reply.as_bytes())
    now = await talk()
    assert (now["id"], now["messageCount"], now["lastFrom"]) == (begun["id"], 3, "zoe@example.org")
    items = (await client.get(f"/emails/threads/{begun['id']}/items")).json()["items"]
    assert {item["itemType"] for item in items} == {"RECEIVED_EMAIL", "SENT_EMAIL"}
    assert {item["threadId"] for item in items} == {begun["id"]}
    whole = (await client.get(f"/emails/threads/{begun['id']}")).json()
    assert (whole["subject"], whole["from"]) == ("Letter one", "zoe@example.org")
    previews = (await client.get("/emails", params={"searchFilter": "letter"})).json()["content"]
    assert {one["threadId"] for one in previews} == {begun["id"]}


async def test_older_clients_call_the_inbox_a_selector(town: Town, ann: Tenant) -> None:
    bob = await town.tenant()
    for name in ("inboxId", "htmlSelector"):
        page = (await ann.client.get("/emails/threads", params={name: ann.own.plain_inbox})).json()
        assert page["totalElements"] == 0
        page = (await ann.client.get("/emails/threads", params={name: ann.own.inbox})).json()
        assert page["totalElements"] == 3
        assert (await bob.client.get("/emails/threads", params={name: ann.own.inbox})).status_code == 404
