"""Connectors' rows, and the passwords sealed in them."""

import pytest
import sqlalchemy as sa

from house import START, Tenant
from posthouse.model.connectors import (
    Connector,
    ImapConnection,
    ImapSettings,
    Proxy,
    ProxyKind,
    Security,
    SmtpConnection,
    SmtpSettings,
)
from posthouse.model.values import ConnectorId, Secret, Slice, new_id
from posthouse.store.database import Database
from posthouse.store.sealing import Seal, SealBroken
from posthouse.store.tables import connections

IMAP = ImapSettings(
    host="imap.example.org",
    port=993,
    security=Security.TLS,
    username="ann",
    password=Secret("canary-imap-password"),
    mechanisms=("PLAIN", "LOGIN"),
    tls_protocols=("TLSv1.3",),
    tls_trust="*",
    local_host_name="here",
    folder="Größe/Ä",
    search_terms='FROM "bob"',
    proxy=Proxy(host="proxy", port=1080, kind=ProxyKind.SOCKS5, username="p", password=Secret("canary-proxy-password")),
)
SMTP = SmtpSettings(host="smtp.example.org", port=587, security=Security.STARTTLS, enabled=False)


def a_connector(tenant: Tenant) -> Connector:
    return Connector(
        id=ConnectorId(new_id(START)),
        account_id=tenant.account.id,
        inbox_id=tenant.inbox.id,
        name="helpdesk",
        email_address="ann@example.org",
        enabled=True,
        created_at=START,
        updated_at=START,
    )


async def test_settings_come_back_as_they_went_in(database: Database, tenant: Tenant) -> None:
    connector = a_connector(tenant)
    imap = ImapConnection(id=new_id(START), connector_id=connector.id, settings=IMAP, created_at=START)
    smtp = SmtpConnection(id=new_id(START), connector_id=connector.id, settings=SMTP, created_at=START)
    async with database.transaction() as tx:
        await tx.connectors.add(connector)
        await tx.connectors.set_connection(imap)
        await tx.connectors.set_connection(smtp)
    async with database.reading() as tx:
        assert await tx.connectors.get(tenant.account.id, connector.id) == connector
        assert await tx.connectors.imap(connector.id) == imap
        assert await tx.connectors.smtp(connector.id) == smtp
        assert (await tx.connectors.page(tenant.account.id, Slice())).items == (connector,)
        assert await tx.connectors.named("helpdesk") == [connector]


async def test_no_password_can_be_read_from_the_rows(database: Database, tenant: Tenant) -> None:
    connector = a_connector(tenant)
    async with database.transaction() as tx:
        await tx.connectors.add(connector)
        await tx.connectors.set_connection(
            ImapConnection(id=new_id(START), connector_id=connector.id, settings=IMAP, created_at=START)
        )
    async with database.reading() as tx:
        row = (await tx.connection.execute(sa.select(connections))).one()
    assert "canary" not in repr(row)
    assert len(row.password) > len("canary-imap-password")


async def test_a_sealed_password_is_noise_in_another_row(database: Database, tenant: Tenant) -> None:
    connector = a_connector(tenant)
    async with database.transaction() as tx:
        await tx.connectors.add(connector)
        for settings in (IMAP, SmtpSettings(host="s", port=1, security=Security.PLAIN, password=Secret("x"))):
            kind = ImapConnection if isinstance(settings, ImapSettings) else SmtpConnection
            connection = kind(id=new_id(START), connector_id=connector.id, settings=settings, created_at=START)  # type: ignore[arg-type]
            await tx.connectors.set_connection(connection)
        stolen = sa.select(connections.c.password).where(connections.c.protocol == "imap").scalar_subquery()
        await tx.connection.execute(
            sa.update(connections).where(connections.c.protocol == "smtp").values(password=stolen)
        )
    async with database.reading() as tx:
        with pytest.raises(SealBroken):
            await tx.connectors.smtp(connector.id)


def test_an_old_key_still_opens_and_the_new_one_seals() -> None:
    old, new = Secret("old" * 12), Secret("new" * 12)
    sealed = Seal([old]).seal(Secret("text"), "row:1")
    both = Seal([new, old])
    assert both.open(sealed, "row:1").reveal() == "text"
    assert Seal([new]).open(both.seal(Secret("text"), "row:1"), "row:1").reveal() == "text"
