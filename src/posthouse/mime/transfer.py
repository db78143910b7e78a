"""How content travels: base64, quoted-printable, uuencode (RFC 2045 §6), undone without ever raising.

`measure` tells the decoded length without holding the decoded content: it is always what `decode` would give.
"""

import binascii
import mmap
import re
from collections.abc import Iterator

from posthouse.model.message import Transfer

Raw = bytes | mmap.mmap
"""A message's bytes: anything that can be searched and cut, so that a mapped file needs no copy."""

_CHUNK = 1 << 18
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET) - {ord("=")})
_ENDING = b"= \t\r\n"
# Soft line breaks that binascii reads otherwise: blanks before the line's end (RFC 2045 §6.7 rule 3), a bare CR.
_ODD_SOFT_BREAK = re.compile(rb"=(?:[ \t]++\r?\n|\r(?!\n))")

_NAMES = {
    "base64": Transfer.BASE64,
    "quoted-printable": Transfer.QUOTED_PRINTABLE,
    "x-uuencode": Transfer.UUENCODE,
    "uuencode": Transfer.UUENCODE,
    "x-uue": Transfer.UUENCODE,
    "uue": Transfer.UUENCODE,
}


def named(label: str) -> Transfer:
    """The transfer encoding that a header names; an unknown one is read as none at all."""
    return _NAMES.get(label.strip(" \t\"';").lower(), Transfer.IDENTITY)


def decode(data: bytes, transfer: Transfer) -> bytes:
    """The content of `data`; what can't be decoded is left out or left as it is."""
    if transfer is Transfer.BASE64:
        return decode_base64(data)
    if transfer is Transfer.QUOTED_PRINTABLE:
        return decode_quoted_printable(data)
    if transfer is Transfer.UUENCODE:
        return _decode_uuencode(data)
    return data


def measure(raw: Raw, start: int, end: int, transfer: Transfer) -> int:
    """`len(decode(raw[start:end], transfer))`, exactly, piece by piece."""
    if transfer is Transfer.BASE64:
        return _measure_base64(raw, start, end)
    if transfer is Transfer.QUOTED_PRINTABLE:
        return sum(len(decode_quoted_printable(lines)) for lines in _lines(raw, start, end))
    if transfer is Transfer.UUENCODE:
        return len(_decode_uuencode(raw[start:end]))
    return end - start


def decode_base64(data: bytes) -> bytes:
    """Foreign bytes are skipped; padding ends a run of letters and another run may follow (RFC 2045 §6.8)."""
    padding = data.find(b"=")
    if padding < 0 or not data[padding:].strip(_ENDING):
        try:
            return binascii.a2b_base64(data)
        except binascii.Error:
            pass  # not a multiple of four: done by hand below
    letters = data.translate(None, _NOT_BASE64)
    return b"".join(_decode_run(run) for run in letters.split(b"=") if run)


def _decode_run(run: bytes) -> bytes:
    if len(run) % 4 == 1:
        run = run[:-1]  # six bits are no octet
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _measure_base64(raw: Raw, start: int, end: int) -> int:
    size = run = 0
    for at in range(start, end, _CHUNK):
        chunk = raw[at : min(at + _CHUNK, end)]
        others = chunk.translate(None, _ALPHABET)  # deletes fastest what there is most of
        if b"=" not in others:
            run += len(chunk) - len(others)
            continue
        first, *more = chunk.translate(None, _NOT_BASE64).split(b"=")
        run += len(first)
        for letters in more:
            size += _octets(run)
            run = len(letters)
    return size + _octets(run)


def _octets(letters: int) -> int:
    return letters // 4 * 3 + (0, 0, 1, 2)[letters % 4]


def decode_quoted_printable(data: bytes) -> bytes:
    """Escapes that are none are left as they stand."""
    if _may_have_odd_breaks(data):
        data = _ODD_SOFT_BREAK.sub(b"", data)
    return binascii.a2b_qp(data)


def _may_have_odd_breaks(data: bytes) -> bool:
    """Whether it is worth looking for them: these questions cost a tenth of the search."""
    returns = data.count(b"\r")
    if returns and returns != data.count(b"\n"):
        return True
    ending = b"\r\n" if returns else b"\n"
    return b" " + ending in data or b"\t" + ending in data


def _lines(raw: Raw, start: int, end: int) -> Iterator[bytes]:
    """Pieces of whole lines; a longer line stays in one piece."""
    while start < end:
        stop = raw.find(b"\n", min(start + _CHUNK, end), end) + 1
        if not stop:
            stop = end
        yield raw[start:stop]
        start = stop


def _decode_uuencode(data: bytes) -> bytes:
    decoded = []
    for line in data.splitlines():
        if line.lower().startswith(b"begin "):
            continue
        if line.strip() == b"end":
            break
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders pad beyond the length that the line's first letter announces.
            wanted = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded.append(binascii.a2b_uu(line[: wanted + 1]))
            except binascii.Error:
                continue
    return b"".join(decoded)
