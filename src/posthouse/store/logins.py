"""Rows of logins: sessions of the dashboard, and links that begin one."""

from datetime import datetime

import sqlalchemy as sa

from posthouse.model.accounts import Login, LoginKind
from posthouse.store.connection import Connection
from posthouse.store.tables import logins


class Logins:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, login: Login, digest: bytes) -> None:
        await self._connection.execute(
            sa.insert(logins).values(
                digest=digest,
                kind=login.kind.value,
                account_id=login.account_id,
                api_key_id=login.api_key_id,
                created_at=login.created_at,
                expires_at=login.expires_at,
            )
        )

    async def find(self, kind: LoginKind, digest: bytes, now: datetime) -> Login | None:
        """The one of this digest, unless it has expired."""
        alive = (logins.c.digest == digest) & (logins.c.kind == kind.value) & (logins.c.expires_at > now)
        row = (await self._connection.execute(sa.select(*_LOGIN).where(alive))).mappings().one_or_none()
        return Login(**(dict(row) | {"kind": LoginKind(row["kind"])})) if row else None

    async def remove(self, digest: bytes) -> bool:
        """Whether it was there: of two who take the same link one gets it."""
        return bool((await self._connection.execute(sa.delete(logins).where(logins.c.digest == digest))).rowcount)

    async def remove_expired(self, now: datetime) -> int:
        return (await self._connection.execute(sa.delete(logins).where(logins.c.expires_at <= now))).rowcount


_LOGIN = [column for column in logins.c if column.name != "digest"]
