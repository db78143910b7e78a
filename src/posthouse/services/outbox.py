"""The outbox: what is still to be done with sent emails, done by one process at a time.

Whatever is to be done is a row with a time, committed together with the email. Any process may take what is due; a
claim that is not kept up ends by itself, so that a dead process' errands are taken up by another. What the errand is
follows from how far the email has come: deliver it, find out what became of it, file a copy.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import structlog

from posthouse.model.errors import PosthouseError
from posthouse.model.mail import SendState, SentEmail
from posthouse.model.outbox import Errand
from posthouse.model.values import Clock, ConnectorId, SentId
from posthouse.services.delivering import Delivering
from posthouse.services.keeping import Keeper
from posthouse.services.sentfolder import SentFolder
from posthouse.store.database import Database, Transaction
from posthouse.store.outbox import ClaimLost
from posthouse.store.signals import Listener

log = structlog.get_logger()

CLAIM = timedelta(seconds=60)
"""After so long without being kept up, a claim is over."""
KEYS_KEPT = timedelta(hours=48)
INTERRUPTED = "the server stopped before this was given to the mail server: it was not sent"


class Outbox:
    def __init__(self, database: Database, delivering: Delivering, sent_folder: SentFolder, now: Clock) -> None:
        self._database = database
        self._delivering = delivering
        self._sent_folder = sent_folder
        self._now = now
        self._keeper = Keeper(self._prolong, lambda: CLAIM)
        self._turns: WeakValueDictionary[ConnectorId, asyncio.Lock] = WeakValueDictionary()

    # Now

    async def add(self, tx: Transaction, errand: Errand, after: timedelta | None = None) -> None:
        """Put an errand in; one with a holder is his from the beginning, any other is due after so long."""
        after = CLAIM if errand.holder is not None else after or timedelta()
        await tx.outbox.add(errand, self._now(), after=after)
        tx.signal("outbox")

    async def deliver(self, errand: Errand, sent: SentEmail) -> SentEmail:
        """Try now, for somebody who waits for the outcome. As `Delivering.deliver`."""
        with self._keeping(errand):
            return await self._delivering.deliver(errand, sent)

    async def take(self, sent_id: SentId) -> tuple[Errand, SentEmail] | None:
        """Take an email up that waits to be tried again, now. None when it does not, or somebody is at it."""
        async with self._database.transaction() as tx:
            sent = await tx.sent.by_id(sent_id)
            if sent is None or sent.state is not SendState.QUEUED:
                return None
            errand = await tx.outbox.take(sent_id, uuid4(), CLAIM, self._now())
            return None if errand is None else (errand, await self._begun(tx, sent))

    # In the background

    @contextlib.contextmanager
    def news(self) -> Iterator[Listener]:
        """Is told, until the block ends, when there may be something to do."""
        with self._database.signals.listen("outbox") as listener:
            yield listener

    async def rest(self) -> timedelta | None:
        """How long until something is to be done; None when there is nothing."""
        async with self._database.reading() as tx:
            return await tx.outbox.rest(self._now())

    async def claim(self, most: int) -> list[tuple[Errand, SentEmail]]:
        """Take up to so many errands that are due."""
        rest = await self.rest()
        if most <= 0 or rest is None or rest > timedelta():
            return []
        claimed = []
        async with self._database.transaction() as tx:
            for errand in await tx.outbox.claim([uuid4() for _ in range(most)], CLAIM, self._now()):
                sent = await tx.sent.by_id(errand.sent_id)
                assert sent is not None, "an errand goes with its email"
                interrupted = sent.state is SendState.CONNECTING and self._now() >= errand.give_up_at
                if interrupted:
                    failed = replace(sent, state=SendState.FAILED, state_text=INTERRUPTED, updated_at=self._now())
                    await tx.sent.settle(failed)
                    await tx.outbox.done(sent.id)
                    tx.signal(f"sent:{sent.id}")
                else:
                    claimed.append((errand, await self._begun(tx, sent)))
        return claimed

    async def run(self, errand: Errand, sent: SentEmail) -> None:
        """Do what is to be done, one email of a connector at a time. Whatever fails is written down."""
        with self._keeping(errand):
            async with self._turn(sent.connector_id):
                try:
                    await self._do(errand, sent)
                except ClaimLost:
                    log.info("somebody else has taken this email over", sent=str(sent.id))
                except PosthouseError as error:
                    log.info("an errand failed", sent=str(sent.id), why=error.message)
                except Exception:
                    log.exception("an errand failed by a fault of ours", sent=str(sent.id))

    async def _do(self, errand: Errand, sent: SentEmail) -> None:
        match sent.state:
            case SendState.QUEUED | SendState.CONNECTING:
                await self._delivering.deliver(errand, sent)
            case SendState.UNKNOWN:
                await self._sent_folder.look_for(errand, sent)
            case SendState.ACCEPTED:
                await self._sent_folder.file(errand, sent)
            case SendState.FAILED:
                async with self._database.transaction() as tx:
                    await tx.outbox.done(sent.id)

    async def prune(self) -> int:
        """Forget the keys of requests that nobody will make again. How many there were."""
        async with self._database.transaction() as tx:
            return await tx.outbox.forget_keys(self._now() - KEYS_KEPT)

    async def _begun(self, tx: Transaction, sent: SentEmail) -> SentEmail:
        if sent.state is not SendState.QUEUED:
            return sent
        begun = replace(sent, state=SendState.CONNECTING, updated_at=self._now())
        await tx.sent.settle(begun)
        return begun

    @contextlib.asynccontextmanager
    async def _turn(self, connector: ConnectorId | None) -> AsyncIterator[None]:
        if connector is None:
            yield
            return
        async with self._turns.setdefault(connector, asyncio.Lock()):
            yield

    @contextlib.contextmanager
    def _keeping(self, errand: Errand) -> Iterator[None]:
        assert errand.holder is not None
        with self._keeper.keeping(errand.holder):
            yield

    async def _prolong(self, holders: Collection[UUID]) -> None:
        async with self._database.transaction() as tx:
            await tx.outbox.prolong(holders, CLAIM, self._now())
