"""PostgreSQL: a pool of SQLAlchemy's asynchronous connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from posthouse.store.connection import Connection

_NOT_DURABLE = sa.text("SET LOCAL synchronous_commit = off")


class Postgresql:
    """The database of this URL, at READ COMMITTED."""

    def __init__(self, url: sa.URL, **options: Any) -> None:
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"), pool_size=10, max_overflow=20, pool_pre_ping=True, **options
        )

    @property
    def engine(self) -> sa.Engine:
        return self._engine.sync_engine

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, *, durable: bool) -> AsyncIterator[Connection]:
        async with self._engine.begin() as connection:
            if not durable:
                await connection.execute(_NOT_DURABLE)
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()
