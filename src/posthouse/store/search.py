"""Full-text search over emails: FTS5 on SQLite, a tsvector on PostgreSQL, the same words in both.

We cut text into words ourselves, so that both databases find the same mail: runs of letters and digits, in lower
case and without accents; Chinese, Japanese and Thai text, which has no spaces, letter by letter. A search finds
the emails that hold, for each of its words, a word beginning with it.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from posthouse.store.tables import emails

MOST_WORDS = 4000
LONGEST_WORD = 40

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
_MARKS = re.compile("[" + "".join(chr(c) for c in range(0x10000) if unicodedata.combining(chr(c))) + "]+")
# ASCII needs no patterns: letters in lower case, digits, and blanks for all the rest.
_ASCII = bytes(c if c < 128 and chr(c).isalnum() else 32 for c in range(256)).lower()


def words(text: str) -> tuple[str, ...]:
    """The different words of a text, at most MOST_WORDS; those between blanks that hold ASCII alone come first."""
    # Most of what is said is said again, and most is ASCII even where not all is: the slow way is for the rest.
    plain: list[str] = []
    other: list[str] = []
    for chunk in dict.fromkeys(text.split()):
        (plain if chunk.isascii() else other).append(chunk)
    found = " ".join(plain).encode().translate(_ASCII).decode().split()
    if other:
        rest = _MARKS.sub("", unicodedata.normalize("NFKD", " ".join(other)).lower())
        found += _WORD.findall(" ".join(_UNSPACED.split(rest)))
    if max(map(len, found), default=0) > LONGEST_WORD:
        found = [word[:LONGEST_WORD] for word in found]
    return tuple(dict.fromkeys(found))[:MOST_WORDS]


async def index(connection: AsyncConnection, found: Mapping[int, Sequence[str]]) -> None:
    """Make these emails, by number, findable by these words."""
    if not found:
        return
    if connection.dialect.name == "postgresql":
        statement = "INSERT INTO email_search VALUES (:number, array_to_tsvector(CAST(:words AS text[])))"
        rows: list[dict[str, Any]] = [{"number": number, "words": each} for number, each in found.items()]
    else:
        statement = "INSERT INTO email_search (rowid, words) VALUES (:number, :words)"
        rows = [{"number": number, "words": " ".join(each)} for number, each in found.items()]
    await connection.execute(sa.text(statement), rows)


async def forget(connection: AsyncConnection, numbers: list[int]) -> None:
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
