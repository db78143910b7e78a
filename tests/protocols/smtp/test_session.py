"""SMTP conversations as plays."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from posthouse.protocols.exchange import (
    CommandRefused,
    ConnectionClosed,
    LocalProtocolError,
    NoMechanism,
    ProtocolError,
    Receive,
    RemoteProtocolError,
    Send,
    StartTls,
    TlsRefused,
)
from posthouse.protocols.sasl import Credentials
from posthouse.protocols.smtp import Dsn, RecipientsRefused, Refusal, Refused, Sent, Session
from protocols.plays import play

ANN = Credentials("ann", "hunter22")
PLAIN = "AGFubgBodW50ZXIyMg=="
MESSAGE = b"Subject: hi\r\n\r\nhello\r\n"


def greeted(*extensions: str, notes: list[str] | None = None) -> Session:
    """A session over TLS whose server offers these."""
    session = Session(note=(notes if notes is not None else []).append)
    offered = "".join(f"S: 250-{line}\n" for line in ("mail.example.com", *extensions[:-1]))
    last = extensions[-1] if extensions else "HELP"
    play(
        session.open(local_name="client.example", starttls=False, secure=True),
        f"S: 220 hello\nC: EHLO client.example\n{offered}S: 250 {last}",
    )
    return session


def send(session: Session, script: str, *recipients: str, message: bytes = MESSAGE) -> Sent:
    return play(
        session.send(
            "ann@example.com", recipients or ("bob@example.com",), message, size=23, eight_bit=False, utf8=False
        ),
        script,
    )


# Opening


def test_a_greeting_tells_what_the_server_offers() -> None:
    session = Session()
    play(
        session.open(local_name="client.example", starttls=False, secure=True),
        """
        S: 220-mail.example.com
        S: 220 ESMTP
        C: EHLO client.example
        S: 250-mail.example.com at your service
        S: 250-size 35882577
        S: 250-AUTH=LOGIN
        S: 250-AUTH PLAIN LOGIN
        S: 250 PIPELINING
        """,
    )
    assert session.extensions == {"SIZE": "35882577", "AUTH": "LOGIN PLAIN LOGIN", "PIPELINING": ""}
    assert session.stage == "done"


def test_starttls_comes_first_and_what_was_offered_before_is_forgotten() -> None:
    session = Session()
    play(
        session.open(local_name="client.example", starttls=True, secure=False),
        """
        S: 220 hello
        C: EHLO client.example
        S: 250-mail.example.com
        S: 250-STARTTLS
        S: 250 AUTH LOGIN
        C: STARTTLS
        S: 220 go ahead
        (tls)
        C: EHLO client.example
        S: 250-mail.example.com
        S: 250 SIZE 1000
        """,
    )
    assert session.extensions == {"SIZE": "1000"}


def test_over_tls_nothing_counts_that_was_offered_before_even_if_nothing_is_offered_now() -> None:
    session = Session()
    play(
        session.open(local_name="client.example", starttls=True, secure=False),
        """
        S: 220 hello
        C: EHLO client.example
        S: 250-mail.example.com
        S: 250-STARTTLS
        S: 250 AUTH LOGIN
        C: STARTTLS
        S: 220 go ahead
        (tls)
        C: EHLO client.example
        S: 502 not again
        C: HELO client.example
        S: 250 welcome
        """,
    )
    assert session.extensions == {}


@pytest.mark.parametrize(
    "answer",
    [
        "S: 250-mail.example.com\nS: 250 AUTH PLAIN",
        "S: 502 EHLO? Never heard of it",
        "S: 250-mail.example.com\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 not now",
        "S: 250-mail.example.com\nS: 250 STARTTLS\nC: STARTTLS\nS: 250 fine",
        "S: 250-mail.example.com\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS: 250 SIZE 1",
        "S: 250-mail.example.com\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS- 2",
    ],
    ids=["not offered", "no EHLO", "refused", "not the go-ahead", "a reply injected", "a byte injected"],
)
def test_without_starttls_nothing_more_is_said(answer: str) -> None:
    session = Session()
    with pytest.raises(TlsRefused):
        play(
            session.open(local_name="client.example", starttls=True, secure=False),
            f"S: 220 hello\nC: EHLO client.example\n{answer}",
        )
    assert session.stage == "tls"


def test_a_server_that_slips_a_reply_behind_its_offer_is_found_out() -> None:
    with pytest.raises(RemoteProtocolError, match="out of turn"):
        play(
            Session().open(local_name="client.example", starttls=True, secure=False),
            "S: 220 hello\nC: EHLO client.example\nS: 250-me\nS: 250 STARTTLS\nS: 220 go",
        )


def test_helo_serves_where_ehlo_is_unknown_and_nothing_hangs_on_it() -> None:
    session = Session()
    play(
        session.open(local_name="client.example", starttls=False, secure=False),
        "S: 220 hello\nC: EHLO client.example\nS: 500 what?\nC: HELO client.example\nS: 250 welcome",
    )
    assert session.extensions == {}
    with pytest.raises(NoMechanism, match="nothing"):
        play(session.authenticate(ANN), "")


@pytest.mark.parametrize(
    ("script", "code", "command"),
    [
        ("S: 554 5.7.1 go away", "554", ""),
        ("S: 450 later", "450", ""),
        ("S: 220 hello\nC: EHLO client.example\nS: 451 later", "451", "EHLO"),
        ("S: 220 hello\nC: EHLO client.example\nS: 550 you?\nC: HELO client.example\nS: 550 no", "550", "HELO"),
    ],
)
def test_a_server_may_not_want_us(script: str, code: str, command: str) -> None:
    with pytest.raises(CommandRefused) as refusal:
        play(Session().open(local_name="client.example", starttls=False, secure=True), script)
    assert (refusal.value.code, refusal.value.command) == (code, command)


def test_a_server_that_closes_has_its_last_words() -> None:
    session = Session()
    with pytest.raises(ConnectionClosed, match=r"Too busy\. Try tomorrow\."):
        play(
            session.open(local_name="client.example", starttls=False, secure=True),
            "S: 421-4.3.2 Too busy.\nS: 421 4.3.2 Try tomorrow.",
        )
    assert session.last_words == "Too busy. Try tomorrow."
    assert session.stage == "greeting"
    with pytest.raises(ConnectionClosed, match="without a word"):
        play(Session().open(local_name="client.example", starttls=False, secure=True), "S- 22\n(closed)")


def test_we_do_not_greet_with_a_line_break() -> None:
    with pytest.raises(LocalProtocolError):
        play(Session().open(local_name="a\r\nMAIL FROM:<>", starttls=False, secure=True), "")


# Signing in


def test_plain_goes_with_the_command() -> None:
    session = greeted("AUTH PLAIN LOGIN")
    assert play(session.authenticate(ANN), f"C: AUTH PLAIN {PLAIN}\nS: 235 2.7.0 welcome") == "PLAIN"
    assert session.stage == "done"


def test_what_is_too_long_for_a_command_line_waits_for_the_go_ahead() -> None:
    token = "t" * 1500
    said = b64encode(f"user=ann\x01auth=Bearer {token}\x01\x01".encode()).decode()
    session = greeted("AUTH PLAIN XOAUTH2")
    script = f"C: AUTH XOAUTH2\nS: 334 \nC: {said}\nS: 235 welcome"
    assert play(session.authenticate(Credentials("ann", token=token)), script) == "XOAUTH2"


@pytest.mark.parametrize(("user", "password"), [("VXNlcm5hbWU6", "UGFzc3dvcmQ6"), ("Username:", ""), ("==", "x")])
def test_login_answers_whatever_prompts_there_are(user: str, password: str) -> None:
    script = f"C: AUTH LOGIN\nS: 334 {user}\nC: YW5u\nS: 334 {password}\nC: aHVudGVyMjI=\nS: 235 welcome"
    assert play(greeted("AUTH LOGIN").authenticate(ANN), script) == "LOGIN"


def test_a_refused_password_is_not_tried_another_way() -> None:
    session = greeted("AUTH PLAIN LOGIN CRAM-MD5")
    with pytest.raises(Refused, match="Wrong password") as refusal:
        play(session.authenticate(ANN), f"C: AUTH PLAIN {PLAIN}\nS: 535 5.7.8 Wrong password")
    assert (refusal.value.code, refusal.value.enhanced, refusal.value.command) == ("535", "5.7.8", "AUTH")
    assert not refusal.value.transient
    assert session.stage == "auth"


def test_gmails_wish_for_another_password_is_no_wish_for_another_mechanism() -> None:
    with pytest.raises(Refused, match="Application-specific") as refusal:
        play(
            greeted("AUTH PLAIN LOGIN").authenticate(ANN),
            f"C: AUTH PLAIN {PLAIN}\nS: 534 5.7.9 Application-specific password required.",
        )
    assert refusal.value.code == "534"


def test_the_next_mechanism_is_tried_where_the_first_is_unknown() -> None:
    digest = hmac.new(b"hunter22", b"<1>", "md5").hexdigest()
    script = f"""
        C: AUTH LOGIN
        S: 534 5.7.9 too weak
        C: AUTH PLAIN {PLAIN}
        S: 504 5.5.4 unrecognised
        C: AUTH CRAM-MD5
        S: 334 PDE+
        C: {b64encode(f"ann {digest}".encode()).decode()}
        S: 235 welcome
    """
    session = greeted("AUTH PLAIN LOGIN CRAM-MD5")
    assert play(session.authenticate(ANN, ["LOGIN", "PLAIN", "CRAM-MD5"]), script) == "CRAM-MD5"


def test_a_server_that_does_none_of_what_it_offers_is_told_so() -> None:
    with pytest.raises(NoMechanism, match="PLAIN, LOGIN, but does not do it"):
        play(
            greeted("AUTH PLAIN LOGIN").authenticate(ANN),
            f"C: AUTH PLAIN {PLAIN}\nS: 504 no\nC: AUTH LOGIN\nS: 504 no",
        )


def test_nothing_in_common_names_both_sides() -> None:
    with pytest.raises(NoMechanism, match="by GSSAPI, NTLM, the settings allow PLAIN"):
        play(greeted("AUTH GSSAPI NTLM").authenticate(ANN, ["PLAIN"]), "")


def test_a_refused_token_is_answered_and_its_status_told() -> None:
    said = b64encode(b"user=ann\x01auth=Bearer ya29.token\x01\x01").decode()
    reason = b64encode(b'{"status":"400","schemes":"Bearer"}').decode()
    with pytest.raises(Refused, match=r"^Not accepted\. \(400\)$") as refusal:
        play(
            greeted("AUTH XOAUTH2").authenticate(Credentials("ann", token="ya29.token")),
            f"C: AUTH XOAUTH2 {said}\nS: 334 {reason}\nC: \nS: 535 5.7.8 Not accepted.",
        )
    assert refusal.value.code == "535"


def scram(session: Session, answers: list[str]) -> list[str]:
    """Let a server answer `{nonce}`; what the client said."""
    exchange = session.authenticate(Credentials("user", "pencil"), ["SCRAM-SHA-256"])
    said, nonce, answer = [], "", None
    with suppress(StopIteration):
        while True:
            match exchange.send(answer):
                case Send(data):
                    said.append(data.decode().strip())
                    if len(said) == 1:
                        nonce = b64decode(said[0].split()[2]).decode().rpartition("r=")[2]
                    answer = None
                case Receive():
                    text = answers.pop(0).replace("{nonce}", nonce)
                    code, _, challenge = text.partition(" ")
                    if code == "334":
                        challenge = b64encode(challenge.encode()).decode()
                    answer = f"{code} {challenge}\r\n".encode()
    return said


def test_a_yes_without_the_servers_proof_is_not_believed() -> None:
    with pytest.raises(RemoteProtocolError, match="without proving"):
        scram(greeted("AUTH SCRAM-SHA-256"), ["334 r={nonce}x,s=c2FsdA==,i=1", "235 come in"])
    with pytest.raises(RemoteProtocolError, match="could not prove"):
        scram(greeted("AUTH SCRAM-SHA-256"), ["334 r={nonce}x,s=c2FsdA==,i=1", "334 v=AAAA", "235 come in"])
    with pytest.raises(RemoteProtocolError, match="without proving"):
        scram(greeted("AUTH SCRAM-SHA-256"), ["235 come in"])


def test_a_password_that_cannot_be_said_is_not() -> None:
    with pytest.raises(LocalProtocolError, match="password"):
        play(greeted("AUTH PLAIN").authenticate(Credentials("ann", "a\0b")), "")
    with pytest.raises(LocalProtocolError, match="password"):
        play(
            greeted("AUTH LOGIN").authenticate(Credentials("ann", "\ud800")),
            "C: AUTH LOGIN\nS: 334 \nC: YW5u\nS: 334 \nC: *\nS: 501 cancelled",
        )


def test_endless_challenges_end() -> None:
    with pytest.raises(RemoteProtocolError, match="more than PLAIN has to say"):
        play(greeted("AUTH PLAIN").authenticate(ANN), f"C: AUTH PLAIN {PLAIN}\nS: 334 more")


# Sending


def test_a_message_is_sent() -> None:
    session = greeted()
    sent = send(
        session,
        """
        C: MAIL FROM:<ann@example.com>
        S: 250 2.1.0 OK
        C: RCPT TO:<bob@example.com>
        S: 250 2.1.5 OK
        C: DATA
        S: 354 go ahead
        C: Subject: hi
        C:
        C: hello
        C: .
        S: 250 2.0.0 OK <4711@mail.example.com>
        """,
    )
    assert sent.accepted == ("bob@example.com",)
    assert sent.refused == ()
    assert str(sent.reply) == "250 2.0.0 OK <4711@mail.example.com>"
    assert session.stage == "done"


def test_pipelining_says_sender_and_recipients_at_once_and_one_refusal_does_not_hinder_the_others() -> None:
    sent = send(
        greeted("PIPELINING", "SIZE 1000"),
        """
        C: MAIL FROM:<ann@example.com> SIZE=23
        C: RCPT TO:<bob@example.com>
        C: RCPT TO:<nobody@example.com>
        C: RCPT TO:<cy@example.com>
        S: 250 OK
        S: 250 OK
        S: 550 5.1.1 No such user
        S: 451 4.7.1 Greylisted
        C: DATA
        S: 354 go ahead
        C: ..
        C: .
        S: 250 OK
        """,
        "bob@example.com",
        "nobody@example.com",
        "cy@example.com",
        "bob@example.com",
        message=b".",
    )
    assert sent.accepted == ("bob@example.com",)
    assert sent.refused == (
        Refusal("nobody@example.com", 550, "5.1.1", "No such user"),
        Refusal("cy@example.com", 451, "4.7.1", "Greylisted"),
    )
    assert [refusal.transient for refusal in sent.refused] == [False, True]


def test_many_recipients_go_in_batches() -> None:
    names = [f"u{number}@example.com" for number in range(120)]
    rcpts = [f"C: RCPT TO:<{name}>\n" for name in names]
    script = (
        "C: MAIL FROM:<ann@example.com>\n"
        + "".join(rcpts[:50])
        + "S: 250 OK\n" * 51
        + "".join(rcpts[50:100])
        + "S: 250 OK\n" * 50
        + "".join(rcpts[100:])
        + "S: 250 OK\n" * 20
        + "C: DATA\nS: 354 go\nC: x\nC: .\nS: 250 OK"
    )
    assert send(greeted("PIPELINING"), script, *names, message=b"x").accepted == tuple(names)


@pytest.mark.parametrize("second", ["550 5.1.1 Who?", "452 4.2.2 Full"])
def test_when_all_recipients_are_refused_the_transaction_is_forgotten(second: str) -> None:
    session = greeted()
    with pytest.raises(RecipientsRefused) as refusal:
        send(
            session,
            f"""
            C: MAIL FROM:<ann@example.com>
            S: 250 OK
            C: RCPT TO:<bob@example.com>
            S: 550 5.1.1 No such user
            C: RCPT TO:<cy@example.com>
            S: {second}
            C: RSET
            S: 250 OK
            """,
            "bob@example.com",
            "cy@example.com",
        )
    transient = second.startswith("4")
    assert [each.recipient for each in refusal.value.refusals] == ["bob@example.com", "cy@example.com"]
    assert refusal.value.transient is transient
    assert (refusal.value.code, refusal.value.command) == ("452" if transient else "550", "RCPT")
    assert session.stage == "rcpt"
    play(session.noop(), "C: NOOP\nS: 250 OK")


def test_a_refused_sender_is_said_in_the_servers_words() -> None:
    with pytest.raises(Refused, match="Not your address") as refusal:
        send(greeted(), "C: MAIL FROM:<ann@example.com>\nS: 553 5.7.1 Not your address")
    assert (refusal.value.code, refusal.value.command) == ("553", "MAIL")


def test_a_refused_sender_in_a_pipeline_leaves_nothing_behind() -> None:
    with pytest.raises(Refused) as refusal:
        send(
            greeted("PIPELINING"),
            """
            C: MAIL FROM:<ann@example.com>
            C: RCPT TO:<bob@example.com>
            S: 451 later
            S: 250 OK, anyway
            C: RSET
            S: 250 OK
            """,
        )
    assert (refusal.value.code, refusal.value.command) == ("451", "MAIL")
    assert refusal.value.transient


TO_BOB = "C: MAIL FROM:<ann@example.com>\nS: 250 OK\nC: RCPT TO:<bob@example.com>\nS: 250 OK\n"
HANDED_OVER = TO_BOB + "C: DATA\nS: 354 go\nC: x\nC: .\n"


def test_data_may_be_refused_before_and_after_the_message() -> None:
    session = greeted()
    with pytest.raises(Refused) as refusal:
        send(session, TO_BOB + "C: DATA\nS: 554 5.5.1 No valid recipients\nC: RSET\nS: 250 OK")
    assert (refusal.value.code, refusal.value.command, session.stage) == ("554", "DATA", "data")
    with pytest.raises(Refused) as refusal:
        send(session, HANDED_OVER + "S: 554 5.7.1 Spam", message=b"x")
    assert (refusal.value.code, refusal.value.command, session.stage) == ("554", "DATA", "done")


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        ("C: MAIL FROM:<ann@example.com>\n(closed)", "mail"),
        (TO_BOB.rpartition("S:")[0] + "(closed)", "rcpt"),
        (TO_BOB + "C: DATA\n(closed)", "data"),
        (HANDED_OVER + "(closed)", "answer"),
        (HANDED_OVER + "S- 250 O\n(closed)", "answer"),
        (HANDED_OVER + "S: 354 more?", "answer"),
        (HANDED_OVER + "S: what?", "answer"),
        (HANDED_OVER + "S: 421 4.4.2 closing", "done"),
    ],
)
def test_only_a_loss_after_the_message_and_before_its_verdict_leaves_its_fate_unknown(script: str, stage: str) -> None:
    session = greeted()
    with pytest.raises(RemoteProtocolError):
        send(session, script, message=b"x")
    assert session.stage == stage


def test_a_message_that_breaks_off_is_never_ended() -> None:
    def torn() -> Iterator[bytes]:
        yield b"x" * 300_000
        raise OSError("disk")

    notes: list[str] = []
    session = greeted(notes=notes)
    exchange = session.send("", ["bob@example.com"], torn(), size=0, eight_bit=False, utf8=False)
    answers = iter([b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"])
    said = b""
    answer = None
    with pytest.raises(OSError, match="disk"):
        while True:
            match exchange.send(answer):
                case Send(data):
                    said, answer = said + data, None
                case Receive():
                    answer = next(answers)
    assert session.stage == "message"
    assert said.endswith(b"x")
    assert notes[-1].startswith("C: … (")


def test_a_verdict_before_the_message_is_not_believed() -> None:
    session = greeted()
    with pytest.raises(RemoteProtocolError, match="out of turn"):
        send(session, TO_BOB + "C: DATA\nS: 354 go\nS: 250 OK")
    assert session.stage == "data"


def test_a_reply_nobody_asked_for_is_never_taken_for_an_answer() -> None:
    session = greeted()
    play(session.noop(), "C: NOOP\nS: 250 OK\nS: 250 and again")
    with pytest.raises(RemoteProtocolError, match="out of turn"):
        play(session.reset(), "")
    session = greeted()
    play(session.noop(), "C: NOOP\nS: 250 OK\nS: 421 idle too long")
    with pytest.raises(ConnectionClosed, match="idle too long"):
        play(session.reset(), "")


def test_what_the_server_cannot_take_is_not_begun() -> None:
    session = greeted("SIZE 100")
    for utf8, eight_bit, wanted in ((True, False, "SMTPUTF8"), (False, True, "8BITMIME")):
        with pytest.raises(LocalProtocolError, match=wanted):
            play(session.send("", ["bob@example.com"], b"", size=1, eight_bit=eight_bit, utf8=utf8), "")
    with pytest.raises(Refused, match="101 bytes, and the server takes 100") as refusal:
        play(session.send("", ["bob@example.com"], b"", size=101, eight_bit=False, utf8=False), "")
    assert (refusal.value.code, refusal.value.enhanced) == ("552", "5.3.4")


@pytest.mark.parametrize("parameter", ["0", "", "many", "²", "9" * 5000])
def test_a_size_that_limits_nothing_limits_nothing(parameter: str) -> None:
    script = "C: MAIL FROM:<> SIZE=101\nS: 450 stop here"
    with pytest.raises(Refused, match="stop here"):
        play(
            greeted(f"SIZE {parameter}").send("", ["b@example.com"], b"", size=101, eight_bit=False, utf8=False),
            script,
        )


def test_mail_beyond_ascii_is_sent_with_its_parameters() -> None:
    session = greeted("8BITMIME", "SMTPUTF8", "DSN")
    play(
        session.send(
            "jörg@bücher.example",
            ["bob@example.com"],
            "ü".encode(),
            size=2,
            eight_bit=True,
            utf8=True,
            dsn=Dsn(notify=("NEVER",), ret="FULL", envelope_id="4711"),
        ),
        """
        C: MAIL FROM:<jörg@xn--bcher-kva.example> BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=4711
        S: 250 OK
        C: RCPT TO:<bob@example.com> NOTIFY=NEVER
        S: 250 OK
        C: DATA
        S: 354 go
        C: ü
        C: .
        S: 250 OK
        """,
    )


@pytest.mark.parametrize(
    ("sender", "recipients"),
    [
        ("ann@example.com>\r\nRCPT TO:<eve@example.com", ["bob@example.com"]),
        ("ann@example.com", ["bob@example.com\r\nDATA"]),
        ("ann@example.com", ["bob@example.com", "bob@example.com> NOTIFY=NEVER"]),
        ("ann@example.com", [""]),
        ("ann@example.com", []),
    ],
)
def test_nothing_is_said_when_an_address_is_none(sender: str, recipients: list[str]) -> None:
    with pytest.raises(LocalProtocolError):
        play(greeted("PIPELINING").send(sender, recipients, b"", size=0, eight_bit=False, utf8=False), "")


def test_the_rest_of_the_commands() -> None:
    session = greeted()
    play(session.noop(), "C: NOOP\nS: 250 OK")
    play(session.reset(), "C: RSET\nS: 250 OK")
    play(session.quit(), "C: QUIT\nS: 221 bye")
    play(greeted().quit(), "C: QUIT\n(closed)")
    with pytest.raises(Refused):
        play(greeted().noop(), "C: NOOP\nS: 500 no")


# The transcript


def test_the_transcript_tells_the_story_without_the_secrets() -> None:
    notes: list[str] = []
    session = greeted("AUTH LOGIN PLAIN", notes=notes)
    play(
        session.authenticate(ANN),
        f"""
        C: AUTH PLAIN {PLAIN}
        S: 504 no
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: YW5u
        S: 334 UGFzc3dvcmQ6
        C: aHVudGVyMjI=
        S: 235 2.7.0 hello hunter22
        """,
    )
    send(session, HANDED_OVER + "S: 250 2.0.0 OK id=1", message=b"x")
    assert notes == [
        "S: 220 hello",
        "C: EHLO client.example",
        "S: 250-mail.example.com",
        "S: 250 AUTH LOGIN PLAIN",
        "C: AUTH PLAIN ***",
        "S: 504 no",
        "C: AUTH LOGIN",
        "S: 334 ***",
        "C: ***",
        "S: 334 ***",
        "C: ***",
        "S: 235 2.7.0 hello ***",
        "C: MAIL FROM:<ann@example.com>",
        "S: 250 OK",
        "C: RCPT TO:<bob@example.com>",
        "S: 250 OK",
        "C: DATA",
        "S: 354 go",
        "C: … (3 bytes)",
        "C: .",
        "S: 250 2.0.0 OK id=1",
    ]


CHALLENGES = {"PLAIN": 0, "LOGIN": 2, "CRAM-MD5": 1, "XOAUTH2": 1, "OAUTHBEARER": 1}


@given(
    password=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=6, max_size=30),
    mechanism=st.sampled_from(list(CHALLENGES)),
)
def test_a_password_is_never_seen_though_the_server_echoes_every_word(password: str, mechanism: str) -> None:
    notes: list[str] = []
    session = greeted(f"AUTH {mechanism}", notes=notes)
    assume(not any(password in note for note in notes))
    heard = ""
    exchange = session.authenticate(Credentials("ann", password), [mechanism])
    encoded = b64encode(password.encode()).decode()
    challenges = CHALLENGES[mechanism]
    answer = None
    with pytest.raises(Refused) as refusal:
        while True:
            match exchange.send(answer):
                case Send(data):
                    heard += data.decode().replace("\r\n", " ")
                    answer = None
                case Receive():
                    echo = f"{heard} {password} {encoded}".replace("\r", " ").replace("\n", " ")
                    answer = (f"334 {echo}" if challenges else f"535 5.7.8 {echo}").encode() + b"\r\n"
                    challenges -= 1
    for shown in [*notes, str(refusal.value)]:
        assert password not in shown
        assert encoded not in shown
        for word in heard.split():
            assert len(word) < 8 or word == mechanism or word not in shown.removeprefix("C: AUTH ")


# Whatever the server says

SAID = st.lists(
    st.binary(max_size=40)
    | st.sampled_from(
        [
            b"220 hi\r\n",
            b"250-x\r\n250-PIPELINING\r\n250-SIZE 10\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n",
            b"250 OK\r\n",
            b"235 OK\r\n",
            b"334 \r\n",
            b"334 abcd\r\n",
            b"354 go\r\n",
            b"421 bye\r\n",
            b"504 no\r\n",
            b"550 5.1.1 no\r\n",
            b"",
        ]
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(said=SAID, starttls=st.booleans())
def test_nothing_but_a_protocol_error_comes_of_what_a_server_says(said: list[bytes], starttls: bool) -> None:
    session = Session()
    told = iter(said)
    exchanges = [
        session.open(local_name="client.example", starttls=starttls, secure=False),
        session.authenticate(ANN),
        session.send("", ["a@example.com", "b@example.com"], MESSAGE, size=5, eight_bit=False, utf8=False),
        session.quit(),
    ]
    tls = False
    for exchange in exchanges:
        answer: bytes | None = None
        try:
            while True:
                match exchange.send(answer):
                    case Receive():
                        answer = next(told, b"")
                    case Send(data):
                        assert tls or not starttls or data[:4] in (b"EHLO", b"STAR")
                        answer = None
                    case StartTls():
                        tls, answer = True, None
        except StopIteration:
            continue
        except (CommandRefused, NoMechanism, LocalProtocolError):
            if exchange is exchanges[0]:
                return
        except ProtocolError:
            return


@given(st.integers(1, 40))
def test_how_the_bytes_arrive_makes_no_difference(pieces: int) -> None:
    session = Session()
    play(
        session.open(local_name="client.example", starttls=False, secure=True),
        "S: 220-a\nS: 220 b\nC: EHLO client.example\nS: 250-c\nS: 250-PIPELINING\nS: 250 SIZE 100",
        pieces=pieces,
    )
    assert session.extensions == {"PIPELINING": "", "SIZE": "100"}
    sent = play(
        session.send("", ["b@example.com", "c@example.com"], b"x", size=1, eight_bit=False, utf8=False),
        """
        C: MAIL FROM:<> SIZE=1
        C: RCPT TO:<b@example.com>
        C: RCPT TO:<c@example.com>
        S: 250 OK
        S: 250 OK
        S: 550-5.1.1 no
        S: 550 5.1.1 user
        C: DATA
        S: 354 go
        C: x
        C: .
        S: 250 OK
        """,
        pieces=pieces,
    )
    assert sent.refused == (Refusal("c@example.com", 550, "5.1.1", "no user"),)
