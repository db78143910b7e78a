"""Connectors to the simulated provider, for the pages that show them."""

from datetime import timedelta
from itertools import count

from posthouse.model.connectors import Connector, ImapSettings, Security, SmtpSettings, SyncSettings
from posthouse.model.values import Secret
from posthouse.services.connectors import NewConnector
from posthouse.simulator import User

from .visiting import House, Visitor

PASSWORD = "canary-mailbox-password"  # never to be seen on a page
_numbers = count(1)


def a_user(house: House) -> User:
    """A fresh mailbox at the provider."""
    return house.provider.add_user(f"user{next(_numbers)}@provider.example", PASSWORD)


def imap_of(house: House, user: User, password: str = PASSWORD) -> ImapSettings:
    return ImapSettings(
        host="127.0.0.1",
        port=house.provider.imap_port,
        security=Security.PLAIN,
        username=user.address,
        password=Secret(password),
    )


async def link(
    house: House, visitor: Visitor, user: User, *, name: str | None = None, live: bool = False, password: str = PASSWORD
) -> Connector:
    """A connector to this mailbox, by IMAP and SMTP; `live`: it looks after itself."""
    smtp = SmtpSettings(
        host="127.0.0.1",
        port=house.provider.smtp_port,
        security=Security.PLAIN,
        username=user.address,
        password=Secret(password),
    )
    wish = NewConnector(
        name=name,
        email_address=user.address,
        imap=imap_of(house, user, password),
        smtp=smtp,
        sync=SyncSettings(enabled=True, interval=timedelta(minutes=5)) if live else None,
    )
    return await house.services.connectors.create(visitor.account.id, wish)
