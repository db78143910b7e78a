"""How much there is: counted by indexes alone, and no further than anybody wants to know exactly."""

from typing import Any

import sqlalchemy as sa

from posthouse.model.figures import COUNTED, Holdings
from posthouse.model.mail import SendState
from posthouse.model.values import AccountId
from posthouse.store.connection import Connection
from posthouse.store.tables import connectors, emails, events, inboxes, outbox, sent_emails, webhooks


class Figures:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def holdings(self, account: AccountId) -> Holdings:
        """What an account has."""
        tables = {
            "connectors": connectors,
            "inboxes": inboxes,
            "emails": emails,
            "sent": sent_emails,
            "events": events,
            "webhooks": webhooks,
        }
        counts = [_counted(table, account).label(name) for name, table in tables.items()]
        row = (await self._connection.execute(sa.select(*counts))).mappings().one()
        return Holdings(**row)

    async def on_its_way(self, account: AccountId) -> int:
        """How many emails of an account are still to be sent."""
        # Not by a join, for which SQLite goes through all that was ever sent.
        mine = sa.exists().where(
            sent_emails.c.id == outbox.c.sent_id,
            sent_emails.c.account_id == account,
            sent_emails.c.state.in_((SendState.QUEUED, SendState.CONNECTING)),
        )
        some = sa.select(sa.literal(1)).select_from(outbox).where(mine).limit(COUNTED)
        return await self._connection.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0

    async def database(self) -> tuple[str, str]:
        """Which database this is, with its version, and which migration it is at."""
        sqlite = self._connection.dialect.name == "sqlite"
        version = "sqlite_version()" if sqlite else "current_setting('server_version')"
        said = await self._connection.scalar(sa.text(f"SELECT {version}"))
        schema = await self._connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        # Distributions add their own words: `15.14 (Debian 15.14-0+deb12u1)`.
        return f"{'SQLite' if sqlite else 'PostgreSQL'} {str(said).split()[0]}", str(schema)

    async def size(self) -> int:
        """How many bytes the database takes."""
        if self._connection.dialect.name == "sqlite":
            pages = await self._connection.scalar(sa.text("PRAGMA page_count"))
            return int(pages or 0) * int(await self._connection.scalar(sa.text("PRAGMA page_size")) or 0)
        return int(await self._connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)


def _counted(table: sa.Table, account: AccountId) -> sa.ScalarSelect[Any]:
    some = sa.select(sa.literal(1)).where(table.c.account_id == account).limit(COUNTED).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()
