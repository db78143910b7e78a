"""Moustache templates, the safe part of them: what senders and webhook owners write is data here, never a program.

`{{name}}` is a value, escaped; `{{{name}}}` and `{{&name}}` are the value as it is; `{{a.b}}` looks into an object and
`{{.}}` is the thing at hand. `{{#name}}…{{/name}}` is there for a value that is true, once for each item of a list;
`{{^name}}…{{/name}}` where there is none; `{{! … }}` is a remark. A name without a value is left empty. Partials,
other delimiters and functions are not known. The syntax is that of mustache(5); tags that stand alone on their line
take the line away with them.
"""

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from posthouse.model.errors import Invalid

LONGEST = 4 << 20
"""The longest template, and the longest text that may become of one, in characters."""
MOST_STEPS = 200_000
"""How many pieces, and elements of lists, a text may be put together from: lists inside of lists grow fast."""
DEEPEST = 50
_SHOWN = 40  # characters of a wrong tag in a message

Escape = Callable[[str], str]


def as_html(text: str) -> str:
    """For HTML, in text and in quoted attributes."""
    return html.escape(text)


def as_json(text: str) -> str:
    """For the inside of a JSON string, between its quotes."""
    return json.dumps(text)[1:-1]


def as_text(text: str) -> str:
    """For plain text: as it is."""
    return text


def render(template: str, values: Mapping[str, object], escape: Escape = as_html) -> str:
    """The template with its values put in. Numbers, booleans, objects and lists are written as JSON writes them.

    Raises Invalid for a template that is wrong, naming the tag, or whose text would be longer than LONGEST.
    """
    return _Rendering(escape).text(_parsed(template), values)


def variables(template: str) -> tuple[str, ...]:
    """The names that a template asks for, each once, in the order of their first use. Raises Invalid as `render`."""
    return tuple(dict.fromkeys(_names(_parsed(template))))


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    plain: bool


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    inverted: bool
    inside: "list[_Piece]"


_Piece = str | _Variable | _Section

_ALONE = frozenset("#^/!")
_BLANK = " \t"
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|\Z)")


def _parsed(template: str) -> list[_Piece]:
    if len(template) > LONGEST:
        raise Invalid(f"a template may have at most {LONGEST} characters")
    root: list[_Piece] = []
    opened: list[tuple[str, list[_Piece]]] = [("", root)]
    at, fresh_line = 0, True
    while (start := template.find("{{", at)) >= 0:
        plain = template.startswith("{{{", start)
        end = template.find("}}}" if plain else "}}", start)
        if end < 0:
            raise _wrong(template[start:], "is not closed by }}")
        tag = template[start + 3 : end] if plain else template[start + 2 : end]
        kind = "{" if plain else tag[:1]
        text, end = template[at:start], end + (3 if plain else 2)
        line = text.rpartition("\n")[2]
        begins = fresh_line if len(line) == len(text) else True
        alone = None
        if kind in _ALONE and begins and not line.strip(_BLANK):
            alone = _LINE_END.match(template, end)
        if alone:
            text, end = text[: len(text) - len(line)], alone.end()
        inside = opened[-1][1]
        if text:
            inside.append(text)
        _take(opened, kind, tag)
        at, fresh_line = end, bool(alone)
    if template[at:]:
        opened[-1][1].append(template[at:])
    if len(opened) > 1:
        raise _wrong("{{#" + opened[-1][0], "is not closed: write {{/" + opened[-1][0][:_SHOWN] + "}}")
    return root


def _take(opened: list[tuple[str, list[_Piece]]], kind: str, tag: str) -> None:
    """Put one tag where it belongs; `opened` are the sections around it, from the outside."""
    name = (tag if kind == "{" or kind not in "#^/&!>=" else tag[1:]).strip()
    if kind == "!":
        return
    if kind in (">", "="):
        raise _wrong("{{" + tag, "is not supported: partials and other delimiters are not known here")
    if not name or "{" in name or "}" in name:
        raise _wrong("{{" + tag, "names nothing")
    inside = opened[-1][1]
    match kind:
        case "#" | "^":
            if len(opened) > DEEPEST:
                raise _wrong("{{" + tag, f"is deeper than {DEEPEST} sections")
            section = _Section(name, kind == "^", [])
            inside.append(section)
            opened.append((name, section.inside))
        case "/":
            if len(opened) == 1 or opened[-1][0] != name:
                raise _wrong("{{" + tag, "closes what is not open")
            opened.pop()
        case _:
            inside.append(_Variable(name, kind in ("{", "&")))


def _wrong(tag: str, why: str) -> Invalid:
    return Invalid(f"the template's tag {tag[:_SHOWN]} {why}")


def _names(pieces: Sequence[_Piece]) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, str):
            continue
        if piece.name != ".":
            yield piece.name
        if isinstance(piece, _Section):
            yield from _names(piece.inside)


class _Rendering:
    def __init__(self, escape: Escape) -> None:
        self._escape = escape
        self._steps = MOST_STEPS
        self._room = LONGEST

    def text(self, pieces: Sequence[_Piece], values: Mapping[str, object]) -> str:
        return "".join(self._written(pieces, [values]))

    def _written(self, pieces: Sequence[_Piece], scopes: list[object]) -> Iterator[str]:
        for piece in pieces:
            self._step()
            if isinstance(piece, _Section):
                yield from self._section(piece, scopes)
            else:
                text = piece if isinstance(piece, str) else self._value(piece, scopes)
                self._room -= len(text)
                if self._room < 0:
                    raise Invalid(f"the text of the template gets longer than {LONGEST} characters")
                yield text

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise Invalid("the template repeats too much: shorten its lists")

    def _section(self, section: _Section, scopes: list[object]) -> Iterator[str]:
        value = _found(section.name, scopes)
        if section.inverted:
            if not value:
                yield from self._written(section.inside, scopes)
        elif isinstance(value, list | tuple):
            for item in value:
                self._step()  # there may be nothing to write for it
                yield from self._written(section.inside, [*scopes, item])
        elif value:
            yield from self._written(section.inside, [*scopes, value])

    def _value(self, variable: _Variable, scopes: list[object]) -> str:
        text = _as_words(_found(variable.name, scopes))
        return text if variable.plain else self._escape(text)


def _found(name: str, scopes: Sequence[object]) -> object:
    """The value of a name: its first part is looked for from the inside outwards, the rest within what was found."""
    if name == ".":
        return scopes[-1]
    first, *rest = name.split(".")
    value: object = next((s[first] for s in reversed(scopes) if isinstance(s, Mapping) and first in s), None)
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _as_words(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
