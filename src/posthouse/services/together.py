"""One transaction for whatever is ready at the same moment.

A transaction costs about as much for one as for ten, and SQLite has one writer: when two hundred mailboxes get mail at
once, a transaction for each would make the last of them wait for all the others. So who is ready joins a group; it
gathers until its transaction begins, which is at once where nobody writes. Nobody waits for company.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Generic, TypeVar

from posthouse.store.database import Database, Transaction

One = TypeVar("One")
Result = TypeVar("Result")

_AT_ONCE = 4  # transactions, where there are several writers: one that waits for a row does not hold up all


class Together(Generic[One, Result]):
    """`work` does all of a group in a transaction, and returns a result for each, in their order. It may be called
    again for the same, when a transaction has failed: nothing that it does may outlive that. `durable` says how the
    transactions are."""

    def __init__(
        self,
        database: Database,
        work: Callable[[Transaction, Sequence[One]], Coroutine[object, object, Sequence[Result]]],
        most: int = 100,
        durable: bool = True,
    ) -> None:
        self._database = database
        self._work = work
        self._most = most
        self._durable = durable
        self._gathering: _Group[One, Result] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def do(self, one: One) -> Result:
        """Have this done, and committed. Raises what it fails by; another's failure is not ours, because a group that
        fails is done one by one. Goes on when the caller is cancelled."""
        if self._gathering is None or len(self._gathering) >= self._most:
            self._gathering = []
            task = asyncio.create_task(self._done(self._gathering))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._gathering.append((one, result))
        return await result

    async def _done(self, group: "_Group[One, Result]") -> None:
        try:
            async with self._places:
                try:
                    await self._committed(group)
                except Exception as error:
                    if len(group) == 1 or self._gathering is group:  # it never began: the database is not there
                        _tell(group, error)
                    else:
                        await self._one_by_one(group)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # the process ends here, and so does whoever waits
            _tell(group, error)
            raise
        finally:
            self._close(group)
            for _, result in group:
                result.cancel()  # does nothing where it is known

    async def _one_by_one(self, group: "_Group[One, Result]") -> None:
        for one in group:
            try:
                await self._committed([one])
            except Exception as error:
                _tell([one], error)

    async def _committed(self, group: "_Group[One, Result]") -> None:
        async with self._database.transaction(durable=self._durable) as tx:
            self._close(group)
            results = await tx.at_once(self._work(tx, [one for one, _ in group]))
        for (_, result), found in zip(group, results, strict=True):
            if not result.done():  # else nobody waits for it any more
                result.set_result(found)

    def _close(self, group: "_Group[One, Result]") -> None:
        """Who comes from now on is of the next."""
        if self._gathering is group:
            self._gathering = None


_Group = list[tuple[One, "asyncio.Future[Result]"]]


def _tell(group: "_Group[One, Result]", error: BaseException) -> None:
    for _, result in group:
        if not result.done():
            result.set_exception(error)
