"""What runs here."""

from importlib.metadata import version

from fastapi import Response

from posthouse.dashboard.visit import Visit, pages

router = pages()


@router.get("/about")
async def about(visit: Visit) -> Response:
    return visit.page(
        "about.html", here="about", version=version("posthouse"), ready=await visit.services.accounts.ready()
    )
