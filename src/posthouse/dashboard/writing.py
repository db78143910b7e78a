"""Writing an email: a new one, an answer, one that is handed on; sent now or at a time.

A form carries a key of its own. However often it is sent, by a double click or by loading the page again, it is one
email; its files are kept under the same key, so that they need not be chosen again after a mistake elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from fastapi import Response
from starlette.datastructures import FormData, UploadFile

from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.errors import Conflict, Invalid, NotFound, PosthouseError, TooLarge
from posthouse.model.mail import AttachmentEntry, InboxQuery, Outgoing
from posthouse.model.message import Address
from posthouse.model.values import EmailId, InboxId, Slice, Sort
from posthouse.services.answering import Answer
from posthouse.services.attachments import NewUpload
from posthouse.services.sending import Wish

router = pages()

OFFERED = 100
"""Senders that are offered in the form; any other can be typed."""
_LONGEST_WAIT = timedelta(days=366)
_SPECIAL = frozenset('()<>[]:;@\\,."')  # RFC 5322 §3.2.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The form as it was filled in. `inbox` is whose address stands in `sender`; `about` is the email that is answered
    in the way of `answer`. `at` is a wall clock's time, `offset` how many minutes UTC is ahead of it."""

    key: str
    inbox: str = ""
    sender: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    at: str = ""
    offset: str = ""
    about: str = ""
    answer: str = ""
    attachments: tuple[str, ...] = ()

    @classmethod
    def of(cls, form: FormData) -> "Letter":
        said = {one.name: form.get(one.name, "") for one in fields(cls) if one.name != "attachments"}
        texts: dict[str, Any] = {name: value for name, value in said.items() if isinstance(value, str)}
        kept = tuple(one for one in form.getlist("attachments") if isinstance(one, str))
        return cls(**texts | {"key": texts["key"] or str(uuid4())}, attachments=kept)


@dataclass(slots=True)
class Problems:
    """What is wrong, by the field's name; '' is the whole."""

    of: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, error: PosthouseError) -> None:
        self.of.setdefault(name, error.message)


@router.get("/write")
async def write(
    visit: Visit,
    inbox: UUID | None = None,
    reply: UUID | None = None,
    replyAll: UUID | None = None,
    forward: UUID | None = None,
    to: str = "",
    subject: str = "",
) -> Response:
    letter = Letter(key=str(uuid4()), to=to, subject=subject)
    answers = ((Answer.REPLY, reply), (Answer.REPLY_ALL, replyAll), (Answer.FORWARD, forward))
    asked = next(((answer, EmailId(id_)) for answer, id_ in answers if id_ is not None), None)
    if asked is not None:
        letter, inbox = await _proposed(visit, letter, *asked)
    return await _form(visit, await _from(visit, letter, InboxId(inbox) if inbox else None))


@router.post("/write")
async def send(visit: Visit) -> Response:
    form = await visit.request.form()
    letter, problems = Letter.of(form), Problems()
    letter = await _with_files(visit, letter, form.getlist("file"), problems)
    inbox = await _sender(visit, letter, problems)
    _check_people(visit, letter, problems)
    at = _moment(letter, problems)
    if problems.of or inbox is None:
        return await _form(visit, letter, problems)
    outgoing = Outgoing(
        to=_people(letter.to),
        cc=_people(letter.cc),
        bcc=_people(letter.bcc),
        subject=" ".join(letter.subject.split()),
        body=letter.text.replace("\r\n", "\n"),
        attachments=letter.attachments,
    )
    try:
        if letter.about:
            about = EmailId(UUID(letter.about))
            outgoing = await visit.services.answering.placed(visit.account.id, about, Answer(letter.answer), outgoing)
        sent = await visit.services.sending.queue(visit.account.id, inbox, outgoing, Wish(key=letter.key, at=at))
    except Conflict as error:
        return await _sent_already(visit, letter, error)
    except (PosthouseError, ValueError) as error:
        problems.add("", error if isinstance(error, PosthouseError) else Invalid("this is not a form of ours"))
        return await _form(visit, letter, problems)
    return visit.to(f"/sent/{sent.id}", said="It is to be sent at its time." if at else "")


# Filling the form in


async def _proposed(visit: Visitor, letter: Letter, answer: Answer, email: EmailId) -> tuple[Letter, UUID]:
    proposal = await visit.services.answering.proposal(visit.account.id, email, answer)
    letter = replace(
        letter,
        to=", ".join(map(typed, proposal.to)) or letter.to,
        cc=", ".join(map(typed, proposal.cc)),
        subject=proposal.subject,
        text=proposal.text,
        attachments=tuple(one.id for one in proposal.attachments),
        about=str(email),
        answer=answer.value,
    )
    return letter, proposal.about.inbox_id


async def _from(visit: Visitor, letter: Letter, inbox_id: InboxId | None) -> Letter:
    """The letter, from this inbox, or from whichever there is that can send to anybody."""
    services, account = visit.services, visit.account.id
    if inbox_id is None:
        newest = (await services.connectors.page(account, Slice(size=1, sort=Sort.DESC))).items
        if not newest:
            return letter
        inbox_id = newest[0].inbox_id
    inbox = await services.inboxes.get(account, inbox_id)
    connector = await services.connectors.by_inbox(account, inbox_id)
    address = connector.email_address if connector and connector.email_address else inbox.email_address
    return replace(letter, inbox=str(inbox_id), sender=address)


async def _form(visit: Visitor, letter: Letter, problems: Problems | None = None, sent: str = "") -> Response:
    found = problems.of if problems else {}
    return visit.page(
        "write.html",
        422 if found else 200,
        here="write",
        letter=letter,
        attachments=await _kept(visit, letter.attachments),
        senders=await _senders(visit),
        problems=found,
        sent_already=sent,
    )


async def _kept(visit: Visitor, ids: Sequence[str]) -> list[AttachmentEntry]:
    found = []
    for id_ in ids:
        try:
            found.append(await visit.services.attachments.get(visit.account.id, id_))
        except NotFound:
            continue  # deleted meanwhile
    return found


async def _senders(visit: Visitor) -> list[tuple[str, str]]:
    """Addresses that can be sent from, with their names: mailboxes first, and then inboxes of this server alone."""
    services, account = visit.services, visit.account.id
    newest = Slice(size=OFFERED, sort=Sort.DESC)
    mailboxes = (await services.connectors.page(account, newest)).items
    offered = {one.email_address: one.name or "" for one in mailboxes if one.email_address}
    if len(offered) < OFFERED:
        for inbox in (await services.inboxes.page(account, InboxQuery(slice=newest, connected=False))).items:
            offered.setdefault(inbox.email_address, inbox.name or "")
    return list(offered.items())[:OFFERED]


def typed(person: Address) -> str:
    """Somebody as he is typed into an address field, in quotes where that is necessary."""
    if not person.name:
        return person.email
    quoted = person.name.replace("\\", "\\\\").replace('"', '\\"')
    name = f'"{quoted}"' if _SPECIAL.intersection(person.name) else person.name
    return f"{name} <{person.email}>"


# Reading it


async def _with_files(visit: Visitor, letter: Letter, files: Sequence[object], problems: Problems) -> Letter:
    """The letter with what was chosen to be sent along, kept."""
    kept = list(letter.attachments)
    for file in files:
        if not isinstance(file, UploadFile) or not file.filename:
            continue  # nothing was chosen
        new = NewUpload(
            content=await file.read(), name=file.filename, content_type=file.content_type, key=f"form {letter.key}"
        )
        try:
            kept.append((await visit.services.attachments.upload(visit.account.id, new)).id)
        except (Invalid, TooLarge) as error:
            problems.add("file", error)
    return replace(letter, attachments=tuple(dict.fromkeys(kept)))


async def _sender(visit: Visitor, letter: Letter, problems: Problems) -> InboxId | None:
    """The inbox that has the address which stands there."""
    services, account = visit.services, visit.account.id
    address = letter.sender.strip()
    if letter.inbox:  # several may have the same address: then it is this one, if it is one of them
        try:
            shown = await _from(visit, letter, InboxId(UUID(letter.inbox)))
        except (NotFound, ValueError):
            shown = letter
        else:
            if shown.sender.lower() == address.lower():
                return InboxId(UUID(letter.inbox))
    connector = await services.connectors.by_address(account, address) if address else None
    inbox = await services.inboxes.by_address(account, address) if address and connector is None else None
    if connector is not None:
        return connector.inbox_id
    if inbox is not None:
        return inbox.id
    words = f"no connector and no inbox of yours has the address {address}" if address else "choose who it comes from"
    problems.add("sender", Invalid(words))
    return None


def _check_people(visit: Visitor, letter: Letter, problems: Problems) -> None:
    count = 0
    for name in ("to", "cc", "bcc"):
        try:
            count += visit.services.sending.check_addresses(getattr(letter, name))
        except Invalid as error:
            problems.add(name, error)
    if not count and not problems.of:
        problems.add("to", Invalid("an email needs somebody to go to"))


def _moment(letter: Letter, problems: Problems) -> datetime | None:
    """When it is to be sent; None is now."""
    if not letter.at:
        return None
    try:
        wall = datetime.fromisoformat(letter.at).replace(tzinfo=UTC)
        at = wall + timedelta(minutes=int(letter.offset or 0))
    except (ValueError, OverflowError):
        problems.add("at", Invalid("this is not a date with a time"))
        return None
    if at - datetime.now(UTC) > _LONGEST_WAIT:
        problems.add("at", Invalid("this is more than a year away"))
    return at


def _people(text: str) -> tuple[str, ...]:
    return (text,) if text.strip() else ()


async def _sent_already(visit: Visitor, letter: Letter, error: Conflict) -> Response:
    """The form was sent before, with something else in it: tell, and let it be another email."""
    sent = await visit.services.sending.sent_with(visit.account.id, letter.key)
    problems = Problems()
    problems.add("", error if sent is None else Invalid("this form was sent before with other words"))
    return await _form(visit, replace(letter, key=str(uuid4())), problems, str(sent.id) if sent else "")
