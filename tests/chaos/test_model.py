"""Whatever happens at the server and to us, in whatever order: in the end the store has what the server has, each
message was announced once, and nothing at the server was changed by us."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from house import KEY, Tenant, add_tenant
from posthouse.model.connectors import Connector, ImapSettings, Security
from posthouse.model.mail import EmailQuery, Submission
from posthouse.model.sync import SyncOutcome
from posthouse.model.values import Secret, Slice, utc_now
from posthouse.remote.bounds import Bounds
from posthouse.remote.egress import Egress
from posthouse.remote.mailbox import open_mailbox
from posthouse.services import sync as sync_module
from posthouse.services.connectors import Connectors, NewConnector
from posthouse.services.fetching import Batches
from posthouse.services.intake import Intake
from posthouse.services.sync import Sync
from posthouse.simulator import Provider
from posthouse.simulator.faults import IMPATIENT
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction
from posthouse.store.sealing import Seal
from services.fakes import Killed

ADDRESS, PASSWORD = "ann@post.example", "sesame"
# A server that says again and again that a message is empty is believed in the end.
FAULTS = sorted(name for name in IMPATIENT if "smtp" not in name and name not in ("empty_fetch", "lose_verdict"))
T = TypeVar("T")


class MortalDatabase(Database):
    """A process' way to the database; the process dies at one of its commits, and does nothing after it."""

    left: int | None = None
    after: bool = False
    dead: bool = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._alive()
        async with super().transaction() as tx:
            yield tx
            if not self.after:
                self._burn()
        if self.after:
            self._burn()

    def _burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            self.dead = self.left <= 0
        self._alive()

    def _alive(self) -> None:
        if self.dead:
            raise Killed


class Mirror(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory(prefix="posthouse-model-")
        self.data = Path(self.directory.name)
        self.url = f"sqlite:///{self.data / 'posthouse.db'}"
        self.provider = Provider()
        self.count = 0
        self.tenant: Tenant
        self.connector: Connector

    def run(self, work: Awaitable[T]) -> T:
        async def wrapped() -> T:
            return await work

        return self.runner.run(wrapped())

    @initialize()
    def found(self) -> None:
        self.run(self._found())

    async def _found(self) -> None:
        self.provider.add_user(ADDRESS, PASSWORD)
        await self.provider.start()
        database = Database(self.url, Seal([KEY]))
        await database.open()
        self.tenant = await add_tenant(database)

        async def no_submission(*_: object) -> Submission:
            raise AssertionError("nothing is sent here")

        mailbox = partial(open_mailbox, egress=Egress((ip_network("127.0.0.0/8"),)))
        connectors = Connectors(database, mailbox, no_submission, lambda _: None, "posthouse.example", utc_now)
        imap = ImapSettings(
            host="127.0.0.1",
            port=self.provider.imap_port,
            security=Security.PLAIN,
            username=ADDRESS,
            password=Secret(PASSWORD),
        )
        self.connector = await connectors.create(self.tenant.account.id, NewConnector(imap=imap))
        await database.close()

    # What happens at the server

    @property
    def inbox(self):  # type: ignore[no-untyped-def]
        return self.provider.users[ADDRESS].folder("INBOX")

    @rule(count=st.integers(1, 5))
    def mail_comes(self, count: int) -> None:
        self.mail_arrives(count)

    def mail_arrives(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            text = f"Subject: Number {self.count}\r\nMessage-ID: <{self.count}@post.example>\r\n\r\nHello\r\n"
            self.provider.deliver(ADDRESS, text.encode())

    @precondition(lambda self: self.inbox.messages)
    @rule(place=st.integers(0, 1000))
    def mail_is_removed(self, place: int) -> None:
        messages = self.inbox.messages
        self.inbox.remove([messages[place % len(messages)]])

    @precondition(lambda self: self.inbox.messages)
    @rule(place=st.integers(0, 1000))
    def mail_is_read_elsewhere(self, place: int) -> None:
        messages = self.inbox.messages
        self.inbox.mark(messages[place % len(messages)], frozenset({"\\Seen"}))

    @rule(how=st.sampled_from(["void", "renumbered", "reversed"]))
    def uids_lose_their_meaning(self, how: str) -> None:
        if how == "void":
            self.inbox.bump_uid_validity()
        else:
            self.inbox.renumber(reverse=how == "reversed")

    @rule(seed=st.integers(0, 1000), rate=st.sampled_from([0.0, 0.05, 0.2]))
    def things_go_wrong(self, seed: int, rate: float) -> None:
        self.provider.faults.at_random(rate, seed, FAULTS)

    # What we do

    @rule()
    def a_sync_runs(self) -> None:
        self.run(self._sync())

    @rule(count=st.integers(3, 8), at=st.integers(1, 6), after=st.booleans())
    def a_process_dies_while_it_syncs(self, count: int, at: int, after: bool) -> None:
        self.mail_arrives(count)
        self.run(self._sync(at, after))

    async def _sync(self, left: int | None = None, after: bool = False) -> SyncOutcome | None:
        """One sync by a process that was just started. None: it died."""
        database = MortalDatabase(self.url, Seal([KEY]))
        database.left, database.after = left, after
        mailbox = partial(
            open_mailbox,
            egress=Egress((ip_network("127.0.0.0/8"),)),
            bounds=Bounds(connect=5.0, command=5.0, silence=5.0, goodbye=0.5),
            again=(0.01, 0.01, 0.01),
        )
        intake = Intake(Blobs(str(self.data / "blobs")), utc_now)
        sync = Sync(database, intake, mailbox, utc_now, Batches(messages=2))
        try:
            return await sync.run(self.tenant.account.id, self.connector.id)
        except Killed:
            return None
        finally:
            await database.close()

    # What must be so

    def teardown(self) -> None:
        try:
            if hasattr(self, "connector"):
                self.run(self._settle())
                self.run(self.provider.stop())
        finally:
            self.runner.close()
            self.directory.cleanup()

    async def _settle(self) -> None:
        self.provider.faults.at_random(0.0, 0)
        for name in list(self.provider.faults.shown()):
            self.provider.faults.clear(name)
        outcome = await self._sync()
        assert outcome is not None
        assert outcome.failure is None, outcome.failure
        again = await self._sync()
        assert again is not None
        assert again.email_ids == (), "what is in sync brings nothing new"

        database = Database(self.url, Seal([KEY]))
        async with database.reading() as tx:
            page = await tx.mail.page(self.tenant.account.id, EmailQuery(slice=Slice(size=10_000)))
            entries = await tx.journal.after(self.connector.inbox_id, 0, most=10_000)
        await database.close()
        stored = Counter(email.message_id for email in page.items)
        there = {f"{line}" for message in self.inbox.messages for line in _message_ids(message.data)}
        assert there <= stored.keys(), "everything at the server is in the store"
        assert stored.keys() <= {f"{number}@post.example" for number in range(1, self.count + 1)}
        assert max(stored.values(), default=1) == 1, "nothing is there twice"
        assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
        assert Counter(entry.email_id for entry in entries) == Counter(email.id for email in page.items)
        assert self.provider.changes == [], "nothing at the server was changed"


def _message_ids(message: bytes) -> list[str]:
    lines = message.decode().split("\r\n")
    return [line.partition("<")[2].rstrip(">") for line in lines if line.startswith("Message-ID:")]


class TestMirror(Mirror.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(
        max_examples=15,
        stateful_step_count=8,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    def setUp(self) -> None:
        self.real, sync_module.LEASE = sync_module.LEASE, timedelta(seconds=0.05)

    def tearDown(self) -> None:
        sync_module.LEASE = self.real
