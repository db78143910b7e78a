"""Rows of accounts and of the keys that stand for them."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from posthouse.model.accounts import Account, ApiKey
from posthouse.model.values import AccountId
from posthouse.store.connection import Connection
from posthouse.store.tables import accounts, api_keys

LAST_USE_PRECISION = timedelta(minutes=1)


class Accounts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, account: Account) -> None:
        await self._connection.execute(
            sa.insert(accounts).values(id=account.id, name=account.name, created_at=account.created_at)
        )

    async def by_id(self, account: AccountId) -> Account | None:
        row = (await self._connection.execute(sa.select(accounts).where(accounts.c.id == account))).mappings()
        return next((Account(**r) for r in row), None)

    async def by_name(self, name: str) -> Account | None:
        row = (await self._connection.execute(sa.select(accounts).where(accounts.c.name == name))).mappings()
        return next((Account(**r) for r in row), None)

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        await self._connection.execute(
            sa.insert(api_keys).values(
                id=key.id,
                account_id=key.account_id,
                name=key.name,
                hint=key.hint,
                digest=digest,
                created_at=key.created_at,
            )
        )

    async def key_by_digest(self, digest: bytes) -> ApiKey | None:
        found = await self._connection.execute(sa.select(*_KEY).where(api_keys.c.digest == digest))
        return next((ApiKey(**row) for row in found.mappings()), None)

    async def keys(self, account: AccountId | None = None) -> list[tuple[ApiKey, str]]:
        """Every key, or every one of an account, with its account's name, oldest first."""
        query = sa.select(*_KEY, accounts.c.name.label("account")).join(accounts)
        if account is not None:
            query = query.where(api_keys.c.account_id == account)
        rows = (await self._connection.execute(query.order_by(api_keys.c.created_at))).mappings()
        return [(ApiKey(**{k: v for k, v in row.items() if k != "account"}), row["account"]) for row in rows]

    async def remove_key(self, key: UUID, account: AccountId | None = None) -> bool:
        """False when there is no such key, or it is not of this account."""
        query = sa.delete(api_keys).where(api_keys.c.id == key)
        if account is not None:
            query = query.where(api_keys.c.account_id == account)
        return bool((await self._connection.execute(query)).rowcount)

    async def mark_used(self, key: ApiKey, now: datetime) -> None:
        await self._connection.execute(sa.update(api_keys).where(api_keys.c.id == key.id).values(last_used_at=now))


_KEY = [column for column in api_keys.c if column.name != "digest"]
