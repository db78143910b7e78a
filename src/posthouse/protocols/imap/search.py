"""What people ask SEARCH for: a search program as text, checked and encoded (RFC 3501 §6.4.4).

`UNSEEN FROM "ann" OR (SINCE 1-Nov-2026 LARGER 5000) KEYWORD $Todo` is read word by word; every key must be known
and have its arguments, so a typing error is named here and not by some server's BAD. Known are RFC 3501,
WITHIN (RFC 5032), CONDSTORE, OBJECTID and Gmail's keys.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from posthouse.protocols.exchange import LocalProtocolError
from posthouse.protocols.imap.encoding import Argument, Literal, astring, atom, encoded, string, uid_set
from posthouse.protocols.imap.uidset import SEQUENCE_SET

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]  # never the locale's
LONGEST = 8192  # characters; RFC 7162 §4 tells clients to keep commands below 8192 octets
DEEPEST = 32


def since(day: date) -> str:
    """The search key for messages received on this day or later."""
    return f"SINCE {dated(day)}"


def dated(day: date) -> str:
    return f"{day.day}-{MONTHS[day.month - 1]}-{day.year:04}"


@dataclass(frozen=True, slots=True)
class SearchKeys:
    """A search program ready to be sent. `beyond_ascii`: it needs `CHARSET UTF-8`."""

    arguments: tuple[Argument, ...]
    beyond_ascii: bool


def search_keys(text: str) -> SearchKeys:
    """Read a search program; nothing at all means `ALL`.

    Raises `LocalProtocolError`, naming the word that is wrong: unknown keys, missing or unreadable arguments,
    unbalanced quotes or parentheses, line breaks and NULs.
    """
    if len(text) > LONGEST:
        raise LocalProtocolError(f"the search is longer than {LONGEST} characters")
    program = Program(list(words(text)))
    arguments = tuple(program.keys_to_the_end()) or (b"ALL",)
    return SearchKeys(arguments, beyond_ascii=not text.isascii())


WORD = re.compile(r' *(?:([()])|"((?:[^"\\\r\n\0]|\\["\\])*+)"(?=[ )]|\Z)|([^\x00-\x1f\x7f ()"]+))')


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    quoted: bool = False

    def __str__(self) -> str:
        return repr(self.text[:80])


def words(text: str) -> Iterator[Word]:
    at, end = 0, len(text.rstrip(" "))
    while at < end:
        found = WORD.match(text, at)
        if found is None:
            raise LocalProtocolError(f"the search can't be read from {text[at : at + 40].strip()!r}")
        at = found.end()
        parenthesis, quoted, bare = found.groups()
        if quoted is not None:
            yield Word(re.sub(r"\\(.)", r"\1", quoted), quoted=True)
        else:
            yield Word(parenthesis or bare)


class Program:
    """The words of a search, taken one key after the other."""

    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._at = 0

    def keys_to_the_end(self) -> Iterator[Argument]:
        while self._at < len(self._words):
            yield from self._key(0)

    def _key(self, depth: int) -> Iterator[Argument]:
        word = self._next("a search key")
        if depth > DEEPEST:
            raise LocalProtocolError(f"the search is nested more than {DEEPEST} deep")
        name = word.text.upper()
        if word.quoted:
            raise LocalProtocolError(f"{word} stands where a search key is expected")
        if name == "(":
            yield tuple(self._group(depth))
        elif name in ("NOT", "OR"):
            yield name.encode()
            for _ in range(1 if name == "NOT" else 2):
                yield from self._key(depth + 1)
        elif name in KEYS:
            yield name.encode()
            for read in KEYS[name]:
                argument = self._next(f"what {name} asks for")
                if argument.text in ("(", ")") and not argument.quoted:
                    raise LocalProtocolError(f"{name} lacks its argument")
                yield read(argument)
        elif SEQUENCE_SET.fullmatch(name):
            yield uid_set(name)
        else:
            raise LocalProtocolError(f"not a search key: {word}")

    def _group(self, depth: int) -> Iterator[Argument]:
        empty = True
        while self._words[self._at : self._at + 1] != [Word(")")]:
            yield from self._key(depth + 1)
            empty = False
        if empty:
            raise LocalProtocolError("the search has empty parentheses")
        self._at += 1

    def _next(self, wanted: str) -> Word:
        if self._at == len(self._words):
            raise LocalProtocolError(f"the search ends where {wanted} is expected")
        self._at += 1
        return self._words[self._at - 1]


# --- arguments ---------------------------------------------------------------------------------------------


def a_string(word: Word) -> Argument:
    data = encoded(word.text)
    return string(data) if data.isascii() else Literal(data)


def an_astring(word: Word) -> Argument:
    return a_string(word) if word.quoted else astring(word.text)


def an_atom(word: Word) -> Argument:
    return atom(word.text)


def a_set(word: Word) -> Argument:
    return uid_set(word.text)


def a_number(word: Word) -> Argument:
    if not re.fullmatch(r"[0-9]{1,19}", word.text):
        raise LocalProtocolError(f"not a number: {word}")
    return word.text.encode()


def a_date(word: Word) -> Argument:
    day, month, year = [*word.text.split("-"), "", ""][:3]
    try:
        said = dated(date(int(year), MONTHS.index(month.capitalize()) + 1, int(day)))
    except ValueError:
        said = ""
    if said.lower() != word.text.lower().removeprefix("0"):
        raise LocalProtocolError(f"not a date like 1-Nov-2026: {word}")
    return said.encode()


KEYS: dict[str, tuple[Callable[[Word], Argument], ...]] = {
    **dict.fromkeys(["ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "NEW", "OLD", "RECENT", "SEEN"], ()),
    **dict.fromkeys(["UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN"], ()),
    **dict.fromkeys(["BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"], (an_astring,)),
    **dict.fromkeys(["BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"], (a_date,)),
    **dict.fromkeys(["LARGER", "SMALLER"], (a_number,)),
    **dict.fromkeys(["KEYWORD", "UNKEYWORD"], (an_atom,)),
    "HEADER": (an_astring, an_astring),
    "UID": (a_set,),
    **dict.fromkeys(["OLDER", "YOUNGER"], (a_number,)),  # RFC 5032
    "MODSEQ": (a_number,),  # RFC 7162
    **dict.fromkeys(["EMAILID", "THREADID"], (an_atom,)),  # RFC 8474
    **dict.fromkeys(["X-GM-RAW", "X-GM-LABELS"], (an_astring,)),
    **dict.fromkeys(["X-GM-MSGID", "X-GM-THRID"], (a_number,)),
}
