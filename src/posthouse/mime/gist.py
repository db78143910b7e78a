"""What is filed of a message: all that its rows need, without its texts.

A gist is small however large the message is, so that it may be made in another process.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from posthouse.mime.bounces import report_of
from posthouse.mime.reading import excerpt, read, search_text
from posthouse.model.message import Address, Message, Part
from posthouse.model.reports import Report
from posthouse.model.sync import Buffer
from posthouse.model.words import words

Reader = Callable[[Buffer], Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gist:
    """The gist of a message. `digest` is its bytes' SHA-256; `words`, different ones with blanks between them, are
    what it is found by; `report` is what it tells of another that we may have sent; `problem` says in words why all the
    rest is empty. The other fields are a `Message`'s."""

    digest: bytes
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
    charset: str = ""
    is_html: bool = False
    content_types: tuple[str, ...] = ()
    attachments: tuple[Part, ...] = ()
    excerpt: str = ""
    words: str = ""
    report: Report | None = None
    problem: str | None = None


def gist(raw: Buffer, reader: Reader = read) -> Gist:
    """The gist of these bytes. Never raises for what they say."""
    try:
        message = reader(raw)
        return Gist(
            digest=hashlib.sha256(raw).digest(),
            message_id=message.message_id,
            in_reply_to=message.in_reply_to,
            references=message.references,
            subject=message.subject,
            sender=message.sender,
            reply_to=message.reply_to,
            to=message.to,
            cc=message.cc,
            bcc=message.bcc,
            date=message.date,
            charset=message.charset,
            is_html=bool(message.html),
            content_types=tuple(dict.fromkeys(part.content_type for part in message.parts)),
            attachments=message.attachments,
            excerpt=excerpt(message),
            words=" ".join(words(_findable(message))),
            report=_report(raw, message),
        )
    except Exception as error:  # reading promises never to raise; if it breaks its word, mail must get in
        return unreadable(raw, type(error).__name__)


def unreadable(raw: Buffer, why: str) -> Gist:
    """The gist of a message that could not be read."""
    problem = f"could not be read ({why}); the raw message is kept"
    return Gist(digest=hashlib.sha256(raw).digest(), problem=problem)


def _report(raw: Buffer, message: Message) -> Report | None:
    """What it reports. Should the guess at its meaning fail, it is mail all the same."""
    try:
        return report_of(raw, message)
    except Exception:
        return None


def _findable(message: Message) -> str:
    """All that an email should be found by."""
    people = (*message.sender, *message.to, *message.cc, *message.bcc, *message.reply_to)
    names = (part.filename for part in message.attachments)
    return " ".join((message.subject, *map(str, people), *names, message.message_id, search_text(message)))
