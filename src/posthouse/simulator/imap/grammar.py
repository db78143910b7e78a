"""IMAP's syntax, from the server's side: arguments in, strings and folder names out (RFC 3501 §9)."""

import base64
import re
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta, timezone

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

LITERAL = re.compile(rb"\{(\d{1,20})(\+?)\}\r\n")
SMALL_LITERAL = 4096
"""What LITERAL- lets a client send unasked (RFC 7888 §5)."""
_ATOM = re.compile(rb'[^\x00-\x20\x7f(){%*"\\\]]+')
_ASTRING = re.compile(rb'[^\x00-\x20\x7f(){%*"\\]+')
_LIST_MAILBOX = re.compile(rb'[^\x00-\x20\x7f(){"\\]+')
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
_FLAG = re.compile(rb"\\?" + _ATOM.pattern)
_NUMBER = re.compile(rb"\d{1,20}")
_SET = re.compile(rb"(?:\d+|\*)(?::(?:\d+|\*))?(?:,(?:\d+|\*)(?::(?:\d+|\*))?)*")
_FETCH_NAME = re.compile(rb"[A-Za-z0-9.-]*")
_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_DATE_TIME = re.compile(r"( \d|\d\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")

SetRange = tuple[int | None, int | None]
"""First and last of a range in either order; None is `*`."""


class BadSyntax(Exception):
    """The client said what the grammar does not allow. The text says where."""


class Arguments:
    """A whole command, literals in place, read from left to right. Every method raises `BadSyntax`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._data)

    def end(self) -> None:
        if self.more():
            raise BadSyntax(f"Unexpected {self._data[self._at : self._at + 20]!r}")

    def take(self, token: bytes) -> bool:
        """Step over the token, in any case, if it is next."""
        found = self._data[self._at : self._at + len(token)].upper() == token.upper()
        self._at += len(token) if found else 0
        return found

    def expect(self, token: bytes) -> None:
        if not self.take(token):
            raise BadSyntax(f"Expected {token.decode('ascii')!r}")

    def space(self) -> None:
        self.expect(b" ")

    def atom(self) -> str:
        return self._match(_ATOM, "an atom").decode("ascii", "replace")

    def word(self) -> str:
        """An atom that is one of the protocol's own words, in upper case."""
        return self.atom().upper()

    def number(self) -> int:
        return int(self._match(_NUMBER, "a number"))

    def sequence_set(self) -> list[SetRange]:
        ranges: list[SetRange] = []
        for part in self._match(_SET, "a sequence set").decode().split(","):
            left, _, right = part.partition(":")
            first, last = (None if end == "*" else int(end) for end in (left, right or left))
            if first == 0 or last == 0:
                raise BadSyntax("Messages are counted from 1")
            ranges.append((first, last))
        return ranges

    def next_is_set(self) -> bool:
        return _SET.match(self._data, self._at) is not None

    def astring(self) -> bytes:
        return self._string() if self._next_is_string() else self._match(_ASTRING, "a string")

    def nstring(self) -> bytes | None:
        if self._next_is_string():
            return self._string()
        self.expect(b"NIL")
        return None

    def mailbox(self) -> str:
        return folder_name(self.astring())

    def list_mailbox(self) -> str:
        return folder_name(self._string() if self._next_is_string() else self._match(_LIST_MAILBOX, "a pattern"))

    def flags(self) -> frozenset[str]:
        """A list of flags, with or without its parentheses."""
        flags: list[str] = []
        bare = not self.take(b"(")
        if not bare and self.take(b")"):
            return frozenset()
        while True:
            flags.append(canonical_flag(self._match(_FLAG, "a flag").decode("ascii", "replace")))
            if bare and not self.more():
                return frozenset(flags)
            if not bare and self.take(b")"):
                return frozenset(flags)
            self.space()

    def words(self) -> list[str]:
        """A parenthesised list of the protocol's own words, in upper case; may be empty."""
        self.expect(b"(")
        words: list[str] = []
        while not self.take(b")"):
            if words:
                self.space()
            words.append(self._match(_FLAG, "a word").decode("ascii", "replace").upper())
        return words

    def labels(self) -> list[str]:
        """Gmail's labels, a parenthesised list or one: system labels are like flags, others like folders."""
        labels: list[str] = []
        bare = not self.take(b"(")
        while bare or not self.take(b")"):
            if labels:
                self.space()
            if self.next_is(b"\\"):
                labels.append(canonical_flag(self._match(_FLAG, "a label").decode("ascii", "replace")))
            else:
                label = self.mailbox()
                labels.append(canonical_flag(label) if label.startswith("\\") else label)
            if bare:
                break
        return labels

    def date(self) -> date:
        text = self.astring().decode("ascii", "replace")
        if not (match := _DATE.fullmatch(text)):
            raise BadSyntax(f"Not a date: {text!r}")
        try:
            return date(int(match[3]), _month(match[2]), int(match[1]))
        except ValueError as error:
            raise BadSyntax(f"Not a date: {text!r}") from error

    def date_time(self) -> datetime:
        text = self._string().decode("ascii", "replace")
        if not (match := _DATE_TIME.fullmatch(text)):
            raise BadSyntax(f"Not a date and time: {text!r}")
        offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
        try:
            zone = timezone(-offset if match[7] == "-" else offset)
            clock = (int(match[4]), int(match[5]), int(match[6]))
            return datetime(int(match[3]), _month(match[2]), int(match[1]), *clock, tzinfo=zone)
        except ValueError as error:
            raise BadSyntax(f"Not a date and time: {text!r}") from error

    def fetch_name(self) -> str:
        """The name of a FETCH item, or a section's, in upper case; may be empty in a section."""
        return self._match(_FETCH_NAME, "the name of an item").decode().upper()

    def next_is(self, token: bytes) -> bool:
        return self._data[self._at : self._at + len(token)].upper() == token.upper()

    def next_is_literal(self) -> bool:
        return LITERAL.match(self._data, self._at) is not None

    def _next_is_string(self) -> bool:
        return self.next_is(b'"') or self.next_is_literal()

    def _string(self) -> bytes:
        if literal := LITERAL.match(self._data, self._at):
            self._at = literal.end() + int(literal[1])
            return self._data[literal.end() : self._at]
        quoted = self._match(_QUOTED, "a string")[1:-1]
        return re.sub(rb"\\(.)", rb"\1", quoted) if b"\\" in quoted else quoted

    def _match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        if not (match := pattern.match(self._data, self._at)):
            raise BadSyntax(f"Expected {what}")
        self._at = match.end()
        return match[0]


def quoted(text: str) -> bytes:
    """An ASCII string for which a literal is never needed."""
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'


def nstring(data: bytes | None) -> bytes:
    """NIL, a quoted string where that is possible, else a literal."""
    if data is None:
        return b"NIL"
    if len(data) < 1000 and data.isascii() and not any(byte in data for byte in b"\0\r\n"):
        return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d}\r\n" % len(data) + data


def resolve(ranges: Collection[SetRange], largest: int) -> list[range]:
    """The ranges as Python's, `*` standing for the largest number there is."""
    ends = ((largest if a is None else a, largest if b is None else b) for a, b in ranges)
    return [range(min(a, b), max(a, b) + 1) for a, b in ends]


def shown_set(numbers: Iterable[int]) -> str:
    """`1:3,7` for ascending numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs)


def shown_label(label: str) -> bytes:
    """One of Gmail's labels: a folder's name, or a system label, both quoted."""
    return quoted(label) if label.startswith("\\") else shown_folder(label)


def shown_date_time(moment: datetime) -> bytes:
    """INTERNALDATE, whose day is padded with a space and whose month is English whatever the locale."""
    return f'"{moment.day:2d}-{MONTHS[moment.month - 1]}-{moment:%Y %H:%M:%S %z}"'.encode()


def canonical_flag(flag: str) -> str:
    """System flags in their usual spelling, for flags are the same in any case; keywords as they are."""
    return "\\" + flag[1:].capitalize() if flag.startswith("\\") else flag


def folder_name(raw: bytes) -> str:
    """The folder a client means: modified UTF-7 (RFC 3501 §5.1.3) to Unicode."""

    def decode(match: re.Match[str]) -> str:
        text = match[1].replace(",", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-be") if text else "&"

    try:
        return re.sub(r"&([A-Za-z0-9+,]*)-", decode, raw.decode("ascii"))
    except ValueError as error:
        raise BadSyntax("Not a folder's name in modified UTF-7") from error


def shown_folder(name: str) -> bytes:
    """The name in modified UTF-7, quoted."""

    def encode(match: re.Match[str]) -> str:
        text = base64.b64encode(match[0].encode("utf-16-be")).decode()
        return "&" + text.rstrip("=").replace("/", ",") + "-"

    return quoted(re.sub(r"[^\x20-\x7e]+", encode, name.replace("&", "&-")))


def _month(name: str) -> int:
    return MONTHS.index(name.capitalize()) + 1
