"""The one door by which mail enters.

Whatever brings messages (a sync today, an import tomorrow) hands their bytes to `prepare`, outside any transaction:
raw bytes are kept, and read. `take_in` files what was prepared and writes the journal inside the caller's
transaction: either all of it happened or none of it did. The same bytes taken in twice are recognised and filed once.

A message that can't be read is filed all the same, quarantined: with its bytes, and the reason in `problem`.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from posthouse.mime.reading import excerpt, read, search_text
from posthouse.model.connectors import Connector
from posthouse.model.errors import NotFound
from posthouse.model.events import Happening
from posthouse.model.mail import Attachment, Email, Stored
from posthouse.model.message import Message
from posthouse.model.sync import Buffer
from posthouse.model.values import AccountId, Clock, EmailId, InboxId, new_id
from posthouse.store.blobs import Blobs
from posthouse.store.database import Transaction
from posthouse.store.mail import Filing
from posthouse.store.search import words

log = structlog.get_logger()

Reader = Callable[[Buffer], Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message that wants in. `external_id` is what its source calls it; `cut` says why `content` is not whole."""

    content: Buffer
    size: int
    folder: str | None = None
    external_id: str | None = None
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message whose bytes are kept and read, and that is not filed yet."""

    incoming: Incoming
    digest: bytes
    message: Message
    excerpt: str
    words: tuple[str, ...]
    problem: str | None
    stored: Stored


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a batch: the number of each message's email, by digest (None: it was deleted here once and
    stays away), and the ids of those filed now, in order."""

    numbers: dict[bytes, int | None]
    new: tuple[EmailId, ...]


class Intake:
    def __init__(self, blobs: Blobs, now: Clock, reader: Reader = read) -> None:
        self._blobs = blobs
        self._now = now
        self._reader = reader

    async def prepare(self, incoming: Sequence[Incoming]) -> list[Prepared]:
        """Keep the bytes of these messages and read them. Never raises for what a message says."""
        stored, read = await asyncio.gather(  # side by side: compressing and the disk leave Python to the reader
            self._blobs.put([one.content for one in incoming]),
            asyncio.to_thread(lambda: [self._read(one) for one in incoming]),
        )
        return [prepared(where) for prepared, where in zip(read, stored, strict=True)]

    def _read(self, incoming: Incoming) -> Callable[[Stored], Prepared]:
        digest = hashlib.sha256(incoming.content).digest()
        problem = incoming.cut
        try:
            message = self._reader(incoming.content)
            short, found = excerpt(message), words(_findable(message))
        except Exception as error:  # reading promises never to raise; if it breaks its word, mail must get in
            log.exception("a message could not be read", digest=digest.hex())
            message, short, found = Message(), "", ()
            problem = f"could not be read ({type(error).__name__}); the raw message is kept"
        return partial(Prepared, incoming, digest, message, short, found, problem)

    async def take_in(
        self,
        tx: Transaction,
        account: AccountId,
        inbox: InboxId,
        prepared: Sequence[Prepared],
        connector: Connector | None = None,
    ) -> TakenIn:
        """File these messages in this order. Raises NotFound when the inbox is gone."""
        if not await tx.inboxes.hold(inbox):
            raise NotFound("the inbox has been deleted meanwhile")
        digests = [one.digest for one in prepared]
        numbers: dict[bytes, int | None] = dict(await tx.mail.by_digest(inbox, digests))
        if connector is not None:
            for deleted in await tx.folders.deleted_digests(connector.id, digests):
                numbers.setdefault(deleted, None)
        fresh = {one.digest: one for one in prepared if one.digest not in numbers}
        now = self._now()
        filings = [
            _filing(account, inbox, one, now + timedelta(microseconds=place))
            for place, one in enumerate(fresh.values())
        ]
        filed = await tx.mail.add(filings)
        for filing in filings:
            numbers[filing.digest] = filed[filing.email.id]
        new = tuple(filing.email.id for filing in filings)
        if new:
            await tx.packs.use((filing.email.stored.pack for filing in filings), now)
            await tx.journal.append(inbox, Happening.EMAIL_RECEIVED, new, now)
            tx.signal(f"inbox:{inbox}")
        unused = {one.stored.pack for one in prepared} - {filing.email.stored.pack for filing in filings}
        tx.after_commit(lambda: self._blobs.remove(unused))
        return TakenIn(numbers, new)


def _findable(message: Message) -> str:
    """All that an email should be found by."""
    people = (*message.sender, *message.to, *message.cc, *message.bcc, *message.reply_to)
    names = (part.filename for part in message.attachments)
    return " ".join((message.subject, *map(str, people), *names, message.message_id, search_text(message)))


def _filing(account: AccountId, inbox: InboxId, prepared: Prepared, now: datetime) -> Filing:
    message, incoming = prepared.message, prepared.incoming
    email_id = EmailId(new_id(now))
    attachments = tuple(
        Attachment(
            # The form in which MailSlurp's clients have seen these ids: an epoch, a dash, a UUID.
            id=f"{int(now.timestamp())}-{new_id(now)}",
            email_id=email_id,
            inbox_id=inbox,
            name=part.filename,
            content_type=part.content_type,
            content_id=part.content_id or None,
            size=part.size,
            start=part.start,
            end=part.end,
            transfer=part.transfer,
            created_at=now,
        )
        for part in message.attachments
    )
    email = Email(
        id=email_id,
        account_id=account,
        inbox_id=inbox,
        created_at=now,
        updated_at=now,
        read=False,
        favourite=False,
        sender=message.sender[0] if message.sender else None,
        to=message.to,
        cc=message.cc,
        bcc=message.bcc,
        reply_to=message.reply_to,
        subject=message.subject,
        message_id=message.message_id,
        in_reply_to=message.in_reply_to,
        sent_at=message.date,
        size=incoming.size,
        excerpt=prepared.excerpt,
        is_html=bool(message.html),
        charset=message.charset,
        content_types=tuple(dict.fromkeys(part.content_type for part in message.parts)),
        attachment_ids=tuple(attachment.id for attachment in attachments),
        folder=incoming.folder,
        external_id=incoming.external_id,
        problem=prepared.problem,
        stored=prepared.stored,
    )
    return Filing(email=email, digest=prepared.digest, attachments=attachments, words=prepared.words)
