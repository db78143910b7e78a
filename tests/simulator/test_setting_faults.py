"""Faults are set by name, heal after so many strikes, and may come at random."""

import pytest

from posthouse.simulator import Faults, NoSuchFault
from posthouse.simulator.faults import CHANCES, NAMES, SMTP_STATES
from simulator.clients import mail


async def test_a_bounded_fault_heals_after_its_strikes(provider, ann):
    provider.faults.set("throttle", 1500, times=2)
    assert provider.faults.shown() == {"throttle": {"value": 1500, "times": 2}}
    assert (await ann.imap("NOOP"))[0].startswith("t BAD Request is throttled")
    assert provider.faults.shown() == {"throttle": {"value": 1500, "times": 1}}
    assert (await ann.imap("NOOP"))[0].startswith("t BAD Request is throttled")
    assert await ann.imap("NOOP") == ["t OK Nothing done"]
    assert provider.faults.shown() == {}
    assert provider.faults.strikes == {"throttle": 2}


async def test_a_bounded_half_open_kills_one_connection(provider, ann, another):
    provider.faults.set("half_open", times=1)
    await ann.send("t NOOP\r\n")
    assert await ann.silent()
    assert await (await another()).imap("NOOP") == ["t OK Nothing done"]


async def test_a_bounded_deaf_idle_lasts_to_the_end_of_that_idle(provider, ann):
    await ann.imap("SELECT INBOX")
    provider.faults.set("deaf_idle", times=1)
    await ann.send("t IDLE\r\n")
    assert await ann.line() == "+ Idling"
    provider.deliver("ann@post.example", mail("x"))
    assert await ann.silent()
    await ann.send("DONE\r\n")
    assert (await ann.until("t "))[0] == "* 1 EXISTS"
    await ann.send("t IDLE\r\n")
    assert await ann.line() == "+ Idling"
    provider.deliver("ann@post.example", mail("x"))
    assert await ann.line() == "* 2 EXISTS"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonsense", True),
        ("strikes", {}),
        ("throttle", "soon"),
        ("smtp_cut_at", "lunch"),
        ("deaf_until", "NEVER"),
        ("imap_answers", ["SELECT"]),
    ],
)
def test_what_is_no_fault_or_no_value_is_refused(name, value):
    faults = Faults()
    with pytest.raises(NoSuchFault):
        faults.set(name, value)
    with pytest.raises(NoSuchFault):
        faults.set("throttle", 1, times=0)
    assert faults.shown() == {}


def test_values_may_come_as_json_has_them_and_go_the_same_way():
    faults = Faults()
    wanted = {
        "starttls_injection": "* EVIL\r\n",
        "omit": ["FLAGS"],
        "unfetchable": [3],
        "imap_answers": {"SELECT": "NO later"},
        "throttle": 5,
        "greylist": True,
    }
    for name, value in wanted.items():
        faults.set(name, value)
    assert faults.starttls_injection == b"* EVIL\r\n"
    assert "FLAGS" in faults.omit
    assert faults.shown() == wanted
    for name in wanted:
        faults.clear(name)
    assert faults.shown() == {}
    assert all(not faults.is_set(name) for name in NAMES)


def _met(faults):
    """What a hundred chances bring, when each strikes as soon as it has come."""
    met = []
    for _ in range(100):
        faults.roll()
        for name in list(faults.shown()):
            met.append(name)
            faults.struck(name)
    return met


def test_random_faults_are_the_same_for_the_same_seed_and_end():
    runs = []
    for seed in (7, 7, 8):
        faults = Faults()
        faults.at_random(0.5, seed)
        runs.append(_met(faults))
    assert runs[0] == runs[1] != runs[2]
    assert 20 < len(runs[0]) < 80
    faults.at_random(0, 0)
    assert _met(faults) == []
    with pytest.raises(NoSuchFault):
        faults.at_random(1, 1, ["endless_line"])


async def test_random_faults_come_one_at_a_time_between_the_commands(provider, ann):
    provider.faults.at_random(0.5, 3, ["throttle"])
    answers = [(await ann.imap("NOOP"))[-1] for _ in range(40)]
    refused = [answer for answer in answers if answer.startswith("t BAD Request is throttled")]
    assert 8 < len(refused) < 32
    assert provider.faults.strikes == {"throttle": len(refused)}


def test_all_that_can_happen_at_random_can_be_set():
    for name, values in CHANCES.items():
        for value in values:
            Faults().set(name, value, times=1)


def test_the_states_in_which_smtp_can_be_cut_can_all_be_set():
    for state in SMTP_STATES:
        faults = Faults()
        faults.set("smtp_cut_at", state)
        assert faults.at("smtp_cut_at", state.upper())
