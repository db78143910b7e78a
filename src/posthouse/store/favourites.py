"""Favourites: rows of several tables, in one order."""

import sqlalchemy as sa

from posthouse.model.favourites import Favourite, FavouriteKind
from posthouse.model.values import AccountId, Page, Slice, Sort
from posthouse.store.connection import Connection
from posthouse.store.rows import bounded
from posthouse.store.tables import emails, inboxes


class Favourites:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(self, account: AccountId, slice_: Slice, kind: FavouriteKind | None = None) -> Page[Favourite]:
        """Favourites by when they came to be, of one kind or of all."""
        found = sa.union_all(
            sa.select(
                inboxes.c.id,
                sa.literal(FavouriteKind.INBOX.value).label("kind"),
                sa.func.coalesce(inboxes.c.name, inboxes.c.email_address).label("name"),
                inboxes.c.description.label("description"),
                inboxes.c.created_at,
            ).where(inboxes.c.account_id == account, inboxes.c.favourite),
            sa.select(
                emails.c.id,
                sa.literal(FavouriteKind.EMAIL.value),
                emails.c.subject,
                emails.c.excerpt,
                emails.c.created_at,
            ).where(emails.c.account_id == account, emails.c.favourite),
        ).subquery()
        query = bounded(sa.select(found), found.c.created_at, slice_)
        if kind is not None:
            query = query.where(found.c.kind == kind.value)
        total = await self._connection.scalar(sa.select(sa.func.count()).select_from(query.subquery()))
        order = (found.c.created_at, found.c.id)
        query = query.order_by(*(column.desc() if slice_.sort is Sort.DESC else column for column in order))
        rows = await self._connection.execute(query.offset(slice_.offset).limit(slice_.size))
        favourites = tuple(
            Favourite(
                id=row.id,
                kind=FavouriteKind(row.kind),
                name=row.name,
                description=row.description,
                created_at=row.created_at,
            )
            for row in rows
        )
        return Page(favourites, total or 0, slice_)
