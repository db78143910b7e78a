"""An email as a person looks at it: its text with links, its HTML for a frame of its own, its source.

Mail is written by anybody. The HTML is sanitised here, and remote images are left out unless they are asked for;
whoever shows it puts it into a sandboxed frame all the same.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from posthouse.mime import html, showing
from posthouse.mime.reading import read
from posthouse.model.errors import NotFound
from posthouse.model.mail import Attachment, Email
from posthouse.model.message import Message
from posthouse.model.values import AccountId, EmailId
from posthouse.services.mail import Mail

T = TypeVar("T")

LONGEST_TEXT = 200_000
"""Characters of a text that are shown; there is always the whole to download."""
_LARGE = 64 << 10  # from here on, it is done beside the event loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What there is to see of a message. `text` is cut into pieces, each with the web address that it is, or ''; it is
    made from the HTML when there is no plain text. `remote_images` is how many images would be fetched from elsewhere;
    `cut` says that not all of the text is there."""

    message: Message
    text: tuple[tuple[str, str], ...]
    has_html: bool
    remote_images: int
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEmail:
    """A received email with what there is to see of it."""

    email: Email
    attachments: tuple[Attachment, ...]
    shown: Shown


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a message as text, as far as they are shown."""

    text: str
    cut: bool


class Showing:
    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def email(self, account: AccountId, email_id: EmailId, *, mark_read: bool = False) -> ShownEmail:
        """An email to be looked at. With `mark_read` it counts as read from now on.

        One that could not be read when it came in is not tried again: there is only its source to see.
        """
        email = await self._mail.get(account, email_id)
        if email.problem is not None:
            if mark_read:
                email = await self._mail.mark_read(account, email_id)
            return ShownEmail(email=email, attachments=(), shown=shown(Message()))
        opened = await self._mail.open_found(email, mark_read=mark_read)
        looked = await _beside(opened.raw, lambda: shown(opened.message))
        return ShownEmail(email=opened.email, attachments=opened.attachments, shown=looked)

    async def frame(self, account: AccountId, email_id: EmailId, *, remote: bool = False) -> str:
        """The email's HTML as a document for a sandboxed frame, with images from elsewhere only if they are asked for.
        Raises NotFound when it has no HTML."""
        if (await self._mail.get(account, email_id)).problem is not None:
            raise NotFound("this email could not be read: see its source")
        return await frame(await self._mail.raw(account, email_id), remote=remote)

    async def source(self, account: AccountId, email_id: EmailId) -> Source:
        """The message as it came."""
        return source(await self._mail.raw(account, email_id))


def shown(message: Message) -> Shown:
    text = message.text if message.text.strip() else html.text(message.html)
    return Shown(
        message=message,
        text=tuple(showing.linked(text[:LONGEST_TEXT])),
        has_html=bool(message.html.strip()),
        remote_images=showing.remote_images(message.html),
        cut=len(text) > LONGEST_TEXT,
    )


async def frame(raw: bytes, *, remote: bool = False) -> str:
    """A message's HTML as a document for a sandboxed frame. Raises NotFound when it has none."""

    def work() -> str:
        message = read(raw)
        return showing.frame(message, raw, remote=remote) if message.html.strip() else ""

    framed = await _beside(raw, work)
    if not framed:
        raise NotFound("this email has no HTML: see its text")
    return framed


def source(raw: bytes) -> Source:
    """UTF-8 is what most messages are in that are not ASCII alone; what is not is replaced."""
    return Source(raw[:LONGEST_TEXT].decode("utf-8", "replace").replace("\r\n", "\n"), len(raw) > LONGEST_TEXT)


async def _beside(raw: bytes, work: Callable[[], T]) -> T:
    return work() if len(raw) < _LARGE else await asyncio.to_thread(work)
