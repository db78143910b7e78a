"""Whether the HTML of an email is well formed, and what mail programs won't like about it.

It goes over the markup once, with the tokenizer that everything here reads HTML by. Errors are what HTML forbids;
warnings and hints are what HTML allows and mail programs drop, hide or cut.
"""

import re
from collections import Counter
from collections.abc import Iterator

from posthouse.mime.html import LARGEST, VOID, attributes, tokens
from posthouse.model.findings import Flaw, Severity

_MOST = 100
_CLIPPED = 102 * 1024  # Gmail shows no more of a message than this

# HTML lets these end by themselves (§13.1.2.4 of the standard).
_END_OPTIONAL = frozenset({
    "html", "head", "body", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup",
    "caption", "option", "optgroup", "rt", "rp",
})  # fmt: skip
_KNOWN = frozenset({
    "a", "abbr", "acronym", "address", "applet", "area", "article", "aside", "audio", "b", "base", "basefont",
    "bdi", "bdo", "bgsound", "big", "blink", "blockquote", "body", "br", "button", "canvas", "caption", "center",
    "cite", "code", "col", "colgroup", "data", "datalist", "dd", "del", "details", "dfn", "dialog", "dir", "div",
    "dl", "dt", "em", "embed", "fieldset", "figcaption", "figure", "font", "footer", "form", "frame", "frameset",
    "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "i", "iframe", "img", "input",
    "ins", "kbd", "label", "legend", "li", "link", "main", "map", "mark", "marquee", "menu", "meta", "meter", "nav",
    "nobr", "noframes", "noscript", "object", "ol", "optgroup", "option", "output", "p", "param", "picture",
    "plaintext", "pre", "progress", "q", "rp", "rt", "ruby", "s", "samp", "script", "search", "section", "select",
    "slot", "small", "source", "span", "strike", "strong", "style", "sub", "summary", "sup", "svg", "table",
    "tbody", "td", "template", "textarea", "tfoot", "th", "thead", "time", "title", "tr", "track", "tt", "u", "ul",
    "var", "video", "wbr", "xmp", "math", "path", "g", "rect", "circle", "line", "polyline", "polygon", "ellipse",
    "text", "defs", "use", "symbol", "clippath", "lineargradient", "radialgradient", "stop", "mask", "pattern",
    "image", "tspan", "desc",
})  # fmt: skip
_REMOVED = frozenset({
    "script", "iframe", "frame", "frameset", "object", "embed", "applet", "form", "audio", "video", "canvas",
})  # fmt: skip
_NOT_INSIDE_ITSELF = frozenset({"a", "form", "button"})
_SPACE_BEFORE = re.compile(r"\s")


def check(markup: str) -> list[Flaw]:
    """What is wrong with some markup, in its order: a hundred flaws at most. Takes time linear in it."""
    found: list[Flaw] = []
    for flaw in _flaws(markup[:LARGEST]):
        found.append(flaw)
        if len(found) >= _MOST:
            break
    return found


def _flaws(markup: str) -> Iterator[Flaw]:
    open_: list[tuple[str, int]] = []
    ids: set[str] = set()
    line, counted = 1, 0
    first = True
    for start, piece, name, closing, written in tokens(markup):
        line += markup.count("\n", counted, start)
        counted = start
        if first and (piece.strip() or name):
            first = False
            if piece[:9].lower() != "<!doctype":
                yield Flaw(line, "there is no <!DOCTYPE html>: mail programs guess how to lay it out", Severity.INFO)
        if not name:
            if piece == "<!--" and markup.find("-->", start) < 0:
                yield Flaw(line, "a comment is never closed", Severity.ERROR)
            continue
        if not piece.endswith(">"):
            yield Flaw(line, f"the tag <{'/' * closing}{name} is never closed by a >", Severity.ERROR)
        if closing:
            yield from _close(name, line, open_)
            continue
        yield from _opened(name, written, line, ids)
        if name in _NOT_INSIDE_ITSELF and any(other == name for other, _ in open_[-64:]):
            yield Flaw(line, f"<{name}> stands inside of another <{name}>", Severity.ERROR)
        if name not in VOID and not (written.endswith("/") and name not in _KNOWN):
            open_.append((name, line))
    for name, where in open_:
        if name not in _END_OPTIONAL and name in _KNOWN:
            yield Flaw(where, f"<{name}> is never closed", Severity.ERROR)
    if len(markup) > _CLIPPED:
        yield Flaw(line, f"the HTML has {len(markup) // 1024} KiB: Gmail shows the first 102 alone", Severity.WARNING)


def _opened(name: str, written: str, line: int, ids: set[str]) -> Iterator[Flaw]:
    if name not in _KNOWN and "-" not in name and ":" not in name:
        yield Flaw(line, f"there is no element <{name}> in HTML", Severity.ERROR)
    if name in _REMOVED:
        yield Flaw(line, f"mail programs take <{name}> out", Severity.WARNING)
    given = attributes(written)
    for attribute, times in Counter(attribute for attribute, _ in given).items():
        if times > 1:
            yield Flaw(line, f"<{name}> has the attribute {attribute} twice", Severity.ERROR)
        if attribute.startswith("on"):
            yield Flaw(line, f"mail programs take {attribute} out of <{name}>", Severity.WARNING)
    said = dict(given)
    if said.get("id"):
        if said["id"] in ids:
            yield Flaw(line, f"the id {said['id'][:80]!r} is there twice", Severity.ERROR)
        ids.add(said["id"])
    if name == "img":
        if not said.get("src"):
            yield Flaw(line, "<img> has no src", Severity.ERROR)
        if "alt" not in said:
            yield Flaw(line, "<img> has no alt: who sees no images reads nothing there", Severity.WARNING)
    if name == "a" and _SPACE_BEFORE.search(said.get("href", "").strip()):
        yield Flaw(line, "there is a blank in the address of a link", Severity.WARNING)


def _close(name: str, line: int, open_: list[tuple[str, int]]) -> Iterator[Flaw]:
    """A closing tag: what it closes, and what it closes by mistake. Only the innermost 256 elements are looked at."""
    if name in VOID:
        yield Flaw(line, f"<{name}> holds nothing, and is not closed by </{name}>", Severity.ERROR)
        return
    reach = open_[-256:]
    if not any(other == name for other, _ in reach):
        yield Flaw(line, f"</{name}> closes nothing that is open", Severity.ERROR)
        return
    while open_:
        other, where = open_.pop()
        if other == name:
            return
        if other not in _END_OPTIONAL and other in _KNOWN:
            yield Flaw(where, f"<{other}> is not closed before </{name}> in line {line}", Severity.ERROR)
