"""Following what happens: whoever shows something looks again when a signal says that there may be news."""

import asyncio
from collections.abc import AsyncGenerator

from posthouse.store.database import Database

_STOP = "followers:stop"


class Following:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopped = False

    async def changes(self, *topics: str, pause: float = 0.5, within: float = 15.0) -> AsyncGenerator[bool, None]:
        """True whenever there may be news of these topics (store.signals says what they are), and False when there
        was none within so many seconds. What comes in a burst comes as one: `pause` seconds lie between two. Ends
        when this server stops.

        It listens from the first step on: look once after that, and nothing is missed.
        """
        with self._database.signals.listen(*topics, _STOP) as listener:
            yield False
            while not self._stopped:
                news = await listener.next(within)
                if self._stopped:
                    return
                yield news
                if news:
                    await asyncio.sleep(pause)

    def stop(self) -> None:
        """End all that follow, and those to come: this server stops."""
        self._stopped = True
        self._database.signals.tell([_STOP])
