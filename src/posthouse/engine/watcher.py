"""Looking after one connector: a session that is kept, told of new mail by the server (IDLE) or asking at intervals.

The loop owns at most one session. Whatever goes wrong in it, the session is dropped and the next round begins clean,
after a pause that grows with every failure. Freshness is proved, not assumed: a server that pushes is asked now and
then all the same (when, the `rounds` tell), and one that has not told of what there was is not believed until it tells
again.
"""

import asyncio
import contextlib
import random
from datetime import datetime, timedelta

import structlog

from posthouse.engine.gate import Gate, Place
from posthouse.engine.rounds import Rounds, Turn
from posthouse.model.errors import FolderMissing, NotFound, PosthouseError, RemoteError
from posthouse.model.standing import Mode, MomentKind
from posthouse.model.sync import Glance, Wake
from posthouse.model.values import Backoff, Clock, ConnectorId
from posthouse.services.desk import Desk, Session
from posthouse.services.sync import Asked, Sync
from posthouse.services.watching import Brief, Watching

log = structlog.get_logger()

BACKOFF = Backoff(first=timedelta(seconds=5), most=timedelta(minutes=15))
SURVIVED = timedelta(minutes=5)
"""A session that lasted so long was a good one: its end is no failure (servers end long sessions)."""
GLANCE = timedelta(minutes=10)
"""How often a pushed folder is opened anew: some servers tell of changes only then (Naver)."""
_LONGEST_HINT = timedelta(hours=1)  # a server may wish for a longer pause; it doesn't get it
_MISSES = 2
"""So often in a row a server that has told before must leave us without word to count as deaf; one that never has,
once. A single time shows little: Dovecot takes half a second to tell, and may be asked just then."""
_ONCE_MORE = timedelta(seconds=15)
"""After so long a server that has left us without word is asked again."""
_LOCKED_LOOK = timedelta(hours=6)
_SHORT = timedelta(seconds=1)


class Watcher:
    """One connector's. `run` ends when there is nothing to look after any more, or when it is cancelled."""

    def __init__(
        self, connector_id: ConnectorId, sync: Sync, watching: Watching, gate: Gate, rounds: Rounds, now: Clock
    ) -> None:
        self._id = connector_id
        self._sync = sync
        self._watching = watching
        self._gate = gate
        self._rounds = rounds
        self._now = now
        self._turn: Turn | None = None
        """Our place in the rounds, while there is a session in which the server pushes."""
        self._misses = 0
        """News in a row of which the server has not told by itself."""
        self._has_told = False
        self._deaf = False
        self.ended = False
        self._resting = False
        self._pushed_at: datetime | None = None
        self._short_lived = 0
        """Sessions in a row that did not last, though a sync in them may have gone well."""
        self._wake: Wake | None = None

    def end(self) -> None:
        """Have `run` return soon, with a goodbye to the server: what is being done is done first."""
        self.ended = True
        if self._wake is not None:
            self._wake.set()

    async def run(self) -> None:
        with self._watching.changes(self._id) as changes:
            self._wake = changes.news
            while not self.ended:
                place = await self._gate.enter()
                try:
                    brief = await self._watching.brief(self._id)
                    if brief is None:
                        return
                    pause = await self._round(brief, changes.news, place)
                except PosthouseError as error:  # our database, mostly: what is remote has been dealt with
                    log.warning("looking after a connector failed", connector=str(self._id), why=error.message)
                    pause = BACKOFF.first
                except Exception:
                    log.exception("looking after a connector failed by a fault of ours", connector=str(self._id))
                    pause = BACKOFF.most
                finally:
                    place.leave()
                if pause and not self.ended and await changes.next(pause.total_seconds()):
                    self._deaf, self._short_lived = False, 0  # other settings, another server perhaps

    async def _round(self, brief: Brief, wake: Wake, place: Place) -> timedelta:
        """One session from its beginning to its end. How long to wait before the next."""
        if brief.standing.locked_out:
            if brief.standing.due_at is not None:
                text = "the sign-in was refused again and again: not tried any more until the settings change"
                await self._watching.note(self._id, MomentKind.STOPPED, text)
                await self._watching.plan_next(self._id, None)
            return _LOCKED_LOOK
        began = self._now()
        self._resting = False
        try:
            async with contextlib.AsyncExitStack() as stack:
                stays = await stack.enter_async_context(self._gate.seat(brief.host, brief.settings.username))
                async with self._gate.passage(brief.host):
                    session = await stack.enter_async_context(self._sync.session(brief.connector))
                desk = stack.enter_context(self._sync.desk(self._id, wake))
                try:
                    if not stays:
                        return await self._visit(brief, session, place)
                    await self._stay(brief, session, desk, wake, place)
                except (RemoteError, _SessionFailed) as error:
                    if self._turn is not None and not self._resting:
                        self._turn.failed()
                    if isinstance(error, _SessionFailed):
                        raise
                    if self._resting and error.retry_after is None and self._now() - began > SURVIVED:
                        await self._watching.note(self._id, MomentKind.DISCONNECTED, error.message)
                        return _jittered(_SHORT)
                    await self._sync.note_failure(brief.connector, error, session.transcript)
                    raise
                finally:
                    self._leave_the_rounds()
                return timedelta()
        except _SessionFailed as failed:  # the sync that failed has written it down
            hint = failed.retry_after
        except _Cancelled:
            await self._watching.plan_next(self._id, self._now() + brief.interval)
            return brief.interval
        except NotFound:
            return _SHORT  # disabled or deleted this very moment
        except RemoteError as error:
            hint = error.retry_after
        self._short_lived = 1 if self._now() - began > SURVIVED else self._short_lived + 1
        return await self._pause(hint)

    async def _pause(self, hint: timedelta | None) -> timedelta:
        """The pause after a failure, noted as when we look next; not shorter than the server wishes."""
        failures = await self._watching.failures(self._id)
        pause = _jittered(BACKOFF.pause(max(failures, self._short_lived)))
        if hint is not None:
            pause = min(max(pause, hint + (hint - _jittered(hint))), _LONGEST_HINT)
            text = f"the server wants a pause: next look in {pause.total_seconds():.0f} s"
            await self._watching.note(self._id, MomentKind.THROTTLED, text)
        await self._watching.plan_next(self._id, self._now() + pause)
        return pause

    async def _visit(self, brief: Brief, session: Session, place: Place) -> timedelta:
        """Look once, and make room for others. In how long to come again."""
        text = (
            f"signed in at {brief.host}, where no more sessions are kept, by what its provider allows for a mailbox or "
            f"by POSTHOUSE_SESSIONS_PER_HOST: asking every {brief.interval.total_seconds():.0f} s"
        )
        if brief.standing.mode is not Mode.POLL:
            await self._watching.note(self._id, MomentKind.CONNECTED, text, mode=Mode.POLL)
        pause = _jittered(brief.interval)
        for folder in (*brief.folders, None):
            await self._sync_once(brief, session, folder, next_in=None if folder else pause)
        place.leave()
        return pause

    async def _stay(self, brief: Brief, session: Session, desk: Desk, wake: Wake, place: Place) -> None:
        """Keep the session until the settings change, or we are to end. Raises when it ends in any other way."""
        push = session.mailbox.can_push
        self._misses, self._has_told = 0, brief.standing.pushed_at is not None
        hears = push and not self._deaf
        mode = Mode.PUSH if hears else Mode.POLL
        how = "the server pushes new mail" if hears else self._asking(brief, push)
        await self._watching.note(self._id, MomentKind.CONNECTED, f"signed in at {brief.host}; {how}", mode=mode)
        told = push and bool(brief.folders) and await session.mailbox.notify(brief.folders)
        alone = bool(brief.folders) and not told  # those folders can't wait for the rounds
        others: dict[str, Glance] = {}
        await self._look_around(brief, session, others)
        pause = self._next_look(brief, push)
        await self._sync_once(brief, session, next_in=pause)
        place.leave()
        if push:
            self._turn = self._rounds.join(f"{brief.host}:{brief.settings.port}", wake)
        while True:
            due = self._now() + pause
            news = False
            while not news and self._now() < due:
                if await desk.serve(session):
                    if session.broken:
                        raise _SessionFailed(session.retry_after)
                    self._heard()
                    if session.seen is None:  # another folder was looked at, or not all of this one
                        news = True
                        break
                news = await self._rest(session, wake, due, alone)
                if wake.is_set():
                    wake.clear()
                    if self.ended:
                        return
                    if not brief.same_work(await self._watching.brief(self._id)):
                        self._deaf = False  # another server perhaps
                        await self._watching.note(self._id, MomentKind.CHANGED, "the settings have changed")
                        return
                elif push and not news:
                    asked, said = self._now(), session.transcript.count
                    if asked + timedelta(seconds=self._rounds.length) >= due:
                        break  # the next turn would come too late for opening the folder anew
                    if await session.mailbox.anything_new():
                        self._heard()
                        news = True
                        await self._missed(brief)
                    elif session.seen is None:
                        news = True
                    else:
                        self._heard()
                        self._watching.fresh(self._id, asked)
                        session.transcript.forget_since(said)  # day and night the same three lines
                        news = not told and await self._look_around(brief, session, others)
            pause = self._next_look(brief, push)
            if news and push and session.seen is not None:
                await self._sync_once(brief, session, next_in=pause, told=True)
                if not await self._look_around(brief, session, others):
                    continue
            elif news or not push:
                await self._look_around(brief, session, others)
            elif not await self._has_changed(brief, session, pause):
                continue
            await self._sync_once(brief, session, next_in=pause)

    async def _rest(self, session: Session, wake: Wake, due: datetime, alone: bool) -> bool:
        """Wait until there is something to do. True: the server has told of a change, now or before.

        Where it tells of changes, this goes on until it is our turn in the rounds. It keeps time by itself when it is
        `alone`, and while we can't rely on being told.
        """
        left = (due - self._now()).total_seconds()
        if self._turn is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), max(0.0, left))
            return False
        rest = None
        if self._deaf:
            rest = left
        elif self._misses:
            rest = min(left, _ONCE_MORE.total_seconds())
        if alone:
            rest = min(rest or left, _jittered(self._rounds.pace.shortest).total_seconds())
        overheard = session.mailbox.has_news
        self._resting = True
        news = await session.mailbox.idle(self._turn, rest)
        self._resting = False
        if news and not overheard:
            await self._told()
        return news

    async def _look_around(self, brief: Brief, session: Session, others: dict[str, Glance]) -> bool:
        """Sync those of the other folders that look different now. True: there were some, and the connector's own
        folder is not selected any more."""
        moved = False
        for folder in brief.folders:
            try:
                glance = await session.mailbox.glance(folder)
            except FolderMissing as error:
                if others.get(folder) != _MISSING:
                    await self._watching.note(self._id, MomentKind.FAILED, error.message)
                others[folder] = _MISSING
                continue
            if others.get(folder) != glance:
                await self._sync_once(brief, session, folder)
                others[folder] = glance
                moved = True
        return moved

    def _heard(self) -> None:
        """The server has answered: others may be asked before this session is again."""
        if self._turn is not None:
            self._turn.answered()

    def _leave_the_rounds(self) -> None:
        if self._turn is not None:
            self._turn.leave()
            self._turn = None

    async def _has_changed(self, brief: Brief, session: Session, pause: timedelta) -> bool:
        """Open the folder anew, and compare. Where nothing has come, we look again after `pause`."""
        asked, seen = self._now(), session.seen
        found = await session.mailbox.select(session.settings.folder)
        if seen is None or found.uid_validity != seen.uid_validity:
            return True
        if found.next_uid != seen.next_uid:
            await self._missed(brief)
            return True
        self._heard()
        used = session.transcript.uncounted
        self._watching.fresh(self._id, asked, due_at=self._now() + pause, used=used)
        session.transcript.counted(used)
        return False

    async def _missed(self, brief: Brief) -> None:
        """There was news, of which the server has not told."""
        self._misses += 1
        if self._deaf or (self._has_told and self._misses < _MISSES):
            return
        self._deaf = True
        if self._turn is not None:
            self._turn.failed()
        text = f"the server promised to push new mail (IDLE) and did not: {self._asking(brief, True)} from now on"
        await self._watching.note(self._id, MomentKind.DOWNGRADED, text, mode=Mode.POLL)

    async def _told(self) -> None:
        """The server has told of news by itself."""
        self._pushed_at = self._now()
        self._misses, self._has_told = 0, True
        if self._deaf:
            self._deaf = False
            text = "the server pushes new mail again"
            await self._watching.note(self._id, MomentKind.UPGRADED, text, mode=Mode.PUSH)

    def _asking(self, brief: Brief, push: bool) -> str:
        """How often a server is asked that does not tell: in words."""
        interval = brief.interval.total_seconds()
        return f"asking every {min(interval, self._rounds.length) if push else interval:.0f} s"

    def _next_look(self, brief: Brief, push: bool) -> timedelta:
        """In how long a folder is looked at again when nothing calls for it before."""
        return _jittered(max(GLANCE, brief.interval) if push and not self._deaf else brief.interval)

    async def _sync_once(
        self,
        brief: Brief,
        session: Session,
        folder: str | None = None,
        next_in: timedelta | None = None,
        *,
        told: bool = False,
    ) -> None:
        asked = Asked(by_itself=True, folder=folder, pushed_at=self._pushed_at, next_in=next_in)
        self._pushed_at = None
        sync = self._sync.take_told if told else self._sync.run_in
        outcome = await sync(session, brief.connector, asked)
        if outcome.cancelled:
            raise _Cancelled
        if outcome.failure is not None:
            raise _SessionFailed(session.retry_after)
        self._heard()


_MISSING = Glance(None, None, None)


class _SessionFailed(Exception):
    """A sync has failed in the session, and has written down why. The server may wish for a pause."""

    def __init__(self, retry_after: timedelta | None) -> None:
        super().__init__()
        self.retry_after = retry_after


class _Cancelled(Exception):
    """Somebody has ended a sync in the session. It goes on when the interval is over, or when somebody asks."""


def _jittered(pause: timedelta) -> timedelta:
    """Up to a tenth less, so that what began together does not stay together."""
    return pause * random.uniform(0.9, 1.0)  # noqa: S311 (no secret)
