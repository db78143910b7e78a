"""From the greeting to being signed in, and who tries to stand in between."""

from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from posthouse.protocols import sasl
from posthouse.protocols.exchange import (
    CommandRefused,
    ConnectionClosed,
    LocalProtocolError,
    NoMechanism,
    RemoteProtocolError,
    TlsRefused,
)
from posthouse.protocols.imap.framing import Limits
from posthouse.protocols.imap.session import LOGIN_COMMAND, Session

from ..plays import play
from .sessions import ANN, ANN_BY_TOKEN, greeted, signed_in

PLAIN = b64encode(b"\0ann\0hunter2").decode()


def test_a_greeting_with_capabilities_needs_no_question():
    session = Session()
    play(session.open(starttls=False, secure=True), "S: * OK [CAPABILITY IMAP4rev1 idle] hello")
    assert session.capabilities == {"IMAP4REV1", "IDLE"}
    assert not session.authenticated


def test_a_greeting_without_capabilities_is_followed_by_the_question():
    session = Session()
    play(
        session.open(starttls=False, secure=True),
        """
        S: * OK
        C: A1 CAPABILITY
        S: * CAPABILITY IMAP4rev1
        S: A1 OK
        """,
    )
    assert session.capabilities == {"IMAP4REV1"}


def test_starttls_comes_before_anything_else_and_capabilities_are_asked_again():
    session = Session()
    play(
        session.open(starttls=True, secure=False),
        """
        S: * OK [ALERT] hello
        C: A1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED AUTH=EVIL
        S: * ENABLED UTF8=ACCEPT
        S: A1 OK
        C: A2 STARTTLS
        S: A2 OK [CAPABILITY IMAP4rev1 AUTH=EVIL] go
        (tls)
        C: A3 CAPABILITY
        S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
        S: A3 OK
        """,
    )
    assert session.capabilities == {"IMAP4REV1", "AUTH=PLAIN"}
    assert session.last_words == ""
    assert play(session.enable(), "") == frozenset()


@pytest.mark.parametrize(
    "injected",
    ["* OK [CAPABILITY IMAP4rev1 AUTH=EVIL]", "A3 OK", "* BYE", "x"],
    ids=["capability", "ok", "bye", "junk"],
)
def test_what_is_said_between_starttls_and_the_handshake_is_an_attack(injected):
    with pytest.raises(TlsRefused, match="spoke between"):
        play(
            Session().open(starttls=True, secure=False),
            f"""
            S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
            C: A1 STARTTLS
            S: A1 OK go
            S: {injected}
            """,
        )


def test_half_a_line_before_the_handshake_is_an_attack_too():
    with pytest.raises(TlsRefused, match="spoke between"):
        play(
            Session().open(starttls=True, secure=False),
            """
            S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
            C: A1 STARTTLS
            S: A1 OK go
            S- *
            """,
        )


def test_a_server_without_starttls_is_refused():
    with pytest.raises(TlsRefused, match="does not offer"):
        play(
            Session().open(starttls=True, secure=False),
            """
            S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello
            C: A1 CAPABILITY
            S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
            S: A1 OK
            """,
        )


@pytest.mark.parametrize("answer", ["NO not today", "BAD what"])
def test_a_refused_starttls_is_not_negotiated_down(answer):
    with pytest.raises(TlsRefused, match=answer.split()[1]):
        play(
            Session().open(starttls=True, secure=False),
            f"""
            S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
            C: A1 STARTTLS
            S: A1 {answer}
            """,
        )


def test_preauth_in_clear_text_is_refused_where_tls_is_wanted():
    with pytest.raises(TlsRefused):
        play(Session().open(starttls=True, secure=False), "S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] come in")


@pytest.mark.parametrize(("starttls", "secure"), [(False, True), (True, True), (False, False)])
def test_preauth_is_believed_over_tls_or_where_clear_text_was_chosen(starttls, secure):
    session = Session()
    play(session.open(starttls=starttls, secure=secure), "S: * PREAUTH [CAPABILITY IMAP4rev1] come in")
    assert session.authenticated
    assert play(session.authenticate(ANN), "") == "PREAUTH"


def test_a_greeting_of_bye_gives_its_reason():
    session = Session()
    with pytest.raises(ConnectionClosed, match=r"\[UNAVAILABLE\] too many connections"):
        play(session.open(starttls=False, secure=True), "S: * BYE [UNAVAILABLE] too many connections")
    assert session.last_words == "[UNAVAILABLE] too many connections"


@pytest.mark.parametrize(
    "greeting", ["220 mail ESMTP", "+OK POP3", "* CAPABILITY IMAP4rev1", "A1 OK", "* NO", "HTTP/1.1 400"]
)
def test_what_does_not_greet_as_imap_does_is_not_spoken_to(greeting):
    with pytest.raises(RemoteProtocolError):
        play(Session().open(starttls=False, secure=True), f"S: {greeting}")


def test_a_server_that_hangs_up_without_a_word():
    with pytest.raises(ConnectionClosed):
        play(Session().open(starttls=False, secure=True), "(closed)")


def test_a_greeting_that_never_ends_is_left():
    with pytest.raises(RemoteProtocolError, match="more than 100 bytes"):
        play(Session(limits=Limits(line=100)).open(starttls=False, secure=True), f"S- * OK {'x' * 200}")


# --- signing in ----------------------------------------------------------------------------------------------


def test_sign_in_in_one_command_where_the_server_takes_it():
    session = greeted("SASL-IR AUTH=PLAIN")
    used = play(
        session.authenticate(ANN),
        f"""
        C: A1 AUTHENTICATE PLAIN {PLAIN}
        S: A1 OK [CAPABILITY IMAP4rev1 IDLE] welcome
        """,
    )
    assert (used, session.authenticated, session.capabilities) == ("PLAIN", True, {"IMAP4REV1", "IDLE"})


def test_sign_in_waits_for_the_go_ahead_where_it_must_and_asks_capabilities_again():
    session = greeted("AUTH=PLAIN")
    play(
        session.authenticate(ANN),
        f"""
        C: A1 AUTHENTICATE PLAIN
        S: +
        C: {PLAIN}
        S: * CAPABILITY IMAP4rev1 IDLE
        S: A1 OK
        """,
    )
    assert "IDLE" in session.capabilities
    session = greeted("AUTH=PLAIN")
    play(
        session.authenticate(ANN),
        f"""
        C: A1 AUTHENTICATE PLAIN
        S: +
        C: {PLAIN}
        S: A1 OK
        C: A2 CAPABILITY
        S: * CAPABILITY IMAP4rev1 IDLE
        S: A2 OK
        """,
    )
    assert "IDLE" in session.capabilities


def test_a_server_that_refuses_the_initial_response_it_advertised_is_asked_without():
    play(
        greeted("SASL-IR AUTH=PLAIN").authenticate(ANN),
        f"""
        C: A1 AUTHENTICATE PLAIN {PLAIN}
        S: A1 BAD what
        C: A2 AUTHENTICATE PLAIN
        S: +
        C: {PLAIN}
        S: A2 OK [CAPABILITY IMAP4rev1]
        """,
    )


def test_a_wrong_password_is_not_tried_by_another_mechanism():
    with pytest.raises(CommandRefused) as refused:
        play(
            greeted("SASL-IR AUTH=PLAIN AUTH=LOGIN").authenticate(ANN),
            f"""
            C: A1 AUTHENTICATE PLAIN {PLAIN}
            S: A1 NO [AUTHENTICATIONFAILED] wrong
            """,
        )
    assert (refused.value.code, refused.value.text, refused.value.command) == (
        "AUTHENTICATIONFAILED",
        "wrong",
        "AUTHENTICATE",
    )


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INUSE", "LIMIT", "CONTACTADMIN", "EXPIRED", "ALERT"])
def test_the_code_of_a_refusal_is_kept(code):
    with pytest.raises(CommandRefused) as refused:
        play(greeted().authenticate(ANN), f"C: A1 LOGIN ann hunter2\nS: A1 NO [{code.lower()}] later")
    assert refused.value.code == code


def test_a_mechanism_that_the_server_does_not_understand_gives_way_to_the_next():
    used = play(
        greeted("AUTH=PLAIN").authenticate(ANN),
        """
        C: A1 AUTHENTICATE PLAIN
        S: A1 BAD unknown
        C: A2 LOGIN ann hunter2
        S: A2 OK [CAPABILITY IMAP4rev1]
        """,
    )
    assert used == LOGIN_COMMAND


def test_a_bad_after_our_answer_is_a_refusal():
    with pytest.raises(CommandRefused, match="wrong"):
        play(
            greeted("AUTH=PLAIN").authenticate(ANN),
            f"""
            C: A1 AUTHENTICATE PLAIN
            S: +
            C: {PLAIN}
            S: A1 BAD wrong
            """,
        )


def test_login_is_the_last_resort_and_quotes_what_needs_it():
    tricky = sasl.Credentials(username='a"nn', password="hun{ter} 2\\")
    play(
        greeted().authenticate(tricky),
        """
        C: A1 LOGIN "a\\"nn" "hun{ter} 2\\\\"
        S: A1 OK [CAPABILITY IMAP4rev1]
        """,
    )


def test_a_password_beyond_ascii_goes_in_a_literal_that_waits():
    play(
        greeted().authenticate(sasl.Credentials(username="ann", password="Grüße")),
        """
        C: A1 LOGIN ann {7}
        S: + go
        C: Grüße
        S: A1 OK [CAPABILITY IMAP4rev1]
        """,
    )


def test_login_can_be_asked_for_by_name():
    for allowed in (["LOGIN-COMMAND"], ["login"]):
        play(
            greeted("AUTH=PLAIN").authenticate(ANN, allowed),
            """
            C: A1 LOGIN ann hunter2
            S: A1 OK [CAPABILITY IMAP4rev1]
            """,
        )


@pytest.mark.parametrize(
    ("capabilities", "credentials", "allowed"),
    [
        ("LOGINDISABLED", ANN, ()),
        ("LOGINDISABLED AUTH=GSSAPI", ANN, ()),
        ("AUTH=PLAIN", ANN, ("CRAM-MD5",)),
        ("AUTH=PLAIN", ANN_BY_TOKEN, ()),
    ],
)
def test_nothing_is_sent_when_there_is_no_way_to_sign_in(capabilities, credentials, allowed):
    with pytest.raises(NoMechanism, match="no way to sign in"):
        play(greeted(capabilities).authenticate(credentials, allowed), "")


def test_the_login_mechanism_answers_any_prompt():
    play(
        greeted("AUTH=LOGIN").authenticate(ANN),
        f"""
        C: A1 AUTHENTICATE LOGIN
        S: + {b64encode(b"User Name" + bytes(1)).decode()}
        C: {b64encode(b"ann").decode()}
        S: + Password:
        C: {b64encode(b"hunter2").decode()}
        S: A1 OK [CAPABILITY IMAP4rev1]
        """,
    )


def test_cram_md5_lets_the_server_speak_first():
    # RFC 2195 §2
    tim = sasl.Credentials(username="tim", password="tanstaaftanstaaf")
    play(
        greeted("SASL-IR AUTH=CRAM-MD5").authenticate(tim),
        f"""
        C: A1 AUTHENTICATE CRAM-MD5
        S: + {b64encode(b"<1896.697170952@postoffice.reston.mci.net>").decode()}
        C: {b64encode(b"tim b913a602c7eda7a495b4e6e7334d3890").decode()}
        S: A1 OK [CAPABILITY IMAP4rev1]
        """,
    )


def test_a_refused_token_is_answered_with_an_empty_line_and_its_status_told():
    token = b64encode(b"user=ann\x01auth=Bearer ya29.secret\x01\x01").decode()
    status = b64encode(b'{"status":"invalid_token","schemes":"bearer"}').decode()
    with pytest.raises(CommandRefused, match="invalid_token") as refused:
        play(
            greeted("SASL-IR AUTH=XOAUTH2").authenticate(ANN_BY_TOKEN),
            f"""
            C: A1 AUTHENTICATE XOAUTH2 {token}
            S: + {status}
            C:
            S: A1 NO [AUTHENTICATIONFAILED] Invalid credentials
            """,
        )
    assert refused.value.code == "AUTHENTICATIONFAILED"
    assert "Invalid credentials" in refused.value.text


def test_a_server_that_asks_too_much_is_told_to_stop():
    with pytest.raises(RemoteProtocolError, match="more than PLAIN"):
        play(
            greeted("AUTH=PLAIN").authenticate(ANN),
            f"""
            C: A1 AUTHENTICATE PLAIN
            S: +
            C: {PLAIN}
            S: + bW9yZQ==
            C: *
            S: A1 BAD cancelled
            """,
        )


def test_a_yes_before_the_server_has_proved_itself_is_not_believed():
    session = greeted("AUTH=SCRAM-SHA-256")
    with pytest.raises(RemoteProtocolError, match="without proving"):
        play(
            session.authenticate(ANN),
            """
            C: A1 AUTHENTICATE SCRAM-SHA-256
            S: A1 OK come in
            """,
        )
    assert not session.authenticated


def test_a_password_that_cant_be_said_is_refused_before_a_byte_is_sent():
    with pytest.raises(LocalProtocolError, match="password"):
        play(greeted("SASL-IR AUTH=PLAIN").authenticate(sasl.Credentials("ann", "a\0b")), "")
    with pytest.raises(LocalProtocolError):
        play(greeted().authenticate(sasl.Credentials("ann", "a\0b")), "")


def test_a_bye_while_signing_in_gives_its_reason():
    with pytest.raises(ConnectionClosed, match="maintenance"):
        play(greeted().authenticate(ANN), "C: A1 LOGIN ann hunter2\nS: * BYE maintenance")


# --- ID and ENABLE -------------------------------------------------------------------------------------------


def test_id_is_exchanged_where_offered():
    session = signed_in("ID")
    told = play(
        session.identify({"name": "Posthouse", "vendor": "Pöst"}),
        """
        C: A1 ID ("name" "Posthouse" "vendor" "Post")
        S: * ID ("name" "Dovecot")
        S: A1 OK
        """,
    )
    assert told == session.server_id == {"name": "Dovecot"}


def test_id_is_never_in_the_way():
    assert play(signed_in().identify({"name": "x"}), "") == {}
    assert play(signed_in("ID").identify({"name": "x"}), 'C: A1 ID ("name" "x")\nS: A1 BAD what') == {}
    assert play(signed_in("ID").identify({}), "C: A1 ID NIL\nS: * ID NIL\nS: A1 OK") == {}


def test_extensions_are_enabled_where_offered_and_imap4rev2_never():
    session = signed_in("ENABLE CONDSTORE QRESYNC IMAP4rev2")
    assert play(
        session.enable("qresync", "IMAP4rev2", "UTF8=ACCEPT", "CONDSTORE"),
        """
        C: A1 ENABLE QRESYNC CONDSTORE
        S: * ENABLED qresync CONDSTORE
        S: A1 OK
        """,
    ) == {"QRESYNC", "CONDSTORE"}
    assert play(session.enable("QRESYNC"), "") == {"QRESYNC", "CONDSTORE"}
    assert play(signed_in("QRESYNC").enable("QRESYNC"), "") == frozenset()


def test_one_refused_extension_does_not_cost_the_others():
    assert play(
        signed_in("ENABLE X-ODD CONDSTORE").enable("X-ODD", "CONDSTORE"),
        """
        C: A1 ENABLE X-ODD CONDSTORE
        S: A1 BAD unknown
        C: A2 ENABLE X-ODD
        S: A2 BAD unknown
        C: A3 ENABLE CONDSTORE
        S: * ENABLED CONDSTORE
        S: A3 OK
        """,
    ) == {"CONDSTORE"}


# --- the transcript ------------------------------------------------------------------------------------------


def test_a_sign_in_is_noted_without_its_secrets():
    notes = []
    play(greeted(note=notes.append).authenticate(ANN), "C: A1 LOGIN ann hunter2\nS: A1 OK [CAPABILITY IMAP4rev1]")
    assert notes[1:] == ["C: A1 LOGIN ann ***", "S: A1 OK [CAPABILITY IMAP4rev1]"]


def test_sasl_lines_are_noted_as_stars():
    notes = []
    play(
        greeted("AUTH=LOGIN", note=notes.append).authenticate(ANN),
        """
        C: A1 AUTHENTICATE LOGIN
        S: + VXNlciBOYW1lAA==
        C: YW5u
        S: + UGFzc3dvcmQA
        C: aHVudGVyMg==
        S: A1 OK [CAPABILITY IMAP4rev1] hello hunter2
        """,
    )
    assert notes[1:] == [
        "C: A1 AUTHENTICATE LOGIN",
        "S: + ***",
        "C: ***",
        "S: + ***",
        "C: ***",
        "S: A1 OK [CAPABILITY IMAP4rev1] hello ***",
    ]
    notes = []
    play(
        greeted("SASL-IR AUTH=PLAIN", note=notes.append).authenticate(ANN),
        f"C: A1 AUTHENTICATE PLAIN {PLAIN}\nS: A1 OK [CAPABILITY IMAP4rev1]",
    )
    assert notes[1] == "C: A1 AUTHENTICATE PLAIN ***"


CANARIES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=20)


@given(CANARIES.filter(lambda password: not any(password in text for text in ("AUTHENTICATE", "unknown"))))
@example('pass"word\\')
def test_an_echoed_password_is_seen_nowhere(password):
    ann = sasl.Credentials(username="bob", password=password)
    answer = b64encode(f"\0bob\0{password}".encode()).decode()
    notes = []
    session = greeted("SASL-IR AUTH=PLAIN", note=notes.append)
    with pytest.raises(CommandRefused) as refused:
        play(
            session.authenticate(ann),
            f"""
            C: A1 AUTHENTICATE PLAIN {answer}
            S: * NO [ALERT] {password}
            S: A1 NO unknown user bob with {password} or {answer}
            """,
        )
    for told in (*notes, str(refused.value), refused.value.text, session.last_words):
        assert password not in told
        assert answer not in told
