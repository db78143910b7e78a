"""What a process holds is kept up together, for as long as it is held, and a try that fails is not the last."""

import asyncio
from datetime import timedelta

from posthouse.model.errors import Unavailable
from posthouse.services.keeping import Keeper

LENGTH = timedelta(milliseconds=30)


class Prolonged:
    """Notes which claims were prolonged; fails first where it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.rounds: list[frozenset[str]] = []
        self.news = asyncio.Event()

    async def __call__(self, claims: frozenset[str]) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the database does not answer just now")
        self.rounds.append(claims)
        self.news.set()

    async def next(self) -> frozenset[str]:
        self.news.clear()
        async with asyncio.timeout(5):
            await self.news.wait()
        return self.rounds[-1]


async def test_all_claims_are_kept_up_together_while_they_are_held() -> None:
    prolonged = Prolonged()
    keeper = Keeper(prolonged, lambda: LENGTH)
    with keeper.keeping("a"):
        with keeper.keeping("b"):
            assert await prolonged.next() == {"a", "b"}
        assert await prolonged.next() == {"a"}
    rounds = len(prolonged.rounds)
    assert keeper._prolonging is not None
    async with asyncio.timeout(5):
        await keeper._prolonging
    assert len(prolonged.rounds) == rounds
    with keeper.keeping("c"):
        assert await prolonged.next() == {"c"}


async def test_a_try_that_fails_is_made_again() -> None:
    prolonged = Prolonged(failures=2)
    with Keeper(prolonged, lambda: LENGTH).keeping("a"):
        assert await prolonged.next() == {"a"}
    assert prolonged.failures == 0
