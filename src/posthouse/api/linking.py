"""What is to be known of a mailbox before a connector reads it: operations of our own."""

from posthouse.api.context import Caller, ConnectorPath, House, controller
from posthouse.api.wire.connections import CreateConnectorImapConnectionOptions
from posthouse.api.wire.linking import ConnectorFolderDto
from posthouse.model.errors import NotFound

router = controller("Posthouse")


@router.post("/connectors/connections/imap/folders", operation_id="getImapFolders")
async def get_imap_folders(options: CreateConnectorImapConnectionOptions, house: House) -> list[ConnectorFolderDto]:
    """The folders that a server has for settings that are not saved."""
    return [ConnectorFolderDto.of(folder) for folder in await house.connectors.folders(options.to_domain())]


@router.get("/connectors/{id}/imap/folders", operation_id="getConnectorImapFolders")
async def get_connector_imap_folders(
    connector_id: ConnectorPath, caller: Caller, house: House
) -> list[ConnectorFolderDto]:
    """The folders that a connector's server has."""
    saved = await house.connectors.imap(caller.id, connector_id)
    if saved is None:
        raise NotFound("this connector has no IMAP connection: create one, or send its settings")
    return [ConnectorFolderDto.of(folder) for folder in await house.connectors.folders(saved.settings)]
