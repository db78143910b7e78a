"""Processes that may die: forks of one that has imported everything, so that many deaths cost little."""

import os
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import TypeVar

import pytest

T = TypeVar("T")

_FORKS = get_context("forkserver")


def started(do: Callable[[T], None], what: T) -> BaseProcess:
    """A process of its own that does this."""
    _FORKS.set_forkserver_preload(["live.killed_sender", "live.killed_syncer", "live.killed_teller"])
    process = _FORKS.Process(target=do, args=(what,))
    with pytest.MonkeyPatch.context() as patch:
        # Before Python 3.13 the process that forks does not know our path, and then imports nothing (gh-117378).
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process.start()
    return process


def end_of(process: BaseProcess) -> int:
    """Wait for its end. Returns how that was: 0, or the signal that killed it, negative."""
    process.join(120)
    assert process.exitcode is not None, "it neither lives nor dies"
    return process.exitcode


def ending(do: Callable[[T], None], what: T) -> int:
    """Have this done by a process of its own, and return how it ended."""
    return end_of(started(do, what))
