"""Every error we raise on purpose.

    PosthouseError                     .message is safe to show            HTTP   connector event
    ├─ Invalid                         asked for what cannot be             400
    ├─ Unauthorized                    no key, or one that we don't know    401
    ├─ Forbidden                       known, but not allowed               403
    ├─ NotFound                        not there, or not yours              404   NOT_FOUND
    ├─ NoMatchInTime                   waited for, and did not come         408
    ├─ Conflict                        already so, or in use                409
    │  └─ Cancelled                    somebody ended it                    409    SUCCESS
    ├─ TooLarge                        over a limit of ours                 413
    ├─ Unavailable                     our database does not answer         503
    └─ RemoteError                     .transient  .retry_after             502
       ├─ Unreachable                  DNS, refused, timed out              CONNECTION_ERROR
       ├─ EgressRefused                our own guard said no                CONNECTION_ERROR
       ├─ TlsFailed                    chain, name, protocol, STARTTLS      CONNECTION_ERROR
       ├─ CredentialsRefused           until the settings change            CONNECTION_ERROR
       ├─ Refused                      NO, BAD, 5xx                         CONNECTION_ERROR
       ├─ Deferred                     4xx, throttled, in use               CONNECTION_ERROR
       ├─ FolderMissing                                                     NOT_FOUND
       ├─ OutcomeUnknown               lost after the message was given     CONNECTION_ERROR
       └─ Garbled                      broke the protocol                   CONNECTION_ERROR

Whatever else is raised is a bug: it is logged whole and shown as "internal". Messages say what to change and hold
no secret. Callers ask `error.transient`, not for a class.
"""

from datetime import timedelta
from enum import StrEnum


class Stage(StrEnum):
    """How far a connection came before it failed; connection tests tell their users."""

    NAME = "name"
    CONNECTION = "connection"
    TLS = "tls"
    GREETING = "greeting"
    SIGN_IN = "sign-in"
    FOLDER = "folder"
    TRANSFER = "transfer"


class PosthouseError(Exception):
    """Something expected went wrong; `message` may be shown to the user. `status` is what HTTP calls its kind."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def say_more(self, words: str) -> None:
        """Add to the message what only a caller knows."""
        self.message += words
        self.args = (self.message,)


class Invalid(PosthouseError):
    """What was asked for cannot be; the message names what to change."""

    status = 400


class Unauthorized(PosthouseError):
    """No key was given, or one that is not known."""

    status = 401


class Forbidden(PosthouseError):
    """The caller is known and may not do this."""

    status = 403


class NotFound(PosthouseError):
    """It does not exist, or belongs to somebody else: the two are never told apart."""

    status = 404


class NoMatchInTime(PosthouseError):
    """What was waited for has not come in time; the message says what came instead, and how fresh we are."""

    status = 408


class Conflict(PosthouseError):
    """It exists already, or is in use."""

    status = 409


class Cancelled(Conflict):
    """Somebody has ended it before its time; what was done by then stays, and is whole."""


class TooLarge(PosthouseError):
    """It is over a limit of ours; the message names the limit."""

    status = 413


class Unavailable(PosthouseError):
    """Our own database does not answer just now; asking again in a moment is right."""

    status = 503


class RemoteError(PosthouseError):
    """A server that we talk to for the user failed us."""

    status = 502
    transient = False
    stage = Stage.CONNECTION

    def __init__(
        self,
        message: str,
        *,
        stage: Stage | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.refused: tuple[tuple[str, str], ...] = ()
        """Recipients that a server took none of, each with its words."""
        if stage is not None:
            self.stage = stage


class Unreachable(RemoteError):
    """No conversation came about, or it broke off: name, route, refusal, time-out."""

    transient = True


class EgressRefused(RemoteError):
    """The operator's rules don't let us connect to this address."""


class TlsFailed(RemoteError):
    """No trustworthy encryption: chain, name, protocol version, or STARTTLS not to be had."""

    stage = Stage.TLS


class CredentialsRefused(RemoteError):
    """The server knows the user or password not, or offers no mechanism that we may use."""

    stage = Stage.SIGN_IN


class Refused(RemoteError):
    """The server understood and said no, for good."""

    stage = Stage.TRANSFER


class Deferred(RemoteError):
    """The server said: not now. `retry_after` is its wish where it gave one."""

    transient = True
    stage = Stage.TRANSFER


class FolderMissing(RemoteError):
    """The folder does not exist at the server, or can't be opened."""

    stage = Stage.FOLDER


class OutcomeUnknown(RemoteError):
    """A message was given whole and the server's answer never came: it may be sent, and must not be sent again."""

    stage = Stage.TRANSFER


class Garbled(RemoteError):
    """The server broke its protocol, or one of our limits."""

    transient = True
    stage = Stage.GREETING
