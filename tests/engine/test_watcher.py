"""One connector, looked after: told by the server, asking where it can't tell, and never believing it blindly."""

import asyncio
from datetime import timedelta

import pytest

from posthouse.engine import watcher as watcher_module
from posthouse.engine.rounds import Rounds
from posthouse.engine.watcher import Watcher
from posthouse.model.connectors import SyncSettings
from posthouse.model.errors import CredentialsRefused, Deferred, PosthouseError, Unavailable, Unreachable
from posthouse.model.events import Transcript
from posthouse.model.standing import Mode, MomentKind, Pace, State
from posthouse.model.values import Backoff, utc_now
from posthouse.services import watching as watching_module
from posthouse.services.connectors import NewConnector
from posthouse.services.watching import Watching
from posthouse.store.signals import Listener
from services.fakes import a_message

from .conftest import IMAP, House, until
from .fakes import CAPABILITY, PushMailbox


async def has(house: House, count: int) -> bool:
    return len(await house.subjects()) == count


async def moment_of(house: House, kind: MomentKind) -> bool:
    return kind in await house.kinds()


# Told by the server


async def test_pushed_mail_is_synced_at_once_and_idle_is_entered_again(house: House) -> None:
    house.rounds = Rounds(pace=Pace(shortest=timedelta(hours=1)))
    async with house.watched():
        for number in range(3):
            house.server.deliver(a_message(number))
            await until(lambda count=number + 1: has(house, count), f"message {number}")  # type: ignore[misc]
        await until(lambda: house.server.last == "idle", "IDLE again")
        standing = await house.standing()
    assert (house.server.opened, "noop" in house.server.log) == (1, False)
    assert (standing.mode, standing.pushed_at is not None) == (Mode.PUSH, True)
    assert [event.size for event in await house.events()] == [0, 1, 1, 1]


async def test_mail_that_comes_while_a_sync_runs_is_not_overlooked(house: House) -> None:
    house.rounds = Rounds(pace=Pace(shortest=timedelta(hours=1)))
    async with house.watched():
        house.server.hold = asyncio.Event()
        house.server.deliver(a_message(1))
        await until(lambda: house.server.last == "arrivals", "the sync")
        house.server.deliver(a_message(2))
        house.server.hold.set()
        house.server.deliver(a_message(3))
        await until(lambda: has(house, 3), "all three")


async def test_freshness_is_proved_by_the_servers_word_and_only_by_it(house: House) -> None:
    async with house.watched():
        first = (await house.standing()).fresh_as_of
        assert first is not None
        await until(lambda: "noop" in house.server.log, "a proof")

        async def later() -> bool:
            await house.ours.watching.flush()
            proved = (await house.standing()).fresh_as_of
            return proved is not None and proved > first

        await until(later, "a later proof")
    assert house.server.log.count("select INBOX") == 1  # asking is cheaper than syncing


async def test_a_proof_ends_the_problem_that_a_process_has_noted_which_others_took_for_dead(house: House) -> None:
    async with house.watched():
        late = Unreachable("the server broke the connection off")
        await house.process().sync.note_failure(house.connector, late, Transcript())
        assert (await house.standing()).problem == late.message

        async def over() -> bool:
            await house.ours.watching.flush()
            return (await house.standing()).problem is None

        await until(over, "a proof")
        assert (await house.standing()).failures == 0


# A server that promises to tell, and does not


async def test_a_deaf_idle_is_caught_by_the_proof_and_the_server_is_asked_from_then_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "DEFAULT_INTERVAL", timedelta(seconds=0.1))
    async with house.watched():
        house.server.deaf = True
        house.server.deliver(a_message(1))
        await until(lambda: has(house, 1), "the message, by the proof")
        await until(lambda: moment_of(house, MomentKind.DOWNGRADED), "the downgrade")
        house.server.deliver(a_message(2))
        await until(lambda: has(house, 2), "the next one, by asking")
        await until(lambda: house.server.last == "idle", "IDLE, for it may change its mind")
        report = await house.ours.watching.report(house.tenant.account.id, house.connector.id)
    assert report.standing.mode is Mode.POLL
    [downgraded] = [moment for moment in report.timeline if moment.kind is MomentKind.DOWNGRADED]
    assert "promised to push new mail (IDLE) and did not" in downgraded.text


async def test_a_server_that_has_told_before_may_be_late_now_and_then(house: House) -> None:
    async with house.watched():
        house.server.deliver(a_message(1))
        await until(lambda: has(house, 1), "the first message")
        for number in (2, 4):
            house.server.deaf = True
            house.server.deliver(a_message(number))
            await until(lambda count=number: has(house, count), "a message by the proof")  # type: ignore[misc]
            house.server.deaf = False
            house.server.deliver(a_message(number + 1))
            await until(lambda count=number + 1: has(house, count), "a message that it tells of")  # type: ignore[misc]
        assert not await moment_of(house, MomentKind.DOWNGRADED)
        house.server.deaf = True
        for number in (6, 7):
            house.server.deliver(a_message(number))
            await until(lambda count=number: has(house, count), "a message by the proof")  # type: ignore[misc]
        await until(lambda: moment_of(house, MomentKind.DOWNGRADED), "the downgrade, when it is late twice")


async def test_a_server_that_may_be_deaf_is_asked_again_before_its_turn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "_ONCE_MORE", timedelta(seconds=0.05))
    async with house.watched():
        house.server.deliver(a_message(1))
        await until(lambda: has(house, 1), "the first message")
        house.server.deaf = True
        house.server.deliver(a_message(2))
        await until(lambda: has(house, 2), "the second, by the proof")
        house.rounds.pace = Pace(shortest=timedelta(hours=1))  # no turn comes any more
        house.server.deliver(a_message(3))
        await until(lambda: moment_of(house, MomentKind.DOWNGRADED), "the downgrade")


async def test_a_server_that_was_taken_for_deaf_and_tells_is_believed_again(house: House) -> None:
    async with house.watched():
        house.server.deaf = True
        house.server.deliver(a_message(1))
        await until(lambda: moment_of(house, MomentKind.DOWNGRADED), "the downgrade")
        house.rounds.pace = Pace(shortest=timedelta(hours=1))
        house.server.deaf = False
        house.server.deliver(a_message(2))
        await until(lambda: has(house, 2), "the message, as it is told of")
        await until(lambda: moment_of(house, MomentKind.UPGRADED), "the line that says so")
        assert (await house.standing()).mode is Mode.PUSH


async def test_a_server_that_shows_new_mail_only_when_the_folder_is_opened_anew_is_not_believed_either(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "GLANCE", timedelta(seconds=0.3))
    monkeypatch.setattr(watching_module, "DEFAULT_INTERVAL", timedelta(seconds=0.2))
    async with house.watched():
        house.server.deaf = house.server.mute = True
        house.server.deliver(a_message(1))
        await until(lambda: has(house, 1), "the message")
        await until(lambda: moment_of(house, MomentKind.DOWNGRADED), "the downgrade")


async def test_new_settings_let_a_deaf_server_try_again(house: House) -> None:
    async with house.watched():
        house.server.deaf = True
        house.server.deliver(a_message(1))
        await until(lambda: moment_of(house, MomentKind.DOWNGRADED), "the downgrade")
        house.server.deaf = False
        await house.connectors.change_imap(house.tenant.account.id, house.connector.id, lambda old: old)
        await house.connectors.set_schedule(
            house.tenant.account.id, house.connector.id, SyncSettings(enabled=True, interval=timedelta(hours=2))
        )

        async def pushed() -> bool:
            return (await house.standing()).mode is Mode.PUSH

        await until(pushed, "push again")


# A server that can't tell


async def test_without_idle_the_interval_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "DEFAULT_INTERVAL", timedelta(seconds=0.2))
    house.server.pushes = False
    async with house.watched():
        began, before = asyncio.get_running_loop().time(), house.server.log.count("select INBOX")
        house.server.deliver(a_message(1))
        await until(lambda: has(house, 1), "the message")
        await until(lambda: house.server.log.count("select INBOX") >= before + 5, "five looks")
        took = asyncio.get_running_loop().time() - began
    assert took >= 4 * 0.2 * 0.9  # jitter takes off a tenth at the most
    assert (house.server.opened, "idle" in house.server.log) == (1, False)
    assert (await house.standing()).mode is Mode.POLL


# What goes wrong


class Pauses:
    """Listens to the pauses of a watcher, and lets none take time; ends it after so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, watcher: Watcher, most: int) -> None:
        self.seconds: list[float] = []

        async def next_(_listener: Listener, within: float) -> bool:
            self.seconds.append(within)
            if len(self.seconds) == most:
                watcher.end()
            return False

        monkeypatch.setattr(Listener, "next", next_)


async def test_pauses_grow_with_every_failure_have_jitter_and_a_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "BACKOFF", Backoff(first=timedelta(seconds=5), most=timedelta(minutes=15)))
    house.server.closed_to = Unreachable("the server is away")
    watcher = house.watcher()
    pauses = Pauses(monkeypatch, watcher, 14)
    await watcher.run()
    expected = [min(5.0 * 2**n, 900.0) for n in range(14)]
    assert all(0.9 * most <= pause <= most for pause, most in zip(pauses.seconds, expected, strict=True))
    assert len({round(pause / most, 6) for pause, most in zip(pauses.seconds, expected, strict=True)}) > 5
    standing = await house.standing()
    assert (standing.failures, standing.problem) == (14, "the server is away")
    assert standing.due_at is not None
    assert timedelta(seconds=790) < standing.due_at - utc_now() <= timedelta(minutes=15)
    assert [moment.text for moment in await house.timeline()] == ["the server is away"]  # said once, not 14 times


async def test_a_server_that_ends_each_session_after_a_good_sync_is_asked_less_and_less(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []

    class Counting(Backoff):
        def pause(self, failures: int) -> timedelta:
            counted.append(failures)
            return timedelta(milliseconds=1)

    monkeypatch.setattr(watcher_module, "BACKOFF", Counting(first=timedelta(0), most=timedelta(0)))

    async def idle(self: PushMailbox, _wake: object, _rest: float) -> bool:
        self.whole = False
        raise Unreachable("the server broke the connection off")

    monkeypatch.setattr(PushMailbox, "idle", idle)
    async with house.watched():
        await until(lambda: len(counted) >= 5, "five pauses")
    assert counted[:5] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("where", ["closed_to", "trouble", "dead"])
@pytest.mark.parametrize(("hint", "least", "most"), [(92.415, 92.4, 102), (7 * 24 * 3600, 3600, 3600)])
async def test_the_pause_that_a_server_wishes_for_is_kept_up_to_an_hour(
    house: House, monkeypatch: pytest.MonkeyPatch, where: str, hint: float, least: float, most: float
) -> None:
    setattr(house.server, where, Deferred("not now", retry_after=timedelta(seconds=hint)))
    watcher = house.watcher()
    pauses = Pauses(monkeypatch, watcher, 1)
    await watcher.run()
    assert least <= pauses.seconds[0] <= most
    last = (await house.timeline())[-1]
    assert (last.kind, "the server wants a pause" in last.text) == (MomentKind.THROTTLED, True)


async def test_refused_three_times_a_connector_is_left_alone_until_its_settings_change(house: House) -> None:
    account, connector = house.tenant.account.id, house.connector.id
    house.server.closed_to = CredentialsRefused("fake refused the user name or password")
    watcher = house.watcher()
    task = asyncio.create_task(watcher.run())
    await until(lambda: moment_of(house, MomentKind.STOPPED), "the stop")
    await asyncio.sleep(0.3)
    assert house.server.log == ["connect"] * 3
    report = await house.ours.watching.report(account, connector)
    assert (report.state, report.standing.locked_out, report.standing.due_at) == (State.BROKEN, True, None)
    assert report.standing.problem == "fake refused the user name or password"
    assert "until the settings change" in report.timeline[0].text
    assert [moment.kind for moment in report.timeline].count(MomentKind.STOPPED) == 1

    house.server.closed_to = None
    await house.connectors.change_imap(account, connector, lambda old: old)
    await until(lambda: house.server.opened == 1, "another try, at once", within=1.0)
    await until(lambda: house.server.last == "idle", "IDLE")
    report = await house.ours.watching.report(account, connector)
    assert (report.state, report.standing.problem) == (State.FRESH, None)
    watcher.end()
    await task


async def test_what_works_again_is_said(house: House) -> None:
    async with house.watched():
        house.server.dead = Unreachable("fake broke the connection off")
        house.server.stir()
        await until(lambda: moment_of(house, MomentKind.FAILED), "the failure")
        house.server.dead = None
        await until(lambda: house.server.opened == 2 and house.server.last == "idle", "IDLE")
        assert "working again" in [moment.text for moment in await house.timeline()]
        assert (await house.standing()).failures == 0


async def test_the_end_of_a_long_session_at_rest_is_no_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "SURVIVED", timedelta(0))
    async with house.watched():
        house.server.dead = Unreachable("fake closed the connection: timeout")
        house.server.stir()
        await until(lambda: moment_of(house, MomentKind.DISCONNECTED), "the end")
        house.server.dead = None
        await until(lambda: house.server.opened == 2 and house.server.last == "idle", "another session")
        assert MomentKind.FAILED not in await house.kinds()
        assert (await house.standing()).failures == 0


async def test_a_proof_without_an_answer_is_a_failure_however_long_the_session_lasted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "SURVIVED", timedelta(0))
    async with house.watched():
        house.server.dead = Unreachable("fake did not answer within 12 s")
        await until(lambda: moment_of(house, MomentKind.FAILED), "the failure")
        assert (await house.standing()).problem == "fake did not answer within 12 s"
        house.server.dead = None


async def test_a_database_that_is_away_for_a_moment_costs_a_short_pause(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [Unavailable("the database does not answer"), Unavailable("the database does not answer")]
    real = Watching.note

    async def note(self: Watching, *words: object, **more: object) -> None:
        if failures:
            raise failures.pop()
        await real(self, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Watching, "note", note)
    async with house.watched():
        await until(lambda: house.server.last == "idle", "IDLE, after two broken rounds")
    assert house.server.opened == 3
    assert house.server.log.count("logout") == 3
    assert (await house.standing()).failures == 0


# When there is nothing to look after any more


@pytest.mark.parametrize("how", ["disabled", "deleted", "schedule removed", "schedule off", "connection removed"])
async def test_it_ends_with_a_goodbye_when_there_is_nothing_left_to_do(house: House, how: str) -> None:
    account, connector = house.tenant.account.id, house.connector.id
    task = asyncio.create_task(house.watcher().run())
    await until(lambda: "idle" in house.server.log, "IDLE")
    match how:
        case "disabled":
            await house.connectors.change(account, connector, NewConnector(enabled=False))
        case "deleted":
            await house.connectors.delete(account, connector)
        case "schedule removed":
            await house.connectors.delete_schedule(account, connector)
        case "schedule off":
            await house.connectors.set_schedule(account, connector, SyncSettings(enabled=False))
        case "connection removed":
            await house.connectors.delete_imap(account, connector)
    async with asyncio.timeout(2):
        await task
    assert (house.server.last, house.server.present) == ("logout", 0)
    if how != "deleted":
        report = await house.ours.watching.report(account, connector)
        assert (report.state, report.standing.mode) == (State.PAUSED, Mode.MANUAL)


async def test_asked_to_end_it_says_goodbye_from_idle(house: House) -> None:
    watcher = house.watcher()
    task = asyncio.create_task(watcher.run())
    await until(lambda: "idle" in house.server.log, "IDLE")
    watcher.end()
    async with asyncio.timeout(2):
        await task
    assert (house.server.last, house.server.present) == ("logout", 0)


# The session is lent


async def test_a_direct_sync_borrows_the_session_and_shows_its_sign_in(house: House) -> None:
    async with house.watched():
        house.server.deaf = True
        house.server.deliver(a_message(1))
        outcome = await house.ours.sync.run(house.tenant.account.id, house.connector.id, logging=True)
        assert (len(outcome.email_ids), outcome.failure, house.server.opened) == (1, None, 1)
        assert outcome.logs is not None
        assert CAPABILITY in outcome.logs
        await until(lambda: house.server.last == "idle", "IDLE again")
        assert MomentKind.DOWNGRADED not in await house.kinds()


async def test_many_who_ask_share_the_session_one_after_the_other(house: House) -> None:
    async with house.watched():
        house.server.add(a_message(1))
        account, connector = house.tenant.account.id, house.connector.id
        outcomes = await asyncio.gather(*(house.ours.sync.run(account, connector) for _ in range(8)))
    assert sum(len(outcome.email_ids) for outcome in outcomes) == 1
    assert house.server.opened == 1


async def test_a_broken_session_serves_nobody(house: House) -> None:
    async with house.watched():
        account, connector = house.tenant.account.id, house.connector.id
        house.server.hold = asyncio.Event()
        first = asyncio.create_task(house.ours.sync.run(account, connector))
        await until(lambda: house.server.last == "select INBOX", "the first borrower")
        second = asyncio.create_task(house.ours.sync.run(account, connector))
        await asyncio.sleep(0.02)
        house.server.dead = Unreachable("fake broke the connection off")
        house.server.hold.set()
        assert (await first).failure == "fake broke the connection off"
        house.server.dead = None
        outcome = await second
    assert outcome.failure is None
    assert house.server.opened >= 2


async def test_a_sync_of_another_folder_leaves_the_watch_where_it_was(house: House) -> None:
    house.rounds = Rounds(pace=Pace(shortest=timedelta(hours=1)))
    async with house.watched():
        await house.ours.sync.run(house.tenant.account.id, house.connector.id, folder="Archive")
        await until(lambda: house.server.last == "idle", "IDLE")
        house.server.deliver(a_message(1))
        await until(lambda: has(house, 1), "a message in INBOX, pushed")


async def test_what_a_narrower_sync_has_seen_and_left_is_fetched_by_the_watch(house: House) -> None:
    async with house.watched():
        house.server.add(a_message(1))
        tomorrow = utc_now() + timedelta(days=1)
        outcome = await house.ours.sync.run(house.tenant.account.id, house.connector.id, since=tomorrow)
        assert outcome.email_ids == ()
        await until(lambda: has(house, 1), "the message", within=1.0)


async def test_new_settings_count_although_somebody_waits_for_the_session(house: House) -> None:
    async with house.watched():
        account, connector = house.tenant.account.id, house.connector.id
        await asyncio.gather(
            house.connectors.change_imap(account, connector, lambda _old: IMAP),
            house.connectors.set_schedule(account, connector, SyncSettings(enabled=True, interval=timedelta(hours=3))),
            house.ours.sync.run(account, connector),
        )
        await until(lambda: moment_of(house, MomentKind.CHANGED), "the change", within=2.0)


async def test_who_borrows_when_the_watch_ends_is_served_first(house: House) -> None:
    watcher = house.watcher()
    task = asyncio.create_task(watcher.run())
    await until(lambda: "idle" in house.server.log, "IDLE")
    house.server.hold = asyncio.Event()
    borrower = asyncio.create_task(house.ours.sync.run(house.tenant.account.id, house.connector.id))
    await until(lambda: house.server.last == "select INBOX", "the borrower")
    watcher.end()
    await asyncio.sleep(0.05)
    house.server.hold.set()
    assert (await borrower).failure is None
    await task
    assert house.server.last == "logout"


async def test_no_fault_of_the_mailbox_ends_the_watch(house: House) -> None:
    """Whatever is raised, expected or not, the next round begins."""
    for trouble in (PosthouseError("ours"), RuntimeError("nobody's")):
        house.server.closed_to = trouble  # type: ignore[assignment]
        watcher = house.watcher()
        task = asyncio.create_task(watcher.run())
        await until(lambda: "connect" in house.server.log, "a try")
        await asyncio.sleep(0.05)
        assert not task.done()
        watcher.end()
        await task
        house.server.log.clear()


async def test_a_cancelled_sync_goes_on_when_the_interval_is_over_and_not_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, running = house.tenant.account.id, house.ours.sync.running
    house.server.deliver(*(a_message(number) for number in range(3)))
    house.server.hold = asyncio.Event()
    watcher = house.watcher()
    task = asyncio.create_task(watcher.run())
    await until(lambda: house.server.last == "select INBOX", "the sync")
    await running.cancel(account, house.connector.id)
    house.server.hold.set()

    async def planned() -> bool:
        due_at = (await house.standing()).due_at
        return due_at is not None and due_at - utc_now() > timedelta(minutes=4)

    await until(planned, "a pause as long as the interval")
    assert house.server.opened == 1
    [event] = await house.events()
    assert event.message == "cancelled: 0 of 3 messages are filed, the next sync goes on"
    assert MomentKind.FAILED not in await house.kinds()
    outcome = await house.ours.sync.run(account, house.connector.id)
    assert len(outcome.email_ids) == 3
    watcher.end()
    async with asyncio.timeout(20):
        await task
