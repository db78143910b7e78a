"""About this server: what it runs on, how much it holds, and what it has still to do. Nothing here takes long."""

from posthouse.model.figures import Backlogs, Holdings, House
from posthouse.model.values import AccountId, Clock
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database


class About:
    def __init__(self, database: Database, blobs: Blobs, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now
        self._started_at = now()

    async def house(self) -> House:
        free = await self._blobs.free()
        async with self._database.reading() as tx:
            database, schema = await tx.figures.database()
            return House(
                database=database,
                schema=schema,
                database_size=await tx.figures.size(),
                free=free,
                workers=await tx.claims.alive(self._now()),
                started_at=self._started_at,
            )

    async def holdings(self, account: AccountId) -> Holdings:
        """What an account has."""
        async with self._database.reading() as tx:
            return await tx.figures.holdings(account)

    async def backlogs(self, account: AccountId) -> Backlogs:
        """What is still to be done for an account."""
        async with self._database.reading() as tx:
            webhooks = (await tx.lanes.backlog(account)).values()
            return Backlogs(
                sending=await tx.figures.on_its_way(account),
                webhooks_waiting=sum(one.waiting for one in webhooks),
                webhooks_given_up=sum(one.given_up for one in webhooks),
            )
