"""A message on the wire, read back as a receiver does."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.smtp.content import CHUNK, END, on_the_wire

MESSAGES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\xff", b"\0", b""])).map(b"".join)


def received(wire: bytes) -> bytes:
    """What an RFC 5321 §4.5.2 receiver makes of it: all up to the line that is a dot alone."""
    message = b""
    while True:
        line, end, wire = wire.partition(b"\r\n")
        assert end, "the message does not end"
        if line == b".":
            assert not wire, f"{wire!r} would be taken for commands"
            return message
        message += line.removeprefix(b".") + end


def normal(message: bytes) -> bytes:
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    return lines if not lines or lines.endswith(b"\r\n") else lines + b"\r\n"


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"", b""),
        (b"a", b"a\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b".", b"..\r\n"),
        (b".\r\n..\r\na.", b"..\r\n...\r\na.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\r\nMAIL FROM:<eve@example.com>\r\n", b"a\r\n..\r\nMAIL FROM:<eve@example.com>\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\r\r\nb", b"a\r\n\r\nb\r\n"),
        (b"a\r\n\r", b"a\r\n\r\n"),
    ],
)
def test_line_breaks_become_crlf_and_then_dots_are_doubled(message: bytes, wire: bytes) -> None:
    assert b"".join(on_the_wire(message)) == wire


@given(MESSAGES, st.integers(1, 7))
def test_a_receiver_reads_what_was_written_and_no_command_more(message: bytes, chunk: int) -> None:
    wire = b"".join(on_the_wire(message, chunk)) + END
    assert received(wire) == normal(message)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)


@given(st.lists(MESSAGES | st.binary(max_size=20)), st.integers(1, 50))
def test_how_a_message_is_cut_makes_no_difference(pieces: list[bytes], chunk: int) -> None:
    message = b"".join(pieces)
    assert b"".join(on_the_wire(iter(pieces), chunk)) == b"".join(on_the_wire(message))


def test_a_big_message_goes_in_chunks_and_is_read_as_it_is_sent() -> None:
    read = 0

    def lines() -> Iterator[bytes]:
        nonlocal read
        while read < 10_000:
            read += 1
            yield b"." + b"x" * 97 + b"\r\n"

    wire = on_the_wire(lines())
    assert CHUNK * 0.9 < len(next(wire)) < CHUNK * 1.1
    assert read < 3000
    assert max(map(len, on_the_wire(b"x" * CHUNK * 4))) <= CHUNK
