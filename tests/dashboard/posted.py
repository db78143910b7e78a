"""Mailboxes at the simulated provider, to write from."""

from typing import Any

from posthouse.model.connectors import Connector, ImapSettings, Security, SmtpSettings
from posthouse.model.values import Secret
from posthouse.services.connectors import NewConnector

from .visiting import House, Visitor

PASSWORD = "a password"


async def a_mailbox(house: House, visitor: Visitor, name: str) -> Connector:
    """A connector of the visitor's to a new mailbox; it sends, and fetches only when asked."""
    address = f"{name}@provider.example"
    house.provider.add_user(address, PASSWORD)
    common: dict[str, Any] = {
        "host": "127.0.0.1",
        "security": Security.PLAIN,
        "username": address,
        "password": Secret(PASSWORD),
    }
    wish = NewConnector(
        name=name,
        email_address=address,
        imap=ImapSettings(port=house.provider.imap_port, **common),
        smtp=SmtpSettings(port=house.provider.smtp_port, **common),
    )
    return await house.services.connectors.create(visitor.account.id, wish)
