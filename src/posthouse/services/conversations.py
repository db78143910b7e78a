"""Conversations with servers that somebody looks at while they go on: connection tests, and syncs that were asked for.

`begin` starts the work and answers at once. Who has the conversation's id follows it from its beginning, however late
he comes and as often as he likes; when it is over, its result stays for some minutes. All of it is in the memory of
this process, and holds what an ear hears and how the work ended: no settings, no secrets.

    conversation = conversations.begin(account, lambda ear: connectors.test_imap(settings, ear))
    async for _ in conversation.changes():
        show(conversation.stages, conversation.lines, conversation.result)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import structlog

from posthouse.model.errors import Conflict, NotFound, PosthouseError, Stage
from posthouse.model.events import Transcript
from posthouse.model.hearing import Ear, Heard, Progress, Reached, Said
from posthouse.model.values import AccountId

log = structlog.get_logger()

_KEPT = 600.0  # seconds after its end
_MOST = 20  # that an account has going on at once
_PAUSE = 0.1  # seconds between two looks: a sync may say thousands of lines a second


class Conversation:
    """One that goes on, or is over. `lines` are masked; of very many the first and the last are kept."""

    def __init__(self, account: AccountId) -> None:
        self.id = uuid4()
        self.account = account
        self.stages: list[Stage] = []
        """The stages reached, in their order: the last is where it is now."""
        self.progress: Progress | None = None
        self.result: Any = None
        """What the work has given, when it is over and has not failed."""
        self.failure: str | None = None
        """Why the work gave nothing, in words. (A test or sync that fails gives a result that says so.)"""
        self.over = False
        self._transcript = Transcript()
        self._news = asyncio.Event()

    @property
    def lines(self) -> list[str]:
        return self._transcript.lines

    async def changes(self) -> AsyncIterator[None]:
        """Gives once at the beginning and whenever there is more to see, some times a second at the most, until it is
        over; for the last time with everything."""
        while True:
            news, last = self._news, self.over
            yield
            if last:
                return
            await news.wait()
            if not self.over:
                await asyncio.sleep(_PAUSE)

    def hear(self, heard: Heard) -> None:
        match heard:
            case Said(line):
                self._transcript.note(line)
            case Reached(stage):
                self.stages.append(stage)
            case Progress():
                self.progress = heard
        self._changed()

    async def go_on(self, work: Callable[[Ear], Awaitable[Any]]) -> None:
        """Do the work, and keep how it ended."""
        try:
            self.result = await work(self.hear)
        except PosthouseError as error:
            self.failure = error.message
        except Exception:
            log.exception("a conversation ended by a fault of ours")
            self.failure = "an internal error; the server's log has the details"
        except asyncio.CancelledError:
            self.failure = "the server is being stopped"
            raise
        finally:
            self.over = True
            self._changed()

    def _changed(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class Conversations:
    def __init__(self) -> None:
        self._all: dict[UUID, Conversation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, account: AccountId, work: Callable[[Ear], Awaitable[Any]]) -> Conversation:
        """Start this work, which goes on to its end whoever looks. Raises Conflict when too much goes on already."""
        mine = [one for one in self._all.values() if one.account == account and not one.over]
        if len(mine) >= _MOST:
            raise Conflict(f"{len(mine)} tests and syncs are under way already: wait until one of them has ended")
        conversation = Conversation(account)
        self._all[conversation.id] = conversation
        task = asyncio.create_task(conversation.go_on(work))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(conversation, done))
        return conversation

    def get(self, account: AccountId, conversation_id: UUID) -> Conversation:
        """Raises NotFound for one that is not the account's, or was over some time ago."""
        found = self._all.get(conversation_id)
        if found is None or found.account != account:
            raise NotFound(f"there is no conversation {conversation_id} (any more)")
        return found

    async def close(self) -> None:
        """End all that goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, conversation: Conversation, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        asyncio.get_running_loop().call_later(_KEPT, self._all.pop, conversation.id, None)
