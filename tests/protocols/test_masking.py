"""What transcripts may show."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.masking import MASK, SHOWN, Masked

PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=4, max_size=40)
AROUND = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30)


def shown(line: str, *secrets: str) -> str:
    notes: list[str] = []
    masked = Masked(notes.append)
    masked.hide(*secrets)
    masked.server(line)
    return notes[0].removeprefix("S: ")


def test_each_line_says_who_spoke() -> None:
    notes: list[str] = []
    masked = Masked(notes.append)
    masked.client("NOOP")
    masked.server("250 OK")
    assert notes == ["C: NOOP", "S: 250 OK"]


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("no user ann with password hunter22", "no user ann with password ***"),
        ("bad line 'aHVudGVyMjI='", "bad line '***'"),
        ("hunter22hunter22", "******"),
        ("hunter2", "hunter2"),
    ],
)
def test_an_echoed_secret_is_hidden(line: str, seen: str) -> None:
    assert shown(line, "hunter22") == seen


def test_a_secret_is_hidden_in_the_midst_of_base64() -> None:
    encoded = b64encode(b"\0ann\0hunter22").decode()
    seen = shown(f"bad command 'AUTH PLAIN {encoded}'", "hunter22")
    assert seen.startswith(f"bad command 'AUTH PLAIN {encoded[:6]}")
    assert len(seen.replace(MASK, "")) < len(f"bad command 'AUTH PLAIN {encoded}'") - 8


def test_a_secret_is_hidden_as_imap_quotes_it() -> None:
    assert shown(r'BAD LOGIN ann "pa\"ss\\word"', 'pa"ss\\word') == f'BAD LOGIN ann "{MASK}"'


def test_a_short_secret_is_hidden_as_a_word_and_leaves_the_rest_readable() -> None:
    assert shown("535 no user ann, password an", "an") == f"535 no user ann, password {MASK}"


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert shown("said: abcd efgh", "abc", "abcd", "abcd efgh") == f"said: {MASK}"


def test_a_banner_can_neither_forge_a_line_nor_colour_a_terminal() -> None:
    line = "220 hi\r\nS: 235 OK\x1b[31m\u2028\x00"
    assert shown(line) == r"220 hi\r\nS: 235 OK\x1b[31m\u2028\x00"


def test_a_long_line_is_cut() -> None:
    assert shown("x" * SHOWN) == "x" * SHOWN
    assert shown("x" * (SHOWN + 1)) == "x" * SHOWN + "…"


@given(before=st.integers(0, 40), copies=st.integers(1, 8), password=PASSWORDS)
def test_a_secret_across_the_cut_is_not_shown_in_half(before: int, copies: int, password: str) -> None:
    line = " " * (SHOWN - before) + password * copies + " " * 2 * SHOWN
    seen = shown(line, password)
    assert not set(password.replace("*", "").replace("…", "")) & set(seen)


@given(password=PASSWORDS, before=AROUND, after=AROUND)
def test_no_password_is_seen_wherever_base64_has_put_it(password: str, before: str, after: str) -> None:
    secret = password.encode()
    for at in range(3):
        encoded = b64encode(bytes(at) + secret + b"after").decode()
        start, end = -(-8 * at // 6), 8 * (at + len(secret)) // 6
        assert encoded[start:end] not in shown(before + encoded + after, password)
    assert password in MASK or password not in shown(before + password + after, password)


def test_text_for_errors_is_masked_and_nothing_else() -> None:
    masked = Masked()
    assert masked.text("a\nhunter22") == "a\nhunter22"
    masked.hide("hunter22")
    assert masked.text("a\nhunter22") == "a\n***"
