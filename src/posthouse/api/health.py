"""Whether the server is ready: for whoever starts it, watches it or balances load before it. Needs no key."""

from fastapi import APIRouter, Response

from posthouse.api.context import House
from posthouse.api.wire.common import WireModel

router = APIRouter(tags=["Posthouse"])


class Health(WireModel):
    status: str


@router.get("/health", operation_id="getHealth")
async def get_health(house: House, response: Response) -> Health:
    """200 when requests can be served, 503 while the database does not answer."""
    if await house.accounts.ready():
        return Health(status="ok")
    response.status_code = 503
    return Health(status="the database does not answer")
