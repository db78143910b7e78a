"""Drafts: what was begun and kept, to be sent another day. The API has the same ones."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from fastapi import Response

from posthouse.dashboard.letter import Letter, one_line, typed
from posthouse.dashboard.visit import PageNumber, Visit, Visitor, pages
from posthouse.model.composing import KeptDraft
from posthouse.model.errors import Invalid, NotFound
from posthouse.model.values import DraftId, Slice, Sort

router = pages()

_SHOWN = {"to", "cc", "bcc", "subject", "body", "isHTML", "html", "attachments"}


@router.get("/drafts")
async def drafts(visit: Visit, page: PageNumber = 0) -> Response:
    slice_ = Slice(page=page, size=50, sort=Sort.DESC)
    found = await visit.services.drafts.page(visit.account.id, slice_)
    letters = [(draft, of_draft(draft, "")) for draft in found.items]
    return visit.page("drafts.html", here="sent", page=found, letters=letters)


@router.post("/drafts/{draft_id}/delete")
async def delete_draft(visit: Visit, draft_id: UUID) -> Response:
    await visit.services.drafts.delete(visit.account.id, DraftId(draft_id))
    return visit.to("/drafts", said="Thrown away.")


def of_draft(draft: KeptDraft, key: str) -> Letter:
    """A draft as the form shows it. It is kept as the API's clients would have said it."""
    said = draft.said
    people = {name: ", ".join(map(str, said.get(name) or ())) for name in ("to", "cc", "bcc")}
    return Letter(
        key=key,
        subject=str(said.get("subject") or ""),
        text=str(said.get("body") or ""),
        html="yes" if said.get("isHtml") or said.get("isHTML") or said.get("html") else "",
        draft=str(draft.id),
        attachments=tuple(map(str, said.get("attachments") or ())),
        **people,
    )


def as_draft(visit: Visitor, letter: Letter) -> dict[str, Any]:
    """What the form says, and nothing left over of what it said before."""
    said: dict[str, Any] = {"subject": one_line(letter.subject), "body": letter.text.replace("\r\n", "\n")}
    for name in ("to", "cc", "bcc"):
        text = getattr(letter, name).strip()
        try:
            said[name] = [typed(person) for person in visit.services.sending.addresses(text)]
        except Invalid:
            said[name] = [text]
    said["isHTML"] = bool(letter.html)
    said["attachments"] = list(letter.attachments)
    return said


async def forget_draft(visit: Visitor, draft: str) -> None:
    with suppress(NotFound, ValueError):  # thrown away meanwhile
        await visit.services.drafts.delete(visit.account.id, DraftId(UUID(draft)))


def beyond_the_form(draft: KeptDraft) -> list[str]:
    """What is said in a draft that the form does not show: it was made by the API."""
    return sorted(name for name, value in draft.said.items() if name not in _SHOWN and value not in (None, [], {}))
