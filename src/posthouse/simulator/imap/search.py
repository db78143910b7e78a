"""SEARCH: the keys of RFC 3501 §6.4.4 as tests on a message (with ESEARCH and CONDSTORE, RFC 4731 and 7162)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from posthouse.simulator import content
from posthouse.simulator.imap.grammar import Arguments, BadSyntax, resolve
from posthouse.simulator.mailbox import Message, Refused

Test = Callable[[Message, int], bool]
"""Of a message and its sequence number."""

OwnKeys = Mapping[str, Callable[[Arguments], Callable[[Message], bool]]]
"""A provider's own keys: each reads its argument, and answers with a test."""

RETURN_OPTIONS = {"MIN", "MAX", "ALL", "COUNT"}


@dataclass(frozen=True, slots=True)
class Search:
    """A SEARCH command as understood. `returns` is None for the plain form, else what ESEARCH shall return."""

    test: Test
    returns: frozenset[str] | None
    uses_modseq: bool


def parse(
    arguments: Arguments,
    *,
    largest: int,
    largest_uid: int,
    recent: set[int],
    charsets: Sequence[str],
    own_keys: OwnKeys,
) -> Search:
    """Read the rest of a SEARCH command. Raises `BadSyntax`, and `Refused` for an unknown charset."""
    returns: frozenset[str] | None = None
    if arguments.take(b"RETURN "):
        returns = frozenset(arguments.words()) or frozenset({"ALL"})
        if returns - RETURN_OPTIONS:
            raise BadSyntax("Unknown search return option")
        arguments.space()
    charset = "US-ASCII"
    bad_charset = f"BADCHARSET ({' '.join(charsets)})"
    if arguments.take(b"CHARSET "):
        charset = arguments.astring().decode("ascii", "replace").upper()
        if charset not in charsets:
            raise Refused("Unknown charset", bad_charset)
        arguments.space()
    keys = _Keys(arguments, charset, largest, largest_uid, recent, own_keys, bad_charset)
    test = keys.all_of(b"")
    return Search(test, returns, keys.uses_modseq)


DEEPEST = 50
"""Levels of parentheses, NOT and OR."""
FLAG_KEYS = {"ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN"}
HEADER_KEYS = {"BCC", "CC", "FROM", "SUBJECT", "TO"}


class _Keys:
    def __init__(
        self,
        arguments: Arguments,
        charset: str,
        largest: int,
        largest_uid: int,
        recent: set[int],
        own_keys: OwnKeys,
        bad_charset: str,
    ) -> None:
        self.arguments, self.charset, self.bad_charset, self.own_keys = arguments, charset, bad_charset, own_keys
        self.largest, self.largest_uid, self.recent = largest, largest_uid, recent
        self.uses_modseq = False
        self.depth = 0

    def all_of(self, closing: bytes) -> Test:
        """All keys up to the closing parenthesis, or to the end."""
        tests = [self.key()]
        while not (self.arguments.take(closing) if closing else not self.arguments.more()):
            self.arguments.space()
            tests.append(self.key())
        return lambda message, number: all(test(message, number) for test in tests)

    def key(self) -> Test:
        self.depth += 1
        if self.depth > DEEPEST:
            raise BadSyntax("The keys are nested too deep")
        test = self.nested_key()
        self.depth -= 1
        return test

    def nested_key(self) -> Test:
        arguments = self.arguments
        if arguments.take(b"("):
            return self.all_of(b")")
        if arguments.next_is_set():
            numbers = resolve(arguments.sequence_set(), self.largest)
            return lambda _, number: any(number in span for span in numbers)
        return self.named(arguments.word())

    def named(self, name: str) -> Test:
        recent = self.recent
        flag = "\\" + name.removeprefix("UN").capitalize()
        match name:
            case "ALL":
                return lambda *_: True
            case _ if name in FLAG_KEYS:
                return lambda message, _: flag in message.flags
            case _ if name.startswith("UN") and name[2:] in FLAG_KEYS:
                return lambda message, _: flag not in message.flags
            case "NEW":
                return lambda message, _: message.uid in recent and "\\Seen" not in message.flags
            case "RECENT":
                return lambda message, _: message.uid in recent
            case "OLD":
                return lambda message, _: message.uid not in recent
        self.arguments.space()
        match name:
            case "NOT":
                inner = self.key()
                return lambda message, number: not inner(message, number)
            case "OR":
                left = self.key()
                self.arguments.space()
                right = self.key()
                return lambda message, number: left(message, number) or right(message, number)
            case "UID":
                uids = resolve(self.arguments.sequence_set(), self.largest_uid)
                return lambda message, _: any(message.uid in span for span in uids)
            case "KEYWORD" | "UNKEYWORD":
                keyword = self.arguments.atom().lower()
                wanted = name == "KEYWORD"
                return lambda message, _: wanted == (keyword in {flag.lower() for flag in message.flags})
            case "LARGER":
                size = self.arguments.number()
                return lambda message, _: len(message.data) > size
            case "SMALLER":
                size = self.arguments.number()
                return lambda message, _: len(message.data) < size
            case "BEFORE" | "ON" | "SINCE":
                return self.internal_date(name)
            case "SENTBEFORE" | "SENTON" | "SENTSINCE":
                return self.sent_date(name.removeprefix("SENT"))
            case "HEADER":
                field = self.arguments.astring().decode("latin-1").lower()
                self.arguments.space()
                return self.header(field)
            case _ if name in HEADER_KEYS:
                return self.header(name.lower())
            case "BODY":
                text = self.text()
                return lambda message, _: text in content.readable_body(content.parse(message.data)).lower()
            case "TEXT":
                return self.anywhere()
            case "MODSEQ":
                return self.modseq()
            case _ if name in self.own_keys:
                meets = self.own_keys[name](self.arguments)
                return lambda message, _: meets(message)
        raise BadSyntax(f"Unknown search key {name}")

    def text(self) -> str:
        try:
            return self.arguments.astring().decode(self.charset).lower()
        except UnicodeDecodeError as error:
            raise Refused("The text is not in its charset", self.bad_charset) from error

    def header(self, field: str) -> Test:
        text = self.text()

        def test(message: Message, _: int) -> bool:
            header, _body = content.split(message.data)
            found = (whole for name, whole in content.fields(header) if name == field)
            values = (" ".join(whole.partition(b":")[2].decode("latin-1").split()) for whole in found)
            return any(text in content.readable(value).lower() for value in values)

        return test

    def anywhere(self) -> Test:
        text = self.text()

        def test(message: Message, _: int) -> bool:
            part = content.parse(message.data)
            lines = part.header.decode("latin-1").splitlines()
            return any(text in content.readable(line).lower() for line in lines) or (
                text in content.readable_body(part).lower()
            )

        return test

    def internal_date(self, name: str) -> Test:
        day = self.arguments.date()
        if name == "BEFORE":
            return lambda message, _: message.internal_date.date() < day
        if name == "ON":
            return lambda message, _: message.internal_date.date() == day
        return lambda message, _: message.internal_date.date() >= day

    def sent_date(self, name: str) -> Test:
        day = self.arguments.date()

        def test(message: Message, _: int) -> bool:
            sent = content.sent_on(message.data)
            if sent is None:
                return False
            return sent < day if name == "BEFORE" else sent == day if name == "ON" else sent >= day

        return test

    def modseq(self) -> Test:
        self.uses_modseq = True
        if self.arguments.next_is(b'"'):
            # RFC 7162 §3.1.5: an entry name and type may come first; we keep one counter for all flags.
            self.arguments.astring()
            self.arguments.space()
            self.arguments.word()
            self.arguments.space()
        least = self.arguments.number()
        return lambda message, _: message.modseq >= least
