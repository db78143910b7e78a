"""A message's bytes as IMAP shows them: parts by number, ENVELOPE, BODYSTRUCTURE.

Parts are slices of the delivered bytes, never rewritten. Whatever the bytes, there is an answer: what can't be
understood is shown as plain text, and what lies too deep is not looked into.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from email.header import decode_header
from email.message import Message as HeaderReader
from email.utils import getaddresses, parsedate_to_datetime

from posthouse.simulator.imap.grammar import nstring

DEEPEST = 20
"""Levels of nesting; below, a part is text."""
MOST_PARTS = 1000
"""Parts of one multipart; the rest is left out."""
LONGEST_FIELD = 10_000
"""Bytes of a header field that are looked at for addresses and parameters, as getaddresses is not linear."""

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:((?:[^\n]*\n[ \t])*[^\n]*)(?:\n|\Z)", re.MULTILINE)
_BLANK = re.compile(rb"^\r?\n", re.MULTILINE)


@dataclass(slots=True)
class Part:
    """One part. `header` includes the blank line that ends it."""

    header: bytes
    body: bytes
    maintype: str = "text"
    subtype: str = "plain"
    parameters: Sequence[tuple[str, str]] = ()
    children: list["Part"] = field(default_factory=list)
    """Of a multipart."""
    message: "Part | None" = None
    """Of a message/rfc822: what is enclosed."""


def parse(data: bytes, depth: int = 0, default: str = "text/plain") -> Part:
    header, body = split(data)
    content_type, parameters = _parameters(field_value(header, "content-type") or default)
    maintype, _, subtype = (content_type if content_type.count("/") == 1 else "text/plain").partition("/")
    part = Part(header, body, maintype or "text", subtype or "plain", parameters)
    if depth < DEEPEST and part.maintype == "multipart":
        inner = "message/rfc822" if part.subtype == "digest" else "text/plain"
        boundary = dict(parameters).get("boundary", "")
        part.children = [parse(piece, depth + 1, inner) for piece in _pieces(body, boundary)]
    elif depth < DEEPEST and content_type == "message/rfc822":
        part.message = parse(body, depth + 1)
    if part.maintype == "multipart" and not part.children:
        part.maintype, part.subtype, part.parameters = "text", "plain", ()
    return part


def split(data: bytes) -> tuple[bytes, bytes]:
    """Header with its blank line, and body; without a blank line all is header."""
    blank = _BLANK.search(data)
    return (data[: blank.end()], data[blank.end() :]) if blank else (data, b"")


def fields(header: bytes) -> Iterator[tuple[str, bytes]]:
    """Name in lower case, and the whole field with its line break."""
    for match in _FIELD.finditer(header):
        yield match[1].decode("latin-1").lower(), match[0]


def field_value(header: bytes, name: str) -> str | None:
    """The first field of this name, unfolded; bytes beyond ASCII as Latin-1, which gives them back unchanged."""
    for found, whole in fields(header):
        if found == name:
            return " ".join(whole.partition(b":")[2].decode("latin-1").split())
    return None


def walk(part: Part) -> Iterator[Part]:
    yield part
    for child in [*part.children, *([part.message] if part.message else [])]:
        yield from walk(child)


def find(root: Part, path: Sequence[int]) -> Part | None:
    """The part with this number (RFC 3501 §6.4.5): `(2, 1)` is the first part of the second."""
    part = root
    for depth, number in enumerate(path):
        container = part.message if depth and part.message else part
        if container.children:
            if number > len(container.children):
                return None
            part = container.children[number - 1]
        elif number == 1 and (depth == 0 or container is not part):
            part = container
        else:
            return None
    return part


def readable(text: str) -> str:
    """Encoded words decoded where that is possible; for searching, and no further than `LONGEST_FIELD`."""
    text = text[:LONGEST_FIELD]
    try:
        pieces = decode_header(text)
        return "".join(p if isinstance(p, str) else p.decode(charset or "utf-8", "replace") for p, charset in pieces)
    except (ValueError, LookupError):
        return text


def readable_body(part: Part) -> str:
    """The text of all textual parts, decoded; for searching."""
    texts: list[str] = []
    for leaf in walk(part):
        if leaf.maintype == "text" and not leaf.children:
            reader = HeaderReader()
            reader["Content-Transfer-Encoding"] = field_value(leaf.header, "content-transfer-encoding") or "7bit"
            reader.set_payload(leaf.body.decode("latin-1"))
            decoded = reader.get_payload(decode=True)
            charset = dict(leaf.parameters).get("charset", "utf-8")
            assert isinstance(decoded, bytes)
            try:
                texts.append(decoded.decode(charset, "replace"))
            except (ValueError, LookupError):
                texts.append(decoded.decode("latin-1"))
    return "\n".join(texts)


def sent_on(data: bytes) -> date | None:
    """The day of the Date field, whatever its time zone; None where it can't be read."""
    try:
        return parsedate_to_datetime(field_value(split(data)[0], "date") or "").date()
    except (ValueError, TypeError, IndexError):
        return None


def envelope(header: bytes) -> bytes:
    """RFC 3501 §7.4.2; Sender and Reply-To are From where they are missing."""

    def text(name: str) -> bytes:
        value = field_value(header, name)
        return nstring(None if value is None else value.encode("latin-1"))

    from_ = _addresses(header, "from")
    sender, reply_to = _addresses(header, "sender"), _addresses(header, "reply-to")
    shown = [
        text("date"),
        text("subject"),
        from_,
        from_ if sender == b"NIL" else sender,
        from_ if reply_to == b"NIL" else reply_to,
        *(_addresses(header, name) for name in ("to", "cc", "bcc")),
        text("in-reply-to"),
        text("message-id"),
    ]
    return b"(" + b" ".join(shown) + b")"


def structure(part: Part, *, extended: bool) -> bytes:
    """BODYSTRUCTURE, or BODY when not `extended` (RFC 3501 §7.4.2)."""
    disposition = field_value(part.header, "content-disposition")
    extension = [_disposition(disposition), b"NIL", b"NIL"] if extended else []
    if part.children:
        shown = [b"".join(structure(child, extended=extended) for child in part.children), _text(part.subtype)]
        if extended:
            shown += [_parameter_list(part.parameters), *extension]
        return b"(" + b" ".join(shown) + b")"
    shown = [
        _text(part.maintype),
        _text(part.subtype),
        _parameter_list(part.parameters or ([("charset", "us-ascii")] if part.maintype == "text" else [])),
        _header_text(part, "content-id"),
        _header_text(part, "content-description"),
        _text((field_value(part.header, "content-transfer-encoding") or "7bit").lower()),
        b"%d" % len(part.body),
    ]
    if part.message:
        shown += [envelope(part.message.header), structure(part.message, extended=extended)]
    if part.message or part.maintype == "text":
        shown.append(b"%d" % part.body.count(b"\n"))
    if extended:
        shown += [_header_text(part, "content-md5"), *extension]
    return b"(" + b" ".join(shown) + b")"


def _pieces(body: bytes, boundary: str) -> list[bytes]:
    if not boundary:
        return []
    delimiter = re.compile(rb"^--" + re.escape(boundary.encode("latin-1")) + rb"(--)?[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
    pieces: list[bytes] = []
    start: int | None = None
    for match in delimiter.finditer(body):
        if start is not None:
            # The line break before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
            pieces.append(re.sub(rb"\r?\n\Z", b"", body[start : match.start()]))
        start = match.end()
        if match[1] or len(pieces) == MOST_PARTS:
            return pieces
    if start is not None:
        pieces.append(body[start:])
    return pieces


def _parameters(value: str) -> tuple[str, list[tuple[str, str]]]:
    """`text/plain; charset=utf-8` → `text/plain` and its parameters, names in lower case."""
    reader = HeaderReader()
    reader["Content-Type"] = value[:LONGEST_FIELD]
    pairs = reader.get_params(failobj=[("", "")], unquote=True)
    shown = [(name.lower(), text if isinstance(text, str) else text[2]) for name, text in pairs]
    return shown[0][0], shown[1:]


def _disposition(value: str | None) -> bytes:
    if value is None:
        return b"NIL"
    name, parameters = _parameters(value)
    return b"(" + _text(name or "attachment") + b" " + _parameter_list(parameters) + b")"


def _parameter_list(parameters: Sequence[tuple[str, str]]) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(" + b" ".join(_text(name) + b" " + _text(value) for name, value in parameters) + b")"


def _addresses(header: bytes, name: str) -> bytes:
    values = [whole.partition(b":")[2].decode("latin-1") for found, whole in fields(header) if found == name]
    joined = " ".join(", ".join(values).split())[:LONGEST_FIELD]
    try:
        pairs = getaddresses([joined]) if joined else []
    except (RecursionError, IndexError):
        pairs = []
    shown: list[bytes] = []
    for display, address in pairs:
        local, at, domain = address.rpartition("@")
        if display or address:
            shown.append(
                b"(%s NIL %s %s)"
                % (
                    nstring(display.encode("latin-1") or None),
                    _text(local if at else address),
                    _text(domain if at else ""),
                )
            )
    return b"(" + b"".join(shown) + b")" if shown else b"NIL"


def _header_text(part: Part, name: str) -> bytes:
    value = field_value(part.header, name)
    return nstring(None if value is None else value.encode("latin-1"))


def _text(text: str) -> bytes:
    return nstring(text.encode("latin-1", "replace"))
