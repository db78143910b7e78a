"""Every operation that MailSlurp's clients know, built here or not.

A client that calls one that we have not built is told so (501) and not that there is no such thing (404); one that
uses a known path with a wrong method is told which methods there are (405).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Operation:
    """`tier` 1 is the connectors and what a mailbox needs, 2 the rest of a mail product, 3 everything else."""

    method: str
    path: str
    name: str
    tier: int


@dataclass(slots=True)
class _Branch:
    """What may follow one segment of a path."""

    literal: dict[str, "_Branch"] = field(default_factory=dict)
    parameter: "_Branch | None" = None
    operations: dict[str, Operation] = field(default_factory=dict)

    def grow(self, segment: str) -> "_Branch":
        if not segment.startswith("{"):
            return self.literal.setdefault(segment, _Branch())
        if self.parameter is None:
            self.parameter = _Branch()
        return self.parameter


class Catalogue:
    """Operations, found by what a client asks for. A literal segment is preferred to a parameter."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._root = _Branch()
        for operation in self.operations:
            branch = self._root
            for segment in _segments(operation.path):
                branch = branch.grow(segment)
            branch.operations[operation.method] = operation

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that this request means."""
        for branch in _matches(self._root, _segments(path)):
            if method in branch.operations:
                return branch.operations[method]
        return None

    def methods(self, path: str) -> tuple[str, ...]:
        """The methods by which this path is known, sorted; empty when it is not."""
        found: set[str] = set()
        for branch in _matches(self._root, _segments(path)):
            found.update(branch.operations)
        return tuple(sorted(found))


_WHY_NOT = (
    (
        re.compile("(get|update)(Imap|Smtp|ImapSmtp)Access"),
        "Posthouse serves no IMAP or SMTP of its own, so an inbox has no mail server to give access to. Read its mail "
        "by this API; an external mailbox is reached at its own provider, with the connector's settings",
    ),
)


def why_not(operation: Operation) -> str:
    """Why an operation is not built, where its callers should know; else ''."""
    return next((words for pattern, words in _WHY_NOT if pattern.match(operation.name)), "")


def _segments(path: str) -> list[str]:
    return path.split("/")[1:]


def _matches(branch: _Branch, segments: list[str]) -> Iterator[_Branch]:
    # The depth of the recursion is bounded by the longest known path, whatever a client sends.
    if not segments:
        yield branch
        return
    first, rest = segments[0], segments[1:]
    if first in branch.literal:
        yield from _matches(branch.literal[first], rest)
    if first and branch.parameter is not None:
        yield from _matches(branch.parameter, rest)


@cache
def known_operations() -> Catalogue:
    """All that is in `operations.txt`."""
    text = files("posthouse.api").joinpath("operations.txt").read_text("utf-8")
    return Catalogue(_read(line) for line in text.splitlines() if not line.startswith("#"))


def _read(line: str) -> Operation:
    method, path, name, tier = line.split(" ")
    return Operation(method, path, name, int(tier))
