import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from peers.mailbox import Mailbox as Account
from peers.smtpd import SmtpServer
from posthouse.model.connectors import Security, SmtpSettings
from posthouse.model.errors import (
    CredentialsRefused,
    Deferred,
    Garbled,
    OutcomeUnknown,
    Refused,
    RemoteError,
    Stage,
    TlsFailed,
    Unreachable,
)
from posthouse.model.events import Transcript
from posthouse.model.mail import Submission
from posthouse.model.values import Secret
from posthouse.remote.bounds import Bounds
from posthouse.remote.submission import SmtpSubmission, open_submission
from posthouse.remote.tls import Tls

from .servers import LOOPBACK, Handler, Reader, Writer, conversation, forever, hang_up, serving

QUICK = Bounds(connect=5, command=5, verdict=5, goodbye=0.05)
PASSWORD = "canary-Zk3q8"
MESSAGE = b"From: ann@example.org\r\nTo: bob@example.org\r\nSubject: hi\r\n\r\nhello\r\n.\r\n..\r\n"


@contextlib.asynccontextmanager
async def opened(settings: SmtpSettings, tls: Tls | None = None, **more: Any) -> AsyncIterator[SmtpSubmission]:
    options: dict[str, Any] = {"transcript": Transcript(), "egress": LOOPBACK, "bounds": QUICK} | more
    submission = await open_submission(settings, tls=tls or Tls(), **options)
    try:
        yield submission
    finally:
        await submission.close()


def at(server: SmtpServer, account: Account, security: Security = Security.TLS, **more: Any) -> SmtpSettings:
    ports = {
        Security.TLS: server.tls_port,
        Security.STARTTLS: server.starttls_port,
        Security.PLAIN: server.plain_port,
    }
    settings: dict[str, Any] = {"username": account.address, "password": Secret(account.password)} | more
    return SmtpSettings(host="localhost", port=ports[security], security=security, **settings)


# Exim


@pytest.mark.parametrize("security", list(Security))
@pytest.mark.parametrize("mechanism", ["", "PLAIN", "LOGIN", "CRAM-MD5"])
async def test_a_message_is_sent_every_way(
    security: Security, mechanism: str, smtp_server: SmtpServer, mailbox: Account
) -> None:
    mailbox.may_send(smtp_server)
    transcript = Transcript()
    settings = at(smtp_server, mailbox, security, mechanisms=(mechanism,) if mechanism else ())
    async with opened(settings, Tls(smtp_server.authority.pem), transcript=transcript) as submission:
        verdict = await submission.send(mailbox.address, [mailbox.address], MESSAGE)
    assert verdict.accepted == (mailbox.address,)
    assert verdict.refused == ()
    assert verdict.words.startswith("250 ")
    (delivered,) = await asyncio.to_thread(smtp_server.wait_for, mailbox.address)
    assert delivered.sender == mailbox.address
    assert delivered.raw.endswith(MESSAGE.replace(b"\r\n", b"\n"))
    assert mailbox.password not in transcript.text
    assert "QUIT" in transcript.text


async def test_one_session_sends_many_and_tells_of_every_recipient(smtp_server: SmtpServer, mailbox: Account) -> None:
    mailbox.may_send(smtp_server)
    stranger = "nobody-at-all@example.org"
    async with opened(at(smtp_server, mailbox), Tls(smtp_server.authority.pem)) as submission:
        verdict = await submission.send(mailbox.address, [mailbox.address, stranger], MESSAGE)
        assert verdict.accepted == (mailbox.address,)
        ((refused, words),) = verdict.refused
        assert refused == stranger
        assert words.startswith("550")
        with pytest.raises(Refused, match=f"none of the recipients: {stranger}: 550"):
            await submission.send(mailbox.address, [stranger], MESSAGE)
        assert (await submission.send("", [mailbox.address], MESSAGE)).accepted
    assert len(await asyncio.to_thread(smtp_server.wait_for, mailbox.address, 2)) == 2


async def test_a_wrong_password_is_refused_and_told_nowhere(smtp_server: SmtpServer, mailbox: Account) -> None:
    mailbox.may_send(smtp_server)
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        transcript = Transcript()
        settings = at(smtp_server, mailbox, password=Secret(PASSWORD), mechanisms=(mechanism,))
        with pytest.raises(CredentialsRefused) as caught:
            async with opened(settings, Tls(smtp_server.authority.pem), transcript=transcript):
                pass
        assert caught.value.stage is Stage.SIGN_IN
        assert PASSWORD not in transcript.text + str(caught.value)


async def test_a_message_over_the_servers_limit_is_not_sent(smtp_server: SmtpServer, mailbox: Account) -> None:
    mailbox.may_send(smtp_server)
    transcript = Transcript()
    async with opened(at(smtp_server, mailbox), Tls(smtp_server.authority.pem), transcript=transcript) as submission:
        with pytest.raises(Refused, match=str(smtp_server.size_limit)):
            await submission.send(mailbox.address, [mailbox.address], bytes(smtp_server.size_limit + 1))
    assert "MAIL" not in transcript.text


# Servers that do other things

HELLO = """
    S: 220 ready
    C: EHLO
    S: 250-here
    S: 250-AUTH PLAIN LOGIN
    S: 250 SIZE 1000
"""
ENVELOPE = (
    HELLO
    + """
    C: MAIL
    S: 250 ok
    C: RCPT
    S: 250 ok
    C: DATA
    S: 354 go on
"""
)


def scripted(port: int, **more: Any) -> SmtpSettings:
    settings: dict[str, Any] = {"security": Security.PLAIN} | more
    return SmtpSettings(host="localhost", port=port, **settings)


async def error_of(
    script: str, then: Handler = forever, message: bytes = MESSAGE, recipients: int = 1, **more: Any
) -> RemoteError:
    """What is raised by sending a message to a server that plays this script."""
    transcript = Transcript()
    async with serving(conversation(script, then)) as port:
        with pytest.raises(RemoteError) as caught:
            async with opened(scripted(port, **more), transcript=transcript) as submission:
                to = [f"bob{number}@example.org" for number in range(recipients)]
                await submission.send("ann@example.org", to, message)
    assert PASSWORD not in transcript.text + caught.value.message
    return caught.value


def at_the_end_say(*lines: bytes) -> Handler:
    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n.\r\n")
        for line in lines:
            writer.write(line + b"\r\n")
        await writer.drain()

    return handle


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("535 5.7.8 Authentication credentials invalid", CredentialsRefused),
        ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", CredentialsRefused),
        ("534-5.7.9 Application-specific password required.\nS: 534 5.7.9 see there", CredentialsRefused),
        (f"535 no user ann with {PASSWORD}", CredentialsRefused),
        ("454 4.7.0 Too many login attempts, please try again later.", Deferred),
        ("421 4.7.0 Try again later, closing connection.", Deferred),
    ],
)
async def test_a_refused_sign_in_is_told_apart(words: str, kind: type[RemoteError]) -> None:
    error = await error_of(
        HELLO + f"C: AUTH PLAIN\nS: {words}", username="ann", password=Secret(PASSWORD), mechanisms=("PLAIN",)
    )
    assert type(error) is kind
    assert error.stage is Stage.SIGN_IN


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (HELLO + "C: MAIL\nS: 550 5.7.1 not you", Refused, "refused MAIL: 550 5.7.1 not you"),
        (HELLO + "C: MAIL\nS: 451 4.3.0 later", Deferred, "can't serve us now: 451 4.3.0 later"),
        (HELLO + "C: MAIL\nS: 530 5.7.0 Authentication required", CredentialsRefused, "there is no user name"),
        (HELLO + "C: MAIL\nS: 530 5.7.0 Must issue a STARTTLS command first", TlsFailed, "STARTTLS"),
        (HELLO + "C: MAIL\nS: 250 ok\nC: RCPT\nS: 450 4.2.1 grey\nC: RSET\nS: 250 ok", Deferred, "bob0@.*450 4.2.1"),
        (HELLO + "C: MAIL\nS: 250 ok\nC: RCPT\nS: 550 5.1.1 who\nC: RSET\nS: 250 ok", Refused, "bob0@.*550 5.1.1"),
        ("S: 554 No SMTP service here", Refused, "No SMTP service here"),
        ("S: 421 Too many connections", Deferred, "Too many connections"),
        ("S: * OK IMAP4rev1 ready", Garbled, "broke the protocol"),
        ("S: SSH-2.0-OpenSSH_9.2", Garbled, "broke the protocol"),
    ],
)
async def test_every_no_before_the_message_is_told_apart(script: str, kind: type[RemoteError], words: str) -> None:
    error = await error_of(script)
    assert type(error) is kind
    assert re.search(words, error.message), error.message
    assert error.transient == (kind in (Deferred, Garbled))


async def test_when_nobody_is_taken_and_one_may_be_later_all_are_tried_again() -> None:
    rcpt = "C: RCPT\nS: {}\n"
    script = HELLO + "C: MAIL\nS: 250 ok\n" + rcpt.format("550 5.1.1 who") + rcpt.format("451 4.0.0 later")
    error = await error_of(script + "C: RSET\nS: 250 ok", recipients=2)
    assert type(error) is Deferred
    assert "bob0@example.org: 550 5.1.1 who; bob1@example.org: 451 4.0.0 later" in error.message


async def test_the_final_word_on_a_message_decides() -> None:
    assert type(await error_of(ENVELOPE, at_the_end_say(b"554 5.6.0 spam"))) is Refused
    assert type(await error_of(ENVELOPE, at_the_end_say(b"451 4.3.1 disk full"))) is Deferred
    assert type(await error_of(ENVELOPE, at_the_end_say(b"421 4.3.2 going down"))) is Deferred


@pytest.mark.parametrize("lines", [(), (b"what?",), (b"354 go on",)], ids=["silence", "nonsense", "more, please"])
async def test_a_message_given_and_never_answered_has_an_unknown_outcome(lines: tuple[bytes, ...]) -> None:
    error = await error_of(ENVELOPE, at_the_end_say(*lines))
    assert type(error) is OutcomeUnknown
    assert not error.transient


async def test_a_verdict_that_never_comes_is_an_unknown_outcome() -> None:
    bounds = Bounds(command=0.1, verdict=0.1, goodbye=0.05)
    async with serving(conversation(ENVELOPE)) as port, opened(scripted(port), bounds=bounds) as submission:
        with pytest.raises(OutcomeUnknown):
            await submission.send("ann@example.org", ["bob@example.org"], MESSAGE)


async def test_a_message_cut_off_in_the_middle_was_not_sent() -> None:
    async def take_some(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1000)
        writer.transport.abort()

    script = ENVELOPE.replace("SIZE 1000", "SIZE 100000000")
    error = await error_of(script, take_some, b"Subject: x\r\n\r\n" + b"x" * 76 + b"\r\n" * 8_000_000)
    assert type(error) is Unreachable
    assert error.transient


async def test_a_server_that_says_why_and_hangs_up_in_the_middle_is_heard() -> None:
    async def enough(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1000)
        writer.write(b"552 5.3.4 too big for me\r\n")
        await hang_up(reader, writer)
        await asyncio.sleep(1)

    script = ENVELOPE.replace("SIZE 1000", "SIZE 100000000")
    error = await error_of(script, enough, b"Subject: x\r\n\r\n" + b"x" * 76 + b"\r\n" * 8_000_000)
    assert type(error) in (Refused, Unreachable)  # a reset may overtake the words
    assert not isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize("recipient", ["a b@example.org", "x>\r\nRCPT TO:<evil@example.org", "", "jürgen@example.org"])
async def test_what_cannot_be_sent_is_refused_before_a_word_is_said(recipient: str) -> None:
    transcript = Transcript()
    async with serving(conversation(HELLO)) as port, opened(scripted(port), transcript=transcript) as submission:
        with pytest.raises(Refused):
            await submission.send("ann@example.org", [recipient], MESSAGE)
    assert "MAIL" not in transcript.text


async def test_what_we_call_ourselves_is_our_address_or_the_users_choice() -> None:
    for name, said in (("", "C: EHLO [127.0.0.1]"), ("mail.example.org", "C: EHLO mail.example.org")):
        transcript = Transcript()
        settings = {"local_host_name": name}
        async with serving(conversation(HELLO)) as port, opened(scripted(port, **settings), transcript=transcript):
            assert said in transcript.lines


async def test_starttls_is_had_or_nothing_is_said() -> None:
    for script in (
        HELLO,
        HELLO.replace("AUTH PLAIN LOGIN", "STARTTLS") + "C: STARTTLS\nS: 454 not available",
        HELLO.replace("AUTH PLAIN LOGIN", "STARTTLS") + "C: STARTTLS\nS: 220 go\nS: 250 injected",
    ):
        error = await error_of(script, security=Security.STARTTLS, username="ann", password=Secret(PASSWORD))
        assert type(error) is TlsFailed


async def test_an_open_session_is_what_the_services_ask_for() -> None:
    async with serving(conversation(HELLO)) as port, opened(scripted(port)) as submission:
        port_of_the_model: Submission = submission
        assert port_of_the_model is submission
