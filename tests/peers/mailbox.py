"""One person's mailbox at the peers, for one test."""

import secrets
import time
from dataclasses import dataclass

from .dovecot import Dovecot, Message
from .smtpd import SmtpServer

_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Mailbox:
    """A user of Dovecot (`server`) that no other test knows."""

    server: Dovecot
    address: str
    password: str

    @classmethod
    def fresh(cls, server: Dovecot) -> "Mailbox":
        """A new user with an empty INBOX."""
        new = cls(server, f"user-{secrets.token_hex(5)}@example.org", secrets.token_urlsafe(12))
        server.add_user(new.address, new.password)
        return new

    def deliver(self, message: bytes, *, sender: str = "sender@example.org") -> None:
        """New mail, as from another mail server."""
        self.server.deliver(self.address, message, sender=sender)

    def append(self, message: bytes, folder: str = "INBOX", *, flags: tuple[str, ...] = ()) -> int:
        """A message filed by a client, byte for byte; its UID."""
        return self.server.append(self.address, message, folder, flags=flags)

    def messages(self, folder: str = "INBOX") -> list[Message]:
        """What is in a folder now; looking changes nothing."""
        return self.server.messages(self.address, folder)

    def wait_for(self, count: int) -> list[Message]:
        """What is in INBOX, once there are at least so many messages: another server may still be delivering."""
        deadline = time.monotonic() + _PATIENCE
        while len(found := self.messages()) < count:
            assert time.monotonic() < deadline, f"{self.address} has {len(found)} messages, not {count}"
            time.sleep(0.02)
        return found

    def may_send(self, smtp_server: SmtpServer) -> None:
        """Make this address a user of the SMTP server too; mail for it arrives there and in this INBOX."""
        smtp_server.add_user(self.address, self.password, also_deliver_to=self.server)
