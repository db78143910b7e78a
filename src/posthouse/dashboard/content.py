"""What mail holds, given as answers of their own: HTML for a sandboxed frame, files to be saved.

Mail is written by anybody. Its HTML is a document of nowhere: it has no origin, runs nothing, sends nothing, and
fetches nothing but images, and those only when they are asked for. Everything else is saved, and never shown.
"""

from email.message import Message as Header

from fastapi import Response

from posthouse.dashboard.visit import Visit, pages
from posthouse.model.values import EmailId

router = pages()

_FRAME = (
    "default-src 'none'; img-src data:{remote}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_ELSEWHERE = " https: http:"


@router.get("/mail/{email_id}/body")
async def body(visit: Visit, email_id: EmailId, images: bool = False) -> Response:
    return framed(await visit.services.showing.frame(visit.account.id, email_id, remote=images), remote=images)


@router.get("/mail/{email_id}/raw")
async def raw(visit: Visit, email_id: EmailId) -> Response:
    email = await visit.services.mail.get(visit.account.id, email_id)
    name = "".join(c for c in email.subject if c.isprintable() and c not in '\\/:*?"<>|').strip(". ")[:80]
    return to_save(await visit.services.mail.raw(visit.account.id, email_id), f"{name or 'email'}.eml")


@router.get("/mail/{email_id}/attachments/{attachment_id}")
async def attachment(visit: Visit, email_id: EmailId, attachment_id: str) -> Response:
    found, content = await visit.services.mail.attachment_content(visit.account.id, attachment_id, email_id)
    return to_save(content, found.name)


def framed(document: str, *, remote: bool = False) -> Response:
    """A document that `services.showing` made, for an `<iframe sandbox>` on a page of ours."""
    return Response(
        document.encode("utf-8", "replace"),
        media_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": _FRAME.format(remote=_ELSEWHERE if remote else ""),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-DNS-Prefetch-Control": "off",  # or the names in its links are asked for
        },
    )


def to_save(content: bytes, name: str) -> Response:
    """A file that the browser saves and never opens by itself, whatever it is."""
    disposition = Header()
    filename = name if name.isascii() else ("utf-8", "", name.encode("utf-8", "replace").decode())  # RFC 6266 §4.3
    disposition.add_header("Content-Disposition", "attachment", filename=filename)
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": disposition["Content-Disposition"],
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )
