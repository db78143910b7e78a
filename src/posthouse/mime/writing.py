"""A draft to the bytes that are sent (RFC 5322, 2045-2047, 2231).

Everything is checked before a byte is written: a line break in a name must not become a header. Then the message
is read again with our own reader and compared with the draft, so that a mistake of ours is found before it is
sent. All lines end in CRLF and are 7-bit, except in headers that hold an address beyond ASCII (RFC 6532).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote_from_bytes

from posthouse.mime import addresses, filenames, headers, reading
from posthouse.mime.addresses import parse_addresses
from posthouse.model.errors import Invalid
from posthouse.model.message import Address, Draft, Enclosure, Message

__all__ = ["is_message_id", "needs_utf8", "parse_addresses", "write"]

_VALUE_LONGEST = 10_000
_REFERENCES = 100
_LINE_LONGEST = 998  # RFC 5322 §2.1.1, without CRLF

_OURS = frozenset({
    "bcc", "cc", "date", "from", "message-id", "mime-version", "reply-to", "sender", "subject", "to",
    # Written by those who carry mail, not by those who send it.
    "arc-authentication-results", "arc-message-signature", "arc-seal", "authentication-results", "delivered-to",
    "dkim-signature", "envelope-to", "received", "received-spf", "return-path", "x-original-to",
})  # fmt: skip
_OUR_PREFIXES = ("content-", "resent-")

_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})\"?", re.IGNORECASE)
_CONTENT_ID = re.compile(r"[!#-;=?-~]{1,200}")
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,900}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_SPACE_OR_WORD = re.compile(r"[ \t]+|[^ \t]+")

_Lines = list[bytes]


def write(draft: Draft, *, message_id: str, date: datetime) -> bytes:
    """The message as bytes, to be sent as they are; who gets a blind copy is not in them.

    The caller's own headers may be any but those that the draft's other fields, the mail servers and the MIME
    structure own: `Auto-Submitted`, `Precedence`, `List-*`, `X-*` and the like; `In-Reply-To` and `References`
    where the draft leaves them empty. `Invalid` names the field that cannot be written. `date` must be aware.
    """
    draft = _checked(draft)
    head = list(_head(draft, _bare_id("the message id", message_id), date))
    written = b"\r\n".join([*(field.encode("utf-8") for _, field in head), *_body(draft, message_id)])
    _read_again(written, draft, [name for name, _ in head])
    return written


def needs_utf8(draft: Draft) -> bool:
    """Whether the message may only go to servers that offer SMTPUTF8: an address has a local part beyond ASCII."""
    return any(not person.email.rpartition("@")[0].isascii() for person in (*_written(draft), *draft.bcc))


def _written(draft: Draft) -> tuple[Address, ...]:
    return (draft.sender, *draft.reply_to, *draft.to, *draft.cc)


# -- checks -------------------------------------------------------------------------------------------------------


def _checked(draft: Draft) -> Draft:
    """The draft with its values as they will be written."""
    subject = _line("the subject", draft.subject)
    for name, value in (("text", draft.text), ("HTML", draft.html)):
        if "\0" in value or _has_surrogates(value):
            raise Invalid(f"the {name} holds a NUL or half a character")
    custom = {name.lower() for name, _ in draft.headers}
    if (draft.in_reply_to and "in-reply-to" in custom) or (draft.references and "references" in custom):
        raise Invalid("In-Reply-To and References are given twice")
    return Draft(
        sender=_person("the sender", draft.sender),
        to=tuple(_person("a recipient (to)", person) for person in draft.to),
        cc=tuple(_person("a recipient (cc)", person) for person in draft.cc),
        bcc=tuple(_person("a recipient (bcc)", person) for person in draft.bcc),
        reply_to=tuple(_person("the reply address", person) for person in draft.reply_to),
        subject=subject,
        text=_lf(draft.text),
        html=_lf(draft.html),
        headers=tuple(_header(name, value) for name, value in draft.headers),
        attachments=tuple(_enclosure(enclosure, n) for n, enclosure in enumerate(draft.attachments, start=1)),
        in_reply_to=_bare_id("the id of the message replied to", draft.in_reply_to) if draft.in_reply_to else "",
        references=tuple(_bare_id("a reference", one) for one in draft.references[-_REFERENCES:]),
    )


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line(field: str, value: str) -> str:
    if _FORBIDDEN.search(value):
        raise Invalid(f"{field} holds a line break or control character")
    if len(value) > _VALUE_LONGEST:
        raise Invalid(f"{field} is longer than {_VALUE_LONGEST} characters")
    return value


def _person(field: str, person: Address) -> Address:
    name = headers.folded(_line(f"the name of {field}", person.name))
    _line(f"the address of {field}", person.email)
    try:
        return Address(name, addresses.checked(person.email))
    except Invalid as error:
        raise Invalid(f"{field}: {error.message}") from None


def _header(name: str, value: str) -> tuple[str, str]:
    if not _HEADER_NAME.fullmatch(name):
        raise Invalid(f"not a header name: {name[:80]!r}")
    if name.lower() in _OURS or name.lower().startswith(_OUR_PREFIXES):
        raise Invalid(f"the header {name} can't be set")
    return name, _line(f"the header {name}", value).strip(" \t")


def is_message_id(text: str) -> bool:
    """Whether this can be written as a message id, with its brackets or without."""
    return bool(_MESSAGE_ID.fullmatch(text.strip(" ").removeprefix("<").removesuffix(">")))


def _bare_id(field: str, value: str) -> str:
    """A message id without its brackets."""
    value = value.strip(" ").removeprefix("<").removesuffix(">")
    if not _MESSAGE_ID.fullmatch(value):
        raise Invalid(f"{field} is no message id: {value[:80]!r}")
    return value


def _enclosure(enclosure: Enclosure, number: int) -> Enclosure:
    field = f"attachment {number}"
    content_type = enclosure.content_type or "application/octet-stream"
    essence = content_type.partition(";")[0].strip().lower()
    if _FORBIDDEN.search(content_type) or not _CONTENT_TYPE.fullmatch(essence):
        raise Invalid(f"{field}: not a content type: {content_type[:80]!r}")
    if essence.startswith("multipart/") or (essence.startswith("message/") and not _is_plain(enclosure.content)):
        # RFC 2046 §5.2.1: what is a message may not be encoded, so one that would have to be is sent as a file.
        essence = "application/octet-stream"
    charset = _CHARSET.search(content_type) if essence.startswith("text/") else None
    content_id = enclosure.content_id.strip(" ").removeprefix("<").removesuffix(">")
    if content_id and not _CONTENT_ID.fullmatch(content_id):
        raise Invalid(f"{field}: not a content id: {content_id[:80]!r}")
    filename = filenames.clean(_line(f"the file name of {field}", enclosure.filename))
    return Enclosure(
        filename=filename or filenames.invented(essence, number),
        content_type=f"{essence}; charset={charset[1].lower()}" if charset else essence,
        content=enclosure.content,
        content_id=content_id,
    )


def _is_plain(content: bytes) -> bool:
    """Whether `content` survives the way as it is: ASCII in CRLF lines, none too long."""
    if not content.isascii() or b"\0" in content:
        return False
    breaks = content.count(b"\r\n")
    if not content.count(b"\r") == content.count(b"\n") == breaks:
        return False
    return all(len(line) <= _LINE_LONGEST for line in content.split(b"\r\n"))


# -- headers ------------------------------------------------------------------------------------------------------


def _head(draft: Draft, message_id: str, date: datetime) -> Iterator[tuple[str, str]]:
    """Names, and the fields as they are written."""
    if date.tzinfo is None:
        raise ValueError("the date must be aware of its time zone")
    yield "Date", f"Date: {format_datetime(date)}"
    yield "From", _people("From", [draft.sender])
    if draft.reply_to:
        yield "Reply-To", _people("Reply-To", draft.reply_to)
    if draft.to:
        yield "To", _people("To", draft.to)
    elif not draft.cc:
        yield "To", "To: undisclosed-recipients:;"
    if draft.cc:
        yield "Cc", _people("Cc", draft.cc)
    yield "Subject", _unstructured("Subject", draft.subject)
    yield "Message-ID", f"Message-ID: <{message_id}>"
    if draft.in_reply_to:
        yield "In-Reply-To", f"In-Reply-To: <{draft.in_reply_to}>"
    if draft.references:
        yield "References", "References: " + "\r\n ".join(f"<{one}>" for one in draft.references)
    for name, value in draft.headers:
        yield name, _unstructured(name, value)
    yield "MIME-Version", "MIME-Version: 1.0"


def _people(name: str, people: Iterable[Address]) -> str:
    return f"{name}: " + ",\r\n ".join(_mailbox(person) for person in people)


def _mailbox(person: Address) -> str:
    name = person.name
    if not name:
        # Brackets always: a bare `a@b` with a comment behind it is read in more ways than one.
        return f"<{person.email}>" if not person.email.isascii() else person.email
    if name.isascii() and name.isprintable() and "=?" not in name and len(name) <= 200:
        if not _ATOMS.fullmatch(name):
            escaped = name.replace("\\", "\\\\").replace('"', '\\"')
            name = f'"{escaped}"'
    else:
        name = "\r\n ".join(_encoded_words(name))
    return f"{name}\r\n <{person.email}>" if len(name) + len(person.email) > 70 else f"{name} <{person.email}>"


def _unstructured(name: str, value: str) -> str:
    """A field of free text, folded (RFC 5322 §2.2.3), in encoded words where ASCII can't say it."""
    plain = value.isascii() and value.replace("\t", "").isprintable() and "=?" not in value
    if plain and value == value.strip(" \t") and all(len(word) <= 900 for word in value.split()):
        return _folded(f"{name}: {value}")
    return f"{name}: " + "\r\n ".join(_encoded_words(value))


def _folded(line: str) -> str:
    """`line` broken before white space where it passes 78 characters; unfolded, it is the same again."""
    lines: list[str] = []
    name, _, rest = line.partition(" ")
    current = name + " "
    pieces = _SPACE_OR_WORD.findall(rest)
    for space, word in zip(["", *pieces[1::2]], pieces[::2], strict=False):
        if len(current) + len(space) + len(word) > 78 and space:
            lines.append(current)
            current = ""
        current += space + word
    return "\r\n".join([*lines, current])


def _encoded_words(text: str) -> Iterator[str]:
    """`text` as RFC 2047 encoded words in UTF-8, none longer than 75 characters, no character cut in two."""
    octets = text.encode("utf-8")
    in_base64 = len(binascii.b2a_base64(octets)) < len(_q(octets))
    room = 45 if in_base64 else 63
    piece = b""
    for character in text:
        one = character.encode("utf-8")
        if len(piece + one if in_base64 else _q(piece + one)) > room:
            yield _encoded_word(piece, in_base64)
            piece = b""
        piece += one
    yield _encoded_word(piece, in_base64)


def _encoded_word(octets: bytes, in_base64: bool) -> str:
    if in_base64:
        return f"=?utf-8?b?{base64.b64encode(octets).decode('ascii')}?="
    return f"=?utf-8?q?{_q(octets)}?="


def _q(octets: bytes) -> str:
    """RFC 2047 §5 (3): the letters that may stand in a phrase as themselves, the rest as octets."""
    return "".join(_Q_LETTERS[octet] for octet in octets)


_Q_LETTERS = [
    chr(octet) if chr(octet).isascii() and (chr(octet).isalnum() or chr(octet) in "!*+-/") else f"={octet:02X}"
    for octet in range(256)
]
_Q_LETTERS[32] = "_"


# -- bodies -------------------------------------------------------------------------------------------------------


class _Boundaries:
    """Boundaries that no part can hold: `=_` is in no base64 or quoted-printable, and plain text is looked at."""

    def __init__(self, message_id: str, texts: Iterable[bytes]) -> None:
        self.seed = message_id
        self.texts = list(texts)
        self.count = 0

    def next(self) -> str:
        while True:
            self.count += 1
            digest = hashlib.sha256(f"{self.seed} {self.count}".encode()).hexdigest()
            boundary = f"=_{digest[:32]}"
            if not any(boundary.encode() in text for text in self.texts):
                return boundary


def _body(draft: Draft, message_id: str) -> _Lines:
    """The MIME headers of the root, the empty line and the body, as lines without their ends."""
    referred = [one for one in draft.attachments if one.content_id and f"cid:{one.content_id}" in draft.html]
    inline = referred if draft.html else []
    attached = [one for one in draft.attachments if one not in inline]
    unencoded = [one.content for one in draft.attachments if one.content_type.startswith("message/")]
    boundaries = _Boundaries(message_id, [draft.text.encode(), draft.html.encode(), *unencoded])

    part = _text_part("html", draft.html) if draft.html else _text_part("plain", draft.text)
    if inline:
        part = _multipart("related", boundaries, [part, *(_file_part(one, "inline") for one in inline)])
    if draft.html and draft.text:
        part = _multipart("alternative", boundaries, [_text_part("plain", draft.text), part])
    if attached:
        part = _multipart("mixed", boundaries, [part, *(_file_part(one, "attachment") for one in attached)])
    return part if part[-1] == b"" else [*part, b""]


def _multipart(subtype: str, boundaries: _Boundaries, parts: list[_Lines]) -> _Lines:
    boundary = boundaries.next()
    delimiter = b"--" + boundary.encode()
    lines = [f'Content-Type: multipart/{subtype}; boundary="{boundary}"'.encode(), b""]
    for part in parts:
        lines.append(delimiter)
        lines.extend(part)
    lines.append(delimiter + b"--")
    return lines


def _text_part(subtype: str, text: str) -> _Lines:
    octets = text.encode("utf-8")
    longest = max(map(len, octets.split(b"\n")))
    if octets.isascii() and longest <= _LINE_LONGEST:
        encoding, charset, lines = "7bit", "us-ascii", octets.split(b"\n")
    elif sum(octet > 126 for octet in octets) * 6 < len(octets):
        # RFC 2045 §6.7: readable, and short where little is beyond ASCII.
        encoding, charset, lines = "quoted-printable", "utf-8", binascii.b2a_qp(octets).split(b"\n")
    else:
        encoding, charset, lines = "base64", "utf-8", _base64_lines(octets.replace(b"\n", b"\r\n"))
    head = f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}"
    return [head.encode(), b"", *lines]


def _file_part(enclosure: Enclosure, disposition: str) -> _Lines:
    head = [f"Content-Type: {enclosure.content_type}"]
    if enclosure.content_type.startswith("message/"):
        encoding, lines = "7bit", enclosure.content.split(b"\r\n")
    else:
        encoding, lines = "base64", _base64_lines(enclosure.content)
    head.append(f"Content-Transfer-Encoding: {encoding}")
    head.append(f"Content-Disposition: {disposition};\r\n {_filename(enclosure.filename)}")
    if enclosure.content_id:
        head.append(f"Content-ID: <{enclosure.content_id}>")
    return ["\r\n".join(head).encode(), b"", *lines]


def _filename(name: str) -> str:
    """The parameter: plain where it can be, else after RFC 2231, in sections where it is long."""
    if name.isascii() and name.isprintable() and "=?" not in name and len(name) <= 60:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'filename="{escaped}"'
    pieces: list[str] = [""]
    for octet in name.encode("utf-8"):
        letter = quote_from_bytes(bytes([octet]), safe="")
        if len(pieces[-1]) + len(letter) > 55:
            pieces.append("")
        pieces[-1] += letter
    if len(pieces) == 1:
        return f"filename*=utf-8''{pieces[0]}"
    pieces[0] = f"utf-8''{pieces[0]}"
    return ";\r\n ".join(f"filename*{number}*={piece}" for number, piece in enumerate(pieces))


def _base64_lines(octets: bytes) -> _Lines:
    return base64.encodebytes(octets).rstrip(b"\n").split(b"\n")


# -- the check ----------------------------------------------------------------------------------------------------

_GENEROUS = reading.Caps(header_block=1 << 30, header=1 << 30, headers=1 << 20, parts=1 << 20, addresses=1 << 20)


def _read_again(written: bytes, draft: Draft, names: list[str]) -> None:
    """Raise `RuntimeError` when the bytes don't say what the draft says: a bug of ours, not the caller's."""
    message = reading.read(written, _GENEROUS)
    mime = ["Content-Type"] if draft.attachments or (draft.text and draft.html) else list(_TEXT_HEADERS)
    first = len(names) - 1 - len(draft.headers)  # the last one is MIME-Version
    custom = [value for _, value in message.headers[first : len(names) - 1]]
    differences = [
        what
        for what, differs in {
            "headers": [name for name, _ in message.headers] != names + mime,
            "header values": custom != [value for _, value in draft.headers],
            "sender": message.sender != (draft.sender,),
            "reply-to": message.reply_to != draft.reply_to,
            "to": message.to != draft.to,
            "cc": message.cc != draft.cc,
            "bcc": message.bcc != (),
            "subject": message.subject != draft.subject,
            "attachments": _files(message) != sorted(one.filename for one in draft.attachments),
            "length": max(map(len, written.split(b"\r\n"))) > _LINE_LONGEST,
            "line ends": written.count(b"\r\n") != written.count(b"\n") or written.count(b"\r") != written.count(b"\n"),
        }.items()
        if differs
    ]
    if differences:
        raise RuntimeError(f"the message written is not the draft: {', '.join(differences)}")


_TEXT_HEADERS = ("Content-Type", "Content-Transfer-Encoding")


def _files(message: Message) -> list[str]:
    return sorted(part.filename for part in message.attachments)
