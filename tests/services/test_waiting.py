"""What a wait promises: nothing slips by, nobody's old mail counts, and a failure says why."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from house import an_inbox
from posthouse.model.connectors import ImapSettings
from posthouse.model.errors import (
    Conflict,
    CredentialsRefused,
    Invalid,
    NoMatchInTime,
    NotFound,
    RemoteError,
    Unavailable,
    Unreachable,
)
from posthouse.model.events import Transcript
from posthouse.model.mail import Criteria, Email, Mark, Match, Place, Should
from posthouse.model.values import AccountId, InboxId, Sort, new_id, utc_now
from posthouse.services import lookout as lookout_module
from posthouse.services import waiting as module
from posthouse.services.intake import Incoming, Intake
from posthouse.services.lookout import Lookout
from posthouse.services.sync import Sync
from posthouse.services.waiting import Waiting, Wish, _Search
from posthouse.services.watching import Watching

from .conftest import House
from .fakes import FakeMailbox, a_message

LONG = timedelta(seconds=20)
SHORT = timedelta(milliseconds=150)
NONE = timedelta()


@dataclass
class Street:
    """A house to wait in: an inbox with a connector, and one without."""

    house: House
    waiting: Waiting
    watching: Watching
    lookout: Lookout
    sync: Sync
    plain: InboxId
    opened: int = 0
    at_once: int = 0
    most_at_once: int = 0
    failure: RemoteError | None = None
    slowness: float = 0.0

    @property
    def account(self) -> AccountId:
        return self.house.tenant.account.id

    @property
    def connected(self) -> InboxId:
        return self.house.tenant.inbox.id

    async def open(self, settings: ImapSettings, transcript: Transcript) -> FakeMailbox:
        self.opened += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.slowness)
            if self.failure is not None:
                raise self.failure
            return await self.house.server.open(settings, transcript)
        finally:
            self.at_once -= 1

    async def file(self, *messages: bytes, inbox: InboxId | None = None) -> list[str]:
        """Mail comes in, to the inbox without a connector if no other is named."""
        intake = Intake(self.house.blobs, self.house.clock)
        prepared = await intake.prepare([Incoming(content=one, size=len(one)) for one in messages])
        async with self.house.database.transaction() as tx:
            taken = await intake.take_in(tx, self.account, inbox or self.plain, prepared)
        return [str(one) for one in taken.new]

    async def wait(self, wish: Wish) -> list[Email]:
        return await self.waiting.wait(self.account, wish)

    async def why(self, wish: Wish) -> str:
        """What a wait that fails says."""
        with pytest.raises(NoMatchInTime) as failed:
            await self.wait(wish)
        return failed.value.message


@pytest.fixture
async def street(house: House) -> Street:
    street: Street

    async def open_mailbox(settings: ImapSettings, transcript: Transcript) -> FakeMailbox:
        return await street.open(settings, transcript)

    plain = an_inbox(house.tenant.account, "plain@posthouse.example")
    async with house.database.transaction() as tx:
        await tx.inboxes.add(plain)
    sync = Sync(house.database, Intake(house.blobs, house.clock), open_mailbox, house.clock)  # type: ignore[arg-type]
    watching = Watching(house.database, house.clock)
    lookout = Lookout(house.database.signals, timedelta(minutes=5))
    waiting = Waiting(house.database, house.mail, sync, watching, lookout, house.clock)
    street = Street(house, waiting, watching, lookout, sync, plain.id)
    return street


def subjects(emails: Sequence[Email]) -> list[str]:
    return [email.subject for email in emails]


def subject(should: Should, value: str) -> Criteria:
    return Criteria(matches=(Match(Place.SUBJECT, should, value),))


# --- what is there, and what comes -------------------------------------------------------------------------------


async def test_what_is_there_is_given_at_once(street: Street) -> None:
    await street.file(*(a_message(n) for n in range(5)))
    found = await street.wait(Wish(inbox_id=street.plain, count=2, timeout=NONE))
    assert subjects(found) == ["Number 0", "Number 1"]
    newest = await street.wait(Wish(inbox_id=street.plain, count=2, sort=Sort.DESC, timeout=NONE))
    assert subjects(newest) == ["Number 4", "Number 3"]


async def test_a_wait_ends_when_enough_has_come(street: Street) -> None:
    waiting = asyncio.create_task(street.wait(Wish(inbox_id=street.plain, count=3, timeout=LONG)))
    for number in range(3):
        await asyncio.sleep(0.02)
        assert not waiting.done()
        await street.file(a_message(number))
    assert subjects(await waiting) == ["Number 0", "Number 1", "Number 2"]


async def test_mail_that_comes_between_the_look_and_the_wait_is_seen(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the help of another look: that would come too late."""
    monkeypatch.setattr(lookout_module, "LOOK_AGAIN", 1000.0)
    look, looks = _Search.look, 0

    async def slow_look(self: _Search) -> list[Email] | None:
        nonlocal looks
        looks += 1
        found = await look(self)
        if looks == 1:
            await street.file(a_message(1))
        return found

    monkeypatch.setattr(_Search, "look", slow_look)
    assert subjects(await street.wait(Wish(inbox_id=street.plain, timeout=LONG))) == ["Number 1"]
    assert looks == 2


async def test_mail_is_seen_although_its_signal_was_lost(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout_module, "LOOK_AGAIN", 0.02)
    monkeypatch.setattr(street.house.database.signals, "tell", lambda topics: None)
    waiting = asyncio.create_task(street.wait(Wish(inbox_id=street.plain, timeout=LONG)))
    await asyncio.sleep(0.03)
    await street.file(a_message(1))
    assert subjects(await waiting) == ["Number 1"]


async def test_no_email_is_judged_twice(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    judge = Waiting.judge

    async def noted(self: Waiting, account: AccountId, matcher: object, email: Email) -> str | None:
        judged.append(email.subject)
        return await judge(self, account, matcher, email)  # type: ignore[arg-type]

    monkeypatch.setattr(Waiting, "judge", noted)
    monkeypatch.setattr(lookout_module, "LOOK_AGAIN", 0.01)
    await street.file(*(a_message(n) for n in range(250)))
    wish = Wish(inbox_id=street.plain, criteria=subject(Should.MATCH, "^Number 25[24]$"), count=2, timeout=LONG)
    waiting = asyncio.create_task(street.wait(wish))
    while len(judged) < 250:
        await asyncio.sleep(0.01)
    for number in range(250, 255):
        await street.file(a_message(number))
    assert subjects(await waiting) == ["Number 252", "Number 254"]
    assert len(judged) == len(set(judged)) == 255


async def test_headers_can_be_waited_for(street: Street) -> None:
    waiting = asyncio.create_task(
        street.wait(
            Wish(
                inbox_id=street.plain,
                criteria=Criteria(matches=(Match(Place.HEADERS, Should.EQUAL, "x-token: 17"),)),
                timeout=LONG,
            )
        )
    )
    await street.file(a_message(1), b"X-Token: 17\r\n" + a_message(2))
    assert subjects(await waiting) == ["Number 2"]


async def test_exactly_so_many_means_no_more(street: Street) -> None:
    await street.file(a_message(1), a_message(2), a_message(3))
    exactly = Wish(inbox_id=street.plain, count=2, exactly=True, timeout=SHORT)
    assert "expected exactly 2 emails, found 3" in await street.why(exactly)
    [gone, *_] = await street.wait(Wish(inbox_id=street.plain, timeout=NONE))
    waiting = asyncio.create_task(street.wait(Wish(inbox_id=street.plain, count=2, exactly=True, timeout=LONG)))
    await asyncio.sleep(0.02)
    await street.house.mail.delete(street.account, gone.id)
    assert subjects(await waiting) == ["Number 2", "Number 3"]


async def test_only_the_unread_may_be_wanted(street: Street) -> None:
    await street.file(a_message(1), a_message(2))
    [first, _] = await street.wait(Wish(inbox_id=street.plain, count=2, timeout=NONE))
    await street.house.mail.mark_read(street.account, first.id)
    unread = Wish(inbox_id=street.plain, unread_only=True, count=2, timeout=SHORT)
    assert '"Number 1" has been read' in await street.why(unread)
    waiting = asyncio.create_task(
        street.wait(Wish(inbox_id=street.plain, unread_only=True, count=2, timeout=LONG, criteria=NUMBERED))
    )
    await asyncio.sleep(0.05)
    await street.house.mail.mark_read(street.account, first.id, read=False)
    assert subjects(await waiting) == ["Number 1", "Number 2"]


NUMBERED = subject(Should.CONTAIN, "Number")


async def test_what_is_read_or_deleted_during_the_wait_does_not_count(street: Street) -> None:
    await street.file(a_message(1), a_message(2))
    [first, second] = await street.wait(Wish(inbox_id=street.plain, count=2, timeout=NONE))
    wish = Wish(inbox_id=street.plain, count=3, unread_only=True, criteria=NUMBERED, timeout=LONG)
    waiting = asyncio.create_task(street.wait(wish))
    await asyncio.sleep(0.05)
    await street.house.mail.mark_read(street.account, first.id)
    await street.house.mail.delete(street.account, second.id)
    await street.file(a_message(3), a_message(4))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await street.file(a_message(5))
    assert subjects(await waiting) == ["Number 3", "Number 4", "Number 5"]


async def test_bounds_are_exclusive(street: Street) -> None:
    await street.file(a_message(1))
    await street.file(a_message(2))
    await street.file(a_message(3))
    first, _, third = await street.wait(Wish(inbox_id=street.plain, count=3, timeout=NONE))
    between = Wish(inbox_id=street.plain, since=first.created_at, before=third.created_at, timeout=NONE)
    assert subjects(await street.wait(between)) == ["Number 2"]


async def test_all_inboxes_can_be_waited_for_those_too_that_are_made_meanwhile(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout_module, "LOOK_AGAIN", 0.02)
    waiting = asyncio.create_task(street.wait(Wish(count=3, timeout=LONG)))
    await street.file(a_message(1))
    street.house.server.add(a_message(2))
    new = an_inbox(street.house.tenant.account, "new@posthouse.example")
    async with street.house.database.transaction() as tx:
        await tx.inboxes.add(new)
    await street.file(a_message(3), inbox=new.id)
    assert sorted(subjects(await waiting)) == ["Number 1", "Number 2", "Number 3"]


async def test_somebody_elses_inbox_is_not_there(street: Street) -> None:
    stranger = AccountId(new_id(utc_now()))
    for wish in (Wish(inbox_id=street.plain), Wish(inbox_id=InboxId(new_id(utc_now())))):
        with pytest.raises(NotFound):
            await street.waiting.wait(stranger, wish)
    with pytest.raises(NotFound):
        await street.waiting.mark(stranger, street.plain)


async def test_a_wait_ends_with_its_inbox(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout_module, "LOOK_AGAIN", 0.02)
    waiting = asyncio.create_task(street.wait(Wish(inbox_id=street.plain, timeout=LONG)))
    await asyncio.sleep(0.05)
    await street.house.inboxes.delete(street.account, street.plain)
    with pytest.raises(NotFound, match="deleted meanwhile"):
        await waiting


async def test_waits_end_when_the_server_stops(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout_module, "LOOK_AGAIN", 1000.0)
    waiting = asyncio.create_task(street.wait(Wish(inbox_id=street.plain, timeout=LONG)))
    await asyncio.sleep(0.05)
    street.lookout.stop()
    with pytest.raises(Unavailable):
        await waiting


async def test_no_wait_is_longer_than_the_longest(street: Street) -> None:
    street.lookout.longest = SHORT
    assert "found 0 in 150 ms" in await street.why(Wish(inbox_id=street.plain, timeout=timedelta(hours=1)))


async def test_a_cancelled_wait_leaves_nothing_behind(street: Street) -> None:
    before = asyncio.all_tasks()
    street.slowness = 0.05
    waits = [asyncio.create_task(street.wait(Wish(inbox_id=street.connected, timeout=LONG))) for _ in range(5)]
    await asyncio.sleep(0.03)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    while street.sync._refreshing:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert street.house.database.signals._listeners == {}


# --- marks -------------------------------------------------------------------------------------------------------


async def test_a_mark_separates_what_was_there_from_what_comes(street: Street) -> None:
    await street.file(a_message(1))
    mark = await street.waiting.mark(street.account, street.plain)
    for criteria in (Criteria(), NUMBERED):
        after = Wish(inbox_id=street.plain, after=mark, sort=Sort.DESC, criteria=criteria, timeout=SHORT)
        assert "No emails arrived after the mark." in await street.why(after)
    await street.file(a_message(2))
    for criteria in (Criteria(), NUMBERED):
        found = await street.wait(Wish(inbox_id=street.plain, after=mark, criteria=criteria, timeout=NONE))
        assert subjects(found) == ["Number 2"]


async def test_what_lies_at_the_server_comes_before_the_mark(street: Street) -> None:
    street.house.server.add(a_message(1))
    mark = await street.waiting.mark(street.account, street.connected)
    waiting = asyncio.create_task(
        street.wait(Wish(inbox_id=street.connected, after=mark, timeout=LONG, delay=timedelta(milliseconds=100)))
    )
    await asyncio.sleep(0.1)
    street.house.server.add(a_message(2))
    assert subjects(await waiting) == ["Number 2"]


async def test_marks_are_good_for_their_own_inbox_alone(street: Street) -> None:
    mark = await street.waiting.mark(street.account, street.plain)
    for wish in (
        Wish(inbox_id=street.connected, after=mark),
        Wish(after=mark),
        Wish(inbox_id=street.plain, after=Mark(street.plain, mark.position + 1)),
    ):
        with pytest.raises(Invalid, match="mark"):
            await street.wait(wish)


# --- asking the mailbox ------------------------------------------------------------------------------------------


async def test_a_hundred_waits_share_one_sync_at_a_time(street: Street) -> None:
    street.slowness = 0.02
    wish = Wish(inbox_id=street.connected, timeout=LONG, delay=timedelta(milliseconds=150))
    waits = []
    for _ in range(100):
        waits.append(asyncio.create_task(street.wait(wish)))
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.3)
    assert not any(wait.done() for wait in waits)
    street.house.server.add(a_message(1))
    found = await asyncio.gather(*waits)
    assert {email.id for emails in found for email in emails} == {found[0][0].id}
    assert street.most_at_once == 1
    assert street.opened < 30


async def test_the_newest_email_is_looked_for_at_the_server_first(street: Street) -> None:
    street.house.server.add(a_message(1))
    await street.house.sync()
    street.house.server.add(a_message(2))
    newest = await street.wait(Wish(inbox_id=street.connected, sort=Sort.DESC, timeout=LONG))
    assert subjects(newest) == ["Number 2"]


async def test_a_failing_mailbox_does_not_end_a_wait_and_is_told_of(street: Street) -> None:
    street.failure = Unreachable("cannot reach fake.example")
    await street.waiting.refresh(street.account)
    why = await street.why(Wish(inbox_id=street.connected, timeout=SHORT))
    assert "is failing since 12:0" in why
    assert "cannot reach fake.example" in why
    waiting = asyncio.create_task(
        street.wait(Wish(inbox_id=street.connected, timeout=LONG, delay=timedelta(milliseconds=100)))
    )
    await asyncio.sleep(0.15)
    street.failure = None
    street.house.server.add(a_message(1))
    assert subjects(await waiting) == ["Number 1"]


async def test_a_mailbox_that_refuses_us_is_not_asked_again_and_again(street: Street) -> None:
    street.failure = CredentialsRefused("the password is wrong")
    for _ in range(5):
        await street.waiting.refresh(street.account)
    assert "the password is wrong" in await street.why(Wish(inbox_id=street.connected, timeout=SHORT, delay=NONE))
    assert street.opened == 3


async def test_a_mailbox_that_can_t_be_asked_is_told_of(street: Street) -> None:
    await street.house.connectors.delete_imap(street.account, street.house.connector.id)
    assert "has no IMAP connection" in await street.why(Wish(inbox_id=street.connected, timeout=SHORT))
    assert street.opened == 0


async def test_a_server_that_pushes_is_not_asked_until_that_is_doubted(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_pushes", lambda report: True)
    await street.why(Wish(inbox_id=street.connected, timeout=SHORT, sort=Sort.DESC))
    assert street.opened == 0
    monkeypatch.setattr(module, "DOUBT", 0.1)
    street.house.server.add(a_message(1))
    assert subjects(await street.wait(Wish(inbox_id=street.connected, timeout=LONG))) == ["Number 1"]


async def test_a_list_asks_the_mailbox_unless_that_is_in_vain(street: Street) -> None:
    street.house.server.add(a_message(1))
    await street.waiting.refresh(street.account, [street.connected], unless_fresh=True)
    assert len(await street.house.emails()) == 1
    street.failure = Unreachable("gone")
    for _ in range(3):
        await street.waiting.refresh(street.account, [street.connected], unless_fresh=True)
    assert street.opened == 2
    await street.waiting.refresh(street.account)  # asked for in so many words
    assert street.opened == 3


async def test_a_slow_mailbox_holds_up_nobody_who_is_impatient(street: Street) -> None:
    street.slowness = 0.2
    street.house.server.add(a_message(1))
    await street.waiting.refresh(street.account, patience=0.01)
    assert await street.house.emails() == []
    assert len(await street.wait(Wish(inbox_id=street.connected, timeout=LONG))) == 1


# --- why nothing came --------------------------------------------------------------------------------------------


async def test_a_failure_says_what_came_instead(street: Street) -> None:
    mark = await street.waiting.mark(street.account, street.plain)
    await street.file(a_message(1), a_message(2))
    wish = Wish(inbox_id=street.plain, after=mark, criteria=subject(Should.EQUAL, "Number 3"), timeout=SHORT)
    assert await street.why(wish) == (
        f"Failed to satisfy email query for inbox ID {street.plain} (plain@posthouse.example): "
        "expected at least 1 email, found 0 in 150 ms (unread only: false, sort: ASC). "
        "2 emails arrived after the mark. "
        '"Number 2" failed SUBJECT EQUAL "Number 3"; "Number 1" failed SUBJECT EQUAL "Number 3". '
        "The inbox has no connector that could bring mail."
    )


async def test_a_failure_says_how_fresh_the_inbox_is(street: Street) -> None:
    await street.waiting.refresh(street.account)
    why = await street.why(Wish(inbox_id=street.connected, timeout=SHORT))
    assert "There are no emails there. It was last proved fresh " in why
    assert why.endswith(" s ago.")


async def test_a_failure_for_all_inboxes_names_the_mailboxes_that_fail(street: Street) -> None:
    street.failure = Unreachable("cannot reach fake.example")
    await street.waiting.refresh(street.account)
    why = await street.why(Wish(timeout=SHORT))
    assert why.startswith("Failed to satisfy email query for inboxes of the account: expected at least 1 email")
    assert "ann@example.org: Its connector is failing since" in why


# --- that nothing comes ------------------------------------------------------------------------------------------


async def test_that_nothing_came_is_proved_after_the_time_was_over(street: Street) -> None:
    street.house.server.add(a_message(1))  # before, and so not meant
    began = street.house.clock()
    as_of = await street.waiting.assert_none(street.account, Wish(inbox_id=street.connected, timeout=SHORT))
    assert began < as_of < street.house.clock()
    assert await street.waiting.assert_none(street.account, Wish(inbox_id=street.plain, timeout=SHORT)) > as_of


async def test_something_that_came_is_named(street: Street) -> None:
    mark = await street.waiting.mark(street.account, street.connected)
    street.house.server.add(a_message(7))
    wish = Wish(inbox_id=street.connected, after=mark, timeout=NONE)  # only the proof at the end can find it
    with pytest.raises(Conflict, match=r'should not have: "Number 7" from ann@example\.org'):
        await street.waiting.assert_none(street.account, wish)
    other = Wish(inbox_id=street.connected, after=mark, timeout=NONE, criteria=subject(Should.EQUAL, "Number 8"))
    assert await street.waiting.assert_none(street.account, other)


async def test_without_a_proof_nothing_is_asserted(street: Street) -> None:
    street.failure = Unreachable("cannot reach fake.example")
    with pytest.raises(RemoteError, match=r"can't be proved: cannot reach fake\.example"):
        await street.waiting.assert_none(street.account, Wish(inbox_id=street.connected, timeout=SHORT))
