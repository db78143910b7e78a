"""Waiting for mail: listen, look, wait, and say why when nothing came.

A wait listens for its inboxes before it looks, so that nothing slips by in between; it is woken by commits, and looks
again now and then whatever happens: looking is the truth, signals only shorten it. What has happened is read from the
journals, each line once, so that a long wait costs little and no email is judged twice.

The mailbox behind an inbox is asked meanwhile, unless its server pushes: all who wait share the asking. A mailbox that
can't be asked ends no wait; the reason is told at the end.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog

from posthouse import metrics
from posthouse.model.connectors import Connector
from posthouse.model.errors import (
    Conflict,
    Invalid,
    NoMatchInTime,
    NotFound,
    PosthouseError,
    RemoteError,
)
from posthouse.model.events import Happening
from posthouse.model.mail import Criteria, Email, EmailQuery, Inbox, Mark
from posthouse.model.standing import Mode, State
from posthouse.model.values import AccountId, Backoff, Clock, ConnectorId, EmailId, InboxId, Slice, Sort
from posthouse.services.lookout import Lookout
from posthouse.services.mail import Mail
from posthouse.services.matching import Headers, Matcher, named
from posthouse.services.required import require_inbox
from posthouse.services.sync import Sync
from posthouse.services.watching import Report, Watching
from posthouse.store.database import Database, Transaction

log = structlog.get_logger()

DEFAULT_TIMEOUT = timedelta(seconds=60)
DEFAULT_DELAY = timedelta(seconds=1)
DOUBT = 10.0
"""Seconds after which even a server that pushes is asked: it may have gone deaf, or our engine away."""
PATIENCE = 10.0
"""Seconds that whoever wants to see the newest mail lets its server be asked first."""
PROOF_PATIENCE = 15.0
_SHORTEST_DELAY = timedelta(milliseconds=100)
_LONGEST_PAUSE = timedelta(seconds=15)  # between two tries at a mailbox that fails
_AT_ONCE = 8  # mailboxes asked at the same time for one request
_FAILED_LATELY = 15.0  # seconds for which a failing mailbox is not asked again for a mere list
_BATCH = 200
_TOLD = 3  # emails that an explanation goes into


ANYTHING = Criteria()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is waited for: `count` emails in an inbox, or in all of the account's; more are as good, unless `exactly`.

    `delay` is the longest pause between two questions to a mailbox that does not push.
    """

    inbox_id: InboxId | None = None
    count: int = 1
    exactly: bool = False
    criteria: Criteria = ANYTHING
    unread_only: bool = False
    since: datetime | None = None
    before: datetime | None = None
    sort: Sort = Sort.ASC
    after: Mark | None = None
    timeout: timedelta = DEFAULT_TIMEOUT
    delay: timedelta = DEFAULT_DELAY

    def query(self) -> EmailQuery:
        return EmailQuery(
            slice=Slice(sort=self.sort, since=self.since, before=self.before),
            inbox_ids=(self.inbox_id,) if self.inbox_id else (),
            unread_only=self.unread_only,
            after=self.after,
        )

    @property
    def wants_the_newest(self) -> bool:
        """Whether more than what is here already may make another answer right."""
        return self.sort is Sort.DESC or self.exactly


class Waiting:
    def __init__(
        self,
        database: Database,
        mail: Mail,
        sync: Sync,
        watching: Watching,
        lookout: Lookout,
        now: Clock,
    ) -> None:
        self._database = database
        self._mail = mail
        self._sync = sync
        self._watching = watching
        self._lookout = lookout
        self._now = now
        self._paces: WeakValueDictionary[ConnectorId, _Pace] = WeakValueDictionary()
        self._failed: dict[ConnectorId, float] = {}
        self._thinking = asyncio.Semaphore(2)

    # Waiting

    async def wait(self, account: AccountId, wish: Wish) -> list[Email]:
        """The emails that were waited for, `count` of them, in the wish's order. They don't become read by this.

        Raises NoMatchInTime, which says why; NotFound when the inbox is not there (any more); Invalid for criteria
        that can't be; Unavailable when this server stops.
        """
        began = time.monotonic()
        search = await self._begin(account, wish)
        found = await self._satisfied(search, self._length(wish))
        metrics.waits.labels("timeout" if found is None else "found").inc()
        if found is None:
            raise NoMatchInTime(await self._why(search))
        metrics.wait_seconds.observe(time.monotonic() - began)
        return found

    async def mark(self, account: AccountId, inbox_id: InboxId) -> Mark:
        """This very place in an inbox: what lies at its server by now comes before it, if that can be asked. Raises
        NotFound."""
        with contextlib.suppress(RemoteError):
            await self._proved_fresh(account, inbox_id)
        async with self._database.reading() as tx:
            found = await tx.inboxes.positions(account, inbox_id)
        if inbox_id not in found:
            raise NotFound(f"there is no inbox {inbox_id}")
        return Mark(inbox_id, found[inbox_id])

    async def assert_none(self, account: AccountId, wish: Wish) -> datetime:
        """Make sure that nothing of the kind arrives within the wish's time; without `after`, from now on.

        The moment at which the server has said that there is nothing newer, after that time was over. Raises Conflict
        when something has arrived, and names it; RemoteError or Unavailable when the mailbox can't be asked.
        """
        assert wish.inbox_id is not None
        inbox_id = wish.inbox_id
        if wish.after is None and wish.since is None:
            wish = replace(wish, after=await self.mark(account, inbox_id))
        wish = replace(wish, count=1, exactly=False, sort=Sort.ASC)
        search = await self._begin(account, wish)
        longest = max(0.0, self._lookout.longest.total_seconds() - PROOF_PATIENCE)
        _none_of(await self._satisfied(search, min(longest, self._length(wish))))
        as_of = await self._proved_fresh(account, inbox_id)
        _none_of(await search.look())
        return as_of

    # Freshness for those who don't wait

    async def refresh(
        self,
        account: AccountId,
        inbox_ids: Sequence[InboxId] = (),
        *,
        unless_fresh: bool = False,
        patience: float = 30.0,
    ) -> None:
        """Ask the mailboxes behind some inboxes, or behind all of an account's, for new mail. What fails, or lasts
        longer than `patience` (seconds), is left alone; it goes on by itself.

        With `unless_fresh` those are left out whose servers tell us of new mail, and those that failed a moment ago.
        """
        places = asyncio.Semaphore(_AT_ONCE)

        async def ask(connector: Connector) -> None:
            async with places:
                with contextlib.suppress(PosthouseError):
                    await self._refresh_one(connector, unless_fresh)

        connectors = await self._connectors(account, inbox_ids)
        if connectors:
            async with _beside(map(ask, connectors)) as asking:
                await asyncio.wait(asking, timeout=patience)

    async def _refresh_one(self, connector: Connector, unless_fresh: bool) -> None:
        report = await self._watching.report(connector.account_id, connector.id)
        if await self._unaskable(connector, report):
            return
        if unless_fresh:
            failed = self._failed.get(connector.id)
            if _pushes(report) or (failed is not None and time.monotonic() - failed < _FAILED_LATELY):
                return
        await self._ask(connector, self._paces.get(connector.id) or _Pace())

    # One wait

    async def _begin(self, account: AccountId, wish: Wish) -> "_Search":
        """Check what is wished, and make ready to look."""
        inbox = None
        async with self._database.reading() as tx:
            if wish.inbox_id is not None:
                inbox = await require_inbox(tx, account, wish.inbox_id)
            if wish.after is not None:
                if inbox is None or wish.after.inbox_id != inbox.id:
                    raise Invalid("after: this mark is of another inbox; name the inbox that it was made for")
                if wish.after.position > await tx.journal.position(inbox.id):
                    raise Invalid("after: this mark was never made here")
        return _Search(self, account, wish, inbox, Matcher(wish.criteria))

    def _length(self, wish: Wish) -> float:
        return min(max(timedelta(), wish.timeout), self._lookout.longest).total_seconds()

    async def _satisfied(self, search: "_Search", length: float) -> list[Email] | None:
        """What was waited for; None when it did not come within `length` seconds."""
        clock = asyncio.get_running_loop().time
        search.deadline = deadline = clock() + length
        wish = search.wish
        connectors = await self._connectors(search.account, [wish.inbox_id] if wish.inbox_id else ())
        async with self._database.reading() as tx:
            inboxes = await tx.inboxes.positions(search.account, wish.inbox_id)
        topics = (f"inbox:{inbox}" for inbox in inboxes)
        asked = {connector.id: asyncio.Event() for connector in connectors}
        places = asyncio.Semaphore(_AT_ONCE)
        asking = (self._keep_asking(one, wish.delay, asked[one.id], places) for one in connectors if length)
        left = timedelta(seconds=deadline - clock())
        with self._lookout.on(*topics, timeout=left) as news:
            async with _beside(asking):
                if length and wish.wants_the_newest:
                    await _all_set(asked.values(), min(PATIENCE, length))
                while (found := await search.look()) is None:
                    if not await news.more():
                        return None
                return found

    async def judge(self, account: AccountId, matcher: Matcher, email: Email) -> str | None:
        """Why an email is not what is waited for; None when it is."""
        headers: Headers = ()
        if matcher.needs_headers:
            try:
                headers = (await self._mail.open(account, email.id)).message.headers
            except NotFound:
                return "is gone"
        if not matcher.may_take_long:
            return matcher.complaint(email, headers)
        async with self._thinking:  # few at a time: others need the threads, too
            return await asyncio.to_thread(matcher.complaint, email, headers)

    # Asking mailboxes

    async def _connectors(self, account: AccountId, inbox_ids: Sequence[InboxId]) -> list[Connector]:
        async with self._database.reading() as tx:
            if not inbox_ids:
                return list((await tx.connectors.page(account, Slice(size=10_000))).items)
            found = [await tx.connectors.by_inbox(account, inbox) for inbox in dict.fromkeys(inbox_ids)]
        return [connector for connector in found if connector is not None]

    async def _keep_asking(
        self, connector: Connector, delay: timedelta, asked: asyncio.Event, places: asyncio.Semaphore
    ) -> None:
        """Have a mailbox asked while somebody waits for its mail; `asked` is set when that has been done once, or
        need not be."""
        delay = max(_SHORTEST_DELAY, delay)
        pace = self._paces.setdefault(connector.id, _Pace())
        wanted, trusting = time.monotonic(), True
        try:
            while True:
                base = time.monotonic()
                async with pace.turn:
                    if pace.began < wanted:  # else somebody has asked for us, too
                        report = await self._watching.report(connector.account_id, connector.id)
                        if await self._unaskable(connector, report):
                            return
                        pace.pushed = _pushes(report)
                        if not (pace.pushed and trusting):
                            async with places:
                                await self._ask(connector, pace)
                    if pace.began >= wanted:
                        base = pace.ended
                trusting = False
                asked.set()
                wanted = await pace.rest(base, delay)
        except PosthouseError as error:  # the connector was deleted, or our database does not answer
            log.info("a mailbox is not asked any more", connector=str(connector.id), why=error.message)
        finally:
            asked.set()

    async def _ask(self, connector: Connector, pace: "_Pace") -> None:
        """Have the mailbox synced, together with whoever wants that at this moment."""
        pace.began, asked_at = time.monotonic(), self._now()
        try:
            outcome = await self._sync.refresh(connector.account_id, connector.id)
            if outcome.failure is None and not await self._proved_since(connector, asked_at):
                # It was under way already, and may have looked before the mail came that is waited for.
                outcome = await self._sync.refresh(connector.account_id, connector.id)
        finally:
            pace.ended = time.monotonic()
        if outcome.failure is None:
            pace.failures = 0
            self._failed.pop(connector.id, None)
        else:
            pace.failures += 1
            self._failed[connector.id] = pace.ended

    async def _proved_since(self, connector: Connector, moment: datetime) -> datetime | None:
        """When the mailbox was proved fresh, if that was at this moment or later."""
        async with self._database.reading() as tx:
            proved = (await tx.standings.get(connector.id)).fresh_as_of
        return proved if proved is not None and proved >= moment else None

    async def _unaskable(self, connector: Connector, report: Report) -> str | None:
        """Why it makes no sense to ask this mailbox; None when it does."""
        if not connector.enabled:
            return "its connector is disabled"
        async with self._database.reading() as tx:
            connection = await tx.connectors.imap(connector.id)
        if connection is None or not connection.settings.enabled:
            return "its connector has no IMAP connection that is enabled"
        if report.standing.locked_out:
            return f"its connector's sign-in was refused too often: {report.standing.problem}"
        return None

    async def _proved_fresh(self, account: AccountId, inbox_id: InboxId) -> datetime:
        """Have it said by the server that there is nothing newer, from now on. When it said so."""
        from_now = self._now()
        connectors = await self._connectors(account, [inbox_id])
        if not connectors:
            return from_now  # nothing comes here but by us
        [connector] = connectors
        report = await self._watching.report(account, connector.id)
        failure = await self._unaskable(connector, report)
        if failure is None:
            pace = self._paces.setdefault(connector.id, _Pace())
            try:
                async with asyncio.timeout(PROOF_PATIENCE):
                    await self._ask(connector, pace)
            except TimeoutError:
                failure = "its server is too slow to answer"
        if failure is None and (proved := await self._proved_since(connector, from_now)):
            return proved
        problem = (await self._watching.report(account, connector.id)).standing.problem
        raise RemoteError(
            "nothing has arrived, but that the mailbox is up to date can't be proved: "
            f"{failure or problem or 'its server shows messages that it does not give'}"
        )

    # Explaining

    async def _why(self, search: "_Search") -> str:
        """Why a wait has failed: what came instead, and how fresh we are."""
        wish, account = search.wish, search.account
        whole = replace(search.query, unread_only=False, slice=replace(search.query.slice, sort=Sort.DESC))
        async with self._database.reading() as tx:
            arrived = await tx.mail.tally(account, whole)
            recent = [email for _, email in await tx.mail.batch(account, whole, most=20)]
        told = [_expected(search, self._length(wish)), _arrived(wish, arrived)]
        reasons = []
        for email in recent:
            why = await self.judge(account, search.matcher, email)
            if why is None and wish.unread_only and email.read:
                why = "has been read"
            if why is not None:
                reasons.append(f"{named(email)} {why}")
        if reasons:
            told.append("; ".join(reasons[:_TOLD]) + ("; …" if len(reasons) > _TOLD else "") + ".")
        told += await self._freshness(search)
        return " ".join(told)

    async def _freshness(self, search: "_Search") -> list[str]:
        wish = search.wish
        connectors = await self._connectors(search.account, [wish.inbox_id] if wish.inbox_id else ())
        told = []
        for connector in connectors:
            with contextlib.suppress(NotFound):
                report = await self._watching.report(connector.account_id, connector.id)
                unaskable = await self._unaskable(connector, report)
                name = "" if wish.inbox_id else f"{connector.email_address or connector.id}: "
                told.append(f"{name}{_how_fresh(report, unaskable, self._now())}")
        if not told and wish.inbox_id:
            told.append("The inbox has no connector that could bring mail.")
        return told[:_TOLD]


class _Search:
    """One wait's looking: how far it has come in each journal, and what it has found."""

    def __init__(self, waiting: Waiting, account: AccountId, wish: Wish, inbox: Inbox | None, matcher: Matcher) -> None:
        self.account = account
        self.wish = wish
        self.inbox = inbox
        self.matcher = matcher
        self.query = wish.query()
        self.deadline = 0.0
        self._waiting = waiting
        self._database = waiting._database
        self._positions: dict[InboxId, int] | None = None
        self._found: dict[EmailId, int] = {}

    @property
    def found(self) -> int:
        """How many emails that meet the criteria have been found."""
        return len(self._found)

    async def look(self) -> list[Email] | None:
        """See what is new since the last look: what is waited for, or None."""
        while (behind := await self._look()) is None:
            pass
        return await self._result({email.id: email for one in behind for _, email in one.emails})

    async def _look(self) -> list["_Behind"] | None:
        """Read on in the journals, or begin. What they said; None when there is more to read."""
        only, known = self.wish.inbox_id, self._positions
        async with self._database.reading() as tx:
            if known is not None and only is not None:
                behind = [await self._read_on(tx, only, known[only])]
                there = behind[0].position > known[only] or await tx.inboxes.positions(self.account, only)
            else:
                there = positions = await tx.inboxes.positions(self.account, only)
                behind = [
                    await self._read_on(tx, inbox, known.get(inbox, 0))
                    for inbox, position in positions.items()
                    if known is not None and position != known.get(inbox, 0)
                ]
        if only is not None and not there:
            raise NotFound(f"the inbox {only} has been deleted meanwhile")
        if known is None:
            self._found.clear()
            # What is filed from here on is in the journals after these positions.
            if await self._look_at_all():
                self._positions = positions
            return behind
        for one in behind:
            known[one.inbox] = one.position
            for gone in one.gone:
                self._found.pop(gone, None)
            await self._take(one.emails)
        return None if any(one.more for one in behind) else behind

    async def _look_at_all(self) -> bool:
        """Go through the mail that is there. True when all of it was seen: else there was enough, or no time."""
        clock, beyond = asyncio.get_running_loop().time, None
        wish = self.wish
        most = _BATCH if self.matcher or wish.exactly else min(_BATCH, wish.count)
        while True:
            async with self._database.reading() as tx:
                batch = await tx.mail.batch(self.account, self.query, most=most, beyond=beyond)
            await self._take(batch)
            if not wish.exactly and len(self._found) >= wish.count:
                return False
            if len(batch) < most:
                return True
            if clock() > self.deadline:
                return False
            beyond = batch[-1][0]

    async def _read_on(self, tx: Transaction, inbox: InboxId, position: int) -> "_Behind":
        """Read a stretch of an inbox's journal."""
        new: dict[EmailId, tuple[int, Email] | None] = {}
        gone: set[EmailId] = set()
        lines = await tx.mail.lines(inbox, position, _BATCH)
        for line in lines:
            position = line.position
            if line.email_id is None:
                continue
            match line.happening:
                case Happening.EMAIL_RECEIVED | Happening.EMAIL_UNREAD:
                    new[line.email_id] = line.received
                case Happening.EMAIL_READ if not self.wish.unread_only:
                    pass
                case Happening.EMAIL_READ | Happening.EMAIL_DELETED:
                    new.pop(line.email_id, None)
                    gone.add(line.email_id)
        fresh = {email: received for email, received in new.items() if email not in self._found or email in gone}
        emails = [received for received in fresh.values() if received is not None and self._asks_for(received[1])]
        if others := [email for email, received in fresh.items() if received is None]:
            emails += await tx.mail.those(self.account, self.query, others)
        return _Behind(inbox, position, gone, emails, more=len(lines) == _BATCH)

    def _asks_for(self, email: Email) -> bool:
        """Whether the query asks for an email that has come since the search began."""
        since, before = self.wish.since, self.wish.before
        return (
            not (self.wish.unread_only and email.read)
            and (since is None or email.created_at > since)
            and (before is None or email.created_at < before)
        )

    async def _take(self, batch: Iterable[tuple[int, Email]]) -> None:
        """Judge these, and keep those that are meant."""
        for number, email in batch:
            if not self.matcher or await self._waiting.judge(self.account, self.matcher, email) is None:
                self._found[email.id] = number

    async def _result(self, just_read: Mapping[EmailId, Email]) -> list[Email] | None:
        wish = self.wish
        if len(self._found) < wish.count or (wish.exactly and len(self._found) > wish.count):
            return None
        downwards = wish.sort is Sort.DESC
        ids = sorted(self._found, key=self._found.__getitem__, reverse=downwards)[: wish.count]
        if all(email in just_read for email in ids):
            return [just_read[email] for email in ids]
        emails: list[Email] = []
        async with self._database.reading() as tx:
            for start in range(0, len(ids), 500):
                emails += [
                    email for _, email in await tx.mail.those(self.account, self.query, ids[start : start + 500])
                ]
        if len(emails) == len(ids):
            return emails
        self._positions = None  # some were read or deleted this very moment: look anew
        return None


@dataclass(frozen=True, slots=True)
class _Behind:
    """What a stretch of an inbox's journal says, up to `position`: emails that are new, with their numbers, and those
    that are not what is waited for any more. `more`: it may go on."""

    inbox: InboxId
    position: int
    gone: set[EmailId]
    emails: list[tuple[int, Email]]
    more: bool


@dataclass(slots=True, weakref_slot=True)
class _Pace:
    """When a mailbox was asked last, and how that went. Those who wait for its mail share it: in turn, each asks
    unless somebody else has done so since it wanted to."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    began: float = float("-inf")
    ended: float = float("-inf")
    failures: int = 0
    pushed: bool = False

    async def rest(self, base: float, delay: timedelta) -> float:
        """Wait until the mailbox has not been asked for long enough, counted from `base` at least. When that was."""
        while True:
            due = max(base, self.ended) + self._pause(delay)
            left = due - time.monotonic()
            if left <= 0:
                return due
            await asyncio.sleep(left)

    def _pause(self, delay: timedelta) -> float:
        if self.failures:
            return Backoff(first=delay, most=max(delay, _LONGEST_PAUSE)).pause(self.failures).total_seconds()
        return DOUBT if self.pushed else delay.total_seconds()


@asynccontextmanager
async def _beside(work: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Have this done beside the block; what is not done when that ends is cancelled."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(error, Exception):
                log.error("asking a mailbox failed by a fault of ours", exc_info=error)


async def _all_set(events: Iterable[asyncio.Event], within: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            for event in events:
                await event.wait()


def _none_of(found: Sequence[Email] | None) -> None:
    for email in found or ():
        sender = f" from {email.sender}" if email.sender else ""
        raise Conflict(f"an email has arrived that should not have: {named(email)}{sender} (id {email.id})")


def _pushes(report: Report) -> bool:
    """Whether the server tells us of new mail, as far as can be known."""
    return report.standing.mode is Mode.PUSH and report.state is State.FRESH and report.standing.owned


def _expected(search: _Search, length: float) -> str:
    wish, inbox = search.wish, search.inbox
    # The first words are MailSlurp's: tests of its users look for them, and for the id.
    where = f"inbox ID {inbox.id} ({inbox.email_address})" if inbox else "inboxes of the account"
    how_many = f"{'exactly' if wish.exactly else 'at least'} {_emails(wish.count)}"
    return (
        f"Failed to satisfy email query for {where}: expected {how_many}, found {search.found} "
        f"in {round(length * 1000)} ms (unread only: {str(wish.unread_only).lower()}, sort: {wish.sort})."
    )


def _arrived(wish: Wish, count: int) -> str:
    bounds = []
    if wish.after is not None:
        bounds.append("after the mark")
    if wish.since is not None:
        bounds.append(f"after {_moment(wish.since)}")
    if wish.before is not None:
        bounds.append(f"before {_moment(wish.before)}")
    if not bounds:
        return f"There {'is' if count == 1 else 'are'} {_emails(count) if count else 'no emails'} there."
    return f"{_emails(count) if count else 'No emails'} arrived {' and '.join(bounds)}."


def _how_fresh(report: Report, unaskable: str | None, now: datetime) -> str:
    known = report.standing
    proved = "It was never proved fresh"
    if known.fresh_as_of is not None:
        proved = f"It was last proved fresh {_ago(now - known.fresh_as_of)}"
    if known.problem is not None and known.problem_since is not None:
        since = f"{known.problem_since:%H:%M} UTC"
        if now - known.problem_since > timedelta(hours=20):
            since = f"{known.problem_since:%Y-%m-%d} {since}"
        return f"Its connector is failing since {since}: {known.problem}. {proved}."
    if unaskable is not None:
        return f"The mailbox is not asked: {unaskable}. {proved}."
    return f"{proved}."


def _ago(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    if seconds < 120:
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 7200 else f"{seconds // 3600} h ago"


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _emails(count: int) -> str:
    return "1 email" if count == 1 else f"{count} emails"
