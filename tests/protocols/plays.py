"""Runs an exchange as a play: what must be said, and what is answered, in turn.

    C: A1 IDLE            the client must send this line (CRLF is added)
    S: + idling           the server says this line (CRLF is added)
    S- * 1 FETCH          the server says this and no line break (`C-` likewise)
    (then)                what follows from the server comes in another read
    (woken)               the holder of the connection wakes a `ReceiveOrWake`
    (tls)                 the client must ask for the TLS handshake here
    (closed)              the server closes the connection

Server lines that follow each other arrive in one read, so what an attacker glues behind a go-ahead is glued
here too. Text is UTF-8; a lone surrogate `\\udc80` … `\\udcff` stands for that raw byte. Indentation and
empty lines have no meaning. The exchange must say everything it should, in order, nothing else, and hear the
play out.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

from posthouse.protocols.exchange import Exchange, Give, NoReturn, Receive, ReceiveOrWake, Send, StartTls

T = TypeVar("T")

STAGE_DIRECTIONS = {"(then)", "(woken)", "(tls)", "(closed)"}


def play(exchange: Exchange[T], script: str, *, given: list[Any] | None = None, pieces: int | None = None) -> T:
    """Run `exchange` against `script` and return its result, or let its error out if the play was followed.

    Values handed over by `Give` are appended to `given`. `pieces` feeds the server's words in reads of so
    many bytes instead of one.
    """
    acts = list(acts_of(script))
    said = b""
    heard = b""  # server bytes of the current act not yet fed, only used with `pieces`
    answer: bytes | None = None

    def check_said() -> None:
        nonlocal said
        expected = acts.pop(0)[1] if acts and acts[0][0] == "C" else b""
        assert lines(said) == lines(expected), f"left: said, right: play; to come: {acts}"
        said = b""

    def check_the_end() -> None:
        check_said()
        assert not acts, f"the play goes on after the client has left: {acts}"

    while True:
        try:
            want = exchange.send(answer)
        except StopIteration as end:
            check_the_end()
            assert not heard, f"the client did not wait to hear {heard!r}"
            return end.value  # type: ignore[no-any-return]
        except Exception:
            check_the_end()
            raise
        answer = None
        match want:
            case Send(data):
                said += data
            case Give(value):
                assert given is not None, f"the client gave {value!r}, but this play has no `given`"
                given.append(value)
            case NoReturn():
                continue
            case StartTls():
                check_said()
                assert acts, "the client asks for TLS after the play has ended"
                assert acts.pop(0)[0] == "(tls)", "the client asks for TLS, the play does not"
            case Receive() | ReceiveOrWake():
                if heard:
                    assert not said, f"the client said {said!r} although the server has not finished"
                    answer, heard = heard[:pieces], heard[pieces or len(heard) :]
                    continue
                check_said()
                if acts and acts[0][0] == "(then)":
                    acts.pop(0)
                assert acts, "the client waits, but the play has ended"
                kind, data = acts.pop(0)
                if kind == "S":
                    answer, heard = data[:pieces], data[pieces or len(data) :]
                elif kind == "(closed)":
                    answer = b""
                elif kind == "(woken)":
                    assert isinstance(want, ReceiveOrWake), "the client was woken, but it does not sleep"
                else:
                    raise AssertionError(f"the client waits, but the play has {kind} {data!r}")


def acts_of(script: str) -> Iterator[tuple[str, bytes]]:
    """The acts of a play: runs of one side's bytes, and stage directions."""
    speaker, words = "", b""
    for line in script.split("\n"):
        line = line.lstrip(" \t")
        if not line:
            continue
        kind = line if line in STAGE_DIRECTIONS else line[:1]
        if kind not in STAGE_DIRECTIONS and line[:2] not in ("C:", "S:", "C-", "S-"):
            raise ValueError(f"not a line of a play: {line!r}")
        if kind != speaker and words:
            yield speaker, words
            words = b""
        speaker = kind
        if kind in STAGE_DIRECTIONS:
            yield kind, b""
        else:
            text = line[2:].removeprefix(" ").encode("utf-8", "surrogateescape")
            words += text + (b"\r\n" if line[1] == ":" else b"")
    if words:
        yield speaker, words


def lines(data: bytes) -> list[bytes]:
    """The bytes cut after each line break, so that a difference is readable."""
    return data.split(b"\r\n")
