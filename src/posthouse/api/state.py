"""How connectors stand: an operation of our own."""

from posthouse.api.context import Caller, ConnectorPath, House, controller
from posthouse.api.wire.state import ConnectorStateDto
from posthouse.model.values import utc_now

router = controller("Posthouse")


@router.get("/connectors/{id}/state", operation_id="getConnectorState")
async def get_connector_state(connector_id: ConnectorPath, caller: Caller, house: House) -> ConnectorStateDto:
    """How fresh a connector's inbox is, proved, and what is wrong with it, in words."""
    return ConnectorStateDto.of(await house.watching.report(caller.id, connector_id), utc_now())
