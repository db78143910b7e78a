"""The form of a webhook: what was typed, what it means, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from posthouse.dashboard.typed import texts
from posthouse.model.errors import Invalid
from posthouse.model.values import Secret
from posthouse.model.webhooks import EventName, Webhook

EVENTS: Mapping[EventName, str] = {
    EventName.NEW_EMAIL: "a new email, with what lists show of it",
    EventName.EMAIL_RECEIVED: "a new email, by its ids alone",
    EventName.NEW_ATTACHMENT: "each attachment of a new email",
    EventName.EMAIL_READ: "an email that was marked as read",
    EventName.DELIVERY_STATUS: "what a server said of an email that was sent",
    EventName.BOUNCE: "an email that did not reach somebody",
    EventName.BOUNCE_RECIPIENT: "each recipient whom an email did not reach",
}
"""What can be listened to and comes to pass here, in words."""
KEPT = "(kept)"
"""Stands for the value of a header that is not shown."""
_BY_API_NAME = {
    "url": "url",
    "basicAuth": "username",
    "includeHeaders": "headers",
    "requestBodyTemplate": "template",
    "eventName": "event",
}
"""Fields by what the API calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The form as it was filled in. Headers are lines, `Name: value`; of a webhook that is there, an empty password
    is the one that it has."""

    url: str = ""
    name: str = ""
    event: str = EventName.NEW_EMAIL.value
    inbox: str = ""
    username: str = ""
    headers: str = ""
    template: str = ""
    any_certificate: str = ""

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> Self:
        """What a browser has sent."""
        return cls(**texts(form, (one.name for one in fields(cls))))

    @classmethod
    def to_change(cls, webhook: Webhook) -> Self:
        """The form as it begins for a webhook that is there."""
        return cls(
            url=webhook.url,
            name=webhook.name or "",
            event=webhook.event.value,
            username=webhook.username or "",
            headers="\n".join(f"{name}: {KEPT}" for name in webhook.headers),
            template=webhook.template or "",
            any_certificate="on" if webhook.takes_any_certificate else "",
        )


def read(wish: Wish, password: str, webhook: Webhook | None = None) -> dict[str, Any]:
    """The fields that `webhook`, or a new one, is to have. Raises Invalid."""
    kept = webhook.password if webhook is not None and webhook.username == wish.username.strip() else None
    if wish.event not in EVENTS and (webhook is None or wish.event != webhook.event.value):
        raise Invalid("eventName: choose one of these events")
    return {
        "url": wish.url,
        "name": wish.name.strip() or None,
        "event": EventName(wish.event),
        "username": wish.username.strip() or None,
        "password": (Secret(password) if password else kept) if wish.username.strip() else None,
        "headers": _headers(wish.headers, webhook.headers if webhook else {}),
        "template": wish.template.replace("\r\n", "\n") if wish.template.strip() else None,
        "takes_any_certificate": bool(wish.any_certificate),
    }


def _headers(lines: str, present: Mapping[str, Secret]) -> dict[str, Secret]:
    known = {name.lower(): value for name, value in present.items()}
    found: dict[str, Secret] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise Invalid(f"includeHeaders: {name[:80]!r} has no colon: write Name: value")
        if name.lower() in {one.lower() for one in found}:
            raise Invalid(f"includeHeaders: {name} is there twice")
        if value == KEPT and name.lower() not in known:
            raise Invalid(f"includeHeaders: {name} has no value yet")
        found[name] = known[name.lower()] if value == KEPT else Secret(value)
    return found


def beside(error: Invalid) -> dict[str, str]:
    """What is wrong, by its field: services begin with its name in the API."""
    name, colon, words = error.message.partition(": ")
    field = _BY_API_NAME.get(name) if colon else None
    return {field: words} if field else {"": error.message}
