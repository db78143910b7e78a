"""What may stand in EHLO, MAIL and RCPT: values → command lines.

Everything that goes into a command passes here, before a byte is written. No line break, space or bracket
gets through in an address, so one value stays one argument.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from posthouse.protocols.exchange import LocalProtocolError

MAX_PATH = 254  # bytes of an address: RFC 5321 §4.5.3.1.3 without the angle brackets

# Looser than the grammar where people are (`a..b@docomo.ne.jp` exists), strict where commands are made.
_UNSEEN = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff"
_LOCAL = re.compile(rf'[^{_UNSEEN}"(),:;<>@\[\\\]]+|"(?:[^{_UNSEEN}"<>\\]|\\[^{_UNSEEN}<>])*"')
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
_LITERAL = re.compile(r"\[[a-z0-9.:-]{1,250}\]", re.IGNORECASE | re.ASCII)
# IDNA 2003, which is Python's, makes another domain of these than IDNA 2008 (RFC 5894 §7.2).
_DEVIANT = re.compile("[ßẞς\u200c\u200d]")


@dataclass(frozen=True, slots=True)
class Dsn:
    """Which delivery reports to ask for (RFC 3461). A server that knows nothing of it is asked nothing."""

    notify: tuple[Literal["NEVER", "SUCCESS", "FAILURE", "DELAY"], ...] = ()
    ret: Literal["", "FULL", "HDRS"] = ""
    envelope_id: str = ""


NO_DSN = Dsn()


def path(address: str, *, utf8: bool) -> str:
    """`ann@example.com` → `<ann@example.com>`, the domain in its ASCII form; '' is the null sender `<>`.

    LocalProtocolError: this is no address, or one with a non-ASCII local part without SMTPUTF8.
    """
    if not address:
        return "<>"
    if len(address) > MAX_PATH:
        raise LocalProtocolError(f"{address[:80]!a}… is too long for an email address")
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        raise LocalProtocolError(f"{address!a} is not an email address")
    if not local.isascii() and not utf8:
        raise LocalProtocolError(f"{address!a} can't be written without SMTPUTF8")
    written = f"{local}@{_domain(domain, address)}"
    if len(written.encode()) > MAX_PATH:
        raise LocalProtocolError(f"{address[:80]!a}… is too long for an email address")
    return f"<{written}>"


def ehlo_name(name: str) -> str:
    """The name we greet with: a host name or an address literal such as `[192.0.2.1]`."""
    if len(name) > 255 or not (_NAME.fullmatch(name) or _LITERAL.fullmatch(name)):
        raise LocalProtocolError(f"{name!a} is not a name to greet a server with")
    return name


def mail(sender: str, extensions: Mapping[str, str], *, size: int, eight_bit: bool, utf8: bool, dsn: Dsn) -> str:
    """MAIL FROM with the parameters that are needed and offered; `sender` is a `path`."""
    parameters = [f"MAIL FROM:{sender}"]
    if "SIZE" in extensions and size > 0:
        parameters.append(f"SIZE={size}")  # RFC 1870
    if "8BITMIME" in extensions and (eight_bit or utf8):
        parameters.append("BODY=8BITMIME")  # RFC 6152
    if utf8:
        parameters.append("SMTPUTF8")  # RFC 6531
    if "DSN" in extensions:
        if dsn.ret:
            parameters.append(f"RET={dsn.ret}")
        if dsn.envelope_id:
            parameters.append(f"ENVID={_xtext(dsn.envelope_id)}")
    return " ".join(parameters)


def rcpt(recipient: str, extensions: Mapping[str, str], *, dsn: Dsn) -> str:
    """RCPT TO; `recipient` is a `path`."""
    notify = f" NOTIFY={','.join(dsn.notify)}" if dsn.notify and "DSN" in extensions else ""
    return f"RCPT TO:{recipient}{notify}"


def _domain(domain: str, address: str) -> str:
    if _LITERAL.fullmatch(domain):
        return domain
    if _DEVIANT.search(domain):
        raise LocalProtocolError(f"the domain of {address!a} means two: write it in its xn-- form")
    try:
        written = domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        written = ""
    # Looked at after the encoding, which makes plain characters of wide ones: `＞` would be a bracket.
    if not _NAME.fullmatch(written):
        raise LocalProtocolError(f"{address!a} is not an email address")
    return written


def _xtext(text: str) -> str:
    """RFC 3461 §4."""
    if not re.fullmatch(r"[\x20-\x7e]{1,100}", text):
        raise LocalProtocolError("an envelope id is 1 to 100 printable ASCII characters")
    return re.sub(r"[^!-*,-<>-~]", lambda found: f"+{ord(found[0]):02X}", text)
