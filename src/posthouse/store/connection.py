"""What the store asks of a database, of either kind (`sqlite.py`, `postgresql.py`), and of a connection to it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Rows = sa.CursorResult[*tuple[Any, ...]]


class Connection(Protocol):
    """Statements, of one transaction. SQLAlchemy's own connection is one."""

    @property
    def dialect(self) -> sa.Dialect: ...
    async def execute(self, statement: sa.Executable, parameters: Any = None, /) -> Rows:
        """Execute it; the rows are there. With several parameters, for each of them."""
        ...

    async def scalar(self, statement: sa.Executable, parameters: Any = None, /) -> Any:
        """The first column of its first row; None where there is none."""
        ...

    async def scalars(self, statement: sa.Executable, parameters: Any = None, /) -> sa.ScalarResult[Any]:
        """The first column of its rows."""
        ...

    async def run_sync(self, do: Callable[[sa.Connection], T], /) -> T:
        """Have something done that knows no event loops."""
        ...


class Backend(Protocol):
    """A database of one kind."""

    @property
    def engine(self) -> sa.Engine:
        """Whose URL and dialect it is, and whom to listen to for what is executed."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction that only looks."""
        ...

    def writing(self, *, durable: bool) -> AbstractAsyncContextManager[Connection]:
        """A transaction that is committed at the end of the block; an error rolls it back, and goes on. One that is not
        `durable` may be undone by a power cut, but by nothing else."""
        ...

    async def close(self) -> None:
        """Close what is open; a connection in use, when it is given back."""
        ...
