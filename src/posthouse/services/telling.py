"""Telling webhooks: what has happened becomes messages, and these are said until they are heard.

At least once, and in order for each webhook and inbox: a message that is not taken holds back the later ones of its
lane, until it is or until a day has gone by. Nothing is remembered here: a process may die at any point, and another
goes on from what is committed. The pieces are

- `spread`: opens lanes for what has happened (store/lanes.py tells what a lane is),
- `claim`: takes lanes that are due, within the bounds that the caller gives,
- `work`: says what is to be said in one lane, and closes it or gives it back.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from posthouse import metrics
from posthouse.model.events import Entry
from posthouse.model.reports import Bounce
from posthouse.model.values import Backoff, BouncedId, BounceId, Clock, DeliveryId, EmailId
from posthouse.model.webhooks import (
    BACKOFF,
    PATIENCE,
    EventName,
    Message,
    Poster,
    ResultType,
    Webhook,
    WebhookId,
    message_id,
)
from posthouse.services.payloads import About, Received, body, identified, of_entry
from posthouse.services.saying import Said, say
from posthouse.store.database import Database, Transaction
from posthouse.store.lanes import DELIVERED, EXHAUSTED, Due, Key, LaneLost
from posthouse.store.signals import Listener

__all__ = ["Due", "Key", "Listener", "Telling"]

log = structlog.get_logger()

LEASE = timedelta(seconds=75)
"""How long a lane is held for one message; longer than any receiver may take."""
RETENTION = timedelta(days=14)
"""How long results, and the words of what was said, are kept."""
_AT_ONCE = 50  # lines that become messages in one transaction
_SHIFT = 20.0  # seconds after which a lane is given back although there is more, so that others have their turn
_PRUNED_AT_ONCE = 1000


class Telling:
    """`patience` is how long a message is tried again, from when it was to be said."""

    def __init__(
        self,
        database: Database,
        poster: Poster,
        now: Clock,
        *,
        backoff: Backoff = BACKOFF,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._database = database
        self._poster = poster
        self._now = now
        self._backoff = backoff
        self._patience = patience

    @contextlib.contextmanager
    def news(self) -> Iterator[Listener]:
        """Hears when there may be something to do."""
        with self._database.signals.listen("inbox", "webhooks") as listener:
            yield listener

    async def spread(self) -> bool:
        """Open lanes for what has happened in some inboxes. False when there was no news."""
        async with self._database.reading() as tx:
            if not await tx.lanes.has_news():
                return False
        async with self._database.transaction() as tx:
            return bool(await tx.lanes.spread(self._now()))

    async def due(
        self, *, each: int, most: int, besides: Collection[WebhookId] = (), besides_hosts: Collection[str] = ()
    ) -> list[Due]:
        """Lanes that are due, the longest first: of each webhook a few, of one that fails a single one."""
        async with self._database.reading() as tx:
            return await tx.lanes.due(self._now(), each=each, most=most, besides=besides, besides_hosts=besides_hosts)

    async def claim(self, holder: UUID, keys: Sequence[Key]) -> list[Key]:
        """Take these lanes. Those that we got."""
        now = self._now()
        async with self._database.transaction() as tx:
            return await tx.lanes.claim(keys, holder, now, now + LEASE)

    async def work(self, holder: UUID, key: Key) -> None:
        """Say what is to be said in a lane that `holder` has claimed. Raises nothing for what a receiver does."""
        ends = time.monotonic() + _SHIFT
        try:
            webhook, message = await self._begin(holder, key)
            while message is not None:
                assert webhook is not None
                said = await say(self._poster, webhook, message, self._now)
                webhook, message = await self._settle(holder, key, webhook, message, said, time.monotonic() < ends)
        except LaneLost:
            log.info("a lane is somebody else's now", webhook=str(key[0]), inbox=str(key[1]))

    async def release(self, holder: UUID) -> None:
        """Give back all that `holder` has claimed: somebody else may go on with it at once."""
        async with self._database.transaction() as tx:
            await tx.lanes.release(holder, self._now())
            tx.signal("webhooks")

    async def prune(self) -> int:
        """Forget some old results and messages. How many went."""
        before = self._now() - RETENTION
        async with self._database.transaction() as tx:
            return await tx.results.prune(before, _PRUNED_AT_ONCE) + await tx.lanes.prune(before, _PRUNED_AT_ONCE)

    # One lane

    async def _begin(self, holder: UUID, key: Key) -> tuple[Webhook | None, Message | None]:
        now = self._now()
        async with self._database.transaction() as tx:
            position, _ = await tx.lanes.hold(key, holder, now, now + LEASE)
            webhook = await tx.webhooks.by_id(key[0])
            assert webhook is not None, "its lane has gone with it"
            message = await self._next(tx, key, webhook, position)
        if message is None:
            await self._close(holder, key)
        return webhook, message

    async def _next(self, tx: Transaction, key: Key, webhook: Webhook, position: int) -> Message | None:
        """What is to be said now; what has happened becomes messages when there is nothing else."""
        opened_at: datetime | None = None
        while (message := await tx.lanes.head(key, position)) is None:
            before = position
            lines, position = await tx.lanes.lines(key, position, webhook.event.happening, _AT_ONCE)
            if position == before:
                return None
            opened_at = opened_at or await tx.lanes.opened_at(key)
            fixed: list[Message] = []
            abouts = await _abouts(tx, webhook, [line.email_id for line in lines if line.email_id])
            for line in lines:
                about = abouts.get(line.email_id) if line.email_id else None
                for part, payload in enumerate(of_entry(webhook, line, about)):
                    id_ = message_id(webhook.id, line.inbox_id, line.position, webhook.event, part)
                    fixed.append(
                        Message(
                            id=id_,
                            webhook_id=webhook.id,
                            account_id=webhook.account_id,
                            inbox_id=line.inbox_id,
                            event=webhook.event,
                            body=body(identified(payload, id_), webhook.template),
                            position=line.position,
                            part=part,
                            email_id=_email_of(webhook, line, about),
                            attachment_id=payload.get("attachmentId"),
                            wanted_at=max(line.at, opened_at),
                        )
                    )
            await tx.lanes.advance(key, position, fixed, self._now())
        return message

    async def _settle(
        self, holder: UUID, key: Key, webhook: Webhook, message: Message, said: Said, go_on: bool
    ) -> tuple[Webhook, Message | None]:
        """Write down how it went, and what is to be said next; None when this was all for now."""
        now = self._now()
        heard = said.result.type is ResultType.SUCCESS
        over = not heard and now - message.wanted_at >= self._patience
        result = replace(said.result, type=ResultType.EXHAUSTED) if over else said.result
        following: Message | None = None
        closed = False
        async with self._database.transaction() as tx:
            # Where this seems to be the last, the lane is closed at once; the inbox is taken before it, as always.
            last = heard and await tx.lanes.ends_with(key, message.id) and await tx.inboxes.hold(key[1])
            position, failures = await tx.lanes.hold(key, holder, now, now + LEASE)
            await tx.results.add(result)
            if heard and webhook.failures:
                await tx.webhooks.recovered(webhook.id)
                webhook = replace(webhook, failures=0)
            elif not heard:
                await tx.webhooks.failed(webhook.id)
            if heard or over:
                await tx.lanes.settle(message.id, DELIVERED if heard else EXHAUSTED)
            if heard and go_on:
                following = await self._next(tx, key, webhook, position)
                if following is None and last:
                    await tx.lanes.close(key)
                    closed = True
            elif heard or over:
                await tx.lanes.give_back(key, failures=0, now=now, due_at=now)
            else:
                wish = said.answer.retry_after if said.answer else None
                pause = max(self._backoff.pause(failures + 1), wish or timedelta())
                await tx.lanes.give_back(key, failures=failures + 1, now=now, due_at=now + pause)
            tx.signal(f"webhook:{webhook.id}")
        metrics.webhook_attempts.labels(result.type.value).inc()
        if over:
            log.warning("a webhook could not be told for too long", webhook=str(webhook.id), message=str(message.id))
        if heard and go_on and following is None and not closed:
            await self._close(holder, key)
        return webhook, following

    async def _close(self, holder: UUID, key: Key) -> None:
        """End a lane in which nothing is left. If something has come in meanwhile, it is due at once."""
        now = self._now()
        async with self._database.transaction() as tx:
            if not await tx.inboxes.hold(key[1]):
                return
            position, _ = await tx.lanes.hold(key, holder, now, now + LEASE)
            if await tx.lanes.empty(key, position):
                await tx.lanes.close(key)
            else:
                await tx.lanes.give_back(key, failures=0, now=now, due_at=now)
                tx.signal("webhooks")


async def _abouts(tx: Transaction, webhook: Webhook, ids: Sequence[UUID]) -> dict[UUID, About]:
    """What some lines of the journal are about, as far as it is there and the webhook is told of it."""
    found: dict[UUID, About | None] = {}
    account = webhook.account_id
    match webhook.event:
        case EventName.NEW_EMAIL | EventName.EMAIL_RECEIVED | EventName.NEW_ATTACHMENT:
            emails = await tx.mail.by_ids([EmailId(id_) for id_ in ids])
            attachments = await tx.mail.attachments_of([email.id for email in emails if email.attachment_ids])
            found |= {email.id: Received(email, attachments.get(email.id, ())) for email in emails}
        case EventName.BOUNCE:
            found |= {id_: await tx.reports.bounce(account, BounceId(id_)) for id_ in ids}
        case EventName.BOUNCE_RECIPIENT:
            found |= {id_: await tx.reports.bounced_recipient(account, BouncedId(id_)) for id_ in ids}
        case EventName.DELIVERY_STATUS:
            found |= {id_: await tx.reports.status(account, DeliveryId(id_)) for id_ in ids}
    return {id_: about for id_, about in found.items() if about is not None}


def _email_of(webhook: Webhook, line: Entry, about: About | None) -> UUID | None:
    """The email that a webhook is told of."""
    if webhook.event in (EventName.BOUNCE, EventName.BOUNCE_RECIPIENT, EventName.DELIVERY_STATUS):
        return about.email_id if isinstance(about, Bounce) else None
    return line.email_id
