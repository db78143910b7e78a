"""Emails that are sent at a certain time, from many inboxes, or as somebody has written them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from posthouse.mime.reading import read
from posthouse.model.errors import Conflict, Invalid, NotFound
from posthouse.model.events import Happening
from posthouse.model.mail import Outgoing, SendState
from posthouse.model.outbox import JobStatus
from posthouse.model.values import Slice

from .posting import DOMAIN, Post, a_post

BOB = "bob@elsewhere.example"
TO_BOB = Outgoing(to=(BOB,), subject="S", body="B")


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path) as post:
        yield post


async def test_what_is_scheduled_is_sent_at_its_time(post: Post) -> None:
    ann = await post.connector("ann")
    at = post.clock() + timedelta(hours=30)
    job = await post.services.sending.schedule(post.account.id, ann.inbox_id, TO_BOB, at)
    assert (job.status, job.send_at) == (JobStatus.SUBMITTED, at)
    await post.work(timedelta(hours=29))
    assert post.provider.outside == []
    await post.work(timedelta(hours=1, minutes=1))
    assert len(post.provider.outside) == 1
    assert (await post.services.jobs.get(post.account.id, job.id)).status is JobStatus.COMPLETED
    date = dict(read(post.provider.outside[0].message).headers)["Date"]
    assert abs(parsedate_to_datetime(date) - at) < timedelta(seconds=2), "it is dated when it is sent"


async def test_what_is_scheduled_and_fails_is_tried_again_from_its_time_on(post: Post) -> None:
    ann = await post.connector("ann")
    post.provider.faults.set("smtp_cut_at", "rcpt", times=1)
    at = post.clock() + timedelta(hours=30)
    job = await post.services.sending.schedule(post.account.id, ann.inbox_id, TO_BOB, at)
    await post.work(timedelta(hours=31))
    assert (await post.services.jobs.get(post.account.id, job.id)).status is JobStatus.SUBMITTED
    await post.work_it_off()
    assert (await post.services.jobs.get(post.account.id, job.id)).status is JobStatus.COMPLETED
    assert len(post.provider.outside) == 1


async def test_a_job_is_cancelled_until_it_is_sent(post: Post) -> None:
    ann, jobs = await post.connector("ann"), post.services.jobs
    at = post.clock() + timedelta(hours=1)
    job = await post.services.sending.schedule(post.account.id, ann.inbox_id, TO_BOB, at)
    for _ in range(2):
        assert (await jobs.cancel(post.account.id, job.id)).status is JobStatus.CANCELLED
    await post.work_it_off()
    assert post.provider.outside == []
    page = await jobs.page(post.account.id, Slice(), inbox=ann.inbox_id)
    assert [one.status for one in page.items] == [JobStatus.CANCELLED]
    other = await post.services.sending.schedule(post.account.id, ann.inbox_id, TO_BOB, post.clock())
    await post.work()
    with pytest.raises(Conflict, match="too late"):
        await jobs.cancel(post.account.id, other.id)


async def test_the_same_schedule_again_is_the_same_job(post: Post) -> None:
    ann = await post.connector("ann")
    at = post.clock() + timedelta(hours=1)
    first, second = [
        await post.services.sending.schedule(post.account.id, ann.inbox_id, TO_BOB, at, key="key") for _ in range(2)
    ]
    assert first.id == second.id


async def test_many_inboxes_send_the_same_or_none_of_them_does(post: Post) -> None:
    ann, bea, alone = await post.connector("ann"), await post.connector("bea"), await post.inbox("alone")
    sending = post.services.sending
    with pytest.raises(Invalid, match="no connector"):
        await sending.queue_from_all(post.account.id, [ann.inbox_id, alone.id], TO_BOB)
    assert await post.services.outbox.rest() is None
    both = [ann.inbox_id, bea.inbox_id, ann.inbox_id]
    first = await sending.queue_from_all(post.account.id, both, TO_BOB, key="key")
    again = await sending.queue_from_all(post.account.id, both, TO_BOB, key="key")
    assert [one.id for one in first] == [one.id for one in again]
    await post.work()
    assert {one.sender for one in post.provider.outside} == {"ann@provider.example", "bea@provider.example"}
    with pytest.raises(Conflict):
        await sending.queue_from_all(post.account.id, [ann.inbox_id], TO_BOB, key="key")
    assert len(post.provider.outside) == 2


async def test_a_message_is_sent_as_it_is_by_its_own_envelope(post: Post) -> None:
    ann, neighbour = await post.connector("ann"), await post.inbox("neighbour")
    written = (
        b"From: Boss <boss@elsewhere.example>\nTo: Team <team@elsewhere.example>\nSubject: \xc3\xa9\n\n.\nB\xc3\xa9\n"
    )
    sent = await post.services.sending.send_message(
        post.account.id, ann.inbox_id, "bounces@elsewhere.example", [BOB, neighbour.email_address], written
    )
    assert sent.state is SendState.ACCEPTED
    [left] = post.provider.outside
    assert (left.sender, left.recipients) == ("bounces@elsewhere.example", (BOB,))
    assert left.message.endswith(written.replace(b"\n", b"\r\n"))
    assert f"Message-ID: <{sent.message_id}>".encode() in left.message
    assert (sent.sender.email, sent.to, len(sent.bcc)) == ("boss@elsewhere.example", (), 2)
    [email] = await post.emails(neighbour)
    assert email.subject == "é"
    for bad in (b"", b"no header at all"):
        with pytest.raises(Invalid, match="data is no message"):
            await post.services.sending.send_message(post.account.id, ann.inbox_id, "a@b.example", [BOB], bad)
    with pytest.raises(Invalid, match="rcptTo"):
        await post.services.sending.send_message(post.account.id, ann.inbox_id, "a@b.example", [], written)


async def test_a_message_that_somebody_wrote_himself_is_in_the_conversation_that_it_answers(post: Post) -> None:
    ann = await post.inbox("ann")
    asked = b"From: Bob <bob@elsewhere.example>\r\nMessage-ID: <2@x.example>\r\nReferences: <1@x.example>\r\n\r\n?\r\n"
    await post.services.importing.take_in(post.account.id, ann.id, asked, rename=False)
    [question] = await post.emails(ann)
    answer = b"From: ann@x.example\nIn-Reply-To: <2@x.example>\nReferences: <1@x.example>\n <2@x.example>\n\nYes\n"
    sent = await post.services.sending.send_message(
        post.account.id, ann.id, ann.email_address, [ann.email_address], answer
    )
    assert sent.in_reply_to == question.message_id
    assert sent.references == ("1@x.example", "2@x.example")
    assert sent.thread_id is not None
    assert sent.thread_id == question.thread_id


async def test_the_null_sender_is_one(post: Post) -> None:
    ann = await post.connector("ann")
    written = b"From: <ann@provider.example>\nSubject: Auto\n\nB\n"
    await post.services.sending.send_message(post.account.id, ann.inbox_id, "<>", [BOB], written)
    assert post.provider.outside[0].sender == ""


async def test_a_test_email_arrives(post: Post) -> None:
    inbox = await post.inbox("ann")
    await post.services.sending.send_test(post.account.id, inbox.id)
    [email] = await post.emails(inbox)
    assert (email.subject, email.sender and email.sender.email) == ("Test email", f"test@{DOMAIN}")
    assert [entry.happening for entry in await post.journal(inbox.id)] == [Happening.EMAIL_RECEIVED]


async def test_it_can_be_told_beforehand_what_can_not_be_sent(post: Post) -> None:
    ann, alone = await post.connector("ann"), await post.inbox("alone")
    can = post.services.sending.can_send
    assert await can(post.account.id, ann.inbox_id, TO_BOB) is None
    assert "no connector" in str(await can(post.account.id, alone.id, TO_BOB))
    assert "recipient" in str(await can(post.account.id, ann.inbox_id, Outgoing(subject="S")))
    header = Outgoing(to=(BOB,), headers=(("X-A", "a\nb"),))
    assert "X-A" in str(await can(post.account.id, ann.inbox_id, header))
    with pytest.raises(NotFound):
        await can((await post.services.accounts.create_key(account="other")).account.id, ann.inbox_id, TO_BOB)
    assert post.provider.outside == []
