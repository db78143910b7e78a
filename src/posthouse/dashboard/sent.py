"""What was sent, is on its way, or was not sent: the list, and one email with what became of it."""

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Response

from posthouse.dashboard.content import framed, to_save
from posthouse.dashboard.live import BEAT, event, stream
from posthouse.dashboard.outcomes import STATES, Fate, fates, is_settled, told
from posthouse.dashboard.visit import PageNumber, Visit, Visitor, pages
from posthouse.model.errors import NotFound
from posthouse.model.mail import SentEmail, SentQuery
from posthouse.model.outbox import Job, JobStatus
from posthouse.model.values import SentId, Slice, Sort
from posthouse.services.showing import frame, shown, source

router = pages()

PER_PAGE = 50


@router.get("/sent")
async def sent(visit: Visit, search: str = "", state: str = "", page: PageNumber = 0) -> Response:
    asked = SentQuery(
        slice=Slice(page=page, size=PER_PAGE, sort=Sort.DESC), search=search.strip(), states=STATES.get(state, ())
    )
    found = await visit.services.sent.page(visit.account.id, asked)
    return visit.page(
        "sent/list.html",
        here="sent",
        page=found,
        rows=[(one, told(one)) for one in found.items],
        search=search,
        state=state,
        query=urlencode({"search": search, "state": state}) + "&" if search or state else "",
    )


@router.get("/sent/{sent_id}")
async def one(visit: Visit, sent_id: UUID, view: str = "", images: bool = False) -> Response:
    id_ = SentId(sent_id)
    email, message = await visit.services.sent.open(visit.account.id, id_)
    looked = shown(message)
    if view not in ("html", "text", "headers", "source"):
        view = "html" if looked.has_html else "text"
    raw = source(await visit.services.sent.raw(visit.account.id, id_)) if view == "source" else None
    return visit.page(
        "sent/one.html",
        here="sent",
        email=email,
        shown=looked,
        view=view,
        images=images,
        source=raw,
        parts_=[(number, part) for number, part in enumerate(message.parts) if part.is_attachment],
        **await _progress(visit, email),
    )


@router.get("/sent/{sent_id}/live")
async def live(visit: Visit, sent_id: UUID) -> Response:
    """How far it comes, until there is nothing more to be waited for."""
    id_ = SentId(sent_id)
    await visit.services.sent.get(visit.account.id, id_)

    return stream(visit, _changes(visit, id_))


async def _changes(visit: Visitor, id_: SentId) -> AsyncGenerator[str, None]:
    before = ""
    async for _ in visit.services.lookout.changes(f"sent:{id_}"):
        email = await visit.services.sent.get(visit.account.id, id_)
        now = visit.render("sent/_progress.html", email=email, **await _progress(visit, email))
        yield event(now) if now != before else BEAT
        before = now
        if is_settled(email):
            yield event("", name="settled")
            return


@router.get("/sent/{sent_id}/body")
async def body(visit: Visit, sent_id: UUID, images: bool = False) -> Response:
    """Its HTML, for a frame in which nothing runs."""
    raw = await visit.services.sent.raw(visit.account.id, SentId(sent_id))
    return framed(await frame(raw, remote=images), remote=images)


@router.get("/sent/{sent_id}/raw")
async def raw(visit: Visit, sent_id: UUID) -> Response:
    content = await visit.services.sent.raw(visit.account.id, SentId(sent_id))
    return to_save(content, f"{sent_id}.eml")


@router.get("/sent/{sent_id}/attachments/{number}")
async def attachment(visit: Visit, sent_id: UUID, number: int) -> Response:
    part, content = await visit.services.sent.attachment(visit.account.id, SentId(sent_id), number)
    return to_save(content, part.filename)


@router.post("/sent/{sent_id}/cancel")
async def cancel(visit: Visit, sent_id: UUID) -> Response:
    job = await visit.services.jobs.of_sent(visit.account.id, SentId(sent_id))
    if job is None:
        raise NotFound(f"there is no scheduled email {sent_id}")
    await visit.services.jobs.cancel(visit.account.id, job.id)
    return visit.to(f"/sent/{sent_id}", said="Cancelled: it will not be sent.")


@router.get("/sent/{sent_id}/delete")
async def ask_to_delete(visit: Visit, sent_id: UUID) -> Response:
    email = await visit.services.sent.get(visit.account.id, SentId(sent_id))
    return visit.page("sent/delete.html", here="sent", email=email, settled=is_settled(email))


@router.post("/sent/{sent_id}/delete")
async def delete(visit: Visit, sent_id: UUID) -> Response:
    await visit.services.sent.delete(visit.account.id, SentId(sent_id))
    return visit.to("/sent", said="Deleted.")


async def _progress(visit: Visitor, email: SentEmail) -> dict[str, Any]:
    """How far it has come, for the part of the page that changes by itself."""
    services, account = visit.services, visit.account.id
    job: Job | None = await services.jobs.of_sent(account, email.id)
    statuses = (await services.reports.page(account, Slice(size=1000), sent=email.id)).items
    found: list[Fate] = fates(email, statuses)
    return {
        "told": told(email, job),
        "scheduled": job if job is not None and job.status is JobStatus.SUBMITTED else None,
        "fates": found,
        "statuses": statuses,
        "bounces": await services.reports.bounces(account, email.id),
        "settled": is_settled(email),
    }
