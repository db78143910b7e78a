"""What goes wrong between us and a server, said so that a user can act on it.

The protocols' errors are turned into ours here and nowhere else. Which code means what is decided by the code
first and by the server's words only where the code is silent; the words are shown, cut and without secrets.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from posthouse.model.connectors import Security, ServerSettings
from posthouse.model.errors import (
    CredentialsRefused,
    Deferred,
    FolderMissing,
    Garbled,
    Invalid,
    Refused,
    RemoteError,
    Stage,
    TlsFailed,
    Unreachable,
)
from posthouse.protocols import smtp
from posthouse.protocols.exchange import (
    CommandRefused,
    ConnectionClosed,
    LocalProtocolError,
    NoMechanism,
    ProtocolError,
    RemoteProtocolError,
    TlsRefused,
)
from posthouse.protocols.imap.conversation import BadCommand
from posthouse.protocols.masking import Masked
from posthouse.remote.quirks import quirks_of

_LONGEST = 300  # characters of a server's words
_LONGEST_PAUSE = timedelta(hours=1)  # a server may suggest a week

# RFC 5530 §3. OVERQUOTA and THROTTLED are Gmail's; whoever only reads can't be over any other quota.
_NOT_NOW = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "OVERQUOTA", "THROTTLED"}
_NOT_NOW_WORDS = re.compile(
    r"throttled|too many (?:simultaneous |concurrent )?(?:connections|logins|login attempts)|server unavailable"
    r"|maximum number of connections"
    r"|try again later|temporar|rate limit|exceeded command or bandwidth limits",
    re.IGNORECASE,
)
# Exchange: "Request is throttled. Suggested Backoff Time: 92415 milliseconds".
_BACKOFF = re.compile(r"suggested backoff time:? *([0-9]{1,12}) *milliseconds", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Limit:
    """A provider's limit that we, or others at the same mailbox, have met: how it is told (by code or words), what that
    means to the user, and how long we leave the server alone."""

    told: re.Pattern[str]
    means: str
    pause: timedelta


def _limit(told: str, means: str, pause: timedelta) -> _Limit:
    return _Limit(re.compile(told, re.IGNORECASE), means, pause)


_LIMITS = (
    # Gmail, 15 in all; Dovecot, by default ten of a user from one address.
    _limit(
        "too many (?:simultaneous |concurrent )?connections|maximum number of connections",
        "it lets in only so many at the same time, and the mailbox's other programs count too",
        timedelta(minutes=5),
    ),
    # Gmail, for up to a day; we look whether it is over.
    _limit(
        r"\[OVERQUOTA\]|exceeded command or bandwidth limits",
        "more was asked of this mailbox than is allowed in a day; that ends by itself, within a day",
        timedelta(hours=1),
    ),
    _limit(r"\[THROTTLED\]", "the mailbox is slowed down for a while, after heavy use", timedelta(minutes=10)),
    # Yahoo: "[LIMIT] UID FETCH Rate limit hit".
    _limit("rate limit", "more was asked in a short time than is allowed", timedelta(minutes=1)),
)
_APP_PASSWORD = re.compile(r"application-specific password|app password|web ?login required|webalert", re.IGNORECASE)
_NOT_CONNECTED = re.compile(r"authenticated but not connected", re.IGNORECASE)
_STARTTLS_FIRST = re.compile(r"starttls", re.IGNORECASE)


class Words:
    """Speaks of one server to the user. Nothing that it says holds a secret of the connection's settings."""

    def __init__(self, settings: ServerSettings, host: str, reach: Callable[[Stage], None]) -> None:
        self._settings = settings
        self._host = host
        self._reach = reach
        self._masked = Masked()
        for secret in (settings.password, settings.proxy.password if settings.proxy else None):
            if secret:
                self._masked.hide(secret.reveal())

    @contextmanager
    def at(self, stage: Stage) -> Iterator[None]:
        """What is done inside is at this stage, and so is what goes wrong there, which is turned into our errors."""
        self._reach(stage)
        try:
            yield
        except ProtocolError as error:
            raise self.of(error, stage) from error
        except Unreachable as error:
            if error.stage is Stage.CONNECTION:
                error.stage = stage  # the stream knows of TLS itself, and of nothing further
            if error.stage is Stage.GREETING and (hint := self._maybe_tls()):
                raise Unreachable(error.message + hint, stage=stage) from error
            raise

    def of(self, error: ProtocolError, stage: Stage) -> RemoteError | Invalid:
        """Our error for this one."""
        text = self.shown(str(error))
        match error:
            case CommandRefused():
                return self._refusal(error, stage)
            case NoMechanism():
                return CredentialsRefused(f"can't sign in to {self._host}: {text}")
            case TlsRefused():
                return TlsFailed(
                    f"STARTTLS can't be had from {self._host}: {text}; check the port and the settings for SSL "
                    "and STARTTLS"
                )
            case ConnectionClosed():
                return self._closed(text, stage)
            case LocalProtocolError() if stage is Stage.SIGN_IN:
                return CredentialsRefused(f"can't sign in to {self._host}: {text}")
            case LocalProtocolError():
                return Invalid(text)
            case RemoteProtocolError():
                return Garbled(f"{self._host} broke the protocol: {text}{self._maybe_tls(stage)}", stage=stage)
        return Garbled(f"{self._host}: {text}", stage=stage)

    def shown(self, text: str) -> str:
        """A server's words as they may be shown: one line, not too long, no secret."""
        # Cut behind the mask, so that no half of a secret is left at the end.
        text = " ".join("".join(c if c.isprintable() else " " for c in self._masked.text(text[:4000])).split())
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

    def deferred(self, text: str, stage: Stage, code: str = "") -> Deferred:
        """Not now; with the server's own idea of when where it had one, and what it means where that is known."""
        told = f"[{code}] {text}"
        limit = next((limit for limit in _LIMITS if limit.told.search(told)), None)
        message = f"{self._host} can't serve us now: {self.shown(text)}" + (f" ({limit.means})" if limit else "")
        pause = _suggested(text) or (limit.pause if limit else None)
        return Deferred(message, stage=stage, retry_after=pause)

    def _closed(self, text: str, stage: Stage) -> RemoteError:
        if _NOT_NOW_WORDS.search(text):
            return self.deferred(text, stage)
        return Unreachable(f"{self._host} closed the connection: {text}{self._maybe_tls(stage)}", stage=stage)

    def _maybe_tls(self, stage: Stage = Stage.GREETING) -> str:
        if stage is not Stage.GREETING or self._settings.security is Security.TLS:
            return ""
        return "; maybe this port speaks TLS from the start: check the port and the settings for SSL and STARTTLS"

    def _refusal(self, refused: CommandRefused, stage: Stage) -> RemoteError:
        if isinstance(refused, smtp.Refused):
            return self._smtp_refusal(refused, stage)
        text = self.shown(refused.text)
        if _NOT_CONNECTED.search(refused.text):
            return self._credentials(text, "says yes to the sign-in, and then knows no mailbox")
        if is_not_now(refused):
            # A copy that is filed may find the mailbox full (RFC 5530): that is OVERQUOTA in its own sense.
            return self.deferred(refused.text, stage, "" if refused.command == "APPEND" else refused.code)
        if refused.code == "PRIVACYREQUIRED":  # RFC 5530: the password is not wanted in clear text
            return TlsFailed(f"{self._host} lets nobody in without TLS (setting startTls, or the TLS port): {text}")
        if stage is Stage.SIGN_IN and not isinstance(refused, BadCommand):
            return self._credentials(text)
        if stage is Stage.FOLDER:
            return FolderMissing(f"{self._host} can't open the folder: {text}")
        return Refused(f"{self._host} refused {refused.command or 'us'}: {text}", stage=stage)

    def _smtp_refusal(self, refused: smtp.Refused, stage: Stage) -> RemoteError:
        text = self.shown(" ".join(filter(None, (refused.code, refused.enhanced, refused.text))))
        if refused.transient:
            return self.deferred(text, stage)
        if refused.code == "530" and _STARTTLS_FIRST.search(text) and self._settings.security is Security.PLAIN:
            return TlsFailed(f"{self._host} wants STARTTLS first (setting startTls): {text}")
        if refused.code == "530" and not self._settings.username:
            return CredentialsRefused(f"{self._host} wants us to sign in, and there is no user name: {text}")
        if stage is Stage.SIGN_IN:
            return self._credentials(text)
        return Refused(f"{self._host} refused {refused.command or 'us'}: {text}", stage=stage)

    def _credentials(self, text: str, what: str = "refused the user name or password") -> CredentialsRefused:
        remedy = quirks_of(self._host).remedy
        if not remedy and _APP_PASSWORD.search(text):
            remedy = "make an app password in the provider's security settings and use that one"
        return CredentialsRefused(f"{self._host} {what}: {text}" + (f". {remedy}" if remedy else ""))


def is_not_now(refused: CommandRefused) -> bool:
    """Whether the same may be granted later: by the code, and by the words where the code says nothing else."""
    if refused.code in _NOT_NOW:
        return True
    return refused.code in ("", "ALERT") and bool(_NOT_NOW_WORDS.search(refused.text))


def is_throttled(refused: CommandRefused) -> bool:
    """Whether the server is tired of us, rather than of this one command."""
    return refused.code in ("LIMIT", "OVERQUOTA", "THROTTLED") or bool(
        re.search(r"throttled|rate limit|backoff|bandwidth", refused.text, re.IGNORECASE)
    )


def _suggested(text: str) -> timedelta | None:
    hint = _BACKOFF.search(text)
    return min(timedelta(milliseconds=int(hint[1])), _LONGEST_PAUSE) if hint else None
