"""What is to be known of a mailbox before a connector reads it: operations of our own."""

from typing import Annotated

from fastapi import Query

from posthouse.api.context import Caller, ConnectorPath, House, controller
from posthouse.api.wire.common import EmailAddress
from posthouse.api.wire.connections import CreateConnectorImapConnectionOptions
from posthouse.api.wire.linking import ConnectorFolderDto, ProposedSettingsDto
from posthouse.model.errors import Invalid, NotFound
from posthouse.model.providers import propose

router = controller("Posthouse")


@router.get("/connectors/provider-settings/by-email-address", operation_id="getProposedConnectorSettings")
async def get_proposed_settings(address: Annotated[EmailAddress, Query(alias="emailAddress")]) -> ProposedSettingsDto:
    """What is known of an address' provider by its domain, or a guess. Nothing is looked up."""
    proposal = propose(address)
    if proposal is None:
        raise Invalid("emailAddress has no domain to tell its provider by")
    return ProposedSettingsDto.of(proposal)


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
    found = await house.connectors.folders(saved.settings, connector_id=connector_id)
    return [ConnectorFolderDto.of(folder) for folder in found]
