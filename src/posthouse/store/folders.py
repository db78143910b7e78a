"""Rows of what we know of external folders: how far each is synced, and which message there became which email."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from posthouse.model.sync import Cursor, Occurrence
from posthouse.model.values import ConnectorId
from posthouse.store.among import Among
from posthouse.store.connection import Connection
from posthouse.store.rows import UNANSWERED, Row
from posthouse.store.tables import folders, occurrences

_THIS = sa.and_(folders.c.connector_id == sa.bindparam("connector"), folders.c.name == sa.bindparam("folder"))
_FIND = sa.select(folders).where(_THIS)
_FIND_SEVERAL = Among(
    sa.select(folders).where(
        folders.c.connector_id.in_(sa.bindparam("connectors", expanding=True)),
        folders.c.name.in_(sa.bindparam("names", expanding=True)),
    )
)
_ADVANCE = (
    sa.update(folders)
    .where(folders.c.number == sa.bindparam("place"))
    .values(next_uid=sa.bindparam("next"))
    .execution_options(**{UNANSWERED: True})
)
_KEPT = ("uid_validity", "next_uid", "highest_modseq", "search_terms", "era")
_KEEP = sa.update(folders).where(_THIS).values({name: sa.bindparam(name) for name in _KEPT}).returning(folders.c.number)
_ADD = sa.insert(occurrences)
_DELETED = Among(
    sa.select(folders.c.connector_id, occurrences.c.digest)
    .join(folders, folders.c.number == occurrences.c.folder)
    .where(
        folders.c.connector_id.in_(sa.bindparam("connectors", expanding=True)),
        occurrences.c.email.is_(None),
        occurrences.c.digest.in_(sa.bindparam("digests", expanding=True)),
    )
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a connector as rows know it. `era` counts how often its UIDs have lost their meaning."""

    number: int
    era: int
    cursor: Cursor


class Folders:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, connector: ConnectorId, folder: str) -> Place | None:
        found = await self._connection.execute(_FIND, {"connector": connector, "folder": folder})
        row = found.mappings().first()
        return None if row is None else _place(row)

    async def several(self, names: Mapping[ConnectorId, str]) -> dict[ConnectorId, Place]:
        """As `get`, for one folder of each of these connectors."""
        asked = _FIND_SEVERAL.of({"connectors": names, "names": set(names.values())})
        rows = (await self._connection.execute(*asked)).mappings()
        return {row["connector_id"]: _place(row) for row in rows if names[row["connector_id"]] == row["name"]}

    async def advance(self, next_uids: Mapping[int, int]) -> None:
        """These folders, by number, are synced up to before these UIDs."""
        rows = [{"place": place, "next": next_uid} for place, next_uid in next_uids.items()]
        await self._connection.execute(_ADVANCE, rows)

    async def keep(self, connector: ConnectorId, cursor: Cursor, *, era: int) -> int:
        """Remember how far a folder is synced. The folder's number."""
        values = {
            "uid_validity": cursor.uid_validity,
            "next_uid": cursor.next_uid,
            "highest_modseq": cursor.highest_modseq,
            "search_terms": cursor.search_terms,
            "era": era,
        }
        number = await self._connection.scalar(_KEEP, {**values, "connector": connector, "folder": cursor.folder})
        if number is None:
            number = await self._connection.scalar(
                sa.insert(folders)
                .values(connector_id=connector, name=cursor.folder, **values)
                .returning(folders.c.number)
            )
        assert number is not None
        return int(number)

    async def known_uids(self, place: int, era: int, start: int, stop: int) -> set[int]:
        """The UIDs from `start` up to before `stop` that have become emails, or were before they were deleted."""
        query = sa.select(occurrences.c.uid).where(
            occurrences.c.folder == place,
            occurrences.c.era == era,
            occurrences.c.uid >= start,
            occurrences.c.uid < stop,
        )
        return set(await self._connection.scalars(query))

    async def unplaced(self, place: int, era: int) -> list[Occurrence]:
        """What earlier eras knew and this one has not met again yet, by email; oldest first."""
        here, there = occurrences.alias(), occurrences.alias()
        met = sa.select(there.c.uid).where(
            there.c.folder == place,
            there.c.era == era,
            there.c.digest == here.c.digest,
            there.c.email.is_not_distinct_from(here.c.email),
        )
        query = (
            sa.select(here.c.uid, here.c.mark, here.c.digest, here.c.email)
            .where(here.c.folder == place, here.c.era < era, ~met.exists())
            .order_by(here.c.era.desc(), here.c.uid)
        )
        return [Occurrence(**row) for row in (await self._connection.execute(query)).mappings()]

    async def add_occurrences(self, found: Iterable[tuple[Place, Sequence[Occurrence]]]) -> None:
        """These messages lie in these places."""
        rows = [
            {
                "folder": place.number,
                "era": place.era,
                "uid": one.uid,
                "mark": one.mark,
                "digest": one.digest,
                "email": one.email,
            }
            for place, some in found
            for one in some
        ]
        if rows:
            await self._connection.execute(_ADD, rows)

    async def forget_before(self, place: int, era: int) -> None:
        """Drop what earlier eras knew: everything that is still at the server has been met again.

        What is gone there and deleted here is forgotten with it; the rest is still told by its email's digest.
        """
        await self._connection.execute(
            sa.delete(occurrences).where(occurrences.c.folder == place, occurrences.c.era < era)
        )

    async def forget_vanished(self, place: int, era: int, uids: Iterable[range]) -> None:
        """Drop the occurrences that the server says are no longer there."""
        for gone in uids:
            await self._connection.execute(
                sa.delete(occurrences).where(
                    occurrences.c.folder == place,
                    occurrences.c.era == era,
                    occurrences.c.uid >= gone.start,
                    occurrences.c.uid < gone.stop,
                )
            )

    async def deleted_digests(
        self, connectors: Sequence[ConnectorId], digests: Sequence[bytes]
    ) -> set[tuple[ConnectorId, bytes]]:
        """Which of these messages came by one of these connectors once, and by which, and were deleted here since."""
        found = await self._connection.execute(*_DELETED.of({"connectors": connectors, "digests": digests}))
        return {(row.connector_id, row.digest) for row in found}


def _place(row: Row) -> Place:
    cursor = Cursor(
        folder=row["name"],
        uid_validity=row["uid_validity"],
        next_uid=row["next_uid"],
        highest_modseq=row["highest_modseq"],
        search_terms=row["search_terms"],
    )
    return Place(row["number"], row["era"], cursor)
