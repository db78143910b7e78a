"""Header fields: from a block of bytes to names and values, and from values to what they mean.

Everything here is linear in its input and takes any text: patterns never look twice at the same letters (hence
the possessive quantifiers), nothing recurses, nothing raises. What can't be understood comes back empty.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from posthouse.mime import charsets
from posthouse.mime.transfer import Raw, decode_base64

Field = tuple[str, str]

# RFC 5322 §2.2: a name of printable ASCII without the colon. Whatever else stands in a line is the third group.
_FIELD = re.compile(r"^(?:([!-9;-~]++)[ \t]*+:[ \t]*+([^\n]*+)(?:\n|\Z)|([^\n]*+\n|[^\n]++))", re.MULTILINE)
_EMPTY_LINE = re.compile(rb"\r*+\n")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
_CONTROL_OCTETS = bytes(octet for octet in range(128) if _CONTROLS.match(chr(octet)))
_LINE_BREAKS = re.compile(r"[\r\n]+")
_BLANKS = re.compile(r"[ \t\r\n]+")
_CHARSET_NEARBY = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """The fields at the head of a message or part, and where in the raw bytes its body begins."""

    fields: list[Field]
    body: int
    defects: tuple[str, ...] = ()

    def first(self, name: str) -> str:
        """The value of the first field of this (lower case) name, or ''."""
        for field, value in self.fields:
            if field.lower() == name:
                return value
        return ""


def read_block(raw: Raw, start: int, end: int, *, block_cap: int, value_cap: int, count_cap: int) -> Block:
    """The header block that begins at `start`: values unfolded and decoded to text, encoded words left alone.

    One line that is no field is skipped when a field follows at once (mbox's `From ` line is one); otherwise the
    body begins there, as it does where the empty line was forgotten.
    """
    if empty := _EMPTY_LINE.match(raw, start, end):
        return Block([], empty.end())
    stop, body = _block_end(raw, start, end)
    defects: list[str] = []
    cut = stop - start > block_cap
    text = _block_text(raw, start, min(stop, start + block_cap))
    # Unfolding drops the line break alone (§2.2.3). A line of blanks continues, too: only an empty one ends a block.
    lines = text.replace("\n ", " ").replace("\n\t", "\t")
    found = _FIELD.findall(lines)
    fields = [(name, value.rstrip(" \t")) for name, value, _ in found if name]
    if len(fields) != len(found):
        if not found[0][2].startswith(("From ", ">From ")):
            defects.append("a line among the headers is no header")
        kept = _header_lines(found)
        if kept < len(found) and not cut:
            defects.append("no empty line between headers and body")
            fields = [(name, value.rstrip(" \t")) for name, value, _ in found[:kept] if name]
            body = _place_of_line(raw, start, end, text, kept)
    if len(fields) > count_cap:
        del fields[count_cap:]
        cut = True
    if cut:
        defects.append("headers over the limit were left out")
    if len(lines) > value_cap and any(len(value) > value_cap for _, value in fields):
        fields = [(name, value[:value_cap]) for name, value in fields]
        defects.append("a header over the limit was cut")
    return Block(fields, body, tuple(defects))


def _header_lines(found: list[tuple[str, str, str]]) -> int:
    """How many of the (unfolded) lines are the headers: up to a foreign line that no field follows at once."""
    for index, (_, _, foreign) in enumerate(found):
        if foreign and (index + 1 == len(found) or found[index + 1][2]):
            return index
    return len(found)


def _place_of_line(raw: Raw, start: int, end: int, text: str, number: int) -> int:
    """Where the unfolded line of this number (from 0) begins in the raw bytes, which `text` follows line by line."""
    beginnings = [at for at, line in enumerate(text.split("\n")) if not at or line[:1] not in (" ", "\t")]
    place = start
    for _ in range(beginnings[number]):
        place = raw.find(b"\n", place, end) + 1
    return place


def _block_end(raw: Raw, start: int, end: int) -> tuple[int, int]:
    """Where the header lines stop and where the body begins: around the first empty line."""
    crlf = raw.find(b"\n\r\n", start, end)
    lf = raw.find(b"\n\n", start, crlf if crlf >= 0 else end)
    if lf >= 0:
        return lf + 1, lf + 2
    return (crlf + 1, crlf + 3) if crlf >= 0 else (end, end)


def _block_text(raw: Raw, start: int, stop: int) -> str:
    """The block as text with LF line ends, one for each of the raw block, and no control characters."""
    block = raw[start:stop].translate(None, _CONTROL_OCTETS)
    if block.isascii():
        text = block.decode("ascii")
    else:
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError:
            # 8-bit headers in the old way: in the body's character set if that is told nearby, line by line
            # because each may come from another program (and at once where there are too many for that).
            nearby = _CHARSET_NEARBY.search(raw[start : stop + 2048])
            hint = charsets.eight_bit(nearby[1].decode("ascii")) if nearby else ""
            pieces = block.split(b"\n") if block.count(b"\n") < 5000 else [block]
            text = "\n".join(charsets.decode(piece, hint)[0] for piece in pieces)
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = text.replace("\r", " ")  # a bare CR ends no line: nobody shall smuggle a header behind it
    return text


def clean(text: str) -> str:
    """`text` without control characters other than the tab; line breaks become spaces."""
    if text.isprintable():
        return text
    return _CONTROLS.sub("", _LINE_BREAKS.sub(" ", text))


def folded(text: str) -> str:
    """`text` with every run of blanks and line breaks as one space, and none around it."""
    if "  " in text or not text.isprintable():
        text = _BLANKS.sub(" ", text)
    return text.strip(" ")


# -- encoded words ----------------------------------------------------------------------------------------------

# RFC 2047 §2, and beyond it: spaces and a few question marks inside, as mailers write them.
_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*+(?:(?<!=)\?(?!=)[^?]*+){0,8}+)\?=")


def words(value: str) -> str:
    """`value` with its encoded words decoded (RFC 2047), also where quotes or broken writing would forbid it."""
    if "=?" not in value:
        return value
    pieces: list[str] = []
    run = b""  # adjacent words of one charset: some mailers cut a letter in two between them
    charset = ""
    at = 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        adjacent = at > 0 and not between.strip(" \t\r\n")
        label = match[1].partition("*")[0].lower()
        if not adjacent or label != charset:
            if run:
                pieces.append(charsets.decode(run, charset)[0])
                run = b""
            if not adjacent:
                pieces.append(between)
        charset = label
        data = match[3].encode("utf-8")
        run += decode_base64(data) if match[2] in "bB" else binascii.a2b_qp(data, header=True)
        at = match.end()
    if run:
        pieces.append(charsets.decode(run, charset)[0])
    pieces.append(value[at:])
    return clean("".join(pieces))


# -- parameters -------------------------------------------------------------------------------------------------

_PARAMETER = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.|\\)*+)"?|([^;]*+))')
_MAIN = re.compile(r'[^\s;"]*+')
_ESCAPED = re.compile(r'\\(["\\])')
_SECTION = re.compile(r"([^*]++)\*(?:(\d{1,4})(\*?))?")


def parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """The value before the first semicolon in lower case, and the parameters by lower-case name.

    RFC 2231's continuations are joined and its charsets decoded; so are encoded words, which have no right to be
    here and are found everywhere. The first parameter of a name counts, an extended one before a plain one.
    """
    return _seen_before(value) if len(value) < 80 else _parameters(value)


def _parameters(value: str) -> tuple[str, Mapping[str, str]]:
    main = _MAIN.match(value.lstrip(' \t"'))
    plain: dict[str, str] = {}
    sections: dict[str, list[tuple[int, str, bool]]] = {}
    for name, quoted, bare in _PARAMETER.findall(value):
        name = name.lower()
        text = _ESCAPED.sub(r"\1", quoted) if quoted else bare.strip()
        if "*" not in name:
            plain.setdefault(name, text)
        elif section := _SECTION.fullmatch(name):
            encoded = section[2] is None or bool(section[3])
            sections.setdefault(section[1], []).append((int(section[2] or 0), text, encoded))
    if "=?" in value:
        plain = {name: words(text) for name, text in plain.items()}
    for name, parts in sections.items():
        plain[name] = _joined(parts)
    return main[0].lower() if main else "", plain


# Most parts of most messages say one of few things.
_seen_before = lru_cache(1024)(_parameters)


def _joined(parts: list[tuple[int, str, bool]]) -> str:
    """One RFC 2231 value from its numbered sections; decoded as a whole, for sections may cut a letter in two."""
    charset = ""
    data: list[bytes] = []
    for place, (_, text, encoded) in enumerate(sorted(parts, key=lambda part: part[0])):
        if encoded and place == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets = text.encode("utf-8")
        data.append(unquote_to_bytes(octets) if encoded else octets)
    return words(charsets.decode(b"".join(data), charset)[0])


# -- identifiers and dates --------------------------------------------------------------------------------------

_CLEAN_ID = re.compile(r"<([^<>\s]{1,998}+)>")
_BRACKETED = re.compile(r"<([^<>]*+)>")
_ID_CAP = 998  # RFC 5322 §2.1.1: no line is longer


def ids(value: str) -> tuple[str, ...]:
    """The message ids of a References, In-Reply-To or Message-ID field, without their brackets."""
    found = _CLEAN_ID.findall(value)
    if len(found) != value.count("<"):
        found = ["".join(inner.split())[:_ID_CAP] for inner in _BRACKETED.findall(value)]
    if not found:
        found = [word.strip("<>,;\"'")[:_ID_CAP] for word in value.split()]
        found = [word for word in found if "@" in word] or found[:1]
    return tuple(one for one in found if one)


_MONTHS = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)}  # fmt: skip
# RFC 5322 §4.3; the military letters are of no known meaning, hence UTC like everything unknown.
_ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "cet": 1, "cest": 2}
_TIME = r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?"
_DATE = re.compile(
    rf"(\d{{1,2}})[\s-]{{1,9}}([A-Za-z]{{3}})[a-z]{{0,6}}\.?[\s,-]{{1,9}}(\d{{2,4}}),?\s{{1,9}}{_TIME}"
    r"(?:\s{0,9}(?:(?:GMT|UTC)?([+-])(\d{2}):?(\d{2})|([A-Za-z]{3,4})))?"
)
_ASCTIME = re.compile(rf"([A-Za-z]{{3}})\s{{1,9}}(\d{{1,2}})\s{{1,9}}{_TIME}\s{{1,9}}(?:[A-Z]{{3,4}}\s)?(\d{{4}})")


def date(value: str) -> datetime | None:
    """The moment that a Date field names, in UTC: RFC 5322's forms, C's asctime and ISO 8601; `None` otherwise."""
    value = value[:200]
    try:
        if match := _DATE.search(value):
            day, month, year, hour, minute, second, sign, east, past, zone = match.groups()
            moment = datetime(
                _year(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), min(int(second or 0), 59)
            )
            offset = timedelta(hours=_ZONES.get((zone or "").lower(), 0))
            if sign and int(east) < 24 and int(past) < 60:
                offset = timedelta(hours=int(east), minutes=int(past)) * (-1 if sign == "-" else 1)
        elif match := _ASCTIME.search(value):
            month, day, hour, minute, second, year = match.groups()
            moment = datetime(
                int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), min(int(second or 0), 59)
            )
            offset = timedelta(0)
        else:
            moment = datetime.fromisoformat(value.strip())
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
            offset = timedelta(0)
        return moment.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None


def _year(digits: str) -> int:
    """RFC 5322 §4.3: two digits mean 1950 to 2049, three count from 1900."""
    year = int(digits)
    if year < 50:
        return year + 2000
    return year + 1900 if year < 1000 else year
