"""Short sessions at an external mailbox: opened, used, closed, and counted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from posthouse.model.connectors import ImapSettings
from posthouse.model.events import Transcript
from posthouse.model.sync import Mailbox
from posthouse.model.values import Clock, ConnectorId
from posthouse.services.budget import count_usage
from posthouse.store.database import Database

OpenMailbox = Callable[[ImapSettings, Transcript], Awaitable[Mailbox]]
"""Signs in, and notes down what is said."""


class Visits:
    def __init__(self, database: Database, open_mailbox: OpenMailbox, now: Clock) -> None:
        self._database = database
        self._open_mailbox = open_mailbox
        self._now = now

    @asynccontextmanager
    async def visit(
        self, settings: ImapSettings, transcript: Transcript, connector: ConnectorId | None
    ) -> AsyncIterator[Mailbox]:
        """A session with these settings, until the block ends. What is asked in it is counted for the connector, where
        they are one's. Raises RemoteError."""
        async with self.counted(transcript, connector):
            mailbox = await self._open_mailbox(settings, transcript)
            try:
                yield mailbox
            finally:
                await mailbox.close()

    @asynccontextmanager
    async def counted(self, transcript: Transcript, connector: ConnectorId | None) -> AsyncIterator[None]:
        """At the end of the block, count for the connector what was asked in it."""
        try:
            yield
        finally:
            used = transcript.uncounted
            if used and connector is not None:
                async with self._database.transaction() as tx:
                    await count_usage(tx, {connector: used}, self._now)
                transcript.counted(used)
