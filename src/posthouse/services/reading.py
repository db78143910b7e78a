"""Reading many messages beside everything else: in processes of their own (`mime.apart`).

Python runs on one processor at a time, and reading is what a first sync mostly does: in here it would keep the
network, the database and everybody else's mailboxes waiting. A message that costs too much, or takes its process down
twice, is given up with the reason; all others are read.
"""

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import cast

import structlog

from posthouse.mime.apart import CPU_SECONDS, LENGTH, READY
from posthouse.mime.gist import Gist, gist, unreadable

log = structlog.get_logger()

MOST = 1 if (os.cpu_count() or 1) < 3 else 2
"""Processes: one beside the one that fetches and files, and another where there is a core for it."""


class Readers:
    """Processes that read, started when they are first needed; after `close` they are started anew."""

    def __init__(self, most: int = MOST, module: str = "posthouse.mime.apart") -> None:
        self._module = module
        self._turn = asyncio.Semaphore(most)
        self._idle: list[Process] = []
        self._alive: set[Process] = set()

    async def read(self, messages: Sequence[bytes]) -> list[Gist]:
        """The gists of these messages, in this order. Never raises for what they say."""
        gists: list[Gist] = []
        suspect = -1
        while len(gists) < len(messages):
            try:
                async with self._turn, self._lent() as process:
                    await _read(process, messages[len(gists) :], gists)
            except _Died as death:
                log.warning("a reading process ended", why=str(death))
                # The first message without an answer did it, unless something outside did: it has another try.
                if death.by_message or suspect == len(gists):
                    gists.append(await asyncio.to_thread(unreadable, messages[len(gists)], str(death)))
                else:
                    suspect = len(gists)
            except OSError as error:
                log.warning("no process for reading can be started; reading in this one", why=str(error))
                gists += await asyncio.to_thread(_read_here, messages[len(gists) :])
        return gists

    async def close(self) -> None:
        """End the processes. What they are still reading is given up."""
        for process in self._alive - set(self._idle):
            _kill(process)
        for process in self._alive:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
        self._idle.clear()
        self._alive.clear()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Process]:
        """A process to read with; what is left in the middle of something, or dead, is not used again."""
        process = self._idle.pop() if self._idle else await _start(self._module)
        self._alive.add(process)
        try:
            yield process
        except BaseException:
            _kill(process)
            with suppress(asyncio.CancelledError):
                await asyncio.shield(process.wait())
            self._alive.discard(process)
            raise
        self._idle.append(process)


class _Died(Exception):
    """A process ended before it had answered."""

    def __init__(self, code: int) -> None:
        self.by_message = code == -signal.SIGPROF
        took_too_long = f"it takes more than {CPU_SECONDS:.0f} s"
        super().__init__(took_too_long if self.by_message else f"the process that read it ended with {code}")


async def _start(module: str) -> Process:
    """A process that is ready. Raises OSError."""
    # Our settings hold secrets, and none of them is needed to read what strangers wrote.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTHOUSE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        stdin=PIPE,
        stdout=PIPE,
        env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    try:
        if await process.stdout.read(len(READY)) != READY:
            raise OSError(f"it ended with {await process.wait()}")
    except BaseException:
        _kill(process)
        raise
    return process


async def _read(process: Process, messages: Sequence[bytes], gists: list[Gist]) -> None:
    """Add the gists of these messages, one by one as they are answered."""
    assert process.stdout is not None
    writing = asyncio.create_task(_write(process, messages))
    try:
        for _ in messages:
            header = await process.stdout.readexactly(LENGTH.size)
            answer = await process.stdout.readexactly(*LENGTH.unpack(header))
            gists.append(cast(Gist, pickle.loads(answer)))  # noqa: S301 (our own process says it)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise _Died(await process.wait()) from error
    finally:
        writing.cancel()


async def _write(process: Process, messages: Sequence[bytes]) -> None:
    assert process.stdin is not None
    with suppress(ConnectionError):  # its reader learns it, too
        for raw in messages:
            process.stdin.writelines([LENGTH.pack(len(raw)), raw])
            await process.stdin.drain()


def _read_here(messages: Sequence[bytes]) -> list[Gist]:
    return [gist(raw) for raw in messages]


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
