"""What is new in one folder of an external mailbox becomes email of ours.

The order of steps is what makes it safe to die anywhere. No transaction is held while we talk to the server. A batch
of messages is kept (bytes), then filed in one transaction together with the cursor that says so: after a crash the
next run asks for exactly what is not filed. Each of these transactions makes sure that the run's lease is still its
own, so that a process that was paused for too long files nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

import structlog

from posthouse import metrics
from posthouse.model.budgets import Usage, budget_of
from posthouse.model.connectors import Connector
from posthouse.model.errors import Deferred, PosthouseError
from posthouse.model.sync import (
    Cursor,
    FetchFrom,
    Identity,
    Mailbox,
    Nothing,
    Occurrence,
    RawMessage,
    Snapshot,
    StartOver,
    plan,
)
from posthouse.model.values import Clock, EmailId
from posthouse.services.intake import Batch, Incoming, Intake, Prepared, TakenIn
from posthouse.services.running import Advance
from posthouse.store.database import Database, Transaction
from posthouse.store.folders import Place

log = structlog.get_logger()

_AT_A_TIME = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """How much is filed in one transaction, and how much a first look at a folder takes at the most."""

    messages: int = 250
    bytes: int = 8 << 20
    first_sync: int | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """One sync under way: what it is about, and how far it has come. `holder` has the connector's lease.

    `since` None means all mail; `search_terms` are IMAP search keys that narrow it.
    """

    connector: Connector
    holder: UUID
    since: datetime | None
    advance: Advance
    host: str = ""
    folder: str = ""
    search_terms: str = ""
    email_ids: list[EmailId] = field(default_factory=list)
    looked_at: datetime | None = None
    seen: Snapshot | None = None
    complete: bool = False
    """Everything that `seen` showed is filed."""
    proves_freshness: bool = False
    """… and that is the folder by which the connector is judged."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What has come while a folder was open, fetched and read; `seen` is how the folder looked before."""

    seen: Snapshot
    identities: dict[int, Identity]
    uids: list[int]
    prepared: list[Prepared]

    @property
    def size(self) -> int:
        return sum(one.size for one in self.identities.values())

    def follows(self, cursor: Cursor, search_terms: str) -> bool:
        """Whether this is what comes next where a folder is synced so far."""
        there = (cursor.uid_validity, cursor.next_uid, cursor.search_terms)
        return there == (self.seen.uid_validity, self.seen.next_uid, search_terms)


@dataclass(frozen=True, slots=True)
class _Lot:
    """Messages of a folder that are to be filed, kept and read."""

    run: Run
    place: Place
    uids: Sequence[int]
    prepared: Sequence[Prepared]
    identities: Mapping[int, Identity]


class Fetching:
    def __init__(self, database: Database, intake: Intake, now: Clock, batches: Batches) -> None:
        self._database = database
        self._intake = intake
        self._now = now
        self._batches = batches

    async def sync_folder(self, run: Run, mailbox: Mailbox) -> None:
        """File what is new in the run's folder. Raises RemoteError, Cancelled when somebody has ended the run, and
        LeaseLost when another process took over."""
        place = await self._place(run)
        run.looked_at = self._now()
        run.seen = seen = await mailbox.select(run.folder, place.cursor if place else None)
        step = plan(place.cursor if place else None, seen, run.search_terms)
        match step:
            case Nothing():
                assert place is not None
                await self._finish(run, place, seen)
                run.complete = True
                return
            case StartOver(why):
                log.info("recognising a folder anew", connector=str(run.connector.id), folder=run.folder, why=why)
                place, start = await self._begin(run, seen, era=place.era + 1 if place else 0), 1
            case FetchFrom(uid):
                start = uid
                if place is None or start < place.cursor.next_uid:
                    place = await self._begin(run, seen, era=place.era if place else 0)
        wanted = await self._wanted(run, mailbox, place, range(start, seen.next_uid))
        if wanted:
            await self._fetch(run, mailbox, place, wanted)
        elif run.since is None:
            await self._finish(run, place, seen)
        run.complete = run.since is None and not wanted

    async def arrived(self, run: Run, mailbox: Mailbox, seen: Snapshot) -> Arrived | None:
        """Fetch and read what has come to the open folder since it looked as in `seen`, when all was filed. None
        where that shows nothing, or too much for one transaction: `sync_folder` is for that. Raises RemoteError."""
        run.looked_at = self._now()
        arrivals = await mailbox.arrivals(seen.next_uid)
        identities = [arrival.identity for arrival in arrivals]
        few = 0 < len(identities) <= self._batches.messages
        if not few or sum(identity.size for identity in identities) > self._batches.bytes:
            return None
        if len(await self._affordable(run, identities)) < len(identities):
            return None
        messages = [arrival.message for arrival in arrivals if arrival.message is not None]
        rest = [arrival.identity for arrival in arrivals if arrival.message is None]
        messages += [message async for message in mailbox.fetch(rest)]
        if len(messages) < len(identities):
            return None
        messages.sort(key=lambda message: message.uid)
        uids = [message.uid for message in messages]
        run.seen = replace(seen, next_uid=uids[-1] + 1, exists=seen.exists + len(uids), vanished=())
        prepared = await self._intake.prepare([_incoming(message, run.folder) for message in messages])
        return Arrived(seen, {identity.uid: identity for identity in identities}, uids, prepared)

    async def file(self, tx: Transaction, arrivals: Sequence[tuple[Run, Arrived]]) -> list[Run]:
        """File what has arrived for these connectors, a run each, in this transaction. The runs for which it is filed:
        the others are no longer where their folders were left. Its bytes are counted with the end of the run."""
        places = await tx.folders.several({run.connector.id: run.folder for run, _ in arrivals})
        lots = [
            _Lot(run, place, arrived.uids, arrived.prepared, arrived.identities)
            for run, arrived in arrivals
            if (place := places.get(run.connector.id)) is not None and arrived.follows(place.cursor, run.search_terms)
        ]
        if not lots:
            return []
        taken = await self._take_in(tx, lots)
        await tx.folders.advance({lot.place.number: lot.uids[-1] + 1 for lot in lots})
        filed = [lot.run for lot in lots]
        for run, its in zip(filed, taken, strict=True):
            run.email_ids = list(its.new)
            run.complete = run.proves_freshness = True
        return filed

    async def drop(self, arrived: Arrived) -> None:
        """It is not filed: don't keep it. But a commit whose answer was lost may have filed it all the same."""
        async with self._database.reading() as tx:
            filed = await tx.packs.known({one.stored.pack for one in arrived.prepared})
        await self._intake.drop([one for one in arrived.prepared if one.stored.pack not in filed])

    async def _place(self, run: Run) -> Place | None:
        async with self._database.reading() as tx:
            return await tx.folders.get(run.connector.id, run.folder)

    async def _begin(self, run: Run, seen: Snapshot, era: int) -> Place:
        """Start at the folder's beginning. Nothing is forgotten: what we know is left out, or recognised."""
        cursor = Cursor(folder=run.folder, uid_validity=seen.uid_validity, search_terms=run.search_terms)
        async with self._fenced(run) as tx:
            number = await tx.folders.keep(run.connector.id, cursor, era=era)
        return Place(number, era, cursor)

    async def _wanted(self, run: Run, mailbox: Mailbox, place: Place, uids: range) -> "_Wanted":
        """The messages that are asked for and not filed yet; those that we recognise are noted on the way."""
        since = run.since.date() if run.since else None
        found = await mailbox.search(uids, terms=run.search_terms, since=since)
        async with self._database.reading() as tx:
            known = await tx.folders.known_uids(place.number, place.era, uids.start, uids.stop)
            lost = await tx.folders.unplaced(place.number, place.era) if place.era else []
        if uids.start == 1 and self._batches.first_sync is not None:
            found = found[max(0, len(found) - self._batches.first_sync) :]
        missing = [uid for uid in found if uid not in known]
        wanted = _Wanted(move_cursor=run.since is None, next_uid=uids.stop, missing=missing)
        if lost:
            await self._recognise(run, mailbox, place, wanted, lost)
        return wanted

    async def _recognise(
        self, run: Run, mailbox: Mailbox, place: Place, wanted: "_Wanted", lost: Sequence[Occurrence]
    ) -> None:
        """Match messages under new UIDs with those that we had under old ones, without fetching them again."""
        by_mark: dict[bytes, deque[Occurrence]] = {}
        for one in lost:
            if one.mark is not None:
                by_mark.setdefault(one.mark, deque()).append(one)
        recognised = []
        async for identity in mailbox.identities(wanted.missing):
            candidates = by_mark.get(identity.mark or b"")
            if candidates:
                recognised.append(replace(candidates.popleft(), uid=identity.uid))
        async with self._fenced(run) as tx:
            await tx.folders.add_occurrences([(place, recognised)])
        wanted.done(one.uid for one in recognised)

    async def _fetch(self, run: Run, mailbox: Mailbox, place: Place, wanted: "_Wanted") -> None:
        """Fetch and file, so many at a time that even what is known of a huge folder fits in memory."""
        missing = wanted.missing
        run.advance.begin(run.folder, len(missing))
        for start in range(0, len(missing), _AT_A_TIME):
            run.advance.stop_if_cancelled()
            uids = missing[start : start + _AT_A_TIME]
            sizes = [identity async for identity in mailbox.identities(uids, message_ids=False)]
            run.advance.count(sized=len(sizes), bytes=sum(identity.size for identity in sizes))
            affordable = await self._affordable(run, sizes)
            await self._fetch_some(run, mailbox, place, wanted, affordable)
            if len(affordable) < len(sizes):
                raise Deferred(
                    f"{budget_of(run.host).provider} lets a mailbox fetch only so much by IMAP in a day, and today's "
                    f"share is used up: {len(wanted.missing)} messages wait for tomorrow",
                    retry_after=timedelta(hours=1),
                )

    async def _affordable(self, run: Run, identities: list[Identity]) -> list[Identity]:
        """The first of these that the mailbox's budget for today allows."""
        budget = budget_of(run.host)
        if budget.daily_bytes is None:
            return identities
        async with self._database.reading() as tx:
            left = budget.bytes_left(await tx.standings.usage(run.connector.id, self._now().date()))
        assert left is not None
        totals = accumulate(identity.size for identity in identities)
        return [identity for identity, total in zip(identities, totals, strict=True) if total <= left]

    async def _fetch_some(
        self, run: Run, mailbox: Mailbox, place: Place, wanted: "_Wanted", identities: list[Identity]
    ) -> None:
        """Fetch and file these: while one batch comes in, the one before is read and that before it is filed."""
        by_uid = {identity.uid: identity for identity in identities}
        filings: deque[asyncio.Task[None]] = deque()
        try:
            async for batch in self._batched(run, mailbox, by_uid):
                if len(filings) == 2:
                    await filings.popleft()
                before = filings[-1] if filings else None
                filings.append(asyncio.create_task(self._file(run, place, wanted, batch, by_uid, before)))
            while filings:
                await filings.popleft()
        finally:
            if filings:
                # What has been fetched is filed even when the connection breaks behind it.
                ended = await asyncio.shield(asyncio.gather(*filings, return_exceptions=True))
                for error in ended:
                    if isinstance(error, Exception):
                        raise error

    async def _batched(
        self, run: Run, mailbox: Mailbox, identities: Mapping[int, Identity]
    ) -> AsyncIterator[list[RawMessage]]:
        batch: list[RawMessage] = []
        size = 0
        try:
            async with aclosing(mailbox.fetch(list(identities.values()))) as messages:
                async for message in messages:
                    batch.append(message)
                    size += len(message.content)
                    run.advance.count(fetched=1, fetched_bytes=identities[message.uid].size)
                    run.advance.stop_if_cancelled()
                    if len(batch) >= self._batches.messages or size >= self._batches.bytes:
                        yield batch
                        batch, size = [], 0
        except PosthouseError:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    async def _file(
        self,
        run: Run,
        place: Place,
        wanted: "_Wanted",
        batch: list[RawMessage],
        identities: dict[int, Identity],
        before: asyncio.Task[None] | None,
    ) -> None:
        """Keep and read a batch, and file it after the one `before`."""
        batch.sort(key=lambda message: message.uid)  # Yahoo answers in any order
        uids, size = [message.uid for message in batch], sum(len(message.content) for message in batch)
        incoming = [_incoming(message, run.folder) for message in batch]
        batch.clear()
        prepared = await self._intake.prepare(incoming)
        incoming.clear()  # the bytes need not wait in memory until it is our turn
        if before is not None:
            await before
        async with self._fenced(run) as tx:
            [taken] = await self._take_in(tx, [_Lot(run, place, uids, prepared, identities)])
            wanted.done(uids)
            if wanted.move_cursor and not wanted:
                await self._remember(tx, run, place)
            elif wanted.move_cursor:
                cursor = replace(place.cursor, next_uid=wanted.first_missing)
                await tx.folders.keep(run.connector.id, cursor, era=place.era)
            await tx.standings.count_usage({run.connector.id: Usage(bytes=size)}, self._now().date())
        run.advance.count(filed=len(uids))
        metrics.messages.inc(len(taken.new))
        metrics.message_bytes.inc(size)
        run.email_ids.extend(taken.new)

    async def _take_in(self, tx: Transaction, lots: Sequence[_Lot]) -> list[TakenIn]:
        """File these messages, of a connector each, and note where they lie at the server."""
        connectors = [lot.run.connector for lot in lots]
        batches = [
            Batch(connector.account_id, connector.inbox_id, lot.prepared, connector)
            for connector, lot in zip(connectors, lots, strict=True)
        ]
        taken = await self._intake.take_in_all(tx, batches)
        found = [(lot.place, _occurrences(lot, its)) for lot, its in zip(lots, taken, strict=True)]
        await tx.folders.add_occurrences(found)
        return taken

    async def _finish(self, run: Run, place: Place, seen: Snapshot) -> None:
        """Nothing is missing, although nothing was fetched."""
        if seen.vanished or _finished(run, place, seen) != place.cursor:
            async with self._fenced(run) as tx:
                await self._remember(tx, run, place)

    async def _remember(self, tx: Transaction, run: Run, place: Place) -> None:
        """Everything in the folder is filed: remember how it looked when we opened it."""
        assert run.seen is not None
        await tx.folders.keep(run.connector.id, _finished(run, place, run.seen), era=place.era)
        if place.era:
            await tx.folders.forget_before(place.number, place.era)
        await tx.folders.forget_vanished(place.number, place.era, run.seen.vanished)

    @asynccontextmanager
    async def _fenced(self, run: Run) -> AsyncIterator[Transaction]:
        """A transaction that only the holder of the connector's lease can commit."""
        async with self._database.transaction() as tx:
            await tx.claims.hold(run.connector.id, run.holder)
            yield tx


def _occurrences(lot: _Lot, taken: TakenIn) -> list[Occurrence]:
    return [
        Occurrence(
            uid=uid,
            mark=replace(lot.identities[uid], message_id=one.gist.message_id).mark,
            digest=one.digest,
            email=taken.numbers[one.digest],
        )
        for uid, one in zip(lot.uids, lot.prepared, strict=True)
    ]


def _incoming(message: RawMessage, folder: str) -> Incoming:
    return Incoming(
        content=message.content,
        size=message.size,
        folder=folder,
        external_id=str(message.uid),
        cut=message.cut,
    )


def _finished(run: Run, place: Place, seen: Snapshot) -> Cursor:
    return replace(
        place.cursor,
        uid_validity=seen.uid_validity,
        next_uid=seen.next_uid,
        highest_modseq=seen.highest_modseq,
        search_terms=run.search_terms,
    )


class _Wanted:
    """The UIDs that are still to be filed, ascending."""

    def __init__(self, *, move_cursor: bool, next_uid: int, missing: Sequence[int]) -> None:
        self.move_cursor = move_cursor
        self.missing = list(missing)
        self._next_uid = next_uid

    def __bool__(self) -> bool:
        return bool(self.missing)

    def done(self, uids: Iterable[int]) -> None:
        gone = set(uids)
        self.missing = [uid for uid in self.missing if uid not in gone]

    @property
    def first_missing(self) -> int:
        """Everything below this is filed."""
        return self.missing[0] if self.missing else self._next_uid
