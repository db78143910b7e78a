"""A message → the bytes that follow DATA.

Every line break becomes CRLF, a bare CR or LF included: what one server takes for a line and another does not
is how mail is smuggled (CVE-2023-51764). Only then dots are doubled (RFC 5321 §4.5.2).
"""

from collections.abc import Iterable, Iterator

CHUNK = 256 * 1024  # bytes

END = b".\r\n"


def on_the_wire(message: Iterable[bytes] | bytes, chunk: int = CHUNK) -> Iterator[bytes]:
    """The message in chunks of about that many bytes, ending with CRLF, ready to be followed by `END`."""
    carriage = b""  # a CR at the end of a piece may be half a CRLF
    at_start = True
    for piece in _pieces(message, chunk):
        piece = carriage + piece
        carriage = b"\r" if piece.endswith(b"\r") else b""
        lines = piece[: len(piece) - len(carriage)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not lines:
            continue
        dot = b"." if at_start and lines.startswith(b".") else b""
        at_start = lines.endswith(b"\n")
        yield dot + lines.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
    if carriage or not at_start:
        yield b"\r\n"


def _pieces(message: Iterable[bytes] | bytes, chunk: int) -> Iterator[bytes]:
    """Small pieces together, big ones in parts."""
    waiting = bytearray()
    for piece in [message] if isinstance(message, bytes) else message:
        if len(waiting) + len(piece) < chunk:
            waiting += piece
            continue
        if waiting:
            yield bytes(waiting)
            waiting.clear()
        for start in range(0, len(piece), chunk):
            yield piece[start : start + chunk]
    if waiting:
        yield bytes(waiting)
