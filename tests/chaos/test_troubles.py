"""What is wrong at a provider for long is shown, in words that say what to do. `make chaos` keeps the real times."""

from datetime import timedelta
from pathlib import Path

import pytest

from posthouse.engine import rounds
from posthouse.model.standing import Pace
from posthouse.remote.bounds import Bounds

from .troubles import STALLED, TROUBLES, Trouble, rehearse


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_trouble_is_shown_with_its_remedy(
    trouble: Trouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "PACE", Pace(shortest=timedelta(seconds=0.4)))
    monkeypatch.setattr(rounds, "TICK", 0.05)
    await rehearse(trouble, tmp_path, Bounds(check=0.5, connect=5.0, goodbye=0.2))


async def test_a_stall_is_shown_for_all_sessions_of_the_host_long_before_their_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "PACE", Pace(shortest=timedelta(seconds=0.4), a_second=0.1))  # rounds of two minutes
    for name, seconds in {"TICK": 0.05, "HOST": 0.5, "LATE": 0.3, "SPREAD": 0.5}.items():
        monkeypatch.setattr(rounds, name, seconds)
    await rehearse(STALLED, tmp_path, Bounds(check=0.5, connect=5.0, goodbye=0.2), count=12)
