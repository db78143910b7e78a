"""How a process kills itself at a chosen point."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from posthouse.store.database import Database, Transaction


class Fuse:
    """Kills this process when it is burnt for the `length`-th time."""

    def __init__(self, length: int) -> None:
        self.left = length

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def make_commits_deadly(point: str, fuse: Fuse) -> None:
    """Burn it "before a commit" or "after a commit"."""
    real = Database.transaction

    @asynccontextmanager
    async def transaction(self: Database, *, durable: bool = True) -> AsyncIterator[Transaction]:
        async with real(self, durable=durable) as tx:
            yield tx
            if point == "before a commit":
                fuse.burn()
        if point == "after a commit":
            fuse.burn()

    Database.transaction = transaction  # type: ignore[method-assign]
