"""Sending: what somebody asks for becomes fixed bytes, is given to the connector's SMTP server, and is accounted for.

The message's id and bytes are settled and kept before the first word is said to the server, so that whatever dies,
what was (or may have been) sent is known. A send that breaks off between the last byte and the server's answer is
UNKNOWN and is never sent again by itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import structlog

from posthouse.mime.addresses import parse_addresses
from posthouse.mime.reading import excerpt, read
from posthouse.mime.writing import write
from posthouse.model.connectors import Connector, SmtpSettings
from posthouse.model.errors import Invalid, NotFound, OutcomeUnknown, PosthouseError, RemoteError
from posthouse.model.events import ConnectorEvent, EventStatus, EventType, Happening, Transcript, status_of
from posthouse.model.mail import Inbox, Outgoing, SendState, SentEmail, Submission, Upload, Verdict
from posthouse.model.message import Address, Draft, Enclosure, Message
from posthouse.model.values import AccountId, Clock, ConnectorId, EventId, InboxId, Page, SentId, Slice, new_id
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database, Transaction

log = structlog.get_logger()

OpenSubmission = Callable[[SmtpSettings, Transcript], Awaitable[Submission]]

MOST_RECIPIENTS = 500
INTERRUPTED = "the server stopped while this was being sent: it may have been sent, and is not sent again"


class Sending:
    def __init__(self, database: Database, blobs: Blobs, open_submission: OpenSubmission, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._open_submission = open_submission
        self._now = now

    # Sending

    async def send_from_inbox(self, account: AccountId, inbox_id: InboxId, outgoing: Outgoing) -> SentEmail:
        """Send through the SMTP server of the inbox's connector; a virtual inbox only writes down what it sends.

        Raises Invalid when there is no such server or the email can't be written, RemoteError when the server took
        it for nobody. Recipients refused beside accepted ones are in `refused`.
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

    async def _send(
        self, account: AccountId, inbox: Inbox, connector: Connector | None, outgoing: Outgoing
    ) -> SentEmail:
        settings = None if inbox.virtual else await self._server(connector)
        sender = _sender(outgoing, inbox, connector, settings)
        draft = await self._draft(account, sender, outgoing)
        sent = await self._fix(account, inbox, connector, outgoing, draft)
        if settings is None or connector is None:
            return await self._settle(sent, Verdict(accepted=(), refused=(), words="virtual inbox: not sent"), None)
        return await self._deliver(sent, connector, settings)

    async def _server(self, connector: Connector | None) -> SmtpSettings:
        if connector is None:
            raise Invalid("this inbox has no connector to send through: create one with an SMTP connection")
        if not connector.enabled:
            raise Invalid("this connector is disabled: enable it to send")
        async with self._database.reading() as tx:
            connection = await tx.connectors.smtp(connector.id)
        if connection is None:
            raise Invalid("this connector has no SMTP connection to send through: add one")
        if not connection.settings.enabled:
            raise Invalid("this connector's SMTP connection is disabled: enable it to send")
        return connection.settings

    async def _draft(self, account: AccountId, sender: Address, outgoing: Outgoing) -> Draft:
        to, cc, bcc = (
            tuple(address for text in texts for address in parse_addresses(text))
            for texts in (outgoing.to, outgoing.cc, outgoing.bcc)
        )
        if not (to or cc or bcc):
            raise Invalid("an email needs a recipient: give to, cc or bcc")
        if len(to) + len(cc) + len(bcc) > MOST_RECIPIENTS:
            raise Invalid(f"an email may have at most {MOST_RECIPIENTS} recipients")
        uploads = [await self._upload(account, upload) for upload in outgoing.attachments]
        return Draft(
            sender=sender,
            to=to,
            cc=cc,
            bcc=bcc,
            reply_to=parse_addresses(outgoing.reply_to) if outgoing.reply_to else (),
            subject=outgoing.subject,
            text="" if outgoing.is_html else outgoing.body,
            html=outgoing.body if outgoing.is_html else "",
            headers=outgoing.headers,
            attachments=tuple(
                [
                    Enclosure(
                        filename=upload.name,
                        content_type=upload.content_type,
                        content_id=upload.content_id or "",
                        content=await self._blobs.get(upload.stored),
                    )
                    for upload in uploads
                ]
            ),
        )

    async def _upload(self, account: AccountId, upload_id: str) -> Upload:
        async with self._database.reading() as tx:
            upload = await tx.uploads.get(account, upload_id)
        if upload is None:
            raise Invalid(f"there is no uploaded attachment {upload_id}: POST /attachments makes one")
        return upload

    async def _fix(
        self, account: AccountId, inbox: Inbox, connector: Connector | None, outgoing: Outgoing, draft: Draft
    ) -> SentEmail:
        """Write the message, keep its bytes, and note that it is about to be sent."""
        now = self._now()
        domain = draft.sender.email.rpartition("@")[2]
        message_id = f"{uuid4()}@{domain}"
        message = write(draft, message_id=message_id, date=now)
        [stored] = await self._blobs.put([message])
        sent = SentEmail(
            id=SentId(new_id(now)),
            account_id=account,
            inbox_id=inbox.id,
            connector_id=connector.id if connector else None,
            state=SendState.CONNECTING,
            state_text="",
            created_at=now,
            sent_at=None,
            sender=draft.sender,
            to=draft.to,
            cc=draft.cc,
            bcc=draft.bcc,
            reply_to=draft.reply_to,
            refused=(),
            subject=draft.subject,
            message_id=message_id,
            is_html=outgoing.is_html,
            size=len(message),
            excerpt=excerpt(read(message)),
            attachment_ids=outgoing.attachments,
            virtual=inbox.virtual,
            stored=stored,
        )
        async with self._database.transaction() as tx:
            await tx.packs.use([stored.pack], now)
            await tx.sent.add(sent)
        return sent

    async def _deliver(self, sent: SentEmail, connector: Connector, settings: SmtpSettings) -> SentEmail:
        transcript = Transcript()
        recipients = tuple(dict.fromkeys(a.email for a in (*sent.to, *sent.cc, *sent.bcc)))
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

    async def _settle(self, sent: SentEmail, verdict: Verdict, event: ConnectorEvent | None) -> SentEmail:
        now = self._now()
        refused = tuple(address for address, _ in verdict.refused)
        settled = replace(sent, state=SendState.ACCEPTED, state_text=verdict.words, refused=refused, sent_at=now)
        async with self._database.transaction() as tx:
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

    # What was sent

    async def page(
        self, account: AccountId, slice_: Slice, *, inbox: InboxId | None = None, search: str = ""
    ) -> Page[SentEmail]:
        async with self._database.reading() as tx:
            if inbox is not None:
                await _require_inbox(tx, account, inbox)
            return await tx.sent.page(account, slice_, inbox=inbox, search=search)

    async def count(self, account: AccountId, inbox: InboxId) -> int:
        async with self._database.reading() as tx:
            await _require_inbox(tx, account, inbox)
            return await tx.sent.count(account, inbox)

    async def get(self, account: AccountId, sent_id: SentId) -> SentEmail:
        async with self._database.reading() as tx:
            sent = await tx.sent.get(account, sent_id)
        if sent is None:
            raise NotFound(f"there is no sent email {sent_id}")
        return sent

    async def open(self, account: AccountId, sent_id: SentId) -> tuple[SentEmail, Message]:
        """A sent email, whole."""
        sent = await self.get(account, sent_id)
        return sent, read(await self._blobs.get(sent.stored))

    async def raw(self, account: AccountId, sent_id: SentId) -> bytes:
        """The message as it was given to the server."""
        return await self._blobs.get((await self.get(account, sent_id)).stored)

    async def delete(self, account: AccountId, sent_id: SentId) -> None:
        await self.get(account, sent_id)
        await self._remove(account, sent_id)

    async def delete_all(self, account: AccountId) -> None:
        await self._remove(account)

    async def _remove(self, account: AccountId, sent_id: SentId | None = None) -> None:
        async with self._database.transaction() as tx:
            removed = await tx.sent.remove(account, sent=sent_id)
            freed = await tx.packs.release(one.pack for one in removed)
            tx.after_commit(lambda: self._blobs.remove(freed))


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
