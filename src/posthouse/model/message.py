"""What can be known of one message's bytes.

`mime.reading` makes these, the store keeps most of them, and whoever wants a part's content goes back to the raw
message with the part's offsets: nothing is stored twice.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Address:
    """A person or list in a header: decoded display name (may be '') and address (may be '' when unusable)."""

    name: str
    email: str

    def __str__(self) -> str:
        """As people write it, unquoted: for display, never for a header."""
        return f"{self.name} <{self.email}>" if self.name else self.email


class Transfer(StrEnum):
    """How a part's content is encoded on the way (RFC 2045 §6)."""

    IDENTITY = "identity"
    BASE64 = "base64"
    QUOTED_PRINTABLE = "quoted-printable"
    UUENCODE = "uuencode"


class Stretch(Protocol):
    """Where encoded content lies in a raw message."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def transfer(self) -> Transfer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One leaf of the MIME tree: where it lies in the raw message, and what it says of itself.

    `start` and `end` bound the encoded content in the raw bytes, `size` is its decoded length in octets.
    `content_type` is lower case and never empty; `filename` is a bare name, never a path: attachments without one
    were given one, other parts have '' then.
    """

    path: str
    content_type: str
    charset: str
    transfer: Transfer
    disposition: str
    filename: str
    content_id: str
    start: int
    end: int
    size: int
    is_attachment: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message, read. Absent things are '', empty or None; nothing here raises and nothing is guessed silently:
    what was wrong with the bytes is listed in `defects`, in words. Message ids come without their angle brackets,
    `date` in UTC, texts with LF line ends."""

    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    subject: str = ""
    sender: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    date: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    html: str = ""
    charset: str = ""
    parts: tuple[Part, ...] = ()
    defects: tuple[str, ...] = field(default=())

    @property
    def attachments(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.is_attachment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file to be sent along; one with a `content_id` that the HTML names as `cid:…` is shown inside of it."""

    filename: str
    content_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message that somebody wants sent. Message ids may have their angle brackets or not."""

    sender: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Enclosure, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
