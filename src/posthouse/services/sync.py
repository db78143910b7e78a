"""Running one connector once: what is new at the external mailbox becomes email of ours.

The order of steps is what makes it safe to die anywhere. No transaction is held while we talk to the server. A batch
of messages is kept (bytes), then filed in one transaction together with the cursor that says so: after a crash the
next run asks for exactly what is not filed. Every run leaves an event.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from weakref import WeakValueDictionary

import structlog

from posthouse.model.connectors import Connector, ImapSettings
from posthouse.model.errors import NotFound, PosthouseError
from posthouse.model.events import ConnectorEvent, EventType, Transcript, status_of
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
    SyncOutcome,
    plan,
)
from posthouse.model.values import AccountId, Clock, ConnectorId, EmailId, EventId, new_id
from posthouse.services.intake import Incoming, Intake
from posthouse.store.database import Database
from posthouse.store.folders import Place

log = structlog.get_logger()

OpenMailbox = Callable[[ImapSettings, Transcript], Awaitable[Mailbox]]

INTERNAL = "an internal error; the server's log has the details"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """How much is filed in one transaction, and how much a first look at a folder takes at the most."""

    messages: int = 250
    bytes: int = 16 << 20
    first_sync: int | None = None


@dataclass(slots=True)
class _Run:
    """One run under way: what it is about, and what it has filed so far."""

    connector: Connector
    settings: ImapSettings
    folder: str
    since: datetime | None
    email_ids: list[EmailId] = field(default_factory=list)


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
        self._intake = intake
        self._open_mailbox = open_mailbox
        self._now = now
        self._batches = batches
        self._turns: WeakValueDictionary[ConnectorId, asyncio.Lock] = WeakValueDictionary()

    async def run(
        self,
        account: AccountId,
        connector_id: ConnectorId,
        *,
        since: datetime | None = None,
        folder: str | None = None,
        logging: bool = False,
    ) -> SyncOutcome:
        """Sync a connector now, and say how it went: a failure is an outcome with `failure`, not an error.

        `since` leaves older mail where it is, for a later run without it; `folder` is synced instead of the
        connector's own. Raises NotFound for a connector that is not there.
        """
        async with self._turn(connector_id):
            async with self._database.reading() as tx:
                connector = await tx.connectors.get(account, connector_id)
            if connector is None:
                raise NotFound(f"there is no connector {connector_id}")
            transcript = Transcript()
            email_ids: list[EmailId] = []
            error: Exception | None = None
            try:
                await self._run(connector, folder, since, transcript, email_ids)
            except PosthouseError as failed:
                error = failed
            except Exception as failed:
                log.exception("a sync failed by a fault of ours", connector=str(connector_id))
                error = failed
            return await self._account_for(connector, error, email_ids, transcript, logging)

    async def _run(
        self,
        connector: Connector,
        folder: str | None,
        since: datetime | None,
        transcript: Transcript,
        email_ids: list[EmailId],
    ) -> None:
        async with self._database.reading() as tx:
            connection = await tx.connectors.imap(connector.id)
        if not connector.enabled:
            raise NotFound("this connector is disabled: enable it to sync")
        if connection is None:
            raise NotFound("this connector has no IMAP connection: add one to sync")
        if not connection.settings.enabled:
            raise NotFound("this connector's IMAP connection is disabled: enable it to sync")
        settings = connection.settings
        run = _Run(connector, settings, folder or settings.folder, since, email_ids)
        mailbox = await self._open_mailbox(settings, transcript)
        try:
            await self._sync_folder(run, mailbox)
        finally:
            await mailbox.close()

    async def _sync_folder(self, run: _Run, mailbox: Mailbox) -> None:
        terms = run.settings.search_terms
        place = await self._place(run)
        seen = await mailbox.select(run.folder, place.cursor if place else None)
        step = plan(place.cursor if place else None, seen, terms)
        match step:
            case Nothing():
                assert place is not None
                await self._finish(run, place, seen)
                return
            case StartOver(why):
                log.info("recognising a folder anew", connector=str(run.connector.id), folder=run.folder, why=why)
                place, start = await self._begin(run, seen, era=place.era + 1 if place else 0), 1
            case FetchFrom(uid):
                start = uid
                if place is None or start < place.cursor.next_uid:
                    place = await self._begin(run, seen, era=place.era if place else 0)
        wanted = await self._wanted(run, mailbox, place, range(start, seen.next_uid))
        await self._fetch(run, mailbox, place, wanted)
        if run.since is None and not wanted:
            await self._finish(run, place, seen)

    async def _place(self, run: _Run) -> Place | None:
        async with self._database.reading() as tx:
            return await tx.folders.get(run.connector.id, run.folder)

    async def _begin(self, run: _Run, seen: Snapshot, era: int) -> Place:
        """Start at the folder's beginning. Nothing is forgotten: what we know is left out, or recognised."""
        cursor = Cursor(folder=run.folder, uid_validity=seen.uid_validity, search_terms=run.settings.search_terms)
        async with self._database.transaction() as tx:
            number = await tx.folders.keep(run.connector.id, cursor, era=era)
        return Place(number, era, cursor)

    async def _wanted(self, run: _Run, mailbox: Mailbox, place: Place, uids: range) -> "_Wanted":
        """The messages that are asked for and not filed yet; those that we recognise are noted on the way."""
        since = run.since.date() if run.since else None
        found = await mailbox.search(uids, terms=run.settings.search_terms, since=since)
        async with self._database.reading() as tx:
            known = await tx.folders.known_uids(place.number, place.era, uids.start, uids.stop)
            lost = await tx.folders.unplaced(place.number, place.era) if place.era else []
        if uids.start == 1 and self._batches.first_sync is not None:
            found = found[max(0, len(found) - self._batches.first_sync) :]
        missing = [uid for uid in found if uid not in known]
        wanted = _Wanted(move_cursor=run.since is None, next_uid=uids.stop, missing=missing)
        if lost:
            await self._recognise(mailbox, place, wanted, lost)
        return wanted

    async def _recognise(self, mailbox: Mailbox, place: Place, wanted: "_Wanted", lost: Sequence[Occurrence]) -> None:
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
        async with self._database.transaction() as tx:
            await tx.folders.add_occurrences(place.number, place.era, recognised)
        wanted.done(one.uid for one in recognised)

    async def _fetch(self, run: _Run, mailbox: Mailbox, place: Place, wanted: "_Wanted") -> None:
        """Fetch and file, one batch being filed while the next one comes."""
        if not wanted:
            return
        sizes = [identity async for identity in mailbox.identities(wanted.missing, message_ids=False)]
        by_uid = {identity.uid: identity for identity in sizes}
        filing: asyncio.Task[None] | None = None
        try:
            async for batch in self._batched(mailbox.fetch(sizes)):
                if filing is not None:
                    await filing
                filing = asyncio.create_task(self._file(run, place, wanted, batch, by_uid))
            if filing is not None:
                await filing
        finally:
            if filing is not None and not filing.done():
                # What has been fetched is filed even when the connection breaks behind it.
                await asyncio.shield(filing)

    async def _batched(self, messages: AsyncIterator[RawMessage]) -> AsyncIterator[list[RawMessage]]:
        batch: list[RawMessage] = []
        size = 0
        try:
            async for message in messages:
                batch.append(message)
                size += len(message.content)
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
        run: _Run,
        place: Place,
        wanted: "_Wanted",
        batch: list[RawMessage],
        identities: dict[int, Identity],
    ) -> None:
        batch.sort(key=lambda message: message.uid)  # Yahoo answers in any order
        connector = run.connector
        prepared = await self._intake.prepare(
            [
                Incoming(
                    content=message.content,
                    size=message.size,
                    folder=run.folder,
                    external_id=str(message.uid),
                    cut=message.cut,
                )
                for message in batch
            ]
        )
        async with self._database.transaction() as tx:
            taken = await self._intake.take_in(tx, connector.account_id, connector.inbox_id, prepared, connector)
            occurrences = [
                Occurrence(
                    uid=raw.uid,
                    mark=replace(identities[raw.uid], message_id=one.message.message_id).mark,
                    digest=one.digest,
                    email=taken.numbers[one.digest],
                )
                for raw, one in zip(batch, prepared, strict=True)
            ]
            await tx.folders.add_occurrences(place.number, place.era, occurrences)
            wanted.done(raw.uid for raw in batch)
            if wanted.move_cursor:
                cursor = replace(place.cursor, next_uid=wanted.first_missing)
                await tx.folders.keep(connector.id, cursor, era=place.era)
        run.email_ids.extend(taken.new)

    async def _finish(self, run: _Run, place: Place, seen: Snapshot) -> None:
        """Everything in the folder is filed: remember how it looked when we opened it."""
        cursor = replace(
            place.cursor,
            uid_validity=seen.uid_validity,
            next_uid=seen.next_uid,
            highest_modseq=seen.highest_modseq,
            search_terms=run.settings.search_terms,
        )
        if cursor == place.cursor and not seen.vanished:
            return
        async with self._database.transaction() as tx:
            await tx.folders.keep(run.connector.id, cursor, era=place.era)
            await tx.folders.forget_before(place.number, place.era)
            await tx.folders.forget_vanished(place.number, place.era, seen.vanished)

    async def _account_for(
        self,
        connector: Connector,
        error: Exception | None,
        email_ids: Sequence[EmailId],
        transcript: Transcript,
        logging: bool,
    ) -> SyncOutcome:
        failure = None if error is None else error.message if isinstance(error, PosthouseError) else INTERNAL
        new = len(email_ids)
        event = ConnectorEvent(
            id=EventId(new_id(self._now())),
            account_id=connector.account_id,
            connector_id=connector.id,
            type=EventType.SYNC,
            status=status_of(error),
            size=new,
            message=failure or ("1 new email" if new == 1 else f"{new} new emails"),
            logs=transcript.text or None,
            seen=False,
            created_at=self._now(),
        )
        async with self._database.transaction() as tx:
            await tx.events.add(event)
        log.info("synced", connector=str(connector.id), new=new, status=event.status.value, failure=failure)
        return SyncOutcome(
            event_id=event.id,
            email_ids=tuple(email_ids),
            logs=tuple(transcript.lines) if logging else None,
            failure=failure,
        )

    @asynccontextmanager
    async def _turn(self, connector: ConnectorId) -> AsyncIterator[None]:
        """One run of a connector at a time; whoever comes second finds what the first has left."""
        lock = self._turns.setdefault(connector, asyncio.Lock())
        async with lock:
            yield


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
