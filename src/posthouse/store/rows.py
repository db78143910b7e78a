"""How rows are read: slices of lists, and values that stand in JSON columns; and what is not read."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from posthouse.model.message import Address
from posthouse.model.values import Page, Slice, Sort
from posthouse.store.connection import Connection

T = TypeVar("T")
UNANSWERED = "posthouse_unanswered"
"""An execution option of statements of which nobody wants to know how many rows they have changed."""
Row = sa.RowMapping


async def read_page(
    connection: Connection,
    query: sa.Select[Any],
    slice_: Slice,
    make: Callable[[Row], T],
) -> Page[T]:
    """The page of `query` that is asked for. The query's first table has `number` and `created_at`; rows come in
    the order they were made."""
    table = query.get_final_froms()[0]
    while isinstance(table, sa.Join):
        table = table.left
    query = bounded(query, table.c.created_at, slice_)
    total = await connection.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery()))
    number = table.c.number
    query = query.order_by(number.desc() if slice_.sort is Sort.DESC else number.asc())
    rows = (await connection.execute(query.offset(slice_.offset).limit(slice_.size))).mappings()
    return Page(tuple(make(row) for row in rows), total or 0, slice_)


def bounded(query: sa.Select[Any], created_at: sa.ColumnElement[Any], slice_: Slice) -> sa.Select[Any]:
    """The query within the slice's bounds on creation, both exclusive."""
    if slice_.since is not None:
        query = query.where(created_at > slice_.since)
    if slice_.before is not None:
        query = query.where(created_at < slice_.before)
    return query


def addresses_to_json(addresses: Iterable[Address]) -> list[list[str]]:
    return [[address.name, address.email] for address in addresses]


def addresses_from_json(stored: Sequence[Sequence[str]] | None) -> tuple[Address, ...]:
    return tuple(Address(name, email) for name, email in stored or ())
