"""Rows of webhooks. Their secrets, passwords and headers are sealed."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from posthouse.model.values import AccountId, Page, Secret, Slice, Sort
from posthouse.model.webhooks import FAILURES_TO_BE_UNHEALTHY, EventName, Health, Webhook, WebhookId, WebhookQuery
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, bounded, read_page
from posthouse.store.sealing import Seal
from posthouse.store.tables import webhooks


class Webhooks:
    def __init__(self, connection: Connection, seal: Seal) -> None:
        self._connection = connection
        self._seal = seal

    async def add(self, webhook: Webhook) -> None:
        await self._connection.execute(sa.insert(webhooks).values(id=webhook.id, **self._values(webhook)))

    async def change(self, webhook: Webhook) -> None:
        """Put all that a user can set in place; how it stands is left alone."""
        values = self._values(webhook)
        del values["failures"], values["created_at"], values["account_id"]
        await self._connection.execute(sa.update(webhooks).where(webhooks.c.id == webhook.id).values(values))

    async def get(self, account: AccountId, webhook: WebhookId) -> Webhook | None:
        query = sa.select(webhooks).where(webhooks.c.account_id == account, webhooks.c.id == webhook)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else self._webhook(row)

    async def by_id(self, webhook: WebhookId) -> Webhook | None:
        """Whoever it belongs to: for the engine, never for a caller with a key."""
        row = (await self._connection.execute(sa.select(webhooks).where(webhooks.c.id == webhook))).mappings().first()
        return None if row is None else self._webhook(row)

    async def page(self, account: AccountId, query: WebhookQuery) -> Page[Webhook]:
        chosen = _chosen(sa.select(webhooks), account, query)
        return await read_page(self._connection, chosen, query.slice, self._webhook)

    async def endpoints(self, account: AccountId, query: WebhookQuery) -> Page[tuple[str, Health]]:
        """The URLs of the webhooks that are asked for, each once, in the order in which they came up. One is unhealthy
        when any of its webhooks is."""
        asked = query.slice
        chosen = bounded(_chosen(sa.select(webhooks), account, query), webhooks.c.created_at, asked).subquery()
        first = sa.func.min(chosen.c.number)
        urls = sa.select(chosen.c.url, sa.func.max(chosen.c.failures).label("failures")).group_by(chosen.c.url)
        total = await self._connection.scalar(sa.select(sa.func.count()).select_from(urls.subquery()))
        ordered = urls.order_by(first.desc() if asked.sort is Sort.DESC else first)
        rows = await self._connection.execute(ordered.offset(asked.offset).limit(asked.size))
        return Page(tuple((row.url, _health(row.failures)) for row in rows), total or 0, asked)

    async def remove(self, account: AccountId, webhook: WebhookId | None = None, slice_: Slice = Slice()) -> int:
        """Take a webhook away, or all of an account's within the slice's bounds, with all that was to be told and how
        it went. How many went."""
        chosen = bounded(
            sa.select(webhooks.c.number).where(webhooks.c.account_id == account), webhooks.c.created_at, slice_
        )
        if webhook is not None:
            chosen = chosen.where(webhooks.c.id == webhook)
        gone = await self._connection.execute(sa.delete(webhooks).where(webhooks.c.number.in_(chosen)))
        return gone.rowcount

    async def failed(self, webhook: WebhookId) -> None:
        """A try failed: one more in a row."""
        await self._connection.execute(
            sa.update(webhooks).where(webhooks.c.id == webhook).values(failures=webhooks.c.failures + 1)
        )

    async def recovered(self, webhook: WebhookId) -> None:
        await self._connection.execute(
            sa.update(webhooks).where(webhooks.c.id == webhook, webhooks.c.failures > 0).values(failures=0)
        )

    def _values(self, webhook: Webhook) -> dict[str, Any]:
        happening = webhook.event.happening
        return {
            "account_id": webhook.account_id,
            "inbox_id": webhook.inbox_id,
            "name": webhook.name,
            "url": webhook.url,
            "host": webhook.host,
            "event": webhook.event.value,
            "happening": None if happening is None else happening.value,
            "secret": self._seal.seal(webhook.secret, f"webhook secret:{webhook.id}"),
            "username": webhook.username,
            "password": webhook.password and self._seal.seal(webhook.password, f"webhook password:{webhook.id}"),
            "headers": self._sealed(webhook.headers, webhook.id),
            "template": webhook.template,
            "takes_any_certificate": webhook.takes_any_certificate,
            "static_addresses": webhook.static_addresses,
            "ai_transform_id": webhook.ai_transform_id,
            "tags": list(webhook.tags),
            "failures": webhook.failures,
            "created_at": webhook.created_at,
            "updated_at": webhook.updated_at,
        }

    def _sealed(self, headers: Mapping[str, Secret], webhook: WebhookId) -> bytes | None:
        if not headers:
            return None
        text = json.dumps({name: value.reveal() for name, value in headers.items()})
        return self._seal.seal(Secret(text), f"webhook headers:{webhook}")

    def _opened(self, sealed: bytes | None, webhook: WebhookId) -> dict[str, Secret]:
        if sealed is None:
            return {}
        text = self._seal.open(sealed, f"webhook headers:{webhook}").reveal()
        return {name: Secret(value) for name, value in json.loads(text).items()}

    def _webhook(self, row: Row) -> Webhook:
        id_ = row["id"]
        password = row["password"]
        return Webhook(
            id=id_,
            account_id=row["account_id"],
            inbox_id=row["inbox_id"],
            name=row["name"],
            url=row["url"],
            event=EventName(row["event"]),
            secret=self._seal.open(row["secret"], f"webhook secret:{id_}"),
            username=row["username"],
            password=None if password is None else self._seal.open(password, f"webhook password:{id_}"),
            headers=self._opened(row["headers"], id_),
            template=row["template"],
            takes_any_certificate=row["takes_any_certificate"],
            static_addresses=row["static_addresses"],
            ai_transform_id=row["ai_transform_id"],
            tags=tuple(row["tags"]),
            failures=row["failures"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )


def _chosen(query: sa.Select[Any], account: AccountId, wish: WebhookQuery) -> sa.Select[Any]:
    query = query.where(webhooks.c.account_id == account)
    if wish.inbox_id is not None:
        here = webhooks.c.inbox_id == wish.inbox_id
        query = query.where(sa.or_(here, webhooks.c.inbox_id.is_(None)) if wish.account_wide else here)
    elif wish.account_wide is not None:
        query = query.where(webhooks.c.inbox_id.is_(None) if wish.account_wide else webhooks.c.inbox_id.is_not(None))
    if wish.event is not None:
        query = query.where(webhooks.c.event == wish.event.value)
    if wish.health is not None:
        unhealthy = webhooks.c.failures >= FAILURES_TO_BE_UNHEALTHY
        query = query.where(unhealthy if wish.health is Health.UNHEALTHY else ~unhealthy)
    if wish.url:
        query = query.where(webhooks.c.url == wish.url)
    if wish.search:
        texts = (webhooks.c.name, webhooks.c.url)
        query = query.where(sa.or_(*(column.icontains(wish.search, autoescape=True) for column in texts)))
    return query


def _health(failures: int) -> Health:
    return Health.UNHEALTHY if failures >= FAILURES_TO_BE_UNHEALTHY else Health.HEALTHY
