"""How a provider is, and how it misbehaves.

A `Profile` is a provider's nature and fixed for its life: what it offers and how its folders lie. `Faults` are
its bad days: every one is off until somebody sets it, may be set and cleared while clients are connected, and is
consulted at one place in the servers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider offers. A command or answer of an extension that is not in `capabilities` does not exist."""

    name: str
    capabilities: tuple[str, ...]
    mechanisms: tuple[str, ...]
    folders: tuple[tuple[str, str], ...]
    """Every new user's folders beside INBOX: name and special-use attribute (RFC 6154), or ''."""
    delimiter: str = "/"
    sign_in_on_clear_text: bool = True
    """False: LOGINDISABLED and no mechanisms until TLS is up."""
    files_sent: bool = False
    """Whether new users' submitted mail is filed in their Sent folder by the provider itself."""
    largest_message: int = 50 * 1024 * 1024
    """In bytes, for SMTP and for APPEND."""


PLAIN = Profile(
    name="plain",
    capabilities=(
        "IMAP4rev1",
        "IDLE",
        "UIDPLUS",
        "LITERAL+",
        "SASL-IR",
        "ID",
        "ENABLE",
        "CONDSTORE",
        "ESEARCH",
        "MOVE",
        "NAMESPACE",
        "SPECIAL-USE",
        "LIST-EXTENDED",
        "LIST-STATUS",
        "CHILDREN",
        "UNSELECT",
    ),
    mechanisms=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"),
    folders=(
        ("Archive", "\\Archive"),
        ("Drafts", "\\Drafts"),
        ("Junk", "\\Junk"),
        ("Sent", "\\Sent"),
        ("Trash", "\\Trash"),
    ),
)


@dataclass(slots=True, kw_only=True)
class Faults:
    """What goes wrong at the moment. A fresh `Faults()` is a provider on a good day."""

    # The connection
    half_open: bool = False
    """A connection used or opened now is dead for ever: no byte goes either way, and nobody says so."""
    drip: float = 0.0
    """Seconds before each single byte that is sent."""

    # IMAP: signing in
    preauth: bool = False
    """The greeting says PREAUTH, and the client is the first user."""
    starttls_injection: bytes = b""
    """Sent in clear text right behind the go-ahead of STARTTLS, IMAP and SMTP alike."""
    refuse_credentials_after: int | None = None
    """After this many sign-ins, by IMAP and SMTP together, right credentials are refused."""
    ok_then_bad: bool = False
    """Signing in succeeds, everything after it is `BAD User is authenticated but not connected.` (Exchange)."""

    # IMAP: answers
    throttle: int | None = None
    """Once signed in, every command is refused with a hint of this many milliseconds (Exchange)."""
    imap_answers: Mapping[str, str] = field(default_factory=dict)
    """Verb in upper case → what follows the tag instead of doing it: `{"SELECT": "NO [UNAVAILABLE] later"}`."""
    deaf_idle: bool = False
    """IDLE is accepted and says nothing until it is done."""
    exists_off_by: int = 0
    """Added to every message count: EXISTS and STATUS MESSAGES."""
    forget_uid_next: bool = False
    """SELECT and EXAMINE do not mention UIDNEXT."""
    empty_list: bool = False
    """LIST and LSUB succeed and list nothing."""
    omit: Collection[str] = ()
    """FETCH items left out of the answers, in upper case: `{"FLAGS"}`."""
    cut_literal_at: int | None = None
    """In FETCH, after this many bytes of a literal: BYE, and the connection closes."""
    huge_literal: int | None = None
    """FETCH announces literals of this many bytes, and does send them."""
    endless_line: bool = False
    """FETCH answers with a line that never ends."""

    # SMTP
    smtp_answers: Mapping[str, str] = field(default_factory=dict)
    """Verb in upper case, `CONNECT` or `MESSAGE` → the reply instead of doing it: `{"MAIL": "451 4.7.1 Later"}`.

    A reply of 421 also closes the connection (RFC 5321 §3.8).
    """
    refused_recipients: Mapping[str, str] = field(default_factory=dict)
    """Address in lower case → the reply to its RCPT."""
    lose_verdict: bool = False
    """A message is accepted and delivered, and the connection closes before the 250."""
