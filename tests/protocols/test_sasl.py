"""Signing in, against the examples of the standards and against servers that cheat."""

import hmac
import json
from base64 import b64encode
from contextlib import suppress
from hashlib import new as new_hash
from hashlib import pbkdf2_hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.protocols.exchange import LocalProtocolError, ProtocolError, RemoteProtocolError
from posthouse.protocols.sasl import (
    CramMd5,
    Credentials,
    Login,
    Mechanism,
    OAuthBearer,
    Plain,
    Scram,
    XOAuth2,
    choose,
)

ANN = Credentials("ann", "hunter22")
ALL = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "GSSAPI"]
PENCIL = Credentials("user", "pencil")
SHA_1_FIRST = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"  # RFC 5802 §5
SHA_256_FIRST = (  # RFC 7677 §3
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)


def names(mechanisms: list[Mechanism]) -> list[str]:
    return [mechanism.name for mechanism in mechanisms]


# Which to try


def test_over_tls_the_password_is_proved_rather_than_shown_and_old_hashes_come_last() -> None:
    order = ["SCRAM-SHA-256", "PLAIN", "LOGIN", "SCRAM-SHA-1", "CRAM-MD5"]
    assert names(choose(ALL, (), ANN, secure=True)) == order


def test_without_tls_whatever_hides_the_password_goes_first() -> None:
    order = ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]
    assert names(choose(ALL, (), ANN, secure=False)) == order


def test_a_token_is_used_by_the_token_mechanisms_alone() -> None:
    assert names(choose(ALL, (), Credentials("ann", token="t"), secure=True)) == ["OAUTHBEARER", "XOAUTH2"]


def test_only_what_is_offered_is_tried_in_whatever_case_it_is_written() -> None:
    assert names(choose(["login", "Plain"], (), ANN, secure=True)) == ["PLAIN", "LOGIN"]
    assert choose(["GSSAPI", "NTLM"], (), ANN, secure=True) == []


def test_the_users_list_restricts_and_orders() -> None:
    assert names(choose(ALL, ["login", "Cram-MD5", "LOGIN", "NTLM"], ANN, secure=True)) == [
        "LOGIN",
        "CRAM-MD5",
    ]


def test_a_password_given_for_xoauth2_is_the_access_token() -> None:
    [mechanism] = choose(ALL, ["XOAUTH2"], Credentials("ann@example.com", "ya29.x"), secure=True)
    assert mechanism.initial() == b"user=ann@example.com\x01auth=Bearer ya29.x\x01\x01"
    assert mechanism.secrets() == ("ya29.x",)


def test_credentials_do_not_print_their_secrets() -> None:
    shown = repr(Credentials("ann", "hunter22", "ya29.x"))
    assert "hunter22" not in shown
    assert "ya29" not in shown


# The simple ones


def test_plain_says_user_and_password_between_nul_characters() -> None:
    assert Plain(Credentials("änn", "pä ss")).initial() == b"\0" + "änn".encode() + b"\0" + "pä ss".encode()


@pytest.mark.parametrize(
    ("credentials", "culprit"),
    [(Credentials("a\0b", "secret7"), "username"), (Credentials("ann", "sec\0ret7"), "password")],
)
def test_plain_refuses_a_nul_and_names_the_field_but_not_its_content(credentials: Credentials, culprit: str) -> None:
    with pytest.raises(LocalProtocolError, match=culprit) as refusal:
        Plain(credentials).initial()
    assert "ret7" not in str(refusal.value)


@pytest.mark.parametrize("first", [b"Username:", b"User Name\0", b"", b"Benutzer", b"\xff\xfe"])
@pytest.mark.parametrize("second", [b"Password:", b"Password\0", b"", b"pass"])
def test_login_gives_user_then_password_whatever_the_prompts_say(first: bytes, second: bytes) -> None:
    login = Login(ANN)
    assert login.initial() is None
    assert [login.respond(first), login.respond(second)] == [b"ann", b"hunter22"]
    with pytest.raises(RemoteProtocolError):
        login.respond(b"Password:")


def test_cram_md5_answers_as_in_rfc_2195() -> None:
    mechanism = CramMd5(Credentials("tim", "tanstaaftanstaaf"))
    answer = mechanism.respond(b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"
    with pytest.raises(RemoteProtocolError):
        mechanism.respond(b"<again>")


# Tokens


def test_oauthbearer_tells_host_and_port_as_in_rfc_7628() -> None:
    token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
    credentials = Credentials("user@example.com", token=token, host="server.example.com", port=143)
    said = f"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer {token}\x01\x01"
    assert OAuthBearer(credentials).initial() == said.encode()


def test_oauthbearer_leaves_out_the_host_it_was_not_told_and_quotes_the_name() -> None:
    assert OAuthBearer(Credentials("a,b=c", token="t")).initial() == b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01"


@pytest.mark.parametrize(("mechanism", "farewell"), [(XOAuth2, b""), (OAuthBearer, b"\x01")])
def test_a_refused_token_is_taken_leave_of_and_the_reason_kept(
    mechanism: type[XOAuth2 | OAuthBearer], farewell: bytes
) -> None:
    attempt = mechanism(Credentials("ann", token="t"))
    assert attempt.respond(b'{"status":"invalid_token","scope":"mail"}') == farewell
    assert attempt.problem == "invalid_token"
    with pytest.raises(RemoteProtocolError):
        attempt.respond(b"{}")


@pytest.mark.parametrize(
    ("challenge", "problem"),
    [
        (b'{"status":"400","schemes":"Bearer"}', "400"),
        (b'{"status": 401}', "401"),
        (b"no json\r\nat all", "no json at all"),
        (b"", "no status"),
        (b"[1]", "[1]"),
        (b"[" * 6000, "[" * 200),
    ],
)
def test_the_reason_is_one_short_line_whatever_the_server_sends(challenge: bytes, problem: str) -> None:
    attempt = XOAuth2(Credentials("ann", token="t"))
    attempt.respond(challenge)
    assert attempt.problem == problem


@pytest.mark.parametrize("mechanism", [XOAuth2, OAuthBearer])
@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("ann\x01auth=Bearer other", token="t"),
        Credentials("ann", token="t\x01host=evil"),
        Credentials("ann", token="t\r\n"),
    ],
)
def test_no_field_can_be_slipped_into_a_token_message(
    mechanism: type[XOAuth2 | OAuthBearer], credentials: Credentials
) -> None:
    with pytest.raises(LocalProtocolError, match="control character"):
        mechanism(credentials).initial()


# SCRAM


def test_scram_sha_1_speaks_as_in_rfc_5802() -> None:
    scram = Scram(PENCIL, "SHA-1", nonce="fyko+d2lbbFgONRv9qkxdawL")
    assert scram.initial() == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    assert scram.respond(SHA_1_FIRST) == (
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    )
    assert not scram.complete
    assert scram.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == b""
    assert scram.complete


def test_scram_sha_256_speaks_as_in_rfc_7677() -> None:
    scram = Scram(PENCIL, "SHA-256", nonce="rOprNGfwEbeRWgbNEkqO")
    assert scram.initial() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.respond(SHA_256_FIRST) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert scram.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    assert scram.complete


@pytest.mark.parametrize(
    "final",
    [
        b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        b"v=",
        b"v=%%%",
        b"",
        b"x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ],
)
def test_a_server_that_does_not_know_the_password_is_found_out(final: bytes) -> None:
    scram = Scram(PENCIL, "SHA-256", nonce="rOprNGfwEbeRWgbNEkqO")
    scram.respond(SHA_256_FIRST)
    with pytest.raises(RemoteProtocolError, match="prove"):
        scram.respond(final)
    assert not scram.complete


@pytest.mark.parametrize("after", [0, 1])
def test_an_error_inside_scram_is_kept_and_believed_to_be_one(after: int) -> None:
    scram = Scram(PENCIL, "SHA-256", nonce="rOprNGfwEbeRWgbNEkqO")
    for challenge in [SHA_256_FIRST][:after]:
        scram.respond(challenge)
    assert scram.respond(b"e=invalid-proof") == b""
    assert scram.problem == "invalid-proof"
    assert not scram.complete
    with pytest.raises(RemoteProtocolError):
        scram.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


@pytest.mark.parametrize("iterations", [0, 1_000_001, 2**31, 10**9])
def test_a_server_may_not_ask_for_no_work_or_for_an_hour_of_it(iterations: int) -> None:
    with pytest.raises(RemoteProtocolError, match="rounds"):
        Scram(PENCIL, "SHA-256", nonce="abc").respond(b"r=abcdef,s=c2FsdA==,i=%d" % iterations)


def test_one_round_is_work_enough() -> None:
    answer = Scram(PENCIL, "SHA-256", nonce="abc").respond(b"r=abcdef,s=c2FsdA==,i=1")
    assert answer.startswith(b"c=biws,r=abcdef,p=")


@pytest.mark.parametrize(
    "first",
    [
        b"r=abc,s=c2FsdA==,i=4096",  # the server added nothing of its own
        b"r=xyzdef,s=c2FsdA==,i=4096",  # an answer to somebody else
        b"m=new,r=abcdef,s=c2FsdA==,i=4096",  # a mandatory extension
        b"r=abcdef,s=***,i=4096",
        b"r=abcdef,s=c2FsdA==,i=-1",
        b"r=abcdef,s=c2FsdA==,i=99999999999999999999",
        b"r=abcdef,i=4096",
        b"r=abcdef,s=c2FsdA==,i=4096\n",
        b"",
    ],
)
def test_a_scram_challenge_that_is_none_ends_the_conversation(first: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Scram(PENCIL, "SHA-256", nonce="abc").respond(first)


def test_scram_quotes_the_name_and_every_attempt_has_a_nonce_of_its_own() -> None:
    credentials = Credentials("a=b,c", "x")
    first, second = (Scram(credentials, "SHA-256").initial() for _ in range(2))
    assert first.startswith(b"n,,n=a=3Db=2Cc,r=")
    assert first != second


@pytest.mark.parametrize(
    ("typed", "prepared"),
    [  # RFC 4013 §3, and what has no prepared form
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0007", "\u0007"),
        ("\u06271", "\u06271"),
        ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
    ],
)
def test_name_and_password_are_prepared_as_in_rfc_4013(typed: str, prepared: str) -> None:
    as_typed, as_prepared = (
        Scram(Credentials(text, text), "SHA-1", nonce="fyko+d2lbbFgONRv9qkxdawL") for text in (typed, prepared)
    )
    assert as_typed.initial() == as_prepared.initial()
    assert as_typed.initial() == b"n,,n=" + prepared.encode() + b",r=fyko+d2lbbFgONRv9qkxdawL"
    assert as_typed.respond(SHA_1_FIRST) == as_prepared.respond(SHA_1_FIRST)


@settings(max_examples=50)
@given(
    password=st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1),
    salt=st.binary(min_size=1, max_size=40),
    iterations=st.integers(1, 50),
)
def test_a_server_that_knows_the_password_and_we_convince_each_other(
    password: str, salt: bytes, iterations: int
) -> None:
    scram = Scram(Credentials("ann", password), "SHA-256", nonce="ours")
    server_first = b"r=ours+theirs,s=" + b64encode(salt) + b",i=%d" % iterations
    final = scram.respond(server_first)
    without_proof, _, proof = final.rpartition(b",p=")
    said = scram.initial().removeprefix(b"n,,") + b"," + server_first + b"," + without_proof
    salted = pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(new_hash("sha256", client_key).digest(), said, "sha256")
    assert proof == b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True)))
    scram.respond(b"v=" + b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256")))
    assert scram.complete


# Whatever happens


@given(
    username=st.text(max_size=20),
    password=st.text(max_size=20),
    token=st.text(max_size=20),
    challenges=st.lists(st.binary(max_size=60) | st.just(SHA_256_FIRST), max_size=4),
)
def test_nothing_but_a_protocol_error_comes_out_of_any_mechanism(
    username: str, password: str, token: str, challenges: list[bytes]
) -> None:
    credentials = Credentials(username, password, token, host="mail.example.com", port=587)
    for mechanism in choose(ALL, ALL, credentials, secure=True):
        with suppress(ProtocolError):
            mechanism.initial()
            for challenge in challenges:
                mechanism.respond(challenge)
        assert "\n" not in mechanism.problem


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_json_for_a_reason_is_survived(reason: object) -> None:
    attempt = XOAuth2(Credentials("ann", token="t"))
    assert attempt.respond(json.dumps({"status": reason}).encode()) == b""
    assert attempt.problem
