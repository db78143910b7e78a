"""`kill -9` at any point of a send: the email goes out once, or it is said that this is not known.

Each death is a real one of a real process, at every commit, at every word that is said to the server and at every
answer; another process then sees to what was left behind. The mail provider files what it sends, as the great ones do.
There are about 270 points: one in nine is tried, and all of them by `make chaos`.
"""

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from posthouse.simulator import Provider

from .forks import ending
from .killed_sender import Deed, do

ADDRESS, PASSWORD = "ann@provider.example", "a password"
POINTS = (
    "before a commit",
    "after a commit",
    "before something is said",
    "after something is said",
    "before an answer is read",
)
STRIDE = 1 if "EVERY_DEATH" in os.environ else 9


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider in a thread of its own."""
    provider, loop, started = Provider(), asyncio.new_event_loop(), threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(provider.start())
        started.set()
        loop.run_forever()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    provider.add_user(ADDRESS, PASSWORD).files_sent = True
    yield provider
    asyncio.run_coroutine_threadsafe(provider.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize("queued", [True, False], ids=["queued", "with a key"])
def test_killed_at_any_point_an_email_is_sent_once(
    queued: bool, provider: Provider, database_url: str, tmp_path: Path
) -> None:
    provider.outside.clear()
    deed = Deed(
        data=tmp_path,
        database_url=database_url,
        address=ADDRESS,
        password=PASSWORD,
        imap_port=provider.imap_port,
        smtp_port=provider.smtp_port,
        number=0,
        queued=queued,
    )
    assert ending(do, deed) == 0  # sets everything up
    states: Counter[str] = Counter()
    deaths: Counter[str] = Counter()
    number = 0
    for point in POINTS:
        for at in range(1, 60, STRIDE):
            number += 1
            ended = ending(do, replace(deed, number=number, point=point, at=at))
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            deaths[point] += 1
            assert ending(do, replace(deed, number=number)) == 0
            state = (tmp_path / "state").read_text()
            states[state] += 1
            got = sum(f"Subject: Number {number}\r\n".encode() in one.message for one in provider.outside)
            place = f"{point}, time {at}: {state}"
            assert got <= 1, f"sent twice when killed {place}"
            assert state in ("accepted", "unknown"), f"killed {place}"
            assert (state == "accepted") == (got == 1), f"not as it is said to be when killed {place}"
    print(f"deaths {dict(deaths)}, states {dict(states)}")
    assert all(deaths[point] >= (3 if STRIDE == 1 else 1) for point in POINTS), deaths
    # Only whoever dies between the commit that forbids a second try and the message's last line leaves this behind.
    assert states["unknown"] <= 3, states
