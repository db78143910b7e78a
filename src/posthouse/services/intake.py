"""The one door by which mail enters.

Whatever brings messages (a sync today, an import tomorrow) hands their bytes to `prepare`, outside any transaction:
raw bytes are kept, and read. `take_in` files what was prepared and writes the journal inside the caller's
transaction, and returns when the bytes are durable: either all of it happened or none of it did. The same bytes taken
in twice are recognised and filed once.

A message that can't be read is filed all the same, quarantined: with its bytes, and the reason in `problem`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

import structlog

from posthouse.mime.gist import Gist, Reader, gist
from posthouse.mime.reading import read
from posthouse.model.addresses import PlusAddress, plus_tag, with_tag
from posthouse.model.connectors import Connector
from posthouse.model.errors import NotFound
from posthouse.model.events import Happening
from posthouse.model.mail import Attachment, Email, Stored
from posthouse.model.reports import Report
from posthouse.model.sync import Buffer
from posthouse.model.values import AccountId, Clock, EmailId, InboxId, PlusAddressId, new_id
from posthouse.services.reading import Readers
from posthouse.store.blobs import Blobs
from posthouse.store.database import Transaction
from posthouse.store.mail import Filing

log = structlog.get_logger()

Reported = Callable[[Transaction, AccountId, EmailId, Report, datetime], Awaitable[None]]

_FEW = 3  # read by this process, rather than by another
_LITTLE = 32 << 10  # bytes that are read here and now: the way to another thread takes longer


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
    """A message whose bytes are kept and read, and no longer held here; it is not filed yet. `kept` is done when they
    are durable."""

    incoming: Incoming
    gist: Gist
    stored: Stored
    kept: asyncio.Future[object] | None = None

    @property
    def digest(self) -> bytes:
        return self.gist.digest


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages for one inbox, in this order; `connector` is what brought them."""

    account: AccountId
    inbox: InboxId
    prepared: Sequence[Prepared]
    connector: Connector | None = None


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a batch: the number of each message's email, by digest (None: it was deleted here once and
    stays away), and the ids of those filed now, in order."""

    numbers: dict[bytes, int | None]
    new: tuple[EmailId, ...]


class Intake:
    """Reads in this process (by `reader`), and many small messages at once by `readers` where there are any. What a
    message reports of another is told to `reported`, in the transaction that files it."""

    def __init__(
        self,
        blobs: Blobs,
        now: Clock,
        reader: Reader = read,
        readers: Readers | None = None,
        reported: Reported | None = None,
    ) -> None:
        self._reported = reported
        self._blobs = blobs
        self._now = now
        self._reader = reader
        self._readers = readers

    async def prepare(self, incoming: Sequence[Incoming]) -> list[Prepared]:
        """Keep the bytes of these messages and read them. Never raises for what a message says.

        A little is made durable while it is being filed: somebody may wait for it.
        """
        contents = [one.content for one in incoming]
        kept: asyncio.Task[object] | None = None
        if len(contents) <= _FEW and sum(map(len, contents)) <= _LITTLE:
            stored, kept = self._blobs.put_soon(contents)
            gists = self._read_here(contents)
        else:
            stored, gists = await asyncio.gather(self._blobs.put(contents), self._gists(contents))
        for one in gists:
            if one.problem:
                log.error("a message was quarantined", digest=one.digest.hex(), why=one.problem)
        return [
            Prepared(replace(one, content=b""), found, where, kept)
            for one, found, where in zip(incoming, gists, stored, strict=True)
        ]

    async def drop(self, prepared: Sequence[Prepared]) -> None:
        """These are not filed after all: don't keep their bytes."""
        await _durable(prepared)
        await self._blobs.remove({one.stored.pack for one in prepared})

    async def _gists(self, contents: Sequence[Buffer]) -> list[Gist]:
        small = [content for content in contents if isinstance(content, bytes)]
        if self._readers is None or len(small) <= _FEW:
            return await asyncio.to_thread(self._read_here, contents)
        large = [content for content in contents if not isinstance(content, bytes)]
        of_small, of_large = map(
            iter, await asyncio.gather(self._readers.read(small), asyncio.to_thread(self._read_here, large))
        )
        return [next(of_small if isinstance(content, bytes) else of_large) for content in contents]

    def _read_here(self, contents: Sequence[Buffer]) -> list[Gist]:
        return [gist(content, self._reader) for content in contents]

    async def take_in(
        self,
        tx: Transaction,
        account: AccountId,
        inbox: InboxId,
        prepared: Sequence[Prepared],
        connector: Connector | None = None,
    ) -> TakenIn:
        """File these messages in this order. Raises NotFound when the inbox is gone."""
        [taken] = await self.take_in_all(tx, [Batch(account, inbox, prepared, connector)])
        return taken

    async def take_in_all(self, tx: Transaction, batches: Sequence[Batch]) -> list[TakenIn]:
        """As `take_in`, for several inboxes, each named once."""
        inboxes = [batch.inbox for batch in batches]
        if len(await tx.inboxes.hold_all(inboxes)) < len(batches):
            raise NotFound("the inbox has been deleted meanwhile")
        known = await self._known(tx, batches)
        now = self._now()
        moments = (now + timedelta(microseconds=place) for place in count())
        fresh = {
            batch.inbox: {one.digest: one for one in batch.prepared if one.digest not in known[batch.inbox]}
            for batch in batches
        }
        filings = [
            _filing(batch.account, batch.inbox, one, next(moments))
            for batch in batches
            for one in fresh[batch.inbox].values()
        ]
        filed = await tx.mail.add(filings)
        new: dict[InboxId, list[EmailId]] = {}
        for filing in filings:
            email = filing.email
            known[email.inbox_id][filing.digest] = filed[email.id]
            new.setdefault(email.inbox_id, []).append(email.id)
        for batch in batches:
            its = [filing.email for filing in filings if filing.email.inbox_id == batch.inbox]
            if plussed := {filed[email.id]: found for email in its if (found := _plussed(email))}:
                await self._tie(tx, batch.account, batch.inbox, plussed, batch.connector)
        if new:
            await tx.packs.use((filing.email.stored.pack for filing in filings), now)
            await tx.journal.append_all(new, Happening.EMAIL_RECEIVED, now)
        for inbox in new:
            tx.signal(f"inbox:{inbox}")
        for filing in filings:
            report = fresh[filing.email.inbox_id][filing.digest].gist.report
            if report is not None and self._reported is not None:
                await self._reported(tx, filing.email.account_id, filing.email.id, report, now)
        for batch in batches:
            for one in batch.prepared:
                if one.kept is not None:
                    tx.await_before_commit(one.kept)
        used = {filing.email.stored.pack for filing in filings}
        unused = {one.stored.pack for batch in batches for one in batch.prepared} - used
        if unused:
            tx.after_commit(lambda: self._blobs.remove(unused))
        return [TakenIn(known[inbox], tuple(new.get(inbox, ()))) for inbox in inboxes]

    async def _known(self, tx: Transaction, batches: Sequence[Batch]) -> dict[InboxId, dict[bytes, int | None]]:
        """Which of these messages need not be filed, by inbox and digest: the number of the email that is there, or
        None where it was deleted."""
        known: dict[InboxId, dict[bytes, int | None]] = {batch.inbox: {} for batch in batches}
        digests = [one.digest for batch in batches for one in batch.prepared]
        for (inbox, digest), number in (await tx.mail.by_digest(list(known), digests)).items():
            known[inbox][digest] = number
        inbox_of = {batch.connector.id: batch.inbox for batch in batches if batch.connector is not None}
        if inbox_of:
            for connector, digest in await tx.folders.deleted_digests(list(inbox_of), digests):
                known[inbox_of[connector]].setdefault(digest, None)
        return known

    async def _tie(
        self,
        tx: Transaction,
        account: AccountId,
        inbox: InboxId,
        plussed: dict[int, list[str]],
        connector: Connector | None,
    ) -> None:
        """Note which of these emails, by number, came to plus addresses of the inbox; unknown ones are made."""
        found = await tx.inboxes.get(account, inbox)
        own = (found and found.email_address, connector and connector.email_address)
        came: dict[str, tuple[str, list[int]]] = {}
        for number, addresses in plussed.items():
            for full, tag in {with_tag(b, t): t for b in own if b for a in addresses if (t := plus_tag(a, b))}.items():
                came.setdefault(full, (tag, []))[1].append(number)
        for full, (tag, emails) in came.items():
            known = await tx.plus_addresses.by_address(account, inbox, full)
            if known is None:
                now = self._now()
                known = PlusAddress(
                    id=PlusAddressId(new_id(now)),
                    account_id=account,
                    inbox_id=inbox,
                    tag=tag,
                    full_address=full,
                    created_at=now,
                )
                await tx.plus_addresses.add(known)
            await tx.plus_addresses.tie(known.id, emails)


async def _durable(prepared: Sequence[Prepared]) -> None:
    for one in prepared:
        if one.kept is not None:
            await asyncio.shield(one.kept)


def _plussed(email: Email) -> list[str]:
    """The recipients that may be plus addresses of ours."""
    return [one.email for one in (*email.to, *email.cc, *email.bcc) if "+" in one.email]


def _filing(account: AccountId, inbox: InboxId, prepared: Prepared, now: datetime) -> Filing:
    gist, incoming = prepared.gist, prepared.incoming
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
        for part in gist.attachments
    )
    email = Email(
        id=email_id,
        account_id=account,
        inbox_id=inbox,
        created_at=now,
        updated_at=now,
        read=False,
        favourite=False,
        sender=gist.sender[0] if gist.sender else None,
        to=gist.to,
        cc=gist.cc,
        bcc=gist.bcc,
        reply_to=gist.reply_to,
        subject=gist.subject,
        message_id=gist.message_id,
        in_reply_to=gist.in_reply_to,
        sent_at=gist.date,
        size=incoming.size,
        excerpt=gist.excerpt,
        is_html=gist.is_html,
        charset=gist.charset,
        content_types=gist.content_types,
        attachment_ids=tuple(attachment.id for attachment in attachments),
        folder=incoming.folder,
        external_id=incoming.external_id,
        problem=gist.problem or incoming.cut,
        stored=prepared.stored,
    )
    return Filing(
        email=email,
        digest=prepared.digest,
        attachments=attachments,
        words=gist.words,
        references=gist.references,
    )
