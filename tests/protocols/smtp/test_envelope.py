"""What may stand in commands, and what is tried to put there."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.exchange import LocalProtocolError
from posthouse.protocols.smtp.envelope import MAX_PATH, NO_DSN, Dsn, ehlo_name, mail, path, rcpt

EVERYTHING = {"SIZE": "1000", "8BITMIME": "", "SMTPUTF8": "", "DSN": "", "PIPELINING": ""}


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("", "<>"),
        ("ann@example.com", "<ann@example.com>"),
        ("a..b.@docomo.example", "<a..b.@docomo.example>"),
        ("o'hara+news=x@example.com", "<o'hara+news=x@example.com>"),
        ('"a,b@c"@example.com', '<"a,b@c"@example.com>'),
        ("ann@[192.0.2.1]", "<ann@[192.0.2.1]>"),
        ("ann@[IPv6:2001:db8::1]", "<ann@[IPv6:2001:db8::1]>"),
        ("ann@under_score.example", "<ann@under_score.example>"),
        ("ann@bücher.example", "<ann@xn--bcher-kva.example>"),
        ("ann@localhost", "<ann@localhost>"),
    ],
)
def test_an_address_is_written_as_a_path_with_an_ascii_domain(address: str, written: str) -> None:
    assert path(address, utf8=False) == written


@pytest.mark.parametrize(
    "address",
    [
        "ann",
        "@example.com",
        "ann@",
        "ann@example.com>\r\nRCPT TO:<eve@example.com",
        "ann@example.com\n",
        "\rann@example.com",
        "ann\0@example.com",
        "an n@example.com",
        "<ann@example.com>",
        "ann@example.com> SIZE=1",
        "ann@exam ple.com",
        "ann@example..com",
        "ann@.example.com",
        "ann@-example.com",
        "ann@example.com.",
        "ann,bob@example.com",
        '"ann@example.com',
        '"a>b"@example.com',
        '"a\\\r"@example.com',
        "ann@[192.0.2.1",
        "ann@[192.0.2.1] X",
        "ann@example＞.com",
        "ann@exam\u00a0ple.com",
        "ann@b\u202eücher.example",
        "ann@" + "a" * 64 + ".com",
        "ann@ü..com",
        "ann\x7f@example.com",
        "ann\ud800@example.com",
    ],
)
@pytest.mark.parametrize("utf8", [False, True])
def test_what_is_no_address_is_refused_before_a_byte_is_written(address: str, utf8: bool) -> None:
    with pytest.raises(LocalProtocolError):
        path(address, utf8=utf8)


def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    assert path("jörg@bücher.example", utf8=True) == "<jörg@xn--bcher-kva.example>"
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        path("jörg@bücher.example", utf8=False)


@pytest.mark.parametrize("domain", ["straße.example", "βόλος.example", "ab\u200dc.example"])
def test_a_domain_that_means_two_is_not_guessed_at(domain: str) -> None:
    with pytest.raises(LocalProtocolError, match="xn--"):
        path(f"ann@{domain}", utf8=False)


def test_an_address_may_be_as_long_as_the_standard_says() -> None:
    longest = "a" * (MAX_PATH - len("@example.com")) + "@example.com"
    assert path(longest, utf8=False) == f"<{longest}>"
    for too_long in ("a" + longest, "a" * 1_000_000 + "@example.com", "ann@" + "ü" * 1_000_000):
        with pytest.raises(LocalProtocolError, match="too long"):
            path(too_long, utf8=True)


@given(st.text(max_size=40) | st.from_regex(r"[a-z<>\r\n \x00\"\\]{1,8}@[a-zäß.\[\]<> \r\n]{1,20}", fullmatch=True))
def test_whatever_is_written_is_one_argument(address: str) -> None:
    try:
        written = path(address, utf8=True)
    except LocalProtocolError:
        return
    assert re.fullmatch(r"<[^\x00-\x20\x7f<>]*>", written)
    assert written[1:-1].rpartition("@")[2].isascii()
    written.encode()


@pytest.mark.parametrize("name", ["mail.example.com", "localhost", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_we_greet_with_a_name_or_an_address(name: str) -> None:
    assert ehlo_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a\r\nQUIT", "bücher.example", "a" * 64, "[x y]", "a." * 150 + "a"])
def test_we_greet_with_nothing_else(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        ehlo_name(name)


def test_parameters_are_said_where_they_are_offered_and_needed() -> None:
    dsn = Dsn(notify=("FAILURE", "DELAY"), ret="HDRS", envelope_id="a+b=c d")
    assert mail("<a@b>", EVERYTHING, size=10, eight_bit=True, utf8=True, dsn=dsn) == (
        "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+3Dc+20d"
    )
    assert rcpt("<c@d>", EVERYTHING, dsn=dsn) == "RCPT TO:<c@d> NOTIFY=FAILURE,DELAY"
    assert mail("<a@b>", EVERYTHING, size=0, eight_bit=False, utf8=False, dsn=NO_DSN) == "MAIL FROM:<a@b>"
    assert mail("<a@b>", {}, size=10, eight_bit=False, utf8=False, dsn=dsn) == "MAIL FROM:<a@b>"
    assert rcpt("<c@d>", {}, dsn=dsn) == "RCPT TO:<c@d>"


@pytest.mark.parametrize("envelope_id", ["a\r\nRSET", "ü", "x" * 101])
def test_an_envelope_id_is_short_and_printable(envelope_id: str) -> None:
    with pytest.raises(LocalProtocolError):
        mail("<>", EVERYTHING, size=0, eight_bit=False, utf8=False, dsn=Dsn(envelope_id=envelope_id))
