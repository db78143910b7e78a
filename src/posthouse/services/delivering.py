"""One try to bring an email to those who wait for it.

Inboxes of this server get it at once; everybody else gets it by the connector's SMTP server. All is said to that server
but the end of the message, then UNKNOWN is committed, and only then the end is said: whoever dies before has sent
nothing, and it may be tried again; whoever dies after leaves behind what is true, and nobody sends it a second time.
The same commit makes sure that the errand is still ours, so that a process that was paused for too long sends nothing.

A failure for the moment is followed by another try until the errand's time is over; everything else is final.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from posthouse.model.connectors import Connector, SmtpConnection, SmtpSettings
from posthouse.model.errors import Invalid, OutcomeUnknown, PosthouseError, RemoteError, Unavailable
from posthouse.model.events import ConnectorEvent, EventStatus, EventType, Happening, Transcript, status_of
from posthouse.model.mail import SendState, SentEmail, Submission, Verdict
from posthouse.model.outbox import Errand
from posthouse.model.values import Backoff, Clock, EventId, new_id
from posthouse.services.local import Local
from posthouse.services.reports import note_answer, note_refusals
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction
from posthouse.store.outbox import ClaimLost

log = structlog.get_logger()

OpenSubmission = Callable[[SmtpSettings, Transcript], Awaitable[Submission]]

RETRY = Backoff(first=timedelta(seconds=30), most=timedelta(hours=1))
GIVEN = "given to the server; its answer has not come yet"
"""The words of an UNKNOWN email whose answer is still waited for."""
FIRST_LOOK = timedelta(seconds=5)
"""How long after an answer was lost we look whether the email was sent."""
COPY_AFTER = timedelta(seconds=15)
"""How long after an email was sent a copy of it is filed: a server that does so by itself needs a moment, too."""
_LONGEST_WISH = timedelta(hours=1)
_OTHER_ID = re.compile(r"<([^<>\s@]{1,400}@[^<>\s@]{1,400})>")


@dataclass(slots=True)
class _Try:
    """What is known of a try while it lasts. `given`: the server has, or may have, the whole message."""

    errand: Errand
    sent: SentEmail
    connector: Connector | None = None
    settings: SmtpSettings | None = None
    transcript: Transcript = field(default_factory=Transcript)
    given: bool = False
    began: float = field(default_factory=time.monotonic)


class Delivering:
    """`files_sent` tells of an SMTP host whether it keeps a copy of what it sends by itself; where it does not, and
    `copies` are wanted, the errand goes on with filing one."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        local: Local,
        open_submission: OpenSubmission,
        files_sent: Callable[[str], bool],
        now: Clock,
        *,
        copies: bool = True,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._local = local
        self._open_submission = open_submission
        self._files_sent = files_sent
        self._now = now
        self._copies = copies

    async def deliver(self, errand: Errand, sent: SentEmail) -> SentEmail:
        """Bring the email to those who wait for it, and write down what became of it: ACCEPTED, perhaps with some
        refused, or QUEUED for those who may get it later.

        Raises what went wrong, once it is written down: Invalid when somebody can't be reached from this inbox,
        RemoteError when the server took it for nobody, OutcomeUnknown when its answer was lost.
        """
        one = _Try(errand, sent)
        try:
            return await self._try(one)
        except ClaimLost:
            raise
        except OutcomeUnknown as error:
            await self._lost(one, error)
            raise
        except PosthouseError as error:
            if (settled := await self._failed(one, error)) is not None:
                return settled
            raise
        except Exception as error:
            log.exception("a send failed by a fault of ours", sent=str(sent.id))
            if one.given:
                await self._lost(one, error)
            else:
                await self._failed(one, error)
            raise
        except BaseException:
            await asyncio.shield(self._let_go(one))
            raise

    async def _try(self, one: _Try) -> SentEmail:
        sent = one.sent
        if sent.virtual:
            return await self._accepted(one, Verdict(accepted=(), refused=(), words="virtual inbox: not sent"))
        connection = None
        if sent.connector_id is not None:
            async with self._database.reading() as tx:
                one.connector = await tx.connectors.get(sent.account_id, sent.connector_id)
                connection = await tx.connectors.smtp(sent.connector_id)
        connected = sent.connector_id is not None
        here, outside = await self._local.sort(sent.account_id, one.errand.waiting, connected=connected)
        message = await self._blobs.get(sent.stored)
        if here:
            parcels = await self._local.prepare(sent, message, here)
            one.errand = replace(one.errand, waiting=outside, taken=True)
            async with self._database.transaction() as tx:
                await tx.outbox.hold(one.errand)
                await self._local.file(tx, parcels)
                await tx.outbox.note(one.errand)
                if not outside:
                    count = f"{len(here)} inbox" + ("es" if len(here) > 1 else "")
                    words = f"delivered to {count} of this server"
                    return await self._settle(tx, one, Verdict(accepted=tuple(here), refused=(), words=words))
        one.settings = usable_server(one.connector, connection, outside)
        submission = await self._open_submission(one.settings, one.transcript)
        try:
            verdict = await submission.send(
                sent.envelope_sender, outside, message, envelope_id=sent.id.hex, no_return=partial(self._give, one)
            )
            return await self._accepted(one, verdict)
        finally:
            await submission.close()

    async def _give(self, one: _Try) -> None:
        """From here on nobody sends it again, whatever becomes of us."""
        async with self._database.transaction() as tx:
            await tx.outbox.hold(one.errand)
            await tx.sent.settle(self._told(one, SendState.UNKNOWN, GIVEN))
        one.given = True

    # Ends

    async def _accepted(self, one: _Try, verdict: Verdict) -> SentEmail:
        async with self._database.transaction() as tx:
            if not one.given:
                await tx.outbox.hold(one.errand)
            return await self._settle(tx, one, verdict)

    async def _settle(self, tx: Transaction, one: _Try, verdict: Verdict) -> SentEmail:
        """Somebody has got it: write down who has not, and what is still to be done."""
        current = await tx.sent.by_id(one.sent.id)
        if current is None or current.state is SendState.ACCEPTED:
            return current or one.sent  # it was deleted meanwhile, or somebody has found it among the sent mail
        now, sent, errand = self._now(), one.sent, one.errand
        pause = self._pause(one)
        waiting = verdict.deferred if pause is not None else ()
        refused = tuple(one for one in verdict.refused if one[0] not in waiting)
        not_taken = ", ".join(f"{address} ({words})" for address, words in verdict.refused)
        settled = replace(
            self._told(one, SendState.QUEUED if waiting else SendState.ACCEPTED, verdict.words),
            refused=(*sent.refused, *(address for address, _ in refused)),
            sent_at=sent.sent_at or (now if verdict.accepted or not waiting else None),
            also_known_as=_renamed(sent, verdict.words) or sent.also_known_as,
        )
        if waiting:
            settled = replace(settled, state_text=f"{verdict.words}; to be tried again: {not_taken}")
        await tx.sent.settle(settled)
        if one.settings is not None:
            message = f"accepted for {len(verdict.accepted)} recipients"
            message += f"; refused: {not_taken}" if not_taken else ""
            await self._add_event(tx, one, EventStatus.SUCCESS, 1, message)
            answers = [(list(verdict.accepted), verdict.words), *(([who], words) for who, words in verdict.refused)]
            await self._note_answers(tx, one, [answer for answer in answers if answer[0]])
        await note_refusals(tx, sent, refused, now)
        if waiting:
            assert pause is not None
            await tx.outbox.again(replace(errand, waiting=waiting, taken=True), now, pause)
        else:
            await tx.journal.append(sent.inbox_id, Happening.EMAIL_SENT, [sent.id], now)
            if self._wants_copy(one):
                await tx.outbox.again(replace(errand, waiting=(), tries=0), now, COPY_AFTER)
            else:
                await tx.outbox.done(sent.id)
        self._signal(tx, settled)
        log.info("sent", sent=str(sent.id), recipients=len(verdict.accepted), refused=len(verdict.refused))
        return settled

    async def _lost(self, one: _Try, error: Exception) -> None:
        """The answer did not come."""
        settled = self._told(one, SendState.UNKNOWN, _words(error))
        async with self._database.transaction() as tx:
            await tx.sent.settle(settled)
            if one.errand.taken:
                # Others have got it before: that it lies among the sent mail says nothing of these.
                await tx.outbox.done(one.sent.id)
            else:
                await tx.outbox.again(replace(one.errand, tries=0), self._now(), FIRST_LOOK)
            await self._add_event(tx, one, status_of(error), 0, settled.state_text)
            self._signal(tx, settled)
        log.info("not known whether sent", sent=str(one.sent.id), why=settled.state_text)

    async def _failed(self, one: _Try, error: Exception) -> SentEmail | None:
        """Nobody of those who waited has got it. The email as it is settled, where others have got it before."""
        words = _words(error)
        transient = isinstance(error, Unavailable) or (isinstance(error, RemoteError) and error.transient)
        pause = self._pause(one, error) if transient else None
        if one.errand.taken and pause is None:
            refused = tuple((address, words) for address in one.errand.waiting)
            verdict = Verdict(accepted=(), refused=refused, words=words)
            if one.connector is not None:
                async with self._database.transaction() as tx:
                    await self._add_event(tx, one, status_of(error), 0, words)
            return await self._accepted(replace(one, settings=None), verdict)
        settled = self._told(one, SendState.FAILED if pause is None else SendState.QUEUED, words)
        async with self._database.transaction() as tx:
            await tx.outbox.hold(one.errand)
            await tx.sent.settle(settled)
            if pause is None:
                await tx.outbox.done(one.sent.id)
            else:
                await tx.outbox.again(one.errand, self._now(), pause)
            await self._add_event(tx, one, status_of(error), 0, words)
            if isinstance(error, RemoteError) and error.refused:
                await self._note_answers(tx, one, [([who], said) for who, said in error.refused])
                if pause is None:
                    await note_refusals(tx, one.sent, error.refused, self._now())
            self._signal(tx, settled)
        log.info("not sent", sent=str(one.sent.id), state=settled.state.value, transient=transient, why=words)
        return None

    async def _let_go(self, one: _Try) -> None:
        """We are to stop: who comes after us need not wait until our claim is over."""
        with contextlib.suppress(PosthouseError):
            async with self._database.transaction() as tx:
                await tx.outbox.hold(one.errand)
                await tx.outbox.again(replace(one.errand, tries=0) if one.given else one.errand, self._now())

    # Small things

    def _pause(self, one: _Try, error: Exception | None = None) -> timedelta | None:
        """How long until the next try; None when there is to be none."""
        pause = RETRY.pause(one.errand.tries)
        if isinstance(error, RemoteError) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, _LONGEST_WISH))
        return pause if self._now() + pause < one.errand.give_up_at else None

    def _told(self, one: _Try, state: SendState, words: str) -> SentEmail:
        return replace(one.sent, state=state, state_text=words, updated_at=self._now())

    def _wants_copy(self, one: _Try) -> bool:
        settings = one.settings
        return self._copies and settings is not None and not self._files_sent(settings.host.rstrip(".").lower())

    async def _note_answers(self, tx: Transaction, one: _Try, answers: Sequence[tuple[list[str], str]]) -> None:
        assert one.settings is not None
        took = timedelta(seconds=time.monotonic() - one.began)
        for recipients, words in answers:
            await note_answer(tx, one.sent, recipients, words, one.settings.host, took, self._now())

    def _signal(self, tx: Transaction, sent: SentEmail) -> None:
        tx.signal(f"sent:{sent.id}")
        tx.signal("outbox")

    async def _add_event(self, tx: Transaction, one: _Try, status: EventStatus, size: int, message: str) -> None:
        if one.connector is not None:
            logs = one.transcript.text or None
            await tx.events.add(send_event(one.connector, status, size, message, logs, self._now()))


def send_event(
    connector: Connector, status: EventStatus, size: int, message: str, logs: str | None, now: datetime
) -> ConnectorEvent:
    """The event that tells of a send, or of what belongs to it."""
    return ConnectorEvent(
        id=EventId(new_id(now)),
        account_id=connector.account_id,
        connector_id=connector.id,
        type=EventType.SEND,
        status=status,
        size=size,
        message=message,
        logs=logs,
        seen=False,
        created_at=now,
    )


def usable_server(
    connector: Connector | None, connection: SmtpConnection | None, outside: Sequence[str]
) -> SmtpSettings:
    """The server by which these recipients are reached. Raises Invalid, which says what to change."""
    if connector is None:
        named = ", ".join(outside[:3]) + (", …" if len(outside) > 3 else "")
        raise Invalid(
            f"this inbox has no connector to send through, and no inbox here is {named}: create a connector with an "
            "SMTP connection, or write to inboxes of this server"
        )
    if not connector.enabled:
        raise Invalid("this connector is disabled: enable it to send")
    if connection is None:
        raise Invalid("this connector has no SMTP connection to send through: add one")
    if not connection.settings.enabled:
        raise Invalid("this connector's SMTP connection is disabled: enable it to send")
    return connection.settings


def _words(error: Exception) -> str:
    return error.message if isinstance(error, PosthouseError) else "an internal error; see the server's log"


def _renamed(sent: SentEmail, words: str) -> str | None:
    """The Message-ID that the server gave it instead: Exchange and SES say so in their answer."""
    found = _OTHER_ID.search(words)
    return found[1] if found and found[1] != sent.message_id else None
