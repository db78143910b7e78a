"""How many begin at the same time, connect to one host, and stay there or at one mailbox: a good guest does not come
with everybody."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from posthouse.model.budgets import budget_of

_LONGEST_BEGINNING = 10.0  # seconds


@dataclass(slots=True)
class Gate:
    """Lets few begin at the same time, and fewer connect to one host: thousands at once help nobody, and each would
    be done last. With `sessions_per_host`, no more sessions than that are at one host at any time; at one mailbox, no
    more than its budget allows to be kept, and one that comes and goes."""

    sessions_per_host: int | None = None
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(100))
    per_host: int = 20
    _hosts: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _rooms: WeakValueDictionary[tuple[str, str], "_Room"] = field(default_factory=WeakValueDictionary)

    async def enter(self) -> "Place":
        """Wait for a place among those who begin."""
        await self.at_once.acquire()
        return Place(self.at_once)

    @contextlib.asynccontextmanager
    async def passage(self, host: str) -> AsyncIterator[None]:
        """Only to connect."""
        async with self._hosts.setdefault(host, asyncio.Semaphore(self.per_host)):
            yield

    @contextlib.asynccontextmanager
    async def seat(self, host: str, user: str) -> AsyncIterator[bool]:
        """A session's place at a host, and at this user's mailbox there, until the block ends. True: it may stay for as
        long as it likes. False: the places for those who stay are taken, this one is wanted by others, too."""
        taken: list[tuple[_Room, bool]] = []
        try:
            for room in self._rooms_for(host, user):
                taken.append((room, await room.enter()))
            yield all(stays for _, stays in taken)
        finally:
            for room, stays in taken:
                room.leave(stays=stays)

    def _rooms_for(self, host: str, user: str) -> list["_Room"]:
        """What a session needs a place in: its mailbox and its host, always in this order."""
        rooms, budget = [], budget_of(host)
        if budget.lasting_sessions is not None:
            rooms.append(self._room((budget.provider, user.strip().lower()), budget.lasting_sessions, 1))
        if self.sessions_per_host is not None:
            for_visitors = max(1, self.sessions_per_host // 10)
            rooms.append(self._room((host, ""), self.sessions_per_host - for_visitors, for_visitors))
        return rooms

    def _room(self, key: tuple[str, str], for_staying: int, for_visitors: int) -> "_Room":
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = _Room(for_staying, asyncio.Semaphore(for_visitors))
        return room


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Room:
    """Places for those who stay, as long as there are any, and for visitors, who wait for them."""

    free: int
    for_visitors: asyncio.Semaphore

    async def enter(self) -> bool:
        """Whether we may stay."""
        if self.free > 0:
            self.free -= 1
            return True
        await self.for_visitors.acquire()
        return False

    def leave(self, *, stays: bool) -> None:
        if stays:
            self.free += 1
        else:
            self.for_visitors.release()


class Place:
    """A place among those who begin. Who takes long (a slow server, a large mailbox) keeps nobody else away."""

    def __init__(self, taken: asyncio.Semaphore) -> None:
        self._taken: asyncio.Semaphore | None = taken
        self._timer = asyncio.get_running_loop().call_later(_LONGEST_BEGINNING, self.leave)

    def leave(self) -> None:
        """Make room. To leave twice is allowed."""
        if self._taken is not None:
            self._taken.release()
            self._taken = None
            self._timer.cancel()
