"""Bytes → replies."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.exchange import ProtocolError, RemoteProtocolError
from posthouse.protocols.smtp.replies import LIMITS, Limits, Replies, Reply


def replies_to(*pieces: bytes, limits: Limits = LIMITS) -> list[Reply]:
    reading, replies = Replies(limits, heard=lambda _line: None), []
    for piece in pieces:
        reading.feed(piece)
        while (reply := reading.take()) is not None:
            replies.append(reply)
    return replies


def test_a_reply_has_a_code_and_lines() -> None:
    assert replies_to(b"250 OK\r\n") == [Reply(250, ("OK",))]
    assert replies_to(b"250-a\r\n250-\r\n250 b\r\n") == [Reply(250, ("a", "", "b"))]
    assert replies_to(b"250\r\n") == [Reply(250, ("",))]


def test_the_enhanced_code_is_taken_off_every_line() -> None:
    [reply] = replies_to(b"535-5.7.8 Not accepted.\r\n535 5.7.8 Ask your admin.\r\n")
    assert reply == Reply(535, ("Not accepted.", "Ask your admin."), "5.7.8")
    assert reply.text == "Not accepted. Ask your admin."
    assert str(reply) == "535 5.7.8 Not accepted. Ask your admin."


@pytest.mark.parametrize("line", [b"250 5.1.1 OK", b"220 2.0.0.1 smtp", b"550 5.1.1x", b"334 3.1.1 abc"])
def test_what_only_looks_like_an_enhanced_code_is_text(line: bytes) -> None:
    [reply] = replies_to(line + b"\r\n")
    assert reply.enhanced == ""
    assert reply.text == line[4:].decode()


def test_a_bare_line_feed_ends_a_line_and_any_byte_is_text() -> None:
    assert replies_to(b"250-gr\xc3\xbcn\n250 gr\xfcn\n") == [Reply(250, ("grün", "grün"))]


@pytest.mark.parametrize(
    "line",
    [b"hello", b"", b"25 x", b"2500 x", b"150 x", b"650 x", b"250_x", b" 250 x", b"HTTP/1.1 400 Bad Request"],
)
def test_what_is_no_reply_ends_the_conversation(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="does not speak SMTP"):
        replies_to(line + b"\r\n")


def test_a_reply_has_one_code() -> None:
    with pytest.raises(RemoteProtocolError, match="250 and went on with 550"):
        replies_to(b"250-a\r\n550 b\r\n")


def test_a_line_may_be_as_long_as_the_limit_to_the_byte() -> None:
    limits = Limits(line=10)
    assert replies_to(b"250 345678\r\n", limits=limits) == [Reply(250, ("345678",))]
    assert replies_to(b"250 345678", b"\r", b"\n", limits=limits) == [Reply(250, ("345678",))]
    with pytest.raises(RemoteProtocolError, match="longer than 10 bytes"):
        replies_to(b"250 3456789\r\n", limits=limits)
    with pytest.raises(RemoteProtocolError, match="longer than 10 bytes"):
        replies_to(*[b"2"] * 12, limits=limits)


def test_a_reply_may_have_as_many_lines_as_the_limit() -> None:
    limits = Limits(lines=3)
    assert len(replies_to(b"250-x\r\n" * 2 + b"250 x\r\n", limits=limits)[0].lines) == 3
    with pytest.raises(RemoteProtocolError, match="longer than 3 lines"):
        replies_to(b"250-x\r\n" * 3, limits=limits)


def test_what_was_said_and_not_taken_is_held() -> None:
    reading = Replies(LIMITS, heard=lambda _line: None)
    assert not reading.held
    reading.feed(b"250-a\r\n")
    assert reading.take() is None
    assert reading.held
    reading.feed(b"250 b\r\n2")
    assert reading.take()
    assert reading.held


CONVERSATION = b"220 hi\r\n250-mail.example.com\r\n250-SIZE 100\r\n250 8BITMIME\n535 5.7.8 no\xff\r\n"


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_how_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(CONVERSATION)]
    pieces = [CONVERSATION[a:b] for a, b in pairwise(places)]
    assert replies_to(*pieces) == replies_to(CONVERSATION)


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"250-", b"250 ok\r\n", b"\n", b"334 ", b"421"])))
def test_any_bytes_are_replies_or_a_protocol_error(pieces: list[bytes]) -> None:
    heard = []
    for way in (pieces, [b"".join(pieces)]):
        try:
            heard.append(str(replies_to(*way)))
        except ProtocolError as error:
            heard.append(str(error))
    assert heard[0] == heard[1]
