"""What runs here, how it is, and how much there is."""

from importlib.metadata import version

from fastapi import Response

from posthouse.dashboard.visit import Visit, pages
from posthouse.model.figures import COUNTED
from posthouse.model.overview import OverviewQuery

router = pages()


@router.get("/about")
async def about(visit: Visit) -> Response:
    services = visit.services
    return visit.page(
        "about.html",
        here="about",
        version=version("posthouse"),
        house=await services.about.house(),
        holdings=await services.about.holdings(visit.account.id),
        backlogs=await services.about.backlogs(visit.account.id),
        counted=COUNTED,
    )


@router.get("/about/states")
async def states(visit: Visit) -> Response:
    """How many connectors stand how: a part of its own, since it looks at every one of them."""
    found = await visit.services.overviews.page(visit.account.id, OverviewQuery(size=1))
    return visit.page("_states.html", states=found.counts)
