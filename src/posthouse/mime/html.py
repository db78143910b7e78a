"""HTML of strangers: to text, and to HTML that may be shown.

Markup can be made so that parsers and sanitisers take minutes over a megabyte of it (elements nested without
end, formatting reopened in every paragraph). So a tokenizer of our own goes first: linear, capped, and without a
tree. Text is made from its tokens alone; whatever builds a tree is only given the `bounded` markup.
"""

import re
from collections.abc import Callable, Iterator
from html import escape
from html.entities import html5

import nh3

from posthouse.model.findings import LinkBehaviour

LARGEST = 4 << 20
"""Characters of markup that are looked at."""

_DEPTH = 256
_WORK = 4_000_000
"""Elements times their depth that a tree may have: newsletters stay below a tenth of it."""

# A tag with its attributes; text; or what is passed over. Quotes that never close are letters like others.
_TOKEN = re.compile(
    r"[^<]++"
    r"|<!--"
    r"|<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,40}+)([^<>\"']*+(?:\"[^\"]*+\"[^<>\"']*+|'[^']*+'[^<>\"']*+|[\"'])*+)>?"
    r"|<[!?][^<>]*+>?"
    r"|(?:<(?![a-zA-Z/!?]))++[^<]*+"
    r"|<"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z][\w:.-]{0,60}+)\s*+(?:=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]*+)))?")
_ENTITY = re.compile(r"&(#[0-9]++|#[xX][0-9a-fA-F]++|[a-zA-Z][a-zA-Z0-9]{1,31});?")

_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript", "iframe", "object", "svg", "math",
                     "noembed", "noframes", "xmp", "textarea", "select", "plaintext"})  # fmt: skip
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
                   "track", "wbr"})  # fmt: skip
PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "hr"})
LINES = frozenset({"div", "tr", "li", "dt", "dd", "br", "section", "article", "header", "footer", "nav", "main",
                    "address", "form", "fieldset", "figure", "center", "body", "caption", "aside"})  # fmt: skip
CELLS = frozenset({"td", "th"})


def text(markup: str, *, decoded: bool = True) -> str:
    """What a reader of `markup` would see: paragraphs and lines apart, list items marked, nothing hidden in it.
    Character references stay as they are written where it is not to be `decoded`."""
    lines: list[list[str]] = [[]]
    empty_wanted = False
    for tag, closing, piece in _visible(markup):
        if not tag:
            words = _SPACE.sub(" ", unescape(piece) if decoded else piece)
            if words.strip(" ") or (words and lines[-1]):
                if empty_wanted and len(lines) > 1:
                    lines.insert(-1, [])
                empty_wanted = False
                lines[-1].append(words)
        elif tag in LINES or tag in PARAGRAPHS:
            empty_wanted = empty_wanted or (tag in PARAGRAPHS and any(lines[0]))
            if lines[-1]:
                lines.append([])
            elif tag == "br" and len(lines) > 1:
                empty_wanted = True
            if tag == "li" and not closing:
                lines[-1].append("- ")
        elif tag in CELLS and lines[-1]:
            lines[-1].append(" ")
    return "\n".join(_SPACE.sub(" ", "".join(line)).strip(" ") for line in lines).strip("\n")


def words(markup: str, most: int = LARGEST) -> str:
    """The words of `markup` in their order, for indexes and excerpts: quicker than `text`, without its lines.

    It stops looking when it has `most` characters, and may give some more.
    """
    pieces = []
    for tag, _, piece in _visible(markup):
        if not tag:
            pieces.append(unescape(piece))
            most -= len(piece)
            if most <= 0:
                break
        elif tag in LINES or tag in PARAGRAPHS or tag in CELLS:
            pieces.append(" ")
    return "".join(pieces)


_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")


def unescape(piece: str) -> str:
    """`piece` with its character references resolved."""
    return _ENTITY.sub(_letter, piece) if "&" in piece else piece


def _letter(match: re.Match[str]) -> str:
    name = match[1]
    if name[0] != "#":
        return html5.get(name + ";") or html5.get(name) or match[0]
    if len(name) > 10:
        return "\ufffd"
    code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    if 0x80 <= code <= 0x9F:
        return bytes([code]).decode("cp1252", "replace")
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return chr(code)


def _visible(markup: str) -> Iterator[tuple[str, bool, str]]:
    """The tokens that are shown: ("", False, text) or (tag name, is it a closing tag, its attributes as written)."""
    markup = markup[:LARGEST]
    unclosed: set[str] = set()  # elements known to have no closing tag further on: nobody looks twice
    at, end = 0, len(markup)
    while at < end:
        match = _TOKEN.match(markup, at)
        if match is None:  # cannot be: the pattern takes every character
            break
        at = match.end()
        found, name = match[0], match[2]
        if name:
            name = name.lower()
            if name not in _UNSEEN:
                yield name, bool(match[1]), match[3]
            elif not match[1] and not match[3].endswith("/") and name not in unclosed:
                close = _ENDINGS[name].search(markup, at)
                if close:
                    at = close.start() if close[0][1] != "/" else close.end()
                elif name in _FORGIVEN:
                    unclosed.add(name)
                else:
                    at = end
        elif found == "<!--":
            close_at = markup.find("-->", at)
            at = close_at + 3 if close_at >= 0 else end
        elif not found.startswith(("<!", "<?")):
            yield "", False, found


def tokens(markup: str) -> Iterator[tuple[int, str, str, bool, str]]:
    """Everything that stands in `markup`, as it is written: where it begins, the token, and for a tag its name in
    lower case, whether it closes, and its attributes. Scripts, styles and comments are passed over as a whole."""
    at = 0
    while match := _TOKEN.match(markup, at):
        name = (match[2] or "").lower()
        yield match.start(), match[0], name, bool(match[1]), match[3] or ""
        at = match.end()
        if match[0] == "<!--":
            close_at = markup.find("-->", at)
            at = close_at + 3 if close_at >= 0 else len(markup)
        elif name in _RAW and not match[1] and (close := _ENDINGS[name].search(markup, at)):
            at = close.start()


_RAW = frozenset({"script", "style", "title", "textarea", "xmp"})

# Where an element ends whose content is not shown; a head also ends where the body begins.
_ENDINGS = {name: re.compile(rf"</{name}\s*+>", re.IGNORECASE) for name in _UNSEEN}
_ENDINGS["head"] = re.compile(r"</head\s*+>|<body[\s>]", re.IGNORECASE)
# Left open, these hide nothing; the others hide the rest, as in browsers.
_FORGIVEN = frozenset({"head", "select", "noscript", "object"})


def bounded(markup: str) -> str:
    """`markup` with the same visible content, well-formed and small enough in depth and size for any parser.

    Comments, scripts, styles and whatever else is not shown are gone. Markup beyond the bounds comes back as its
    text alone, in a `<pre>`.
    """
    pieces: list[str] = []
    open_: list[str] = []
    work = 0
    for tag, closing, piece in _visible(markup):
        if not tag:
            pieces.append(escape(unescape(piece), quote=False))
        elif tag in VOID:
            pieces.append(f"<{tag}{_attributes(piece)}>")
            work += len(open_)
        elif not closing:
            if len(open_) < _DEPTH:
                open_.append(tag)
                pieces.append(f"<{tag}{_attributes(piece)}>")
                work += len(open_)
        elif tag in open_[-32:]:  # a closing tag far from its opening one is a mistake, or an attack
            while (last := open_.pop()) != tag:
                pieces.append(f"</{last}>")
            pieces.append(f"</{tag}>")
        if work > _WORK:
            return f"<pre>{escape(text(markup))}</pre>"
    pieces.extend(f"</{tag}>" for tag in reversed(open_))
    return "".join(pieces)


def attributes(written: str) -> list[tuple[str, str]]:
    """The attributes of a tag, from what is written after its name: names in lower case, values decoded."""
    if not written or written == "/":
        return []
    return [
        (name.lower(), unescape(double or single or bare or ""))
        for name, double, single, bare in (match.groups() for match in _ATTRIBUTE.finditer(written[:20_000]))
    ]


def _attributes(written: str) -> str:
    return "".join([f' {name}="{escape(value)}"' for name, value in attributes(written)])


# -- to be shown ----------------------------------------------------------------------------------------------

_TAGS = {
    "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center",
    "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure",
    "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main",
    "mark", "nav", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strike", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr",
}  # fmt: skip
_BOX = {"align", "bgcolor", "border", "cellpadding", "cellspacing", "height", "valign", "width"}
_ATTRIBUTES = {
    "*": {"dir", "lang", "style", "title"},
    "a": {"href"},
    "col": {"span", "width"},
    "div": {"align"},
    "font": {"color", "face", "size"},
    "img": {"src", "alt", "width", "height", "border", "align"},
    "ol": {"start", "type"},
    "p": {"align"},
    "table": _BOX,
    "td": _BOX | {"colspan", "rowspan"},
    "th": _BOX | {"colspan", "rowspan"},
    "tr": {"align", "bgcolor", "valign"},
}
# Nothing that positions, loads or overlays: no `position`, no `background` (it takes a URL), no `content`.
_STYLES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left", "border-radius",
    "border-right", "border-spacing", "border-style", "border-top", "border-width", "color", "direction", "font-family",
    "font-size", "font-style", "font-weight", "height", "letter-spacing", "line-height", "list-style-type", "margin",
    "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width", "min-width", "padding",
    "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align", "text-decoration", "text-indent",
    "text-transform", "vertical-align", "white-space", "width", "word-break",
}  # fmt: skip
# nh3 copies all of a text again for each character reference in it.
_ESCAPES = 100_000
SAFE_IMAGE = re.compile(r"data:image/(?:png|gif|jpeg|webp);base64,", re.IGNORECASE)


def _filter(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style" and ("url" in value.lower() or "\\" in value or "expression" in value.lower()):
        return None
    if value[:5].lower() == "data:" and not (tag == "img" and SAFE_IMAGE.match(value)):
        return None
    if attribute == "src" and value[:7].lower() == "mailto:":
        return None
    return value


Image = Callable[[str], str | None]
"""What is to stand for an image's address: None leaves the image out, and its text stands there."""


def _cleaner(links: LinkBehaviour, image: Image | None = None) -> nh3.Cleaner:
    def with_images(tag: str, attribute: str, value: str) -> str | None:
        filtered = _filter(tag, attribute, value)
        return image(filtered) if image and filtered is not None and (tag, attribute) == ("img", "src") else filtered

    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES | ({"a": set()} if links is LinkBehaviour.DISABLED else {}),
        attribute_filter=with_images if image else _filter,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        url_relative="deny",
        filter_style_properties=_STYLES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}} if links is LinkBehaviour.NEW_TAB else {},
    )


_CLEANERS = {links: _cleaner(links) for links in LinkBehaviour}


def displayable(markup: str, links: LinkBehaviour = LinkBehaviour.PRESERVE, image: Image | None = None) -> str:
    """`markup` that runs nothing and belongs into a sandboxed frame.

    Images keep their addresses, where `image` doesn't say otherwise: whether remote ones may load is for the frame's
    content security policy. Nothing else in it has an address that a browser would fetch by itself.
    """
    safe = bounded(markup)
    if safe.count("&") > _ESCAPES:
        return f"<pre>{escape(text(markup))}</pre>"
    return (_cleaner(links, image) if image else _CLEANERS[links]).clean(safe)
