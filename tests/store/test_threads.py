"""Threads: which emails belong together, in whatever order and from however many places they come."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from house import KEY, START, Tenant, add_tenant, an_inbox
from posthouse.model.mail import Email, Inbox, SendState, SentEmail, Stored
from posthouse.model.message import Address
from posthouse.model.threads import Thread, ThreadQuery
from posthouse.model.values import AccountId, EmailId, SentId, Slice, Sort, ThreadId, new_id
from posthouse.store.database import Database
from posthouse.store.mail import Filing
from posthouse.store.sealing import Seal
from posthouse.store.tables import mentions, threads

STORED = Stored(pack="1", offset=0, length=1, size=1)
ANN, BOB = Address("Ann", "ann@example.org"), Address("", "bob@example.org")


def email(tenant: Tenant, message_id: str, *refers_to: str, inbox: Inbox | None = None, **more: Any) -> Filing:
    """A filing; `refers_to` are its References, the last one its In-Reply-To."""
    facts: dict[str, Any] = {
        "created_at": START, "read": False, "sender": ANN, "to": (BOB,), "subject": message_id, "sent_at": None,
        "attachment_ids": (),
    }  # fmt: skip
    facts |= more
    filed = Email(
        id=EmailId(new_id(START)),
        account_id=tenant.account.id,
        inbox_id=(inbox or tenant.inbox).id,
        updated_at=facts["created_at"],
        favourite=False,
        cc=(),
        bcc=(),
        reply_to=(),
        message_id=message_id,
        in_reply_to=refers_to[-1] if refers_to else "",
        size=1,
        excerpt=f"about {message_id}",
        is_html=False,
        charset="",
        content_types=(),
        folder=None,
        external_id=None,
        problem=None,
        stored=STORED,
        **facts,
    )
    digest = message_id.encode() + filed.id.bytes
    return Filing(email=filed, digest=digest, attachments=(), words=filed.subject, references=refers_to)


def sent(tenant: Tenant, message_id: str, in_reply_to: str = "", state: SendState = SendState.ACCEPTED) -> SentEmail:
    return SentEmail(
        id=SentId(new_id(START)),
        account_id=tenant.account.id,
        inbox_id=tenant.inbox.id,
        connector_id=None,
        state=state,
        state_text="",
        created_at=START + timedelta(minutes=5),
        sent_at=None,
        sender=BOB,
        to=(ANN,),
        cc=(),
        bcc=(),
        reply_to=(),
        refused=(),
        subject=f"sent {message_id}",
        message_id=message_id,
        is_html=False,
        size=1,
        excerpt=f"about {message_id}",
        attachment_ids=("1-up",),
        virtual=False,
        stored=STORED,
        in_reply_to=in_reply_to,
    )


async def file(database: Database, *filings: Filing) -> list[ThreadId | None]:
    """File them in one transaction. Their threads, as they are afterwards."""
    async with database.transaction() as tx:
        await tx.mail.add(filings)
    return await threads_of(database, filings)


async def threads_of(database: Database, filings: Sequence[Filing]) -> list[ThreadId | None]:
    async with database.reading() as tx:
        found = [await tx.mail.get(one.email.account_id, one.email.id) for one in filings]
    return [one.thread_id for one in found if one is not None]


async def page(database: Database, account: AccountId, **query: Any) -> list[Thread]:
    async with database.reading() as tx:
        found = await tx.conversations.page(account, ThreadQuery(slice=Slice(size=100), **query))
    assert found.total == len(found.items)
    return list(found.items)


async def names(database: Database, account: AccountId, thread: ThreadId | None, sort: Sort = Sort.ASC) -> list[str]:
    assert thread is not None
    async with database.reading() as tx:
        return [letter.message_id for letter in await tx.conversations.letters(account, thread, sort)]


def _after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


async def test_an_answer_is_in_the_thread_of_what_it_answers(database: Database, tenant: Tenant) -> None:
    [first] = await file(database, email(tenant, "a"))
    [answer] = await file(database, email(tenant, "b", "a"))
    [other] = await file(database, email(tenant, "c"))
    assert first == answer != other


async def test_emails_that_come_together_find_each_other(database: Database, tenant: Tenant) -> None:
    found = await file(
        database, email(tenant, "b", "a"), email(tenant, "c"), email(tenant, "a"), email(tenant, "d", "c")
    )
    assert found[0] == found[2] != found[1] == found[3]


async def test_answers_to_what_never_came_belong_together(database: Database, tenant: Tenant) -> None:
    [one] = await file(database, email(tenant, "b", "never"))
    [two] = await file(database, email(tenant, "c", "never"))
    assert one == two


async def test_a_parent_that_comes_late_joins_two_threads_to_the_older(database: Database, tenant: Tenant) -> None:
    older, younger = email(tenant, "c1", "root"), email(tenant, "c2", "middle")
    [first] = await file(database, older)
    [second] = await file(database, younger)
    assert first != second
    [late] = await file(database, email(tenant, "middle", "root"))
    assert await threads_of(database, [older, younger]) == [first, first] == [late, first]
    assert [thread.id for thread in await page(database, tenant.account.id)] == [first]
    [further] = await file(database, email(tenant, "c3", "c2"))
    assert further == first, "its names have moved along"


async def test_the_subject_alone_makes_no_thread(database: Database, tenant: Tenant) -> None:
    one, two = email(tenant, "a", subject="Hello"), email(tenant, "b", subject="Re: Hello")
    first, second = await file(database, one, two)
    assert first != second


async def test_an_email_without_a_name_has_a_thread_of_its_own(database: Database, tenant: Tenant) -> None:
    first, second = await file(database, email(tenant, ""), email(tenant, ""))
    assert first is not None
    assert first != second


async def test_what_is_sent_is_in_the_thread_of_what_it_answers(database: Database, tenant: Tenant) -> None:
    [first] = await file(database, email(tenant, "a"))
    async with database.transaction() as tx:
        answer = await tx.sent.add(sent(tenant, "b", "a"))
    [back] = await file(database, email(tenant, "c", "a", "b", created_at=START + timedelta(hours=1)))
    assert first == answer.thread_id == back
    assert await names(database, tenant.account.id, first) == ["a", "b", "c"]
    assert await names(database, tenant.account.id, first, Sort.DESC) == ["c", "b", "a"]
    async with database.reading() as tx:
        kept = await tx.sent.get(tenant.account.id, answer.id)
    assert kept is not None
    assert (kept.thread_id, kept.in_reply_to) == (first, "a")


async def test_a_thread_is_told_by_its_first_and_its_last_email(database: Database, tenant: Tenant) -> None:
    written = START - timedelta(days=1)
    filings = [
        email(tenant, "late", "first", created_at=START, sent_at=written + timedelta(hours=2), sender=BOB),
        email(tenant, "first", created_at=_after(1), sent_at=written, read=True, attachment_ids=("1",)),
        email(tenant, "second", "first", created_at=_after(2), sent_at=written + timedelta(hours=1)),
    ]  # fmt: skip
    await file(database, *filings)
    [thread] = await page(database, tenant.account.id)
    assert (thread.first.message_id, thread.last.message_id) == ("first", "late")
    assert (thread.count, thread.unread, thread.has_attachments, thread.created_at) == (3, True, True, START)
    async with database.transaction() as tx:
        await tx.mail.mark_read(tenant.account.id, True, START)
    async with database.reading() as tx:
        again = await tx.conversations.get(tenant.account.id, thread.id)
    assert again is not None
    assert again.unread is False


async def test_what_was_not_sent_is_in_no_list(database: Database, tenant: Tenant) -> None:
    async with database.transaction() as tx:
        failed = await tx.sent.add(sent(tenant, "a", state=SendState.FAILED))
        went = await tx.sent.add(sent(tenant, "b"))
    assert [thread.id for thread in await page(database, tenant.account.id)] == [went.thread_id]
    async with database.reading() as tx:
        assert failed.thread_id is not None
        assert await tx.conversations.get(tenant.account.id, failed.thread_id) is None


async def test_threads_are_found_by_inbox_and_by_words(database: Database, tenant: Tenant) -> None:
    other = an_inbox(tenant.account, "other@posthouse.example")
    async with database.transaction() as tx:
        await tx.inboxes.add(other)
        mine = await tx.sent.add(sent(tenant, "z"))
    here, there, both = await file(
        database, email(tenant, "parcel"), email(tenant, "invoice", inbox=other), email(tenant, "both")
    )
    await file(database, email(tenant, "answer", "both", inbox=other))

    async def found(**query: Any) -> list[ThreadId]:
        return [thread.id for thread in await page(database, tenant.account.id, **query)]

    assert await found(inbox_id=other.id) == [there, both]
    assert await found(inbox_id=tenant.inbox.id) == [mine.thread_id, here, both]
    assert await found(search="invoi") == [there]
    assert await found(search="sent z") == [mine.thread_id]
    assert await found(search="answer", inbox_id=tenant.inbox.id) == [both]


async def test_accounts_share_no_thread(database: Database, tenant: Tenant) -> None:
    stranger = await add_tenant(database, "stranger")
    [mine] = await file(database, email(tenant, "a"))
    [theirs] = await file(database, email(stranger, "b", "a"))
    assert mine != theirs
    async with database.reading() as tx:
        assert mine is not None
        assert await tx.conversations.get(stranger.account.id, mine) is None
        assert await tx.conversations.letters(stranger.account.id, mine, Sort.ASC) == []


async def test_a_thread_goes_with_its_last_email(database: Database, tenant: Tenant) -> None:
    filings = [email(tenant, "a"), email(tenant, "b", "a")]
    await file(database, *filings)
    for left, one in ((1, filings[0]), (0, filings[1])):
        async with database.transaction() as tx:
            await tx.mail.remove(tenant.account.id, ids=[one.email.id])
        assert len(await page(database, tenant.account.id)) == left
    async with database.reading() as tx:
        for table in (threads, mentions):
            assert await tx.connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


async def test_pages_are_cut_from_all_threads(database: Database, tenant: Tenant) -> None:
    filings = [email(tenant, str(n), created_at=START + timedelta(minutes=n)) for n in range(30)]
    ids = await file(database, *filings)

    async def shown(**asked: Any) -> list[ThreadId]:
        async with database.reading() as tx:
            found = await tx.conversations.page(tenant.account.id, ThreadQuery(slice=Slice(**asked)))
        return [thread.id for thread in found.items]

    assert await shown(size=10, page=1) == ids[10:20]
    assert await shown(size=10, sort=Sort.DESC) == ids[::-1][:10]
    assert await shown(size=100, since=START + timedelta(minutes=27)) == ids[28:]


@pytest.mark.parametrize("seed", range(3))
async def test_the_order_in_which_emails_come_does_not_matter(database: Database, tenant: Tenant, seed: int) -> None:
    """Three conversations of twenty emails, each of which names what it answers and sometimes more."""
    dice = random.Random(seed)
    wanted: dict[str, str] = {}
    filings = []
    for talk in "abc":
        for number in range(20):
            name = f"{talk}{number}"
            wanted[name] = talk
            chain = [f"{talk}{dice.randrange(number)}" for _ in range(dice.randint(1, 3))] if number else []
            filings.append(email(tenant, name, *chain))
    dice.shuffle(filings)
    while filings:
        size = dice.randint(1, 6)
        await file(database, *filings[:size])
        del filings[:size]
    found = await page(database, tenant.account.id)
    talks = [{wanted[name] for name in await names(database, tenant.account.id, thread.id)} for thread in found]
    assert sorted(map(sorted, talks)) == [["a"], ["b"], ["c"]]


async def test_rivals_that_file_one_conversation_end_in_one_thread(database: Database, tenant: Tenant) -> None:
    """Eight inboxes get mail at once, in pieces; every email names the one before and the first."""
    inboxes = [an_inbox(tenant.account, f"rival{n}@posthouse.example") for n in range(8)]
    async with database.transaction() as tx:
        for inbox in inboxes:
            await tx.inboxes.add(inbox)
    filings = [email(tenant, f"m{n}", *(["m0", f"m{n - 1}"] if n else []), inbox=inboxes[n % 8]) for n in range(64)]

    async def rival(mine: Sequence[Filing]) -> None:
        for one in mine:
            while True:
                try:
                    async with database.transaction() as tx:
                        await tx.inboxes.hold(one.email.inbox_id)
                        await tx.mail.add([one])
                    break
                except Exception as error:  # a deadlock ends one of two; whoever files mail comes again
                    if "busy" not in str(error):
                        raise

    await asyncio.gather(*(rival(filings[n::8]) for n in range(8)))
    assert len(set(await threads_of(database, filings))) == 1
    [thread] = await page(database, tenant.account.id)
    assert thread.count == 64


async def test_mail_from_before_there_were_threads_is_threaded(tmp_path: Any, empty_postgres_url: str) -> None:
    """The tables as they were, with mail in them, brought up to date."""
    for url in (f"sqlite:///{tmp_path / 'old.db'}", empty_postgres_url):
        database = Database(url, Seal([KEY]))
        async with database.transaction() as tx:
            await tx.connection.run_sync(partial(_migrate, "0002"))
            account = UUID(int=1)
            at = "2026-01-01 12:00:00"
            await _fill(tx.connection, account, at)
        async with database.transaction() as tx:
            await tx.connection.run_sync(partial(_migrate, "head"))
        async with database.reading() as tx:
            found = await tx.conversations.page(AccountId(account), ThreadQuery(slice=Slice()))
            letters = [await tx.conversations.letters(AccountId(account), one.id, Sort.ASC) for one in found.items]
            talks = [[letter.message_id for letter in some] for some in letters]
        await database.close()
        assert sorted(map(sorted, talks)) == [["a", "b", "s", "s"], ["c"]]
        assert all(thread.created_at for thread in found.items)


def _migrate(revision: str, connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "posthouse.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _fill(connection: Any, account: UUID, at: str) -> None:
    moment = datetime.fromisoformat(at)
    if connection.dialect.name == "postgresql":
        moment = moment.replace(tzinfo=START.tzinfo)
    types = {"id": sa.Uuid(), "account_id": sa.Uuid(), "inbox_id": sa.Uuid(), "created_at": sa.DateTime(timezone=True),
             "updated_at": sa.DateTime(timezone=True), "digest": sa.LargeBinary(), "read": sa.Boolean(),
             "favourite": sa.Boolean(), "is_html": sa.Boolean(), "virtual": sa.Boolean()}  # fmt: skip
    jsons = ("tags", "to", "cc", "bcc", "reply_to", "content_types", "attachment_ids", "refused", "sender")

    async def add(table: str, **row: Any) -> None:
        columns = [sa.column(name, types.get(name, sa.JSON() if name in jsons else None)) for name in row]
        await connection.execute(sa.insert(sa.table(table, *columns)), [row])

    await add("accounts", id=account, name="old", created_at=moment)
    common = {"account_id": account, "inbox_id": UUID(int=2), "to": [], "cc": [], "bcc": [], "reply_to": [],
              "created_at": moment, "size": 1, "excerpt": "", "is_html": False, "attachment_ids": [], "subject": "",
              "pack": "1", "pack_offset": 0, "pack_length": 1, "pack_size": 1}  # fmt: skip
    await add(
        "inboxes", id=UUID(int=2), account_id=account, email_address="a@b.example", tags=[], favourite=False,
        virtual=False, created_at=moment, updated_at=moment,
    )  # fmt: skip
    for number, (name, answers) in enumerate([("a", ""), ("c", ""), ("b", "s")], start=10):
        await add(
            "emails", id=UUID(int=number), updated_at=moment, read=False, favourite=False, digest=name.encode(),
            message_id=name, in_reply_to=answers, charset="", content_types=[], **common,
        )  # fmt: skip
    await add(
        "sent_emails", id=UUID(int=20), state="accepted", state_text="", sender=["", "a@b.example"], refused=[],
        message_id="s", virtual=False, **common,
    )  # fmt: skip
    await add(
        "emails", id=UUID(int=21), updated_at=moment, read=False, favourite=False, digest=b"again", message_id="s",
        in_reply_to="a", charset="", content_types=[], **common,
    )  # fmt: skip
