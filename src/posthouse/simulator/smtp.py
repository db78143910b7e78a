"""The SMTP server for submission: one session of one client (RFC 5321, 6409 and the usual extensions).

A message for users of ours is in their INBOX before the client has its 250; what is for others leaves, which is
to say that it is kept in the office's `outside` list.
"""

import asyncio
import base64
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import format_datetime

from posthouse.simulator import sasl
from posthouse.simulator.mailbox import User
from posthouse.simulator.office import HOST_NAME, Delivery, Office
from posthouse.simulator.wire import Hangup, Wire

LONGEST_LINE = 16 * 1024
MOST_RECIPIENTS = 1000

_PATH = re.compile(r"(FROM|TO): ?<([^<>\x00-\x20\x7f]*)>((?: [^ ]+)*) *", re.IGNORECASE)
_PARAMETERS = {
    "MAIL": {"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"},
    "RCPT": {"NOTIFY", "ORCPT"},
}


@dataclass(slots=True)
class Envelope:
    """A mail transaction under way."""

    sender: str
    recipients: list[str]
    utf8: bool


class Refused(Exception):
    """The reply that ends a command early: code, enhanced code and text."""


class Session:
    """Serves one connection until one side has had enough."""

    def __init__(self, office: Office, wire: Wire) -> None:
        self.office, self.wire = office, wire
        self.user: User | None = None
        self.client_name = ""
        self.extended = False
        self.envelope: Envelope | None = None

    async def run(self) -> None:
        try:
            self._cut_at("connect")
            await self._reply(await self._fault("CONNECT") or f"220 {HOST_NAME} ESMTP Simulated mail server ready")
            self._cut_at("greeting")
            while True:
                await self._reply(await self._obey(await self.wire.line(LONGEST_LINE)))
        except asyncio.CancelledError:
            self.wire.last_words(f"421 4.3.2 {HOST_NAME} is shutting down\r\n".encode())
            raise

    async def _obey(self, line: bytes) -> str:
        """Do what the client says; the reply, or '' when it has been given."""
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            return "500 5.5.2 A line ends with CR and LF, and holds neither before"
        try:
            verb, _, argument = line[:-2].decode("utf-8").partition(" ")
        except UnicodeDecodeError:
            return "500 5.5.2 Neither ASCII nor UTF-8"
        verb = verb.upper()
        if verb not in COMMANDS:
            return "500 5.5.1 Unknown command"
        if fault := await self._fault(verb):
            return fault
        try:
            return await COMMANDS[verb](self, argument.strip())
        except Refused as refused:
            return str(refused)

    async def _fault(self, point: str) -> str:
        """The reply instead of doing it, or ''; what is worse than a reply happens at once."""
        faults = self.office.faults
        faults.roll()
        if faults.delay:
            await asyncio.sleep(faults.delay)
            faults.struck("delay")
        if faults.at("stall_at", point):
            await self.wire.silence()
        self._cut_at("ehlo" if point == "HELO" else point)
        reply = faults.smtp_answers.get(point, "")
        if reply:
            faults.struck("smtp_answers")
        return reply

    def _cut_at(self, state: str) -> None:
        # CONNECT and MESSAGE are cut elsewhere: before anything is said, and in the middle.
        if state not in ("CONNECT", "MESSAGE") and self.office.faults.at("smtp_cut_at", state):
            raise Hangup

    async def _reply(self, reply: str) -> None:
        if reply:
            await self.wire.send(reply.encode("utf-8") + b"\r\n")
        if reply.startswith(("421", "221")):
            raise Hangup

    # Introductions

    async def helo(self, argument: str) -> str:
        self._introduce(argument, extended=False)
        return f"250 {HOST_NAME}"

    async def ehlo(self, argument: str) -> str:
        self._introduce(argument, extended=True)
        lines = [
            f"{HOST_NAME} greets {argument}",
            "8BITMIME",
            f"SIZE {self.office.profile.largest_message}",
            "PIPELINING",
            "SMTPUTF8",
            "DSN",
            "ENHANCEDSTATUSCODES",
        ]
        if self.office.tls and not self.wire.secure:
            lines.append("STARTTLS")
        if self._may_sign_in():
            lines.append(" ".join(["AUTH", *self.office.profile.mechanisms]))
        return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])

    async def starttls(self, argument: str) -> str:
        if argument:
            raise Refused("501 5.5.4 STARTTLS stands alone")
        tls = self.office.tls
        if tls is None or self.wire.secure:
            raise Refused("503 5.5.1 There is no STARTTLS here")
        if self.wire.pending:
            # Somebody in the middle may have spoken for the client (CVE-2011-0411).
            return "421 4.7.0 Nothing is said between STARTTLS and the handshake"
        injected = self.office.faults.starttls_injection
        if injected:
            self.office.faults.struck("starttls_injection")
        await self.wire.send(b"220 2.0.0 Begin TLS\r\n" + injected)
        await self.wire.start_tls(tls)
        # RFC 3207 §4.2: what was said before is forgotten.
        self.client_name, self.extended, self.user, self.envelope = "", False, None, None
        return ""

    async def auth(self, argument: str) -> str:
        if not self.extended or self.user or self.envelope:
            raise Refused("503 5.5.1 Not now")
        if not self._may_sign_in():
            raise Refused("538 5.7.11 Start TLS first")
        name, _, response = argument.partition(" ")
        mechanism = name.upper()
        if mechanism not in self.office.profile.mechanisms:
            raise Refused("504 5.5.4 This mechanism is not offered")
        try:
            # RFC 4954 §4: an initial response that is empty is sent as "=".
            initial = (b"" if response == "=" else sasl.decoded(response.encode())) if response else None
            proved = await sasl.authenticate(mechanism, initial, self._challenge, self.office.users)
        except sasl.Cancelled:
            raise Refused("501 5.5.2 Cancelled, or not base64") from None
        if proved and self.office.faults.app_password_required:
            self.office.faults.struck("app_password_required")
            raise Refused("534 5.7.9 Application-specific password required")
        self.user = self.office.admit(proved)
        if self.user:
            self.wire.presence.user = self.user.address
        return "235 2.7.0 Signed in" if self.user else "535 5.7.8 Wrong username or password"

    # The mail transaction

    async def mail(self, argument: str) -> str:
        if not self.client_name:
            raise Refused("503 5.5.1 Introduce yourself first")
        if self.envelope:
            raise Refused("503 5.5.1 There is a message under way")
        if self.office.users and self.user is None:
            raise Refused("530 5.7.0 Sign in first")
        sender, parameters = self._path("MAIL", "FROM", argument)
        size = parameters.get("SIZE", "0")
        if not size.isdecimal():
            raise Refused("501 5.5.4 SIZE is a number")
        if int(size[:20]) > self.office.profile.largest_message:
            raise Refused("552 5.3.4 The message is too large")
        if parameters.get("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME"):
            raise Refused("501 5.5.4 Unknown BODY")
        utf8 = "SMTPUTF8" in parameters
        self._check_ascii(sender, utf8)
        self.envelope = Envelope(sender, [], utf8)
        return "250 2.1.0 Sender accepted"

    async def rcpt(self, argument: str) -> str:
        envelope = self._envelope()
        recipient, _ = self._path("RCPT", "TO", argument)
        self._check_ascii(recipient, envelope.utf8)
        if refusal := self.office.faults.refused_recipients.get(recipient.lower()):
            self.office.faults.struck("refused_recipients")
            raise Refused(refusal)
        if self.office.faults.puts_off(recipient):
            raise Refused("451 4.7.1 Greylisted, try again later")
        if "@" not in recipient:
            raise Refused("501 5.1.3 Not an address")
        if self.office.is_local(recipient) and recipient.lower() not in self.office.users:
            raise Refused("550 5.1.1 There is nobody of this name here")
        if len(envelope.recipients) >= MOST_RECIPIENTS:
            raise Refused("452 4.5.3 Too many recipients")
        envelope.recipients.append(recipient)
        return "250 2.1.5 Recipient accepted"

    async def data(self, argument: str) -> str:
        envelope = self._envelope()
        if argument:
            raise Refused("501 5.5.4 DATA stands alone")
        if not envelope.recipients:
            raise Refused("503 5.5.1 No recipients")
        await self._reply("354 End with a dot on a line of its own")
        if self.office.faults.smtp_cut_at == "message" and not self.wire.pending:
            await self.wire.stirring()
        self._cut_at("message")
        message = await self.wire.dotted(self.office.profile.largest_message)
        self.envelope = None
        self._cut_at("answer")
        if message is None:
            raise Refused("552 5.3.4 The message is too large")
        if re.search(rb"\r(?!\n)|(?<!\r)\n", message):
            # Servers that let these through disagree about where a message ends (SMTP smuggling).
            raise Refused("550 5.6.11 The message has a CR or LF of its own")
        if fault := await self._fault("MESSAGE"):
            raise Refused(fault)
        number = self._take_in(envelope, re.sub(rb"(?m)^\.", b"", message))
        if self.office.faults.lose_verdict:
            self.office.faults.struck("lose_verdict")
            raise Hangup
        return f"250 2.0.0 Accepted as {number}"

    async def rset(self, _argument: str) -> str:
        self.envelope = None
        return "250 2.0.0 Forgotten"

    async def noop(self, _argument: str) -> str:
        return "250 2.0.0 Nothing done"

    async def vrfy(self, _argument: str) -> str:
        return "252 2.5.0 Send it, and we shall see"

    async def quit(self, _argument: str) -> str:
        return "221 2.0.0 Goodbye"

    def _take_in(self, envelope: Envelope, message: bytes) -> str:
        """Deliver, file and send on; the number the message is accepted under."""
        office = self.office
        number = secrets.token_hex(6)
        moment = office.now()
        kind = "ESMTP" + ("S" if self.wire.secure else "") + ("A" if self.user else "")
        head = (
            f"Received: from {self.client_name} ([{self.wire.presence.peer}])\r\n"
            f"\tby {HOST_NAME} with {kind} id {number};\r\n\t{format_datetime(moment)}\r\n"
        )
        stamped = head.encode("utf-8") + message
        # The same recipient twice is one recipient.
        recipients = {recipient.lower(): recipient for recipient in envelope.recipients}
        for address in recipients:
            if address in office.users:
                trace = f"Return-Path: <{envelope.sender}>\r\nDelivered-To: {recipients[address]}\r\n"
                office.deliver(address, trace.encode("utf-8") + stamped, internal_date=moment)
        away = tuple(shown for address, shown in recipients.items() if address not in office.users)
        if away:
            office.outside.append(Delivery(envelope.sender, away, stamped))
        if self.user and self.user.files_sent:
            self.user.add(self.user.sent_folder(), message, {"\\Seen"}, moment)
        return number

    # Small things

    def _introduce(self, name: str, *, extended: bool) -> None:
        if not name:
            raise Refused("501 5.5.4 And you are?")
        self.client_name, self.extended, self.envelope = name, extended, None

    def _may_sign_in(self) -> bool:
        return self.wire.secure or self.office.profile.sign_in_on_clear_text

    def _envelope(self) -> Envelope:
        if self.envelope is None:
            raise Refused("503 5.5.1 Who is it from?")
        return self.envelope

    def _path(self, verb: str, keyword: str, argument: str) -> tuple[str, dict[str, str]]:
        """`FROM:<ann@example.com> SIZE=10` → the address and the parameters."""
        match = _PATH.fullmatch(argument)
        if not match or match[1].upper() != keyword or (keyword == "TO" and not match[2]):
            raise Refused("501 5.5.4 Expected an address in angle brackets")
        parameters: dict[str, str] = {}
        for word in match[3].split():
            name, _, text = word.partition("=")
            parameters[name.upper()] = text
        if (not self.extended and parameters) or set(parameters) - _PARAMETERS[verb]:
            raise Refused("555 5.5.4 Unknown parameter")
        return match[2], parameters

    def _check_ascii(self, address: str, utf8: bool) -> None:
        if not utf8 and not address.isascii():
            raise Refused("553 5.6.7 A non-ASCII address needs SMTPUTF8")

    async def _challenge(self, challenge: bytes) -> bytes:
        await self._reply("334 " + base64.b64encode(challenge).decode())
        return sasl.decoded(await self.wire.line(LONGEST_LINE))


COMMANDS: dict[str, Callable[[Session, str], Awaitable[str]]] = {
    "HELO": Session.helo,
    "EHLO": Session.ehlo,
    "STARTTLS": Session.starttls,
    "AUTH": Session.auth,
    "MAIL": Session.mail,
    "RCPT": Session.rcpt,
    "DATA": Session.data,
    "RSET": Session.rset,
    "NOOP": Session.noop,
    "VRFY": Session.vrfy,
    "QUIT": Session.quit,
}
