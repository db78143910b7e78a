"""Whatever goes wrong while an email is sent: it is sent once, or not at all, and its state says which.

The provider is a real server that misbehaves on demand; time is moved on, not waited for.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from posthouse.model.connectors import Connector
from posthouse.model.errors import Conflict, Deferred, Invalid, OutcomeUnknown, Refused, RemoteError, Unreachable
from posthouse.model.events import EventStatus, EventType, Happening
from posthouse.model.mail import Outgoing, SendState, SentEmail, SentQuery
from posthouse.model.values import Slice
from posthouse.services.sending import Wish

from .posting import DOMAIN, Post, a_post

BOB = "bob@elsewhere.example"
EVE = "eve@elsewhere.example"
NOT_GIVEN = ["connect", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "message"]
"""Where a connection breaks off before the message was given whole."""
DAY = timedelta(hours=25)
TO_BOB = Outgoing(to=(BOB,), subject="S", body="B")


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path) as post:
        yield post


@pytest.fixture
async def ann(post: Post) -> Connector:
    return await post.connector("ann")


def arrivals(post: Post, sent: SentEmail, recipient: str = BOB) -> int:
    """How often somebody outside has got it."""
    marks = [one for one in post.provider.outside if recipient in one.recipients]
    return sum(sent.message_id.encode() in one.message for one in marks)


def filed(post: Post, name: str = "ann") -> int:
    return len(post.provider.users[f"{name}@provider.example"].folder("Sent").messages)


async def sends(post: Post, ann: Connector) -> list[EventStatus]:
    page = await post.services.connectors.events(post.account.id, Slice(size=100), connector_id=ann.id)
    return [event.status for event in page.items if event.type is EventType.SEND]


# Queued


async def test_what_is_queued_is_sent_by_the_outbox(post: Post, ann: Connector) -> None:
    sent = await post.queue(ann.inbox_id, BOB)
    assert (sent.state, sent.queued) == (SendState.QUEUED, True)
    assert arrivals(post, sent) == 0
    await post.work()
    settled = await post.now(sent)
    assert (settled.state, settled.sent_at is not None) == (SendState.ACCEPTED, True)
    assert settled.state_text.startswith("250")
    assert arrivals(post, sent) == 1
    journal = [entry.happening for entry in await post.journal(ann.inbox_id)]
    assert journal == [Happening.DELIVERY_STATUS, Happening.EMAIL_SENT]
    await post.work_it_off()
    assert arrivals(post, sent) == 1


@pytest.mark.parametrize("state", NOT_GIVEN)
async def test_a_connection_cut_before_the_message_was_given_is_tried_again_once(
    state: str, post: Post, ann: Connector
) -> None:
    post.provider.faults.set("smtp_cut_at", state, times=1)
    sent = await post.queue(ann.inbox_id, BOB, body="B" * 100_000)
    await post.work()
    waiting = await post.now(sent)
    assert waiting.state is SendState.QUEUED
    assert "closed the connection" in waiting.state_text or "broke" in waiting.state_text
    assert arrivals(post, sent) == 0
    await post.work_it_off()
    assert (await post.now(sent)).state is SendState.ACCEPTED
    assert arrivals(post, sent) == 1
    assert post.provider.faults.strikes["smtp_cut_at"] == 1
    assert await sends(post, ann) == [EventStatus.CONNECTION_ERROR, EventStatus.SUCCESS]


async def test_an_answer_that_was_lost_is_found_in_the_sent_folder(post: Post, ann: Connector) -> None:
    post.provider.users["ann@provider.example"].files_sent = True
    post.provider.faults.set("lose_verdict", times=1)
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    unknown = await post.now(sent)
    assert unknown.state is SendState.UNKNOWN
    assert "may have been sent" in unknown.state_text
    await post.work(timedelta(seconds=6))
    found = await post.now(sent)
    assert found.state is SendState.ACCEPTED
    assert found.state_text == "the server's answer was lost, and the email was found in the folder Sent: it was sent"
    assert [entry.happening for entry in await post.journal(ann.inbox_id)] == [Happening.EMAIL_SENT]
    await post.work_it_off()
    assert arrivals(post, sent) == 1


async def test_what_lies_in_the_sent_folder_only_later_is_found_later(post: Post, ann: Connector) -> None:
    post.provider.faults.set("lose_verdict", times=1)
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    await post.work(timedelta(seconds=20))
    assert (await post.now(sent)).state is SendState.UNKNOWN
    post.provider.deliver("ann@provider.example", post.provider.outside[0].message, folder="Sent")
    await post.work(timedelta(minutes=2))
    assert (await post.now(sent)).state is SendState.ACCEPTED


@pytest.mark.parametrize("fault", [("lose_verdict", True, 1), ("smtp_cut_at", "answer", 0)], ids=["sent", "not sent"])
async def test_what_is_not_found_stays_unknown_and_is_never_sent_again(
    fault: tuple[str, object, int], post: Post, ann: Connector
) -> None:
    name, value, got = fault
    post.provider.faults.set(name, value, times=1)
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    await post.work_it_off()
    unknown = await post.now(sent)
    assert unknown.state is SendState.UNKNOWN
    assert "after 6 looks it was not to be found" in unknown.state_text
    assert arrivals(post, sent) == got
    assert filed(post) == 0, "a copy of what may not have been sent"


async def test_an_email_to_oneself_is_found_where_it_arrives(post: Post, ann: Connector) -> None:
    post.provider.faults.set("lose_verdict", times=1)
    sent = await post.queue(ann.inbox_id, "ann@provider.example")
    await post.work()
    await post.services.sync.run(post.account.id, ann.id)
    await post.work(timedelta(seconds=6))
    assert (await post.now(sent)).state is SendState.ACCEPTED


async def test_the_sent_folder_is_looked_into_again_when_it_can_not_be_reached(post: Post, ann: Connector) -> None:
    post.provider.users["ann@provider.example"].files_sent = True
    post.provider.faults.set("lose_verdict", times=1)
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    post.provider.faults.set("bye_at", "*")
    await post.work(timedelta(seconds=6))
    assert (await post.now(sent)).state is SendState.UNKNOWN
    post.provider.faults.clear("bye_at")
    await post.work(timedelta(seconds=60))
    assert (await post.now(sent)).state is SendState.ACCEPTED


async def test_a_server_that_says_not_now_is_asked_again_for_a_day(post: Post, ann: Connector) -> None:
    post.provider.faults.set("smtp_answers", {"MAIL": "451 4.3.0 Come back another time"})
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    assert "Come back another time" in (await post.now(sent)).state_text
    await post.work_it_off()
    failed = await post.now(sent)
    assert failed.state is SendState.FAILED
    assert "Come back another time" in failed.state_text
    tries = len(await sends(post, ann))
    assert 10 < tries < 40, "as often as is decent"


async def test_a_no_for_good_is_not_asked_for_again(post: Post, ann: Connector) -> None:
    post.provider.faults.set("refused_recipients", {BOB: "550 5.1.1 Never heard of him"})
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    assert (await post.now(sent)).state is SendState.FAILED
    assert "Never heard of him" in (await post.now(sent)).state_text


async def test_who_is_put_off_gets_it_later_and_nobody_gets_it_twice(post: Post, ann: Connector) -> None:
    post.provider.faults.set("refused_recipients", {EVE: "451 4.2.1 Her mailbox is busy"})
    neighbour = await post.inbox("neighbour")
    sent = await post.queue(ann.inbox_id, BOB, EVE, neighbour.email_address)
    await post.work()
    waiting = await post.now(sent)
    assert waiting.state is SendState.QUEUED
    assert "Her mailbox is busy" in waiting.state_text
    assert (arrivals(post, sent), arrivals(post, sent, EVE), len(await post.emails(neighbour))) == (1, 0, 1)
    post.provider.faults.clear("refused_recipients")
    await post.work_it_off()
    assert (await post.now(sent)).state is SendState.ACCEPTED
    assert (await post.now(sent)).refused == ()
    assert (arrivals(post, sent), arrivals(post, sent, EVE), len(await post.emails(neighbour))) == (1, 1, 1)


async def test_who_is_put_off_for_a_day_is_refused_in_the_end(post: Post, ann: Connector) -> None:
    post.provider.faults.set("refused_recipients", {EVE: "451 4.2.1 Her mailbox is busy"})
    sent = await post.queue(ann.inbox_id, BOB, EVE)
    await post.work()
    await post.work_it_off()
    settled = await post.now(sent)
    assert (settled.state, settled.refused) == (SendState.ACCEPTED, (EVE,))
    assert arrivals(post, sent) == 1


async def test_what_is_written_to_neighbours_is_queued_too(post: Post) -> None:
    ann, bob = await post.inbox("ann"), await post.inbox("bob")
    sent = await post.queue(ann.id, bob.email_address)
    assert await post.emails(bob) == []
    await post.work()
    assert len(await post.emails(bob)) == 1
    assert (await post.now(sent)).state is SendState.ACCEPTED


async def test_what_can_never_be_sent_is_not_queued(post: Post) -> None:
    ann = await post.inbox("ann")
    with pytest.raises(Invalid, match="no connector"):
        await post.queue(ann.id, BOB)
    assert await post.services.outbox.rest() is None


async def test_what_is_deleted_before_it_is_sent_is_not_sent(post: Post, ann: Connector) -> None:
    sent = await post.queue(ann.inbox_id, BOB)
    await post.services.sent.delete(post.account.id, sent.id)
    await post.work_it_off()
    assert arrivals(post, sent) == 0


# While somebody waits


@pytest.mark.parametrize("state", NOT_GIVEN)
async def test_who_waits_is_told_and_nothing_is_sent_behind_his_back(state: str, post: Post, ann: Connector) -> None:
    post.provider.faults.set("smtp_cut_at", state, times=1)
    with pytest.raises(Unreachable):
        await post.send(ann.inbox_id, BOB, body="B" * 100_000)
    await post.work_it_off()
    assert post.provider.outside == []
    assert await post.services.outbox.rest() is None


async def test_who_waits_is_told_that_nothing_is_known(post: Post, ann: Connector) -> None:
    post.provider.users["ann@provider.example"].files_sent = True
    post.provider.faults.set("lose_verdict", times=1)
    with pytest.raises(OutcomeUnknown):
        await post.send(ann.inbox_id, BOB)
    await post.work_it_off()
    [found] = (await post.services.sent.page(post.account.id, SentQuery())).items
    assert found.state is SendState.ACCEPTED
    assert arrivals(post, found) == 1


# The same request again


async def ask(post: Post, ann: Connector, key: str = "key", outgoing: Outgoing = TO_BOB) -> SentEmail:
    return await post.services.sending.send_from_inbox(post.account.id, ann.inbox_id, outgoing, key=key)


async def test_the_same_request_again_is_the_same_send(post: Post, ann: Connector) -> None:
    first, second = await ask(post, ann), await ask(post, ann)
    by_connector = await post.services.sending.send_from_connector(post.account.id, ann.id, TO_BOB, key="key")
    assert first == second == by_connector
    assert arrivals(post, first) == 1
    assert (await ask(post, ann, "another key")).id != first.id


async def test_the_same_request_at_the_same_time_is_the_same_send(post: Post, ann: Connector) -> None:
    post.provider.faults.set("delay", 0.05)
    answers = await asyncio.gather(*(ask(post, ann) for _ in range(8)))
    assert len({one.id for one in answers}) == 1
    assert {one.state for one in answers} == {SendState.ACCEPTED}
    assert len(post.provider.outside) == 1


async def test_another_request_with_the_same_key_is_a_conflict(post: Post, ann: Connector) -> None:
    await ask(post, ann)
    with pytest.raises(Conflict, match="used to send something else"):
        await ask(post, ann, outgoing=Outgoing(to=(EVE,), subject="S", body="B"))
    with pytest.raises(Invalid, match="Idempotency-Key"):
        await ask(post, ann, key="x" * 256)
    assert len(post.provider.outside) == 1


async def test_a_key_is_its_accounts_own(post: Post, ann: Connector) -> None:
    await ask(post, ann)
    other = (await post.services.accounts.create_key(account="other")).account
    inbox, neighbour = await post.inbox("other", other), await post.inbox("neighbour")
    outgoing = Outgoing(to=(neighbour.email_address,))
    await post.services.sending.send_from_inbox(other.id, inbox.id, outgoing, key="key")
    assert len(await post.emails(neighbour)) == 1


@pytest.mark.parametrize("state", NOT_GIVEN)
async def test_with_a_key_a_cut_send_goes_out_once_whoever_is_first(state: str, post: Post, ann: Connector) -> None:
    for by_itself in (True, False):
        key = f"{state} {by_itself}"
        post.provider.outside.clear()
        post.provider.faults.set("smtp_cut_at", state, times=1)
        with pytest.raises(RemoteError, match="It stays queued"):
            await ask(post, ann, key, TO_BOB)
        if by_itself:
            await post.work(timedelta(minutes=5))
        sent = await ask(post, ann, key, TO_BOB)
        assert sent.state is SendState.ACCEPTED
        await post.work_it_off()
        assert len(post.provider.outside) == 1


async def test_with_a_key_a_failure_stays_a_failure(post: Post, ann: Connector) -> None:
    post.provider.faults.set("refused_recipients", {BOB: "550 5.1.1 Never heard of him"})
    for _ in range(2):
        with pytest.raises(Refused, match="Never heard of him"):
            await ask(post, ann)
    post.provider.faults.set("smtp_answers", {"MAIL": "451 4.3.0 Later"})
    with pytest.raises(Deferred, match="Later"):
        await ask(post, ann, "second")


async def test_with_a_key_a_lost_answer_stays_unknown_until_it_is_found(post: Post, ann: Connector) -> None:
    post.provider.users["ann@provider.example"].files_sent = True
    post.provider.faults.set("lose_verdict", times=1)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await ask(post, ann)
    await post.work(timedelta(seconds=6))
    assert (await ask(post, ann)).state is SendState.ACCEPTED
    assert len(post.provider.outside) == 1


async def test_keys_are_kept_for_a_day_and_then_forgotten(post: Post, ann: Connector) -> None:
    first = await ask(post, ann)
    post.clock.ahead += DAY
    assert await post.services.outbox.prune() == 0
    assert (await ask(post, ann)).id == first.id
    post.clock.ahead += DAY
    assert await post.services.outbox.prune() == 1
    assert (await ask(post, ann)).id != first.id


async def test_what_was_deleted_is_not_sent_again_under_its_key(post: Post, ann: Connector) -> None:
    sent = await ask(post, ann)
    await post.services.sent.delete(post.account.id, sent.id)
    with pytest.raises(Conflict, match="deleted since"):
        await ask(post, ann)


async def test_a_queued_request_again_is_the_same_send(post: Post, ann: Connector) -> None:
    queue, wish = post.services.sending.queue, Wish(key="key")
    first = await queue(post.account.id, ann.inbox_id, TO_BOB, wish)
    await post.work()
    second = await queue(post.account.id, ann.inbox_id, TO_BOB, wish)
    assert first.id == second.id
    await post.work_it_off()
    assert len(post.provider.outside) == 1


# Several at work


async def test_who_was_away_for_too_long_sends_nothing(post: Post, ann: Connector) -> None:
    sent = await post.queue(ann.inbox_id, BOB)
    [paused] = await post.services.outbox.claim(1)
    await post.work()
    assert arrivals(post, sent) == 0, "it is somebody's, who may be at it"
    await post.work(timedelta(minutes=2))
    assert arrivals(post, sent) == 1
    await post.services.outbox.run(*paused)
    assert arrivals(post, sent) == 1
    assert (await post.now(sent)).state is SendState.ACCEPTED


async def test_what_nobody_waits_for_any_more_is_not_sent(post: Post, ann: Connector) -> None:
    """A process died while somebody waited, before the message was given: he was told nothing, and may ask again."""
    post.provider.faults.set("stall_at", "DATA")
    waiting = asyncio.create_task(post.send(ann.inbox_id, BOB))
    while not post.provider.faults.strikes["stall_at"]:
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    post.provider.faults.clear("stall_at")
    await post.work_it_off()
    assert post.provider.outside == []
    assert await post.services.outbox.rest() is None


# Copies


async def test_a_copy_is_kept_where_the_server_keeps_none(post: Post, ann: Connector) -> None:
    sent = await post.send(ann.inbox_id, BOB)
    assert filed(post) == 0
    await post.work_it_off()
    [copy] = post.provider.users["ann@provider.example"].folder("Sent").messages
    assert copy.data == await post.services.sent.raw(post.account.id, sent.id)
    assert copy.flags == {"\\Seen"}
    assert await sends(post, ann) == [EventStatus.SUCCESS]


async def test_a_copy_that_the_server_keeps_is_the_only_one(post: Post, ann: Connector) -> None:
    post.provider.users["ann@provider.example"].files_sent = True
    await post.send(ann.inbox_id, BOB)
    await post.work_it_off()
    assert filed(post) == 1


async def test_a_copy_whose_answer_was_lost_is_not_filed_twice(post: Post, ann: Connector) -> None:
    post.provider.faults.set("lose_answer", "APPEND", times=1)
    await post.send(ann.inbox_id, BOB)
    await post.work_it_off()
    assert post.provider.faults.strikes["lose_answer"] == 1
    assert filed(post) == 1


async def test_a_copy_that_can_not_be_kept_is_an_event_and_no_failure(post: Post, ann: Connector) -> None:
    post.provider.faults.set("imap_answers", {"APPEND": "NO [OVERQUOTA] Your mailbox is full"})
    sent = await post.send(ann.inbox_id, BOB)
    await post.work_it_off()
    assert (await post.now(sent)).state is SendState.ACCEPTED
    assert await sends(post, ann) == [EventStatus.SUCCESS, EventStatus.CONNECTION_ERROR]


async def test_no_copy_is_kept_of_what_stays_here_or_is_not_wanted(tmp_path: Path) -> None:
    async with a_post(tmp_path, sent_copy=False) as post:
        ann, bob = await post.connector("ann"), await post.inbox("bob")
        await post.send(ann.inbox_id, BOB, f"bob@{DOMAIN}")
        await post.send(ann.inbox_id, bob.email_address)
        await post.work_it_off()
        assert filed(post) == 0
