"""Who is asked when, by a clock that we move: everybody in turn, somebody of each host, and who is doubted at once."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from posthouse.engine.rounds import AGAIN, HOST, HOSTS_A_SECOND, LATE, SPREAD, TICK, Rounds, Turn
from posthouse.model.standing import PACE
from posthouse.store.signals import Bell

SHORTEST, LONGEST = PACE.shortest.total_seconds(), PACE.longest.total_seconds()


@dataclass
class Fleet:
    """Sessions that answer at once, but for those of `dead` hosts, and `slow` ones."""

    now: float = 1000.0
    dead: set[str] = field(default_factory=set)
    slow: set[Turn] = field(default_factory=set)
    asked: list[tuple[float, Turn]] = field(default_factory=list)
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self.rounds = Rounds(lambda: self.now)

    def add(self, count: int, host: str = "imap.example.net") -> list[Turn]:
        return [self.rounds.join(host, Bell()) for _ in range(count)]

    def pass_time(self, seconds: float, step: float = TICK) -> list[Turn]:
        """Who was asked meanwhile, in this order."""
        before, end = len(self.asked), self.now + seconds
        while self.now < end:
            self.now += step
            for turn in self.rounds.due():
                self.asked.append((self.now, turn))
                if turn.host.name not in self.dead and turn not in self.slow:
                    turn.answered()
        return [turn for _, turn in self.asked[before:]]

    def gaps(self, turn: Turn) -> list[float]:
        """The seconds between the times at which it was asked."""
        moments = [at for at, each in self.asked if each is turn]
        return [later - earlier for earlier, later in pairwise(moments)]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


# Everybody in turn


@pytest.mark.parametrize("count", [1, 2, 7, 100, 1800])
def test_in_a_small_fleet_each_is_asked_once_in_45_seconds(fleet: Fleet, count: int) -> None:
    turns = fleet.add(count)
    first = fleet.pass_time(SHORTEST + 2 * TICK)
    assert set(first) == set(turns)
    fleet.pass_time(4 * SHORTEST)
    for turn in turns[:: max(1, count // 20)]:
        assert all(abs(gap - SHORTEST) <= 2 * TICK for gap in fleet.gaps(turn))


def test_ten_thousand_are_asked_in_rounds_that_take_longer_and_never_faster_than_the_pace(fleet: Fleet) -> None:
    turns = fleet.add(10_000)
    assert fleet.rounds.length == 10_000 / PACE.a_second == 250
    asked = fleet.pass_time(251)
    assert set(asked) == set(turns)
    assert len(asked) <= 251 * PACE.a_second + 1


def test_no_round_takes_longer_than_five_minutes(fleet: Fleet) -> None:
    turns = fleet.add(20_000)
    assert fleet.rounds.length == LONGEST
    assert set(fleet.pass_time(LONGEST + 1)) == set(turns)


def test_questions_are_spread_though_all_have_come_at_the_same_moment(fleet: Fleet) -> None:
    fleet.add(900)
    for _ in range(100):
        assert len(fleet.pass_time(TICK)) <= 900 / SHORTEST * TICK + 1


def test_who_was_heard_a_moment_ago_is_asked_last(fleet: Fleet) -> None:
    turns = fleet.add(90)
    fleet.pass_time(10)
    turns[50].answered()
    asked = fleet.pass_time(SHORTEST)
    assert asked[-1] is turns[50] or asked.index(turns[50]) > 80


def test_who_comes_while_a_round_is_on_is_asked_after_a_round_and_puts_off_nobody_else(fleet: Fleet) -> None:
    old = fleet.add(100)
    fleet.pass_time(20)
    new = fleet.add(300)
    asked = fleet.pass_time(SHORTEST + TICK)
    assert set(asked) >= {*old, *new}
    assert all(gap <= SHORTEST + 2 * TICK for turn in old for gap in fleet.gaps(turn))


def test_who_has_left_is_not_asked(fleet: Fleet) -> None:
    stays, leaves = fleet.add(2)
    fleet.dead.add("imap.example.net")
    fleet.pass_time(SHORTEST)
    leaves.leave()
    leaves.leave()
    leaves.answered()
    assert leaves not in fleet.pass_time(3 * SHORTEST)
    stays.leave()
    assert fleet.pass_time(3 * SHORTEST) == []


def test_a_turn_that_was_not_taken_yet_is_no_second_question(fleet: Fleet) -> None:
    [busy] = fleet.add(1)
    fleet.slow.add(busy)
    assert fleet.pass_time(5 * SHORTEST) == [busy]
    assert busy.due
    assert busy.is_set()
    busy.answered()
    assert not busy.due


def test_after_a_pause_of_the_process_the_rounds_go_on_as_before(fleet: Fleet) -> None:
    fleet.add(1000)
    fleet.now += 3600
    assert len(fleet.pass_time(TICK)) <= 3 * 1000 / SHORTEST


# Somebody of each host


def test_in_long_rounds_somebody_of_each_host_is_asked_every_few_seconds(fleet: Fleet) -> None:
    fleet.add(8000, "large.example")
    few = {host: fleet.add(10, host) for host in (f"host{number}.example" for number in range(200))}
    assert fleet.rounds.length > 200
    fleet.pass_time(300)
    for turns in few.values():
        moments = [at for at, turn in fleet.asked if turn in turns]
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert max(gaps) <= HOST + 4.0  # all came at once, and are so many a second
        assert {turn for _, turn in fleet.asked if turn in turns} == set(turns)  # by turns


def test_thousands_of_hosts_cost_no_more_than_there_is_room_for_and_all_come_in_a_round(fleet: Fleet) -> None:
    turns = [turn for number in range(6000) for turn in fleet.add(1, f"host{number}.example")]
    length = fleet.rounds.length
    asked = fleet.pass_time(length + TICK)
    assert set(asked) == set(turns)
    assert len(asked) <= (PACE.a_second + HOSTS_A_SECOND) * (length + 2) + 2 * HOSTS_A_SECOND


def test_in_short_rounds_nobody_is_asked_for_the_hosts_sake(fleet: Fleet) -> None:
    for number in range(50):
        fleet.add(1, f"host{number}.example")
    assert len(fleet.pass_time(2 * SHORTEST)) <= 101


# Doubt


def until_all_are_asked(fleet: Fleet, turns: list[Turn]) -> float:
    """Seconds from now until each of them is asked, though it was asked before."""
    began, left = fleet.now, set(turns)
    while left:
        assert fleet.now - began < 600
        left.difference_update(fleet.pass_time(TICK))
    return fleet.now - began


@pytest.mark.parametrize("others", [0, 9000])
@pytest.mark.parametrize("count", [2, 40, 2000])
def test_all_sessions_of_a_host_that_falls_silent_are_asked_in_time_to_be_shown_within_a_minute(
    fleet: Fleet, count: int, others: int
) -> None:
    fleet.add(others, "large.example")
    turns = fleet.add(count, "small.example")
    fleet.pass_time(300)
    fleet.dead.add("small.example")
    for turn in turns:
        turn.due = False
    took = until_all_are_asked(fleet, turns)
    patience = 12.0  # of a question, in `remote.bounds`
    in_small_fleets = SHORTEST if fleet.rounds.length <= SHORTEST else 0.0
    assert took <= max(HOST + LATE + SPREAD + 3 * TICK, in_small_fleets + TICK)
    assert took + patience <= 60.0


def test_a_failure_has_all_others_of_the_host_asked_and_nobody_else(fleet: Fleet) -> None:
    turns, strangers = fleet.add(5000, "one.example"), fleet.add(5000, "other.example")
    fleet.pass_time(10)
    fleet.now += 0.1
    turns[0].failed()
    turns[0].leave()
    asked = fleet.pass_time(SPREAD + TICK)
    assert set(asked) >= set(turns[1:])
    assert len(set(asked) & set(strangers)) <= (SPREAD + TICK) * PACE.a_second + 1


def test_doubt_is_paced(fleet: Fleet) -> None:
    turns = fleet.add(5000)
    turns[0].failed()
    for _ in range(20):
        assert len(fleet.pass_time(TICK)) <= (5000 / SPREAD + PACE.a_second * 4) * TICK + 2


def test_a_host_that_fails_all_the_time_is_doubted_now_and_then(fleet: Fleet) -> None:
    turns = fleet.add(3000)
    fleet.pass_time(60)
    asked = 0
    for _ in range(int(2 * AGAIN)):
        turns[0].failed()
        asked += len(fleet.pass_time(1.0))
    assert asked <= 2 * 3000 + 2 * AGAIN * 3000 / fleet.rounds.length + 10


def test_one_that_is_slow_among_others_that_answer_casts_no_doubt(fleet: Fleet) -> None:
    turns = fleet.add(3000)
    fleet.slow.add(turns[7])
    assert len(fleet.pass_time(150)) <= 150 * 3000 / fleet.rounds.length + 1


def test_after_a_pause_of_our_own_nobody_is_doubted_whose_answer_was_not_read_yet(fleet: Fleet) -> None:
    turns = fleet.add(3000)
    fleet.slow.update(turns)
    while not fleet.pass_time(TICK):
        pass
    fleet.slow.clear()
    fleet.now += 2 * LATE
    fleet.pass_time(TICK)
    for turn in filter(lambda turn: turn.due, turns):
        turn.answered()
    assert len(fleet.pass_time(SPREAD)) <= SPREAD * 3000 / fleet.rounds.length + 1


# Beside the wake


def test_a_turn_is_heard_by_the_same_ear_as_the_wake() -> None:
    heard: list[str] = []
    bell, rounds = Bell(), Rounds(lambda: 0.0)
    turn = rounds.join("imap.example.net", bell)
    assert not turn.is_set()
    turn.ear = lambda: heard.append("knock")
    bell.set()
    assert (heard, turn.is_set()) == (["knock"], True)
    turn.ear = None
    bell.set()
    assert heard == ["knock"]
