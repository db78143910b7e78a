"""What commands are about: folders, flags, dates, items of FETCH, searches, each checked and encoded."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta

from posthouse.protocols.exchange import LocalProtocolError
from posthouse.protocols.imap import utf7
from posthouse.protocols.imap.encoding import FORBIDDEN, Argument, Literal, astring, encoded, in_quotes
from posthouse.protocols.imap.search import MONTHS, search_keys, since

__all__ = ["date_time", "fetch_item", "flag", "id_fields", "mailbox", "search_keys", "since"]

FLAG = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]++")
FETCH_ITEM = re.compile(
    r"[A-Z][A-Z0-9.-]*+(?:\[[A-Z0-9.]*(?: \([!#-'*-\[\]-~]+(?: [!#-'*-\[\]-~]+)*\))?\](?:<\d+\.\d+>)?)?",
    re.IGNORECASE,
)


def mailbox(name: str | bytes, *, utf8: bool = False) -> bytes | Literal:
    """A folder's name: text as people see it, or bytes as LIST gave them (RFC 3501 §5.1.3, RFC 6855 §3)."""
    if isinstance(name, bytes):
        raw = name
    elif utf8:
        raw = encoded(name)
    else:
        try:
            raw = utf7.encode(name)
        except ValueError as error:
            raise LocalProtocolError("the folder's name holds a character that is none") from error
    if FORBIDDEN.search(raw):
        raise LocalProtocolError("a folder's name holds a line break or NUL")
    if utf8 and not raw.isascii():
        return in_quotes(raw)
    return astring(raw)


def flag(word: str) -> bytes:
    if not FLAG.fullmatch(word):
        raise LocalProtocolError(f"not a flag: {word[:80]!r}")
    return word.encode()


def fetch_item(item: str) -> bytes:
    if not FETCH_ITEM.fullmatch(item):
        raise LocalProtocolError(f"not an item of FETCH: {item[:80]!r}")
    return item.encode()


def id_fields(fields: Mapping[str, str]) -> Argument:
    """RFC 2971 §3.3, told in ASCII without accents: 163.com takes nothing else."""
    if not fields:
        return b"NIL"  # Exchange does not understand an empty list
    if len(fields) > 30:
        raise LocalProtocolError("ID has room for 30 fields")
    words = [word for pair in fields.items() for word in pair]
    return tuple(quoted_ascii(word, limit) for word, limit in zip(words, [30, 1024] * 30, strict=False))


def quoted_ascii(word: str, limit: int) -> bytes:
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore")
    if len(plain) > limit or FORBIDDEN.search(plain):
        raise LocalProtocolError(f"can't be told in ID: {word[:80]!r}")
    return in_quotes(plain)


def date_time(moment: datetime) -> bytes:
    """RFC 3501 `date-time`. Raises `LocalProtocolError` for a moment without time zone."""
    if moment.tzinfo is None:
        raise LocalProtocolError("a moment without time zone can't be sent")
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    day = f"{moment.day:02}-{MONTHS[moment.month - 1]}-{moment.year:04}"
    return f'"{day} {moment:%H:%M:%S} {zone}"'.encode()
