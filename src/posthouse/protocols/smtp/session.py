"""One SMTP conversation: greeting, TLS, signing in, sending, as exchanges over one connection's state.

The server's capabilities are believed only for as long as the standard says, the security is what was
configured and never negotiated down, and `stage` tells at any time how far we are: a connection lost while the
verdict on a message is awaited leaves its fate unknown; lost at any other time, it was not sent.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from posthouse.protocols import sasl
from posthouse.protocols.exchange import (
    ConnectionClosed,
    Exchange,
    LocalProtocolError,
    NoMechanism,
    NoReturn,
    Note,
    ProtocolError,
    Receive,
    RemoteProtocolError,
    Send,
    StartTls,
    TlsRefused,
    unheard,
)
from posthouse.protocols.masking import MASK, Masked
from posthouse.protocols.smtp import envelope
from posthouse.protocols.smtp.content import END, on_the_wire
from posthouse.protocols.smtp.envelope import NO_DSN, Dsn
from posthouse.protocols.smtp.outcomes import RecipientsRefused, Refusal, Refused, Sent
from posthouse.protocols.smtp.replies import LIMITS, Limits, Replies, Reply

Stage = Literal["greeting", "tls", "auth", "mail", "rcpt", "data", "message", "answer", "done"]

AT_ONCE = 50  # recipients in one go: both sides' replies and commands fit their buffers (RFC 2920 §3.1)
COMMAND_LINE = 510  # bytes without CRLF (RFC 5321 §4.5.3.1.4); a longer initial response waits for its 334


class Session:
    """One connection to a server. Its exchanges run one after another. CommandRefused, LocalProtocolError and
    NoMechanism leave it usable; after any other error the connection must be closed."""

    def __init__(self, *, note: Note = unheard, limits: Limits = LIMITS) -> None:
        self.extensions: Mapping[str, str] = {}
        """What the server's EHLO offers: keyword in upper case → parameters. Empty before, and after HELO."""

        self.last_words = ""
        """What the server said when it closed the conversation by itself (421)."""

        self.stage: Stage = "greeting"
        """How far the latest exchange has got, or had when it failed. `done`: to its end, or to a verdict on
        the message, be it yes or no."""

        self._masked = Masked(note)
        self._replies = Replies(limits, self._heard)
        self._secure = False

    # Opening

    def open(self, *, local_name: str, starttls: bool, secure: bool) -> Exchange[None]:
        """From the greeting to the server's capabilities, over TLS where it is asked for.

        `secure`: TLS is up already. `starttls`, else: it must come now, and nothing but EHLO and STARTTLS is
        said before; TlsRefused if it can't be had. `local_name` is what we call ourselves.
        """
        local_name = envelope.ehlo_name(local_name)
        upgrade = starttls and not secure
        self._secure = secure
        self.stage = "greeting"
        self._insist((yield from self._reply()), "")
        yield from self._hello(local_name, plainly=not upgrade)
        if upgrade:
            yield from self._upgrade()
            yield from self._hello(local_name, plainly=True)
        self.stage = "done"

    def _hello(self, local_name: str, *, plainly: bool) -> Exchange[None]:
        """`plainly`: a server that does not know EHLO may be greeted by HELO, and then offers nothing."""
        self.extensions = {}
        reply = yield from self._command(f"EHLO {local_name}")
        if reply.positive:
            self.extensions = _extensions(reply)
        elif reply.code < 500:
            self._insist(reply, "EHLO")
        elif plainly:
            yield from self._expect(f"HELO {local_name}")

    def _upgrade(self) -> Exchange[None]:
        self.stage = "tls"
        if "STARTTLS" not in self.extensions:
            raise TlsRefused("STARTTLS is configured, and the server does not offer it")
        reply = yield from self._command("STARTTLS")
        if reply.code != 220:
            raise TlsRefused(f"the server refused STARTTLS: {reply}")
        if self._replies.held:  # RFC 3207 §4.2: somebody in the middle speaks before the handshake
            raise TlsRefused("somebody spoke between the server's go-ahead and the TLS handshake")
        yield StartTls()
        self._secure = True

    # Signing in

    def authenticate(self, credentials: sasl.Credentials, allowed: Sequence[str] = ()) -> Exchange[str]:
        """Sign in and return the name of the mechanism that did it (RFC 4954).

        The best that is offered and `allowed` is tried; the next one only where the server does not do the
        first, never with credentials that were refused. NoMechanism: there is none in common.
        """
        self.stage = "auth"
        offered = self.extensions.get("AUTH", "").split()
        mechanisms = sasl.choose(offered, allowed, credentials, secure=self._secure)
        if not mechanisms:
            suitable = "those for access tokens" if credentials.token else "those for passwords"
            raise NoMechanism(
                f"the server offers to sign in by {', '.join(offered) or 'nothing'}, "
                f"the settings allow {', '.join(allowed) or suitable}"
            )
        self._masked.hide(credentials.password, credentials.token)
        for mechanism in mechanisms:
            if (yield from self._try(mechanism)):
                self.stage = "done"
                return mechanism.name
        tried = ", ".join(mechanism.name for mechanism in mechanisms)
        raise NoMechanism(f"the server offers to sign in by {tried}, but does not do it")

    def _try(self, mechanism: sasl.Mechanism) -> Exchange[bool]:
        """True: signed in. False: the server does not do this mechanism. Refused: it said no to us."""
        command = f"AUTH {mechanism.name}"
        waiting = mechanism.initial()  # what is to be said to the next challenge, where we know it already
        argument = "" if waiting is None else self._encoded(waiting) or "="
        if argument and len(f"{command} {argument}") <= COMMAND_LINE:
            reply = yield from self._command(f"{command} {argument}", f"{command} {MASK}")
            waiting, said = None, True
        else:
            reply = yield from self._command(command)
            said = False
        while reply.code == 334:
            if waiting is None:
                try:
                    waiting = mechanism.respond(_challenge(reply))
                except LocalProtocolError:
                    yield from self._command("*")  # RFC 4954 §4: leave the exchange, keep the session
                    raise
            answer, waiting, said = self._encoded(waiting), None, True
            reply = yield from self._command(answer, MASK)
        if reply.code == 235:
            if not mechanism.complete:
                raise RemoteProtocolError("the server said yes without proving that it knows the password")
            return True
        if reply.code < 400:
            raise self._unexpected(reply, "AUTH")
        # 534 means a mechanism too weak, too (RFC 4954 §6). But Gmail says it to a password, and asks for one of
        # its application passwords: what has seen our credentials is not shown them again another way.
        if reply.code == 504 or (reply.code == 534 and not said):
            return False
        problem = self._masked.text(f"{reply.text} ({mechanism.problem})") if mechanism.problem else ""
        raise Refused(reply, "AUTH", problem)

    def _encoded(self, response: bytes) -> str:
        encoded = b64encode(response).decode()
        if len(encoded) >= 8:
            self._masked.hide(encoded)  # servers echo what they don't understand
        return encoded

    # Sending

    def send(
        self,
        sender: str,
        recipients: Sequence[str],
        message: Iterable[bytes] | bytes,
        *,
        size: int,
        eight_bit: bool,
        utf8: bool,
        dsn: Dsn = NO_DSN,
    ) -> Exchange[Sent]:
        """Hand over one message; `sender` '' is the null sender. A recipient who is refused does not hinder the
        others, one named twice is told once.

        `size` is the message's in bytes (0: unknown), `eight_bit` says that its body has bytes over 127, `utf8`
        that its header or an address has. Line breaks are made CRLF on the way. The message is read once; an
        error in reading it comes out as it is, and then the connection must be closed.

        LocalProtocolError: it can't be sent as it is, and nothing was said. RecipientsRefused: nobody was
        taken. Refused: the server did not take the sender (`command` is MAIL) or the message (DATA).
        """
        offered = self.extensions
        self.stage = "mail"
        from_path = envelope.path(sender, utf8=utf8)
        to_paths = {envelope.path(recipient, utf8=utf8): recipient for recipient in recipients}
        if not to_paths or "<>" in to_paths:
            raise LocalProtocolError("a message needs recipients, and each an address")
        if utf8 and "SMTPUTF8" not in offered:
            raise LocalProtocolError("the message needs SMTPUTF8, and the server does not offer it")
        if eight_bit and "8BITMIME" not in offered:
            raise LocalProtocolError("the message holds 8-bit text, and the server does not offer 8BITMIME")
        mail = envelope.mail(from_path, offered, size=size, eight_bit=eight_bit, utf8=utf8, dsn=dsn)
        rcpts = [envelope.rcpt(to_path, offered, dsn=dsn) for to_path in to_paths]
        self._fits(size)

        replies = yield from self._envelope(mail, rcpts)
        accepted, refused = [], []
        for recipient, reply in zip(to_paths.values(), replies, strict=True):
            if reply.positive:
                accepted.append(recipient)
            elif reply.code >= 400:
                refused.append(Refusal(recipient, reply.code, reply.enhanced, reply.text))
            else:
                raise self._unexpected(reply, "RCPT")
        if not accepted:
            yield from self._abandon()
            raise RecipientsRefused(refused)

        self.stage = "data"
        reply = yield from self._command("DATA")
        if reply.code >= 400:
            yield from self._abandon()
        self._insist(reply, "DATA", 3)
        yield from self._hand_over(message)
        verdict = yield from self._reply()
        self._insist(verdict, "DATA")
        return Sent(tuple(accepted), tuple(refused), verdict)

    def _fits(self, size: int) -> None:
        """RFC 1870 §6.1: what the server will not take it need not be shown."""
        most = self.extensions.get("SIZE", "")[:20]
        if most.isascii() and most.isdigit() and 0 < int(most) < size:
            text = f"the message has {size} bytes, and the server takes {int(most)} at most"
            raise Refused(Reply(552, (text,), "5.3.4"), "MAIL")

    def _envelope(self, mail: str, rcpts: Sequence[str]) -> Exchange[list[Reply]]:
        """The replies to each RCPT, after MAIL was taken."""
        replies = []
        if "PIPELINING" not in self.extensions:
            yield from self._expect(mail)
            self.stage = "rcpt"
            for rcpt in rcpts:
                replies.append((yield from self._command(rcpt)))
            return replies
        first, *replies = yield from self._pipelined([mail, *rcpts[:AT_ONCE]])
        if not first.positive and any(reply.positive for reply in replies):
            yield from self._abandon()
        self._insist(first, "MAIL")
        self.stage = "rcpt"
        for start in range(AT_ONCE, len(rcpts), AT_ONCE):
            replies += yield from self._pipelined(rcpts[start : start + AT_ONCE])
        return replies

    def _hand_over(self, message: Iterable[bytes] | bytes) -> Exchange[None]:
        self._in_turn()
        self.stage = "message"
        count = 0
        try:
            for chunk in on_the_wire(message):
                yield Send(chunk)
                count += len(chunk)
        finally:  # of a message that breaks off, the transcript says how far it came
            self._masked.client(f"… ({count} bytes)")
        yield NoReturn()
        # From here on the server may have the message, whatever becomes of the connection.
        self.stage = "answer"
        self._masked.client(".")
        yield Send(END)

    def _abandon(self) -> Exchange[None]:
        """Forget the transaction. An error is on its way already; what goes wrong here does not hide it."""
        try:
            yield from self._command("RSET")
        except ProtocolError:
            return

    # The rest

    def noop(self) -> Exchange[None]:
        """Show that we are there, and see whether the server is."""
        yield from self._expect("NOOP")

    def reset(self) -> Exchange[None]:
        """Forget what was begun."""
        yield from self._expect("RSET")

    def quit(self) -> Exchange[None]:
        """Say goodbye. A server that just goes is no error."""
        try:
            yield from self._command("QUIT")
        except RemoteProtocolError:
            return

    # Commands and replies

    def _expect(self, command: str) -> Exchange[None]:
        self._insist((yield from self._command(command)), command.partition(" ")[0])

    def _insist(self, reply: Reply, command: str, kind: int = 2) -> None:
        """Only the first digit counts (RFC 5321 §4.2.1)."""
        if reply.code >= 400:
            raise Refused(reply, command)
        if reply.code // 100 != kind:
            raise self._unexpected(reply, command)

    def _unexpected(self, reply: Reply, command: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"the server answered {reply.code} to {command or 'our coming'}")

    def _command(self, line: str, shown: str | None = None) -> Exchange[Reply]:
        [reply] = yield from self._pipelined([line], shown)
        return reply

    def _pipelined(self, lines: Sequence[str], shown: str | None = None) -> Exchange[list[Reply]]:
        """Say these lines in one go and take a reply to each (RFC 2920)."""
        self._in_turn()
        for line in lines:
            self._masked.client(line if shown is None else shown)
        yield Send("".join(f"{line}\r\n" for line in lines).encode())
        replies = []
        for _ in lines:
            replies.append((yield from self._reply()))
        return replies

    def _in_turn(self) -> None:
        """What the server said before it was asked can't be the answer to what comes now."""
        if self._replies.held:
            unasked = self._replies.take()
            if unasked and unasked.code == 421:
                raise self._closed(unasked)
            raise RemoteProtocolError("the server spoke out of turn")

    def _reply(self) -> Exchange[Reply]:
        while (reply := self._replies.take()) is None:
            data = yield Receive()
            if not data:
                raise ConnectionClosed(self.last_words or "the server closed the connection without a word")
            self._replies.feed(data)
        if self.stage == "answer" and reply.code // 100 != 3:
            self.stage = "done"
        if reply.code == 421:
            raise self._closed(reply)
        if reply.code == 334:
            return reply  # a challenge must be read as it is
        return Reply(reply.code, tuple(map(self._masked.text, reply.lines)), reply.enhanced)

    def _closed(self, reply: Reply) -> ConnectionClosed:
        self.last_words = self._masked.text(reply.text)
        return ConnectionClosed(self.last_words or "the server closed the connection without a word")

    def _heard(self, line: str) -> None:
        self._masked.server(f"334 {MASK}" if self.stage == "auth" and line.startswith("334") else line)


def _extensions(reply: Reply) -> dict[str, str]:
    """RFC 5321 §4.1.1.1. `AUTH=LOGIN` is how old Exchange wrote it, often beside the `AUTH` line."""
    extensions: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        keyword = keyword.upper()
        if keyword.startswith("AUTH="):
            keyword, parameters = "AUTH", f"{keyword[5:]} {parameters}"
        if keyword:
            extensions[keyword] = f"{extensions.get(keyword, '')} {parameters}".strip()
    return extensions


def _challenge(reply: Reply) -> bytes:
    """What the server asks; as it stands where it forgot the base64, as with some prompts of LOGIN."""
    try:
        return b64decode(reply.text, validate=True)
    except ValueError:
        return reply.text.encode("utf-8", "replace")
