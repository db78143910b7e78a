"""Sending: somebody asks for an email to be sent, now or later, and is told what became of it.

What is asked for is made into fixed bytes and put into the outbox, in one transaction. Who waits for the outcome has it
tried at once, within the request; everything else is left to the outbox. What that means for failures:

- A send that somebody waits for is tried once. When it fails he is told, and it has FAILED.
- A send that is queued, or scheduled, or made with a key, is tried again for a day after failures for the moment.

The same request made again with the same key is the same send: it has the same outcome, and is never a second email.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from uuid import uuid4

from posthouse.mime.addresses import parse_addresses
from posthouse.model.connectors import Connector, SmtpConnection
from posthouse.model.errors import Conflict, Invalid, OutcomeUnknown, Refused, RemoteError, Unavailable
from posthouse.model.mail import Inbox, Outgoing, SendState, SentEmail, recipients_of
from posthouse.model.message import Address, Draft
from posthouse.model.outbox import Errand, Job
from posthouse.model.values import AccountId, Clock, ConnectorId, InboxId, JobId, new_id
from posthouse.services.addressing import Addressing
from posthouse.services.composing import MOST_RECIPIENTS, Composing
from posthouse.services.delivering import GIVEN, usable_server
from posthouse.services.inboxes import NewInbox, add_inbox
from posthouse.services.local import Local
from posthouse.services.lookout import Lookout
from posthouse.services.outbox import Outbox
from posthouse.services.required import require_connector, require_inbox
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database
from posthouse.store.outbox import Part

GIVE_UP = timedelta(hours=24)
"""For so long a send is tried again that nobody waits for."""
PATIENCE = timedelta(seconds=90)
"""So long a request waits for the same one that came before it."""
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class Sender:
    """Where an email comes from: an inbox, with its connector and that one's SMTP connection where there are any."""

    inbox: Inbox
    connector: Connector | None
    smtp: SmtpConnection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How an email is to be sent. `key` is the request's, `part` tells its emails apart, and `whole` is what the
    request asks for, where that is more than this email."""

    key: str | None = None
    part: str = ""
    whole: str = ""
    queued: bool = False
    at: datetime | None = None

    @property
    def lasting(self) -> bool:
        return self.queued or self.key is not None


NOW = Wish()


class Sending:
    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        addressing: Addressing,
        composing: Composing,
        local: Local,
        outbox: Outbox,
        lookout: Lookout,
        now: Clock,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._addressing = addressing
        self._composing = composing
        self._local = local
        self._outbox = outbox
        self._lookout = lookout
        self._now = now

    # Sending now

    async def send_from_inbox(
        self, account: AccountId, inbox_id: InboxId, outgoing: Outgoing, *, key: str | None = None
    ) -> SentEmail:
        """Send to inboxes here and through the SMTP server of the inbox's connector; a virtual inbox only writes down
        what it sends.

        Raises Invalid when somebody can't be reached from this inbox or the email can't be written, RemoteError when
        the server took it for nobody, Conflict when the key was used for something else. Recipients refused beside
        accepted ones are in `refused`.

        Where contacts make several emails of it, these are queued, all or none, and the first of them is told.
        """
        return await self._send(await self._from_inbox(account, inbox_id), outgoing, Wish(key=key))

    async def send_from_connector(
        self, account: AccountId, connector_id: ConnectorId, outgoing: Outgoing, *, key: str | None = None
    ) -> SentEmail:
        """As `send_from_inbox`, for the connector's inbox."""
        async with self._database.reading() as tx:
            inbox_id = (await require_connector(tx, account, connector_id)).inbox_id
        return await self.send_from_inbox(account, inbox_id, outgoing, key=key)

    async def send_from_anywhere(
        self,
        account: AccountId,
        inbox_id: InboxId | None,
        outgoing: Outgoing,
        *,
        virtual: bool = False,
        key: str | None = None,
    ) -> SentEmail:
        """As `send_from_inbox`; without an inbox, one is found that can send it: a new one where all recipients are
        inboxes here (or where nothing is to leave, `virtual`), else the oldest with an SMTP server."""
        if inbox_id is not None:
            return await self.send_from_inbox(account, inbox_id, outgoing, key=key)
        wish = Wish(key=key, whole="from anywhere")
        # What was sent before was sent from the inbox that was found then.
        if (found := await self._sent_before(account, wish, _fingerprint(wish.whole, outgoing))) is not None:
            return await self._outcome(found)
        inbox_id = await self._able_to_send(account, await self._addressing.letters(account, outgoing), virtual)
        return await self._send(await self._from_inbox(account, inbox_id), outgoing, wish)

    # Sending later

    async def queue(self, account: AccountId, inbox_id: InboxId, outgoing: Outgoing, wish: Wish = NOW) -> SentEmail:
        """Put an email into the outbox, to be sent as soon as may be, or at the wish's time. Raises as
        `send_from_inbox` for what can't be sent at all, and nothing for what happens later: the email's state tells."""
        sender = await self._from_inbox(account, inbox_id)
        letters = await self._addressing.letters(account, outgoing)
        if len(letters) > 1:
            await self._check([sender], letters)
        return await self._queue(sender, letters, outgoing, wish)

    async def schedule(
        self, account: AccountId, inbox_id: InboxId, outgoing: Outgoing, at: datetime, *, key: str | None = None
    ) -> Job:
        """Put an email into the outbox, to be sent at this moment; one that is past is now."""
        sent = await self.queue(account, inbox_id, outgoing, Wish(key=key, at=at))
        async with self._database.reading() as tx:
            job = await tx.jobs.by_sent(account, sent.id)
        assert job is not None, "it was put in together with the email"
        return job

    async def queue_from_all(
        self, account: AccountId, inbox_ids: Sequence[InboxId], outgoing: Outgoing, *, key: str | None = None
    ) -> list[SentEmail]:
        """Put an email from each of these inboxes into the outbox; from none of them where one can't send it."""
        inbox_ids = list(dict.fromkeys(inbox_ids))
        senders = [await self._from_inbox(account, inbox_id) for inbox_id in inbox_ids]
        letters = await self._addressing.letters(account, outgoing)
        await self._check(senders, letters)
        whole = ",".join(sorted(map(str, inbox_ids)))
        wishes = [Wish(key=key, part=str(inbox_id), whole=whole) for inbox_id in inbox_ids]
        return [
            await self._queue(sender, letters, outgoing, wish) for sender, wish in zip(senders, wishes, strict=True)
        ]

    # Sending what is written already

    async def send_message(
        self,
        account: AccountId,
        inbox_id: InboxId,
        sender: str,
        recipients: Sequence[str],
        message: bytes,
        *,
        key: str | None = None,
    ) -> SentEmail:
        """Send a message as it is, by this envelope; `sender` may be '' (RFC 5321 §4.5.5). Otherwise as
        `send_from_inbox`."""
        origin = await self._from_inbox(account, inbox_id)
        wish, asked = Wish(key=key), Outgoing(to=tuple(recipients), sender=sender, body=message.decode("latin-1"))
        fingerprint = _fingerprint(f"message from {inbox_id}", asked)
        if (found := await self._sent_before(account, wish, fingerprint)) is not None:
            return await self._outcome(found)
        people = list(dict.fromkeys(address.email for one in recipients for address in parse_addresses(one)))
        if not people:
            raise Invalid("an email needs a recipient: give rcptTo")
        if len(people) > MOST_RECIPIENTS:
            raise Invalid(f"an email may have at most {MOST_RECIPIENTS} recipients")
        from_ = parse_addresses(sender) if sender.strip("<> ") else (Address("", ""),)
        if len(from_) != 1:
            raise Invalid("mailFrom must be one address, or <> for none")
        connector = await self._reached(origin, people)
        sent = await self._composing.take_over(origin.inbox, connector, from_[0].email, people, message)
        sent, errand = await self._put(sent, wish, fingerprint)
        if errand is None:
            return await self._outcome(sent)
        return await self._deliver(errand, sent, wish.lasting)

    async def send_test(self, account: AccountId, inbox_id: InboxId) -> None:
        """Put an email of our own into an inbox, to see that mail in it is noticed."""
        inbox = (await self._from_inbox(account, inbox_id)).inbox
        await self._local.hand_in(account, inbox_id, self._composing.test_message(inbox, self._local.domain))

    @staticmethod
    def addresses(text: str) -> tuple[Address, ...]:
        """The addresses in a field, as people write them: with commas between them. Raises Invalid for what is none."""
        return parse_addresses(text)

    async def sent_with(self, account: AccountId, key: str) -> SentEmail | None:
        """What a request with this key has sent, whatever it asked for: the first email of it."""
        async with self._database.reading() as tx:
            parts = await tx.outbox.parts(account, key)
            return await tx.sent.get(account, parts[0].sent_id) if parts else None

    async def can_send(self, account: AccountId, inbox_id: InboxId, outgoing: Outgoing) -> str | None:
        """Why an email can't be sent from this inbox; None when it can, as far as we know without asking a server.
        Raises NotFound for an inbox that is not there."""
        sender = await self._from_inbox(account, inbox_id)
        try:
            await self._check([sender], await self._addressing.letters(account, outgoing))
        except Invalid as error:
            return error.message
        return None

    # Making it

    async def _from_inbox(self, account: AccountId, inbox_id: InboxId) -> Sender:
        async with self._database.reading() as tx:
            inbox = await require_inbox(tx, account, inbox_id)
            connector = await tx.connectors.by_inbox(account, inbox_id)
            smtp = None if connector is None else await tx.connectors.smtp(connector.id)
        return Sender(inbox, connector, smtp)

    async def _able_to_send(self, account: AccountId, letters: Sequence[Outgoing], virtual: bool) -> InboxId:
        recipients = [address.email for letter in letters for address in _recipients(letter)]
        if not virtual and len(await self._local.find(account, recipients)) < len(set(recipients)):
            async with self._database.reading() as tx:
                able = await tx.connectors.able_to_send(account)
            if able is not None:
                return able.inbox_id
        async with self._database.transaction() as tx:
            made = await add_inbox(tx, account, NewInbox(virtual=virtual), self._local.domain, self._now())
        return made.id

    async def _check(self, senders: Sequence[Sender], letters: Sequence[Outgoing]) -> None:
        """Make sure that each of these can be sent from all of them. Raises Invalid."""
        for sender in senders:
            for letter in letters:
                draft, _ = await self._checked(sender, letter)
                self._composing.check(draft)

    async def _checked(self, sender: Sender, outgoing: Outgoing) -> tuple[Draft, ConnectorId | None]:
        """What is to be written, and the connector that somebody is reached by. Raises Invalid."""
        draft = await self._composing.draft(sender.inbox.account_id, _author(outgoing, sender), outgoing)
        return draft, await self._reached(sender, recipients_of(draft))

    async def _reached(self, sender: Sender, recipients: Sequence[str]) -> ConnectorId | None:
        """The connector that some of them are reached by; None where none is needed. Raises Invalid."""
        inbox, connector = sender.inbox, sender.connector
        if inbox.virtual:
            return None
        _, outside = await self._local.sort(inbox.account_id, recipients, connected=connector is not None)
        if not outside:
            return None
        usable_server(connector, sender.smtp, outside)
        return connector.id if connector is not None else None

    async def _accept(
        self, sender: Sender, letter: Outgoing, asked: Outgoing, wish: Wish
    ) -> tuple[SentEmail, Errand | None]:
        """Fix one email of what was asked for and put it into the outbox; there is no errand when it was sent
        before."""
        inbox = sender.inbox
        fingerprint = _fingerprint(wish.whole or str(inbox.id), asked)
        if (found := await self._sent_before(inbox.account_id, wish, fingerprint)) is not None:
            return found, None
        draft, connector = await self._checked(sender, letter)
        sent = await self._composing.compose(inbox, connector, letter, draft, wish.at)
        return await self._put(sent, wish, fingerprint)

    async def _queue(self, sender: Sender, letters: Sequence[Outgoing], asked: Outgoing, wish: Wish) -> SentEmail:
        """Put them all into the outbox; where they are several, it is sure already that each can be sent. The first."""
        queued = []
        for letter in letters:
            # A contact's email is told apart by its address, whoever else joins or leaves the group.
            to_contact = (asked.contacts or asked.group) and letter.recipients
            part = f"{wish.part} to {letter.recipients[0].email}" if to_contact else wish.part
            sent, _ = await self._accept(sender, letter, asked, replace(wish, queued=True, part=part))
            queued.append(sent)
        return queued[0]

    async def _put(self, sent: SentEmail, wish: Wish, fingerprint: str) -> tuple[SentEmail, Errand | None]:
        state = SendState.QUEUED if wish.queued else SendState.CONNECTING
        sent = replace(sent, state=state, queued=wish.queued)
        now = self._now()
        begin = max(wish.at or now, now)
        errand = Errand(
            sent_id=sent.id,
            give_up_at=begin + GIVE_UP if wish.lasting else now,
            waiting=recipients_of(sent),
            tries=0 if wish.queued else 1,
            holder=None if wish.queued else uuid4(),
        )
        try:
            async with self._database.transaction() as tx:
                await tx.packs.use([sent.stored.pack], now)
                sent = await tx.sent.add(sent)
                await self._outbox.add(tx, errand, begin - now)
                if wish.at is not None:
                    await tx.jobs.add(_job(sent, begin, now))
                if wish.key is not None:
                    part = Part(wish.part, fingerprint, sent.id)
                    await tx.outbox.add_part(sent.account_id, wish.key, part, now)
        except Conflict:
            # The same request was a moment ahead of us.
            await self._blobs.remove([sent.stored.pack])
            if (found := await self._sent_before(sent.account_id, wish, fingerprint)) is not None:
                return found, None
            raise
        return sent, errand

    async def _send(self, sender: Sender, outgoing: Outgoing, wish: Wish) -> SentEmail:
        """Send while somebody waits for the outcome."""
        letters = await self._addressing.letters(sender.inbox.account_id, outgoing)
        if len(letters) > 1:
            await self._check([sender], letters)
            return await self._queue(sender, letters, outgoing, wish)
        sent, errand = await self._accept(sender, letters[0], outgoing, wish)
        if errand is None:
            return await self._outcome(sent)
        return await self._deliver(errand, sent, wish.lasting)

    async def _deliver(self, errand: Errand, sent: SentEmail, lasting: bool) -> SentEmail:
        try:
            return await self._outbox.deliver(errand, sent)
        except RemoteError as error:
            if lasting and error.transient:
                error.say_more(
                    ". It stays queued: it is tried again by itself for a day, and at once when you ask again with the "
                    "same Idempotency-Key"
                )
            raise

    # Sent before

    async def _sent_before(self, account: AccountId, wish: Wish, fingerprint: str) -> SentEmail | None:
        """The email that was made of this request the first time. Raises Conflict when its key was another's."""
        if wish.key is None:
            return None
        if not _KEY.fullmatch(wish.key):
            raise Invalid("Idempotency-Key must be 1 to 255 printable ASCII characters")
        async with self._database.reading() as tx:
            parts = await tx.outbox.parts(account, wish.key)
            if any(part.fingerprint != fingerprint for part in parts):
                raise Conflict(
                    "this Idempotency-Key was used to send something else: take a new key for every email, and the "
                    "same one only to repeat the very same request"
                )
            for part in parts:
                if part.name == wish.part:
                    if (sent := await tx.sent.get(account, part.sent_id)) is None:
                        raise Conflict("what was sent with this Idempotency-Key has been deleted since")
                    return sent
        return None

    async def _outcome(self, sent: SentEmail) -> SentEmail:
        """What became of an email that was asked for before: as if it had been sent now. One that waits to be tried
        again is tried now."""
        with self._lookout.on(f"sent:{sent.id}", timeout=PATIENCE) as news:
            while True:
                async with self._database.reading() as tx:
                    current = await tx.sent.by_id(sent.id)
                match current:
                    case None:
                        raise Conflict("what was sent with this Idempotency-Key has been deleted since")
                    case SentEmail(state=SendState.ACCEPTED):
                        return current
                    case SentEmail(state=SendState.FAILED, state_text=words):
                        raise Refused(words)
                    case SentEmail(state=SendState.UNKNOWN, state_text=words) if words != GIVEN:
                        raise OutcomeUnknown(words)
                    case SentEmail(state=SendState.QUEUED):
                        if (taken := await self._outbox.take(sent.id)) is not None:
                            return await self._deliver(*taken, lasting=True)
                if not await news.more():
                    raise Unavailable("the same request is still at work on this: ask again in a moment")


def _job(sent: SentEmail, at: datetime, now: datetime) -> Job:
    return Job(
        id=JobId(new_id(now)),
        account_id=sent.account_id,
        inbox_id=sent.inbox_id,
        sent_id=sent.id,
        send_at=at,
        created_at=now,
        updated_at=now,
    )


def _fingerprint(place: str, asked: Outgoing) -> str:
    """The same for two requests that ask for the same, and in practice for no others."""
    given = {one.name: getattr(asked, one.name) for one in fields(asked) if getattr(asked, one.name) != one.default}
    return hashlib.sha256(json.dumps([place, given], sort_keys=True, default=str).encode()).hexdigest()


def _author(outgoing: Outgoing, sender: Sender) -> Address:
    """Whom it is from, by its own word or by what the inbox is connected to."""
    own = sender.inbox.email_address
    if sender.smtp is not None and "@" in sender.smtp.settings.username:
        own = sender.smtp.settings.username
    if sender.connector is not None and sender.connector.email_address:
        own = sender.connector.email_address
    given = parse_addresses(outgoing.sender) if outgoing.sender else parse_addresses(own)
    if len(given) != 1:
        raise Invalid("from must be one address")
    [author] = given
    name = outgoing.sender_name or author.name
    if not name and outgoing.use_inbox_name:
        name = sender.inbox.name or ""
    return Address(name, author.email)


def _recipients(letter: Outgoing) -> Iterator[Address]:
    yield from letter.recipients
    for text in (*letter.to, *letter.cc, *letter.bcc):
        yield from parse_addresses(text)
