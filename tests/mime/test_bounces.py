"""Reports about mail that was sent: standard ones, and the prose of servers that know no standard."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mime.automatic import why_not_answered
from posthouse.mime.bounces import report_of
from posthouse.mime.reading import read
from posthouse.model.reports import Action, Report


def reported(raw: bytes | str) -> Report | None:
    raw = raw.encode() if isinstance(raw, str) else raw
    return report_of(raw, read(raw))


STANDARD = """\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.provider.example>
To: ann@provider.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

I could not deliver your mail.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.provider.example
Original-Envelope-Id: 0192e00000007000800000000000002a
Arrival-Date: Sun, 1 Nov 2026 10:00:00 +0100

Original-Recipient: rfc822;Bob@elsewhere.example
Final-Recipient: rfc822; robert@inner.elsewhere.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.elsewhere.example
Diagnostic-Code: smtp; 550 5.1.1 <bob@elsewhere.example>:
    Recipient address rejected: User unknown

Final-Recipient: rfc822; <eve@elsewhere.example>
Action: delayed
Status: 4.4.1

--B
Content-Type: message/rfc822

From: ann@provider.example
To: bob@elsewhere.example
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Message-ID: <abc@provider.example>

Hello

--B--
"""


def test_a_standard_report_says_it_all() -> None:
    report = reported(STANDARD)
    assert report is not None
    assert report.reporting_mta == "mx.provider.example"
    assert report.envelope_id == "0192e00000007000800000000000002a"
    assert (report.message_id, report.subject) == ("abc@provider.example", "Grüße")
    assert report.arrived_at is not None
    assert report.arrived_at.hour == 9
    bob, eve = report.outcomes
    assert (bob.recipient, bob.action, bob.status) == ("Bob@elsewhere.example", Action.FAILED, "5.1.1")
    assert bob.reason.startswith("550 5.1.1 <bob@elsewhere.example>: Recipient address rejected")
    assert bob.remote_mta == "mail.elsewhere.example"
    assert (eve.recipient, eve.action, eve.status) == ("eve@elsewhere.example", Action.DELAYED, "4.4.1")


def test_only_the_header_of_the_original_is_enough() -> None:
    original = "Content-Type: message/rfc822\n\nFrom"
    report = reported(STANDARD.replace(original, "Content-Type: text/rfc822-headers\n\nFrom"))
    assert report is not None
    assert report.message_id == "abc@provider.example"


def test_a_receipt_is_a_report_too() -> None:
    report = reported(STANDARD.replace("Action: failed\nStatus: 5.1.1", "Action: delivered\nStatus: 2.1.5"))
    assert report is not None
    assert report.outcomes[0].action is Action.DELIVERED


EXIM = """\
Return-path: <>
X-Failed-Recipients: bob@elsewhere.example, eve@elsewhere.example
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.provider.example>
To: ann@provider.example
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bob@elsewhere.example
    SMTP error from remote mail server after RCPT TO:<bob@elsewhere.example>:
    550 5.1.1 no such user here
  eve@elsewhere.example
    mailbox is full: retry timeout exceeded

------ This is a copy of the message, including all the headers. ------

From: ann@provider.example
Subject: Hello
Message-ID: <abc@provider.example>

Hello
"""


def test_exims_prose_is_understood() -> None:
    report = reported(EXIM)
    assert report is not None
    assert (report.message_id, report.subject) == ("abc@provider.example", "Hello")
    bob, eve = report.outcomes
    assert (bob.recipient, bob.action, bob.status) == ("bob@elsewhere.example", Action.FAILED, "5.1.1")
    assert "550 5.1.1 no such user here" in bob.reason
    assert eve.recipient == "eve@elsewhere.example"
    assert "mailbox is full" in eve.reason


QMAIL = """\
Return-Path: <>
From: MAILER-DAEMON@mail.elsewhere.example
To: ann@provider.example
Subject: failure notice

Hi. This is the program at mail.elsewhere.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<bob@elsewhere.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <ann@provider.example>
From: ann@provider.example
To: bob@elsewhere.example
Subject: Hello
Message-ID: <abc@provider.example>

Hello
"""


def test_qmails_prose_is_understood() -> None:
    report = reported(QMAIL)
    assert report is not None
    [bob] = report.outcomes
    assert (bob.recipient, bob.action, bob.status) == ("bob@elsewhere.example", Action.FAILED, "5.1.1")
    assert report.message_id == "abc@provider.example"


def test_a_warning_is_no_failure() -> None:
    report = reported(
        EXIM.replace(
            "Subject: Mail delivery failed: returning message to sender", "Subject: Warning: message delayed 24 hours"
        )
    )
    assert report is not None
    assert {one.action for one in report.outcomes} == {Action.DELAYED}


@pytest.mark.parametrize(
    "raw",
    [
        "From: Bob <bob@elsewhere.example>\nSubject: Undelivered parcel\n\n<eve@elsewhere.example>:\n550 no\n",
        "From: Bob <bob@elsewhere.example>\nSubject: Re: failure notice\n\nDid you read this?\n",
        "Return-Path: <>\nFrom: bob@elsewhere.example\nSubject: Out of office\n\nI'm away",
        "From: MAILER-DAEMON@mx.example\nSubject: Undeliverable\n\nsomething went wrong, and I don't say for whom\n",
        STANDARD.replace("Final-Recipient", "X-A").replace("Original-Recipient", "X-B"),
        STANDARD.replace("Action: failed", "Action: exploded").replace("Action: delayed", "X: y"),
        "",
    ],
)
def test_what_is_no_report_is_none(raw: str) -> None:
    assert reported(raw) is None


def test_failed_recipients_that_are_no_addresses_are_passed_over() -> None:
    field = "X-Failed-Recipients: bob@elsewhere.example"
    assert field in EXIM
    report = reported(EXIM.replace(field, f"{field}, nobody here RCPT TO:, <eve@elsewhere.example>;,, @").encode())
    assert report is not None
    assert [one.recipient for one in report.outcomes][:1] == ["bob@elsewhere.example"]


@given(st.data())
def test_no_report_however_mangled_raises(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from([STANDARD, EXIM, QMAIL])).splitlines(keepends=True)
    generator = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(0, 12))):
        place = generator.randrange(len(lines))
        match generator.randrange(4):
            case 0:
                del lines[place : place + generator.randrange(1, 4)]
                lines = lines or [""]
            case 1:
                lines.insert(place, lines[generator.randrange(len(lines))])
            case 2:
                lines[place] = "".join(generator.choices("<>@:;, \r\n\t\0a.5=?é", k=generator.randrange(60)))
            case 3:
                generator.shuffle(lines)
    report = reported("".join(lines).encode("utf-8", "replace"))
    if report is not None:
        assert report.outcomes
        assert all("@" in one.recipient for one in report.outcomes)


def test_an_endless_report_is_read_in_part() -> None:
    block = "Final-Recipient: rfc822; bob{}@elsewhere.example\nAction: failed\nStatus: 5.0.0\n\n"
    blocks = "".join(block.format(n) for n in range(50_000))
    report = reported(STANDARD.replace("Original-Recipient", blocks + "Original-Recipient", 1))
    assert report is not None
    assert 100 <= len(report.outcomes) <= 200
    prose = QMAIL.replace("<bob@elsewhere.example>:", "".join(f"<bob{n}@elsewhere.example>:\n" for n in range(50_000)))
    told = reported(prose)
    assert told is not None
    assert len(told.outcomes) <= 200


# Whom a machine does not answer


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("Auto-Submitted: auto-replied", "automatically"),
        ("Auto-Submitted: auto-generated; x=y", "automatically"),
        ("Return-Path: <>", "null return path"),
        ("List-Id: News <news.example.org>", "mailing list"),
        ("List-Unsubscribe: <https://example.org>", "mailing list"),
        ("Precedence: Bulk", "bulk"),
        ("X-Auto-Response-Suppress: OOF", "no automatic answer"),
        ("X-Loop: yes", "machine"),
        ("Reply-To: no-reply@example.org", "machine's address"),
        ("Reply-To: news-bounces@example.org", "machine's address"),
    ],
)
def test_a_machine_is_not_answered(header: str, why: str) -> None:
    message = read(f"From: bob@elsewhere.example\n{header}\nSubject: S\n\nB\n".encode())
    assert why in why_not_answered(message)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: no",
        "Precedence: normal",
        "Return-Path: <bob@elsewhere.example>",
        "Reply-To: Normann <normann-reply@x.example>",
    ],
)
def test_a_person_is_answered(header: str) -> None:
    message = read(f"From: bob@elsewhere.example\n{header}\nSubject: S\n\nB\n".encode())
    assert why_not_answered(message) == ""


def test_who_has_no_address_is_not_answered() -> None:
    assert "no sender" in why_not_answered(read(b"Subject: S\n\nB\n"))
    assert "report" in why_not_answered(
        read(STANDARD.replace("Auto-Submitted: auto-replied\n", "").replace("Return-Path: <>\n", "").encode())
    )
