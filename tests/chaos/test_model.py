"""Whatever happens at the server and to us, in whatever order: in the end the store has what the server has, byte for
byte, each message was announced once, what was deleted here stays away, and nothing at the server was changed by us."""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Awaitable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from house import Tenant, add_tenant, sqlite_in
from posthouse.model.connectors import Connector, ImapSettings, Security
from posthouse.model.errors import RemoteError
from posthouse.model.events import Happening
from posthouse.model.mail import Email, EmailQuery, Submission
from posthouse.model.sync import SyncOutcome
from posthouse.model.values import EmailId, Secret, Slice, utc_now
from posthouse.remote.mailbox import open_mailbox
from posthouse.services.connectors import Connectors, NewConnector
from posthouse.services.mail import Mail
from posthouse.services.sync import LEASE, Asked
from posthouse.simulator import Provider
from posthouse.simulator.faults import IMPATIENT
from posthouse.simulator.mailbox import Folder, Message
from services.fakes import Killed

from .mortal import EGRESS, Process

ADDRESS, PASSWORD = "ann@post.example", "sesame"
FOLDERS = ("INBOX", "Archive")
LONG_AGO = utc_now() - timedelta(days=400)
# A server that says again and again that a message is empty is believed in the end.
FAULTS = sorted(name for name in IMPATIENT if "smtp" not in name and name not in ("empty_fetch", "lose_verdict"))
T = TypeVar("T")

places = st.integers(0, 1000)
folders = st.sampled_from([*FOLDERS[:1] * 3, *FOLDERS[1:]])


class Mirror(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory(prefix="posthouse-model-")
        self.data = Path(self.directory.name)
        self.url = f"sqlite:///{self.data / 'posthouse.db'}"
        self.provider = Provider()
        self.ahead = timedelta()
        self.tenant: Tenant
        self.connector: Connector
        self.observer: Process
        """It is never asked to sync, sees all that is stored, and deletes."""
        self.kept: Process | None = None
        """It looks after the connector, in a session that lasts."""
        self.terse = False
        """The server never tells UIDNEXT."""
        self.calm = True
        """Nothing goes wrong at the server, so that no sync may fail."""
        self.written: dict[int, bytes] = {}
        """Each message that ever came, by its number."""
        self.gone: set[int] = set()
        """The messages of which a copy at the server was removed: what we had known of that copy is forgotten."""
        self.promised: set[int] = set()
        """The messages that lay in a folder when it was synced without a failure."""
        self.furthest: dict[str, tuple[int, int]] = {}
        """How far each folder was synced: how often its UIDs had lost their meaning, and up to which UID."""
        self.reported: Counter[EmailId] = Counter()
        """The emails that the runs have told of as new."""
        self.deleted: dict[EmailId, int] = {}
        """The emails that were deleted here, and the numbers of their messages."""

    def run(self, work: Awaitable[T]) -> T:
        async def wrapped() -> T:
            return await work

        return self.runner.run(wrapped())

    def now(self) -> datetime:
        return utc_now() + self.ahead

    def process(self) -> Process:
        return Process(self.url, self.data / "blobs", self.now)

    @initialize(terse=st.sampled_from([False, False, True]))
    def found(self, terse: bool) -> None:
        self.terse = terse
        sqlite_in(self.data)
        self.run(self._found())

    async def _found(self) -> None:
        user = self.provider.add_user(ADDRESS, PASSWORD)
        for name in FOLDERS:
            if name not in user.folders:
                user.create(name)
        self.folder("Archive").uid_next = 100  # so that the UIDs of one folder are news in the other
        self.all_is_well()
        await self.provider.start()
        self.observer = self.process()
        database = self.observer.database
        self.tenant = await add_tenant(database)

        async def no_submission(*_: object) -> Submission:
            raise AssertionError("nothing is sent here")

        mailbox = partial(open_mailbox, egress=EGRESS)
        connectors = Connectors(database, mailbox, no_submission, lambda _: None, "posthouse.example", utc_now)
        imap = ImapSettings(
            host="127.0.0.1",
            port=self.provider.imap_port,
            security=Security.PLAIN,
            username=ADDRESS,
            password=Secret(PASSWORD),
        )
        self.connector = await connectors.create(self.tenant.account.id, NewConnector(imap=imap))

    # What happens at the server

    def folder(self, name: str = "INBOX") -> Folder:
        return self.provider.users[ADDRESS].folder(name)

    def there(self, name: str) -> set[int]:
        """The numbers of the messages in a folder."""
        return {_number(message.data) for message in self.folder(name).messages}

    def some_mail(self, place: int) -> tuple[Folder, Message] | None:
        all_there = [(folder, message) for folder in map(self.folder, FOLDERS) for message in folder.messages]
        return all_there[place % len(all_there)] if all_there else None

    @rule(count=st.integers(1, 5), folder=folders, marked=st.booleans(), old=st.booleans())
    def mail_comes(self, count: int, folder: str, marked: bool, old: bool) -> None:
        self.mail_arrives(count, folder, marked, old)

    def mail_arrives(self, count: int, folder: str = "INBOX", marked: bool = True, old: bool = False) -> None:
        for _ in range(count):
            number = len(self.written) + 1
            header = f"Subject: Number {number}\r\n"
            if marked:
                header += f"Message-ID: <{number}@post.example>\r\n"
            self.written[number] = f"{header}\r\nHello\r\n".encode()
            moment = LONG_AGO if old else None
            self.provider.deliver(ADDRESS, self.written[number], folder=folder, internal_date=moment)

    @rule(place=places, folder=folders)
    def mail_is_copied(self, place: int, folder: str) -> None:
        if (found := self.some_mail(place)) is not None:
            self.provider.users[ADDRESS].copy([found[1]], self.folder(folder))

    @rule(place=places, folder=st.sampled_from([None, *FOLDERS]))
    def mail_is_removed_or_moved(self, place: int, folder: str | None) -> None:
        if (found := self.some_mail(place)) is not None:
            here, message = found
            if folder is not None:
                self.provider.users[ADDRESS].copy([message], self.folder(folder))
            here.remove([message])
            self.gone.add(_number(message.data))

    @rule(place=places)
    def mail_is_read_elsewhere(self, place: int) -> None:
        if (found := self.some_mail(place)) is not None:
            found[0].mark(found[1], frozenset({"\\Seen"}))

    @rule(how=st.sampled_from(["void", "renumbered", "reversed"]))
    def uids_lose_their_meaning(self, how: str) -> None:
        if how == "void":
            self.folder().bump_uid_validity()
        else:
            self.folder().renumber(reverse=how == "reversed")

    @precondition(lambda self: not self.terse and len(self.folder().messages) + 1 < self.folder().uid_next)
    @rule(reverse=st.booleans(), at=st.integers(2, 6))
    def uids_begin_anew_and_nobody_says_so(self, reverse: bool, at: int) -> None:
        """All that can be seen of it is that UIDNEXT went back: when we have come further, and look before it has."""
        self.all_is_well()
        self.run(self._sync())
        self.folder().renumber(keep_uid_validity=True, reverse=reverse)
        self.run(self._sync(dies_at=at))
        self.run(self._sync())

    @rule(seed=st.integers(0, 1000), rate=st.sampled_from([0.0, 0.05, 0.2]))
    def things_go_wrong(self, seed: int, rate: float) -> None:
        self.all_is_well()
        self.provider.faults.at_random(rate, seed, FAULTS)
        self.calm = not rate

    def all_is_well(self) -> None:
        self.calm = True
        self.provider.faults.at_random(0.0, 0)
        for name in list(self.provider.faults.shown()):
            self.provider.faults.clear(name)
        self.provider.faults.set("forget_uid_next", self.terse)

    # What we do

    @rule(folder=folders, newest=st.booleans())
    def a_sync_runs(self, folder: str, newest: bool) -> None:
        self.run(self._sync(folder, newest))

    @rule(count=st.integers(0, 4), elsewhere=st.integers(0, 2))
    def a_session_is_used(self, count: int, elsewhere: int) -> None:
        """It is told of what came to the inbox, perhaps after a look at the other folder."""
        if elsewhere:
            self.run(self._use_session(elsewhere, "Archive"))
        self.run(self._use_session(count))

    @rule(count=st.integers(3, 8), at=st.integers(1, 6), after=st.booleans(), kept=st.booleans())
    def a_process_dies_while_it_syncs(self, count: int, at: int, after: bool, kept: bool) -> None:
        if kept:
            self.run(self._use_session(count, dies_at=at, after=after))
        else:
            self.mail_arrives(count)
            self.run(self._sync(dies_at=at, after=after))

    @rule(
        count=st.integers(1, 4),
        at=st.integers(1, 4),
        kept=st.booleans(),
        meanwhile=st.sampled_from(["nothing", "more", "replaced", "renumbered", "deleted"]),
    )
    def a_process_sleeps_while_another_syncs(self, count: int, at: int, kept: bool, meanwhile: str) -> None:
        self.run(self._overtake(count, at, kept, meanwhile))

    @rule(count=st.integers(1, 2), at=st.integers(2, 3))
    def news_is_told_while_another_syncs(self, count: int, at: int) -> None:
        self.run(self._meet(count, at))

    @rule(place=places)
    def mail_is_deleted_here(self, place: int) -> None:
        self.run(self._delete(place))

    async def _sync(
        self, folder: str = "INBOX", newest: bool = False, dies_at: int | None = None, after: bool = False
    ) -> SyncOutcome | None:
        """One sync by a process that was just started. None: it died."""
        process = self.process()
        process.database.dies_at, process.database.after = dies_at, after
        try:
            return await self._run_alone(process, folder, newest)
        finally:
            await process.end()

    async def _run_alone(
        self, process: Process, folder: str = "INBOX", newest: bool = False, may_fail: bool = False
    ) -> SyncOutcome | None:
        since = self.now() - timedelta(days=100) if newest else None
        run = process.sync.run(self.tenant.account.id, self.connector.id, folder=folder, since=since)
        return await self._held_to_its_word(run, folder if since is None else None, may_fail)

    async def _held_to_its_word(
        self, run: Awaitable[SyncOutcome], folder: str | None, may_fail: bool = False
    ) -> SyncOutcome | None:
        """What it says to have done must be so. None: it died."""
        there = self.there(folder) if folder else set()
        try:
            outcome = await run
        except Killed:
            self.ahead += 2 * LEASE
            return None
        if outcome.failure is None and folder:
            self.promised |= there & self.there(folder)
        assert outcome.failure is None or may_fail or not self.calm, outcome.failure
        self.reported.update(outcome.email_ids)
        await self._look()
        return outcome

    async def _look(self) -> None:
        """What must be so at any time."""
        stored = {_number_of(email) for email in await self._stored()}
        assert self.promised - set(self.deleted.values()) <= stored, "what is synced without a failure is in the store"
        async with self.observer.database.reading() as tx:
            for folder in FOLDERS:
                if (place := await tx.folders.get(self.connector.id, folder)) is not None:
                    far = place.era, place.cursor.next_uid
                    assert self.furthest.get(folder, far) <= far, "what was filed is not asked for again"
                    self.furthest[folder] = far

    async def _keeper(self) -> Process | None:
        """The process that keeps a session. None: it could not be had."""
        if self.kept is None:
            process = self.process()
            try:
                session = await process.keep(self.connector)
            except RemoteError:
                await process.end()
                return None
            self.kept = process
            await self._held_to_its_word(process.sync.run_in(session, self.connector, Asked()), "INBOX")
            await self._look_at_session()
        return self.kept

    async def _use_session(
        self, count: int, folder: str = "INBOX", dies_at: int | None = None, after: bool = False
    ) -> None:
        process = await self._keeper()
        self.mail_arrives(count, folder)
        if process is not None:
            process.database.dies_at, process.database.after = dies_at, after
            await self._run_in_session(process, folder)
            process.database.dies_at = None
            await self._look_at_session()

    async def _run_in_session(self, process: Process, folder: str = "INBOX") -> None:
        assert process.session is not None
        if folder != "INBOX":
            run = process.sync.run_in(process.session, self.connector, Asked(by_itself=True, folder=folder))
        else:
            try:
                await process.session.mailbox.anything_new()
            except RemoteError as error:
                process.session.spoilt_by(error)
                return
            run = process.sync.take_told(process.session, self.connector, Asked(by_itself=True))
        # The server may have sent the session away.
        await self._held_to_its_word(run, folder, may_fail=True)

    async def _look_at_session(self) -> None:
        if self.kept is not None and self.kept.broken:
            await self.kept.end()
            self.kept = None

    async def _overtake(self, count: int, at: int, kept: bool, meanwhile: str) -> None:
        sleeper = await self._keeper() if kept else None
        self.mail_arrives(count)
        alone = sleeper is None
        sleeper = sleeper or self.process()
        work = self._run_alone(sleeper, may_fail=True) if alone else self._run_in_session(sleeper)
        sleeping = await _fallen_asleep(sleeper, at, work)
        self.ahead += 2 * LEASE
        match meanwhile:
            case "more":
                self.mail_arrives(2)
            case "replaced":
                self.gone |= self.there("INBOX")
                self.folder().remove(self.folder().messages)
                self.mail_arrives(2)
            case "renumbered":
                self.folder().renumber(reverse=True)
            case "deleted":
                await self._delete(at)
        await self._sync()
        sleeper.database.wake()
        await sleeping
        if alone:
            await sleeper.end()
        else:
            await self._look_at_session()

    async def _meet(self, count: int, at: int) -> None:
        keeper = await self._keeper()
        self.mail_arrives(count)
        if keeper is not None:
            other = self.process()
            sleeping = await _fallen_asleep(other, at, self._run_alone(other))
            # Its first transaction finds that the other has the lease; it goes on when that was given back.
            telling = await _fallen_asleep(keeper, 2, self._run_in_session(keeper))
            other.database.wake()
            await sleeping
            keeper.database.wake()
            await telling
            await other.end()
            await self._look_at_session()

    async def _delete(self, place: int) -> None:
        if stored := await self._stored():
            email = stored[place % len(stored)]
            await Mail(self.observer.database, self.observer.blobs, self.now).delete(email.account_id, email.id)
            self.deleted[email.id] = _number_of(email)

    async def _stored(self) -> list[Email]:
        async with self.observer.database.reading() as tx:
            page = await tx.mail.page(self.tenant.account.id, EmailQuery(slice=Slice(size=10_000)))
        return list(page.items)

    # What must be so

    def teardown(self) -> None:
        try:
            if hasattr(self, "connector"):
                self.run(self._settle())
        finally:
            self.run(self._part())
            self.runner.close()
            self.directory.cleanup()

    async def _part(self) -> None:
        for process in filter(None, (self.kept, getattr(self, "observer", None))):
            await process.end()
        await self.provider.stop()

    async def _settle(self) -> None:
        self.all_is_well()
        for folder in FOLDERS:
            await self._sync(folder)
        for folder in FOLDERS:
            self.folder(folder).renumber(reverse=True)
            again = await self._sync(folder)
            assert again is not None
            assert again.email_ids == (), "what is in sync brings nothing new, whatever its UIDs"

        emails = await self._stored()
        async with self.observer.database.reading() as tx:
            entries = await tx.journal.after(self.connector.inbox_id, 0, most=10_000)
        for email in emails:
            assert await self.observer.blobs.get(email.stored) == self.written[_number_of(email)], "its bytes are kept"

        assert set().union(*map(self.there, FOLDERS)) <= self.promised, "everything at the server was synced"
        ever = Counter([*map(_number_of, emails), *self.deleted.values()])
        # What is deleted here and at the server is forgotten: a copy elsewhere may bring it again.
        twice = {number for number, times in ever.items() if times > 1}
        assert twice <= self.gone & set(self.deleted.values()), "nothing came in twice, or after it was deleted here"

        assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
        announced = Counter(entry.email_id for entry in entries if entry.happening is Happening.EMAIL_RECEIVED)
        assert announced == Counter([*(email.id for email in emails), *self.deleted]), "each was announced once"
        assert max(self.reported.values(), default=1) == 1, "no two runs told of the same email as new"
        assert self.reported.keys() <= announced.keys(), "no run told of an email that is not there"
        assert self.provider.changes == [], "nothing at the server was changed"


async def _fallen_asleep(process: Process, at: int, work: Coroutine[Any, Any, object]) -> "asyncio.Task[object]":
    """This work of a process that sleeps before its transaction of this number; done, where there are not so many."""
    process.database.sleeps_at = at
    working = asyncio.create_task(work)
    asleep = asyncio.create_task(process.database.asleep.wait())
    await asyncio.wait({working, asleep}, return_when=asyncio.FIRST_COMPLETED)
    asleep.cancel()
    return working


def _number(message: bytes) -> int:
    return int(message.removeprefix(b"Subject: Number ").partition(b"\r\n")[0])


def _number_of(email: Email) -> int:
    return int(email.subject.removeprefix("Number "))


class TestMirror(Mirror.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(
        max_examples=int(os.environ.get("MODEL_EXAMPLES", "16")),  # what is rare takes some hundreds to be met
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
