"""How a connector stands is told by how old the last proof is, not by the absence of errors."""

from datetime import timedelta
from uuid import UUID

import pytest

from posthouse.model.standing import MOST_REFUSALS, Mode, Standing, State, state_of
from posthouse.model.values import ConnectorId, utc_now
from posthouse.services.watching import PROOF, expected_proof

NOW = utc_now()
EXPECTED = timedelta(seconds=10)


def standing(age: float | None = None, **values: object) -> Standing:
    fresh = None if age is None else NOW - timedelta(seconds=age)
    return Standing(connector_id=ConnectorId(UUID(int=1)), fresh_as_of=fresh, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (standing(0), State.FRESH),
        (standing(20), State.FRESH),
        (standing(20.1), State.LAGGING),
        (standing(50), State.LAGGING),
        (standing(50.1), State.STALE),
        (standing(None), State.LAGGING),  # just made: there was no time yet
        (standing(None, failures=1), State.STALE),
        (standing(1, failures=1), State.LAGGING),  # an error now, and fresh a moment ago
        (standing(60, failures=9), State.STALE),
        (standing(1, failures=1, lasting=True), State.BROKEN),
        (standing(1, refusals=MOST_REFUSALS), State.BROKEN),
        (standing(1, refusals=MOST_REFUSALS - 1), State.FRESH),
    ],
)
def test_the_state_of_a_connector(given: Standing, expected: State) -> None:
    assert state_of(given, NOW, live=True, expected=EXPECTED) is expected
    assert state_of(given, NOW, live=False, expected=EXPECTED) is State.PAUSED


@pytest.mark.parametrize(
    ("mode", "interval", "expected"),
    [
        (Mode.PUSH, timedelta(minutes=5), PROOF),
        (Mode.PUSH, timedelta(seconds=20), timedelta(seconds=20)),
        (Mode.POLL, timedelta(minutes=5), timedelta(minutes=5)),
        (Mode.POLL, timedelta(seconds=1), timedelta(seconds=10)),
    ],
)
def test_how_often_freshness_should_be_proved(mode: Mode, interval: timedelta, expected: timedelta) -> None:
    assert expected_proof(mode, interval) == expected
