"""Rows of packs: which files of raw mail there are, and how many stretches of each are still in use."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from posthouse.store.connection import Connection
from posthouse.store.tables import packs

_USE = sa.insert(packs)


class Packs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def use(self, used: Iterable[str], now: datetime) -> None:
        """Count stretches of new packs as in use; name a pack once for each stretch."""
        rows = [{"id": pack, "live": live, "created_at": now} for pack, live in Counter(used).items()]
        if rows:
            await self._connection.execute(_USE, rows)

    async def release(self, released: Iterable[str]) -> list[str]:
        """Count stretches as no longer in use. The packs that nobody uses any more: their files can go, after
        the commit."""
        empty = []
        for pack, stretches in sorted(Counter(released).items()):
            live = await self._connection.scalar(
                sa.update(packs).where(packs.c.id == pack).values(live=packs.c.live - stretches).returning(packs.c.live)
            )
            if live is not None and live <= 0:
                await self._connection.execute(sa.delete(packs).where(packs.c.id == pack))
                empty.append(pack)
        return empty

    async def known(self, among: Iterable[str]) -> set[str]:
        return set(await self._connection.scalars(sa.select(packs.c.id).where(packs.c.id.in_(list(among)))))
