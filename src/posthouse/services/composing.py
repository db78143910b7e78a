"""Composing: what somebody asks for becomes fixed bytes with an id of their own, kept before anybody is told of them.

From here on nothing about a message changes: whatever dies while it is sent, what goes out later is the same bytes
under the same Message-ID, by which it is recognised.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from uuid import uuid4

from posthouse.mime.addresses import parse_addresses
from posthouse.mime.identity import renamed, why_no_message
from posthouse.mime.reading import content, excerpt, read
from posthouse.mime.writing import write
from posthouse.model.errors import Invalid
from posthouse.model.mail import Attachment, Inbox, Outgoing, SendState, SentEmail, Upload
from posthouse.model.message import Address, Draft, Enclosure
from posthouse.model.values import AccountId, Clock, ConnectorId, SentId, new_id
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database

MOST_RECIPIENTS = 500


class Composing:
    def __init__(self, database: Database, blobs: Blobs, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now

    async def draft(self, account: AccountId, sender: Address, outgoing: Outgoing) -> Draft:
        """What is to be written. Raises Invalid where something of it can't be."""
        to, cc, bcc = (
            tuple(address for text in texts for address in parse_addresses(text))
            for texts in (outgoing.to, outgoing.cc, outgoing.bcc)
        )
        to = (*outgoing.recipients, *to)
        if not (to or cc or bcc):
            raise Invalid("an email needs a recipient: give to, cc or bcc")
        if len(to) + len(cc) + len(bcc) > MOST_RECIPIENTS:
            raise Invalid(f"an email may have at most {MOST_RECIPIENTS} recipients")
        attachments = [await self._enclosure(account, attachment) for attachment in outgoing.attachments]
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
            attachments=tuple(attachments),
            in_reply_to=outgoing.in_reply_to,
            references=outgoing.references,
        )

    def check(self, draft: Draft) -> None:
        """Raises Invalid when it can't be written."""
        write(draft, message_id=f"{uuid4()}@posthouse", date=self._now())

    async def compose(
        self,
        inbox: Inbox,
        connector: ConnectorId | None,
        outgoing: Outgoing,
        draft: Draft,
        date: datetime | None = None,
    ) -> SentEmail:
        """Write the message and keep its bytes; nothing is filed yet. `date` is what it says of itself. Raises
        Invalid."""
        now = self._now()
        domain = draft.sender.email.rpartition("@")[2]
        message_id = f"{uuid4()}@{domain}"
        message = write(draft, message_id=message_id, date=date or now)
        written = read(message)
        [stored] = await self._blobs.put([message])
        return SentEmail(
            id=SentId(new_id(now)),
            account_id=inbox.account_id,
            inbox_id=inbox.id,
            connector_id=connector,
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
            excerpt=excerpt(written),
            attachment_ids=outgoing.attachments,
            virtual=inbox.virtual,
            stored=stored,
            in_reply_to=written.in_reply_to,
            references=written.references,
        )

    def test_message(self, inbox: Inbox, domain: str) -> bytes:
        """A message of our own to an inbox."""
        now = self._now()
        draft = Draft(
            sender=Address("Posthouse", f"test@{domain}"),
            to=(Address("", inbox.email_address),),
            subject="Test email",
            text=f"This is a test email from Posthouse to {inbox.email_address}.\n",
        )
        return write(draft, message_id=f"{uuid4()}@{domain}", date=now)

    async def take_over(
        self, inbox: Inbox, connector: ConnectorId | None, sender: str, recipients: Sequence[str], message: bytes
    ) -> SentEmail:
        """Keep a message that somebody has written himself, with its envelope. It gets a Message-ID and a date if it
        has none; nothing else of it is changed, but for its line breaks. Raises Invalid."""
        now = self._now()
        message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
        if why := why_no_message(message):
            raise Invalid(f"data is no message: {why}")
        said = read(message)
        if not said.message_id:
            domain = (sender or inbox.email_address).rpartition("@")[2]
            message = renamed(message, f"{uuid4()}@{domain}")
        if said.date is None:
            message = f"Date: {format_datetime(now)}\r\n".encode() + message
        said = read(message)
        author = said.sender[0] if said.sender else Address("", sender)
        [stored] = await self._blobs.put([message])
        to, cc, bcc = _seen(recipients, said.to, said.cc)
        return SentEmail(
            id=SentId(new_id(now)),
            account_id=inbox.account_id,
            inbox_id=inbox.id,
            connector_id=connector,
            state=SendState.CONNECTING,
            state_text="",
            created_at=now,
            sent_at=None,
            sender=author,
            to=to,
            cc=cc,
            bcc=bcc,
            reply_to=said.reply_to,
            refused=(),
            subject=said.subject,
            message_id=said.message_id,
            is_html=bool(said.html),
            size=len(message),
            excerpt=excerpt(said),
            attachment_ids=(),
            virtual=inbox.virtual,
            return_path=sender if sender != author.email else None,
            stored=stored,
            in_reply_to=said.in_reply_to,
            references=said.references,
        )

    async def _enclosure(self, account: AccountId, attachment_id: str) -> Enclosure:
        """An attachment to be sent: one that was uploaded, or one that came with an email."""
        async with self._database.reading() as tx:
            upload = await tx.uploads.get(account, attachment_id)
            received = await tx.mail.attachment(account, attachment_id) if upload is None else None
            email = await tx.mail.get(account, received.email_id) if received else None
        if upload is not None:
            return _enclosed(upload, await self._blobs.get(upload.stored))
        if received is None or email is None:
            raise Invalid(f"there is no attachment {attachment_id}: POST /attachments makes one")
        return _enclosed(received, content(await self._blobs.get(email.stored), received))


def _enclosed(attachment: Upload | Attachment, octets: bytes) -> Enclosure:
    return Enclosure(
        filename=attachment.name,
        content_type=attachment.content_type,
        content_id=attachment.content_id or "",
        content=octets,
    )


def _seen(
    recipients: Sequence[str], to: Sequence[Address], cc: Sequence[Address]
) -> tuple[tuple[Address, ...], tuple[Address, ...], tuple[Address, ...]]:
    """The envelope's recipients as their message shows them: openly, as a copy, or not at all."""
    left = {one.lower(): one for one in recipients}

    def taken(shown: Sequence[Address]) -> tuple[Address, ...]:
        return tuple(one for one in shown if left.pop(one.email.lower(), None) is not None)

    return taken(to), taken(cc), tuple(Address("", one) for one in left.values())
