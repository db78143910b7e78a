"""Messages are read in other processes, which may be broken by what they read."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from posthouse.mime.gist import gist
from posthouse.services.intake import Intake
from posthouse.services.reading import Readers
from posthouse.services.sync import Sync

from .conftest import House
from .fakes import a_message

BREAKING = "services.breaking_reader"


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    readers = Readers(1)
    yield readers
    await readers.close()


@pytest.fixture
async def breaking() -> AsyncIterator[Readers]:
    readers = Readers(1, BREAKING)
    yield readers
    await readers.close()


async def test_messages_are_read_elsewhere_as_they_are_here(readers: Readers) -> None:
    messages = [*(a_message(n) for n in range(20)), b"", b"\0\xff" * 1000, b"Subject: =?utf-8?q?=C3=BC?=\n\n\xff"]
    assert await readers.read(messages) == [gist(raw) for raw in messages]
    assert await readers.read(messages[:3]) == [gist(raw) for raw in messages[:3]]


async def test_a_message_larger_than_a_pipe_is_read_elsewhere(readers: Readers) -> None:
    large = a_message(1) + b"word " * 100_000
    assert await readers.read([large] * 5) == [gist(large)] * 5


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"hang", "could not be read (it takes more than 30 s); the raw message is kept"),
        (b"die", "could not be read (the process that read it ended with -11); the raw message is kept"),
        (b"raise", "could not be read (RecursionError); the raw message is kept"),
    ],
)
@pytest.mark.parametrize("place", [0, 4])
async def test_a_message_that_breaks_its_reader_harms_no_other(
    breaking: Readers, bad: bytes, problem: str, place: int
) -> None:
    messages = [a_message(n) for n in range(5)]
    messages[place] = bad
    gists = await breaking.read([*messages, *messages])
    assert [one.problem for one in gists] == [problem if raw == bad else None for raw in messages] * 2
    assert [one.digest for one in gists] == [gist(raw).digest for raw in messages] * 2


async def test_a_process_killed_from_outside_is_no_messages_fault(readers: Readers) -> None:
    messages = [a_message(n) for n in range(5)]
    await readers.read(messages)
    [process] = readers._idle
    process.kill()
    assert await readers.read(messages) == [gist(raw) for raw in messages]


async def test_where_no_process_can_be_started_messages_are_read_here() -> None:
    messages = [a_message(n) for n in range(5)]
    assert await Readers(1, "services.there_is_none").read(messages) == [gist(raw) for raw in messages]


async def test_reading_that_was_given_up_does_not_disturb_what_is_read_next(readers: Readers) -> None:
    messages = [a_message(n) for n in range(500)]
    await readers.read(messages[:1])
    reading = asyncio.create_task(readers.read(messages))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await readers.read(messages[7:9]) == [gist(raw) for raw in messages[7:9]]


def environment_of(process: int) -> bytes:
    return Path(f"/proc/{process}/environ").read_bytes()


async def test_nothing_of_our_settings_is_told_to_the_process_that_reads(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTHOUSE_SECRET_KEY", "a secret")
    await readers.read([b""])
    [process] = readers._idle
    assert b"a secret" not in environment_of(process.pid)


async def test_closing_leaves_no_process_behind(readers: Readers) -> None:
    await readers.read([b""])
    [process] = readers._idle
    await readers.close()
    assert process.returncode == 0


def test_a_killed_parent_leaves_no_process_behind() -> None:
    script = """
import asyncio
from posthouse.services.reading import Readers

async def main():
    readers = Readers(1)
    await readers.read([b""])
    print(readers._idle[0].pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    reader = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout.read() == ""
    watched = Path(f"/proc/{reader}/cmdline")  # empty when it waits to be buried, gone when it was
    for _ in range(200):
        if not watched.exists() or not watched.read_bytes():
            return
        signal.sigtimedwait([], 0.05)
    raise AssertionError("the reader is still there")


async def test_in_a_sync_only_the_message_that_breaks_its_reader_is_quarantined(
    house: House, breaking: Readers
) -> None:
    messages = [*(a_message(n) for n in range(5)), b"die", a_message(6)]
    house.server.add(*messages)
    intake = Intake(house.blobs, house.clock, readers=breaking)
    outcome = await Sync(house.database, intake, house.server.open, house.clock).run(
        house.tenant.account.id, house.connector.id
    )
    assert outcome.failure is None
    assert await house.raw() == messages
    assert [bool(email.problem) for email in await house.emails()] == [raw == b"die" for raw in messages]
