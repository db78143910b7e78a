"""Connectors as a list for people: found, sorted, and told how they stand."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from posthouse.model.overview import Overview, OverviewQuery, Summary
from posthouse.model.standing import Mode, State
from posthouse.model.values import AccountId, Clock, ConnectorId
from posthouse.services.watching import DEFAULT_INTERVAL, expected_proof
from posthouse.store.database import Database
from posthouse.store.overview import Pace


class Overviews:
    def __init__(self, database: Database, round_of_the_pushed: Callable[[], Awaitable[timedelta]], now: Clock) -> None:
        self._database = database
        self._round_of_the_pushed = round_of_the_pushed
        self._now = now

    async def page(self, account: AccountId, query: OverviewQuery = OverviewQuery()) -> Overview:
        """A page of an account's connectors, and how many there are in each state."""
        now, pace = self._now(), await self._pace()
        async with self._database.reading() as tx:
            counts, numbers = await tx.overviews.find(account, query, now, pace)
            items = await tx.overviews.summaries(account, numbers, now, pace)
        total = sum(counts.values()) if query.state is None else counts.get(query.state, 0)
        return Overview(tuple(items), {state: counts.get(state, 0) for state in State}, total, query)

    async def again(
        self, account: AccountId, query: OverviewQuery, ids: Sequence[ConnectorId]
    ) -> tuple[list[Summary], dict[State, int]]:
        """How connectors that are shown look by now, and what the query's search counts by now."""
        now, pace = self._now(), await self._pace()
        async with self._database.reading() as tx:
            counts, _ = await tx.overviews.find(account, replace(query, size=0), now, pace)
            items = await tx.overviews.summaries(account, ids, now, pace)
        return items, {state: counts.get(state, 0) for state in State}

    async def these(self, account: AccountId, ids: Sequence[ConnectorId]) -> list[Summary]:
        """Connectors of an account by their ids, in this order; those that are not there are left out."""
        pace = await self._pace()
        async with self._database.reading() as tx:
            return await tx.overviews.summaries(account, ids, self._now(), pace)

    async def _pace(self) -> Pace:
        """What `expected_proof` says, in the terms of the store."""
        least = expected_proof(Mode.POLL, timedelta())
        return Pace(push=await self._round_of_the_pushed(), default=DEFAULT_INTERVAL, least=least)
