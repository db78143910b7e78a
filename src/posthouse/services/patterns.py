"""Regular expressions that come from users, and are tried on mail from anybody.

RE2 matches them in time that grows with the text's length alone, whatever the expression (Python's own engine can be
made to run for years); the price is that there are no back-references and no look-around. Programs are bounded
besides, and texts by what reading lets through.
"""

from collections.abc import Iterator, Sequence

import re2

from posthouse.model.errors import Invalid

LONGEST_PATTERN = 1000
MOST_STATES = 1000
_SHOWN = 80


class Expression:
    """A regular expression, ready to be tried anywhere in a text. Raises Invalid for one that is none, or too large;
    `capturing` is for those whose groups are asked for."""

    def __init__(self, pattern: str, *, capturing: bool = False) -> None:
        self._compiled = _compiled(pattern, capturing)

    def found_in(self, text: str) -> bool:
        return self._compiled.search(_encodable(text)) is not None

    def groups(self, text: str) -> Sequence[str] | None:
        """The first match, whole, and then what its groups hold ('' for one that took no part); None without one."""
        match = self._compiled.search(_encodable(text))
        return None if match is None else [match[0], *(group or "" for group in match.groups())]

    def codes(self, text: str) -> Iterator[tuple[str, int]]:
        """What its first group holds (or all of it, where it has none) wherever it matches, and at which place."""
        for match in self._compiled.finditer(_encodable(text)):
            group = 1 if self._compiled.groups else 0
            if match[group]:
                yield match[group], match.start(group)


def _compiled(pattern: str, capturing: bool) -> "re2._Regexp[str]":
    if len(pattern) > LONGEST_PATTERN:
        raise Invalid(f"a regular expression may have at most {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.max_mem = 1 << 20
    options.never_capture = not capturing
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        why = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else "not valid text"
        raise Invalid(
            f"the regular expression {shortened(pattern)!r} can't be used: {why} "
            "(RE2 syntax: no back-references, no look-around)"
        ) from None
    if compiled.programsize > MOST_STATES:
        raise Invalid(f"the regular expression {shortened(pattern)!r} is too large: repeat less often in it")
    return compiled


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def shortened(text: str) -> str:
    """A text from outside as a sentence of ours quotes it: one line, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
