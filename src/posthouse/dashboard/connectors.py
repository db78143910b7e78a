"""The list of connectors."""

from fastapi import Response

from posthouse.dashboard.visit import Visit, pages

router = pages()


@router.get("/connectors")
async def connectors(visit: Visit) -> Response:
    return visit.page("connectors/list.html", here="connectors")
