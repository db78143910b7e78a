"""How this server is configured: shown, not changed. Secrets are only told to be set or not."""

from fastapi import Response

from posthouse.dashboard.visit import Visit, pages

router = pages()


@router.get("/settings")
async def settings(visit: Visit) -> Response:
    return visit.page("settings.html", here="settings", settings=visit.request.app.state.settings)
