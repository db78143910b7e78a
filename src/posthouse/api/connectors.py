"""The connector controller: all of its operations."""

from typing import Annotated

from fastapi import Path, Query

from posthouse.api.context import Caller, ConnectorPath, House, OnceKey, controller
from posthouse.api.wire.common import PageQuery, Text
from posthouse.api.wire.connections import (
    ConnectorImapConnectionDto,
    ConnectorImapConnectionTestResult,
    ConnectorProviderSettingsDto,
    ConnectorSmtpConnectionDto,
    ConnectorSmtpConnectionTestResult,
    CreateConnectorImapConnectionOptions,
    CreateConnectorSmtpConnectionOptions,
    ImapConnectionChanges,
    OptionalConnectorImapConnectionDto,
    OptionalConnectorSmtpConnectionDto,
    SmtpConnectionChanges,
)
from posthouse.api.wire.connectors import (
    AllEventsQuery,
    ConnectorDto,
    ConnectorEventDto,
    ConnectorEventProjection,
    ConnectorProjection,
    ConnectorSyncRequestResult,
    ConnectorSyncSettingsDto,
    CreateConnectorOptions,
    CreateConnectorSyncSettingsOptions,
    CreateConnectorWithOptions,
    EventQuery,
    OptionalConnectorDto,
    OptionalConnectorSyncSettingsDto,
    PageConnector,
    PageConnectorEvents,
    SyncQuery,
)
from posthouse.api.wire.sending import SendEmailOptions, SendQuery, SentEmailDto
from posthouse.model.connectors import Connector, ImapSettings, SmtpSettings
from posthouse.model.errors import NotFound
from posthouse.model.values import EventId, InboxId

router = controller("ConnectorController")


# Connectors


@router.get("/connectors", operation_id="getConnectors")
async def get_connectors(query: Annotated[PageQuery, Query()], caller: Caller, house: House) -> PageConnector:
    return PageConnector.of(await house.connectors.page(caller.id, query.slice()), ConnectorProjection.of)


@router.post("/connectors", operation_id="createConnector", status_code=201)
async def create_connector(
    options: CreateConnectorOptions,
    caller: Caller,
    house: House,
    inbox_id: Annotated[InboxId | None, Query(alias="inboxId")] = None,
) -> ConnectorDto:
    return ConnectorDto.of(await house.connectors.create(caller.id, options.to_domain(), inbox_id))


@router.post("/connectors/withOptions", operation_id="createConnectorWithOptions", status_code=201)
async def create_connector_with_options(
    options: CreateConnectorWithOptions,
    caller: Caller,
    house: House,
    inbox_id: Annotated[InboxId | None, Query(alias="inboxId")] = None,
) -> ConnectorDto:
    return ConnectorDto.of(await house.connectors.create(caller.id, options.to_domain(), inbox_id))


@router.delete("/connectors", operation_id="deleteAllConnector", status_code=204)
async def delete_all_connectors(caller: Caller, house: House) -> None:
    await house.connectors.delete_all(caller.id)


@router.get("/connectors/provider-settings", operation_id="getConnectorProviderSettings")
async def get_connector_provider_settings() -> ConnectorProviderSettingsDto:
    return ConnectorProviderSettingsDto()


@router.get("/connectors/by-email-address", operation_id="getConnectorByEmailAddress")
async def get_connector_by_email_address(
    email_address: Annotated[Text, Query(alias="emailAddress")], caller: Caller, house: House
) -> OptionalConnectorDto:
    return _optional(await house.connectors.by_address(caller.id, email_address))


@router.get("/connectors/by-inbox-id", operation_id="getConnectorByInboxId")
async def get_connector_by_inbox_id(
    inbox_id: Annotated[InboxId, Query(alias="inboxId")], caller: Caller, house: House
) -> OptionalConnectorDto:
    return _optional(await house.connectors.by_inbox(caller.id, inbox_id))


@router.get("/connectors/by-name", operation_id="getConnectorByName")
async def get_connector_by_name(name: Text, caller: Caller, house: House) -> OptionalConnectorDto:
    return _optional(await house.connectors.by_name(caller.id, name))


# Events of connectors; before the routes of one connector, whose id would match "events"


@router.get("/connectors/events", operation_id="getAllConnectorEvents")
async def get_all_connector_events(
    query: Annotated[AllEventsQuery, Query()], caller: Caller, house: House
) -> PageConnectorEvents:
    page = await house.connectors.events(caller.id, query.slice(), connector_id=query.id, type_=query.event_type)
    return PageConnectorEvents.of(page, ConnectorEventProjection.of)


@router.get("/connectors/events/{id}", operation_id="getConnectorEvent")
async def get_connector_event(
    event_id: Annotated[EventId, Path(alias="id")], caller: Caller, house: House
) -> ConnectorEventDto:
    return ConnectorEventDto.of(await house.connectors.event(caller.id, event_id))


@router.get("/connectors/{id}/events", operation_id="getConnectorEvents")
async def get_connector_events(
    connector_id: ConnectorPath, query: Annotated[EventQuery, Query()], caller: Caller, house: House
) -> PageConnectorEvents:
    page = await house.connectors.events(caller.id, query.slice(), connector_id=connector_id, type_=query.event_type)
    return PageConnectorEvents.of(page, ConnectorEventProjection.of)


# Tests of settings that are not saved


@router.post("/connectors/connections/imap/test", operation_id="testConnectorImapConnectionOptions")
async def check_imap_options(
    options: CreateConnectorImapConnectionOptions, house: House
) -> ConnectorImapConnectionTestResult:
    return ConnectorImapConnectionTestResult.of(await house.connectors.test_imap(options.to_domain()))


@router.post("/connectors/connections/smtp/test", operation_id="testConnectorSmtpConnectionOptions")
async def check_smtp_options(
    options: CreateConnectorSmtpConnectionOptions, house: House
) -> ConnectorSmtpConnectionTestResult:
    return ConnectorSmtpConnectionTestResult.of(await house.connectors.test_smtp(options.to_domain()))


# One connector


@router.get("/connectors/{id}", operation_id="getConnector")
async def get_connector(connector_id: ConnectorPath, caller: Caller, house: House) -> ConnectorDto:
    return ConnectorDto.of(await house.connectors.get(caller.id, connector_id))


@router.put("/connectors/{id}", operation_id="updateConnector")
async def update_connector(
    connector_id: ConnectorPath, options: CreateConnectorOptions, caller: Caller, house: House
) -> ConnectorDto:
    old = await house.connectors.get(caller.id, connector_id)
    return ConnectorDto.of(await house.connectors.change(caller.id, old.id, options.to_domain(old)))


@router.delete("/connectors/{id}", operation_id="deleteConnector", status_code=204)
async def delete_connector(connector_id: ConnectorPath, caller: Caller, house: House) -> None:
    await house.connectors.delete(caller.id, connector_id)


@router.post("/connectors/{id}/sync", operation_id="syncConnector")
async def sync_connector(
    connector_id: ConnectorPath, query: Annotated[SyncQuery, Query()], caller: Caller, house: House
) -> ConnectorSyncRequestResult:
    outcome = await house.sync.run(
        caller.id, connector_id, since=query.since, folder=query.folder, logging=query.logging
    )
    return ConnectorSyncRequestResult.of(outcome)


@router.post("/connectors/{id}/send", operation_id="sendEmailFromConnector")
async def send_email_from_connector(
    connector_id: ConnectorPath,
    options: SendEmailOptions,
    query: Annotated[SendQuery, Query()],
    caller: Caller,
    house: House,
    key: OnceKey = None,
) -> SentEmailDto:
    # There is no second way out to fall back on: `useFallback` is taken, and changes nothing.
    sent = await house.sending.send_from_connector(caller.id, connector_id, options.to_domain(), key=key)
    return SentEmailDto.of(*await house.sent.open(caller.id, sent.id))


# Its IMAP connection


@router.get("/connectors/{id}/imap", operation_id="getConnectorImapConnection")
async def get_imap_connection(
    connector_id: ConnectorPath, caller: Caller, house: House
) -> OptionalConnectorImapConnectionDto:
    found = await house.connectors.imap(caller.id, connector_id)
    return OptionalConnectorImapConnectionDto.holding(ConnectorImapConnectionDto.of(found) if found else None)


@router.post("/connectors/{id}/imap", operation_id="createConnectorImapConnection", status_code=201)
async def create_imap_connection(
    connector_id: ConnectorPath, options: CreateConnectorImapConnectionOptions, caller: Caller, house: House
) -> ConnectorImapConnectionDto:
    made = await house.connectors.create_imap(caller.id, connector_id, options.to_domain())
    return ConnectorImapConnectionDto.of(made)


@router.patch("/connectors/{id}/imap", operation_id="updateConnectorImapConnection")
async def update_imap_connection(
    connector_id: ConnectorPath, changes: ImapConnectionChanges, caller: Caller, house: House
) -> ConnectorImapConnectionDto:
    changed = await house.connectors.change_imap(caller.id, connector_id, changes.to_domain)
    return ConnectorImapConnectionDto.of(changed)


@router.delete("/connectors/{id}/imap", operation_id="deleteConnectorImapConnection", status_code=204)
async def delete_imap_connection(connector_id: ConnectorPath, caller: Caller, house: House) -> None:
    await house.connectors.delete_imap(caller.id, connector_id)


@router.post("/connectors/{id}/imap/test", operation_id="testConnectorImapConnection")
async def check_imap_connection(
    connector_id: ConnectorPath, caller: Caller, house: House, changes: ImapConnectionChanges | None = None
) -> ConnectorImapConnectionTestResult:
    """The saved settings, with what the body says in their place."""
    saved = await house.connectors.imap(caller.id, connector_id)
    settings: ImapSettings | None = saved.settings if saved else None
    if changes is not None and changes.model_fields_set:
        settings = changes.to_domain(settings)
    if settings is None:
        raise NotFound("this connector has no IMAP connection to test: create one, or send its settings")
    result = await house.connectors.test_imap(settings, connector_id=connector_id)
    return ConnectorImapConnectionTestResult.of(result)


# Its SMTP connection


@router.get("/connectors/{id}/smtp", operation_id="getConnectorSmtpConnection")
async def get_smtp_connection(
    connector_id: ConnectorPath, caller: Caller, house: House
) -> OptionalConnectorSmtpConnectionDto:
    found = await house.connectors.smtp(caller.id, connector_id)
    return OptionalConnectorSmtpConnectionDto.holding(ConnectorSmtpConnectionDto.of(found) if found else None)


@router.post("/connectors/{id}/smtp", operation_id="createConnectorSmtpConnection", status_code=201)
async def create_smtp_connection(
    connector_id: ConnectorPath, options: CreateConnectorSmtpConnectionOptions, caller: Caller, house: House
) -> ConnectorSmtpConnectionDto:
    made = await house.connectors.create_smtp(caller.id, connector_id, options.to_domain())
    return ConnectorSmtpConnectionDto.of(made)


@router.patch("/connectors/{id}/smtp", operation_id="updateConnectorSmtpConnection")
async def update_smtp_connection(
    connector_id: ConnectorPath, changes: SmtpConnectionChanges, caller: Caller, house: House
) -> ConnectorSmtpConnectionDto:
    changed = await house.connectors.change_smtp(caller.id, connector_id, changes.to_domain)
    return ConnectorSmtpConnectionDto.of(changed)


@router.delete("/connectors/{id}/smtp", operation_id="deleteConnectorSmtpConnection", status_code=204)
async def delete_smtp_connection(connector_id: ConnectorPath, caller: Caller, house: House) -> None:
    await house.connectors.delete_smtp(caller.id, connector_id)


@router.post("/connectors/{id}/smtp/test", operation_id="testConnectorSmtpConnection")
async def check_smtp_connection(
    connector_id: ConnectorPath, caller: Caller, house: House, changes: SmtpConnectionChanges | None = None
) -> ConnectorSmtpConnectionTestResult:
    """The saved settings, with what the body says in their place."""
    saved = await house.connectors.smtp(caller.id, connector_id)
    settings: SmtpSettings | None = saved.settings if saved else None
    if changes is not None and changes.model_fields_set:
        settings = changes.to_domain(settings)
    if settings is None:
        raise NotFound("this connector has no SMTP connection to test: create one, or send its settings")
    return ConnectorSmtpConnectionTestResult.of(await house.connectors.test_smtp(settings))


# Its schedule


@router.get("/connectors/{id}/sync-settings", operation_id="getConnectorSyncSettings")
async def get_sync_settings(
    connector_id: ConnectorPath, caller: Caller, house: House
) -> OptionalConnectorSyncSettingsDto:
    found = await house.connectors.schedule(caller.id, connector_id)
    return OptionalConnectorSyncSettingsDto.holding(ConnectorSyncSettingsDto.of(found) if found else None)


@router.post("/connectors/{id}/sync-settings", operation_id="createConnectorSyncSettings", status_code=201)
async def create_sync_settings(
    connector_id: ConnectorPath, options: CreateConnectorSyncSettingsOptions, caller: Caller, house: House
) -> ConnectorSyncSettingsDto:
    """There is no operation to change them: this one replaces what is there."""
    made = await house.connectors.set_schedule(caller.id, connector_id, options.to_domain())
    return ConnectorSyncSettingsDto.of(made)


@router.delete("/connectors/{id}/sync-settings", operation_id="deleteConnectorSyncSettings", status_code=204)
async def delete_sync_settings(connector_id: ConnectorPath, caller: Caller, house: House) -> None:
    await house.connectors.delete_schedule(caller.id, connector_id)


def _optional(connector: Connector | None) -> OptionalConnectorDto:
    return OptionalConnectorDto.holding(ConnectorDto.of(connector) if connector else None)
