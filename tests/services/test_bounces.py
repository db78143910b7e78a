"""Reports that arrive by sync, tied to what was sent."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from posthouse.model.connectors import Connector
from posthouse.model.errors import RemoteError
from posthouse.model.events import Entry, Happening
from posthouse.model.mail import SendState, SentEmail
from posthouse.model.reports import Bounce, DeliveryStatus
from posthouse.model.values import BouncedId, BounceId, Slice

from .posting import Post, a_post

BOB = "bob@elsewhere.example"
ANN = "ann@provider.example"


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path, sent_copy=False) as post:
        yield post


@pytest.fixture
async def ann(post: Post) -> Connector:
    return await post.connector("ann")


def a_report(envelope_id: str = "", message_id: str = "", subject: str = "") -> bytes:
    about = f"Original-Envelope-Id: {envelope_id}\n" if envelope_id else ""
    original = f"Subject: {subject}\n" if subject else ""
    original += f"Message-ID: <{message_id}>\n" if message_id else ""
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@provider.example
To: {ANN}
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=B

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.provider.example
{about}
Final-Recipient: rfc822; {BOB}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 unknown

--B
Content-Type: text/rfc822-headers

{original}
--B--
""".replace("\n", "\r\n").encode()


async def statuses(post: Post, sent: SentEmail) -> list[DeliveryStatus]:
    page = await post.services.reports.page(post.account.id, Slice(size=50), sent=sent.id)
    return list(page.items)


async def bounces(post: Post, ann: Connector) -> list[Bounce]:
    """By what the journal says."""
    found = []
    for entry in await post.journal(ann.inbox_id):
        if entry.happening is Happening.BOUNCED:
            assert entry.email_id is not None
            async with post.app.database.reading() as tx:
                bounce = await tx.reports.bounce(post.account.id, BounceId(entry.email_id))
            assert bounce is not None
            found.append(bounce)
    return found


def of(journal: list[Entry], happening: Happening) -> list[Entry]:
    return [entry for entry in journal if entry.happening is happening]


@pytest.mark.parametrize("by", ["envelope id", "message id", "subject"])
async def test_a_report_is_tied_to_the_email_that_it_is_about(by: str, post: Post, ann: Connector) -> None:
    other = await post.send(ann.inbox_id, "eve@elsewhere.example", subject="An order")
    sent = await post.send(ann.inbox_id, BOB, subject="An order")
    match by:
        case "envelope id":
            report = a_report(envelope_id=sent.id.hex)
        case "message id":
            report = a_report(message_id=sent.message_id)
        case _:
            report = a_report(subject="An order")
    post.provider.deliver(ANN, report)
    outcome = await post.services.sync.run(post.account.id, ann.id)
    [accepted, failed] = await statuses(post, sent)
    assert (accepted.smtp_code, failed.smtp_code) == (250, 550)
    assert (failed.recipients, failed.reporting_mta) == ((BOB,), "mx.provider.example")
    assert failed.smtp_text == "550 5.1.1 unknown (failed)"
    assert len(await statuses(post, other)) == 1
    [bounce] = await bounces(post, ann)
    assert (bounce.sent_id, bounce.email_id) == (sent.id, outcome.email_ids[-1])
    [bob] = bounce.recipients
    assert (bob.recipient, bob.status, bob.reason) == (BOB, "5.1.1", "550 5.1.1 unknown")
    [entry] = of(await post.journal(ann.inbox_id), Happening.BOUNCED_RECIPIENT)
    assert entry.email_id is not None
    async with post.app.database.reading() as tx:
        assert await tx.reports.bounced_recipient(post.account.id, BouncedId(entry.email_id)) == bob


async def test_the_same_report_twice_is_one(post: Post, ann: Connector) -> None:
    sent = await post.send(ann.inbox_id, BOB)
    for _ in range(2):
        post.provider.deliver(ANN, a_report(message_id=sent.message_id))
        await post.services.sync.run(post.account.id, ann.id)
    assert len(await bounces(post, ann)) == 1


async def test_a_report_of_what_we_never_sent_is_mail_and_no_more(post: Post, ann: Connector) -> None:
    post.provider.deliver(ANN, a_report(message_id="somebody-elses@provider.example", subject="S"))
    outcome = await post.services.sync.run(post.account.id, ann.id)
    assert len(outcome.email_ids) == 1
    assert await bounces(post, ann) == []


async def test_a_report_about_another_accounts_email_changes_nothing(post: Post, ann: Connector) -> None:
    other = (await post.services.accounts.create_key(account="other")).account
    theirs, neighbour = await post.inbox("theirs", other), await post.inbox("neighbour")
    sent = await post.send(ann.inbox_id, BOB)
    outgoing = await post.services.sending.send_message(
        other.id, theirs.id, "<>", [neighbour.email_address], a_report(message_id=sent.message_id)
    )
    assert outgoing.state is SendState.ACCEPTED
    post.provider.deliver(ANN, a_report(envelope_id=outgoing.id.hex))
    await post.services.sync.run(post.account.id, ann.id)
    assert (await post.services.reports.page(other.id, Slice(), sent=outgoing.id)).total == 0


async def test_a_report_about_an_unknown_email_proves_that_it_was_sent(post: Post, ann: Connector) -> None:
    post.provider.faults.set("lose_verdict", times=1)
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    assert (await post.now(sent)).state is SendState.UNKNOWN
    post.provider.deliver(ANN, a_report(message_id=sent.message_id))
    await post.services.sync.run(post.account.id, ann.id)
    assert (await post.now(sent)).state is SendState.ACCEPTED
    await post.work_it_off()
    assert len(post.provider.outside) == 1


async def test_who_is_refused_at_once_is_a_bounce_too(post: Post, ann: Connector) -> None:
    post.provider.faults.set("refused_recipients", {BOB: "550 5.1.1 Never heard of him"})
    await post.send(ann.inbox_id, BOB, "eve@elsewhere.example")
    with pytest.raises(RemoteError):
        await post.send(ann.inbox_id, BOB)
    both = await bounces(post, ann)
    assert [[one.recipient for one in bounce.recipients] for bounce in both] == [[BOB], [BOB]]
    assert {one.status for bounce in both for one in bounce.recipients} == {"5.1.1"}
    refused_once = both[0].sent_id
    assert refused_once is not None
    assert await post.services.reports.bounces(post.account.id, refused_once) == both[:1]


async def test_who_is_put_off_is_no_bounce(post: Post, ann: Connector) -> None:
    post.provider.faults.set("refused_recipients", {BOB: "451 4.2.1 Busy"})
    sent = await post.queue(ann.inbox_id, BOB)
    await post.work()
    assert await bounces(post, ann) == []
    assert [one.smtp_code for one in await statuses(post, sent)] == [451]
