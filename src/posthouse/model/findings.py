"""What reading tools find in an email: codes, links, signatures, and what is wrong with its HTML."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Where in an email something was found. Places in it are counted in characters of what a reader sees there."""

    SUBJECT = "SUBJECT"
    TEXT = "TEXT_PART"
    HTML = "HTML_PART"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What somebody is asked to type in: `confidence` is from 0 to 1, `context` the line that it stands in."""

    value: str
    confidence: float
    source: Source
    offset: int
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeLink:
    """A link that confirms, signs in or resets: what one follows instead of typing a code in. `offset` is None for
    one that nothing visible stands for."""

    url: str
    text: str
    source: Source
    offset: int | None


Pattern = Callable[[str], Iterator[tuple[str, int]]]
"""Finds texts, each with its place: a user's own idea of what a code looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeWish:
    """What kind of codes are looked for. Lengths count letters and digits. With `patterns` (regular expressions),
    those come first, and the usual forms only where they find nothing and `fall_back` allows it."""

    shortest: int = 4
    longest: int = 10
    most: int = 5
    patterns: tuple[str, ...] = ()
    fall_back: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCodes:
    """Codes, the likeliest first; `notes` say how they were found, where that is not as asked."""

    codes: tuple[Code, ...]
    links: tuple[OneTimeLink, ...]
    notes: tuple[str, ...] = ()


class SignatureKind(StrEnum):
    """By what a signature was recognised."""

    DELIMITER = "DELIMITER"
    MARKUP = "MARKUP"
    DEVICE = "DEVICE"
    CLOSING = "CLOSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The lines at the end of an email that say who wrote it. `marker` is what they were recognised by."""

    body: str
    marker: str
    kind: SignatureKind
    source: Source


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something about HTML that is wrong, or that mail programs won't like; lines count from 1."""

    line: int
    message: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Issue:
    """A link or image that leads nowhere, or may not."""

    url: str
    message: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyCheck:
    """What a look at an email's links and images brought up. Nothing was asked of any server for it."""

    links: tuple[Issue, ...] = ()
    images: tuple[Issue, ...] = ()


class LinkBehaviour(StrEnum):
    """What becomes of the links in HTML that is shown."""

    PRESERVE = "PRESERVE"
    NEW_TAB = "NEW_TAB"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartContent:
    """The decoded content of one part. `text` is None where it is no text."""

    content_type: str
    content: bytes
    text: str | None
