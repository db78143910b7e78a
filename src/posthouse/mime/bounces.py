"""Recognising reports about mail that we sent: who did not get it, and why, as far as it is said.

Standard reports (RFC 3464, in a multipart/report of RFC 3462) say it in fields. Older servers say it in prose, each in
its own: there we believe only what a machine says, and look for the addresses that it names, for a code of SMTP beside
them, and for the Message-ID in what it quotes. Whatever is looked at is bounded, and nothing here raises.
"""

import re
from collections.abc import Iterator, Sequence

from posthouse.mime import addresses, headers
from posthouse.mime.automatic import is_a_machine
from posthouse.mime.reading import content
from posthouse.model.message import Message, Part
from posthouse.model.reports import Action, Outcome, Report
from posthouse.model.sync import Buffer

__all__ = ["report_of"]

_STATUSES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_ORIGINALS = frozenset({
    "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers",
})  # fmt: skip
_LOOKED_AT = 64 * 1024  # bytes of a part, characters of a text
_MOST = 200  # recipients
_REASON = 1000  # characters

_EMPTY_LINES = re.compile(rb"(?:\r?\n){2,}")
_TYPED = re.compile(r"\s*[A-Za-z0-9-]{1,40}\s*;\s*")
_STATUS = re.compile(r"\b[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}")
_REFUSAL = re.compile(r"\b[45][0-9]{2}[ -]|\b[45]\.[0-9]{1,3}\.[0-9]{1,3}\b")
_QUOTED_ID = re.compile(r"^[> ]{0,8}message-id:\s{0,8}<([^<>\s]{1,400})>", re.IGNORECASE | re.MULTILINE)
_QUOTED_SUBJECT = re.compile(r"^[> ]{0,8}subject:[ \t]{0,8}([^\r\n]{1,500})", re.IGNORECASE | re.MULTILINE)
_BEGINS_QUOTE = re.compile(
    r"copy of (?:the|your) message|below this line|original message|headers? of the|returned message|message header"
    r"|------ ?this is",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|non-?deliver|delivery (?:status|failure|has failed|problem|report)|mail delivery (?:failed|failure)"
    r"|failure notice|returned mail|returning message|delivery failed|could not be delivered|mail system error"
    r"|unzustellbar|zugestellt werden|échec de la remise|non remis|no se puede entregar|devuelto"
    r"|mancata consegna|onbestelbaar|не доставлено",
    re.IGNORECASE,
)
_NOT_YET = re.compile(r"delay|warning|not yet|will be retried|still trying|verzögert|temporar", re.IGNORECASE)


def report_of(raw: Buffer, message: Message) -> Report | None:
    """What a message, read from these bytes, reports; None when it is no report about another."""
    for part in message.parts:
        if part.content_type in _STATUSES:
            return _standard(raw, message, part)
    if not is_a_machine(message):
        return None
    return _prose(raw, message)


def _standard(raw: Buffer, message: Message, part: Part) -> Report | None:
    said = content(raw, part)[:_LOOKED_AT].strip(b"\r\n")
    blocks = [_fields(block) for block in _EMPTY_LINES.split(said)[: _MOST + 1]]
    whole = blocks[0]
    outcomes = tuple(outcome for block in blocks if (outcome := _outcome(block)) is not None)
    if not outcomes:
        return None
    message_id, subject = _original(raw, message)
    return Report(
        outcomes=outcomes,
        reporting_mta=_bare(whole.get("reporting-mta", "")),
        envelope_id=whole.get("original-envelope-id", "").strip()[:200],
        message_id=message_id,
        subject=subject,
        arrived_at=headers.date(whole["arrival-date"]) if "arrival-date" in whole else None,
    )


def _outcome(block: dict[str, str]) -> Outcome | None:
    recipient = _address(block.get("original-recipient", "")) or _address(block.get("final-recipient", ""))
    try:
        action = Action(block.get("action", "").split(" ")[0].strip().lower())
    except ValueError:
        return None
    if not recipient:
        return None
    status = _STATUS.search(block.get("status", ""))
    reason = _bare(block.get("diagnostic-code", ""))
    return Outcome(
        recipient=recipient,
        action=action,
        status=status[0] if status else "",
        reason=reason[:_REASON],
        remote_mta=_bare(block.get("remote-mta", ""))[:255],
    )


def _prose(raw: Buffer, message: Message) -> Report | None:
    """A report that no standard governs."""
    failed = _first(message, "x-failed-recipients")  # Exim's, and Gmail's
    if not failed and not _SUBJECT.search(message.subject):
        return None
    text = (message.text or "")[:_LOOKED_AT]
    quote = _BEGINS_QUOTE.search(text)
    told, quoted = (text[: quote.start()], text[quote.start() :]) if quote else (text, text)
    lines = told.splitlines()
    if failed:
        recipients = [address.email for address in addresses.read(failed[:_LOOKED_AT], _MOST)]
        recipients = [recipient for recipient in recipients if "@" in recipient]
    else:
        recipients = list(_named(lines, message))
    message_id, subject = _original(raw, message)
    if not message_id and (found := _QUOTED_ID.search(quoted)):
        message_id = found[1]
    if not subject and (found := _QUOTED_SUBJECT.search(quoted)):
        subject = headers.words(found[1].strip())
    if not recipients:
        return None
    action = Action.DELAYED if _NOT_YET.search(message.subject) else Action.FAILED
    outcomes = tuple(_told(lines, recipient, action) for recipient in dict.fromkeys(recipients))
    return Report(outcomes=outcomes, message_id=message_id, subject=subject)


def _named(lines: Sequence[str], message: Message) -> Iterator[str]:
    """The addresses that stand at the beginning of a line of their own, or in brackets: those who are complained of."""
    own = {one.email.lower() for one in (*message.sender, *message.to)}
    seen = 0
    for line in lines:
        line = line.strip()
        found = _ADDRESS.search(line[:400])
        if found and found.start() <= 1 and found[0].lower().rstrip(".") not in own:
            yield found[0].rstrip(".")
            seen += 1
            if seen == _MOST:
                return


def _told(lines: Sequence[str], recipient: str, action: Action) -> Outcome:
    """What is said of a recipient: the line that names him and those below, up to an empty one."""
    start = next((n for n, line in enumerate(lines) if recipient.lower() in line.lower()), None)
    reason: list[str] = []
    if start is not None:
        for line in lines[start : start + 12]:
            if not line.strip() and any(_REFUSAL.search(one) for one in reason):
                break
            reason.append(line.strip())
    text = " ".join(filter(None, reason))[:_REASON]
    status = _STATUS.search(text)
    return Outcome(recipient=recipient, action=action, status=status[0] if status else "", reason=text)


def _original(raw: Buffer, message: Message) -> tuple[str, str]:
    """The Message-ID and subject of the message that came back."""
    for part in message.parts:
        if part.content_type in _ORIGINALS:
            head = content(raw, part)[:_LOOKED_AT].lstrip(b"\r\n")
            block = headers.read_block(head, 0, len(head), block_cap=_LOOKED_AT, value_cap=4000, count_cap=500)
            ids = headers.ids(block.first("message-id"))
            return next(iter(ids), ""), headers.words(block.first("subject"))
    return "", ""


def _fields(block: bytes) -> dict[str, str]:
    found = headers.read_block(block, 0, len(block), block_cap=_LOOKED_AT, value_cap=4000, count_cap=100)
    return {name.lower(): value for name, value in reversed(found.fields)}


def _first(message: Message, name: str) -> str:
    return next((value for field, value in message.headers if field.lower() == name), "")


def _bare(value: str) -> str:
    """`dns; mail.example.org` → `mail.example.org`"""
    return " ".join(_TYPED.sub("", value, count=1).split())


def _address(value: str) -> str:
    """`rfc822; <ann@example.org>` → `ann@example.org`; '' where there is none."""
    found = _ADDRESS.search(_bare(value)[:400])
    return found[0] if found else ""
