"""The inside of a response: lines and literals to nested lists of strings (RFC 3501 §9).

Atoms, quoted strings and literals all become bytes, `NIL` becomes `None`, parentheses become lists. It
does not recurse, it does not judge: what is not grammar is read as an atom, what was opened is closed at
the end. Only nesting and length have limits.
"""

import re
from collections.abc import Sequence

from posthouse.protocols.exchange import RemoteProtocolError
from posthouse.protocols.imap.framing import MIB, Limits, Part, Spilled, announced

Token = bytes | Spilled | None | list["Token"]

# Only searches and sets of UIDs are longer, and those are not read token by token.
LONGEST = MIB

# Sections keep their spaces and parentheses: `BODY[HEADER.FIELDS (SUBJECT)]<0>`. A quoted string that is not
# closed goes to the end of its line.
TOKEN = re.compile(
    rb"""
    (\() | (\))
    | "([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)
    | ((?:BODY|BINARY)(?:\.PEEK|\.SIZE)?\[[^\]]{0,1000}+\](?:<\d+(?:\.\d+)?>)?|[^\s()"]++)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
OPEN, _CLOSE, QUOTED, ATOM = 1, 2, 3, 4


def tokens(parts: Sequence[Part], limits: Limits, *, start: int = 0) -> list[Token]:
    """The tokens of a response, its first line read from `start`.

    Raises `RemoteProtocolError` when it is nested too deeply or one of its lines is too long.
    """
    top: list[Token] = []
    inner, outer = top, list[list[Token]]()
    for place, part in enumerate(parts):
        if place % 2:
            inner.append(part)
            continue
        assert isinstance(part, bytes)
        if len(part) > LONGEST:
            raise RemoteProtocolError(f"the server sent a list of more than {LONGEST} bytes")
        announcement = announced(part) if place + 1 < len(parts) else None
        end = announcement.start() if announcement else len(part)
        for found in TOKEN.finditer(part, 0 if place else start, end):
            kind = found.lastindex
            if kind == ATOM:
                atom = found[ATOM]
                inner.append(None if len(atom) == 3 and atom.upper() == b"NIL" else atom)
            elif kind == QUOTED:
                quoted = found[QUOTED]
                inner.append(ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
            elif kind == OPEN:
                if len(outer) >= limits.depth:
                    raise RemoteProtocolError(f"the server nested more than {limits.depth} lists")
                outer.append(inner)
                inner.append(inner := [])
            else:
                inner = outer.pop() if outer else top
    return top
