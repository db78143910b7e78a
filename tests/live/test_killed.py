"""`kill -9` at any point of a sync, then sync again: every message exactly once.

The process that syncs is a real one and dies by a real SIGKILL: right before or right after a commit, or in the
middle of what the server sends. Dovecot is the server.
"""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from peers.mailbox import Mailbox

from .forks import ending
from .killed_syncer import Deed, do


def message(number: int) -> bytes:
    body = f"This is message {number}. " * (40 * (number % 7) + 1)
    return f"From: a@example.org\nTo: b@example.org\nSubject: Number {number}\n\n{body}\n".encode()


@pytest.mark.parametrize("point", ["before a commit", "after a commit", "in the middle of a transfer"])
def test_killed_at_any_point_a_sync_loses_and_doubles_nothing(point: str, mailbox: Mailbox, tmp_path: Path) -> None:
    deed = Deed(tmp_path, mailbox.address, mailbox.password, mailbox.server.imap_port)
    assert ending(do, deed) == 0  # sets the connector up
    deaths, count = 0, 0
    for at in range(1, 200):
        for _ in range(6):
            mailbox.append(message(count))
            count += 1
        ended = ending(do, replace(deed, point=point, at=at if point.endswith("commit") else 5 * at))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        deaths += 1
        assert ending(do, deed) == 0
        assert (tmp_path / "subjects").read_text().split("\n") == [f"Number {n}" for n in range(count)]
    assert deaths >= 4, f"only {deaths} points to die at were met"
