"""No more sessions at one mailbox than its budget allows, whoever opens them: connectors that are looked after, direct
syncs, copies of what is sent, tests of settings, lists of folders.

Who comes too late waits for a while, in turn. This is about one process; several share a mailbox only where several
connectors are linked to it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from posthouse.model.budgets import Budget, budget_of
from posthouse.model.connectors import ImapSettings
from posthouse.model.errors import Deferred, Stage
from posthouse.model.events import Transcript
from posthouse.remote.mailbox import ImapMailbox

PATIENCE = 15.0
"""Seconds that somebody waits for a place."""


class Admission:
    """Opens mailboxes by `open_mailbox`, each when there is a place."""

    def __init__(self, open_mailbox: Callable[[ImapSettings, Transcript], Awaitable[ImapMailbox]]) -> None:
        self._open_mailbox = open_mailbox
        # As long as somebody is there or waits: mailboxes without a budget take no memory, others only when in use.
        self._places: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()

    async def open(self, settings: ImapSettings, transcript: Transcript) -> ImapMailbox:
        """A signed-in mailbox; its place is free again when it is closed. Raises Deferred when there was none in time,
        and what `open_mailbox` raises."""
        budget = budget_of(settings.host)
        if budget.sessions is None:
            return await self._open_mailbox(settings, transcript)
        places = self._places_at(budget, budget.sessions, settings.username)
        try:
            async with asyncio.timeout(PATIENCE):
                await places.acquire()
        except TimeoutError:
            raise Deferred(
                f"no more than {budget.sessions} sessions are opened at a mailbox of {budget.provider} at once, "
                "so that its owner's other programs find a place; all of them are in use: try again later",
                stage=Stage.CONNECTION,
            ) from None
        try:
            mailbox = await self._open_mailbox(settings, transcript)
        except BaseException:
            places.release()
            raise
        mailbox.when_closed(places.release)
        return mailbox

    def _places_at(self, budget: Budget, count: int, user: str) -> asyncio.Semaphore:
        # By the provider, not the host: imap.gmail.com and imap.googlemail.com lead to the same mailbox.
        key = (budget.provider, user.strip().lower())
        places = self._places.get(key)
        if places is None:
            places = self._places[key] = asyncio.Semaphore(count)
        return places
