"""Telling machines from people: who answers machines by a machine may go round in circles for ever.

Whatever answers mail by itself asks `why_not_answered` first (RFC 3834), and marks what it sends with `AUTO_REPLIED`,
so that others' machines leave it alone as well.
"""

import re

from posthouse.model.message import Message

AUTO_REPLIED = (("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All"))
"""The headers of an automatic answer."""

_DAEMON = re.compile(
    r"(?:mailer-daemon|postmaster|mail(?:er)?[-_.]?(?:system|delivery|subsystem)|majordomo|listserv|bounces?|no-?reply"
    r"|do-?not-?reply|auto-?reply)(?:[-+=._].*)?@.*|.+-(?:request|bounces|owner)@.*|owner-.*@.*",
    re.IGNORECASE,
)
_REPORTERS = re.compile(
    r"(?:mailer-daemon|postmaster|mail(?:er)?[-_.]?(?:system|delivery|subsystem)|bounces?)(?:[-+=._].*)?@.*",
    re.IGNORECASE,
)
_LISTS = ("list-id", "list-post", "list-help", "list-subscribe", "list-unsubscribe", "mailing-list", "x-mailing-list")
_BULK = frozenset({"bulk", "junk", "list", "auto_reply"})


def is_a_machine(message: Message) -> bool:
    """Whether a message comes from a mail system rather than from anybody: it has the null return path, or one of the
    names by which mail systems write."""
    fields = _fields(message)
    if fields.get("return-path", "").strip() == "<>" or "x-failed-recipients" in fields:
        return True
    return any(_REPORTERS.fullmatch(one.email) for one in message.sender[:1]) or any(
        one.email.lower() == "mailer-daemon" for one in message.sender[:1]
    )


def why_not_answered(message: Message) -> str:
    """Why this message is not to be answered automatically, in words; '' when it may be."""
    fields = _fields(message)
    if fields.get("auto-submitted", "no").split(";")[0].strip().lower() != "no":
        return "it was sent automatically (Auto-Submitted)"
    if fields.get("return-path", "").strip() == "<>":
        return "it has the null return path: it is a report"
    if found := next((name for name in _LISTS if name in fields), ""):
        return f"it comes from a mailing list ({found.title()})"
    if fields.get("precedence", "").strip().lower() in _BULK:
        return "it was sent in bulk (Precedence)"
    if "x-auto-response-suppress" in fields or "x-autoreply" in fields or "x-autorespond" in fields:
        return "it asks for no automatic answer"
    if "x-loop" in fields or "x-failed-recipients" in fields or "feedback-id" in fields:
        return "a machine has sent it"
    if any(part.content_type.startswith("message/") and "status" in part.content_type for part in message.parts):
        return "it is a report"
    people = message.reply_to or message.sender
    if not people or not people[0].email:
        return "it has no sender to answer to"
    if any(_DAEMON.fullmatch(one.email) for one in (*message.sender[:1], *people[:1])):
        return f"{people[0].email} is a machine's address"
    return ""


def _fields(message: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in reversed(message.headers)}
