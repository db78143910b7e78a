"""Bytes → whole replies (RFC 5321 §4.2), within limits.

A reply is one or more lines with one code. Lines may end with a bare LF, for nothing hangs on it; whatever
else is not a reply ends the conversation.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from posthouse.protocols.exchange import RemoteProtocolError

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.[0-9]{1,3}\.[0-9]{1,3}(?= |\Z)")  # RFC 3463, RFC 2034


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server may say at once. RFC 5321 §4.5.3.1.5 promises lines of 512 bytes; some say more."""

    line: int = 8 * 1024
    """Bytes of a line without its end."""

    lines: int = 500
    """Lines of a reply."""


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered, lines without code and enhanced code; `enhanced` is like `5.1.1`, or ''."""

    code: int
    lines: tuple[str, ...]
    enhanced: str = ""

    @property
    def text(self) -> str:
        """All lines in one."""
        return " ".join(line for line in map(str.strip, self.lines) if line)

    @property
    def positive(self) -> bool:
        """The command was carried out."""
        return 200 <= self.code < 300

    @property
    def transient(self) -> bool:
        """It was not, but may be another time."""
        return 400 <= self.code < 500

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))


class Replies:
    """Takes bytes as they come and gives whole replies, in linear time, and keeps no more than the limits say."""

    def __init__(self, limits: Limits, heard: Callable[[str], None]) -> None:
        """`heard` is told every whole line, before it is looked at."""
        self._limits = limits
        self._heard = heard
        self._data = bytearray()
        self._searched = 0
        self._lines: list[str] = []
        self._code = 0

    @property
    def held(self) -> bool:
        """Whether the server has said anything that no `take` has given."""
        return bool(self._data or self._lines)

    def feed(self, data: bytes) -> None:
        self._data += data

    def take(self) -> Reply | None:
        """The next reply, or None when more bytes are needed. RemoteProtocolError: this is no reply."""
        while (line := self._line()) is not None:
            text = _decoded(line)
            self._heard(text)
            found = _LINE.fullmatch(line)
            if not found:
                raise RemoteProtocolError("the server does not speak SMTP")
            code = int(found[1])
            if self._lines and code != self._code:
                raise RemoteProtocolError(f"the server began a reply with {self._code} and went on with {code}")
            self._code = code
            self._lines.append(text[4:])
            if found[2] != b"-":
                lines, self._lines = self._lines, []
                return _reply(code, lines)
            if len(self._lines) >= self._limits.lines:
                raise RemoteProtocolError(f"the server's reply is longer than {self._limits.lines} lines")
        return None

    def _line(self) -> bytes | None:
        end = self._data.find(b"\n", self._searched)
        self._searched = len(self._data) if end < 0 else 0
        length = len(self._data) if end < 0 else end
        if self._data.endswith(b"\r", 0, length):
            length -= 1
        if length > self._limits.line:
            raise RemoteProtocolError(f"the server's line is longer than {self._limits.line} bytes")
        if end < 0:
            return None
        line = bytes(self._data[:length])
        del self._data[: end + 1]
        return line


def _reply(code: int, lines: list[str]) -> Reply:
    found = _ENHANCED.match(lines[0])
    if not found or int(found[1]) != code // 100:
        return Reply(code, tuple(lines))
    enhanced = found[0]
    return Reply(code, tuple(re.sub(rf"^{re.escape(enhanced)}(?: |\Z)", "", line) for line in lines), enhanced)


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")  # every byte means something there, and an echoed secret can be recognised
