"""How a mailbox at the simulated provider is reached."""

from typing import Any

from posthouse.model.connectors import ImapSettings, Security, SmtpSettings
from posthouse.model.values import Secret
from posthouse.simulator import Provider


def both_ways(provider: Provider, address: str, password: str, **smtp: Any) -> tuple[ImapSettings, SmtpSettings]:
    """By IMAP and by SMTP, in the clear; `smtp` is what the latter has otherwise."""
    common: dict[str, Any] = {
        "host": "127.0.0.1",
        "security": Security.PLAIN,
        "username": address,
        "password": Secret(password),
    }
    return (
        ImapSettings(port=provider.imap_port, **common),
        SmtpSettings(**{"port": provider.smtp_port, **common, **smtp}),
    )
