"""Syncing a connector: one path, whoever asks: a caller, somebody who waits for mail, the schedule, a server's push.

A run has a lease, so that there is one at a time whichever process it is in; who looks after a connector in this
process lends its session to the others. Every run leaves an event, and says how the connector stands.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import structlog

from posthouse import metrics
from posthouse.model.budgets import NOTHING_USED, Usage
from posthouse.model.connectors import Connector, ImapSettings
from posthouse.model.errors import (
    Cancelled,
    Conflict,
    CredentialsRefused,
    NotFound,
    PosthouseError,
    RemoteError,
    Unavailable,
)
from posthouse.model.events import ConnectorEvent, EventType, Transcript, status_of
from posthouse.model.hearing import Ear, deaf
from posthouse.model.standing import NO_PROBLEM, Moment, MomentKind, Standing
from posthouse.model.sync import Mailbox, Snapshot, SyncOutcome, Wake
from posthouse.model.values import AccountId, Clock, ConnectorId, EventId, new_id
from posthouse.services.budget import count_usage, require_login
from posthouse.services.desk import Desk, Session
from posthouse.services.fetching import Arrived, Batches, Fetching, Run
from posthouse.services.intake import Intake
from posthouse.services.keeping import Keeper
from posthouse.services.required import require_connector
from posthouse.services.running import Advance, Running
from posthouse.services.together import Together
from posthouse.services.visiting import OpenMailbox
from posthouse.store.database import Database, Transaction

log = structlog.get_logger()

INTERNAL = "an internal error; the server's log has the details"
LEASE = timedelta(seconds=10)
"""How long a run that gives no sign of life keeps others away."""
_MOST_WAITED = 120.0  # seconds that a run waits while another process runs the same connector
_KEPT_LINES = 60  # of a long-lived session's conversation: its first, and its last


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is to do. `folder` None is the connector's own; `by_itself`: nobody is told the outcome.

    `ear` hears how it goes, from the moment when the run has its turn. Who looks after the connector has written down
    with the outcome when the server told of news, and in how long the folder is looked at next.
    """

    since: datetime | None = None
    folder: str | None = None
    logging: bool = False
    by_itself: bool = False
    ear: Ear = deaf
    pushed_at: datetime | None = None
    next_in: timedelta | None = None

    def moments(self, now: datetime) -> dict[str, datetime]:
        """What this changes in how the connector stands, when the run has ended now."""
        told = {"pushed_at": self.pushed_at, "due_at": now + self.next_in if self.next_in is not None else None}
        return {name: moment for name, moment in told.items() if moment is not None}


@dataclass(frozen=True, slots=True)
class _Ended:
    """A run that is over: what was asked of it, what was said meanwhile, what it failed by, and what was asked of the
    mailbox and is not written down yet."""

    run: Run
    asked: Asked
    lines: Sequence[str]
    error: Exception | None = None
    used: Usage = NOTHING_USED

    @property
    def failure(self) -> str | None:
        """What went wrong, in words for the user."""
        if self.error is None:
            return None
        return self.error.message if isinstance(self.error, PosthouseError) else INTERNAL

    def event(self, now: datetime) -> ConnectorEvent:
        failure, new, connector = self.failure, len(self.run.email_ids), self.run.connector
        quiet = self.asked.by_itself and not new and failure is None
        return ConnectorEvent(
            id=EventId(new_id(now)),
            account_id=connector.account_id,
            connector_id=connector.id,
            type=EventType.SYNC,
            status=status_of(self.error),
            size=new,
            message=failure or ("1 new email" if new == 1 else f"{new} new emails"),
            logs=None if quiet else "\n".join(self.lines) or None,
            seen=False,
            created_at=now,
        )


@dataclass(frozen=True, slots=True)
class _Push:
    """What a server has told of, to be filed with the end of its run."""

    ended: _Ended
    arrived: Arrived


@dataclass(slots=True)
class _Turn:
    """A lease's holder. `over`: it was given back together with what the run has left to write."""

    holder: UUID
    over: bool = False


class Sync:
    def __init__(
        self,
        database: Database,
        intake: Intake,
        open_mailbox: OpenMailbox,
        now: Clock,
        batches: Batches = Batches(),
    ) -> None:
        self._database = database
        self._fetching = Fetching(database, intake, now, batches)
        self._pushes = Together(database, self._file_pushes)
        self._failures = Together(database, self._note_failures)
        self._goodbyes = Together(database, self._count_goodbyes)
        self._open_mailbox = open_mailbox
        self._now = now
        self._turns: WeakValueDictionary[ConnectorId, asyncio.Lock] = WeakValueDictionary()
        self.running = Running(database, now)
        self._keeper = Keeper(self._prolong, lambda: LEASE)
        self._desks: dict[ConnectorId, Desk] = {}
        self._refreshing: dict[ConnectorId, asyncio.Task[SyncOutcome]] = {}

    # Asking

    async def run(
        self,
        account: AccountId,
        connector_id: ConnectorId,
        *,
        since: datetime | None = None,
        folder: str | None = None,
        logging: bool = False,
        ear: Ear = deaf,
    ) -> SyncOutcome:
        """Sync a connector now, and say how it went: a failure is an outcome with `failure`, not an error.

        `since` leaves older mail where it is, for a later run without it; `folder` is synced instead of the
        connector's own. `ear` hears the conversation while it goes on, and how far the sync has come; in a session
        that is there already it hears first how that was opened. Raises NotFound for a connector that is not there,
        Unavailable when another process is at it all the time.
        """
        async with self._database.reading() as tx:
            connector = await require_connector(tx, account, connector_id)
        asked = Asked(since=since, folder=folder, logging=logging, ear=ear)
        if (desk := self._desks.get(connector_id)) is not None:
            async with desk.borrow() as session:
                if session is not None:
                    return await self.run_in(session, connector, asked)
        return await self._run_alone(connector, asked)

    async def refresh(self, account: AccountId, connector_id: ConnectorId) -> SyncOutcome:
        """Sync a connector for somebody who waits: all who ask while a run is under way share it."""
        running = self._refreshing.get(connector_id)
        if running is None:
            running = asyncio.create_task(self.run(account, connector_id))
            self._refreshing[connector_id] = running
            running.add_done_callback(lambda done: self._refreshed(connector_id, done))
        return await asyncio.shield(running)

    def _refreshed(self, connector_id: ConnectorId, done: asyncio.Task[SyncOutcome]) -> None:
        self._refreshing.pop(connector_id, None)
        if not done.cancelled():
            done.exception()  # all who waited may have gone: what went wrong has been written down, and is nobody's

    # Sessions

    @asynccontextmanager
    async def session(self, connector: Connector) -> AsyncIterator[Session]:
        """A session at the connector's mailbox, to run in. Raises NotFound when there is nothing to sign in with;
        RemoteError when it can't be had, of which an event is left."""
        transcript = Transcript(head=_KEPT_LINES, tail=_KEPT_LINES)
        try:
            settings = await self._settings(connector)
            mailbox = await self._open_mailbox(settings, transcript)
        except RemoteError as error:
            await self.note_failure(connector, error, transcript)
            raise
        metrics.sessions.inc()
        try:
            yield Session(settings, mailbox, transcript, tuple(transcript.lines))
        finally:
            metrics.sessions.dec()
            await mailbox.close()
            if used := transcript.uncounted:
                with contextlib.suppress(Unavailable):
                    await self._goodbyes.do((connector.id, used))

    async def _count_goodbyes(self, tx: Transaction, uses: Sequence[tuple[ConnectorId, Usage]]) -> Sequence[None]:
        await count_usage(tx, _summed(uses), self._now)
        return [None] * len(uses)

    @contextlib.contextmanager
    def desk(self, connector_id: ConnectorId, wanted: Wake) -> Iterator[Desk]:
        """Where the keeper of a session lends it, until the block ends; sets `wanted` when somebody wants it."""
        desk = self._desks[connector_id] = Desk(wanted)
        try:
            yield desk
        finally:
            if self._desks.get(connector_id) is desk:
                del self._desks[connector_id]
            desk.close()

    async def run_in(self, session: Session, connector: Connector, asked: Asked) -> SyncOutcome:
        """Run once in a session that is there."""
        start = session.transcript.count

        async def work(run: Run) -> None:
            session.seen = None
            try:
                with session.heard_by(asked.ear):
                    await self._fetch(run, asked, session.settings, session.mailbox)
            except BaseException as error:
                session.spoilt_by(error)
                raise
            session.seen = run.seen if run.proves_freshness else None

        said = partial(session.said_since, start)
        return await self._accounted(connector, asked, work, said, session.transcript)

    async def take_told(self, session: Session, connector: Connector, asked: Asked) -> SyncOutcome:
        """Run once in a session whose server has told of news. The little that came, as a rule, is filed in one
        transaction with everything there is to note, without opening the folder anew; else as `run_in`."""
        seen, settings, start = session.seen, session.settings, session.transcript.count
        if seen is None or settings.search_terms or asked.folder is not None:
            return await self.run_in(session, connector, asked)
        run = Run(connector=connector, holder=uuid4(), since=None, advance=Advance(self._now))
        run.host, run.folder = settings.host, settings.folder
        failed: Exception | None = None
        async with self._turns.setdefault(connector.id, asyncio.Lock()):
            began = time.monotonic()
            try:
                outcome = await self._file_arrived(run, session, seen, asked, start)
            except Exception as error:
                session.spoilt_by(error)
                failed = error
            else:
                if outcome is not None:
                    session.seen = run.seen
                    self._count(began, None)
                    return outcome
        if failed is not None:
            said = partial(session.said_since, start)
            return await self._accounted(connector, asked, _failing(failed), said, session.transcript)
        return await self.run_in(session, connector, asked)

    async def _file_arrived(
        self, run: Run, session: Session, seen: Snapshot, asked: Asked, start: int
    ) -> SyncOutcome | None:
        arrived = await self._fetching.arrived(run, session.mailbox, seen)
        if arrived is None:
            return None
        used = session.transcript.uncounted
        ended = _Ended(run, asked, session.said_since(start), used=used + Usage(bytes=arrived.size))
        event, push = None, _Push(ended, arrived)
        with contextlib.suppress(Conflict):  # it is there already, under a cursor that has not come so far
            event = await self._pushes.do(push)
        if event is None:
            run.email_ids.clear()
            await self._fetching.drop(arrived)
            return None
        session.transcript.counted(used)
        metrics.messages.inc(len(run.email_ids))
        metrics.message_bytes.inc(arrived.size)
        return self._outcome(push.ended, event)

    async def _file_pushes(self, tx: Transaction, pushes: Sequence["_Push"]) -> list[ConnectorEvent | None]:
        """File what has arrived for several connectors, and note how their runs went: an event for each for which it
        is filed. It is not, for one that somebody else syncs or has synced."""
        standings = await tx.claims.free([push.ended.run.connector.id for push in pushes])
        free = [(push.ended.run, push.arrived) for push in pushes if push.ended.run.connector.id in standings]
        filed = {run.connector.id for run in await self._fetching.file(tx, free)}
        ended = [push.ended for push in pushes if push.ended.run.connector.id in filed]
        events = {event.connector_id: event for event in await self._note(tx, ended, standings)}
        return [events.get(push.ended.run.connector.id) for push in pushes]

    async def note_failure(self, connector: Connector, error: RemoteError, transcript: Transcript) -> None:
        """A session could not be had, or kept: leave an event, and say how the connector stands.

        Nothing was synced, so that takes no lease, and is done together with what else fails at this moment: a server
        that stalls may fail thousands of sessions at once.
        """
        self._count(time.monotonic(), error)
        run = Run(connector=connector, holder=uuid4(), since=None, advance=Advance(self._now))
        ended = _Ended(run, Asked(by_itself=True), transcript.lines, error, transcript.uncounted)
        event = await self._failures.do(ended)
        transcript.counted(ended.used)
        self._outcome(ended, event)

    async def _note_failures(self, tx: Transaction, ended: Sequence[_Ended]) -> list[ConnectorEvent]:
        return await self._note(tx, ended, await tx.standings.held([one.run.connector.id for one in ended]))

    # Running

    async def _run_alone(self, connector: Connector, asked: Asked) -> SyncOutcome:
        transcript = Transcript()

        async def work(run: Run) -> None:
            settings = await self._settings(connector)
            with transcript.heard_by(asked.ear):
                mailbox = await self._open_mailbox(settings, transcript)
                try:
                    await self._fetch(run, asked, settings, mailbox)
                finally:
                    await mailbox.close()

        return await self._accounted(connector, asked, work, lambda: transcript.lines, transcript)

    async def _fetch(self, run: Run, asked: Asked, settings: ImapSettings, mailbox: Mailbox) -> None:
        run.host = settings.host
        run.folder = asked.folder or settings.folder
        run.search_terms = settings.search_terms
        await self._fetching.sync_folder(run, mailbox)
        run.proves_freshness = run.complete and run.folder == settings.folder

    async def _settings(self, connector: Connector) -> ImapSettings:
        """What to sign in with. Raises NotFound, and Deferred when that was done too often today."""
        if not connector.enabled:
            raise NotFound("this connector is disabled: enable it to sync")
        async with self._database.reading() as tx:
            connection = await tx.connectors.imap(connector.id)
            if connection is None:
                raise NotFound("this connector has no IMAP connection: add one to sync")
            if not connection.settings.enabled:
                raise NotFound("this connector's IMAP connection is disabled: enable it to sync")
            await require_login(tx, connector.id, connection.settings.host, self._now)
        return connection.settings

    async def _accounted(
        self,
        connector: Connector,
        asked: Asked,
        work: Callable[[Run], Awaitable[None]],
        lines: Callable[[], Sequence[str]],
        transcript: Transcript,
    ) -> SyncOutcome:
        """Do the work in its turn, and write down how it went."""
        async with self._turn(connector.id) as turn:
            with self.running.run(connector.id, asked.ear) as advance:
                run = Run(connector=connector, holder=turn.holder, since=asked.since, advance=advance)
                error: Exception | None = None
                began = time.monotonic()
                try:
                    await work(run)
                except Cancelled as ended:
                    ended.say_more(advance.so_far)
                    error = ended
                except PosthouseError as failed:
                    error = failed
                except Exception as failed:
                    log.exception("a sync failed by a fault of ours", connector=str(connector.id))
                    error = failed
            self._count(began, error)
            ended_run = _Ended(run, asked, lines(), error, transcript.uncounted)
            async with self._database.transaction() as tx:
                standing = await tx.standings.find(connector.id)
                [event] = await self._note(tx, [ended_run], {} if standing is None else {connector.id: standing})
                await tx.claims.give_back(connector.id, run.holder)
            transcript.counted(ended_run.used)
            turn.over = True
            return self._outcome(ended_run, event)

    def _count(self, began: float, error: Exception | None) -> None:
        metrics.sync_seconds.observe(time.monotonic() - began)
        metrics.syncs.labels(status_of(error).value).inc()

    async def _note(
        self, tx: Transaction, ended: Sequence[_Ended], before: Mapping[ConnectorId, Standing]
    ) -> list[ConnectorEvent]:
        """Write down how runs went: an event for each, and how its connector stands, unless that was deleted
        meanwhile."""
        now = self._now()
        events = [one.event(now) for one in ended]
        changes = {}
        for one in ended:
            connector = one.run.connector.id
            if connector in before:
                changes[connector] = await self._stand(tx, one, before[connector], now) | one.asked.moments(now)
        await tx.standings.change_all(changes)
        uses = _summed((one.run.connector.id, one.used) for one in ended if one.run.connector.id in before)
        await tx.standings.count_usage(uses, now.date())
        await tx.events.add_all([event for event in events if event.connector_id in before])
        return events

    def _outcome(self, ended: _Ended, event: ConnectorEvent) -> SyncOutcome:
        run, failure, new = ended.run, ended.failure, len(ended.run.email_ids)
        log.info("synced", connector=str(run.connector.id), new=new, status=event.status.value, failure=failure)
        return SyncOutcome(
            event_id=event.id,
            email_ids=tuple(run.email_ids),
            logs=tuple(ended.lines) if ended.asked.logging else None,
            failure=failure,
            seen=run.seen,
            cancelled=isinstance(ended.error, Cancelled),
        )

    async def _stand(self, tx: Transaction, ended: _Ended, before: Standing, now: datetime) -> dict[str, Any]:
        """How the connector stands after this run: what of its standing is different now."""
        run, error, failure = ended.run, ended.error, ended.failure
        connector = run.connector.id
        if failure is None:
            if before.problem is not None:
                moment = Moment(at=now, kind=MomentKind.CONNECTED, text="working again")
                await tx.standings.add_moment(connector, moment)
            if not run.proves_freshness or run.seen is None:
                return NO_PROBLEM
            return NO_PROBLEM | {
                "fresh_as_of": run.looked_at,
                "uid_validity": run.seen.uid_validity,
                "last_uid": run.seen.next_uid - 1,
            }
        if not isinstance(error, RemoteError):
            return {}
        if before.problem != failure:
            await tx.standings.add_moment(connector, Moment(at=now, kind=MomentKind.FAILED, text=failure))
        refused = isinstance(error, CredentialsRefused)
        return {
            "failures": before.failures + 1,
            "refusals": before.refusals + 1 if refused else 0,
            "lasting": not error.transient,
            "problem": failure,
            "problem_since": before.problem_since or now,
            "last_words": failure,
        }

    @asynccontextmanager
    async def _turn(self, connector: ConnectorId) -> AsyncIterator["_Turn"]:
        """The right to run a connector: one at a time in this process, and among all of them."""
        lock = self._turns.setdefault(connector, asyncio.Lock())
        async with lock:
            turn = _Turn(uuid4())
            await self._take_lease(connector, turn.holder)
            try:
                with self._keeper.keeping((connector, turn.holder)):
                    yield turn
            finally:
                if not turn.over:
                    await asyncio.shield(self._give_back(connector, turn.holder))

    async def _take_lease(self, connector: ConnectorId, holder: UUID) -> None:
        deadline = asyncio.get_running_loop().time() + _MOST_WAITED
        pause = 0.05
        while not await self._lease(connector, holder):
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("this connector is being synced by another process all the time; try again later")
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _lease(self, connector: ConnectorId, holder: UUID) -> bool:
        async with self._database.transaction() as tx:
            taken = await tx.claims.lease(connector, holder, LEASE, self._now())
            if not taken and await tx.connectors.by_id(connector) is None:
                raise NotFound(f"there is no connector {connector}")
            return taken

    async def _prolong(self, leases: Collection[tuple[ConnectorId, UUID]]) -> None:
        async with self._database.transaction() as tx:
            await tx.claims.prolong(dict(leases), LEASE, self._now())

    async def _give_back(self, connector: ConnectorId, holder: UUID) -> None:
        """Let others run at once; the lease would end by itself."""
        with contextlib.suppress(Unavailable):
            async with self._database.transaction() as tx:
                await tx.claims.give_back(connector, holder)


def _summed(uses: Iterable[tuple[ConnectorId, Usage]]) -> dict[ConnectorId, Usage]:
    total: dict[ConnectorId, Usage] = {}
    for connector, used in uses:
        total[connector] = total.get(connector, NOTHING_USED) + used
    return total


def _failing(error: Exception) -> Callable[[Run], Awaitable[None]]:
    async def fail(_run: Run) -> None:
        raise error

    return fail
