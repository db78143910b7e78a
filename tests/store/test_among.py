"""Statements with lists: the same rows, whatever the lists' lengths, and written once for each of a few lengths."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from house import opened_database
from posthouse.store.among import Among
from posthouse.store.database import Database

TABLE = sa.table("numbers", sa.column("number", sa.Integer), sa.column("kind", sa.Text))
CHOSEN = Among(
    sa.select(TABLE.c.number)
    .where(
        TABLE.c.number.in_(sa.bindparam("numbers", expanding=True)),
        TABLE.c.kind.in_(sa.bindparam("kinds", expanding=True)),
        TABLE.c.number > sa.bindparam("above"),
    )
    .order_by(TABLE.c.number)
)
CHANGED = Among(
    sa.update(TABLE)
    .where(TABLE.c.number.in_(sa.bindparam("numbers", expanding=True)))
    .values(number=TABLE.c.number + sa.bindparam("more"))
    .returning(TABLE.c.number)
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened_database(database_url) as database:
        async with database.transaction() as tx:
            await tx.connection.execute(sa.text("CREATE TABLE numbers (number INTEGER, kind TEXT)"))
            rows = [{"number": number, "kind": "odd" if number % 2 else "even"} for number in range(400)]
            await tx.connection.execute(sa.text("INSERT INTO numbers VALUES (:number, :kind)"), rows)
        yield database


async def chosen(database: Database, numbers: list[int], kinds: set[str], above: int = -1) -> list[int]:
    async with database.reading() as tx:
        asked = CHOSEN.of({"numbers": numbers, "kinds": kinds}, above=above)
        return list(await tx.connection.scalars(*asked))


async def test_the_rows_are_those_of_the_list_however_long_it_is(database: Database) -> None:
    for length in (0, 1, 2, 3, 4, 5, 31, 128, 129, 300):
        numbers = list(range(length))
        assert await chosen(database, numbers, {"odd", "even", "neither"}) == numbers
        assert await chosen(database, numbers, {"odd"}, above=1) == [one for one in numbers if one % 2 and one > 1]
    assert await chosen(database, [1, 2], set()) == []


async def test_rows_are_changed_once_although_lists_are_filled_up(database: Database) -> None:
    async with database.transaction() as tx:
        asked = CHANGED.of({"numbers": [0, 1, 2]}, more=1000)
        assert sorted(await tx.connection.scalars(*asked)) == [1000, 1001, 1002]


def test_a_statement_is_written_once_for_lists_of_about_the_same_length() -> None:
    among = Among(sa.select(TABLE).where(TABLE.c.number.in_(sa.bindparam("numbers", expanding=True))))
    five, values = among.of({"numbers": [1, 2, 3, 4, 5]})
    assert sorted(values.values()) == [1, 2, 3, 4, 5, 5, 5, 5]
    assert among.of({"numbers": range(8)})[0] is five
    assert among.of({"numbers": range(9)})[0] is not five
