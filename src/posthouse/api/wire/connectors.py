"""Connectors, their sync settings, their syncs and their events, as MailSlurp's clients know them."""

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import (
    INT32,
    EmailAddress,
    Line,
    Moment,
    OptionalResult,
    PageQuery,
    QueryModel,
    SpringPage,
    WireModel,
)
from posthouse.api.wire.connections import (
    CreateConnectorImapConnectionOptions,
    CreateConnectorSmtpConnectionOptions,
)
from posthouse.model.connectors import Connector, SyncSchedule, SyncSettings
from posthouse.model.events import ConnectorEvent, EventStatus, EventType
from posthouse.model.sync import SyncOutcome
from posthouse.model.values import ConnectorId
from posthouse.services.connectors import NewConnector


class CreateConnectorOptions(WireModel):
    """A connector by itself. The clients drop keys that are null, so one that is not sent keeps its value when a
    connector is changed."""

    name: Line | None = None
    email_address: EmailAddress | None = None
    enabled: bool | None = None

    def to_domain(self, old: Connector | None = None) -> NewConnector:
        wish = NewConnector(name=self.name, email_address=self.email_address, enabled=self.enabled is not False)
        if old is None:
            return wish
        kept = {"name", "email_address", "enabled"} - self.model_fields_set
        return replace(wish, **{field: getattr(old, field) for field in kept})


class ConnectorDto(WireModel):
    id: UUID
    name: str | None
    enabled: bool
    email_address: str | None
    user_id: UUID
    inbox_id: UUID
    created_at: Moment

    @classmethod
    def of(cls, connector: Connector) -> Self:
        return cls(
            id=connector.id,
            name=connector.name,
            enabled=connector.enabled,
            email_address=connector.email_address,
            user_id=connector.account_id,
            inbox_id=connector.inbox_id,
            created_at=connector.created_at,
        )


class ConnectorProjection(ConnectorDto):
    """A connector in a list. It holds the same as one on its own."""


class PageConnector(SpringPage[ConnectorProjection]):
    pass


class OptionalConnectorDto(OptionalResult[ConnectorDto]):
    pass


MOST_FOLDERS = 20
"""How many folders one connector may watch: each costs its server a question now and then."""


class SyncScheduleType(StrEnum):
    INTERVAL = "INTERVAL"


class CreateConnectorSyncSettingsOptions(WireModel):
    """`syncInterval` is in minutes. Keys of ours: `syncIntervalSeconds` is finer and wins; `watchFolders` are watched
    beside the connection's own folder."""

    sync_enabled: bool | None = None
    sync_schedule_type: SyncScheduleType | None = None
    sync_interval: int | None = Field(default=None, ge=1, le=INT32)
    sync_interval_seconds: int | None = Field(default=None, ge=1, le=INT32)
    watch_folders: list[Line] | None = Field(default=None, max_length=MOST_FOLDERS)

    def to_domain(self) -> SyncSettings:
        interval = None
        if self.sync_interval_seconds is not None:
            interval = timedelta(seconds=self.sync_interval_seconds)
        elif self.sync_interval is not None:
            interval = timedelta(minutes=self.sync_interval)
        folders = tuple(dict.fromkeys(self.watch_folders or ()))
        return SyncSettings(enabled=self.sync_enabled is not False, interval=interval, watch_folders=folders)


class CreateConnectorWithOptions(WireModel):
    create_connector_options: CreateConnectorOptions
    create_connector_imap_connection_options: CreateConnectorImapConnectionOptions | None = None
    create_connector_smtp_connection_options: CreateConnectorSmtpConnectionOptions | None = None
    create_connector_sync_settings_options: CreateConnectorSyncSettingsOptions | None = None

    def to_domain(self) -> NewConnector:
        imap = self.create_connector_imap_connection_options
        smtp = self.create_connector_smtp_connection_options
        sync = self.create_connector_sync_settings_options
        return replace(
            self.create_connector_options.to_domain(),
            imap=imap.to_domain() if imap else None,
            smtp=smtp.to_domain() if smtp else None,
            sync=sync.to_domain() if sync else None,
        )


class ConnectorSyncSettingsDto(WireModel):
    """The minutes are rounded up where an interval has seconds to it; `syncIntervalSeconds` is exact."""

    id: UUID
    user_id: UUID
    connector_id: UUID
    sync_enabled: bool
    sync_schedule_type: SyncScheduleType | None
    sync_interval: int | None
    sync_interval_seconds: int | None
    watch_folders: list[str]

    @classmethod
    def of(cls, schedule: SyncSchedule) -> Self:
        interval = schedule.settings.interval
        return cls(
            id=schedule.id,
            user_id=schedule.account_id,
            connector_id=schedule.connector_id,
            sync_enabled=schedule.settings.enabled,
            sync_schedule_type=SyncScheduleType.INTERVAL if interval else None,
            sync_interval=-(-interval // timedelta(minutes=1)) if interval else None,
            sync_interval_seconds=interval // timedelta(seconds=1) if interval else None,
            watch_folders=list(schedule.settings.watch_folders),
        )


class OptionalConnectorSyncSettingsDto(OptionalResult[ConnectorSyncSettingsDto]):
    pass


class SyncQuery(QueryModel):
    """What a direct sync may be told: fetch from this day on, from this folder, and keep what was said."""

    since: Moment | None = None
    folder: Line | None = None
    logging: bool = False


class ConnectorSyncResult(WireModel):
    email_sync_count: int
    logs: list[str] | None
    email_ids: list[UUID] | None


class ConnectorSyncRequestResult(WireModel):
    """How a sync ended. A failed sync is an answer, not an error: `exception` says why, `syncResult` is null
    unless some mail came in before, and `logs` (a key of ours) holds what was said if that was asked for."""

    sync_result: ConnectorSyncResult | None
    exception: str | None
    event_id: UUID | None
    logs: list[str] | None = None

    @classmethod
    def of(cls, outcome: SyncOutcome) -> Self:
        logs = None if outcome.logs is None else list(outcome.logs)
        result = ConnectorSyncResult(
            email_sync_count=len(outcome.email_ids), logs=logs, email_ids=list(outcome.email_ids)
        )
        return cls(
            sync_result=result if outcome.failure is None or outcome.email_ids else None,
            exception=outcome.failure,
            event_id=outcome.event_id,
            logs=logs if outcome.failure is not None else None,
        )


class EventQuery(PageQuery):
    event_type: EventType | None = None


class AllEventsQuery(EventQuery):
    """`id` narrows the events to one connector."""

    id: ConnectorId | None = None


class ConnectorEventProjection(WireModel):
    """An event in a list: everything but the logs."""

    id: UUID
    connector_id: UUID
    status: EventStatus
    event_type: EventType
    size: int
    message: str | None
    seen: bool | None
    created_at: Moment

    @classmethod
    def of(cls, event: ConnectorEvent) -> Self:
        return cls(**_told(event))


class PageConnectorEvents(SpringPage[ConnectorEventProjection]):
    pass


class ConnectorEventDto(ConnectorEventProjection):
    logs: str | None

    @classmethod
    def of(cls, event: ConnectorEvent) -> Self:
        return cls(**_told(event), logs=event.logs)


def _told(event: ConnectorEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "connector_id": event.connector_id,
        "status": event.status,
        "event_type": event.type,
        "size": event.size,
        "message": event.message,
        "seen": event.seen,
        "created_at": event.created_at,
    }
