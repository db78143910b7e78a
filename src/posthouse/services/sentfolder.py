"""The Sent folder of a connector's mailbox: looked into for what may have been sent, and given copies of what was.

An email whose answer was lost is UNKNOWN. If its server has taken it and files what it sends, it lies in the Sent
folder before long; if it was written to oneself, it arrives. We look several times. An email that is found is ACCEPTED,
one that is not stays UNKNOWN: it may have been sent all the same, and is not sent again.

A copy is filed where the server does not do so by itself, and never a second one: its Message-ID is looked for first.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import structlog

from posthouse.model.connectors import Connector
from posthouse.model.errors import PosthouseError, RemoteError
from posthouse.model.events import Happening, Transcript, status_of
from posthouse.model.mail import SendState, SentEmail
from posthouse.model.outbox import Errand
from posthouse.model.sync import Mailbox
from posthouse.model.values import Clock
from posthouse.services.budget import require_login
from posthouse.services.delivering import GIVEN, send_event
from posthouse.services.visiting import OpenMailbox, Visits
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database

log = structlog.get_logger()

LOOKS = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 90, 240, 600))
"""The pauses between our looks for an email that may have been sent."""
FILINGS = tuple(timedelta(seconds=seconds) for seconds in (30, 300))
"""The pauses between our tries to file a copy."""
STOPPED = "this server stopped before the mail server's answer came: it may have been sent, and is not sent again"
NOT_FOUND = (
    "the server's answer was lost. It may have been sent: {looks} it was not to be found in the mailbox's Sent folder, "
    "where not every server files what it sends. It is not sent again by itself"
)


class SentFolder:
    def __init__(self, database: Database, blobs: Blobs, open_mailbox: OpenMailbox, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._visits = Visits(database, open_mailbox, now)
        self._now = now

    async def look_for(self, errand: Errand, sent: SentEmail) -> None:
        """Look once for an email that may have been sent. Raises ClaimLost."""
        where = await self._found(sent)
        now = self._now()
        async with self._database.transaction() as tx:
            await tx.outbox.hold(errand)
            if where is not None:
                words = f"the server's answer was lost, and the email was found {where}: it was sent"
                settled = replace(sent, state=SendState.ACCEPTED, state_text=words, sent_at=now, updated_at=now)
                await tx.sent.settle(settled)
                await tx.journal.append(sent.inbox_id, Happening.EMAIL_SENT, [sent.id], now)
                await tx.outbox.done(sent.id)
            elif errand.tries <= len(LOOKS):
                if sent.state_text == GIVEN:
                    await tx.sent.settle(replace(sent, state_text=STOPPED, updated_at=now))
                await tx.outbox.again(errand, now, LOOKS[errand.tries - 1])
            else:
                words = NOT_FOUND.format(looks=f"after {errand.tries} looks")
                await tx.sent.settle(replace(sent, state_text=words, updated_at=now))
                await tx.outbox.done(sent.id)
            tx.signal(f"sent:{sent.id}")
        log.info("looked for what may have been sent", sent=str(sent.id), found=where, looks=errand.tries)

    async def _found(self, sent: SentEmail) -> str | None:
        """Where it was found, in words."""
        async with self._database.reading() as tx:
            if await tx.mail.has_message_id(sent.inbox_id, sent.message_id, sent.created_at):
                return "in the inbox, to which it was sent as well"
        try:
            async with self._session(sent, Transcript()) as mailbox:
                folder = await mailbox.sent_folder() if mailbox is not None else None
                if mailbox is not None and folder is not None and await mailbox.holds(folder, sent.message_id):
                    return f"in the folder {folder}"
        except PosthouseError as error:
            log.info("can't look for what may have been sent", sent=str(sent.id), why=error.message)
        return None

    async def file(self, errand: Errand, sent: SentEmail) -> None:
        """File a copy of a sent email, unless there is one. A failure is an event of the connector, and no more.
        Raises ClaimLost."""
        transcript = Transcript()
        problem: RemoteError | None = None
        try:
            await self._file(sent, transcript)
        except RemoteError as error:
            problem = error
        now = self._now()
        async with self._database.transaction() as tx:
            await tx.outbox.hold(errand)
            if problem is not None and problem.transient and errand.tries <= len(FILINGS):
                await tx.outbox.again(errand, now, FILINGS[errand.tries - 1])
                return
            await tx.outbox.done(sent.id)
            connector = await tx.connectors.by_id(sent.connector_id) if sent.connector_id else None
            if problem is not None and connector is not None:
                words = f"the email was sent, and no copy of it could be kept in the Sent folder: {problem.message}"
                await tx.events.add(send_event(connector, status_of(problem), 0, words, transcript.text or None, now))

    async def _file(self, sent: SentEmail, transcript: Transcript) -> None:
        async with self._session(sent, transcript) as mailbox:
            if mailbox is None:
                return
            folder = await mailbox.sent_folder()
            known = [id for id in (sent.message_id, sent.also_known_as) if id]
            if folder is None or any([await mailbox.holds(folder, one) for one in known]):
                return
            await mailbox.append(folder, await self._blobs.get(sent.stored), sent.sent_at or sent.created_at)
            log.info("filed a copy", sent=str(sent.id), folder=folder)

    @asynccontextmanager
    async def _session(self, sent: SentEmail, transcript: Transcript) -> AsyncIterator[Mailbox | None]:
        """The connector's mailbox, until the block ends; None where none can be used. Raises RemoteError."""
        async with self._database.reading() as tx:
            connector: Connector | None = None
            if sent.connector_id is not None:
                connector = await tx.connectors.by_id(sent.connector_id)
            connection = await tx.connectors.imap(connector.id) if connector else None
            if connector is None or not connector.enabled or connection is None or not connection.settings.enabled:
                connection = None
            else:
                await require_login(tx, connector.id, connection.settings.host, self._now)
        if connector is None or connection is None:
            yield None
            return
        async with self._visits.visit(connection.settings, transcript, connector.id) as mailbox:
            yield mailbox
