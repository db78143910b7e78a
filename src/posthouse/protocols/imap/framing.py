"""Bytes to whole responses: lines, literals and their limits (RFC 3501 §4.3, RFC 9051 §7).

Bytes are fed as they come, in pieces of any size, and whole responses are taken out: the lines of one
response and, between them, its literals. Every byte is copied a fixed number of times and looked at once,
whatever the pieces were. What goes over a limit is refused at the first byte that proves it. A big
literal goes straight to a file; memory holds one line and the small literals of one response.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from posthouse.protocols.exchange import RemoteProtocolError

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What we are willing to hear. All sizes are bytes and themselves allowed; one more is an error."""

    line: int = 8 * MIB  # one line without its CRLF; 300,000 UIDs in one SEARCH answer are 2.4 MB
    literal: int = 150 * MIB
    response: int = 160 * MIB  # all lines and literals of one response together
    literals: int = 256  # how many in one response
    answer: int = 32 * MIB  # everything said during one command whose answer is collected
    depth: int = 32  # parentheses in parentheses
    uids: int = 2_000_000  # how many one search may find
    spill_over: int = 256 * KIB  # a bigger literal is written to a file, if one can be had


OpenSpill = Callable[[int], BinaryIO]
"""Opens a file for a literal of the given size, to be written and read back. Its owner closes it."""


@dataclass(slots=True)
class Spilled:
    """A literal that went to disk. `file` stands at its beginning; whoever gets it closes it."""

    file: BinaryIO = field(repr=False)
    size: int


# A line that ends so is followed by that many bytes and then goes on. `+` is only for clients and `~` is for
# binary data (RFC 3516); neither does harm here.
LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}\Z")

# What people are told may end in braces without announcing anything.
HUMAN_TEXT = re.compile(rb"(?:\+|\S+ (?:OK|NO|BAD|BYE|PREAUTH))(?: |\Z)", re.IGNORECASE)

Part = bytes | Spilled


def announced(line: bytes) -> re.Match[bytes] | None:
    """The announcement of a literal at the end of a line; its first group is the size."""
    return LITERAL.search(line, max(0, len(line) - 25)) if line[-1:] == b"}" else None


class Framer:
    """Takes bytes in by `feed` and gives whole responses out by `response`.

    A response is a list: its lines without CRLF at the even places (as they came, announcement of a literal
    included), its literals at the odd ones. Leading NULs and empty lines between responses are dropped.
    """

    def __init__(self, limits: Limits, open_spill: OpenSpill | None = None) -> None:
        self._limits = limits
        self._open_spill = open_spill
        self._buffer = bytearray()
        self._start = 0  # what lies before was taken out
        self._scanned = 0  # no CRLF begins between `_start` and here
        self._parts: list[Part] = []
        self._size = 0
        self._awaited = -1  # size of the literal under way, -1 when a line is
        self._spill: Spilled | None = None
        self._missing = 0  # bytes that `_spill` still lacks

    @property
    def empty(self) -> bool:
        """Nothing was fed that has not been taken out."""
        return len(self._buffer) == self._start and not self._parts

    def feed(self, data: bytes) -> None:
        if self._start:
            del self._buffer[: self._start]
            self._scanned -= self._start
            self._start = 0
        self._buffer += data

    def response(self) -> list[Part] | None:
        """The next whole response, or `None` until more is fed. Raises `RemoteProtocolError` over a limit."""
        try:
            while True:
                if self._awaited >= 0:
                    data = self._literal()
                    if data is None:
                        return None
                    self._parts.append(data)
                    self._awaited = -1
                line = self._line()
                if line is None:
                    return None
                if not self._parts:
                    line = line.lstrip(b"\0")  # some servers wake up with NULs
                    if not line:
                        continue
                self._parts.append(line)
                self._count(len(line))
                if (literal := announced(line)) and (len(self._parts) > 1 or not HUMAN_TEXT.match(line)):
                    self._announce(int(literal[1]))
                    continue
                parts, self._parts, self._size = self._parts, [], 0
                return parts
        except RemoteProtocolError:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close the files of a response that will never be whole."""
        for part in (*self._parts, self._spill):
            if isinstance(part, Spilled):
                part.file.close()
        self._parts, self._spill, self._awaited = [], None, -1

    def _line(self) -> bytes | None:
        end = self._start + self._limits.line
        at = self._buffer.find(b"\r\n", self._scanned, end + 2)
        if at < 0:
            if len(self._buffer) >= end + 2:
                raise RemoteProtocolError(f"the server sent a line of more than {self._limits.line} bytes")
            self._scanned = max(self._start, len(self._buffer) - 1)
            return None
        line = bytes(self._buffer[self._start : at])
        self._start = self._scanned = at + 2
        return line

    def _announce(self, size: int) -> None:
        if size > self._limits.literal:
            raise RemoteProtocolError(
                f"the server announced {size} bytes, more than our limit of {self._limits.literal}"
            )
        if len(self._parts) // 2 >= self._limits.literals:
            raise RemoteProtocolError(f"the server sent more than {self._limits.literals} literals at once")
        self._count(size)
        self._awaited = size
        if self._open_spill and size > self._limits.spill_over:
            self._spill, self._missing = Spilled(self._open_spill(size), size), size

    def _literal(self) -> Part | None:
        if self._spill is None:
            end = self._start + self._awaited
            if len(self._buffer) < end:
                return None
            with memoryview(self._buffer) as view:
                literal = bytes(view[self._start : end])
            self._start = self._scanned = end
            return literal
        end = min(self._start + self._missing, len(self._buffer))
        with memoryview(self._buffer) as view:
            self._spill.file.write(view[self._start : end])
        self._missing -= end - self._start
        self._start = self._scanned = end
        if self._missing:
            return None
        spilled, self._spill = self._spill, None
        spilled.file.seek(0)
        return spilled

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._limits.response:
            raise RemoteProtocolError(f"the server sent a response of more than {self._limits.response} bytes")
