"""Full-text search over emails: FTS5 on SQLite, a tsvector on PostgreSQL, the same words in both.

We cut text into words ourselves (`model.words`), so that both databases find the same mail. A search finds the emails
that hold, for each of its words, a word beginning with it.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from posthouse.model.words import words
from posthouse.store.connection import Connection
from posthouse.store.tables import emails

_ADD_TO_VECTORS = sa.text("INSERT INTO email_search VALUES (:number, array_to_tsvector(CAST(:words AS text[])))")
_ADD_TO_FTS = sa.text("INSERT INTO email_search (rowid, words) VALUES (:number, :words)")


async def index(connection: Connection, found: Mapping[int, str]) -> None:
    """Make these emails, by number, findable by these words (with blanks between them)."""
    if not found:
        return
    if connection.dialect.name == "postgresql":
        statement = _ADD_TO_VECTORS
        rows: list[dict[str, Any]] = [{"number": number, "words": each.split()} for number, each in found.items()]
    else:
        statement = _ADD_TO_FTS
        rows = [{"number": number, "words": each} for number, each in found.items()]
    await connection.execute(statement, rows)


async def forget(connection: Connection, numbers: list[int]) -> None:
    """Take emails out of the index. PostgreSQL's rows go by themselves, with the emails."""
    if numbers and connection.dialect.name == "sqlite":
        statement = sa.text("DELETE FROM email_search WHERE rowid = :number")
        await connection.execute(statement, [{"number": number} for number in numbers])


def matching(dialect: str, text: str) -> sa.ColumnElement[bool]:
    """True for the emails that hold every word of `text`, each at least at a word's beginning.

    Words are letters and digits alone, so nothing of a search reaches the databases' query languages.
    """
    wanted = words(text)
    if not wanted:
        return sa.true()
    index_table = sa.table("email_search")
    if dialect == "postgresql":
        found = sa.select(sa.column("number", sa.BigInteger)).select_from(index_table)
        query = sa.func.to_tsquery(sa.literal_column("'simple'"), " & ".join(f"'{word}':*" for word in wanted))
        return emails.c.number.in_(found.where(sa.column("words").op("@@")(query)))
    found = sa.select(sa.column("rowid", sa.BigInteger)).select_from(index_table)
    terms = " AND ".join(f'"{word}"*' for word in wanted)
    return emails.c.number.in_(found.where(sa.literal_column("email_search").op("MATCH")(terms)))
