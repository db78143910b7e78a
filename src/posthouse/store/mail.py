"""Rows of received mail: emails, their attachments, and the words they are found by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from posthouse.model.events import Happening
from posthouse.model.mail import Attachment, Email, EmailQuery, Mark, Stored
from posthouse.model.message import Address, Transfer
from posthouse.model.values import AccountId, EmailId, InboxId, Page, PlusAddressId, Slice, Sort
from posthouse.store import search
from posthouse.store.among import Among
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, addresses_from_json, addresses_to_json, bounded, read_page
from posthouse.store.tables import attachments, emails, journal, plus_address_emails, plus_addresses
from posthouse.store.threads import Naming, Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """An email to be filed, with everything that is not in its preview: `words`, with blanks between them,
    are what a search finds it by, `references` the Message-IDs that it refers to, besides the one that it answers."""

    email: Email
    digest: bytes
    attachments: tuple[Attachment, ...]
    words: str
    references: tuple[str, ...] = ()


_ADD = sa.insert(emails).returning(emails.c.id, emails.c.number)
_BY_DIGEST = Among(
    sa.select(emails.c.inbox_id, emails.c.digest, emails.c.number).where(
        emails.c.inbox_id.in_(sa.bindparam("inboxes", expanding=True)),
        emails.c.digest.in_(sa.bindparam("digests", expanding=True)),
    )
)
_LINES = (
    sa.select(journal.c.position, journal.c.happening, journal.c.email_id, emails)
    .join_from(
        journal,
        emails,
        sa.and_(emails.c.id == journal.c.email_id, journal.c.happening == Happening.EMAIL_RECEIVED),
        isouter=True,
    )
    .where(journal.c.inbox_id == sa.bindparam("inbox"), journal.c.position > sa.bindparam("after"))
    .order_by(journal.c.position)
    .limit(sa.bindparam("most"))
)
_GET = sa.select(emails).where(emails.c.account_id == sa.bindparam("account"), emails.c.id == sa.bindparam("email"))

_MARK = (
    sa.update(emails)
    .where(emails.c.account_id == sa.bindparam("account"), emails.c.read != sa.bindparam("state"))
    .values(read=sa.bindparam("state"), updated_at=sa.bindparam("now"))
    .returning(emails.c.inbox_id, emails.c.id)
)
_THOSE = emails.c.id.in_(sa.bindparam("ids", expanding=True))
_MARK_THOSE = _MARK.where(_THOSE)
_READ = Among(
    sa.update(emails)
    .where(_THOSE, ~emails.c.read)
    .values(read=True, updated_at=sa.bindparam("now"))
    .returning(emails.c.inbox_id, emails.c.id)
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a journal. `received`: the email that it says has come in, with its number, if that is still there."""

    position: int
    happening: Happening
    email_id: EmailId | None
    received: tuple[int, Email] | None


class Mail:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Filing

    async def add(self, filings: Sequence[Filing]) -> dict[EmailId, int]:
        """File emails, in this order, each in its thread. Their numbers, by id."""
        if not filings:
            return {}
        places = await Threads(self._connection).place([_naming(f) for f in filings])
        inserted = await self._connection.execute(
            _ADD, [_email_row(f) | {"thread_id": thread} for f, thread in zip(filings, places, strict=True)]
        )
        numbers: dict[EmailId, int] = {row.id: row.number for row in inserted}
        parts = [_attachment_row(f.email.account_id, part) for f in filings for part in f.attachments]
        if parts:
            await self._connection.execute(sa.insert(attachments), parts)
        await search.index(self._connection, {numbers[f.email.id]: f.words for f in filings})
        return numbers

    async def has_message_id(self, inbox: InboxId, message_id: str, since: datetime) -> bool:
        """Whether a message of this id has come into an inbox since this moment."""
        query = sa.select(emails.c.number).where(
            emails.c.inbox_id == inbox, emails.c.message_id == message_id, emails.c.created_at >= since
        )
        return await self._connection.scalar(query.limit(1)) is not None

    async def by_digest(
        self, inboxes: Sequence[InboxId], digests: Sequence[bytes]
    ) -> Mapping[tuple[InboxId, bytes], int]:
        """Which of these messages these inboxes have already: the number of the email, by inbox and digest."""
        found = await self._connection.execute(*_BY_DIGEST.of({"inboxes": inboxes, "digests": digests}))
        return {(row.inbox_id, row.digest): row.number for row in found}

    async def known(self, inbox: InboxId, digest: bytes) -> EmailId | None:
        """The inbox's email with just these bytes."""
        query = sa.select(emails.c.id).where(emails.c.inbox_id == inbox, emails.c.digest == digest).limit(1)
        found: EmailId | None = await self._connection.scalar(query)
        return found

    # Reading

    async def get(self, account: AccountId, email: EmailId) -> Email | None:
        row = (await self._connection.execute(_GET, {"account": account, "email": email})).mappings().first()
        return None if row is None else email_of(row)

    async def by_ids(self, ids: Sequence[EmailId]) -> list[Email]:
        """Those of these emails (a thousand at most) that are there, whoever they belong to: for the engine."""
        query = sa.select(emails).where(emails.c.id.in_(ids))
        return [email_of(row) for row in (await self._connection.execute(query)).mappings()]

    async def page(self, account: AccountId, query: EmailQuery) -> Page[Email]:
        return await read_page(
            self._connection, _matching(self._connection.dialect.name, account, query), query.slice, email_of
        )

    async def batch(
        self, account: AccountId, query: EmailQuery, *, most: int, beyond: int | None = None
    ) -> list[tuple[int, Email]]:
        """The first emails that the query asks for, in its order, with their numbers; `beyond` goes on after that
        number. Its page and size don't matter."""
        downwards = query.slice.sort is Sort.DESC
        found = bounded(_matching(self._connection.dialect.name, account, query), emails.c.created_at, query.slice)
        if beyond is not None:
            found = found.where(emails.c.number < beyond if downwards else emails.c.number > beyond)
        found = found.order_by(emails.c.number.desc() if downwards else emails.c.number).limit(most)
        return [(row["number"], email_of(row)) for row in (await self._connection.execute(found)).mappings()]

    async def those(self, account: AccountId, query: EmailQuery, ids: Sequence[EmailId]) -> list[tuple[int, Email]]:
        """Of these emails (a thousand at most) the ones that the query asks for, in its order, with their numbers."""
        # Whichever the inboxes are, the statement is the same.
        among = _among(self._connection.dialect.name, account, replace(query, inbox_ids=()))
        rows = (await self._connection.execute(among, {"ids": ids})).mappings()
        inboxes, downwards = query.inbox_ids, query.slice.sort is Sort.DESC
        found = [(row["number"], email_of(row)) for row in rows if not inboxes or row["inbox_id"] in inboxes]
        return sorted(found, key=itemgetter(0), reverse=downwards)

    async def lines(self, inbox: InboxId, after: int, most: int) -> list[Line]:
        """What the journal of an inbox says after this position, in order."""
        rows = await self._connection.execute(_LINES, {"inbox": inbox, "after": after, "most": most})
        return [
            Line(
                position=row["position"],
                happening=Happening(row["happening"]),
                email_id=row["email_id"],
                received=None if row["number"] is None else (row["number"], email_of(row)),
            )
            for row in rows.mappings()
        ]

    async def tally(self, account: AccountId, query: EmailQuery) -> int:
        """How many emails the query asks for."""
        found = bounded(_matching(self._connection.dialect.name, account, query), emails.c.created_at, query.slice)
        return await self._connection.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0

    async def latest(self, account: AccountId, inbox_ids: Sequence[InboxId] = ()) -> Email | None:
        query = _within(sa.select(emails).where(emails.c.account_id == account), inbox_ids)
        row = (await self._connection.execute(query.order_by(emails.c.number.desc()).limit(1))).mappings().first()
        return None if row is None else email_of(row)

    async def count(self, account: AccountId, inbox_ids: Sequence[InboxId] = (), *, unread_only: bool = False) -> int:
        query = _within(sa.select(sa.func.count()).where(emails.c.account_id == account), inbox_ids)
        if unread_only:
            query = query.where(~emails.c.read)
        return await self._connection.scalar(query) or 0

    async def attachments(self, email: EmailId) -> list[Attachment]:
        query = sa.select(attachments).where(attachments.c.email_id == email).order_by(attachments.c.number)
        return [_attachment(row) for row in (await self._connection.execute(query)).mappings()]

    async def attachments_of(self, ids: Sequence[EmailId]) -> dict[EmailId, list[Attachment]]:
        """The attachments of each of these emails."""
        query = sa.select(attachments).where(attachments.c.email_id.in_(ids)).order_by(attachments.c.number)
        found: dict[EmailId, list[Attachment]] = {}
        for row in (await self._connection.execute(query)).mappings():
            found.setdefault(row["email_id"], []).append(_attachment(row))
        return found

    async def attachment(self, account: AccountId, attachment: str) -> Attachment | None:
        query = sa.select(attachments).where(
            attachments.c.account_id == account,
            attachments.c.id == attachment,
            attachments.c.email_id.is_not(None),
        )
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _attachment(row)

    # Changing

    async def mark_read(
        self,
        account: AccountId,
        read: bool,
        now: datetime,
        *,
        ids: Sequence[EmailId] | None = None,
        inbox: InboxId | None = None,
    ) -> list[tuple[InboxId, EmailId]]:
        """Set the read state of some emails, or of all. Those that it changed."""
        values: dict[str, Any] = {"account": account, "state": read, "now": now}
        query = _MARK
        if ids is not None:
            query, values = _MARK_THOSE, {**values, "ids": ids}
        if inbox is not None:
            query = query.where(emails.c.inbox_id == inbox)
        changed = await self._connection.execute(query, values)
        return [(row.inbox_id, row.id) for row in changed]

    async def read_now(self, ids: Sequence[EmailId], now: datetime) -> list[tuple[InboxId, EmailId]]:
        """These emails (a thousand at most) count as read, whoever they belong to. Those that did not yet."""
        changed = await self._connection.execute(*_READ.of({"ids": ids}, now=now))
        return [(row.inbox_id, row.id) for row in changed]

    async def mark_favourite(self, account: AccountId, email: EmailId, favourite: bool, now: datetime) -> None:
        await self._connection.execute(
            sa.update(emails)
            .where(emails.c.account_id == account, emails.c.id == email, emails.c.favourite != favourite)
            .values(favourite=favourite, updated_at=now)
        )

    async def homes(
        self, account: AccountId, *, ids: Sequence[EmailId] | None = None, slice_: Slice = Slice(), most: int = 1000
    ) -> list[InboxId]:
        """The inboxes of the emails that `remove` would delete: hold them before."""
        chosen = sa.select(emails.c.inbox_id).where(emails.c.account_id == account)
        chosen = bounded(chosen, emails.c.created_at, slice_)
        if ids is not None:
            chosen = chosen.where(emails.c.id.in_(ids))
        chosen = chosen.order_by(emails.c.number).limit(most)
        return list(dict.fromkeys(await self._connection.scalars(chosen)))

    async def remove(
        self,
        account: AccountId,
        *,
        ids: Sequence[EmailId] | None = None,
        inbox_ids: Sequence[InboxId] | None = None,
        slice_: Slice = Slice(),
        most: int = 1000,
    ) -> list["Removed"]:
        """Delete emails: some, or those of some inboxes, or all within the slice's bounds; at most `most`, so
        that no transaction grows long. The caller holds their inboxes, and gives their packs back."""
        chosen = bounded(
            sa.select(emails.c.number, emails.c.id, emails.c.inbox_id, emails.c.pack, emails.c.thread_id).where(
                emails.c.account_id == account
            ),
            emails.c.created_at,
            slice_,
        )
        if ids is not None:
            chosen = chosen.where(emails.c.id.in_(ids))
        if inbox_ids is not None:
            chosen = chosen.where(emails.c.inbox_id.in_(inbox_ids))
        rows = (await self._connection.execute(chosen.order_by(emails.c.number).limit(most))).all()
        numbers = [row.number for row in rows]
        await search.forget(self._connection, numbers)
        await self._connection.execute(sa.delete(emails).where(emails.c.number.in_(numbers)))
        await Threads(self._connection).forget_empty(row.thread_id for row in rows)
        return [Removed(row.inbox_id, row.id, row.pack) for row in rows]


@dataclass(frozen=True, slots=True)
class Removed:
    inbox_id: InboxId
    email_id: EmailId
    pack: str


def _matching(dialect: str, account: AccountId, query: EmailQuery) -> sa.Select[Any]:
    found = _within(sa.select(emails).where(emails.c.account_id == account), query.inbox_ids)
    if query.unread_only:
        found = found.where(~emails.c.read)
    if query.favourites_only:
        found = found.where(emails.c.favourite)
    if query.search:
        found = found.where(search.matching(dialect, query.search))
    if query.after is not None:
        found = found.where(emails.c.id.in_(_received_after(query.after)))
    if query.plus_address is not None:
        found = found.where(emails.c.number.in_(_came_to(query.plus_address)))
    return found


@lru_cache(maxsize=1000)
def _among(dialect: str, account: AccountId, query: EmailQuery) -> sa.Select[Any]:
    """Those of `ids` that are asked for. Who waits asks this again and again, and the answer is waited for."""
    found = bounded(_matching(dialect, account, query), emails.c.created_at, query.slice)
    return found.where(_THOSE)


def _within(query: sa.Select[Any], inbox_ids: Sequence[InboxId]) -> sa.Select[Any]:
    return query.where(emails.c.inbox_id.in_(inbox_ids)) if inbox_ids else query


def _received_after(mark: Mark) -> sa.Select[Any]:
    return sa.select(journal.c.email_id).where(
        journal.c.inbox_id == mark.inbox_id,
        journal.c.position > mark.position,
        journal.c.happening == Happening.EMAIL_RECEIVED,
    )


def _came_to(plus_address: PlusAddressId) -> sa.Select[Any]:
    return (
        sa.select(plus_address_emails.c.email)
        .join(plus_addresses, plus_addresses.c.number == plus_address_emails.c.plus_address)
        .where(plus_addresses.c.id == plus_address)
    )


def stored_columns(stored: Stored) -> dict[str, Any]:
    return {
        "pack": stored.pack,
        "pack_offset": stored.offset,
        "pack_length": stored.length,
        "pack_size": stored.size,
    }


def stored_of(row: Row, size: int | None = None) -> Stored:
    return Stored(
        pack=row["pack"],
        offset=row["pack_offset"],
        length=row["pack_length"],
        size=row["pack_size"] if size is None else size,
    )


def _naming(filing: Filing) -> Naming:
    email = filing.email
    return Naming(email.account_id, email.message_id, (email.in_reply_to, *filing.references), email.created_at)


def _email_row(filing: Filing) -> dict[str, Any]:
    email = filing.email
    return {
        "id": email.id,
        "account_id": email.account_id,
        "inbox_id": email.inbox_id,
        "created_at": email.created_at,
        "updated_at": email.updated_at,
        "read": email.read,
        "favourite": email.favourite,
        "digest": filing.digest,
        "sender": None if email.sender is None else [email.sender.name, email.sender.email],
        "to": addresses_to_json(email.to),
        "cc": addresses_to_json(email.cc),
        "bcc": addresses_to_json(email.bcc),
        "reply_to": addresses_to_json(email.reply_to),
        "subject": email.subject,
        "message_id": email.message_id,
        "in_reply_to": email.in_reply_to,
        "sent_at": email.sent_at,
        "size": email.size,
        "excerpt": email.excerpt,
        "is_html": email.is_html,
        "charset": email.charset,
        "content_types": list(email.content_types),
        "attachment_ids": list(email.attachment_ids),
        "folder": email.folder,
        "external_id": email.external_id,
        "problem": email.problem,
        **stored_columns(email.stored),
    }


def email_of(row: Row) -> Email:
    return Email(
        id=row["id"],
        account_id=row["account_id"],
        inbox_id=row["inbox_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        read=row["read"],
        favourite=row["favourite"],
        sender=None if row["sender"] is None else Address(*row["sender"]),
        to=addresses_from_json(row["to"]),
        cc=addresses_from_json(row["cc"]),
        bcc=addresses_from_json(row["bcc"]),
        reply_to=addresses_from_json(row["reply_to"]),
        subject=row["subject"],
        message_id=row["message_id"],
        in_reply_to=row["in_reply_to"],
        sent_at=row["sent_at"],
        size=row["size"],
        excerpt=row["excerpt"],
        is_html=row["is_html"],
        charset=row["charset"],
        content_types=tuple(row["content_types"]),
        attachment_ids=tuple(row["attachment_ids"]),
        folder=row["folder"],
        external_id=row["external_id"],
        problem=row["problem"],
        stored=stored_of(row),
        thread_id=row["thread_id"],
    )


def _attachment_row(account: AccountId, part: Attachment) -> dict[str, Any]:
    return {
        "id": part.id,
        "account_id": account,
        "inbox_id": part.inbox_id,
        "email_id": part.email_id,
        "name": part.name,
        "content_type": part.content_type,
        "content_id": part.content_id,
        "size": part.size,
        "created_at": part.created_at,
        "start": part.start,
        "end": part.end,
        "transfer": part.transfer,
    }


def _attachment(row: Row) -> Attachment:
    return Attachment(
        id=row["id"],
        email_id=row["email_id"],
        inbox_id=row["inbox_id"],
        name=row["name"],
        content_type=row["content_type"],
        content_id=row["content_id"],
        size=row["size"],
        start=row["start"],
        end=row["end"],
        transfer=Transfer(row["transfer"]),
        created_at=row["created_at"],
    )
