"""Writing an email: a new one, an answer, one that is handed on; sent now or at a time.

A form carries a key of its own. However often it is sent, by a double click or by loading the page again, it is one
email; its files are kept under the same key, so that they need not be chosen again after a mistake elsewhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from fastapi import Response

from posthouse.dashboard.drafts import as_draft, beyond_the_form, forget_draft, of_draft
from posthouse.dashboard.inboxes import inbox_with
from posthouse.dashboard.letter import Letter, Problems, check_people, moment_of, outgoing, typed, with_files
from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.errors import Conflict, Invalid, NotFound, PosthouseError
from posthouse.model.mail import AttachmentEntry, InboxQuery
from posthouse.model.values import DraftId, EmailId, InboxId, Slice, Sort
from posthouse.services.answering import Answer
from posthouse.services.sending import Wish

router = pages()

OFFERED = 100
"""Senders that are offered in the form; any other can be typed."""


@router.get("/write")
async def write(
    visit: Visit,
    inbox: UUID | None = None,
    reply: UUID | None = None,
    replyAll: UUID | None = None,
    forward: UUID | None = None,
    draft: UUID | None = None,
    to: str = "",
    subject: str = "",
) -> Response:
    letter = Letter(key=str(uuid4()), to=to, subject=subject)
    answers = ((Answer.REPLY, reply), (Answer.REPLY_ALL, replyAll), (Answer.FORWARD, forward))
    asked = next(((answer, EmailId(id_)) for answer, id_ in answers if id_ is not None), None)
    if asked is not None:
        letter, inbox = await _proposed(visit, letter, *asked)
    beyond: list[str] = []
    if asked is None and draft is not None:
        kept = await visit.services.drafts.get(visit.account.id, DraftId(draft))
        letter, inbox, beyond = of_draft(kept, letter.key), kept.inbox_id, beyond_the_form(kept)
    return await _form(visit, await _from(visit, letter, InboxId(inbox) if inbox else None), beyond=beyond)


@router.post("/write")
async def send(visit: Visit) -> Response:
    form = await visit.request.form()
    letter, problems = Letter.of(form), Problems()
    letter = await with_files(visit, letter, form.getlist("file"), problems)
    inbox = await _sender(visit, letter, problems)
    if form.get("do") == "keep":
        return await _keep(visit, letter, inbox, problems)
    check_people(visit, letter, problems)
    at = moment_of(letter, problems)
    if problems.of or inbox is None:
        return await _form(visit, letter, problems)
    wish = outgoing(letter)
    try:
        if letter.about:
            about = EmailId(UUID(letter.about))
            wish = await visit.services.answering.placed(visit.account.id, about, Answer(letter.answer), wish)
        sent = await visit.services.sending.queue(visit.account.id, inbox, wish, Wish(key=letter.key, at=at))
    except Conflict as error:
        return await _sent_already(visit, letter, error)
    except (PosthouseError, ValueError) as error:
        problems.add("", error if isinstance(error, PosthouseError) else Invalid("this is not a form of ours"))
        return await _form(visit, letter, problems)
    if letter.draft:
        await forget_draft(visit, letter.draft)
    return visit.to(f"/sent/{sent.id}", said="It is to be sent at its time." if at else "")


async def _keep(visit: Visitor, letter: Letter, inbox: InboxId | None, problems: Problems) -> Response:
    """Keep it as a draft, whatever is still wrong with it; only who it comes from must be known."""
    if problems.of or inbox is None:
        return await _form(visit, letter, problems)
    drafts, account, said = visit.services.drafts, visit.account.id, as_draft(visit, letter)
    kept = await drafts.get(account, DraftId(UUID(letter.draft))) if letter.draft else None
    if kept is not None and kept.inbox_id == inbox:
        draft = await drafts.change(account, kept.id, {**kept.said, **said})
    else:  # a draft stays with its inbox
        draft = await drafts.create(account, inbox, said)
        await forget_draft(visit, letter.draft)
    return visit.to(f"/write?draft={draft.id}", said="Kept as a draft.")


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


async def _form(
    visit: Visitor, letter: Letter, problems: Problems | None = None, *, sent: str = "", beyond: Sequence[str] = ()
) -> Response:
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
        beyond=beyond,
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


# Reading it


async def _sender(visit: Visitor, letter: Letter, problems: Problems) -> InboxId | None:
    """The inbox that has the address which stands there."""
    address = letter.sender.strip()
    if letter.inbox:  # several may have the same address: then it is this one, if it is one of them
        try:
            shown = await _from(visit, letter, InboxId(UUID(letter.inbox)))
        except (NotFound, ValueError):
            shown = letter
        else:
            if shown.sender.lower() == address.lower():
                return InboxId(UUID(letter.inbox))
    inbox = await inbox_with(visit, address) if address else None
    if inbox is not None:
        return inbox
    words = f"no connector and no inbox of yours has the address {address}" if address else "choose who it comes from"
    problems.add("sender", Invalid(words))
    return None


async def _sent_already(visit: Visitor, letter: Letter, error: Conflict) -> Response:
    """The form was sent before, with something else in it: tell, and let it be another email."""
    sent = await visit.services.sending.sent_with(visit.account.id, letter.key)
    problems = Problems()
    problems.add("", error if sent is None else Invalid("this form was sent before with other words"))
    return await _form(visit, replace(letter, key=str(uuid4())), problems, sent=str(sent.id) if sent else "")
