"""Values to command bytes (RFC 3501 §6 and §9).

A command is a tag, a verb and arguments: bytes that stand as they are, `Literal`, `Secret`, or a tuple for a list
in parentheses. `wire` is the one place where they become bytes, and no CR, LF or NUL gets through it outside a
literal: whatever the arguments, one command is one command.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from posthouse.protocols.exchange import LocalProtocolError
from posthouse.protocols.imap.uidset import UidSet


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that are announced by their number; the only place for line breaks and 8-bit text."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """An argument that a transcript must not show."""

    argument: "bytes | Literal"


Argument = bytes | Literal | Secret | tuple["Argument", ...]


class Waiting(Enum):
    """Which literals must wait for the server's go-ahead: RFC 3501, or RFC 7888 where offered."""

    ALWAYS = "always"
    OVER_4096 = "LITERAL-"
    NEVER = "LITERAL+"


# RFC 3501 §9 allows more; what is left out is quoted, for there are servers that trip over `[`, `~` or `&`.
PLAIN = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.@/-]*+")
QUOTABLE = re.compile(rb"[\x20-\x7e]{0,1000}+")
ATOM = re.compile(r"[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]++")
FORBIDDEN = re.compile(rb"[\r\n\0]")


def wire(tag: str, arguments: Sequence[Argument], waiting: Waiting = Waiting.ALWAYS) -> list[bytes]:
    """The command's bytes; between two of them the server's go-ahead must be awaited.

    Raises `LocalProtocolError` for what can't be sent, before anything is.
    """
    pieces = [b""]
    for token in flattened((tag.encode(), *arguments)):
        if isinstance(token, Literal):
            if b"\0" in token.data:
                raise LocalProtocolError("a NUL can't be sent")
            size = len(token.data)
            wait = waiting is Waiting.ALWAYS or (waiting is Waiting.OVER_4096 and size > 4096)
            pieces[-1] += b"{%d}\r\n" % size if wait else b"{%d+}\r\n" % size
            if wait:
                pieces.append(b"")
            pieces[-1] += token.data
        elif FORBIDDEN.search(token):
            raise LocalProtocolError("a line break or NUL can't be sent in a command")
        else:
            pieces[-1] += token
    pieces[-1] += b"\r\n"
    return pieces


def shown(tag: str, arguments: Sequence[Argument]) -> str:
    """The command for a transcript: secrets as `***`, literals as their size."""
    return b"".join(
        b"{%d}" % len(token.data) if isinstance(token, Literal) else token
        for token in flattened((tag.encode(), *arguments), secret=b"***")
    ).decode("utf-8", "replace")


def flattened(arguments: Sequence[Argument], *, secret: bytes = b"") -> Iterator[bytes | Literal]:
    for place, argument in enumerate(arguments):
        if place:
            yield b" "
        if isinstance(argument, tuple):
            yield b"("
            yield from flattened(argument, secret=secret)
            yield b")"
        elif isinstance(argument, Secret):
            yield secret or argument.argument
        else:
            yield argument


def astring(text: str | bytes) -> bytes | Literal:
    """Text as plain word, quoted or literal, by its content."""
    data = encoded(text)
    return data if PLAIN.fullmatch(data) and data.upper() != b"NIL" else string(data)


def string(text: str | bytes) -> bytes | Literal:
    """Text quoted, or as literal where it can't be quoted."""
    data = encoded(text)
    if not QUOTABLE.fullmatch(data):
        return Literal(data)
    return in_quotes(data)


def in_quotes(data: bytes) -> bytes:
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def atom(word: str) -> bytes:
    if not ATOM.fullmatch(word):
        raise LocalProtocolError(f"not a word of the protocol: {word[:80]!r}")
    return word.encode()


def uid_set(uids: str) -> bytes:
    try:
        UidSet.parse(uids)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from error
    return uids.encode()


def encoded(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError("the text holds a character that is none") from error
