"""How connectors stand and how far their syncs have come: operations of our own."""

from posthouse.api.context import Caller, ConnectorPath, House, controller
from posthouse.api.wire.state import ConnectorProgressDto, ConnectorStateDto
from posthouse.model.values import utc_now

router = controller("Posthouse")


@router.get("/connectors/{id}/state", operation_id="getConnectorState")
async def get_connector_state(connector_id: ConnectorPath, caller: Caller, house: House) -> ConnectorStateDto:
    """How fresh a connector's inbox is, proved, and what is wrong with it, in words."""
    return ConnectorStateDto.of(await house.watching.report(caller.id, connector_id), utc_now())


@router.get("/connectors/{id}/progress", operation_id="getConnectorProgress")
async def get_connector_progress(connector_id: ConnectorPath, caller: Caller, house: House) -> ConnectorProgressDto:
    """How far the sync has come that goes on just now, whoever asked for it."""
    return ConnectorProgressDto.of(connector_id, await house.running.under_way(caller.id, connector_id))


@router.post("/connectors/{id}/cancelSync", operation_id="cancelConnectorSync", status_code=204)
async def cancel_connector_sync(connector_id: ConnectorPath, caller: Caller, house: House) -> None:
    """Have the sync end that goes on just now, as soon as what has been fetched is filed. The next one goes on from
    there: in sync settings, when its interval is over. Without a sync under way, nothing happens."""
    await house.running.cancel(caller.id, connector_id)
