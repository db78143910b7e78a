"""Looking through mail: inboxes with what is in them, lists of emails, and what stands beside an email in a list.

A list is cut by places, not by pages: it stays where it is while new mail comes in on top, and costs the same at its
end as at its beginning.
"""

from collections.abc import Collection

from posthouse.model.browsing import InboxOrder, InboxSummary, Listed, Listing, ListQuery, Neighbours
from posthouse.model.mail import EmailQuery, InboxQuery
from posthouse.model.values import AccountId, EmailId, InboxId, Page, Slice, Sort
from posthouse.services.required import require_inbox
from posthouse.store.database import Database

MOST = 50
"""Emails in a stretch of a list."""


class Browsing:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def inboxes(
        self, account: AccountId, query: InboxQuery = InboxQuery(), order: InboxOrder = InboxOrder.NEWEST
    ) -> Page[InboxSummary]:
        """A page of inboxes with what is in them."""
        async with self._database.reading() as tx:
            return await tx.browsing.inboxes(account, query, order)

    async def addresses(self, account: AccountId, ids: Collection[InboxId]) -> dict[InboxId, str]:
        """The addresses of those of these inboxes that the account has."""
        async with self._database.reading() as tx:
            return await tx.browsing.addresses(await tx.inboxes.among(account, ids))

    async def unread(self, account: AccountId) -> int:
        """How many emails are unread in all inboxes together."""
        async with self._database.reading() as tx:
            return await tx.mail.count(account, unread_only=True)

    async def listing(
        self, account: AccountId, query: ListQuery = ListQuery(), *, beyond: int | None = None, most: int = MOST
    ) -> Listing:
        """The newest emails that are asked for, or those that are older than the place `beyond`. Raises NotFound when
        the inbox is not there."""
        async with self._database.reading() as tx:
            if query.inbox_id is not None:
                await require_inbox(tx, account, query.inbox_id)
            found = await tx.mail.batch(account, _wanted(query), most=most + 1, beyond=beyond)
            rows = found[:most]
            addresses = await tx.browsing.addresses({email.inbox_id for _, email in rows})
        items = tuple(Listed(number, email, addresses.get(email.inbox_id, "")) for number, email in rows)
        return Listing(items, rows[-1][0] if len(found) > most else None)

    async def neighbours(self, account: AccountId, query: ListQuery, email_id: EmailId) -> Neighbours:
        """What stands before and after this email in the list. It may have left the list meanwhile (by becoming read);
        None on both sides where it is gone altogether."""
        newest_first = _wanted(query)
        async with self._database.reading() as tx:
            found = await tx.mail.those(account, EmailQuery(slice=Slice()), [email_id])
            if not found:
                return Neighbours(None, None)
            place = found[0][0]
            older = await tx.mail.batch(account, newest_first, most=1, beyond=place)
            newer = await tx.mail.batch(account, _wanted(query, Sort.ASC), most=1, beyond=place)
        return Neighbours(newer[0][1].id if newer else None, older[0][1].id if older else None)


def _wanted(query: ListQuery, sort: Sort = Sort.DESC) -> EmailQuery:
    return EmailQuery(
        slice=Slice(sort=sort),
        inbox_ids=(query.inbox_id,) if query.inbox_id else (),
        unread_only=query.unread_only,
        favourites_only=query.favourites_only,
        search=query.search,
    )
