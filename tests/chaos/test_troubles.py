"""What is wrong at a provider for long is shown, in words that say what to do. `make chaos` keeps the real times."""

from datetime import timedelta
from pathlib import Path

import pytest

from posthouse.engine import watcher
from posthouse.remote.bounds import Bounds

from .troubles import TROUBLES, Trouble, rehearse


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_trouble_is_shown_with_its_remedy(
    trouble: Trouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "PROOF", timedelta(seconds=0.4))
    await rehearse(trouble, tmp_path, Bounds(check=0.5, connect=5.0, goodbye=0.2))
