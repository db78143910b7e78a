"""FETCH: what a client may ask of a message, and the answer (RFC 3501 §6.4.5, RFC 7162 for MODSEQ, and Gmail's own)."""

from dataclasses import dataclass

from posthouse.simulator import content
from posthouse.simulator.imap.grammar import Arguments, BadSyntax, nstring, shown_date_time
from posthouse.simulator.mailbox import Message

MACROS = {
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
WHOLE = {"RFC822": "", "RFC822.HEADER": "HEADER", "RFC822.TEXT": "TEXT"}
"""The old names of three sections."""
PLAIN_ITEMS = {"FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY", "MODSEQ"}
GMAIL_ITEMS = {"X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"}
SECTION_TEXTS = {"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"}


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a message: the part's number, and what of the part."""

    path: tuple[int, ...]
    text: str
    fields: tuple[str, ...] = ()

    def cut(self, message: Message) -> bytes | None:
        """The bytes; None where the message has no such part."""
        if not self.path and not self.text:
            return message.data
        root = content.parse(message.data)
        part = content.find(root, self.path)
        if part is None or not self.text:
            return part.body if part else None
        if self.text == "MIME":
            return part.header
        # HEADER and TEXT of a numbered part are those of the message enclosed in it.
        enclosed = part.message if self.path else part
        if enclosed is None:
            return None
        if self.text == "HEADER":
            return enclosed.header
        if self.text == "TEXT":
            return enclosed.body
        wanted = self.text == "HEADER.FIELDS"
        found = content.fields(enclosed.header)
        return b"".join(whole for name, whole in found if (name in self.fields) == wanted) + b"\r\n"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing asked for, and the label its answer bears."""

    name: str
    label: bytes
    section: Section | None = None
    partial: tuple[int, int] | None = None
    marks_seen: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that goes out as a literal."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Showing:
    """What of the answer is not the message's own: its flags as the session sees them, its labels, its size."""

    flags: bytes
    labels: bytes
    size: int


def parse(arguments: Arguments) -> list[Item]:
    """One item, a macro or a parenthesised list. Raises `BadSyntax`."""
    if not arguments.take(b"("):
        name = arguments.fetch_name()
        return [Item(each, each.encode()) for each in MACROS[name]] if name in MACROS else [_item(name, arguments)]
    return parse_list(arguments)


def parse_list(arguments: Arguments) -> list[Item]:
    """A list of items from behind its parenthesis on. Raises `BadSyntax`."""
    items = [_item(arguments.fetch_name(), arguments)]
    while not arguments.take(b")"):
        arguments.space()
        items.append(_item(arguments.fetch_name(), arguments))
    return items


def value(item: Item, message: Message, showing: Showing) -> bytes | Literal:
    if item.section is not None:
        data = item.section.cut(message)
        if data is None:
            return b"NIL"
        if item.partial:
            data = data[item.partial[0] : sum(item.partial)]
        return Literal(data)
    match item.name:
        case "FLAGS":
            return showing.flags
        case "UID":
            return b"%d" % message.uid
        case "INTERNALDATE":
            return shown_date_time(message.internal_date)
        case "RFC822.SIZE":
            return b"%d" % showing.size
        case "X-GM-MSGID":
            return b"%d" % message.identity
        case "X-GM-THRID":
            return b"%d" % message.thread
        case "X-GM-LABELS":
            return showing.labels
        case "MODSEQ":
            return b"(%d)" % message.modseq
        case "ENVELOPE":
            return content.envelope(content.split(message.data)[0])
        case _:
            return content.structure(content.parse(message.data), extended=item.name == "BODYSTRUCTURE")


def _item(name: str, arguments: Arguments) -> Item:
    if name in WHOLE:
        section = Section((), WHOLE[name])
        return Item(name, name.encode(), section, marks_seen=name != "RFC822.HEADER")
    if name in ("BODY", "BODY.PEEK") and arguments.take(b"["):
        section, label = _section(arguments)
        label = b"BODY[" + label + b"]"
        partial: tuple[int, int] | None = None
        if arguments.take(b"<"):
            start = arguments.number()
            arguments.expect(b".")
            partial = (start, arguments.number())
            arguments.expect(b">")
            label += b"<%d>" % start
        return Item("BODY[]", label, section, partial, marks_seen=name == "BODY")
    if name not in PLAIN_ITEMS | GMAIL_ITEMS:
        raise BadSyntax(f"Unknown item {name}")
    return Item(name, name.encode())


def _section(arguments: Arguments) -> tuple[Section, bytes]:
    name = arguments.fetch_name()
    numbers: list[int] = []
    words = name.split(".") if name else []
    while words and words[0].isdecimal():
        numbers.append(int(words.pop(0)))
    text = ".".join(words)
    if text not in SECTION_TEXTS or 0 in numbers or (text == "MIME" and not numbers):
        raise BadSyntax(f"Unknown section {name}")
    fields: list[bytes] = []
    label = name.encode()
    if text.startswith("HEADER.FIELDS"):
        arguments.expect(b" (")
        fields.append(arguments.astring())
        while not arguments.take(b")"):
            arguments.space()
            fields.append(arguments.astring())
        label += b" (" + b" ".join(_field_name(field) for field in fields) + b")"
    arguments.expect(b"]")
    return Section(tuple(numbers), text, tuple(field.decode("latin-1").lower() for field in fields)), label


def _field_name(name: bytes) -> bytes:
    return name if name.replace(b"-", b"").isalnum() else nstring(name)
