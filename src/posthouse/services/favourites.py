"""Favourites of every kind, in one list."""

from posthouse.model.favourites import Favourite, FavouriteKind
from posthouse.model.values import AccountId, Page, Slice
from posthouse.store.database import Database


class Favourites:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, account: AccountId, slice_: Slice, kind: FavouriteKind | None = None) -> Page[Favourite]:
        async with self._database.reading() as tx:
            return await tx.favourites.page(account, slice_, kind)
