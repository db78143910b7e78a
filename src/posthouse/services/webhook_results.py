"""How it went to tell webhooks something: shown, waited for, and told again."""

from datetime import timedelta
from uuid import UUID, uuid4

from posthouse.model.errors import NoMatchInTime, NotFound
from posthouse.model.values import AccountId, Clock, InboxId, Page
from posthouse.model.webhooks import Backlog, Message, MessageId, Result, ResultId, ResultQuery, WebhookId
from posthouse.services.lookout import Lookout
from posthouse.services.required import require_webhook
from posthouse.store.database import Database, Transaction

MOST_WAITED_FOR = 100
_AT_ONCE = 500


class WebhookResults:
    def __init__(self, database: Database, lookout: Lookout, now: Clock) -> None:
        self._database = database
        self._lookout = lookout
        self._now = now

    # Showing

    async def page(self, account: AccountId, query: ResultQuery) -> Page[Result]:
        """Raises NotFound when a webhook is asked for that is not there."""
        async with self._database.reading() as tx:
            if query.webhook_id is not None:
                await require_webhook(tx, account, query.webhook_id)
            return await tx.results.page(account, query)

    async def get(self, account: AccountId, result_id: ResultId) -> Result:
        """A result, which counts as seen from now on."""
        async with self._database.reading() as tx:
            result = await _require(tx, account, result_id)
        if not result.seen:
            async with self._database.transaction() as tx:
                await tx.results.mark_seen(result_id, self._now())
        return result

    async def told(self, account: AccountId, result_id: ResultId) -> Message | None:
        """What was said; None when it is not kept any more."""
        async with self._database.reading() as tx:
            return await tx.lanes.message(account, (await _require(tx, account, result_id)).message_id)

    async def backlog(self, account: AccountId) -> dict[WebhookId, Backlog]:
        """What webhooks have still to be told, or were not; those with nothing of the kind are not in it."""
        async with self._database.reading() as tx:
            return await tx.lanes.backlog(account)

    async def count(self, account: AccountId, webhook_id: WebhookId) -> int:
        async with self._database.reading() as tx:
            await require_webhook(tx, account, webhook_id)
            return await tx.results.count(account, webhook_id)

    async def unseen_failures(self, account: AccountId) -> int:
        async with self._database.reading() as tx:
            return await tx.results.unseen_failures(account)

    # Waiting

    async def wait(self, account: AccountId, webhook_id: WebhookId, count: int, timeout: timedelta) -> list[Result]:
        """The results of a webhook, oldest first, once there are so many. Raises NoMatchInTime, NotFound and
        Unavailable."""
        with self._lookout.on(f"webhook:{webhook_id}", timeout=timeout) as news:
            while True:
                async with self._database.reading() as tx:
                    await require_webhook(tx, account, webhook_id)
                    found = await tx.results.first(account, webhook_id, MOST_WAITED_FOR)
                if len(found) >= count:
                    return found
                if not await news.more():
                    raise NoMatchInTime(f"the webhook has {len(found)} results, and {count} were waited for")

    # Telling again

    async def redrive(self, account: AccountId, result_id: ResultId) -> str | None:
        """Have the message of this result told again, whatever became of it. Why not, where it can't be."""
        redrive = uuid4()
        async with self._database.transaction() as tx:
            result = await _require(tx, account, result_id)
            message = await tx.lanes.message(account, result.message_id)
            if message is None:
                return "what was said is not kept any more"
            if message.position == 0 or message.inbox_id is None:
                return "this was a test: POST /webhooks/{webhookId}/test makes another"
            await self._say_again(tx, {message.inbox_id: [message]}, redrive)
        return None

    async def redrive_all(self, account: AccountId, webhook_id: WebhookId | None = None) -> int:
        """Have all that was given up told again, and all that waits for another try tried at once: everybody's, or one
        webhook's. How many messages had been given up."""
        count, redrive = 0, uuid4()
        async with self._database.transaction() as tx:
            if webhook_id is not None:
                await require_webhook(tx, account, webhook_id)
            for webhook, inbox in sorted(await tx.lanes.open_lanes(account), key=lambda key: key[1]):
                if webhook_id in (None, webhook) and await tx.inboxes.hold(inbox):
                    await tx.lanes.reopen((webhook, inbox), self._now())
            tx.signal("webhooks")
        while True:
            async with self._database.transaction() as tx:
                given_up = await tx.lanes.given_up(account, _AT_ONCE, webhook_id)
                by_inbox: dict[InboxId, list[Message]] = {}
                for message in given_up:
                    assert message.inbox_id is not None, "a test is never given up"
                    by_inbox.setdefault(message.inbox_id, []).append(message)
                await self._say_again(tx, by_inbox, redrive)
            count += len(given_up)
            if len(given_up) < _AT_ONCE:
                return count

    async def _say_again(self, tx: Transaction, by_inbox: dict[InboxId, list[Message]], redrive: UUID) -> None:
        now = self._now()
        for inbox, messages in sorted(by_inbox.items()):  # in one order everywhere
            if not await tx.inboxes.hold(inbox):
                continue
            ids: list[MessageId] = [message.id for message in messages]
            await tx.lanes.say_again(ids, now)
            await tx.results.mark_redriven(ids, redrive, now)
            for webhook in sorted({message.webhook_id for message in messages}):
                await tx.lanes.reopen((webhook, inbox), now)
        tx.signal("webhooks")


async def _require(tx: Transaction, account: AccountId, result_id: ResultId) -> Result:
    result = await tx.results.get(account, result_id)
    if result is None:
        raise NotFound(f"there is no webhook result {result_id}")
    return result
