"""A connector's SMTP server, in our words.

One session sends any number of messages. Each ends in a verdict that tells of every recipient, or in an error
that says whether it may be tried again: refused for good, not now, or, when the connection broke between the
message's last byte and the server's answer, unknown.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import IPv6Address

from posthouse.model.connectors import Security, SmtpSettings
from posthouse.model.errors import (
    Deferred,
    Invalid,
    OutcomeUnknown,
    PosthouseError,
    Refused,
    RemoteError,
    Stage,
)
from posthouse.model.events import Transcript
from posthouse.model.mail import Verdict
from posthouse.protocols.exchange import ConnectionClosed, ProtocolError
from posthouse.protocols.sasl import Credentials
from posthouse.protocols.smtp import NO_DSN, Dsn, RecipientsRefused, Refusal, Session
from posthouse.remote.bounds import DEFAULT_BOUNDS, Bounds
from posthouse.remote.egress import Egress
from posthouse.remote.stream import DEFAULT_TLS, Stream
from posthouse.remote.tls import Tls
from posthouse.remote.words import Words

_NAMED = 10  # refused recipients that an error lists


async def open_submission(
    settings: SmtpSettings,
    transcript: Transcript,
    *,
    egress: Egress,
    tls: Tls = DEFAULT_TLS,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> "SmtpSubmission":
    """Connect and, where there is a user name, sign in; the caller closes. Raises RemoteError and its kin."""
    stream = await Stream.open(
        settings,
        egress=egress,
        transcript=transcript,
        within=bounds.connect,
        secure=settings.security is Security.TLS,
        tls=tls,
    )
    submission = SmtpSubmission(settings, stream, transcript, bounds)
    try:
        await submission.sign_in()
    except PosthouseError:
        await submission.close()
        raise
    except BaseException:
        stream.abort()
        raise
    return submission


class SmtpSubmission:
    """A session at an SMTP server; implements the port `Submission`."""

    def __init__(self, settings: SmtpSettings, stream: Stream, transcript: Transcript, bounds: Bounds) -> None:
        self._settings = settings
        self._stream = stream
        self._bounds = bounds
        self._words = Words(settings, stream.host, transcript.reach)
        self._session = Session(note=transcript.note)

    async def sign_in(self) -> None:
        """From the greeting to a session that takes messages. Called once, by `open_submission`."""
        settings, session, run = self._settings, self._session, self._stream.run
        with self._at(Stage.GREETING):
            opening = session.open(
                local_name=settings.local_host_name or self._address_literal(),
                starttls=settings.security is Security.STARTTLS,
                secure=self._stream.secure,
            )
            await run(opening, within=self._bounds.connect)
        if settings.username:
            credentials = Credentials(
                settings.username,
                settings.password.reveal() if settings.password else "",
                host=settings.host,
                port=settings.port,
            )
            with self._at(Stage.SIGN_IN):
                await run(session.authenticate(credentials, settings.mechanisms), within=self._bounds.command)

    async def send(
        self,
        sender: str,
        recipients: Sequence[str],
        message: bytes,
        *,
        envelope_id: str = "",
        no_return: Callable[[], Awaitable[None]] | None = None,
    ) -> Verdict:
        """Send one message; `sender` '' is the null sender.

        Where the server offers it, reports about this message name its `envelope_id`, and hold no more of it than its
        header. `no_return` is called when all is said but the end of the message: up to there nothing is sent, and when
        it raises nothing will be.

        Raises Refused or Deferred when no recipient was taken, OutcomeUnknown when the connection broke after the
        whole message was given and before the server's answer. Cancelled in the meantime, nothing is known either.
        """
        exchange = self._session.send(
            sender,
            recipients,
            message,
            size=len(message),
            eight_bit=not message.isascii(),
            utf8=_needs_utf8((sender, *recipients), message),
            dsn=Dsn(notify=("FAILURE", "DELAY"), ret="HDRS", envelope_id=envelope_id) if envelope_id else NO_DSN,
        )
        within = self._bounds.transfer(len(message)) + self._bounds.verdict
        try:
            with self._at(Stage.TRANSFER):
                sent = await self._stream.run(exchange, within=within, no_return=no_return)
        except Invalid as error:
            raise Refused(f"the message can't be sent through {self._stream.host}: {error.message}") from error
        except RemoteError as error:
            if isinstance(error.__cause__, RecipientsRefused):
                raise self._nobody(error.__cause__.refusals) from error
            if self._may_have_arrived():
                raise OutcomeUnknown(
                    f"the connection to {self._stream.host} broke after the message was given and before the answer: "
                    f"it may have been sent, so it is not sent again ({error.message})"
                ) from error
            raise
        return Verdict(
            accepted=sent.accepted,
            refused=tuple((refusal.recipient, self._said(refusal)) for refusal in sent.refused),
            deferred=tuple(refusal.recipient for refusal in sent.refused if refusal.transient),
            words=self._words.shown(str(sent.reply)),
        )

    async def close(self) -> None:
        """Say goodbye and close; never raises."""
        if self._stream.usable:
            with suppress(PosthouseError, ProtocolError):
                await self._stream.run(self._session.quit(), within=self._bounds.goodbye)
        await self._stream.close()

    def _address_literal(self) -> str:
        """RFC 5321 §4.1.4: whoever has no name worth telling says the address."""
        address = self._stream.local_address
        return f"[IPv6:{address}]" if isinstance(address, IPv6Address) else f"[{address}]"

    @contextmanager
    def _at(self, stage: Stage) -> Iterator[None]:
        with self._words.at(stage):
            try:
                yield
            except ConnectionClosed as error:
                if self._session.last_words:  # 421 is a 4xx as any other, only that the connection goes with it
                    raise self._words.deferred(f"421 {self._session.last_words}", stage) from error
                raise

    def _may_have_arrived(self) -> bool:
        return self._session.stage == "answer" and not self._stream.cut_short

    def _nobody(self, refusals: Sequence[Refusal]) -> RemoteError:
        listed = "; ".join(f"{refusal.recipient}: {self._said(refusal)}" for refusal in refusals[:_NAMED])
        more = f"; and {len(refusals) - _NAMED} more" if len(refusals) > _NAMED else ""
        text = f"{self._stream.host} took none of the recipients: {listed}{more}"
        error = Deferred(text) if any(refusal.transient for refusal in refusals) else Refused(text)
        error.refused = tuple((refusal.recipient, self._said(refusal)) for refusal in refusals)
        return error

    def _said(self, refusal: Refusal) -> str:
        return self._words.shown(" ".join(filter(None, (str(refusal.code), refusal.enhanced, refusal.text))))


def _needs_utf8(addresses: Sequence[str], message: bytes) -> bool:
    """Whether SMTPUTF8 is needed (RFC 6531): for the header, or for what stands before an @. Domains have IDNA."""
    header = message[: _header_length(message)]
    return not header.isascii() or any(not address.rpartition("@")[0].isascii() for address in addresses)


def _header_length(message: bytes) -> int:
    ends = [place for mark in (b"\r\n\r\n", b"\n\n") if (place := message.find(mark)) >= 0]
    return min(ends, default=len(message))
