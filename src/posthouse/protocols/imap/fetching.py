"""What a server tells of one message: FETCH to `Fetched` (RFC 3501 §7.4.2, RFC 7162, RFC 8474, Gmail's
`X-GM-EXT-1`).

There are two readers of the same answer: one pass of a regular expression for what nearly every server
sends, and one over tokens for everything else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from posthouse.protocols.imap.framing import Limits, Part, Spilled
from posthouse.protocols.imap.tokens import Token, tokens
from posthouse.protocols.imap.uidset import HIGHEST
from posthouse.protocols.imap.words import flags, folder_name, human, integer, number, text


@dataclass(slots=True, kw_only=True)
class Fetched:
    """What the server told of one message; `said` names what it spoke of, a wrong word (`INTERNALDATE`
    that is no date) included. `uid` is 0 when it did not tell, which nobody outside this package sees.

    `sequence` is a message sequence number: good for nothing once the next response is read.
    """

    sequence: int
    uid: int = 0
    flags: tuple[str, ...] = ()
    size: int | None = None  # RFC822.SIZE, which need not be the number of bytes delivered (Exchange)
    internal_date: datetime | None = None  # aware
    modseq: int | None = None
    body: bytes | Spilled | None = field(default=None, repr=False)
    header: bytes | None = field(default=None, repr=False)  # cut where a literal would go to disk
    email_id: str | None = None  # RFC 8474
    thread_id: str | None = None
    gmail_message_id: int | None = None
    gmail_thread_id: int | None = None
    gmail_labels: tuple[str, ...] = ()
    said: frozenset[str] = frozenset()

    def close(self) -> None:
        """Give up the body if it is on disk."""
        if isinstance(self.body, Spilled):
            self.body.file.close()


def read_fetch(sequence: int, parts: Sequence[Part], start: int, limits: Limits) -> Fetched:
    """The message of a FETCH response whose list of items begins at `start` of its first line."""
    return usual(sequence, parts, start) or unusual(sequence, tokens(parts, limits, start=start))


# What a whole message or its flags look like from nearly every server. One pass, no nesting; whatever
# does not fit to the last byte is read token by token instead.
USUAL = re.compile(
    rb"""
      UID\ (?P<uid>\d{1,10})
    | FLAGS\ \((?P<flags>[^()"{\[\]]*+)\)
    | RFC822\.SIZE\ (?P<size>\d{1,19})
    | INTERNALDATE\ "(?P<date>[^"\\]*+)"
    | MODSEQ\ \((?P<modseq>\d{1,19})\)
    | BODY\[\](?:<0>)?\ (?P<body>\{\d++\})
    """,
    re.VERBOSE,
)


def usual(sequence: int, parts: Sequence[Part], start: int) -> Fetched | None:
    line = parts[0]
    assert isinstance(line, bytes)
    if len(parts) > 3 or line[start : start + 1] != b"(":
        return None
    message, said = Fetched(sequence=sequence), []
    at, place = start + 1, 0
    while True:
        item = USUAL.match(line, at)
        if item is None:
            return None
        match item.lastgroup:
            case "uid":
                message.uid = number(item["uid"], HIGHEST) or 0
                said.append("UID")
            case "flags":
                message.flags = tuple(human(item["flags"]).split())
                said.append("FLAGS")
            case "size":
                message.size = number(item["size"])
                said.append("RFC822.SIZE")
            case "date":
                message.internal_date = internal_date(item["date"])
                said.append("INTERNALDATE")
            case "modseq":
                message.modseq = number(item["modseq"])
                said.append("MODSEQ")
            case _:
                if item.end() != len(line) or len(parts) != 3:
                    return None
                body, line = parts[1], parts[2]
                assert isinstance(line, bytes)
                message.body = body
                said.append("BODY[]")
                place, at = 2, 0
                if line == b")":
                    break
                if line[:1] == b" ":
                    at = 1
                    continue
                return None
        at = item.end()
        if line[at : at + 1] == b" ":
            at += 1
        elif line[at:] == b")" and place == len(parts) - 1:
            break
        else:
            return None
    message.said = frozenset(said)
    return message


def unusual(sequence: int, inside: list[Token]) -> Fetched:
    items = inside[0] if inside and isinstance(inside[0], list) else []
    message, said = Fetched(sequence=sequence), []
    for name, value in zip(items[::2], items[1::2], strict=False):
        if not isinstance(name, bytes):
            break  # out of step; what came before stands
        name_said = item_name(human(name)) if len(name) > 100 else short_item_name(name)
        said.append(name_said)
        match name_said:
            case "UID":
                message.uid = integer(value, HIGHEST) or 0
            case "FLAGS":
                message.flags = flags(value)
            case "RFC822.SIZE":
                message.size = integer(value)
            case "INTERNALDATE":
                message.internal_date = internal_date(text(value))
            case "MODSEQ":
                message.modseq = integer(only(value))
            case "BODY[]":
                message.body = value if isinstance(value, bytes | Spilled) else None
            case "BODY[HEADER]":
                message.header = beginning(value)
            case "EMAILID":
                message.email_id = human(text(only(value))) or None
            case "THREADID":
                message.thread_id = human(text(only(value))) or None
            case "X-GM-MSGID":
                message.gmail_message_id = integer(value)
            case "X-GM-THRID":
                message.gmail_thread_id = integer(value)
            case "X-GM-LABELS":
                labels = value if isinstance(value, list) else []
                message.gmail_labels = tuple(folder_name(label) for label in labels if isinstance(label, bytes))
    message.said = frozenset(said)
    return message


SECTION = re.compile(r"(?:BODY|BINARY)(?:\.PEEK)?\[(.*)\](?:<[\d.]+>)?", re.DOTALL)
OLD_NAMES = {"RFC822": "BODY[]", "RFC822.PEEK": "BODY[]", "RFC822.HEADER": "BODY[HEADER]"}


def item_name(name: str) -> str:
    """One name for all ways to ask and to answer: every part of the header is `BODY[HEADER]`; `.PEEK` and the
    origin `<0>`, which some leave out, don't count."""
    name = name.upper()
    section = SECTION.fullmatch(name)
    if section is None:
        return OLD_NAMES.get(name, name)
    return "BODY[HEADER]" if section[1].startswith("HEADER") else f"BODY[{section[1]}]"


@lru_cache(256)
def short_item_name(name: bytes) -> str:
    return item_name(human(name))


def only(value: Token) -> Token:
    return value[0] if isinstance(value, list) and value else value


def beginning(value: Token) -> bytes | None:
    if isinstance(value, Spilled):
        return value.file.read(min(value.size, 256 << 10))
    return value if isinstance(value, bytes) else None


MONTHS = {month: place for place, month in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
DATE = re.compile(
    rb" *(\d{1,2})-([A-Za-z]{3})-(\d{4}) +(\d\d):(\d\d):(\d\d) +([+-]\d\d)(\d\d) *\Z",
)


def internal_date(date: bytes) -> datetime | None:
    """RFC 3501 `date-time`, or `None` when it is none (or so near the end of time that a time zone breaks
    it).
    """
    found = DATE.match(date)
    if found is None:
        return None
    day, month, year, hour, minute, second, hours, minutes = found.groups()
    try:
        if not 1 < int(year) < 9999:
            return None
        return datetime(
            int(year),
            MONTHS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=zone(hours, minutes),
        )
    except (ValueError, KeyError):
        return None


@lru_cache(256)
def zone(hours: bytes, minutes: bytes) -> timezone:
    ahead = timedelta(hours=int(hours[1:]), minutes=int(minutes))
    return timezone(-ahead if hours[:1] == b"-" else ahead)
