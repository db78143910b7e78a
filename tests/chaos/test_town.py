"""Workers are killed and paused, the database restarted and the network cut while mail arrives: nobody notices."""

from pathlib import Path

from peers.dovecot import Dovecot

from .town import ordeal, town_of

TAKEN_OVER = 60.0
"""Seconds within which others have taken a dead worker's connectors over and synced them, however busy this machine
is. On a quiet one it takes less than 15: `make chaos` measures."""


async def test_nothing_is_lost_or_doubled_whatever_dies(dovecot: Dovecot, tmp_path: Path) -> None:
    async with town_of(12, 3, dovecot, tmp_path) as town:
        figures = await ordeal(town, rounds=1, mail_every=0.1)
    assert figures.messages > 50
    assert (figures.kills, figures.restarts, figures.cuts, figures.pauses) == (1, 1, 1, 1)
    assert figures.takeovers
    assert max(figures.takeovers) < TAKEN_OVER, figures
