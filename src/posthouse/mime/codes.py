"""One-time codes: what an email asks its reader to type in.

A number in a mail is a code because of what is said around it, so candidates are found by their form and judged by
their line: by words that mean "code" in the languages of the world nearby, and by words that mean something else
(order, invoice, phone …) just before. Years, prices, dates and parts of longer numbers are no codes whatever is said.

Texts are looked at up to a bound, line by line, with patterns that never look twice at the same letters.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posthouse.mime import html
from posthouse.mime.code_words import CODE, COUNTED, JOINED, OTHER_CODE, OTHER_NUMBER, PURPOSE
from posthouse.model.findings import Code, CodeWish, Pattern, Source
from posthouse.model.message import Message

LARGEST = 200_000
"""Characters of each text that are looked at."""

LEAST = 0.45
"""The confidence from which on a candidate is called a code."""

_LONG_LINE = 2_000
_MOST_CANDIDATES = 2_000
_CONTEXT = 160


def texts(message: Message) -> list[tuple[Source, str]]:
    """What a reader sees of a message, by where it stands; one text where the HTML says the same as the plain one."""
    found = [(Source.SUBJECT, message.subject), (Source.TEXT, message.text[:LARGEST])]
    if message.html:
        found.append((Source.HTML, html.text(message.html)[:LARGEST]))
    return [(source, text) for source, text in found if text.strip()]


def find(message: Message, wish: CodeWish = CodeWish()) -> list[Code]:  # noqa: B008 (frozen)
    """The codes in a message by their usual forms, the likeliest first; each once, from where it is likeliest."""
    best: dict[str, Code] = {}
    for source, text in texts(message):
        for code in _in_text(text, source, wish):
            key = code.value.upper()
            if key not in best or code.confidence > best[key].confidence:
                best[key] = code
    return sorted(best.values(), key=lambda code: -code.confidence)[: wish.most]


def find_by(message: Message, patterns: Sequence[Pattern], wish: CodeWish) -> list[Code]:
    """What these patterns find in a message, in their order and each once, if it has a wanted length."""
    best: dict[str, Code] = {}
    for pattern in patterns:
        for source, text in texts(message):
            for value, offset in pattern(text):
                if value not in best and _wanted(value, wish):
                    context = _line_around(text, offset)
                    best[value] = Code(value=value, confidence=0.95, source=source, offset=offset, context=context)
                if len(best) >= wish.most:
                    return list(best.values())
    return list(best.values())


# -- forms --------------------------------------------------------------------------------------------------------

# Letters that would make a candidate a part of a word; not those of scripts that are written without blanks.
_W = "A-Za-z0-9\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"
_FORMS = (
    ("prefixed", r"[A-Z]{1,3}-[0-9]{4,8}", 0.40),
    ("spaced", r"[0-9](?:[ \u00a0][0-9]){3,7}(?![ \u00a0][0-9])", 0.30),
    ("grouped", r"(?:[0-9]{3}[ \u00a0-][0-9]{3}|[0-9]{4}[ \u00a0-][0-9]{4})(?![ \u00a0-][0-9])", 0.30),
    ("digits", r"[0-9]{4,10}", 0.30),
    ("pairs", r"(?=[A-Z0-9-]*[A-Z])[A-Z0-9]{3,5}-[A-Z0-9]{3,5}", 0.20),
    ("mixed", r"(?=[A-Z]*[0-9])(?=[0-9]*[A-Z])[A-Z0-9]{4,10}", 0.20),
    ("small", r"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{4,10}", 0.05),
    ("cased", r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{5,10}", 0.05),
    ("letters", r"[A-Z]{4,8}", 0.05),
)
_BASE = {name: base for name, _, base in _FORMS}
_CANDIDATE = re.compile(
    rf"(?<![{_W}])(?<![{_W}][-.,:/'’_])(?<![#+@/=&_•\\%$€£¥₹₽₩~^])(?<!\*\*\*)"
    + "(?:" + "|".join(f"(?P<{name}>{pattern})" for name, pattern, _ in _FORMS) + ")"
    + rf"(?![{_W}_])(?![-,:/'’@=&][{_W}])(?!\.[{_W}])(?![%°@=/€£¥₹₽₩])"
)  # fmt: skip
_ELSEWHERE = re.compile(
    r"https?://\S{1,2000}+|www\.\S{1,2000}+|\S{1,64}@[\w.-]{1,255}+"
    r"|\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b|\b[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}\b|\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b"
    r"|\b[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?\b"
    # Telephone numbers, as they are written with a plus or brackets.
    r"|\+[0-9][0-9 ()./-]{5,18}[0-9]|\([0-9]{2,5}\)[ ]?[0-9][0-9 ./-]{4,14}[0-9]|\b[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4}\b"
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_LONG_NUMBER_BEFORE = re.compile(r"[0-9][ \u00a0]$")
_LONG_NUMBER_AFTER = re.compile(r"[ \u00a0][0-9]{2,}(?![ \u00a0]?[^\W\d_])")
_AROUND = " \t*_\"'“”„»«<>[](){}|.-–—:"


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    offset: int


def _in_text(text: str, source: Source, wish: CodeWish) -> Iterator[Code]:
    """Candidates of one text that are called codes."""
    asked = ""  # the last line before with words on it: it often ends in "your code is:"
    seen = 0
    sure = bool(PURPOSE.search(text))
    for line in _lines(text):
        blanked = _ELSEWHERE.sub(_blank, line.text)
        speech = OTHER_CODE.sub(_blank_words, blanked)
        after_other = 0
        for match in _CANDIDATE.finditer(blanked):
            seen += 1
            if seen > _MOST_CANDIDATES:
                return
            confidence = _confidence(match, blanked, speech, after_other, asked, source, sure)
            after_other = match.end()
            value = _value(match)
            if confidence >= LEAST and _wanted(value, wish):
                yield Code(
                    value=value,
                    confidence=round(min(confidence, 0.99), 2),
                    source=source,
                    offset=line.offset + match.start(),
                    context=_shortened(line.text, match.start()),
                )
        if any(letter.isalpha() for letter in line.text):
            asked = speech[-300:]


def _confidence(
    match: re.Match[str], line: str, speech: str, after_other: int, asked: str, source: Source, sure: bool
) -> float:
    form = str(match.lastgroup)
    before, after = line[after_other : match.start()], line[match.end() :]
    if COUNTED.match(after) or OTHER_NUMBER.search(before[-60:]):
        return 0.0
    digits = form in ("digits", "grouped", "spaced")
    if digits and (
        _LONG_NUMBER_BEFORE.search(line[: match.start()]) or (form == "digits" and _LONG_NUMBER_AFTER.match(after))
    ):
        return 0.0
    confidence = _BASE[form]
    if form == "digits":
        confidence += {4: -0.05, 5: 0.0, 6: 0.1, 7: 0.0, 8: 0.0}.get(len(match[0]), -0.2)
    alone = not line[: match.start()].strip(_AROUND) and not after.strip(_AROUND)
    year = form == "digits" and _YEAR.fullmatch(match[0]) is not None
    near = _nearness(speech, match.start(), match.end())
    if not near and alone and (keyword := CODE.search(asked)):
        near = 0.35 if len(asked) - keyword.end() < 120 else 0.25
    if not near and sure and alone and source is not Source.SUBJECT:
        near = 0.2
    if near and alone:
        near += 0.15
    if near and (PURPOSE.search(speech) or PURPOSE.search(asked)):
        near += 0.1
    if form in ("letters", "small", "cased") and not (near >= 0.45):
        return 0.0
    if form == "letters" and not alone and not _joined(speech, match.start()):
        return 0.0
    if year and not (alone or _joined(speech, match.start())):
        return 0.0
    return confidence + near


def _nearness(speech: str, start: int, end: int) -> float:
    """How much the words of its own line make a candidate a code: the nearer they are, the more."""
    best = 0.0
    for keyword in CODE.finditer(speech, max(0, start - 200), min(len(speech), end + 120)):
        if keyword.end() <= start:
            gap = start - keyword.end()
            best = max(best, 0.45 if JOINED.fullmatch(speech[keyword.end() : start]) else 0.4 - gap / 1000)
        elif keyword.start() >= end:
            best = max(best, 0.4 - (keyword.start() - end) / 300)
    return best


def _joined(speech: str, start: int) -> bool:
    """Whether a word for "code" stands just before, with nothing between but "is" or a colon."""
    return any(
        JOINED.fullmatch(speech[keyword.end() : start]) for keyword in CODE.finditer(speech, max(0, start - 60), start)
    )


def _value(match: re.Match[str]) -> str:
    """The code as it is typed in: digits in groups without what is between them."""
    return re.sub(r"[ \u00a0-]", "", match[0]) if match.lastgroup in ("spaced", "grouped") else match[0]


def _wanted(value: str, wish: CodeWish) -> bool:
    return wish.shortest <= sum(map(str.isalnum, value)) <= wish.longest


def _lines(text: str) -> Iterator[_Line]:
    """The lines of a text, with their places; very long ones in pieces."""
    offset = 0
    for line in text.split("\n"):
        for start in range(0, len(line) or 1, _LONG_LINE):
            piece = line[start : start + _LONG_LINE]
            if piece.strip():
                yield _Line(piece, offset + start)
        offset += len(line) + 1


def _blank(match: re.Match[str]) -> str:
    """Something without any candidate in it, of the same length. What is written over numbers keeps its dots."""
    return "·" * len(match[0])


def _blank_words(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _line_around(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return _shortened(text[start : end if end >= 0 else len(text)], offset - start)


def _shortened(line: str, place: int) -> str:
    begin = max(0, place - _CONTEXT // 2)
    return " ".join(line[begin : begin + _CONTEXT].split())
