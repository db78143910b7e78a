"""The give and take under every exchange: one command at a time, and what the server says meanwhile (RFC 3501 §3).

A tagged answer must be to the command that is running. Everything else that is said is remembered here as far as
it tells about the connection: capabilities, the size of the open folder, alerts, the end.
"""

import re
from collections.abc import Sequence
from typing import TypeGuard

from posthouse.protocols.exchange import (
    CommandRefused,
    ConnectionClosed,
    Count,
    Exchange,
    Note,
    Receive,
    ReceiveOrWake,
    RemoteProtocolError,
    Send,
    uncounted,
    unheard,
)
from posthouse.protocols.imap import commands
from posthouse.protocols.imap.encoding import Argument, Literal, Waiting, shown, wire
from posthouse.protocols.imap.fetching import Fetched
from posthouse.protocols.imap.framing import Framer, Limits, OpenSpill, Part
from posthouse.protocols.imap.responses import (
    Bare,
    Capabilities,
    Continuation,
    Enabled,
    Exists,
    Expunged,
    FolderStatus,
    Response,
    Status,
    Vanished,
    parse,
)
from posthouse.protocols.masking import Masked

BARE_BAD = re.compile("unavailable|throttled", re.IGNORECASE)


class BadCommand(CommandRefused):
    """The server answered BAD: it does not know the command, or not in this form."""


class Conversation:
    """What a session is made of: commands out, responses in, and what they told so far."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        note: Note = unheard,
        count: Count = uncounted,
        open_spill: OpenSpill | None = None,
    ) -> None:
        self.capabilities: frozenset[str] = frozenset()
        self.last_words = ""
        self.server_id: dict[str, str] = {}
        self.authenticated = False
        self.together = False
        """A command may be said in one breath with the end of an IDLE: it saves a round trip, and some servers lose
        what they are sent together, contrary to RFC 3501 §5.5."""
        self._limits = limits or Limits()
        self._framer = Framer(self._limits, open_spill)
        self._talk = Masked(note)
        self._silent = note is unheard
        self._count = count
        self._tags = 0
        self._received = 0  # bytes
        self._running = ""  # tag of the command under way
        self._verb = ""
        self._idling = ""  # tag of the IDLE that has not been ended
        self._secure = False
        self._signing_in = False
        self._leaving = False
        self._capabilities_told = False  # since this was last set to False
        self._enabled: frozenset[str] = frozenset()
        self._exists = 0
        self._news = False

    # --- one command -----------------------------------------------------------------------------------------

    def _ask(self, verb: str, *arguments: Argument, keep: type | tuple[type, ...] = ()) -> Exchange[list[Response]]:
        """Run one command; returns the responses of the kinds to keep, the tagged one among them."""
        tag = yield from self._start(verb, *arguments)
        kept: list[Response] = []
        before = self._received
        while not is_end_of(response := (yield from self._answer(tag)), tag):
            if isinstance(response, keep):
                kept.append(response)
                if self._received - before > self._limits.answer:
                    raise RemoteProtocolError(f"the server answered with more than {self._limits.answer} bytes")
        return [*kept, response] if isinstance(response, keep) else kept

    def _start(self, verb: str, *arguments: Argument) -> Exchange[str]:
        """Send a command, waiting where a literal has to; returns its tag."""
        if self._idling and not self.together:
            yield from self._end_idling()
        tag = f"A{self._tags + 1}"
        words = (verb.encode(), *arguments)
        pieces = wire(tag, words, self._waiting())
        self._tags += 1
        self._count(verb)
        said = "" if self._silent else shown(tag, words)
        if self._idling:
            ended, self._idling = self._idling, ""
            yield from self._say(b"DONE\r\n" + pieces[0], f"DONE, {said}")
            yield from self._finish(ended)
            self._running, self._verb = tag, verb
        else:
            self._running, self._verb = tag, verb
            yield from self._say(pieces[0], said)
        for piece in pieces[1:]:
            while not isinstance(response := (yield from self._answer(tag)), Continuation):
                if is_end_of(response, tag):
                    raise RemoteProtocolError(f"the server ended {verb} in the middle")
            yield Send(piece)
        return tag

    def _end_idling(self) -> Exchange[None]:
        """RFC 2177 §3: nothing else may be said before."""
        tag, self._idling = self._idling, ""
        yield from self._say(b"DONE\r\n", "DONE")
        yield from self._finish(tag)

    def _finish(self, tag: str) -> Exchange[Status]:
        while True:
            response = yield from self._answer(tag)
            if is_end_of(response, tag):
                return response

    def _answer(self, tag: str) -> Exchange[Response]:
        """The next response. `CommandRefused` when it is the command's NO or BAD."""
        response = yield from self._next()
        if is_end_of(response, tag):
            self._judge(response)
        return response

    def _judge(self, status: Status) -> None:
        self._running = ""
        text = self._talk.text(status.text or status.code or status.kind)
        if status.kind == "BYE" and not self._leaving:
            raise ConnectionClosed(self._talk.text(status.words))
        if status.kind == "NO":
            raise CommandRefused(text, status.code, command=self._verb)
        if status.kind == "BAD":
            raise BadCommand(text, status.code, command=self._verb)

    def _next(self) -> Exchange[Response]:
        while (parts := self._framer.response()) is None:
            self._feed((yield from self._received_by(Receive())))
        return self._heard(parts)

    def _received_by(self, want: Receive | ReceiveOrWake) -> Exchange[bytes | None]:
        try:
            return (yield want)
        except BaseException:  # whoever runs us has given up
            self._framer.abandon()
            raise

    def _feed(self, data: bytes | None) -> None:
        if not data:
            self._framer.abandon()
            raise ConnectionClosed(self.last_words or "the server closed the connection")
        self._received += len(data)
        self._framer.feed(data)

    def _say(self, data: bytes, shown: str) -> Exchange[None]:
        self._talk.client(shown)
        yield Send(data)

    def _waiting(self) -> Waiting:
        if "LITERAL+" in self.capabilities:
            return Waiting.NEVER
        return Waiting.OVER_4096 if "LITERAL-" in self.capabilities else Waiting.ALWAYS

    def _mailbox(self, name: str | bytes) -> bytes | Literal:
        return commands.mailbox(name, utf8="UTF8=ACCEPT" in self._enabled)

    # --- what the server says --------------------------------------------------------------------------------

    def _heard(self, parts: Sequence[Part]) -> Response:
        """Note a response, read it, and remember what it tells about the session."""
        if not self._silent:
            self._note(parts)
        response = parse(parts, self._limits)
        match response:
            case Status():
                self._heard_status(response)
            case Capabilities(names):
                self.capabilities, self._capabilities_told = names, True
            case Enabled(names):
                self._enabled |= names
            case Exists(count):
                self._news |= count != self._exists
                self._exists = count
            case Expunged():
                self._news = True
                self._exists = max(0, self._exists - 1)
            case Vanished(earlier=False, uids=uids):
                self._news = True
                self._exists = max(0, self._exists - len(uids))
            case FolderStatus():
                self._news |= self._verb != "STATUS"  # unasked: NOTIFY tells of a folder that is not selected
            case Fetched():
                # Unasked, somebody changed a flag; asked for, it is no news.
                self._news |= self._verb not in ("UID FETCH", "FETCH", "EXAMINE", "SELECT")
                if self._verb != "UID FETCH":
                    response.close()
            case Bare(text):
                if not self._running or not BARE_BAD.search(text):
                    raise RemoteProtocolError(f"the server does not speak IMAP: {self._talk.text(text[:200])!r}")
                return Status(self._running, "BAD", text=text)
        return response

    def _heard_status(self, status: Status) -> None:
        if status.tag not in ("*", self._running):
            raise RemoteProtocolError(f"the server answered to {status.tag[:40]!r}, which we did not ask")
        if status.code == "CAPABILITY" and status.argument:
            self.capabilities = frozenset(status.argument.upper().split())
            self._capabilities_told = True
        if status.code == "ALERT" or status.kind == "BYE":
            self.last_words = self._talk.text(status.words)
        if status.kind == "BYE" and status.tag == "*" and not self._leaving:
            raise ConnectionClosed(self.last_words)

    def _take_news(self) -> bool:
        news, self._news = self._news, False
        return news

    def _note(self, parts: Sequence[Part]) -> None:
        line = b"".join(part for part in parts[::2] if isinstance(part, bytes)).decode("utf-8", "replace")
        self._talk.server("+ ***" if self._signing_in and line.startswith("+") else line)


def is_end_of(response: Response, tag: str) -> TypeGuard[Status]:
    return isinstance(response, Status) and response.tag == tag
