"""Sending: what somebody asks for becomes fixed bytes, is given to whoever brings it to its recipients, and is
accounted for.

Inboxes of this server get it at once; everybody else gets it by the connector's SMTP server. The message's id and bytes
are settled and kept before the first word is said to it, so that whatever dies, what was (or may have been) sent is
known. A send that breaks off between the last byte and the server's answer is UNKNOWN and is never sent again by
itself.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from posthouse.mime.addresses import parse_addresses
from posthouse.model.connectors import Connector, SmtpConnection, SmtpSettings
from posthouse.model.errors import Invalid, NotFound, OutcomeUnknown, PosthouseError, RemoteError
from posthouse.model.events import ConnectorEvent, EventStatus, EventType, Happening, Transcript, status_of
from posthouse.model.mail import Inbox, Outgoing, SendState, SentEmail, Submission, Verdict
from posthouse.model.message import Address
from posthouse.model.values import AccountId, Clock, ConnectorId, EventId, InboxId, new_id
from posthouse.services.composing import Composing, recipients_of
from posthouse.services.inboxes import NewInbox, add_inbox
from posthouse.services.local import Local, Parcel, Place
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction

log = structlog.get_logger()

OpenSubmission = Callable[[SmtpSettings, Transcript], Awaitable[Submission]]

INTERRUPTED = "the server stopped while this was being sent: it may have been sent, and is not sent again"


class Sending:
    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        composing: Composing,
        local: Local,
        open_submission: OpenSubmission,
        now: Clock,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._composing = composing
        self._local = local
        self._open_submission = open_submission
        self._now = now

    # Sending

    async def send_from_inbox(self, account: AccountId, inbox_id: InboxId, outgoing: Outgoing) -> SentEmail:
        """Send to inboxes here and through the SMTP server of the inbox's connector; a virtual inbox only writes down
        what it sends.

        Raises Invalid when somebody can't be reached from this inbox or the email can't be written, RemoteError when
        the server took it for nobody. Recipients refused beside accepted ones are in `refused`.
        """
        async with self._database.reading() as tx:
            inbox = await _require_inbox(tx, account, inbox_id)
            connector = await tx.connectors.by_inbox(account, inbox_id)
        return await self._send(account, inbox, connector, outgoing)

    async def send_from_connector(self, account: AccountId, connector_id: ConnectorId, outgoing: Outgoing) -> SentEmail:
        """As `send_from_inbox`, for the connector's inbox."""
        async with self._database.reading() as tx:
            connector = await tx.connectors.get(account, connector_id)
            if connector is None:
                raise NotFound(f"there is no connector {connector_id}")
            inbox = await _require_inbox(tx, account, connector.inbox_id)
        return await self._send(account, inbox, connector, outgoing)

    async def send_from_anywhere(
        self, account: AccountId, inbox_id: InboxId | None, outgoing: Outgoing, *, virtual: bool = False
    ) -> SentEmail:
        """As `send_from_inbox`; without an inbox, one is found that can send it: a new one where all recipients are
        inboxes here (or where nothing is to leave, `virtual`), else the oldest with an SMTP server."""
        if inbox_id is None:
            inbox_id = await self._able_to_send(account, outgoing, virtual)
        return await self.send_from_inbox(account, inbox_id, outgoing)

    async def _able_to_send(self, account: AccountId, outgoing: Outgoing, virtual: bool) -> InboxId:
        recipients = [a.email for texts in (outgoing.to, outgoing.cc, outgoing.bcc) for a in _parsed(texts)]
        if not virtual and len(await self._local.find(account, recipients)) < len(set(recipients)):
            async with self._database.reading() as tx:
                able = await tx.connectors.able_to_send(account)
            if able is not None:
                return able.inbox_id
        async with self._database.transaction() as tx:
            made = await add_inbox(tx, account, NewInbox(virtual=virtual), self._local.domain, self._now())
        return made.id

    async def _send(
        self, account: AccountId, inbox: Inbox, connector: Connector | None, outgoing: Outgoing
    ) -> SentEmail:
        connection = None
        if connector is not None:
            async with self._database.reading() as tx:
                connection = await tx.connectors.smtp(connector.id)
        sender = _sender(outgoing, inbox, connector, connection.settings if connection else None)
        draft = await self._composing.draft(account, sender, outgoing)
        here, outside = await self._sorted(inbox, connector, recipients_of(draft))
        settings = _server(connector, connection, outside) if outside else None
        sent = await self._composing.compose(inbox, connector.id if connector and outside else None, outgoing, draft)
        parcels = await self._local.prepare(sent, await self._blobs.get(sent.stored), here)
        async with self._database.transaction() as tx:
            await tx.packs.use([sent.stored.pack], sent.created_at)
            await tx.sent.add(sent)
            if outside:
                await self._local.file(tx, parcels)
        if settings is not None and connector is not None:
            return await self._deliver(sent, outside, connector, settings)
        words = "virtual inbox: not sent" if inbox.virtual else f"delivered to {len(here)} inboxes of this server"
        return await self._settle(sent, Verdict(accepted=tuple(here), refused=(), words=words), None, parcels)

    async def _sorted(
        self, inbox: Inbox, connector: Connector | None, recipients: Sequence[str]
    ) -> tuple[dict[str, Place], list[str]]:
        """Who of them is an inbox here, and who is to get it by the connector's server."""
        if inbox.virtual:
            return {}, []
        here = await self._local.find(inbox.account_id, recipients)
        if connector is not None:
            # What a mailbox's own server is for, it carries; our own domain is nobody's but ours.
            here = {address: place for address, place in here.items() if self._local.is_ours(address)}
        return here, [recipient for recipient in recipients if recipient not in here]

    async def _deliver(
        self, sent: SentEmail, recipients: Sequence[str], connector: Connector, settings: SmtpSettings
    ) -> SentEmail:
        transcript = Transcript()
        try:
            submission = await self._open_submission(settings, transcript)
            try:
                verdict = await submission.send(sent.sender.email, recipients, await self._blobs.get(sent.stored))
            finally:
                await submission.close()
        except OutcomeUnknown as error:
            await self._fail(sent, connector, SendState.UNKNOWN, error, transcript)
            raise
        except PosthouseError as error:
            await self._fail(sent, connector, SendState.FAILED, error, transcript)
            raise
        except BaseException as error:
            # Whether anything was sent is not known: the safe word is the one that sends nothing twice.
            await self._fail(sent, connector, SendState.UNKNOWN, error, transcript)
            raise
        refused = ", ".join(f"{address} ({words})" for address, words in verdict.refused)
        message = f"accepted for {len(verdict.accepted)} recipients" + (f"; refused: {refused}" if refused else "")
        event = self._event(connector, EventStatus.SUCCESS, 1, message, transcript)
        return await self._settle(sent, verdict, event)

    async def _settle(
        self, sent: SentEmail, verdict: Verdict, event: ConnectorEvent | None, parcels: Collection[Parcel] = ()
    ) -> SentEmail:
        now = self._now()
        refused = tuple(address for address, _ in verdict.refused)
        settled = replace(sent, state=SendState.ACCEPTED, state_text=verdict.words, refused=refused, sent_at=now)
        async with self._database.transaction() as tx:
            await self._local.file(tx, parcels)
            await tx.sent.settle(sent.id, settled.state, settled.state_text, refused=refused, sent_at=now)
            await tx.journal.append(sent.inbox_id, Happening.EMAIL_SENT, [sent.id], now)
            if event is not None:
                await tx.events.add(event)
        log.info("sent", sent=str(sent.id), recipients=len(verdict.accepted), refused=len(refused))
        return settled

    async def _fail(
        self,
        sent: SentEmail,
        connector: Connector,
        state: SendState,
        error: BaseException,
        transcript: Transcript,
    ) -> None:
        text = error.message if isinstance(error, PosthouseError) else "an internal error; see the server's log"
        event = self._event(connector, status_of(error), 0, text, transcript)
        async with self._database.transaction() as tx:
            await tx.sent.settle(sent.id, state, text, refused=(), sent_at=None)
            await tx.events.add(event)
        transient = isinstance(error, RemoteError) and error.transient
        log.info("not sent", sent=str(sent.id), state=state.value, transient=transient, why=text)

    def _event(
        self, connector: Connector, status: EventStatus, size: int, message: str, transcript: Transcript
    ) -> ConnectorEvent:
        now = self._now()
        return ConnectorEvent(
            id=EventId(new_id(now)),
            account_id=connector.account_id,
            connector_id=connector.id,
            type=EventType.SEND,
            status=status,
            size=size,
            message=message,
            logs=transcript.text or None,
            seen=False,
            created_at=now,
        )

    async def settle_interrupted(self) -> int:
        """Call a send that a stopped process left under way by its name: UNKNOWN. How many there were."""
        async with self._database.transaction() as tx:
            interrupted = await tx.sent.interrupted(self._now() - timedelta(minutes=15))
            for sent in interrupted:
                await tx.sent.settle(sent, SendState.UNKNOWN, INTERRUPTED, refused=(), sent_at=None)
        return len(interrupted)


def _server(connector: Connector | None, connection: SmtpConnection | None, outside: Sequence[str]) -> SmtpSettings:
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


def _parsed(texts: Sequence[str]) -> Iterator[Address]:
    for text in texts:
        yield from parse_addresses(text)


def _sender(outgoing: Outgoing, inbox: Inbox, connector: Connector | None, settings: SmtpSettings | None) -> Address:
    own = inbox.email_address
    if settings is not None and "@" in settings.username:
        own = settings.username
    if connector is not None and connector.email_address:
        own = connector.email_address
    given = parse_addresses(outgoing.sender) if outgoing.sender else parse_addresses(own)
    if len(given) != 1:
        raise Invalid("from must be one address")
    [sender] = given
    name = outgoing.sender_name or sender.name
    if not name and outgoing.use_inbox_name:
        name = inbox.name or ""
    return Address(name, sender.email)


async def _require_inbox(tx: Transaction, account: AccountId, inbox_id: InboxId) -> Inbox:
    inbox = await tx.inboxes.get(account, inbox_id)
    if inbox is None:
        raise NotFound(f"there is no inbox {inbox_id}")
    return inbox
