"""What a sync promises: every message once, nothing fetched twice, whatever happens on the way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from posthouse.model.budgets import Budget
from posthouse.model.connectors import ImapSettings
from posthouse.model.errors import NotFound, Unreachable
from posthouse.model.events import EventStatus, Happening, Transcript
from posthouse.model.values import ConnectorId, new_id
from posthouse.services import fetching
from posthouse.services.intake import Intake
from posthouse.services.sync import LEASE, Sync

from .conftest import House
from .fakes import FakeServer, Fuse, Killed, a_message


async def test_mail_comes_in_once_and_in_the_mailboxs_order(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(10)))
    first = await house.sync()
    assert len(first.email_ids) == 10
    assert await house.raw() == [a_message(n) for n in range(10)]
    assert [email.id for email in await house.emails()] == list(first.email_ids)
    again = await house.sync()
    assert (again.email_ids, again.failure) == ((), None)
    house.server.add(a_message(10))
    assert len((await house.sync()).email_ids) == 1
    assert house.server.fetched == list(range(1, 12))


async def test_each_email_is_announced_once_in_the_journal(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(5)))
    await house.sync()
    await house.sync()
    entries = await house.journal()
    assert [entry.email_id for entry in entries] == [email.id for email in await house.emails()]
    assert {entry.happening for entry in entries} == {Happening.EMAIL_RECEIVED}


async def test_what_the_server_knows_is_on_the_email(house: House) -> None:
    house.server.add(a_message(0), a_message(1))
    await house.sync()
    email = (await house.emails())[1]
    assert (email.external_id, email.folder, email.subject) == ("2", "INBOX", "Number 1")
    assert not email.read


async def test_every_run_leaves_an_event(house: House) -> None:
    house.server.add(a_message(0))
    await house.sync()
    outcome = await house.sync(folder="Nowhere")
    success, failure = await house.events()
    assert (success.status, success.size, success.message) == (EventStatus.SUCCESS, 1, "1 new email")
    assert (failure.status, failure.size, failure.message) == (EventStatus.NOT_FOUND, 0, outcome.failure)
    assert outcome.event_id == failure.id
    whole = await house.connectors.event(house.tenant.account.id, success.id)
    assert whole.logs == "S: * OK ready"


async def test_the_log_is_in_the_answer_when_asked_for(house: House) -> None:
    assert (await house.sync(logging=True)).logs == ("S: * OK ready",)
    assert (await house.sync()).logs is None


async def test_dying_at_any_step_loses_and_doubles_nothing(house: House) -> None:
    """The process is killed at each step in turn; another one then finishes the work."""
    steps = 0
    for round_ in range(60):
        house.server.add(
            a_message(10 * round_), a_message(10 * round_ + 1), a_message(10 * round_ + 2), a_message(10 * round_ + 3)
        )
        house.server.fuse = fuse = Fuse(at=round_ + 1)
        try:
            await house.sync()
        except Killed:
            steps += 1
            house.server.fuse = Fuse()
            house.clock.turn(LEASE)
            await house.sync()
        assert await house.raw() == list(house.server.messages.values())
        if fuse.steps < round_ + 1:
            break
    assert steps >= 10
    entries = await house.journal()
    assert [e.email_id for e in entries] == [email.id for email in await house.emails()]


async def test_dying_between_commits_loses_and_doubles_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, but killed right before and right after each commit of the database."""
    real, fuse = type(house.database).transaction, Fuse()

    def mortal(database: object, **how: bool) -> object:
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def transaction():  # type: ignore[no-untyped-def]
            async with real(database, **how) as tx:  # type: ignore[arg-type]
                yield tx
                fuse.burn()
            fuse.burn()

        return transaction()

    monkeypatch.setattr(type(house.database), "transaction", mortal)
    deaths = 0
    for at in range(1, 40):
        house.server.add(*(a_message(10 * at + n) for n in range(5)))
        fuse.steps, fuse.at = 0, at
        try:
            await house.sync()
        except Killed:
            deaths += 1
            fuse.at = None
            house.clock.turn(LEASE)
            await house.sync()
        fuse.at = None
        assert await house.raw() == list(house.server.messages.values())
        if fuse.steps < at:
            break
    assert deaths >= 6
    assert [e.position for e in await house.journal()] == list(range(1, len(house.server.messages) + 1))


async def test_a_new_uidvalidity_is_recognised_without_fetching(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(7)))
    before = (await house.sync()).email_ids
    house.server.renumber(start=100)
    house.server.add(a_message(7))
    outcome = await house.sync()
    assert len(outcome.email_ids) == 1
    assert house.server.fetched == [*range(1, 8), 107]
    assert [email.id for email in await house.emails()] == [*before, *outcome.email_ids]
    assert (await house.sync()).email_ids == ()


async def test_a_message_without_message_id_is_recognised_by_its_bytes(house: House) -> None:
    house.server.add(a_message(0, message_id=False), a_message(1))
    await house.sync()
    house.server.renumber(start=5)
    assert (await house.sync()).email_ids == ()
    assert len(await house.emails()) == 2


async def test_dying_while_a_folder_is_recognised_anew_doubles_nothing(house: House) -> None:
    house.server.add(*(a_message(n, message_id=n % 3 > 0) for n in range(9)))
    await house.sync()
    for at in range(1, 30):
        house.server.renumber(start=at)
        house.server.fuse = fuse = Fuse(at=at)
        try:
            await house.sync()
        except Killed:
            house.server.fuse = Fuse()
            house.clock.turn(LEASE)
            await house.sync()
        assert len(await house.journal()) == 9
        if fuse.steps < at:
            break
    assert len(await house.emails()) == 9


async def test_a_server_without_uidvalidity_is_synced_all_the_same(house: House) -> None:
    house.server.uid_validity = None
    house.server.add(a_message(0), a_message(1))
    assert len((await house.sync()).email_ids) == 2
    house.server.add(a_message(2))
    assert len((await house.sync()).email_ids) == 1
    assert len(house.server.fetched) == 3


async def test_what_was_deleted_here_does_not_come_back(house: House) -> None:
    house.server.add(a_message(0), a_message(1, message_id=False))
    await house.sync()
    await house.mail.delete_all(house.tenant.account.id)
    assert (await house.sync()).email_ids == ()
    house.server.renumber(start=50)
    assert (await house.sync()).email_ids == ()
    assert await house.emails() == []


async def test_the_same_bytes_twice_at_the_server_are_one_email(house: House) -> None:
    house.server.add(a_message(0), a_message(1), a_message(0))
    assert len((await house.sync()).email_ids) == 2
    house.server.add(a_message(1))
    assert (await house.sync()).email_ids == ()


async def test_since_leaves_older_mail_for_a_later_run(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(6)))  # one a day, from the first of January
    outcome = await house.sync(since=datetime(2026, 1, 4, tzinfo=UTC))
    assert len(outcome.email_ids) == 3
    assert (await house.sync(since=datetime(2026, 1, 4, tzinfo=UTC))).email_ids == ()
    assert len((await house.sync()).email_ids) == 3
    assert sorted(house.server.fetched) == [1, 2, 3, 4, 5, 6]


async def test_search_terms_narrow_and_widening_them_brings_the_rest(house: House) -> None:
    house.server.add(*(a_message(n) for n in (1, 2, 12)))

    async def look_for(terms: str) -> int:
        def change(settings: ImapSettings) -> ImapSettings:
            return ImapSettings(host="fake", port=993, security=settings.security, search_terms=terms)

        await house.connectors.change_imap(house.tenant.account.id, house.connector.id, change)
        return len((await house.sync()).email_ids)

    assert await look_for("SUBJECT Number 1") == 2
    assert await look_for("SUBJECT Number 1") == 0
    assert await look_for("") == 1
    assert sorted(house.server.fetched) == [1, 2, 3]


async def test_the_first_sync_can_be_bounded_to_the_newest(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(8)))
    assert len((await house.sync(first_sync=5)).email_ids) == 5
    assert house.server.fetched == [4, 5, 6, 7, 8]
    house.server.add(*(a_message(n) for n in range(8, 15)))
    assert len((await house.sync(first_sync=5)).email_ids) == 7


async def test_a_message_the_server_keeps_back_is_asked_for_again(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(5)))
    house.server.silent_about = {2}
    assert len((await house.sync()).email_ids) == 4
    house.server.silent_about = set()
    assert len((await house.sync()).email_ids) == 1
    assert sorted(house.server.fetched) == [1, 2, 3, 4, 5]


async def test_what_came_before_the_connection_broke_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from .fakes import FakeMailbox

    house.server.add(*(a_message(n) for n in range(8)))
    real = FakeMailbox.fetch

    async def breaking(self: FakeMailbox, identities):  # type: ignore[no-untyped-def]
        async for message in real(self, identities):
            if message.uid == 6:
                raise Unreachable("the connection broke")
            yield message

    monkeypatch.setattr(FakeMailbox, "fetch", breaking)
    broken = await house.sync()
    assert (len(broken.email_ids), broken.failure) == (5, "the connection broke")
    monkeypatch.setattr(FakeMailbox, "fetch", real)
    assert len((await house.sync()).email_ids) == 3
    assert [event.status for event in await house.events()] == [EventStatus.CONNECTION_ERROR, EventStatus.SUCCESS]


async def test_two_syncs_at_once_bring_each_message_once(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(9)))
    sync = Sync(house.database, Intake(house.blobs, house.clock), house.server.open, house.clock)
    runs = [sync.run(house.tenant.account.id, house.connector.id) for _ in range(4)]
    outcomes = await asyncio.gather(*runs)
    assert sum(len(outcome.email_ids) for outcome in outcomes) == 9
    assert len(house.server.fetched) == 9


async def test_a_fault_of_ours_is_told_as_internal(house: House) -> None:
    async def explode(settings: ImapSettings, transcript: Transcript) -> None:
        raise ZeroDivisionError("a secret detail")

    sync = Sync(house.database, Intake(house.blobs, house.clock), explode, house.clock)  # type: ignore[arg-type]
    outcome = await sync.run(house.tenant.account.id, house.connector.id)
    assert outcome.failure is not None
    assert "internal" in outcome.failure
    assert "secret" not in outcome.failure
    [event] = await house.events()
    assert event.status is EventStatus.INTERNAL_ERROR


async def test_a_disabled_connector_says_so_in_an_event(house: House) -> None:
    from posthouse.services.connectors import NewConnector

    await house.connectors.change(house.tenant.account.id, house.connector.id, NewConnector(enabled=False))
    outcome = await house.sync()
    assert outcome.failure == "this connector is disabled: enable it to sync"
    [event] = await house.events()
    assert event.status is EventStatus.NOT_FOUND


async def test_an_unknown_connector_is_not_found(house: House) -> None:
    sync = Sync(house.database, Intake(house.blobs, house.clock), FakeServer().open, house.clock)
    with pytest.raises(NotFound):
        await sync.run(house.tenant.account.id, ConnectorId(new_id(house.clock())))


async def test_a_message_that_cannot_be_read_is_quarantined_with_its_bytes(house: House) -> None:
    def reader(content: object) -> object:
        raise RecursionError("too deep")

    house.server.add(a_message(0))
    intake = Intake(house.blobs, house.clock, reader)  # type: ignore[arg-type]
    sync = Sync(house.database, intake, house.server.open, house.clock)
    await sync.run(house.tenant.account.id, house.connector.id)
    [email] = await house.emails()
    assert email.problem == "could not be read (RecursionError); the raw message is kept"
    assert await house.raw() == [a_message(0)]


async def test_deleting_the_last_email_of_a_pack_deletes_the_pack(house: House) -> None:
    house.server.add(*(a_message(n) for n in range(3)))
    await house.sync()
    emails = await house.emails()
    for email in emails[:2]:
        await house.mail.delete(house.tenant.account.id, email.id)
    assert await house.blobs.get(emails[2].stored)
    await house.mail.delete(house.tenant.account.id, emails[2].id)
    with pytest.raises(FileNotFoundError):
        await house.blobs.get(emails[2].stored)


async def test_a_days_budget_is_kept_and_the_rest_comes_the_next_day(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(a_message(1))
    monkeypatch.setattr(fetching, "budget_of", lambda _host: Budget(provider="Example", daily_bytes=4 * size))
    house.server.add(*(a_message(n) for n in range(1, 7)))
    first = await house.sync()
    assert len(first.email_ids) == 4
    assert first.failure is not None
    assert "2 messages wait for tomorrow" in first.failure
    assert (await house.sync()).email_ids == ()
    house.clock.turn(timedelta(days=1))
    rest = await house.sync()
    assert (len(rest.email_ids), rest.failure) == (2, None)
    assert house.server.fetched == [1, 2, 3, 4, 5, 6]
