"""Plus addresses: known from the first mail to them, or from when somebody asks; and found again by their mail."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from posthouse.model.addresses import plus_tag
from posthouse.model.errors import Conflict, Invalid, NotFound
from posthouse.model.mail import EmailQuery, Inbox
from posthouse.model.values import PlusAddressId, Slice

from .posting import DOMAIN, Post, a_post


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path / "data", database_url=database_url) as post:
        yield post


async def put(post: Post, inbox: Inbox, subject: str, to: str) -> None:
    raw = f"To: {to}\r\nSubject: {subject}\r\n\r\nhello\r\n".encode()
    await post.services.importing.take_in(inbox.account_id, inbox.id, raw)


async def subjects(post: Post, plus: PlusAddressId) -> list[str]:
    page = await post.services.mail.page(post.account.id, EmailQuery(slice=Slice(), plus_address=plus))
    return [email.subject for email in page.items]


@pytest.mark.parametrize(
    ("address", "base", "tag"),
    [
        ("ann+shop@x.example", "ann@x.example", "shop"),
        ("Ann+Shop@X.example", "ann@x.example", "shop"),
        ("ann+a+b@x.example", "ann@x.example", "a+b"),
        ("ann+a+b@x.example", "ann+a@x.example", "b"),
        ("ann@x.example", "ann@x.example", ""),
        ("ann+@x.example", "ann@x.example", ""),
        ("anna+shop@x.example", "ann@x.example", ""),
        ("ann+shop@y.example", "ann@x.example", ""),
        ("", "ann@x.example", ""),
        ("+", "", ""),
    ],
)
def test_a_tag_stands_between_the_plus_and_the_domain(address: str, base: str, tag: str) -> None:
    assert plus_tag(address, base) == tag


async def test_mail_to_a_tag_makes_the_plus_address_known(post: Post) -> None:
    inbox = await post.inbox("ann")
    await put(post, inbox, "one", f"Shop <ann+Shop@{DOMAIN}>, bob+shop@{DOMAIN}")
    await put(post, inbox, "two", f"ann@{DOMAIN}")
    await put(post, inbox, "three", f"ann+SHOP@{DOMAIN}, ann+news@{DOMAIN}")
    page = await post.services.plus_addresses.page(post.account.id, Slice())
    shop, news = page.items
    assert (shop.tag, shop.full_address, shop.inbox_id) == ("shop", f"ann+shop@{DOMAIN}", inbox.id)
    assert await subjects(post, shop.id) == ["one", "three"]
    assert await subjects(post, news.id) == ["three"]
    told = [email.plus_address_id for email in await post.emails(inbox)]
    assert told == [shop.id, None, shop.id], "of two the older one is told"
    assert await post.services.plus_addresses.by_tag(post.account.id, inbox.id, "+Shop") == shop
    assert await post.services.plus_addresses.by_tag(post.account.id, inbox.id, f"ann+shop@{DOMAIN}") == shop
    assert await post.services.plus_addresses.by_tag(post.account.id, inbox.id, "nothing") is None


async def test_what_is_sent_to_a_tag_arrives_and_is_found_by_it(post: Post) -> None:
    inbox, other = await post.inbox("ann"), await post.inbox("bob")
    await post.send(other.id, f"ann+shop@{DOMAIN}", subject="sent")
    [plus] = (await post.services.plus_addresses.page(post.account.id, Slice(), inbox.id)).items
    assert await subjects(post, plus.id) == ["sent"]


async def test_a_plus_address_of_an_external_mailbox_is_one_of_its_inbox(post: Post) -> None:
    connector = await post.connector("carl")
    raw = b"To: carl+list@provider.example\r\nSubject: list\r\n\r\nx\r\n"
    post.provider.deliver("carl@provider.example", raw)
    await post.services.sync.run(post.account.id, connector.id)
    [plus] = (await post.services.plus_addresses.page(post.account.id, Slice(), connector.inbox_id)).items
    assert plus.full_address == "carl+list@provider.example"
    assert await subjects(post, plus.id) == ["list"]


async def test_asking_for_one_makes_it_once_and_finds_the_mail_that_was_there(post: Post) -> None:
    inbox = await post.inbox("ann")
    await put(post, inbox, "old", f"ann+late@{DOMAIN}")
    async with post.app.database.transaction() as tx:  # as if the mail were older than plus addresses
        from posthouse.store.tables import plus_addresses

        await tx.connection.execute(plus_addresses.delete())
    made = await post.services.plus_addresses.get_or_create(post.account.id, f"Ann+late@{DOMAIN}", inbox.id)
    again = await post.services.plus_addresses.get_or_create(post.account.id, f"ann+LATE@{DOMAIN}")
    assert made == again
    await put(post, inbox, "new", f"ann+late@{DOMAIN}")
    assert await subjects(post, made.id) == ["old", "new"]


async def test_what_is_no_plus_address_of_an_inbox_is_refused(post: Post) -> None:
    inbox = await post.inbox("ann")
    await post.inbox("ann+taken")
    for wrong in (f"ann@{DOMAIN}", "ann+x@elsewhere.example", f"anna+x@{DOMAIN}"):
        with pytest.raises(Invalid):
            await post.services.plus_addresses.get_or_create(post.account.id, wrong, inbox.id)
    with pytest.raises(Conflict):
        await post.services.plus_addresses.get_or_create(post.account.id, f"ann+taken@{DOMAIN}", inbox.id)
    with pytest.raises(NotFound):
        await post.services.plus_addresses.get_or_create(post.account.id, f"nobody+x@{DOMAIN}")
    stranger = (await post.services.accounts.create_key(account="stranger")).account
    with pytest.raises(NotFound):
        await post.services.plus_addresses.get_or_create(stranger.id, f"ann+x@{DOMAIN}")


async def test_a_plus_address_goes_with_its_inbox_and_its_mail_from_it(post: Post) -> None:
    inbox = await post.inbox("ann")
    await put(post, inbox, "one", f"ann+shop@{DOMAIN}")
    [plus] = (await post.services.plus_addresses.page(post.account.id, Slice())).items
    await post.services.inboxes.empty(post.account.id, inbox.id)
    assert await subjects(post, plus.id) == []
    await post.services.inboxes.delete(post.account.id, inbox.id)
    with pytest.raises(NotFound):
        await subjects(post, plus.id)
