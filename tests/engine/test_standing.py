"""How a connector stands is told by how old the last proof is, not by the absence of errors."""

from datetime import timedelta
from uuid import UUID

import pytest

from posthouse.model.standing import MOST_REFUSALS, PACE, Mode, Pace, Standing, State, state_of
from posthouse.model.values import ConnectorId, utc_now
from posthouse.services import watching as watching_module
from posthouse.services.watching import expected_proof

from .conftest import House

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
        (Mode.PUSH, timedelta(minutes=5), PACE.shortest),
        (Mode.PUSH, timedelta(seconds=20), PACE.shortest),
        (Mode.POLL, timedelta(minutes=5), timedelta(minutes=5)),
        (Mode.POLL, timedelta(seconds=1), timedelta(seconds=10)),
    ],
)
def test_how_often_freshness_should_be_proved(mode: Mode, interval: timedelta, expected: timedelta) -> None:
    assert expected_proof(mode, interval) == expected


async def test_in_a_large_fleet_freshness_is_expected_as_often_as_it_is_proved(
    either: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "PACE", Pace(a_second=0.02))
    watching = either.process().watching
    first, *others = [await either.add() for _ in range(4)]
    workers, proved = [await watching.enlist() for _ in range(2)], utc_now() - timedelta(seconds=200)
    async with either.database.transaction() as tx:
        for connector, worker in zip([first, *others], [0, 0, 0, 1], strict=True):
            await tx.standings.change(
                connector.id,
                mode=Mode.PUSH,
                fresh_as_of=proved,
                owner_id=workers[worker],
            )
    report = await watching.report(either.tenant.account.id, first.id)
    assert (report.expected, report.state) == (timedelta(seconds=150), State.FRESH)  # three at the same worker
    assert await watching.census() == {State.FRESH: 4}
    assert report.standing.fresh_as_of == proved
