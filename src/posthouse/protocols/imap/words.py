"""One token to one word: text, number, mailbox name. What can't be read is `None`, or read as far as it
goes.
"""

import re

from posthouse.protocols.imap import utf7
from posthouse.protocols.imap.tokens import Token

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def text(value: Token) -> bytes:
    return value if isinstance(value, bytes) else b""


def human(data: bytes) -> str:
    """Text for people: UTF-8 as far as it is, without control characters."""
    return CONTROL.sub(" ", data.decode("utf-8", "replace"))


def integer(value: Token, highest: int = 2**63 - 1) -> int | None:
    return number(value, highest) if isinstance(value, bytes) else None


def number(digits: bytes, highest: int = 2**63 - 1) -> int | None:
    """RFC 7162 §7: even the biggest numbers have 63 bits. `None` for anything else."""
    if len(digits) > 19 or not digits.isdigit():
        return None
    value = int(digits)
    return value if value <= highest else None


def folder_name(raw: bytes) -> str:
    try:
        return utf7.decode(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


def flags(value: Token) -> tuple[str, ...]:
    return tuple(human(flag) for flag in value if isinstance(flag, bytes)) if isinstance(value, list) else ()
