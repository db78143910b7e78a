"""What a provider lets one mailbox use: a good guest stays below it, and is not thrown out.

Figures are the providers' own, as published; a host that is not named here has no budget that we know of.
"""

from dataclasses import dataclass

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be fetched from one mailbox in one day (UTC), in bytes; None where nobody counts."""

    provider: str
    daily_bytes: int | None

    def left(self, used: int) -> int | None:
        """What may still be fetched today; None: as much as there is."""
        return None if self.daily_bytes is None else max(0, self.daily_bytes - used)


_NONE = Budget("", None)
_BUDGETS = (
    # Google: 2,500 MB a day by IMAP, beyond which the account is locked for up to a day. A tenth is left to the
    # mailbox's owner and his other programs.
    (("gmail.com", "googlemail.com"), Budget("Google", 2_250 * _MEGABYTE)),
)


def budget_of(host: str) -> Budget:
    """The budget of a mailbox at this host."""
    for domains, budget in _BUDGETS:
        if any(host == domain or host.endswith(f".{domain}") for domain in domains):
            return budget
    return _NONE
