"""What is typed into forms: texts as a browser sends them, and a mail server's name, port and protection."""

from collections.abc import Iterable, Mapping
from typing import Any

from posthouse.model.connectors import Security

CONTROL = "it may not hold line breaks or other control characters"
"""What is said of such a text."""
MOST_MINUTES = 24 * 60
"""Between two looks at a mailbox."""


def texts(form: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The texts of these fields; '' for one that was not sent, or is no text."""
    given = {name: form.get(name) for name in names}
    return {name: text if isinstance(text, str) else "" for name, text in given.items()}


def holds_control(text: str) -> bool:
    """Whether it has a character that would end a line of a protocol, or do worse."""
    return any(ord(character) < 32 or ord(character) == 127 for character in text)


def server(host: str, port: str, security: str, problems: dict[str, str], prefix: str = "") -> dict[str, Any]:
    """What settings have of a server. What is wrong goes into `problems`, by the name of its field with `prefix`
    before it; something that can be is given in its place."""
    if not host:
        problems[f"{prefix}host"] = "enter the server's name"
    elif any(character in "/@\\[] " for character in host) or not host.isprintable() or len(host) > 255:
        problems[f"{prefix}host"] = "enter the name alone, without scheme, port or path"
    if not port.isdecimal() or not 0 < int(port[:6]) < 65536:
        problems[f"{prefix}port"], port = "ports are 1 to 65535", "1"
    if security not in set(Security):
        problems[f"{prefix}security"], security = "choose one of the list", Security.TLS
    return {"host": host, "port": int(port), "security": Security(security)}
