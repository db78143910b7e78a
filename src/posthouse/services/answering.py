"""Answering: replies that stay in their conversation, and emails handed on to others with all that is in them."""

import re
from dataclasses import replace
from html import escape

from posthouse.mime.writing import is_message_id
from posthouse.model.errors import Invalid
from posthouse.model.mail import Email, Outgoing
from posthouse.model.message import Address, Message
from posthouse.model.values import AccountId, EmailId
from posthouse.services.mail import Mail

_IS_REPLY = re.compile(r"\s*re\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)
_IS_FORWARDED = re.compile(r"\s*(?:fwd?|fw)\s*:", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)


class Answering:
    """Says what is to be sent; it is sent like anything else."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def reply(self, account: AccountId, email_id: EmailId, wish: Outgoing) -> tuple[Email, Outgoing]:
        """The email, and the wish made a reply to it: addressed to where it wants its replies, with its subject, and
        in its conversation (RFC 5322 §3.6.4). Raises Invalid when it does not say whom to answer."""
        opened = await self._mail.open(account, email_id)
        email, message = opened.email, opened.message
        to = tuple(person for person in email.reply_to or (email.sender,) if person and person.email)
        if not to:
            raise Invalid("this email does not say who sent it, so there is nobody to reply to")
        subject = email.subject if _IS_REPLY.match(email.subject) else f"Re: {email.subject}".strip()
        parent = message.message_id if is_message_id(message.message_id) else ""
        return email, replace(
            wish, recipients=to, subject=subject, in_reply_to=parent, references=_references(message, parent)
        )

    async def forward(self, account: AccountId, email_id: EmailId, wish: Outgoing) -> tuple[Email, Outgoing]:
        """The email, and the wish made the same for others: who wrote it to whom, its body and all its attachments
        are in it. It is another conversation that refers to this one."""
        opened = await self._mail.open(account, email_id)
        email, message = opened.email, opened.message
        subject = wish.subject or (
            email.subject if _IS_FORWARDED.match(email.subject) else f"Fwd: {email.subject}".strip()
        )
        parent = message.message_id if is_message_id(message.message_id) else ""
        return email, replace(
            wish,
            subject=subject,
            body=_quoted_html(email, message.html) if message.html else _quoted_text(email, message.text),
            is_html=bool(message.html),
            attachments=(*wish.attachments, *email.attachment_ids),
            references=_references(message, parent),
        )


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
