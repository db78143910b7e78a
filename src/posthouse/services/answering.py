"""Answering: replies that stay in their conversation, and emails handed on to others with all that is in them.

Who asks by the API says what is to be added, and gets the rest by the rules (`reply`, `forward`). Who writes by hand is
proposed a whole email (`proposal`) which he changes as he likes; `placed` puts it where it belongs.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from html import escape

from posthouse.mime import html
from posthouse.mime.writing import is_message_id
from posthouse.model.errors import Invalid
from posthouse.model.mail import Attachment, Email, Outgoing
from posthouse.model.message import Address, Message
from posthouse.model.values import AccountId, EmailId, InboxId
from posthouse.services.mail import Mail
from posthouse.store.database import Database

_IS_REPLY = re.compile(r"\s*re\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)
_IS_FORWARDED = re.compile(r"\s*(?:fwd?|fw)\s*:", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)


class Answer(StrEnum):
    """What somebody does with an email. `all` is everybody who got it, too."""

    REPLY = "reply"
    REPLY_ALL = "replyAll"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An email to begin with. `text` quotes the one that it is about, `attachments` are all that this one has; `to` is
    empty where there is nobody to answer."""

    about: Email
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str
    text: str
    attachments: tuple[Attachment, ...] = ()


class Answering:
    """Says what is to be sent; it is sent like anything else."""

    def __init__(self, database: Database, mail: Mail) -> None:
        self._database = database
        self._mail = mail

    async def reply(self, account: AccountId, email_id: EmailId, wish: Outgoing) -> tuple[Email, Outgoing]:
        """The email, and the wish made a reply to it: addressed to where it wants its replies, with its subject, and
        in its conversation (RFC 5322 §3.6.4). Raises Invalid when it does not say whom to answer."""
        opened = await self._mail.open(account, email_id)
        email, message = opened.email, opened.message
        to = _answerable(email)
        if not to:
            raise Invalid("this email does not say who sent it, so there is nobody to reply to")
        subject = _answered(email.subject)
        parent = message.message_id if is_message_id(message.message_id) else ""
        return email, replace(
            wish, recipients=to, subject=subject, in_reply_to=parent, references=_references(message, parent)
        )

    async def forward(self, account: AccountId, email_id: EmailId, wish: Outgoing) -> tuple[Email, Outgoing]:
        """The email, and the wish made the same for others: who wrote it to whom, its body and all its attachments
        are in it. It is another conversation that refers to this one."""
        opened = await self._mail.open(account, email_id)
        email, message = opened.email, opened.message
        subject = wish.subject or _forwarded(email.subject)
        parent = message.message_id if is_message_id(message.message_id) else ""
        return email, replace(
            wish,
            subject=subject,
            body=_quoted_html(email, message.html) if message.html else _quoted_text(email, message.text),
            is_html=bool(message.html),
            attachments=(*wish.attachments, *email.attachment_ids),
            references=_references(message, parent),
        )

    async def proposal(self, account: AccountId, email_id: EmailId, answer: Answer) -> Proposal:
        """What such an answer might be. Nobody is written to twice, and nobody to himself."""
        opened = await self._mail.open(account, email_id)
        email, message = opened.email, opened.message
        if answer is Answer.FORWARD:
            return Proposal(
                about=email,
                subject=_forwarded(email.subject),
                text=f"\n\n{_quoted_text(email, _text_of(message))}",
                attachments=opened.attachments,
            )
        to = _answerable(email)
        cc: tuple[Address, ...] = ()
        if answer is Answer.REPLY_ALL:
            named = {*await self._own_addresses(account, email.inbox_id), *(one.email.lower() for one in to)}
            others = {one.email.lower(): one for one in reversed((*email.to, *email.cc)) if one.email}
            cc = tuple(one for address, one in reversed(others.items()) if address not in named)
        return Proposal(
            about=email, to=to, cc=cc, subject=_answered(email.subject), text=_cited(email, _text_of(message))
        )

    async def placed(self, account: AccountId, email_id: EmailId, answer: Answer, wish: Outgoing) -> Outgoing:
        """The wish, put into the conversation that it answers; a forward refers to it, and begins another."""
        message = (await self._mail.open(account, email_id)).message
        parent = message.message_id if is_message_id(message.message_id) else ""
        reply_to = "" if answer is Answer.FORWARD else parent
        return replace(wish, in_reply_to=reply_to, references=_references(message, parent))

    async def _own_addresses(self, account: AccountId, inbox_id: InboxId) -> set[str]:
        """The addresses under which this inbox is written to."""
        async with self._database.reading() as tx:
            inbox = await tx.inboxes.get(account, inbox_id)
            connector = await tx.connectors.by_inbox(account, inbox_id)
        own = (inbox.email_address if inbox else None, connector.email_address if connector else None)
        return {address.lower() for address in own if address}


def _answerable(email: Email) -> tuple[Address, ...]:
    return tuple(person for person in email.reply_to or (email.sender,) if person and person.email)


def _answered(subject: str) -> str:
    return subject if _IS_REPLY.match(subject) else f"Re: {subject}".strip()


def _forwarded(subject: str) -> str:
    return subject if _IS_FORWARDED.match(subject) else f"Fwd: {subject}".strip()


def _text_of(message: Message) -> str:
    return message.text or html.text(message.html)


def _cited(email: Email, text: str) -> str:
    """The text as it stands below an answer, each line behind a mark (RFC 3676 §4.5)."""
    when = f"On {email.sent_at.strftime('%a, %d %b %Y %H:%M %z')}, " if email.sent_at else ""
    lines = (f"> {line}" if line and not line.startswith(">") else f">{line}" for line in text.rstrip().splitlines())
    return "\n".join(["", "", f"{when}{email.sender or 'somebody'} wrote:", *lines, ""])


def _references(message: Message, parent: str) -> tuple[str, ...]:
    before = message.references or ((message.in_reply_to,) if message.in_reply_to else ())
    return tuple(dict.fromkeys(one for one in (*before, parent) if is_message_id(one)))


def _credits(email: Email) -> list[tuple[str, str]]:
    """Who wrote it to whom, and when."""
    said = [
        ("From", str(email.sender or "")),
        ("Date", email.sent_at.strftime("%a, %d %b %Y %H:%M %z") if email.sent_at else ""),
        ("Subject", email.subject),
        ("To", _people(email.to)),
        ("Cc", _people(email.cc)),
    ]
    return [(name, value) for name, value in said if value]


def _people(people: tuple[Address, ...]) -> str:
    return ", ".join(map(str, people))


_LINE = "---------- Forwarded message ----------"


def _quoted_text(email: Email, text: str) -> str:
    return "\n".join([_LINE, *(f"{name}: {value}" for name, value in _credits(email)), "", text])


def _quoted_html(email: Email, html: str) -> str:
    lines = [_LINE, *(f"{name}: {value}" for name, value in _credits(email))]
    head = "<div>" + "<br>\n".join(map(escape, lines)) + "</div><br>\n"
    body = _BODY.search(html)  # within the page's body if there is one, so that it stays a page
    return html[: body.end()] + head + html[body.end() :] if body else head + html
