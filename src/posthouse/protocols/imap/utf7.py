"""Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3).

Printable ASCII stands for itself, `&` is written `&-`, and everything else is UTF-16 in a base64 of its own
between `&` and `-`.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError

UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """The name as a server without `UTF8=ACCEPT` knows it. Raises `ValueError` for a lone surrogate."""

    def shift(run: re.Match[str]) -> str:
        words = b64encode(run[0].encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
        return f"&{words.decode()}-"

    return UNPRINTABLE.sub(shift, name.replace("&", "&-")).encode("ascii")


def decode(raw: bytes) -> str:
    """The name behind the wire form. Raises `ValueError` when it is not modified UTF-7."""
    name, end = [], 0
    for run in SHIFTED.finditer(raw):
        name += [plain(raw[end : run.start()]), unshift(run[1]) if run[1] else "&"]
        end = run.end()
    return "".join([*name, plain(raw[end:])])


def plain(raw: bytes) -> str:
    if b"&" in raw:
        raise ValueError("a shift without its end")
    return raw.decode("ascii")


def unshift(words: bytes) -> str:
    try:
        return b64decode(words.replace(b",", b"/") + b"=" * (-len(words) % 4)).decode("utf-16-be")
    except BinasciiError as error:
        raise ValueError("not base64") from error
