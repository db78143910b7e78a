"""What an exchange may ask of the wire.

An exchange is a generator. It yields what it wants of the connection (send this, wait for bytes, upgrade to
TLS), is sent what came, and returns its result; it never touches a socket, a clock or a task. Whoever holds the
connection (`remote.stream.run`, or a play in the tests) decides how long to wait and when to wake it. Exchanges
compose with `yield from`, so a whole sign-in reads top to bottom and cannot be run out of order.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes. The answer is `None`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for bytes. The answer is what came; `b""` says that the peer has closed."""


@dataclass(frozen=True, slots=True)
class ReceiveOrWake:
    """Wait for bytes, without hurry. The answer is as for `Receive`, or `None` when the holder wakes us."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Upgrade the connection to TLS. The answer is `None`.

    The exchange has made sure that it holds no byte of the server's beyond the go-ahead; the holder must refuse
    when its own buffers hold one (RFC 3207 and "Why TLS is better without STARTTLS": whatever is buffered before
    the handshake was said by somebody in the middle).
    """


@dataclass(frozen=True, slots=True)
class Give:
    """Hand one finished value to whoever runs the exchange, before the exchange ends. The answer is `None`.

    Long answers stream this way: one fetched message at a time, with the runner's pace as back-pressure.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class NoReturn:
    """Tell whoever runs the exchange that what comes next can't be taken back. The answer is `None`; who does not want
    to go on raises, and the exchange ends here."""


Want = Send | Receive | ReceiveOrWake | StartTls | Give | NoReturn

T = TypeVar("T")
Exchange = Generator[Want, bytes | None, T]

Note = Callable[[str], None]
"""Takes one line of the conversation for the transcript: `C: …` or `S: …`, secrets already masked."""


def unheard(_line: str) -> None:
    """The note-taker of a conversation that nobody logs."""


Count = Callable[[str], None]
"""Is told the name of each command that is said."""


def uncounted(_verb: str) -> None:
    """Nobody counts the commands."""


class ProtocolError(Exception):
    """The conversation went wrong. The text is for people and holds no secret."""


class LocalProtocolError(ProtocolError):
    """We were about to say what the protocol forbids (a line break in an argument, a literal over its limit)."""


class RemoteProtocolError(ProtocolError):
    """The server broke the protocol or one of our limits; the connection can't be used any more."""


class ConnectionClosed(RemoteProtocolError):
    """The server closed the connection; the text is its last words where it had any (BYE, 421)."""


class TlsRefused(RemoteProtocolError):
    """The configured STARTTLS can't be had: not offered, refused, or somebody spoke before the handshake."""


class CommandRefused(ProtocolError):
    """The server understood and said no. `code` is its response code (`AUTHENTICATIONFAILED`, `535`), or ''."""

    def __init__(self, text: str, code: str = "", *, command: str = "") -> None:
        super().__init__(text)
        self.text, self.code, self.command = text, code, command


class NoMechanism(ProtocolError):
    """No sign-in mechanism is both offered by the server and allowed by the settings; the text lists both."""
