"""Messages as they come, well-formed and not, each with what can be known of it.

`NAME.eml` is the raw message, `NAME.json` what must be read from it; only the keys that are there are compared.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posthouse.model.message import Address, Message

FOLDER = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in FOLDER.glob("*.eml"))


def raw(name: str) -> bytes:
    return (FOLDER / f"{name}.eml").read_bytes()


def expected(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"{name}.json").read_text("utf-8")))


def told(message: Message, keys: list[str]) -> dict[str, Any]:
    """What `message` says of these keys, in JSON's types."""
    return {key: _TOLD[key](message) if key in _TOLD else _plain(getattr(message, key)) for key in keys}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Address):
        return [value.name, value.email]
    return value


_TOLD: dict[str, Callable[[Message], Any]] = {
    "date": lambda message: message.date and message.date.isoformat(),
    "header_names": lambda message: [name for name, _ in message.headers],
    "paths": lambda message: [part.path for part in message.parts],
    "attachments": lambda message: [
        [part.filename, part.content_type, part.size, part.content_id] for part in message.attachments
    ],
}
