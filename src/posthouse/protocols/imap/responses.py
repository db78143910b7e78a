"""A whole response to a typed value (RFC 3501 §7 and the extensions named below).

Tolerant where servers are known to be wrong: what is missing is `None`, what is unknown is `Unknown`,
what can't be read is left out. `parse` raises nothing but `RemoteProtocolError`, and only where going on
would be a guess.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from posthouse.protocols.exchange import RemoteProtocolError
from posthouse.protocols.imap.fetching import Fetched, read_fetch
from posthouse.protocols.imap.framing import Limits, Part, Spilled
from posthouse.protocols.imap.tokens import Token, tokens
from posthouse.protocols.imap.uidset import UidSet
from posthouse.protocols.imap.words import flags, folder_name, human, integer, text


@dataclass(frozen=True, slots=True)
class Status:
    """`OK`, `NO`, `BAD`, `BYE` or `PREAUTH`. `tag` is `*` when untagged; `code` is upper case, without
    brackets, and `argument` what followed it there; `text` is for people.
    """

    tag: str
    kind: str
    code: str = ""
    argument: str = ""
    text: str = ""

    @property
    def words(self) -> str:
        code = f"[{self.code} {self.argument}]".replace(" ]", "]") if self.code else ""
        return f"{code} {self.text}".strip() or self.kind


@dataclass(frozen=True, slots=True)
class Continuation:
    """`+ …`: the server waits for the rest of a command."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Bare:
    """A line that is nothing: no tag, no `*`, no `+`. Exchange says `Server Unavailable. 15` so."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """An untagged response that we have no use for."""

    name: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Enabled:
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class ServerId:
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Namespace:
    prefix: str
    delimiter: str | None


@dataclass(frozen=True, slots=True)
class Namespaces:
    """RFC 2342. Each may be empty."""

    personal: tuple[Namespace, ...] = ()
    others: tuple[Namespace, ...] = ()
    shared: tuple[Namespace, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """One line of LIST. `raw` is the name on the wire and the key; `name` is for people.

    A name that is not modified UTF-7 is read as UTF-8 with replacements; only `raw` selects it then.
    """

    name: str
    raw: bytes
    delimiter: str | None
    attributes: frozenset[str] = frozenset()  # lower case, with their backslash

    @property
    def selectable(self) -> bool:
        # RFC 5258 §3: \NonExistent implies \Noselect, which some servers leave out.
        return not self.attributes & {"\\noselect", "\\nonexistent"}

    @property
    def special_use(self) -> str:
        """`all`, `archive`, `drafts`, `flagged`, `important`, `junk`, `sent`, `trash`, `inbox`, or ''."""
        if self.raw.upper() == b"INBOX":
            return "inbox"
        return next((use for word, use in SPECIAL_USES.items() if word in self.attributes), "")


# RFC 6154, RFC 8457, and the words of Google's XLIST before them.
USES = ("all", "archive", "drafts", "flagged", "important", "junk", "sent", "trash")
SPECIAL_USES = {f"\\{use}": use for use in USES} | {
    "\\allmail": "all",
    "\\spam": "junk",
    "\\starred": "flagged",
}


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """The answer to STATUS: what could be read as a number, under its upper-case name."""

    numbers: dict[str, int]


@dataclass(frozen=True, slots=True)
class Flags:
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    count: int


@dataclass(frozen=True, slots=True)
class Expunged:
    sequence: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """RFC 7162. `earlier`: told about the past, on request; else it happens now."""

    earlier: bool
    uids: UidSet


@dataclass(frozen=True, slots=True)
class Found:
    """SEARCH: in the server's order and with its duplicates."""

    numbers: list[int]


@dataclass(frozen=True, slots=True)
class FoundSet:
    """ESEARCH (RFC 4731). `uids` is `None` when the server said nothing of `ALL`, which means no message."""

    tag: str
    uids: UidSet | None


Response = (
    Status
    | Continuation
    | Bare
    | Unknown
    | Capabilities
    | Enabled
    | ServerId
    | Namespaces
    | Folder
    | FolderStatus
    | Flags
    | Exists
    | Expunged
    | Vanished
    | Found
    | FoundSet
    | Fetched
)

NUMBERED = re.compile(rb"\* (\d{1,10}) +([A-Za-z]+)(?: +|\Z)")
NAMED = re.compile(rb"\* +([^\s(]+) *")
STATUS = re.compile(rb"([^\s+]+) +(OK|NO|BAD|BYE|PREAUTH)(?: +(.*))?\Z", re.IGNORECASE | re.DOTALL)
CODE = re.compile(rb"\[([^\]\s]+)(?: (.*?))?\](?: +|\Z)", re.DOTALL)


def parse(parts: Sequence[Part], limits: Limits) -> Response:
    """The value of one response, as the framer gives it. Files of literals that it has no place for are
    closed.
    """
    response: Response | None = None
    try:
        response = _parse(parts, limits)
        return response
    finally:
        body = response.body if isinstance(response, Fetched) else None
        for part in parts[1::2]:
            if isinstance(part, Spilled) and part is not body:
                part.file.close()


def _parse(parts: Sequence[Part], limits: Limits) -> Response:
    line = parts[0]
    assert isinstance(line, bytes)
    if line[:1] == b"+" and line[1:2] in (b"", b" "):
        return Continuation(line[2:])
    if numbered := NUMBERED.match(line):
        number, name, start = int(numbered[1]), numbered[2].upper(), numbered.end()
        if name == b"FETCH":
            return read_fetch(number, parts, start, limits)
        if name == b"EXISTS":
            return Exists(number)
        if name == b"EXPUNGE":
            return Expunged(number)
        return Unknown(human(name))
    if status := STATUS.match(line):
        tag, kind = human(status[1]), status[2].decode().upper()
        return Status(tag, kind, *code_and_text(status[3] or b""))
    if line[:2] == b"* " and (named := NAMED.match(line)):
        return untagged(named[1].upper(), parts, named.end(), limits)
    return Bare(human(line[:1000]))


def code_and_text(text: bytes) -> tuple[str, str, str]:
    code = CODE.match(text)
    if not code:
        return "", "", human(text)
    return human(code[1]).upper(), human(code[2] or b""), human(text[code.end() :])


def untagged(name: bytes, parts: Sequence[Part], start: int, limits: Limits) -> Response:
    line = parts[0]
    assert isinstance(line, bytes)
    match name:
        case b"SEARCH":
            return Found(search_numbers(line[start:], limits))
        case b"ESEARCH":
            return found_set(line[start:], limits)
        case b"VANISHED":
            return vanished(line[start:])
        case b"CAPABILITY":
            return Capabilities(words(line[start:]))
        case b"ENABLED":
            return Enabled(words(line[start:]))
    if name not in (b"LIST", b"LSUB", b"XLIST", b"STATUS", b"FLAGS", b"NAMESPACE", b"ID"):
        return Unknown(human(name[:100]))
    inside = tokens(parts, limits, start=start)
    match name:
        case b"FLAGS":
            return Flags(flags(inside[0] if inside else None))
        case b"STATUS":
            return folder_status(inside)
        case b"NAMESPACE":
            return Namespaces(*map(namespaces, [*inside, None, None, None][:3]))
        case b"ID":
            return ServerId(server_id(inside))
        case _:
            return folder(inside)


def words(text: bytes) -> frozenset[str]:
    return frozenset(human(word).upper() for word in text.split())


def folder(inside: list[Token]) -> Folder:
    attributes = inside.pop(0) if inside and isinstance(inside[0], list) else None
    delimiter, name = [*inside, None, None][:2]
    # RFC 3501 grammar: a mailbox may be called NIL, and needs no quotes for it.
    raw = b"NIL" if name is None and len(inside) > 1 else name if isinstance(name, bytes) else b""
    return Folder(
        folder_name(raw),
        raw,
        human(delimiter) if isinstance(delimiter, bytes) and delimiter else None,
        frozenset(attribute.lower() for attribute in flags(attributes)),
    )


def folder_status(inside: list[Token]) -> FolderStatus:
    items = next((token for token in reversed(inside) if isinstance(token, list)), [])
    numbers = {}
    for name, value in zip(items[::2], items[1::2], strict=False):
        number = integer(value)
        if isinstance(name, bytes) and number is not None:
            numbers[human(name).upper()] = number
    return FolderStatus(numbers)


def namespaces(value: Token) -> tuple[Namespace, ...]:
    found = []
    for entry in value if isinstance(value, list) else []:
        prefix, delimiter = [*(entry if isinstance(entry, list) else []), None, None][:2]
        found.append(Namespace(folder_name(text(prefix)), human(text(delimiter)) or None))
    return tuple(found)


def server_id(inside: list[Token]) -> dict[str, str]:
    items = inside[0] if inside and isinstance(inside[0], list) else []
    return {human(text(name)).lower(): human(text(value)) for name, value in zip(items[::2], items[1::2], strict=False)}


def search_numbers(numbers: bytes, limits: Limits) -> list[int]:
    # RFC 7162 §3.1.5 puts `(MODSEQ n)` at the end.
    numbers = numbers.partition(b"(")[0]
    if numbers.count(b" ") > limits.uids:
        raise RemoteProtocolError(f"the server found more than {limits.uids} messages")
    try:
        return [int(number) for number in numbers.split() if len(number) < 11]
    except ValueError as error:
        raise RemoteProtocolError("the server's search result can't be read") from error


FOUND_TAG = re.compile(rb' *\(\s*TAG\s+"?([^\s()"]+)"?\s*\)', re.IGNORECASE)
FOUND_ALL = re.compile(rb"(?:\A| )ALL +([0-9:,*]+)", re.IGNORECASE)


def found_set(text: bytes, limits: Limits) -> FoundSet:
    tag = FOUND_TAG.match(text)
    found = FOUND_ALL.search(text, tag.end() if tag else 0)
    uids = uid_set(found[1]) if found else None
    if uids is not None and len(uids) > limits.uids:
        raise RemoteProtocolError(f"the server found more than {limits.uids} messages")
    return FoundSet(human(tag[1]) if tag else "", uids)


def vanished(text: bytes) -> Vanished:
    earlier = text[:1] == b"("
    return Vanished(earlier, uid_set(text.rpartition(b" ")[2]))


def uid_set(text: bytes) -> UidSet:
    try:
        return UidSet.parse(text.decode("ascii"))
    except ValueError as error:
        raise RemoteProtocolError("the server's set of messages can't be read") from error
