"""The journal: what has happened in each inbox, in order.

An entry's position is drawn from its inbox's row in the appending transaction, whose lock on that row makes the
order of positions the order of commits, without gaps, on both databases. A reader keeps the last position that it
has seen, and asks for what comes after.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from posthouse.model.events import Entry, Happening
from posthouse.model.values import InboxId
from posthouse.store.among import Among
from posthouse.store.connection import Connection
from posthouse.store.tables import inboxes, journal

_DRAW = Among(
    sa.update(inboxes)
    .where(inboxes.c.id.in_(sa.bindparam("inboxes", expanding=True)))
    .values(position=inboxes.c.position + sa.bindparam("lines"))
    .returning(inboxes.c.id, inboxes.c.position)
)
_APPEND = sa.insert(journal)
_AFTER = (
    sa.select(journal)
    .where(journal.c.inbox_id == sa.bindparam("inbox"), journal.c.position > sa.bindparam("after"))
    .order_by(journal.c.position)
    .limit(sa.bindparam("most"))
)


class Journal:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def append(self, inbox: InboxId, happening: Happening, emails: Sequence[UUID], at: datetime) -> int:
        """Write one line for each email (or whatever else it is about), in this order. The position of the last line.

        From here to the commit nobody else can write to this inbox's journal.
        """
        return (await self.append_all({inbox: emails}, happening, at))[inbox]

    async def append_all(
        self, emails: Mapping[InboxId, Sequence[UUID]], happening: Happening, at: datetime
    ) -> dict[InboxId, int]:
        """As `append`, for several inboxes: hold them in one order before."""
        alike: dict[int, list[InboxId]] = {}
        for inbox, its in emails.items():
            alike.setdefault(len(its), []).append(inbox)
        last: dict[InboxId, int] = {}
        for lines, some in alike.items():
            drawn = await self._connection.execute(*_DRAW.of({"inboxes": some}, lines=lines))
            last.update({row.id: row.position for row in drawn})
        assert last.keys() == emails.keys(), "an inbox that mail is filed in exists"
        rows = [
            {"inbox_id": inbox, "position": position, "happening": happening, "email_id": email, "at": at}
            for inbox, its in emails.items()
            for position, email in enumerate(its, last[inbox] - len(its) + 1)
        ]
        if rows:
            await self._connection.execute(_APPEND, rows)
        return last

    async def after(self, inbox: InboxId, position: int, most: int = 100) -> list[Entry]:
        found = await self._connection.execute(_AFTER, {"inbox": inbox, "after": position, "most": most})
        rows = found.mappings()
        return [Entry(**{**row, "happening": Happening(row["happening"])}) for row in rows]

    async def position(self, inbox: InboxId) -> int:
        """The position of an inbox's last line; 0 when nothing has happened yet."""
        return await self._connection.scalar(sa.select(inboxes.c.position).where(inboxes.c.id == inbox)) or 0

    async def position_at(self, inbox: InboxId, moment: datetime) -> int:
        """The position of the last line that was written by this moment; 0 when there is none."""
        query = sa.select(sa.func.max(journal.c.position)).where(journal.c.inbox_id == inbox, journal.c.at <= moment)
        return await self._connection.scalar(query) or 0
