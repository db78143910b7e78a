"""Keeping claims up: what this process holds for a while is held for longer, as long as it is at it.

A claim that nobody keeps up ends by itself, and so another process takes over what a dead one was at. All claims of a
kind are kept up together, by one transaction three times in the length of a claim.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Generic, TypeVar

from posthouse.model.errors import Unavailable

Claim = TypeVar("Claim")


class Keeper(Generic[Claim]):
    """Keeps claims of one kind up. `prolong` is called with all that are held, and leaves alone those that have become
    somebody else's; `length` says for how long a claim holds."""

    def __init__(self, prolong: Callable[[frozenset[Claim]], Awaitable[None]], length: Callable[[], timedelta]) -> None:
        self._prolong = prolong
        self._length = length
        self._held: set[Claim] = set()
        self._prolonging: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def keeping(self, claim: Claim) -> Iterator[None]:
        """Keep a claim up until the block ends. Who loses it all the same finds out by his next transaction."""
        self._held.add(claim)
        if self._prolonging is None or self._prolonging.done():
            self._prolonging = asyncio.create_task(self._keep_up())
        try:
            yield
        finally:
            self._held.discard(claim)

    async def _keep_up(self) -> None:
        while self._held:
            await asyncio.sleep(self._length().total_seconds() / 3)
            if self._held:
                with contextlib.suppress(Unavailable):  # there is time for another try
                    await self._prolong(frozenset(self._held))
