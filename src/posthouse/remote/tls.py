"""Trustworthy encryption: which contexts we use, and what it means when a handshake fails.

Certificates are verified in full unless the connection's own `tls_trust` says otherwise, for named hosts or by
the certificate's fingerprint. A failure is told in words that say what the user can change; the settings are
called by the names under which the API knows them.
"""

import re
import ssl
import warnings
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from posthouse.model.connectors import ServerSettings
from posthouse.model.errors import TlsFailed

_VERSIONS = {
    "tlsv1": ssl.TLSVersion.TLSv1,
    "tlsv1.0": ssl.TLSVersion.TLSv1,
    "tlsv1.1": ssl.TLSVersion.TLSv1_1,
    "tlsv1.2": ssl.TLSVersion.TLSv1_2,
    "tlsv1.3": ssl.TLSVersion.TLSv1_3,
}

# OpenSSL's X509_V_ERR_… numbers (x509_vfy.h), which Python passes on in `verify_code`.
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED = 18
_UNKNOWN_AUTHORITY = (2, 19, 20, 21)
_WRONG_NAME = (62, 64)

_NOT_TLS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG"}
_NO_COMMON_VERSION = {
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "NO_PROTOCOLS_AVAILABLE",
    "VERSION_TOO_LOW",
    "INAPPROPRIATE_FALLBACK",
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
}
OTHER_PORT = "use its TLS port (993 for IMAP, 465 for SMTP), or STARTTLS on this one"
TRUST_IT = "or trust this certificate alone by setting sslTrust to its fingerprint, sha256:…"


@dataclass(frozen=True, slots=True)
class Trust:
    """What `tls_trust` says: whose certificate is taken unchecked, and which fingerprints are pinned."""

    hosts: frozenset[str]
    pins: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Self:
        """Host names, `*` and `sha256:HEX`, separated by spaces or commas. Raises TlsFailed."""
        hosts, pins = set(), set()
        for word in re.split(r"[\s,]+", text.strip().lower()) if text.strip() else ():
            if not word.startswith("sha256:"):
                hosts.add(word.removesuffix("."))
                continue
            pin = word.removeprefix("sha256:").replace(":", "")
            if not re.fullmatch(r"[0-9a-f]{64}", pin):
                raise TlsFailed(f"sslTrust: {word[:80]!r} is not a SHA-256 fingerprint of 64 hexadecimal digits")
            pins.add(pin)
        return cls(frozenset(hosts), frozenset(pins))

    def verifies(self, host: str) -> bool:
        """Whether the authorities are asked about this host's certificate."""
        return not (self.pins or "*" in self.hosts or host.lower() in self.hosts)


class Tls:
    """The TLS contexts of this process, one for each way of using them; nearly every connection shares one.

    `authorities` (PEM) are trusted beside the system's own list, which obeys SSL_CERT_FILE and SSL_CERT_DIR.
    """

    def __init__(self, authorities: str | None = None) -> None:
        self._authorities = authorities
        self._contexts: dict[tuple[ssl.TLSVersion, ssl.TLSVersion, bool], ssl.SSLContext] = {}

    def context(self, settings: ServerSettings, host: str) -> ssl.SSLContext:
        """The context for a connection to `host`. Raises TlsFailed when the settings make no sense."""
        oldest, newest = _versions(settings.tls_protocols)
        key = oldest, newest, Trust.of(settings.tls_trust).verifies(host)
        if key not in self._contexts:
            self._contexts[key] = self._make(*key)
        return self._contexts[key]

    def _make(self, oldest: ssl.TLSVersion, newest: ssl.TLSVersion, verified: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._authorities:
            context.load_verify_locations(cadata=self._authorities)
        if not verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if oldest < ssl.TLSVersion.TLSv1_2:
            # OpenSSL 3 keeps these versions' signatures for level 0; it takes the user's word to come here.
            context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = oldest, newest
        return context


def check_pins(settings: ServerSettings, host: str, certificate: bytes | None) -> None:
    """Make sure that the certificate (DER) is one of the pinned ones, where there are any. Raises TlsFailed."""
    pins = Trust.of(settings.tls_trust).pins
    if pins and (certificate is None or fingerprint(certificate) not in pins):
        shown = f"sha256:{fingerprint(certificate)}" if certificate else "missing"
        raise TlsFailed(
            f"{host} shows another certificate than the one that sslTrust pins; this one's fingerprint is {shown}"
        )


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 fingerprint of a certificate (DER), as hexadecimal digits."""
    return sha256(certificate).hexdigest()


def failed(error: Exception, host: str, port: int) -> TlsFailed:
    """What a broken handshake means, and what can be done about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsFailed(_distrust(error, host))
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if reason in _NOT_TLS:
        return no_tls(host, port)
    if reason in _NO_COMMON_VERSION:
        return TlsFailed(
            f"{host} and we have no TLS version in common; a server that knows only old ones can be allowed "
            "by listing them in sslProtocols (TLSv1, TLSv1.1)"
        )
    if "HANDSHAKE_FAILURE" in reason or "NO_SHARED_CIPHER" in reason:
        return TlsFailed(f"{host} refused the TLS handshake: no TLS version or cipher in common (sslProtocols)")
    if "KEY_TOO_SMALL" in reason or "MD_TOO_WEAK" in reason:
        return TlsFailed(f"the keys of {host} are too weak to protect anything; its owner must renew its certificate")
    if reason and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return TlsFailed(f"the TLS handshake with {host} failed ({reason.lower().replace('_', ' ')})")
    return TlsFailed(
        f"{host} closed the connection during the TLS handshake; maybe port {port} does not speak TLS: "
        "check the port and the settings for SSL and STARTTLS"
    )


def no_tls(host: str, port: int) -> TlsFailed:
    """The server spoke, and it was not TLS."""
    return TlsFailed(f"{host} does not speak TLS on port {port} from the start: {OTHER_PORT}")


def _distrust(error: ssl.SSLCertVerificationError, host: str) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return f"the certificate of {host} has expired: its owner must renew it, {TRUST_IT}"
    if code == _NOT_YET_VALID:
        return f"the certificate of {host} is not valid yet: check this machine's clock, {TRUST_IT}"
    if code == _SELF_SIGNED:
        return f"the certificate of {host} is self-signed, so nobody vouches for it: install another, {TRUST_IT}"
    if code in _WRONG_NAME:
        return (
            f"the certificate is made out to other names than {host}: use the name that the provider gives "
            f"for its server, {TRUST_IT}"
        )
    if code in _UNKNOWN_AUTHORITY:
        return (
            f"the certificate of {host} is issued by an authority that we don't know, or its chain is incomplete: "
            f"have the server send the whole chain, {TRUST_IT}"
        )
    return f"the certificate of {host} is not trusted ({error.verify_message}): install another, {TRUST_IT}"


def _versions(names: tuple[str, ...]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """The oldest and newest version allowed; what lies between them is allowed too."""
    if not names:
        return ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED
    unknown = [name for name in names if name.strip().lower() not in _VERSIONS]
    if unknown:
        raise TlsFailed(f"sslProtocols: {unknown[0][:40]!r} is none of TLSv1.3, TLSv1.2, TLSv1.1 and TLSv1")
    chosen = [_VERSIONS[name.strip().lower()] for name in names]
    return min(chosen), max(chosen)
