"""Webhooks: made, changed, shown, tried out and set back.

A new webhook hears of what happens from now on; `rewind` sets one back (or forth) to any place in an inbox's journal.
What it has to be told is in `telling`.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from posthouse.model.errors import Invalid, NotFound
from posthouse.model.mail import Mark
from posthouse.model.values import AccountId, Clock, InboxId, Page, Secret, Slice, new_id
from posthouse.model.webhooks import (
    EventName,
    Health,
    Message,
    MessageId,
    Poster,
    Webhook,
    WebhookId,
    WebhookQuery,
    check_headers,
    checked_url,
    new_signing_secret,
    signature,
)
from posthouse.services.payloads import body, check_template, example
from posthouse.services.required import require_inbox, require_webhook
from posthouse.services.saying import Said, say
from posthouse.store.database import Database

MOST_WEBHOOKS = 1000
"""Of one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """What a new webhook should be."""

    url: str
    event: EventName = EventName.EMAIL_RECEIVED
    name: str | None = None
    username: str | None = None
    password: Secret | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict)
    template: str | None = None
    takes_any_certificate: bool = False
    static_addresses: bool | None = None
    ai_transform_id: UUID | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rewound:
    """Where a webhook goes on from in an inbox's journal, and how many lines of it lie ahead."""

    webhook_id: WebhookId
    inbox_id: InboxId
    position: int
    ahead: int


class Webhooks:
    def __init__(self, database: Database, poster: Poster, now: Clock) -> None:
        self._database = database
        self._poster = poster
        self._now = now

    # Making and changing

    async def create(self, account: AccountId, wish: NewWebhook, inbox: InboxId | None = None) -> Webhook:
        """A webhook that hears of what happens from now on: in this inbox, or in all of the account's. Raises NotFound
        and Invalid."""
        now = self._now()
        webhook = Webhook(
            id=WebhookId(new_id(now)),
            account_id=account,
            inbox_id=inbox,
            name=wish.name,
            url=checked_url(wish.url),
            event=wish.event,
            secret=new_signing_secret(),
            username=wish.username,
            password=wish.password,
            headers=wish.headers,
            template=wish.template,
            takes_any_certificate=wish.takes_any_certificate,
            static_addresses=wish.static_addresses,
            ai_transform_id=wish.ai_transform_id,
            tags=wish.tags,
            failures=0,
            created_at=now,
            updated_at=now,
        )
        _check(webhook)
        async with self._database.transaction() as tx:
            if inbox is not None:
                await require_inbox(tx, account, inbox)
            existing = await tx.webhooks.page(account, WebhookQuery(slice=Slice(size=1)))
            if existing.total >= MOST_WEBHOOKS:
                raise Invalid(f"an account may have {MOST_WEBHOOKS} webhooks: delete some")
            await tx.lanes.spread(now, account=account)  # what was before is not for this one
            await tx.webhooks.add(webhook)
        return webhook

    async def change(
        self, account: AccountId, webhook_id: WebhookId, inbox: InboxId | None = None, **changes: Any
    ) -> Webhook:
        """Change fields of a webhook, named as in NewWebhook; with `inbox`, it belongs to that one from now on. What it
        has still to be told of before goes out as well. Raises NotFound and Invalid."""
        if "url" in changes:
            changes["url"] = checked_url(changes["url"])
        now = self._now()
        async with self._database.transaction() as tx:
            webhook = await require_webhook(tx, account, webhook_id)
            if inbox is not None:
                await require_inbox(tx, account, inbox)
                changes["inbox_id"] = inbox
            await tx.lanes.spread(now, account=account)
            webhook = replace(webhook, **changes, updated_at=now)
            _check(webhook)
            await tx.webhooks.change(webhook)
            tx.signal("webhooks")
        return webhook

    async def new_secret(self, account: AccountId, webhook_id: WebhookId) -> Secret:
        """Sign with another secret from now on."""
        return (await self.change(account, webhook_id, secret=new_signing_secret())).secret

    async def delete(self, account: AccountId, webhook_id: WebhookId, inbox: InboxId | None = None) -> None:
        """Raises NotFound, too when it is not of this inbox."""
        async with self._database.transaction() as tx:
            webhook = await require_webhook(tx, account, webhook_id)
            if inbox is not None and webhook.inbox_id != inbox:
                raise NotFound(f"there is no webhook {webhook_id} in inbox {inbox}")
            await tx.webhooks.remove(account, webhook_id)

    async def delete_all(self, account: AccountId, slice_: Slice = Slice()) -> None:
        async with self._database.transaction() as tx:
            await tx.webhooks.remove(account, slice_=slice_)

    # Showing

    async def get(self, account: AccountId, webhook_id: WebhookId) -> Webhook:
        async with self._database.reading() as tx:
            return await require_webhook(tx, account, webhook_id)

    async def page(self, account: AccountId, query: WebhookQuery) -> Page[Webhook]:
        async with self._database.reading() as tx:
            return await tx.webhooks.page(account, query)

    async def page_of_inbox(self, account: AccountId, inbox: InboxId, query: WebhookQuery) -> Page[Webhook]:
        """Raises NotFound when there is no such inbox."""
        async with self._database.reading() as tx:
            await require_inbox(tx, account, inbox)
            return await tx.webhooks.page(account, replace(query, inbox_id=inbox))

    async def endpoints(self, account: AccountId, query: WebhookQuery) -> Page[tuple[str, Health]]:
        async with self._database.reading() as tx:
            return await tx.webhooks.endpoints(account, query)

    # Trying out

    async def test(self, account: AccountId, webhook_id: WebhookId) -> Said:
        """Tell a webhook an example of its event, here and now. It leaves a result like any other."""
        webhook = await self.get(account, webhook_id)
        now = self._now()
        message_id = MessageId(uuid4())
        payload = example(webhook.event, message_id, webhook.id, webhook.name, webhook.inbox_id)
        message = Message(
            id=message_id,
            webhook_id=webhook.id,
            account_id=account,
            inbox_id=webhook.inbox_id,
            event=webhook.event,
            body=body(payload, webhook.template),
            wanted_at=now,
        )
        async with self._database.transaction() as tx:
            await tx.lanes.add_test(message, now)
        said = await say(self._poster, webhook, message, self._now)
        async with self._database.transaction() as tx:
            if await tx.webhooks.by_id(webhook.id) is not None:
                await tx.results.add(said.result)
                tx.signal(f"webhook:{webhook.id}")
        return said

    async def verify(self, account: AccountId, message_id: MessageId, given: str) -> bool:
        """Whether this is the signature under which a message went out to one of the account's webhooks."""
        async with self._database.reading() as tx:
            message = await tx.lanes.message(account, message_id)
            webhook = None if message is None else await tx.webhooks.get(account, message.webhook_id)
        if message is None or webhook is None:
            return False
        expected = signature(webhook.secret, message.id, message.body)
        return hmac.compare_digest(expected.encode(), given.strip().lower().encode("utf-8", "replace"))

    # Setting back

    async def rewind(
        self,
        account: AccountId,
        webhook_id: WebhookId,
        inbox: InboxId | None = None,
        *,
        mark: Mark | None = None,
        position: int | None = None,
        since: datetime | None = None,
    ) -> Rewound:
        """Tell a webhook again of what came after a place in an inbox's journal: one of `mark`, `position` and `since`
        says which. It is told in the same order, under the same ids. Raises NotFound and Invalid."""
        now = self._now()
        async with self._database.transaction() as tx:
            webhook = await require_webhook(tx, account, webhook_id)
            inbox = inbox or (mark.inbox_id if mark else None) or webhook.inbox_id
            if inbox is None:
                raise Invalid("inboxId is missing: this webhook hears of all inboxes")
            await require_inbox(tx, account, inbox)
            if webhook.inbox_id not in (None, inbox):
                raise Invalid("inboxId: this webhook hears of another inbox")
            if mark is not None and mark.inbox_id != inbox:
                raise Invalid("mark: this mark is of another inbox")
            await tx.lanes.spread(now, account=account)
            if not await tx.inboxes.hold(inbox):
                raise NotFound(f"there is no inbox {inbox}")
            last = await tx.journal.position(inbox)
            if since is not None:
                position = await tx.journal.position_at(inbox, since)
            elif mark is not None:
                position = mark.position
            assert position is not None, "a place is named in one way or another"
            if position > last:
                raise Invalid(f"there is no such place: the journal of this inbox ends at {last}")
            await tx.lanes.set_back((webhook.id, inbox), position, now)
            tx.signal("webhooks")
        return Rewound(webhook.id, inbox, position, last - position)


def _check(webhook: Webhook) -> None:
    check_headers(webhook.headers)
    if webhook.username is not None and ":" in webhook.username:
        raise Invalid("basicAuth: the user name may hold no colon (RFC 7617)")
    if webhook.template is not None:
        check_template(webhook.template)
