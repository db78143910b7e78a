"""Reading mail: inboxes, a list and an email beside each other; one after the other where there is less room.

An address says all that is shown: which list, how far down in it, which email is open, and how. So every view is a
link, and what htmx asks for is a part of the page that the same link leads to.
"""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Header, Query, Response

from posthouse.dashboard.live import BEAT, event, stream
from posthouse.dashboard.render import BASE
from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.browsing import Listing, ListQuery
from posthouse.model.errors import NotFound
from posthouse.model.mail import Email, Inbox, InboxQuery
from posthouse.model.threads import Letter
from posthouse.model.values import EmailId, InboxId, Slice
from posthouse.services.showing import ShownEmail

router = pages()

HOMES = 50
"""Inboxes beside the list; all of them have a page of their own."""
_LETTERS = 50


class Show(StrEnum):
    """Which emails of the list."""

    ALL = "all"
    UNREAD = "unread"
    STARRED = "starred"


class View(StrEnum):
    """How an email is looked at."""

    HTML = "html"
    TEXT = "text"
    HEADERS = "headers"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address says about the list."""

    search: Annotated[str, Query(max_length=500)] = ""
    show: Show = Show.ALL
    beyond: Annotated[int | None, Query(ge=1, le=1 << 62)] = None


@dataclass(frozen=True, slots=True)
class AskedEmail:
    """What an address says about the email that is open."""

    email: EmailId | None = None
    view: View | None = None
    images: bool = False


List = Annotated[Asked, Depends()]
Open = Annotated[AskedEmail, Depends()]
Target = Annotated[str, Header(alias="hx-target")]
Seen = Annotated[str, Query(max_length=100)]
LastEvent = Annotated[str, Header(alias="last-event-id", max_length=100)]


@dataclass(frozen=True, slots=True)
class Where:
    """The list that is looked through: an inbox, or all of them."""

    inbox: Inbox | None
    asked: Asked

    @property
    def path(self) -> str:
        return f"/inboxes/{self.inbox.id}" if self.inbox else "/mail"

    @property
    def title(self) -> str:
        return (self.inbox.name or self.inbox.email_address) if self.inbox else "All mail"

    def to(self, **changes: Any) -> str:
        """A path under /ui: this list, with other values for what is named."""
        asked = self.asked
        said: dict[str, Any] = {"search": asked.search, "show": asked.show, "beyond": asked.beyond} | changes
        if said["show"] == Show.ALL:
            del said["show"]
        query = urlencode({name: value for name, value in said.items() if value})
        return f"{self.path}?{query}" if query else self.path

    def act(self, email: Email, verb: str) -> str:
        """Where something is done with an email of this list; after that, the list is gone back to."""
        query = self.to(inbox=self.inbox.id if self.inbox else "").partition("?")[2]
        return f"{BASE}/mail/{email.id}/{verb}?{query}"

    def live(self, seen: str) -> str:
        """Where the list is told again when it has changed."""
        query = urlencode({"search": self.asked.search, "show": self.asked.show, "seen": seen})
        return f"{BASE}{self.path}/live?{query}"

    def query(self) -> ListQuery:
        return ListQuery(
            inbox_id=self.inbox.id if self.inbox else None,
            unread_only=self.asked.show is Show.UNREAD,
            favourites_only=self.asked.show is Show.STARRED,
            search=self.asked.search,
        )


# Lists, with an email beside them


@router.get("/mail")
async def all_mail(visit: Visit, asked: List, opened: Open, target: Target = "") -> Response:
    return await _read(visit, Where(None, asked), opened, target)


@router.get("/mail/live")
async def all_mail_live(visit: Visit, asked: List, seen: Seen = "", last_event: LastEvent = "") -> Response:
    return stream(visit, _told(visit, Where(None, asked), last_event or seen))


@router.get("/inboxes/{inbox_id}")
async def one_inbox(visit: Visit, inbox_id: InboxId, asked: List, opened: Open, target: Target = "") -> Response:
    return await _read(visit, Where(await _inbox(visit, inbox_id), asked), opened, target)


@router.get("/inboxes/{inbox_id}/live")
async def one_inbox_live(
    visit: Visit, inbox_id: InboxId, asked: List, seen: Seen = "", last_event: LastEvent = ""
) -> Response:
    return stream(visit, _told(visit, Where(await _inbox(visit, inbox_id), asked), last_event or seen))


async def _where(visit: Visit, asked: List, inbox: InboxId | None = None) -> Where:
    return Where(None if inbox is None else await _inbox(visit, inbox), asked)


There = Annotated[Where, Depends(_where)]
"""The list that something is done in, by `Where.act`."""


async def _inbox(visit: Visitor, inbox_id: InboxId) -> Inbox:
    return await visit.services.inboxes.get(visit.account.id, inbox_id)


async def _read(visit: Visitor, where: Where, opened: AskedEmail, target: str) -> Response:
    """The whole page, or the part of it that is asked for."""
    pane: dict[str, Any] = {"seen": None}
    if opened.email is not None:
        pane = await pane_of(visit, where, opened.email, opened.view, images=opened.images)
    if visit.htmx and target.endswith("#email"):
        return visit.page("mail/_email.html", where=where, **pane)
    browsing, account = visit.services.browsing, visit.account.id
    listing = await browsing.listing(account, where.query(), beyond=where.asked.beyond)
    newest = listing.items[0].place if listing.items else 0
    values: dict[str, Any] = {
        "where": where,
        "listing": listing,
        "newest": newest,
        "seen_so_far": _version(listing),
        "open": opened.email,
    }
    if visit.htmx:
        return visit.page("mail/_list.html", **values)
    return visit.page(
        "mail/reading.html",
        here="inboxes" if where.inbox else "mail",
        homes=await browsing.inboxes(account, InboxQuery(slice=Slice(size=HOMES))),
        unread=await browsing.unread(account),
        **values,
        **pane,
    )


# What changes by itself


async def _told(visit: Visitor, where: Where, seen: str) -> AsyncGenerator[str, None]:
    """The head of the list whenever it is another than what was `seen`. It is always told whole, so that nothing is
    missed whatever happened while nobody listened; the browser puts in what is different."""
    services, account = visit.services, visit.account.id
    newest = int(number) if (number := seen.partition(".")[0]).isdecimal() else 0
    topic = f"inbox:{where.inbox.id}" if where.inbox else "inbox"
    async for _ in services.lookout.changes(topic):
        listing = await services.browsing.listing(account, where.query())
        if (version := _version(listing)) == seen:
            yield BEAT
        else:
            html = visit.render("mail/_news.html", where=where, listing=listing, newest=newest, open=None)
            yield event(html, id_=version)
            seen, newest = version, max(newest, listing.items[0].place if listing.items else 0)


def _version(listing: Listing) -> str:
    """Tells one state of a list's head from another, and what was the newest in it."""
    shown = [(one.place, one.email.read, one.email.favourite) for one in listing.items]
    newest = shown[0][0] if shown else 0
    return f"{newest}.{hashlib.sha256(repr((shown, listing.older)).encode()).hexdigest()[:16]}"


# One email


async def pane_of(
    visit: Visitor, where: Where, email_id: EmailId, view: View | None, *, images: bool = False, mark_read: bool = True
) -> dict[str, Any]:
    """What is shown of an email. Who looks at it has read it."""
    services, account = visit.services, visit.account.id
    if where.inbox is not None and (await services.mail.get(account, email_id)).inbox_id != where.inbox.id:
        raise NotFound(f"there is no email {email_id} in this inbox")
    seen = await services.showing.email(account, email_id, mark_read=mark_read)
    view = _fitting(view, seen)
    source = await services.showing.source(account, email_id) if view is View.SOURCE else None
    return {
        "seen": seen,
        "home": where.inbox or await services.inboxes.get(account, seen.email.inbox_id),
        "view": view,
        "source": source,
        "images": images,
        "neighbours": await services.browsing.neighbours(account, where.query(), email_id),
        "letters": await _conversation(visit, seen.email),
    }


def _fitting(view: View | None, seen: ShownEmail) -> View:
    """The view that was asked for, or the best that there is."""
    if seen.email.problem is not None:
        return View.SOURCE
    if view is None or (view is View.HTML and not seen.shown.has_html):
        return View.HTML if seen.shown.has_html else View.TEXT
    return view


async def _conversation(visit: Visitor, email: Email) -> list[Letter]:
    """The other emails of the email's thread."""
    if email.thread_id is None:
        return []
    letters = await visit.services.threads.letters(visit.account.id, email.thread_id)
    return [letter for letter in letters if letter.id != email.id][-_LETTERS:]


@router.get("/mail/{email_id}")
async def one_email(visit: Visit, email_id: EmailId) -> Response:
    """An email's own address leads to where it is: its inbox."""
    email = await visit.services.mail.get(visit.account.id, email_id)
    return visit.to(f"/inboxes/{email.inbox_id}?email={email.id}")
