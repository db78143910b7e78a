"""`kill -9` at any point of a sync, then sync again: every message exactly once.

The process that syncs is a real one and dies by a real SIGKILL: right before or right after a commit, or in the
middle of what the server sends. Dovecot is the server.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from peers.mailbox import Mailbox

CHILD = Path(__file__).parent / "killed_child.py"


def message(number: int) -> bytes:
    body = f"This is message {number}. " * (40 * (number % 7) + 1)
    return f"From: a@example.org\nTo: b@example.org\nSubject: Number {number}\n\n{body}\n".encode()


def run(data: Path, mailbox: Mailbox, point: str, at: int) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "POSTHOUSE_DATA": str(data),
        "POSTHOUSE_EGRESS_ALLOW": "127.0.0.0/8",
    }
    words = [point, str(at), mailbox.address, mailbox.password, str(mailbox.server.imap_port)]
    return subprocess.run(
        [sys.executable, str(CHILD), *words], env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("point", ["before-commit", "after-commit", "transfer"])
def test_killed_at_any_point_a_sync_loses_and_doubles_nothing(point: str, mailbox: Mailbox, tmp_path: Path) -> None:
    assert run(tmp_path, mailbox, "never", 0).returncode == 0  # sets the connector up
    deaths, count = 0, 0
    for at in range(1, 200):
        for _ in range(6):
            mailbox.append(message(count))
            count += 1
        dying = run(tmp_path, mailbox, point, at if point != "transfer" else 5 * at)
        if dying.returncode == 0:
            break
        assert dying.returncode == -signal.SIGKILL, dying.stderr
        deaths += 1
        finishing = run(tmp_path, mailbox, "never", 0)
        assert finishing.returncode == 0, finishing.stderr
        subjects = finishing.stdout.split("\n")[:-1]
        assert subjects == [f"Number {n}" for n in range(count)]
    assert deaths >= 4, f"only {deaths} points to die at were met"
