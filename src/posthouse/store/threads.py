"""Rows of threads: which conversation an email belongs to, and the conversations of an account.

Emails belong together when one has the Message-ID that another refers to (In-Reply-To, References), or when both refer
to the same one: whether that email ever came does not matter. Every Message-ID that is named leads to one thread. So
an email is placed by looking up the few that it names; and when one that comes late names two threads, they become
one, the older.

Many processes may place emails at once. They lock the threads that they found before anything else, in one order; what
a rival has named in the meantime shows when the names are written.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from posthouse.model.errors import Unavailable
from posthouse.model.values import AccountId, ThreadId, new_id
from posthouse.store.among import Among
from posthouse.store.connection import Connection
from posthouse.store.tables import emails, mentions, sent_emails, threads

_TRIES = 5
_AT_ONCE = 1000  # values in one statement: both databases have a limit


@dataclass(frozen=True, slots=True)
class Naming:
    """What an email of an account says of its place: its own Message-ID (or '') and those that it refers to; and when
    it came."""

    account_id: AccountId
    message_id: str
    refers_to: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class _Known:
    """A thread that is there already."""

    number: int
    id: ThreadId


@dataclass(slots=True)
class _Group:
    """Emails that are found to belong together, and what they are of threads that are there. `into` is the group
    that it has become a part of."""

    known: list[_Known]
    first: Naming | None = None
    into: "_Group | None" = None

    def whole(self) -> "_Group":
        group = self
        while group.into is not None:
            group = group.into
        return group


# Statements of every email that is filed.
_LEADING = Among(sa.select(mentions).where(mentions.c.id.in_(sa.bindparam("names", expanding=True))))
_BEGIN = sa.insert(threads)
_NAME_ALONE = sa.insert(mentions)
_NAME = (
    postgresql.insert(mentions)
    # To update nothing is how a row that was there is returned, too: after its writer has committed.
    .on_conflict_do_update(index_elements=[mentions.c.id], set_={"thread_id": mentions.c.thread_id})
    .returning(mentions.c.id, mentions.c.thread_id)
)


class Threads:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def place(self, namings: Sequence[Naming]) -> list[ThreadId]:
        """The thread of each of these emails, in their order; threads are begun and joined for it."""
        names = [_digests(naming) for naming in namings]
        known = await self._held({name for some in names for name in some})
        by_thread: dict[ThreadId, _Group] = {}
        groups: dict[bytes, _Group] = {
            name: by_thread.setdefault(thread.id, _Group([thread])) for name, thread in known.items()
        }
        placed: list[_Group] = []
        for naming, some in zip(namings, names, strict=True):
            group = _Group([], naming)
            for name in some:
                group = _joined(groups[name].whole(), group) if name in groups else group
            for name in some:
                groups[name] = group
            placed.append(group)
        ids = await self._made([group.whole() for group in placed])
        fresh = {name: ids[id(group.whole())] for name, group in groups.items() if name not in known}
        moved = await self._named(fresh)
        return [moved.get(thread, thread) for thread in (ids[id(group.whole())] for group in placed)]

    async def forget_empty(self, ids: Iterable[ThreadId | None]) -> None:
        """Of these threads, delete those that no email is in any more."""
        wanted = sorted({thread for thread in ids if thread is not None})
        # Whoever is filing an email into one of them holds it; after him, the email is seen.
        await self._locked(wanted)
        for start in range(0, len(wanted), _AT_ONCE):
            await self._connection.execute(
                sa.delete(threads).where(
                    threads.c.id.in_(wanted[start : start + _AT_ONCE]),
                    ~sa.exists().where(emails.c.thread_id == threads.c.id),
                    ~sa.exists().where(sent_emails.c.thread_id == threads.c.id),
                )
            )

    async def _held(self, names: Collection[bytes]) -> dict[bytes, _Known]:
        """The threads that these names lead to, locked until the transaction ends."""
        for _ in range(_TRIES):
            leading = await self._leading(names)
            if not leading:
                return {}
            there = {known.id: known for known in await self._locked(set(leading.values()))}
            if len(there) == len(set(leading.values())):
                return {name: there[thread] for name, thread in leading.items()}
            # A rival has joined some of them while we waited for the lock: look where their names lead now.
        raise Unavailable("threads are being joined faster than they can be looked up; try again in a moment")

    async def _leading(self, names: Collection[bytes]) -> dict[bytes, ThreadId]:
        ordered = sorted(names)
        found: dict[bytes, ThreadId] = {}
        for start in range(0, len(ordered), _AT_ONCE):
            some = _LEADING.of({"names": ordered[start : start + _AT_ONCE]})
            found.update({row.id: row.thread_id for row in await self._connection.execute(*some)})
        return found

    async def _locked(self, ids: Collection[ThreadId]) -> list[_Known]:
        ordered = sorted(ids)
        found: list[_Known] = []
        for start in range(0, len(ordered), _AT_ONCE):
            some = threads.c.id.in_(ordered[start : start + _AT_ONCE])
            query = sa.select(threads.c.number, threads.c.id).where(some).order_by(threads.c.id).with_for_update()
            found += [_Known(row.number, row.id) for row in await self._connection.execute(query)]
        return found

    async def _made(self, groups: Iterable[_Group]) -> dict[int, ThreadId]:
        """A thread for each group, by the group's identity: the oldest that it knows, which the others are joined
        to, or a new one."""
        ids: dict[int, ThreadId] = {}
        rows: list[dict[str, Any]] = []
        for group in groups:
            if id(group) in ids:
                continue
            if group.known:
                ids[id(group)] = await self._joined_to_oldest(group.known)
            else:
                first = group.first
                assert first is not None
                ids[id(group)] = ThreadId(new_id(first.at))
                rows.append({"id": ids[id(group)], "account_id": first.account_id, "created_at": first.at})
        if rows:
            await self._connection.execute(_BEGIN, rows)
        return ids

    async def _joined_to_oldest(self, known: Sequence[_Known]) -> ThreadId:
        oldest, *others = sorted(known, key=lambda thread: thread.number)
        gone = [thread.id for thread in others]
        if gone:
            for table in (mentions, emails, sent_emails):
                change = sa.update(table).where(table.c.thread_id.in_(gone)).values(thread_id=oldest.id)
                await self._connection.execute(change)
            await self._connection.execute(sa.delete(threads).where(threads.c.id.in_(gone)))
        return oldest.id

    async def _named(self, names: Mapping[bytes, ThreadId]) -> dict[ThreadId, ThreadId]:
        """Let these names lead to these threads. Where a rival was quicker with one, his thread and ours are joined;
        which of ours became which."""
        if not names:
            return {}
        rows = [{"id": name, "thread_id": thread} for name, thread in sorted(names.items())]
        if self._connection.dialect.name == "sqlite":  # which has one writer, and thus no rivals
            await self._connection.execute(_NAME_ALONE, rows)
            return {}
        written = await self._connection.execute(_NAME, rows)
        moved: dict[ThreadId, ThreadId] = {}
        for row in written.all():
            ours = moved.get(names[row.id], names[row.id])
            theirs = moved.get(row.thread_id, row.thread_id)
            if ours != theirs:
                oldest = await self._joined_to_oldest(await self._locked({ours, theirs}))
                moved = {thread: oldest if into in (ours, theirs) else into for thread, into in moved.items()}
                moved |= {ours: oldest, theirs: oldest}
        return moved


def _joined(one: _Group, other: _Group) -> _Group:
    if one is other:
        return one
    one.known += other.known
    other.into = one
    return one


def _digests(naming: Naming) -> tuple[bytes, ...]:
    named = dict.fromkeys(name for name in (naming.message_id, *naming.refers_to) if name)
    return tuple(_digest(naming.account_id, name) for name in named)


def _digest(account: UUID, message_id: str) -> bytes:
    return hashlib.blake2b(account.bytes + message_id.encode("utf-8", "replace"), digest_size=16).digest()
