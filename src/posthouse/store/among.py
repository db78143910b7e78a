"""Statements that ask for several things by a list: `column.in_(sa.bindparam("names", expanding=True))`.

SQLAlchemy writes such a statement anew each time that it is executed, which takes longer than SQLite does for all of
it. Here it is written once for each of a few lengths; a shorter list is filled up with its last element.
"""

from collections.abc import Collection, Mapping
from itertools import chain, repeat
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BindParameter, ClauseList

_LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128)


class Among:
    """A statement with such parameters."""

    def __init__(self, statement: sa.Executable) -> None:
        self._statement = statement
        self._written: dict[tuple[int, ...], sa.Executable] = {}

    def of(self, lists: Mapping[str, Collection[Any]], **values: Any) -> tuple[sa.Executable, dict[str, Any]]:
        """What to execute for these lists, always all of the statement's and in the same order, and for its other
        parameters."""
        lengths = tuple(next((some for some in _LENGTHS if some >= len(its) > 0), 0) for its in lists.values())
        if 0 in lengths:  # nothing at all; or so many that it makes no difference
            return self._statement, values | {name: list(its) for name, its in lists.items()}
        if lengths not in self._written:
            self._written[lengths] = _with_places(self._statement, dict(zip(lists, lengths, strict=True)))
        for (name, its), length in zip(lists.items(), lengths, strict=True):
            *but_last, last = its
            filled = chain(but_last, repeat(last, length - len(but_last)))
            values |= {f"{name}_{place}": value for place, value in enumerate(filled)}
        return self._written[lengths], values


def _with_places(statement: sa.Executable, lengths: Mapping[str, int]) -> sa.Executable:
    """The statement with a parameter for each place of its lists."""

    def places(element: Any, **_: Any) -> Any:
        if not isinstance(element, BindParameter) or element.key not in lengths:
            return None
        each = [sa.bindparam(f"{element.key}_{place}", type_=element.type) for place in range(lengths[element.key])]
        return ClauseList(*each).self_group(against=operators.in_op)

    written: sa.Executable = visitors.replacement_traverse(cast(Any, statement), {}, places)
    return written
