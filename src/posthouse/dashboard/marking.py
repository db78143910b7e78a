"""What is done with an email that one reads: it is marked, starred, deleted."""

from typing import Annotated

from fastapi import Form, Response

from posthouse.dashboard.mail import There, Where, pane_of
from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.values import EmailId

router = pages()


@router.post("/mail/{email_id}/read")
async def mark_read(visit: Visit, email_id: EmailId, where: There, read: Annotated[bool, Form()] = True) -> Response:
    await visit.services.mail.mark_read(visit.account.id, email_id, read)
    return await _done(visit, where, email_id, "Marked as read." if read else "Marked as unread.")


@router.post("/mail/{email_id}/star")
async def star(visit: Visit, email_id: EmailId, where: There, starred: Annotated[bool, Form()] = True) -> Response:
    await visit.services.mail.favour(visit.account.id, email_id, starred)
    return await _done(visit, where, email_id, "Starred." if starred else "The star is gone.")


@router.get("/mail/{email_id}/delete")
async def ask_about_deleting(visit: Visit, email_id: EmailId, where: There) -> Response:
    email = await visit.services.mail.get(visit.account.id, email_id)
    template = "mail/_delete.html" if visit.htmx else "mail/delete.html"
    return visit.page(template, here="mail", email=email, where=where)


@router.post("/mail/{email_id}/delete")
async def delete(visit: Visit, email_id: EmailId, where: There) -> Response:
    """Goes on with the next older email, as one who reads from the top would."""
    after = await visit.services.browsing.neighbours(visit.account.id, where.query(), email_id)
    await visit.services.mail.delete(visit.account.id, email_id)
    return visit.to(where.to(email=after.older), said="Deleted.")


async def _done(visit: Visitor, where: Where, email_id: EmailId, said: str) -> Response:
    """The email as it is now; the list, where no script puts that in its place."""
    if not visit.htmx:
        return visit.to(where.to(), said=said)
    return visit.page("mail/_email.html", where=where, **await pane_of(visit, where, email_id, None, mark_read=False))
