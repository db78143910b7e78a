"""What kinds of providers there are: what each offers, how its folders lie, and which habits it can't be cured of.

A profile is data, and fixed for a provider's life. Its habits are those of the real server of that kind which clients
have to get along with; what goes wrong only at times is a fault.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider offers. A command or answer of an extension that is not in `capabilities` does not exist."""

    name: str
    capabilities: tuple[str, ...]
    mechanisms: tuple[str, ...]
    folders: tuple[tuple[str, str], ...]
    """Every new user's folders beside INBOX: name and special-use attribute (RFC 6154), `\\Noselect` or ''."""
    delimiter: str = "/"
    prefix: str = ""
    """What the names of all folders but INBOX begin with."""
    sign_in_on_clear_text: bool = True
    """False: LOGINDISABLED and no mechanisms until TLS is up."""
    files_sent: bool = False
    """Whether new users' submitted mail is filed in their Sent folder by the provider itself."""
    largest_message: int = 50 * 1024 * 1024
    """In bytes, for SMTP and for APPEND."""
    most_connections: int | None = None
    """IMAP sessions of one user at the same time."""

    labels: bool = False
    """Folders are labels: a message may be in many and is one all the same, as X-GM-EXT-1 shows."""
    slows_down: bool = False
    """Throttling means longer waits and `[THROTTLED]`, not refusals."""
    tells_uid_next: bool = True
    """Whether SELECT mentions UIDNEXT."""
    search_charsets: tuple[str, ...] = ("US-ASCII", "UTF-8")
    fetches_descending: bool = False
    """Whether FETCH shows the last message first."""
    forgives_numbers: bool = False
    """Whether a message number that is not there is passed over, instead of BAD."""
    refuses_descending_sets: bool = False
    """Whether `5:1` is BAD."""
    size_error: float = 0.0
    """How far RFC822.SIZE is from the truth: 0.1 is a tenth too much."""

    refusal: str = "[AUTHENTICATIONFAILED] Wrong username or password"
    """What follows NO when the credentials are wrong."""
    crowded: str = "[LIMIT] Too many simultaneous connections"
    """What follows NO when somebody has too many IMAP sessions."""


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
        "QRESYNC",
        "ESEARCH",
        "MOVE",
        "NAMESPACE",
        "NOTIFY",
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

GMAIL = Profile(
    name="gmail",
    capabilities=(
        "IMAP4rev1",
        "UNSELECT",
        "IDLE",
        "NAMESPACE",
        "ID",
        "CHILDREN",
        "X-GM-EXT-1",
        "UIDPLUS",
        "ENABLE",
        "MOVE",
        "CONDSTORE",
        "ESEARCH",
        "SASL-IR",
        "LITERAL-",
        "SPECIAL-USE",
        "LIST-EXTENDED",
        "LIST-STATUS",
    ),
    mechanisms=("PLAIN", "XOAUTH2", "OAUTHBEARER"),
    folders=(
        ("[Gmail]", "\\Noselect"),
        ("[Gmail]/All Mail", "\\All"),
        ("[Gmail]/Drafts", "\\Drafts"),
        ("[Gmail]/Sent Mail", "\\Sent"),
        ("[Gmail]/Spam", "\\Junk"),
        ("[Gmail]/Trash", "\\Trash"),
    ),
    files_sent=True,
    largest_message=25 * 1024 * 1024,
    most_connections=15,
    labels=True,
    slows_down=True,
    refusal="[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    crowded="[ALERT] Too many simultaneous connections. (Failure)",
)

EXCHANGE = Profile(
    name="exchange",
    capabilities=(
        "IMAP4",
        "IMAP4rev1",
        "SASL-IR",
        "UIDPLUS",
        "MOVE",
        "ID",
        "UNSELECT",
        "CHILDREN",
        "IDLE",
        "NAMESPACE",
        "LITERAL+",
    ),
    mechanisms=("PLAIN", "LOGIN", "XOAUTH2"),
    folders=(
        ("Archive", ""),
        ("Deleted Items", "\\Trash"),
        ("Drafts", "\\Drafts"),
        ("Junk Email", "\\Junk"),
        ("Outbox", ""),
        ("Sent Items", "\\Sent"),
    ),
    files_sent=True,
    largest_message=35 * 1024 * 1024,
    most_connections=20,
    search_charsets=("US-ASCII",),
    size_error=0.03,
    refusal="LOGIN failed.",
)

COURIER = Profile(
    name="courier",
    capabilities=("IMAP4rev1", "UIDPLUS", "CHILDREN", "NAMESPACE"),
    mechanisms=("PLAIN", "LOGIN", "CRAM-MD5"),
    folders=(
        ("INBOX.Drafts", ""),
        ("INBOX.Sent", ""),
        ("INBOX.Trash", ""),
    ),
    delimiter=".",
    prefix="INBOX.",
    most_connections=20,
    tells_uid_next=False,
    fetches_descending=True,
    forgives_numbers=True,
    refuses_descending_sets=True,
    refusal="Login failed.",
)

PROFILES = {profile.name: profile for profile in (PLAIN, GMAIL, EXCHANGE, COURIER)}
