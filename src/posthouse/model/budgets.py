"""What a provider lets one mailbox use, and what we use of it: a good guest stays below, and is not thrown out.

Limits are the providers' own where they publish them, and else what is known of them. We take less: the mailbox's owner
has other programs. A host that is not named here has no budget that we know of, but the one against ourselves.
"""

from dataclasses import dataclass

_MEGABYTE = 1_000_000

MOST_LOGINS = 10_000
"""Sign-ins of one connector in a day, whoever its provider is, after which we don't try again before the next.

No provider publishes a figure: this one guards against ourselves, against a loop that nobody has thought of. It is out
of reach of what is healthy. A session that is kept signs in some dozen times a day, a poll every minute without one
1,440 times, and waiting without a schedule about once in two seconds: to use it up takes more than five hours of that.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was asked of a mailbox: bytes of messages, sign-ins that were tried, and commands (those among them)."""

    bytes: int = 0
    logins: int = 0
    commands: int = 0

    def __bool__(self) -> bool:
        return bool(self.bytes or self.logins or self.commands)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            bytes=self.bytes + other.bytes,
            logins=self.logins + other.logins,
            commands=self.commands + other.commands,
        )


NOTHING_USED = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What we take of one mailbox: bytes and sign-ins in one day (UTC), and sessions at the same time. None where
    nobody counts."""

    provider: str = ""
    daily_bytes: int | None = None
    daily_logins: int = MOST_LOGINS
    sessions: int | None = None

    def bytes_left(self, used: Usage) -> int | None:
        """What may still be fetched today; None: as much as there is."""
        return None if self.daily_bytes is None else max(0, self.daily_bytes - used.bytes)

    @property
    def lasting_sessions(self) -> int | None:
        """How many of the sessions may be kept; the others are for those who come and go."""
        return None if self.sessions is None else self.sessions - max(1, self.sessions // 5)


_NONE = Budget()
_BUDGETS = (
    # 15 connections, and 2,500 MB a day by IMAP, beyond which the account is locked for up to a day.
    (
        ("gmail.com", "googlemail.com"),
        Budget(provider="Google", daily_bytes=2_250 * _MEGABYTE, sessions=10),
    ),
    # Exchange's default is 16 connections of one user; Microsoft's own is said to be up to 20.
    (
        ("outlook.com", "office365.com", "office365.us", "office.com", "hotmail.com", "live.com"),
        Budget(provider="Microsoft", sessions=10),
    ),
    # Not published: refusals are seen from five connections on.
    (
        ("yahoo.com", "yahoo.co.jp", "yahoodns.net", "aol.com", "att.net"),
        Budget(provider="Yahoo", sessions=3),
    ),
    # 16 connections of one user from one address.
    (("emailsrvr.com",), Budget(provider="Rackspace", sessions=10)),
)


def budget_of(host: str) -> Budget:
    """The budget of a mailbox at this host."""
    host = host.lower().rstrip(".")
    for domains, budget in _BUDGETS:
        if any(host == domain or host.endswith(f".{domain}") for domain in domains):
            return budget
    return _NONE
