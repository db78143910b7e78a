"""Connectors to the simulated provider, for the pages that show them."""

from datetime import timedelta
from itertools import count

from mailboxes import both_ways
from posthouse.model.connectors import Connector, SyncSettings
from posthouse.services.connectors import NewConnector
from posthouse.simulator import User

from .visiting import House, Visitor

PASSWORD = "canary-mailbox-password"  # never to be seen on a page
_numbers = count(1)


def a_user(house: House, address: str | None = None) -> User:
    """A fresh mailbox at the provider."""
    return house.provider.add_user(address or f"user{next(_numbers)}@provider.example", PASSWORD)


async def link(
    house: House,
    visitor: Visitor,
    user: User,
    *,
    name: str | None = None,
    live: bool = False,
    enabled: bool = True,
    password: str = PASSWORD,
) -> Connector:
    """A connector to this mailbox, by IMAP and SMTP; `live`: it looks after itself."""
    imap, smtp = both_ways(house.provider, user.address, password)
    wish = NewConnector(
        name=name,
        email_address=user.address,
        enabled=enabled,
        imap=imap,
        smtp=smtp,
        sync=SyncSettings(enabled=True, interval=timedelta(minutes=5)) if live else None,
    )
    return await house.services.connectors.create(visitor.account.id, wish)


async def a_mailbox(house: House, visitor: Visitor, name: str) -> Connector:
    """A connector to a fresh mailbox of this name; it sends, and fetches only when asked."""
    return await link(house, visitor, a_user(house, f"{name}@provider.example"), name=name)
