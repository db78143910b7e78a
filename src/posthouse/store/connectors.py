"""Rows of connectors and of what belongs to one: its connections, with sealed passwords, and its schedule."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

from posthouse.model.connectors import (
    Connector,
    ImapConnection,
    ImapSettings,
    Proxy,
    ProxyKind,
    Security,
    ServerSettings,
    SmtpConnection,
    SmtpSettings,
    SyncSchedule,
    SyncSettings,
)
from posthouse.model.values import AccountId, ConnectorId, InboxId, Page, Secret, Slice
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, read_page
from posthouse.store.sealing import Seal
from posthouse.store.standings import create_standing
from posthouse.store.tables import connections, connectors, schedules

S = TypeVar("S", bound=ServerSettings)


class Connectors:
    def __init__(self, connection: Connection, seal: Seal) -> None:
        self._connection = connection
        self._seal = seal

    async def add(self, connector: Connector) -> None:
        await self._connection.execute(sa.insert(connectors).values(**asdict(connector)))
        await create_standing(self._connection, connector.id)

    async def change(self, connector: Connector) -> None:
        await self._connection.execute(
            sa.update(connectors)
            .where(connectors.c.id == connector.id)
            .values(
                name=connector.name,
                email_address=connector.email_address,
                enabled=connector.enabled,
                updated_at=connector.updated_at,
            )
        )

    async def switch(
        self, account: AccountId, ids: Sequence[ConnectorId], *, enabled: bool, now: datetime
    ) -> list[ConnectorId]:
        """Enable or disable some. Those that it changed."""
        changed = await self._connection.scalars(
            sa.update(connectors)
            .where(connectors.c.account_id == account, connectors.c.id.in_(ids), connectors.c.enabled != enabled)
            .values(enabled=enabled, updated_at=now)
            .returning(connectors.c.id)
        )
        return list(changed)

    async def get(self, account: AccountId, connector: ConnectorId) -> Connector | None:
        return await self._one(account, connectors.c.id == connector)

    async def by_id(self, connector: ConnectorId) -> Connector | None:
        """Whoever it belongs to: for the engine and the operator, never for a caller with a key."""
        row = (await self._connection.execute(sa.select(connectors).where(connectors.c.id == connector))).mappings()
        return next((_connector(r) for r in row), None)

    async def by_name(self, account: AccountId, name: str) -> Connector | None:
        return await self._one(account, connectors.c.name == name)

    async def by_address(self, account: AccountId, address: str) -> Connector | None:
        return await self._one(account, connectors.c.email_address == address)

    async def by_inbox(self, account: AccountId, inbox: InboxId) -> Connector | None:
        return await self._one(account, connectors.c.inbox_id == inbox)

    async def able_to_send(self, account: AccountId) -> Connector | None:
        """The oldest enabled connector with an enabled SMTP connection."""
        query = (
            sa.select(connectors)
            .join(connections, sa.and_(connections.c.connector_id == connectors.c.id, connections.c.protocol == "smtp"))
            .where(connectors.c.account_id == account, connectors.c.enabled)
            .where(connections.c.enabled)
            .order_by(connectors.c.number)
            .limit(1)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _connector(row)

    async def named(self, text: str) -> list[Connector]:
        """Connectors of any account that an operator may mean by a name, an address or an id."""
        meant = [connectors.c.name == text, connectors.c.email_address == text]
        with suppress(ValueError):
            meant.append(connectors.c.id == UUID(text))
        query = sa.select(connectors).where(sa.or_(*meant)).order_by(connectors.c.number)
        return [_connector(row) for row in (await self._connection.execute(query)).mappings()]

    async def everyone(self) -> list[Connector]:
        """All connectors of all accounts: for the engine and the operator."""
        rows = (await self._connection.execute(sa.select(connectors).order_by(connectors.c.number))).mappings()
        return [_connector(row) for row in rows]

    async def page(self, account: AccountId, slice_: Slice) -> Page[Connector]:
        query = sa.select(connectors).where(connectors.c.account_id == account)
        return await read_page(self._connection, query, slice_, _connector)

    async def remove(self, account: AccountId, connector: ConnectorId | None = None) -> int:
        """Take a connector away, or all of an account's; their inboxes and mail stay. How many went."""
        query = sa.delete(connectors).where(connectors.c.account_id == account)
        if connector is not None:
            query = query.where(connectors.c.id == connector)
        return (await self._connection.execute(query)).rowcount

    async def _one(self, account: AccountId, where: sa.ColumnElement[bool]) -> Connector | None:
        query = sa.select(connectors).where(connectors.c.account_id == account, where)
        row = (await self._connection.execute(query.order_by(connectors.c.number).limit(1))).mappings().first()
        return None if row is None else _connector(row)

    # Connections

    async def imap(self, connector: ConnectorId) -> ImapConnection | None:
        row = await self._connection_row(connector, "imap")
        if row is None:
            return None
        settings = self._settings(row, ImapSettings)
        return ImapConnection(id=row["id"], connector_id=connector, settings=settings, created_at=row["created_at"])

    async def smtp(self, connector: ConnectorId) -> SmtpConnection | None:
        row = await self._connection_row(connector, "smtp")
        if row is None:
            return None
        settings = self._settings(row, SmtpSettings)
        return SmtpConnection(id=row["id"], connector_id=connector, settings=settings, created_at=row["created_at"])

    async def set_connection(self, connection: ImapConnection | SmtpConnection) -> None:
        """Put this connection in place of the connector's present one of the same protocol."""
        protocol = "imap" if isinstance(connection, ImapConnection) else "smtp"
        await self.remove_connection(connection.connector_id, protocol)
        settings, bound_to = connection.settings, f"{protocol}:{connection.id}"
        proxy_password = settings.proxy.password if settings.proxy else None
        await self._connection.execute(
            sa.insert(connections).values(
                id=connection.id,
                connector_id=connection.connector_id,
                protocol=protocol,
                enabled=settings.enabled,
                host=settings.host,
                settings=_to_json(settings),
                password=self._sealed(settings.password, bound_to),
                proxy_password=self._sealed(proxy_password, bound_to + ":proxy"),
                created_at=connection.created_at,
            )
        )

    async def remove_connection(self, connector: ConnectorId, protocol: str) -> bool:
        query = sa.delete(connections).where(
            connections.c.connector_id == connector, connections.c.protocol == protocol
        )
        return bool((await self._connection.execute(query)).rowcount)

    async def _connection_row(self, connector: ConnectorId, protocol: str) -> Row | None:
        query = sa.select(connections).where(
            connections.c.connector_id == connector, connections.c.protocol == protocol
        )
        return (await self._connection.execute(query)).mappings().first()

    def _sealed(self, secret: Secret | None, bound_to: str) -> bytes | None:
        return None if secret is None else self._seal.seal(secret, bound_to)

    def _settings(self, row: Row, kind: type[S]) -> S:
        values: dict[str, Any] = {**row["settings"], "enabled": row["enabled"], "host": row["host"]}
        bound_to = f"{row['protocol']}:{row['id']}"
        if row["password"] is not None:
            values["password"] = self._seal.open(row["password"], bound_to)
        if proxy := values.get("proxy"):
            password = row["proxy_password"]
            opened = None if password is None else self._seal.open(password, bound_to + ":proxy")
            values["proxy"] = Proxy(**{**proxy, "kind": ProxyKind(proxy["kind"]), "password": opened})
        for name in ("mechanisms", "tls_protocols"):
            values[name] = tuple(values[name])
        return kind(**{**values, "security": Security(values["security"])})

    # Schedule

    async def schedule(self, connector: Connector) -> SyncSchedule | None:
        query = sa.select(schedules).where(schedules.c.connector_id == connector.id)
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        seconds = row["interval_seconds"]
        return SyncSchedule(
            id=row["id"],
            account_id=connector.account_id,
            connector_id=connector.id,
            settings=SyncSettings(
                enabled=row["enabled"],
                interval=None if seconds is None else timedelta(seconds=seconds),
                watch_folders=tuple(row["watch_folders"]),
            ),
        )

    async def set_schedule(self, schedule: SyncSchedule) -> None:
        """Put this schedule in place of the connector's present one."""
        await self.remove_schedule(schedule.connector_id)
        interval = schedule.settings.interval
        await self._connection.execute(
            sa.insert(schedules).values(
                id=schedule.id,
                connector_id=schedule.connector_id,
                enabled=schedule.settings.enabled,
                interval_seconds=None if interval is None else round(interval.total_seconds()),
                watch_folders=list(schedule.settings.watch_folders),
            )
        )

    async def remove_schedule(self, connector: ConnectorId) -> bool:
        query = sa.delete(schedules).where(schedules.c.connector_id == connector)
        return bool((await self._connection.execute(query)).rowcount)


def _connector(row: Row) -> Connector:
    return Connector(**{name: value for name, value in row.items() if name != "number"})


def _to_json(settings: ServerSettings) -> dict[str, Any]:
    """Everything but what has columns of its own."""
    own = ("password", "enabled", "host")
    values = {name: getattr(settings, name) for name in settings.__dataclass_fields__ if name not in own}
    if (proxy := settings.proxy) is not None:
        names = (name for name in proxy.__dataclass_fields__ if name != "password")
        values["proxy"] = {name: getattr(proxy, name) for name in names}
    return values
