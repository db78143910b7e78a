"""A dashboard with something on every page: three connectors that stand differently, mail, a send, webhooks, keys."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from posthouse.model.mail import EmailQuery, Outgoing
from posthouse.model.standing import State
from posthouse.model.values import Slice, Sort, utc_now
from posthouse.services.webhooks import NewWebhook
from posthouse.simulator import User
from posthouse.simulator.demo_mail import demo_messages

from .linked import a_user, link
from .visiting import House, Visitor

_PATIENCE = 20.0
_IN_RARE_LETTERS = (3, 4)
"""Of the demo's mail: it needs fonts that not every machine has, and the pages are photographed."""


@dataclass(frozen=True)
class Furnished:
    """Paths under /ui of what there is, by the name of the page."""

    pages: dict[str, str]


async def furnish(house: House, visitor: Visitor) -> Furnished:
    """Make all of it for this visitor, by the services, and wait until it is there."""
    account = visitor.account.id
    desk = a_user(house, "orders@lantern.example")
    _deliver_mail(house, desk)
    orders = await link(house, visitor, desk, name="Orders", live=True)
    locked = a_user(house, "support@lantern.example")
    support = await link(house, visitor, locked, name="Support", live=True, password="not this one")
    await link(house, visitor, a_user(house, "old@lantern.example"), name="Old shop", live=True, enabled=False)
    webhook = await house.services.webhooks.create(
        account, NewWebhook(url="http://127.0.0.1:9/orders", name="Order desk"), orders.inbox_id
    )
    await house.services.webhooks.test(account, webhook.id)
    sent = await house.services.sending.send_from_connector(
        account,
        orders.id,
        Outgoing(to=("orders@lantern.example",), subject="Your order 2041", body="It is on its way.\n\nMira"),
    )
    await house.services.accounts.create_key("nightly tests", account=visitor.account.name)

    async def has_all() -> bool:
        return await house.services.mail.count(account, orders.inbox_id) == 7

    async def is_broken() -> bool:
        return (await house.services.watching.report(account, support.id)).state is State.BROKEN

    await _until(has_all)
    await _until(is_broken)
    newest = Slice(size=20, sort=Sort.DESC)
    found = await house.services.mail.page(account, EmailQuery(slice=newest, inbox_ids=(orders.inbox_id,)))
    welcome = next(email for email in found.items if email.subject.startswith("Welcome"))
    return Furnished(
        {
            "connectors": "/connectors",
            "connector": f"/connectors/{orders.id}",
            "new-connector": "/connectors/new",
            "inboxes": "/inboxes",
            "inbox": f"/inboxes/{orders.inbox_id}",
            "email": f"/mail/{welcome.id}",
            "mail": "/mail",
            "write": "/write",
            "sent": "/sent",
            "sent-email": f"/sent/{sent.id}",
            "webhooks": "/webhooks",
            "webhook": f"/webhooks/{webhook.id}",
            "keys": "/keys",
            "settings": "/settings",
            "about": "/about",
        }
    )


def _deliver_mail(house: House, user: User) -> None:
    for number, message in enumerate(demo_messages(user.address, utc_now())):
        if number not in _IN_RARE_LETTERS:
            house.provider.deliver(user.address, message)


async def _until(so: Callable[[], Any]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not await so():
            await asyncio.sleep(0.05)
