"""Numbers for operators, in Prometheus' format: not for the users of the API, whose keys open nothing here."""

from ipaddress import ip_address

from fastapi import FastAPI, Request, Response

from posthouse import metrics
from posthouse.model.errors import Unauthorized
from posthouse.model.standing import State
from posthouse.model.values import Secret
from posthouse.services import Services


def show_metrics(app: FastAPI, services: Services, key: Secret | None) -> None:
    """Add GET /metrics: for whoever sends `key` as bearer token; without one, for this machine alone."""

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics(request: Request) -> Response:
        if not _may_read(request, key):
            raise Unauthorized("metrics are for the operator: send POSTHOUSE_METRICS_KEY as bearer token")
        census = await services.watching.census()
        for state in State:
            metrics.connectors.labels(state.value).set(census[state])
        return Response(metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})


def _may_read(request: Request, key: Secret | None) -> bool:
    if key is not None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and Secret(token.strip()) == key
    # A request that a proxy has passed on comes from this machine and is meant for somebody else.
    passed_on = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return request.client is not None and not passed_on and ip_address(request.client.host).is_loopback
