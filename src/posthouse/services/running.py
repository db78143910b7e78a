"""Which syncs are under way, how far they have come, and how they are ended before their time.

Of a sync in this process its progress is known. Of another process' sync no more is known than that it is under way;
it can be ended from here all the same, because what ends it is its lease, which is in the database.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from posthouse.model.errors import Cancelled
from posthouse.model.hearing import Ear, Progress, deaf
from posthouse.model.values import AccountId, Clock, ConnectorId
from posthouse.services.required import require_connector
from posthouse.store.claims import REVOKED
from posthouse.store.database import Database


class Advance:
    """How far one run has come, kept by who runs it and read by others."""

    def __init__(self, now: Clock, ear: Ear = deaf) -> None:
        self.progress: Progress | None = None
        self.cancelled = False
        self._now = now
        self._ear = ear

    def begin(self, folder: str, messages: int) -> None:
        """So many messages are wanted."""
        now = self._now()
        self._tell(Progress(folder=folder, messages=messages, began_at=now, at=now))

    def count(self, **more: int) -> None:
        """So many more of them are `sized` (with their `bytes`), `fetched` (with `fetched_bytes`), or `filed`."""
        if (known := self.progress) is not None:
            sums: dict[str, Any] = {name: getattr(known, name) + number for name, number in more.items()}
            self._tell(replace(known, **sums, at=self._now()))

    def stop_if_cancelled(self) -> None:
        """Raises Cancelled when somebody wants this run to end."""
        if self.cancelled:
            raise Cancelled("cancelled")

    @property
    def so_far(self) -> str:
        """How far it came, for the words that tell of its end."""
        known = self.progress
        return f": {known.filed} of {known.messages} messages are filed, the next sync goes on" if known else ""

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        self._ear(progress)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A sync that goes on just now. `progress` is None until its messages have been counted, and always where it is
    not `here`, in this process. `ending`: somebody has cancelled it, and it ends as soon as it can."""

    here: bool
    progress: Progress | None
    ending: bool


class Running:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now
        self._advances: dict[ConnectorId, Advance] = {}

    @contextlib.contextmanager
    def run(self, connector: ConnectorId, ear: Ear = deaf) -> Iterator[Advance]:
        """A run of this connector is under way until the block ends; whoever has its turn calls this."""
        advance = self._advances[connector] = Advance(self._now, ear)
        try:
            yield advance
        finally:
            del self._advances[connector]

    async def under_way(self, account: AccountId, connector_id: ConnectorId) -> UnderWay | None:
        """The sync of this connector that goes on just now; None when none does. Raises NotFound."""
        async with self._database.reading() as tx:
            await require_connector(tx, account, connector_id)
            lease = await tx.claims.leased(connector_id, self._now())
        advance = self._advances.get(connector_id)
        if advance is not None:
            return UnderWay(True, advance.progress, advance.cancelled)
        return UnderWay(False, None, lease == REVOKED) if lease is not None else None

    async def cancel(self, account: AccountId, connector_id: ConnectorId) -> None:
        """Have the sync that goes on just now, in whichever process, end as soon as it can; nothing happens when none
        does. What is filed stays, and the next sync goes on from there. Raises NotFound."""
        async with self._database.reading() as tx:
            await require_connector(tx, account, connector_id)
        advance = self._advances.get(connector_id)
        if advance is not None:
            advance.cancelled = True  # it files what has been fetched, and ends
            return
        async with self._database.transaction() as tx:
            await tx.claims.revoke(connector_id)
