"""Mail between inboxes of one server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from posthouse.model.errors import Invalid
from posthouse.model.events import Happening
from posthouse.model.mail import Outgoing, SendState
from posthouse.services.attachments import NewUpload
from posthouse.services.inboxes import NewInbox
from posthouse.services.waiting import Wish

from .posting import DOMAIN, Post, a_post


def _at(address: str) -> NewInbox:
    return NewInbox(email_address=address)


def _to(address: str) -> Outgoing:
    return Outgoing(to=(address,), subject="S", body="B")


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path) as post:
        yield post


async def test_an_inbox_without_a_connector_writes_to_its_neighbours(post: Post) -> None:
    ann, bob = await post.inbox("ann", name="Ann"), await post.inbox("bob")
    upload = await post.services.attachments.upload(
        post.account.id, NewUpload(content=b"\0\xff" * 50, name="two.bin", content_type="application/x-two")
    )
    sent = await post.send(ann.id, f"Bob <bob@{DOMAIN}>", attachments=(upload.id,), use_inbox_name=True, body="Hello!")
    assert sent.state is SendState.ACCEPTED
    assert sent.stays_here
    [email] = await post.emails(bob)
    assert (email.subject, email.sender and str(email.sender)) == ("S", f"Ann <ann@{DOMAIN}>")
    assert email.message_id == sent.message_id
    assert len(email.attachment_ids) == 1
    raw = (await post.services.mail.raw(post.account.id, email.id)).decode()
    assert raw.startswith(f"Return-Path: <ann@{DOMAIN}>\r\nDelivered-To: bob@{DOMAIN}\r\nReceived: by {DOMAIN}")
    assert raw.endswith((await post.services.sent.raw(post.account.id, sent.id)).decode()), (
        "what is delivered is what was sent"
    )
    assert [entry.happening for entry in await post.journal(ann.id)] == [Happening.EMAIL_SENT]
    assert [entry.happening for entry in await post.journal(bob.id)] == [Happening.EMAIL_RECEIVED]


async def test_a_wait_is_woken_by_what_a_neighbour_sends(post: Post) -> None:
    ann, bob = await post.inbox("ann"), await post.inbox("bob")
    wish = Wish(inbox_id=bob.id, timeout=timedelta(seconds=20))
    waiting = asyncio.create_task(post.services.waiting.wait(post.account.id, wish))
    await asyncio.sleep(0.05)
    await post.send(ann.id, bob.email_address)
    [email] = await waiting
    assert email.inbox_id == bob.id


async def test_everybody_gets_it_once_and_blind_copies_stay_blind(post: Post) -> None:
    ann, bob, carl = await post.inbox("ann"), await post.inbox("bob"), await post.inbox("carl")
    upper, tagged = f"BOB@{DOMAIN.upper()}", f"bob+news@{DOMAIN}"
    await post.send(ann.id, upper, tagged, cc=(ann.email_address,), bcc=(carl.email_address,))
    for inbox in (ann, bob, carl):
        [email] = await post.emails(inbox)
        raw = await post.services.mail.raw(post.account.id, email.id)
        assert carl.email_address.encode() not in raw.split(b"\r\n\r\n")[0].partition(b"From:")[2]


async def test_another_accounts_inbox_is_reached_in_our_domain_alone(post: Post) -> None:
    other = (await post.services.accounts.create_key(account="other")).account
    ann, theirs = await post.inbox("ann"), await post.inbox("theirs", other)
    await post.send(ann.id, theirs.email_address)
    assert len(await post.emails(theirs)) == 1
    grabbed = await post.services.inboxes.create(other.id, _at("boss@bank.example"))
    with pytest.raises(Invalid, match=r"no inbox here is boss@bank\.example"):
        await post.send(ann.id, "boss@bank.example")
    assert await post.emails(grabbed) == []
    own = await post.services.inboxes.create(post.account.id, _at("me@own.example"))
    await post.send(ann.id, "me@own.example")
    assert len(await post.emails(own)) == 1


async def test_nobody_gets_it_when_somebody_can_not_be_reached(post: Post) -> None:
    ann, bob = await post.inbox("ann"), await post.inbox("bob")
    with pytest.raises(Invalid, match=r"no connector to send through, and no inbox here is eve@elsewhere\.example"):
        await post.send(ann.id, bob.email_address, "eve@elsewhere.example")
    assert await post.emails(bob) == []
    assert await post.services.sent.count(post.account.id, ann.id) == 0


async def test_a_connector_carries_what_goes_outside_and_only_that(post: Post) -> None:
    connector, bob = await post.connector("ann"), await post.inbox("bob")
    sent = await post.send(connector.inbox_id, bob.email_address, "eve@elsewhere.example")
    assert not sent.stays_here
    assert len(await post.emails(bob)) == 1
    [left] = post.provider.outside
    assert left.recipients == ("eve@elsewhere.example",)
    sent = await post.send(connector.inbox_id, bob.email_address)
    assert sent.stays_here
    assert len(post.provider.outside) == 1


async def test_a_connectors_neighbour_at_its_own_provider_is_written_to_by_the_provider(post: Post) -> None:
    """An inbox that was given an address at a provider is not that provider's mailbox."""
    connector = await post.connector("ann")
    post.provider.add_user("bob@provider.example", "x")
    named = await post.services.inboxes.create(post.account.id, _at("bob@provider.example"))
    await post.send(connector.inbox_id, "bob@provider.example")
    assert await post.emails(named) == []
    assert len(post.provider.users["bob@provider.example"].folder("INBOX").messages) == 1


async def test_a_virtual_inbox_delivers_nothing(post: Post) -> None:
    virtual, bob = await post.inbox("virtual", virtual=True), await post.inbox("bob")
    sent = await post.send(virtual.id, bob.email_address, "eve@elsewhere.example")
    assert sent.virtual
    assert await post.emails(bob) == []


async def test_without_an_inbox_to_send_from_one_is_found(post: Post) -> None:
    sending, bob = post.services.sending, await post.inbox("bob")
    sent = await sending.send_from_anywhere(post.account.id, None, _to(bob.email_address))
    assert sent.sender.email.endswith(f"@{DOMAIN}")
    assert sent.inbox_id != bob.id
    with pytest.raises(Invalid, match="no connector to send through"):
        await sending.send_from_anywhere(post.account.id, None, _to("eve@elsewhere.example"))
    connector = await post.connector("ann")
    sent = await sending.send_from_anywhere(post.account.id, None, _to("eve@elsewhere.example"))
    assert sent.inbox_id == connector.inbox_id
