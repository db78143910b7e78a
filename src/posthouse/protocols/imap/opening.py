"""From the greeting to being signed in: TLS, capabilities, SASL, ID, ENABLE (RFC 3501 §6.1 and §6.2).

Nothing but CAPABILITY and STARTTLS is said before TLS where TLS was asked for, and nothing that was heard before
it is believed after.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from posthouse.protocols import sasl
from posthouse.protocols.exchange import (
    CommandRefused,
    Exchange,
    NoMechanism,
    ProtocolError,
    RemoteProtocolError,
    StartTls,
    TlsRefused,
)
from posthouse.protocols.imap import commands
from posthouse.protocols.imap.conversation import BadCommand, Conversation, is_end_of
from posthouse.protocols.imap.encoding import Argument, Secret, astring
from posthouse.protocols.imap.responses import (
    Continuation,
    Response,
    ServerId,
    Status,
)

LOGIN_COMMAND = "LOGIN-COMMAND"
"""The name under which `authenticate` knows the LOGIN command, which is no SASL mechanism."""


class Opening(Conversation):
    """The part of a session that comes first."""

    # --- opening ---------------------------------------------------------------------------------------------

    def open(self, *, starttls: bool, secure: bool) -> Exchange[None]:
        """Hear the greeting, upgrade to TLS if asked, learn the capabilities.

        `secure`: TLS is up already. `starttls`: it must be before anything else is said; else `TlsRefused`. A
        server that greets with PREAUTH has us signed in, unless somebody in clear text says so.
        """
        self._secure = secure
        greeting = yield from self._next()
        if not isinstance(greeting, Status) or greeting.tag != "*" or greeting.kind not in ("OK", "PREAUTH"):
            raise RemoteProtocolError("the server does not greet as IMAP servers do")
        if starttls and not secure:
            if greeting.kind == "PREAUTH":
                # RFC 3501 §6.2.1 knows no STARTTLS in this state; a man in the middle would say just this.
                raise TlsRefused("the server signs us in without TLS, which STARTTLS can't follow")
            yield from self._upgrade()
        self.authenticated = greeting.kind == "PREAUTH"
        if not self.capabilities:
            yield from self._ask("CAPABILITY")

    def _upgrade(self) -> Exchange[None]:
        if "STARTTLS" not in self.capabilities:
            yield from self._ask("CAPABILITY")
        if "STARTTLS" not in self.capabilities:
            raise TlsRefused("the server does not offer STARTTLS")
        try:
            yield from self._ask("STARTTLS")
        except CommandRefused as refused:
            raise TlsRefused(f"the server refused STARTTLS: {refused.text}") from refused
        if not self._framer.empty:
            raise TlsRefused("somebody spoke between STARTTLS and the handshake")
        yield StartTls()
        # RFC 3501 §6.2.1: whatever was said in clear text may have been said by anybody.
        self._secure = True
        self.capabilities, self._enabled, self.last_words = frozenset(), frozenset(), ""
        yield from self._ask("CAPABILITY")

    # --- signing in ------------------------------------------------------------------------------------------

    def authenticate(self, credentials: sasl.Credentials, allowed: Sequence[str] = ()) -> Exchange[str]:
        """Sign in by the best mechanism and return its name (`PREAUTH` if the greeting did it).

        The next best is tried only where the server does not understand the command; a refusal is final, for
        more attempts with a wrong password lock accounts. `allowed` may name `LOGIN-COMMAND`, too; without
        `allowed`, or with `LOGIN` in it, that command is the last resort.
        """
        if self.authenticated:
            return "PREAUTH"
        offered = sorted(name.removeprefix("AUTH=") for name in self.capabilities if name.startswith("AUTH="))
        mechanisms = sasl.choose(offered, allowed, credentials, secure=self._secure)
        self._talk.hide(credentials.password, credentials.token)
        attempts = [self._sasl(mechanism) for mechanism in mechanisms]
        if self._may_login(credentials, allowed):
            attempts.append(self._login(credentials))
        if not attempts:
            raise NoMechanism(
                f"no way to sign in: the server offers {', '.join(offered) or 'nothing'}"
                f"{' and refuses LOGIN' if 'LOGINDISABLED' in self.capabilities else ''}, "
                f"the settings allow {', '.join(allowed) or 'all that suit the credentials'}"
            )
        self._capabilities_told = False
        used = yield from first_understood(attempts)
        self.authenticated = True
        # RFC 3501 §6.2.3: the list may change by signing in, and most servers tell it with their OK.
        if not self._capabilities_told:
            yield from self._ask("CAPABILITY")
        return used

    def _may_login(self, credentials: sasl.Credentials, allowed: Sequence[str]) -> bool:
        if "LOGINDISABLED" in self.capabilities or not credentials.password:
            return False
        return not allowed or any(name.upper() in ("LOGIN", LOGIN_COMMAND) for name in allowed)

    def _login(self, credentials: sasl.Credentials) -> Exchange[str]:
        password = Secret(astring(credentials.password))
        yield from self._ask("LOGIN", astring(credentials.username), password)
        return LOGIN_COMMAND

    def _sasl(self, mechanism: sasl.Mechanism) -> Exchange[str]:
        self._talk.hide(*mechanism.secrets())
        initial = mechanism.initial()
        in_command = initial is not None and "SASL-IR" in self.capabilities
        try:
            yield from self._sasl_talk(mechanism, initial, in_command=in_command)
        except BadCommand:
            if not in_command:
                raise
            # Coremail (126.com, 163.com) advertises SASL-IR but answers it with BAD; wait for its "+" instead.
            yield from self._sasl_talk(mechanism, initial, in_command=False)
        return mechanism.name

    def _sasl_talk(self, mechanism: sasl.Mechanism, initial: bytes | None, *, in_command: bool) -> Exchange[None]:
        arguments: list[Argument] = [mechanism.name.encode()]
        if initial is not None and in_command:
            # RFC 4959 §3: an empty response is written "=".
            arguments.append(Secret(self._hidden(initial) or b"="))
            initial = None
        challenged = False
        try:
            tag = yield from self._start("AUTHENTICATE", *arguments)
            self._signing_in = True
            while not is_end_of(response := (yield from self._answer(tag)), tag):
                if not isinstance(response, Continuation):
                    continue
                challenged = True
                if initial is not None:
                    answer, initial = initial, None
                else:
                    answer = yield from self._respond(tag, mechanism, response.data)
                yield from self._say(self._hidden(answer) + b"\r\n", "***")
        except CommandRefused as refused:
            if not challenged:
                raise
            # Whatever the word: it understood the command, and refused what we answered.
            why = f" ({mechanism.problem})" if mechanism.problem else ""
            text = self._talk.text(refused.text + why)
            raise CommandRefused(text, refused.code, command=refused.command) from refused
        finally:
            self._signing_in = False
        if not mechanism.complete:
            raise RemoteProtocolError("the server let us in without proving that it knows the password")

    def _hidden(self, answer: bytes) -> bytes:
        encoded = b64encode(answer)
        self._talk.hide(encoded.decode())
        return encoded

    def _respond(self, tag: str, mechanism: sasl.Mechanism, challenge: bytes) -> Exchange[bytes]:
        """The mechanism's answer; where it has none, the attempt is cancelled in order and its error raised."""
        try:
            return mechanism.respond(unbase64(challenge))
        except ProtocolError:
            yield from self._say(b"*\r\n", "*")  # RFC 3501 §6.2.2
            with suppress(CommandRefused):
                yield from self._finish(tag)
            raise

    def identify(self, fields: Mapping[str, str]) -> Exchange[dict[str, str]]:
        """Tell who we are and hear who the server is (RFC 2971); `{}` where it does not say.

        Nothing is sent to a server that does not offer ID. Text is told in ASCII, accents dropped.
        """
        if "ID" not in self.capabilities:
            return {}
        told: list[Response] = []
        with suppress(CommandRefused):
            told = yield from self._ask("ID", commands.id_fields(fields), keep=ServerId)
        for response in told:
            if isinstance(response, ServerId):
                self.server_id = response.fields
        return self.server_id

    def enable(self, *wanted: str) -> Exchange[frozenset[str]]:
        """Switch extensions on where they are offered; returns what is on (RFC 5161).

        IMAP4rev2 is never switched on: too many servers speak it by half.
        """
        if "ENABLE" not in self.capabilities:
            return self._enabled
        names = [name.upper() for name in wanted if name.upper() in self.capabilities]
        names = [name for name in names if name != "IMAP4REV2" and name not in self._enabled]
        if names:
            try:
                yield from self._ask("ENABLE", *map(astring, names))
            except CommandRefused:
                # Some refuse the whole for one word that they don't know.
                for name in names if len(names) > 1 else ():
                    with suppress(CommandRefused):
                        yield from self._ask("ENABLE", astring(name))
        return self._enabled


def first_understood(attempts: Iterable[Exchange[str]]) -> Exchange[str]:
    """Run the first of these exchanges whose command the server understands."""
    *others, last = attempts
    for attempt in others:
        with suppress(BadCommand):
            return (yield from attempt)
    return (yield from last)


def unbase64(challenge: bytes) -> bytes:
    """A challenge decoded, or as it is where it is not base64: some prompt in plain text."""
    with suppress(ValueError):
        return b64decode(challenge.strip(), validate=True)
    return challenge
