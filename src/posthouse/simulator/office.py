"""What a provider's servers share: who lives here, what has gone out, what is wrong today."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from posthouse.simulator.faults import Faults
from posthouse.simulator.gmail import LabelledUser
from posthouse.simulator.mailbox import INBOX, Change, Refused, User
from posthouse.simulator.profiles import PLAIN, Profile

HOST_NAME = "mail.simulator.example"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that left for recipients at other providers, with its envelope. `sender` is '' for a bounce."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes


class Office:
    """Users and their mail, without the network."""

    def __init__(self, profile: Profile = PLAIN, now: Callable[[], datetime] = utc_now) -> None:
        self.profile = profile
        self.now = now
        self.faults = Faults()
        self.users: dict[str, User] = {}
        """By address in lower case."""
        self.outside: list[Delivery] = []
        self.changes: list[Change] = []
        """All that clients have changed by IMAP, oldest first. Deliveries and what the provider does are not here."""
        self.sign_ins = 0
        """How often somebody has signed in, by IMAP or SMTP."""
        self.tls: ssl.SSLContext | None = None
        self._validities = count(1_000_001)

    def add_user(self, address: str, password: str) -> User:
        """A new user with INBOX and the profile's folders. Raises `ValueError` for an address that is taken."""
        if address.lower() in self.users or "@" not in address:
            raise ValueError(f"taken, or not an address: {address}")
        kind = LabelledUser if self.profile.labels else User
        profile = self.profile
        user = kind(address, password, profile.delimiter, profile.prefix, profile.files_sent, self._validities)
        user.create(INBOX)
        for name, special_use in self.profile.folders:
            user.create(name, special_use)
        self.users[address.lower()] = user
        return user

    def deliver(
        self,
        address: str,
        message: bytes,
        *,
        folder: str = INBOX,
        flags: Iterable[str] = (),
        internal_date: datetime | None = None,
    ) -> int:
        """Put the message, byte for byte, into a folder, which is made if need be, and return its UID.

        Raises `KeyError` when nobody has this address, and `Refused` when the folder can't be.
        """
        user = self.users[address.lower()]
        try:
            target = user.folder(folder)
        except Refused:
            target = user.create(folder)
        if not target.selectable:
            raise Refused("There is no mail in this folder", "NONEXISTENT")
        return user.add(target, message, flags, internal_date or self.now()).uid

    def admit(self, user: User | None) -> User | None:
        """Somebody has proved to be `user`; whether that is enough today."""
        limit = self.faults.refuse_credentials_after
        if user is None:
            return None
        if limit is not None and self.sign_ins >= limit:
            self.faults.struck("refuse_credentials_after")
            return None
        self.sign_ins += 1
        return user

    def is_local(self, address: str) -> bool:
        """Whether mail for this address would be ours to deliver, known user or not."""
        domain = address.rpartition("@")[2].lower()
        return any(known.rpartition("@")[2] == domain for known in self.users)
