"""Looking after connectors: who does it, what they need to know, and what they have seen.

The engine's verbs. A worker (one process) enlists, says that it lives, and adopts connectors that belong to nobody;
for each it is told what there is to do (`brief`) and writes down what it has seen. Proofs of freshness come many a
second and are written together (`flush`).
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from posthouse.model.budgets import NOTHING_USED, Budget, Usage, budget_of
from posthouse.model.connectors import Connector, ImapSettings
from posthouse.model.standing import PACE, Mode, Moment, MomentKind, Standing, State, state_of
from posthouse.model.values import AccountId, Clock, ConnectorId
from posthouse.services.budget import count_usage
from posthouse.services.required import require_connector
from posthouse.store.database import Database
from posthouse.store.signals import Listener

DEFAULT_INTERVAL = timedelta(minutes=5)
"""How often a connector is polled whose schedule names no interval."""
SILENCE = timedelta(seconds=8)
"""After so long without a sign of life a worker counts as dead."""
_COUNTED = timedelta(seconds=10)  # how long we believe that workers look after as many connectors as they did


@dataclass(frozen=True, slots=True)
class Brief:
    """What there is to know before one looks after a connector; `folders` are watched beside the settings' own."""

    connector: Connector
    settings: ImapSettings
    interval: timedelta
    folders: tuple[str, ...]
    standing: Standing

    @property
    def host(self) -> str:
        return self.settings.host

    def same_work(self, other: "Brief | None") -> bool:
        """Whether what is to be done is the same, however the connector stands meanwhile."""
        return other is not None and (
            self.connector,
            self.settings,
            self.interval,
            self.folders,
        ) == (other.connector, other.settings, other.interval, other.folders)


@dataclass(frozen=True, slots=True)
class Report:
    """How a connector stands, for people: `expected` is how often its freshness should be proved, `today` what was
    asked of its mailbox today (UTC), of what its `budget` allows; commands of an idle session are there ten minutes
    later."""

    standing: Standing
    state: State
    expected: timedelta | None
    timeline: tuple[Moment, ...]
    today: Usage
    budget: Budget


class Watching:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now
        self._fresh: dict[ConnectorId, datetime] = {}
        self._planned: dict[ConnectorId, datetime] = {}
        self._used: dict[ConnectorId, Usage] = {}
        self._round, self._round_read_at = PACE.shortest, datetime.min.replace(tzinfo=UTC)
        self._heard_of: datetime | None = None

    # Workers

    async def enlist(self) -> UUID:
        """A new worker's name. Others hear of it, for they may have more than their share now."""
        worker = uuid4()
        async with self._database.transaction() as tx:
            await tx.claims.enlist(worker, self._now())
            tx.signal("connectors")
        return worker

    async def beat(self, worker: UUID) -> bool:
        """Say that this worker lives, and bury those that don't. False: we were thought dead, and own nothing."""
        async with self._database.transaction() as tx:
            if not await tx.claims.beat(worker, self._now()):
                return False
        # Who could not be heard for so long, because the database was away, can't tell who else lives.
        present = self._heard_of is not None and self._now() - self._heard_of <= SILENCE
        self._heard_of = self._now()
        if present:
            async with self._database.transaction() as tx:
                if await tx.claims.bury(SILENCE, self._now()):
                    tx.signal("connectors")
        return True

    async def retire(self, worker: UUID) -> None:
        """This worker ends; its connectors are free at once."""
        async with self._database.transaction() as tx:
            await tx.claims.retire(worker)
            tx.signal("connectors")

    async def share_out(self, worker: UUID, room: int) -> set[ConnectorId]:
        """What this worker is to look after from now on: what it has, what it adopts of what belongs to nobody (at
        most `room` at a time), less what is more than its share among the workers."""
        async with self._database.transaction() as tx:
            mine = await tx.claims.owned(worker)
            share = -(-await tx.claims.live_count() // max(1, await tx.claims.headcount()))
            if len(mine) > share:
                surplus = sorted(mine)[share:][:room]
                await tx.claims.give_up(worker, surplus)
                tx.signal("connectors")
                return mine.difference(surplus)
            room = min(room, share - len(mine))
            return mine.union(await tx.claims.adopt(worker, room) if room else ())

    async def brief(self, connector_id: ConnectorId) -> Brief | None:
        """What there is to do; None when there is nothing (any more)."""
        async with self._database.reading() as tx:
            connector = await tx.connectors.by_id(connector_id)
            if connector is None or not connector.enabled:
                return None
            schedule = await tx.connectors.schedule(connector)
            connection = await tx.connectors.imap(connector_id)
            standing = await tx.standings.get(connector_id)
        if schedule is None or not schedule.settings.enabled or connection is None or not connection.settings.enabled:
            return None
        interval = schedule.settings.interval or DEFAULT_INTERVAL
        folders = tuple(f for f in schedule.settings.watch_folders if f != connection.settings.folder)
        return Brief(connector, connection.settings, interval, folders, standing)

    async def failures(self, connector_id: ConnectorId) -> int:
        """How many tries have failed in a row."""
        async with self._database.reading() as tx:
            return (await tx.standings.get(connector_id)).failures

    @contextlib.contextmanager
    def changes(self, connector_id: ConnectorId | None = None) -> Iterator[Listener]:
        """Hears when a connector's settings have changed, or those of any."""
        with self._database.signals.listen(f"connector:{connector_id}" if connector_id else "connectors") as listener:
            yield listener

    # What was seen

    def fresh(
        self,
        connector_id: ConnectorId,
        as_of: datetime,
        *,
        due_at: datetime | None = None,
        used: Usage = NOTHING_USED,
    ) -> None:
        """The server has said at this moment that there is nothing newer than what we have. With `due_at`, this is
        when we look next; `used` is what was asked of the mailbox and is not written down yet."""
        self._fresh[connector_id] = as_of
        if due_at is not None:
            self._planned[connector_id] = due_at
        if used:
            self._used[connector_id] = self._used.get(connector_id, NOTHING_USED) + used

    async def flush(self) -> None:
        """Write the proofs of freshness down that have come in."""
        if self._fresh:
            proofs, self._fresh = self._fresh, {}
            planned, self._planned = self._planned, {}
            used, self._used = self._used, {}
            async with self._database.transaction() as tx:
                await tx.standings.prove(proofs)
                await tx.standings.plan(planned)
                await count_usage(tx, used, self._now)

    async def note(self, connector_id: ConnectorId, kind: MomentKind, text: str, *, mode: Mode | None = None) -> None:
        """Write a line into the connector's timeline; with `mode`, how it learns of new mail from now on."""
        async with self._database.transaction() as tx:
            if await tx.connectors.by_id(connector_id) is None:
                return
            await tx.standings.add_moment(connector_id, Moment(at=self._now(), kind=kind, text=text))
            if mode is not None:
                await tx.standings.change(connector_id, mode=mode)

    async def plan_next(self, connector_id: ConnectorId, due_at: datetime | None) -> None:
        """Say when this connector is looked at next."""
        async with self._database.transaction() as tx:
            await tx.standings.change(connector_id, due_at=due_at)

    # How they stand

    async def census(self) -> Counter[State]:
        """How many connectors, of those that look after themselves, stand how."""
        now, pushed = self._now(), await self.round_of_the_pushed()
        async with self._database.reading() as tx:
            everyone = await tx.standings.states()
        return Counter(
            state_of(
                standing, now, live=True, expected=expected_proof(standing.mode, interval or DEFAULT_INTERVAL, pushed)
            )
            for standing, interval in everyone
        )

    async def report(self, account: AccountId, connector_id: ConnectorId) -> Report:
        """How a connector stands. Raises NotFound."""
        async with self._database.reading() as tx:
            await require_connector(tx, account, connector_id)
            connection = await tx.connectors.imap(connector_id)
            standing = await tx.standings.get(connector_id)
            today = await tx.standings.usage(connector_id, self._now().date())
            timeline = await tx.standings.timeline(connector_id)
        brief = await self.brief(connector_id)
        pushed = await self.round_of_the_pushed()
        expected = None if brief is None else expected_proof(standing.mode, brief.interval, pushed)
        if brief is None and standing.mode is not Mode.MANUAL:
            standing = replace(standing, mode=Mode.MANUAL)
        state = state_of(standing, self._now(), live=brief is not None, expected=expected or DEFAULT_INTERVAL)
        budget = budget_of(connection.settings.host if connection else "")
        return Report(standing, state, expected, tuple(timeline), today, budget)

    async def round_of_the_pushed(self) -> timedelta:
        """How long a round takes of the process that looks after the most connectors which are pushed."""
        now = self._now()
        if now - self._round_read_at > _COUNTED:
            self._round_read_at = now
            async with self._database.reading() as tx:
                self._round = PACE.round_of(await tx.standings.most_pushed())
        return self._round


def expected_proof(mode: Mode, interval: timedelta, pushed: timedelta = PACE.shortest) -> timedelta:
    """How often the freshness of a connector should be proved; `pushed`, where its server pushes."""
    return pushed if mode is Mode.PUSH else max(interval, timedelta(seconds=10))
