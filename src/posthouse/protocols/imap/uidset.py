"""Sets of message numbers, as commands and answers write them: `1:4,7,9:*` (RFC 3501 §9, `sequence-set`).

A set is held as its ranges and never expanded unasked: a server may well answer `1:4294967295`.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# RFC 9051 §2.3.1.1: a UID is a 32-bit number, never zero. `*` stands for the highest there is.
HIGHEST = 2**32 - 1
SEQUENCE_SET = re.compile(r"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*+")


@dataclass(frozen=True, slots=True)
class UidSet:
    """Ascending ranges, both ends included, which neither touch nor overlap. `len()` counts numbers."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "UidSet":
        """The set of these numbers. Raises `ValueError` for one that can't be a UID."""
        return cls.joined((number, number) for number in numbers)

    @classmethod
    def parse(cls, text: str) -> "UidSet":
        """Read `1:4,7,9:*`; ends may come in either order. Raises `ValueError` for anything else."""
        if not SEQUENCE_SET.fullmatch(text):
            raise ValueError(f"not a set of message numbers: {text[:80]!r}")
        return cls.joined(map(ends, text.split(",")))

    @classmethod
    def joined(cls, pairs: Iterable[tuple[int, int]]) -> "UidSet":
        """The set of these ranges, which may overlap and come in any order."""
        ranges: list[tuple[int, int]] = []
        for low, high in sorted(pairs):
            if not 0 < low <= high <= HIGHEST:
                raise ValueError(f"not a message number: {low if low < 1 else high}")
            if ranges and low <= ranges[-1][1] + 1:
                ranges[-1] = (ranges[-1][0], max(high, ranges[-1][1]))
            else:
                ranges.append((low, high))
        return cls(tuple(ranges))

    def __str__(self) -> str:
        return ",".join(map(written, self.ranges))

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        at = bisect_right(self.ranges, (number, HIGHEST)) - 1
        return at >= 0 and self.ranges[at][0] <= number <= self.ranges[at][1]

    def in_lines(self, length: int) -> Iterator[str]:
        """The set written in as many pieces as needed so that each is at most `length` characters."""
        line = ""
        for piece in map(written, self.ranges):
            if line and len(line) + 1 + len(piece) > length:
                yield line
                line = piece
            else:
                line = f"{line},{piece}" if line else piece
        if line:
            yield line


def written(ends: tuple[int, int]) -> str:
    low, high = (str(end) if end < HIGHEST else "*" for end in ends)
    return low if low == high else f"{low}:{high}"


def ends(text: str) -> tuple[int, int]:
    low, _, high = text.partition(":")
    first = HIGHEST if low == "*" else int(low)
    last = first if not high else HIGHEST if high == "*" else int(high)
    return (first, last) if first <= last else (last, first)
