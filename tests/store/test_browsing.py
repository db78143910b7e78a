"""Lists for people, on both databases: inboxes with their counts, emails by places, and what stands beside one."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from house import Tenant, TurnedClock, add_tenant, an_inbox
from posthouse.model.browsing import InboxOrder, ListQuery, Neighbours
from posthouse.model.errors import NotFound
from posthouse.model.mail import Email, EmailQuery, Inbox, InboxQuery
from posthouse.model.values import InboxId, Slice
from posthouse.services.browsing import Browsing
from posthouse.services.intake import Incoming, Intake
from posthouse.services.mail import Mail
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database


@dataclass
class Shelf:
    """An account with an inbox, and somebody else's."""

    database: Database
    browsing: Browsing
    mail: Mail
    intake: Intake
    tenant: Tenant
    other: Tenant

    async def file(self, *subjects: str, inbox: InboxId | None = None, tenant: Tenant | None = None) -> None:
        owner = tenant or self.tenant
        messages = [f"Subject: {subject}\r\n\r\nthe text of {subject}\r\n".encode() for subject in subjects]
        prepared = await self.intake.prepare([Incoming(content=one, size=len(one)) for one in messages])
        async with self.database.transaction() as tx:
            await self.intake.take_in(tx, owner.account.id, inbox or owner.inbox.id, prepared)

    async def inbox(self, address: str) -> Inbox:
        inbox = an_inbox(self.tenant.account, address)
        async with self.database.transaction() as tx:
            await tx.inboxes.add(inbox)
        return inbox

    async def email(self, subject: str) -> Email:
        page = await self.mail.page(self.tenant.account.id, EmailQuery(slice=Slice(size=1000)))
        return next(email for email in page.items if email.subject == subject)

    async def listed(self, query: ListQuery = ListQuery(), **cut: int) -> tuple[list[str], int | None]:
        listing = await self.browsing.listing(self.tenant.account.id, query, **cut)
        return [one.email.subject for one in listing.items], listing.older


@pytest.fixture
async def shelf(database: Database, tenant: Tenant, tmp_path: Path) -> Shelf:
    clock, blobs = TurnedClock(), Blobs(str(tmp_path / "blobs"))
    return Shelf(
        database=database,
        browsing=Browsing(database),
        mail=Mail(database, blobs, clock),
        intake=Intake(blobs, clock),
        tenant=tenant,
        other=await add_tenant(database, "other"),
    )


async def test_inboxes_tell_what_is_in_them_the_newest_mail_first(shelf: Shelf) -> None:
    busy, empty = await shelf.inbox("busy@posthouse.example"), await shelf.inbox("empty@posthouse.example")
    await shelf.file("one", "two", "three", inbox=busy.id)
    await shelf.file("four")
    await shelf.file("not ours", tenant=shelf.other)
    account = shelf.tenant.account.id
    await shelf.mail.mark_read(account, (await shelf.email("two")).id)

    page = await shelf.browsing.inboxes(account)
    told = [(one.inbox.id, one.total, one.unread, one.newest and one.newest.subject) for one in page.items]
    assert told == [(shelf.tenant.inbox.id, 1, 1, "four"), (busy.id, 3, 2, "three"), (empty.id, 0, 0, None)]
    assert page.total == 3
    assert await shelf.browsing.unread(account) == 3

    second = await shelf.browsing.inboxes(account, InboxQuery(slice=Slice(size=1, page=1)))
    assert ([one.inbox.id for one in second.items], second.total) == ([busy.id], 3)
    by_address = await shelf.browsing.inboxes(account, InboxQuery(search="posthouse"), InboxOrder.ADDRESS)
    assert [one.inbox.email_address.split("@")[0] for one in by_address.items] == ["busy", "default", "empty"]


async def test_a_list_is_cut_by_places_and_stays_while_mail_comes_in(shelf: Shelf) -> None:
    await shelf.file("one", "two", "three")
    subjects, older = await shelf.listed(most=2)
    assert subjects == ["three", "two"]
    await shelf.file("four")
    assert older is not None
    assert await shelf.listed(most=2, beyond=older) == (["one"], None)
    assert (await shelf.listed(most=4))[1] is None


async def test_a_list_is_of_one_inbox_or_all_and_of_what_is_searched_for(shelf: Shelf) -> None:
    second = await shelf.inbox("second@posthouse.example")
    await shelf.file("apples and pears", "plums")
    await shelf.file("apple pie", inbox=second.id)
    await shelf.file("apples of others", tenant=shelf.other)
    account = shelf.tenant.account.id
    await shelf.mail.mark_read(account, (await shelf.email("plums")).id)
    await shelf.mail.favour(account, (await shelf.email("plums")).id)

    assert (await shelf.listed())[0] == ["apple pie", "plums", "apples and pears"]
    assert (await shelf.listed(ListQuery(search="apple")))[0] == ["apple pie", "apples and pears"]
    assert (await shelf.listed(ListQuery(search="PEAR app")))[0] == ["apples and pears"]
    assert (await shelf.listed(ListQuery(inbox_id=second.id)))[0] == ["apple pie"]
    assert (await shelf.listed(ListQuery(unread_only=True)))[0] == ["apple pie", "apples and pears"]
    assert (await shelf.listed(ListQuery(favourites_only=True)))[0] == ["plums"]
    listing = await shelf.browsing.listing(account, ListQuery(search="apple"))
    assert listing.items[0].inbox_address == "second@posthouse.example"
    with pytest.raises(NotFound):
        await shelf.browsing.listing(shelf.other.account.id, ListQuery(inbox_id=second.id))


async def test_neighbours_are_those_in_the_list_even_of_an_email_that_has_left_it(shelf: Shelf) -> None:
    await shelf.file("one", "two", "three", "four")
    account = shelf.tenant.account.id
    ids = {subject: (await shelf.email(subject)).id for subject in ("one", "two", "three", "four")}
    assert await shelf.browsing.neighbours(account, ListQuery(), ids["two"]) == Neighbours(ids["three"], ids["one"])
    assert await shelf.browsing.neighbours(account, ListQuery(), ids["four"]) == Neighbours(None, ids["three"])
    for subject in ("two", "three"):
        await shelf.mail.mark_read(account, ids[subject])
    unread = ListQuery(unread_only=True)
    assert await shelf.browsing.neighbours(account, unread, ids["three"]) == Neighbours(ids["four"], ids["one"])
    assert await shelf.browsing.neighbours(shelf.other.account.id, unread, ids["three"]) == Neighbours(None, None)


async def test_whatever_changes_a_list_is_heard_of(shelf: Shelf) -> None:
    account = shelf.tenant.account.id
    with shelf.database.signals.listen(f"inbox:{shelf.tenant.inbox.id}") as heard:
        await shelf.file("here")
        assert await heard.next(1)
        here = (await shelf.email("here")).id
        for change in (shelf.mail.favour, shelf.mail.mark_read, shelf.mail.delete):
            await change(account, here)
            assert await heard.next(1)
