"""The MIME tree of a message: where its parts lie, and which of them are its body.

One pass from the first delimiter to the last, with a stack instead of recursion. Every open multipart remembers
where its next delimiter is, and looks no further than those around it, so that no byte is searched more often
than the tree is deep. Parts are offsets into the raw message; nothing is copied but their headers.
"""

import re
from dataclasses import dataclass, field

from posthouse.mime import filenames, headers, transfer
from posthouse.mime.transfer import Raw
from posthouse.model.message import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much of a message is looked at. What lies beyond is left out, and a defect says so.

    Octets: `header_block`, of one header's characters `header`, of decoded body text `text`. `depth` counts
    multiparts inside each other, `parts` everything that has part headers.
    """

    header_block: int = 1 << 20
    header: int = 128 << 10
    headers: int = 2000
    parts: int = 2000
    depth: int = 50
    text: int = 4 << 20
    addresses: int = 10_000


@dataclass(slots=True)
class Head:
    """What a part's headers say of its content; `content_type` is '' when they say nothing usable."""

    content_type: str
    charset: str
    boundary: str
    disposition: str
    filename: str
    content_id: str
    transfer: Transfer


@dataclass(slots=True)
class Leaf:
    """A part that holds no parts: its place in the tree, its headers' words, its encoded content's bounds."""

    path: str
    head: Head
    start: int
    end: int
    is_body: bool


@dataclass(slots=True)
class Tree:
    """All leaves in order, and which of them (by index) make up the plain and the HTML body."""

    leaves: list[Leaf] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)
    htmls: list[int] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
_WHITESPACE = re.compile(r"\s+")


def read_head(block: headers.Block) -> Head:
    """The MIME headers of a block (RFC 2045, 2183, 2231); of repeated ones the first counts."""
    seen: dict[str, str] = {}
    for name, value in block.fields:
        if name[:8] in ("Content-", "content-", "CONTENT-") or name[:8].lower() == "content-":
            seen.setdefault(name[8:].lower(), value)
    kind, named = headers.parameters(seen.get("type", ""))
    disposition, arguments = headers.parameters(seen.get("disposition", ""))
    filename = arguments.get("filename") or named.get("name") or ""
    if not _TYPE.fullmatch(kind):
        # RFC 2045 §5.2 has text for what says nothing; a file with a garbled type is better kept as a file.
        kind = "application/octet-stream" if kind and filename else ""
    return Head(
        content_type=kind,
        charset=named.get("charset", ""),
        boundary=named.get("boundary", ""),
        disposition=disposition[:40],
        filename=filenames.clean(filename) if filename else "",
        content_id=_content_id(seen["id"]) if "id" in seen else "",
        transfer=transfer.named(seen.get("transfer-encoding", "")),
    )


def _content_id(value: str) -> str:
    return _WHITESPACE.sub("", headers.clean(value)).strip("<>")[:998]


class _Multipart:
    """An open multipart: its next delimiter, and the body parts found inside so far."""

    __slots__ = (
        "after", "at", "body", "children", "closing", "default", "exclusive", "htmls", "needle", "path", "texts",
    )  # fmt: skip

    def __init__(self, head: Head, path: str, body: int) -> None:
        subtype = head.content_type[10:]
        self.needle = b"\n--" + head.boundary.rstrip().encode("utf-8")[:200] if head.boundary.strip() else b""
        self.path = path
        self.body = body
        self.exclusive = subtype == "alternative"
        self.default = "message/rfc822" if subtype == "digest" else "text/plain"  # RFC 2046 §5.1.5
        self.children = 0
        self.at = -1
        self.after = 0
        self.closing = False
        self.texts: list[int] = []
        self.htmls: list[int] = []

    def take(self, texts: list[int], htmls: list[int]) -> None:
        """Add a child's body parts; of alternatives the last one of each kind is the best (RFC 2046 §5.1.4)."""
        if self.exclusive:
            self.texts, self.htmls = texts or self.texts, htmls or self.htmls
        else:
            self.texts.extend(texts)
            self.htmls.extend(htmls)


_NOWHERE = 1 << 62
# RFC 2046 §5.1.1: after the boundary nothing but "--", blanks and the line's end, or "b" would match "bb".
_DELIMITER_END = re.compile(rb"(--)?[ \t]*+(?:\r*+\n|\r?\Z)")
_LOOKS_LIKE_DELIMITER = re.compile(rb"(?:\A|\n)--(\S{1,200})[ \t]*+\r?\n(?i:content-)")
_FALSE_DELIMITERS = 100_000


class _Splitter:
    def __init__(self, raw: Raw, end: int, caps: Caps) -> None:
        self.raw = raw
        self.end = end
        self.caps = caps
        self.tree = Tree()
        self.open: list[_Multipart] = []
        self.patience = _FALSE_DELIMITERS

    def next_delimiter(self, at: int) -> int:
        """The index of the open multipart whose delimiter comes first from `at` on, or -1.

        The innermost one where several share a boundary: then each can close what it opened.
        """
        first, place, limit = -1, _NOWHERE, self.end
        for index, multipart in enumerate(self.open):
            if multipart.at < at:
                self.seek(multipart, at, limit)
            if multipart.at <= place and multipart.at != _NOWHERE:
                first, place = index, multipart.at
                limit = min(limit, place + len(multipart.needle))
        return first

    def seek(self, multipart: _Multipart, at: int, limit: int) -> None:
        needle = multipart.needle
        while needle and self.patience:
            at = self.raw.find(needle, at, limit)
            if at < 0:
                break
            if ending := _DELIMITER_END.match(self.raw, at + len(needle), self.end):
                multipart.at, multipart.after, multipart.closing = at, ending.end(), ending[1] is not None
                return
            at += len(needle)
            self.patience -= 1
        multipart.at = _NOWHERE

    def guess_boundary(self, multipart: _Multipart) -> bool:
        """Take a line that looks like a delimiter for one, where the boundary is missing or never met."""
        at = max(multipart.body - 1, 0)
        if guess := _LOOKS_LIKE_DELIMITER.search(self.raw[at : min(at + 4096, self.end)]):
            multipart.needle = b"\n--" + guess[1]
            multipart.at = -1
            self.tree.defects.append("a multipart names another boundary than it uses")
            return True
        return False

    def enter(self, head: Head, path: str, body: int) -> int:
        """Open a multipart; the index of the multipart whose delimiter comes next."""
        multipart = _Multipart(head, path, body)
        self.open.append(multipart)
        following = self.next_delimiter(body - 1)
        if multipart.at == _NOWHERE and self.guess_boundary(multipart):
            following = self.next_delimiter(body - 1)
        return following

    def leave(self, end: int) -> None:
        """Close the innermost multipart; one without any part is the plain text that it looks like."""
        multipart = self.open.pop()
        if not multipart.children and not multipart.closing:
            self.tree.defects.append("a multipart without parts")
            if end > multipart.body:
                head = Head("text/plain", "", "", "", "", "", Transfer.IDENTITY)
                self.add(multipart, Leaf(multipart.path or "1", head, multipart.body, end, True))
        if self.open:
            self.open[-1].take(multipart.texts, multipart.htmls)
        else:
            self.tree.texts, self.tree.htmls = multipart.texts, multipart.htmls

    def add(self, parent: _Multipart, leaf: Leaf) -> None:
        index = len(self.tree.leaves)
        self.tree.leaves.append(leaf)
        if leaf.is_body:
            is_html = leaf.head.content_type == "text/html"
            parent.take([] if is_html else [index], [index] if is_html else [])

    def content_end(self, following: int, start: int) -> int:
        """Where content from `start` ends: before the line break that belongs to the next delimiter."""
        if following < 0:
            return self.end
        at = self.open[following].at
        if at > start and self.raw[at - 1] == 13:
            at -= 1
        return max(at, start)


def split(raw: Raw, root: Head, body: int, end: int, caps: Caps) -> Tree:
    """The tree below `root`, whose body lies from `body` to `end`."""
    splitter = _Splitter(raw, end, caps)
    tree = splitter.tree
    if not root.content_type.startswith("multipart/"):
        leaf = Leaf("1", root, body, end, False)
        root.content_type = root.content_type or "text/plain"
        # Alone, a text is the body even if it has a name: some mailers name everything.
        leaf.is_body = _is_body(root, named=False)
        tree.leaves.append(leaf)
        if leaf.is_body:
            (tree.htmls if root.content_type == "text/html" else tree.texts).append(0)
        return tree

    following = splitter.enter(root, "", body)
    parts = 0
    while following >= 0:
        place = splitter.open[following].at
        while len(splitter.open) > following + 1:
            splitter.leave(splitter.content_end(following, splitter.open[-1].body))
        parent = splitter.open[following]
        start = parent.after
        if parent.closing:
            splitter.leave(place)
            following = splitter.next_delimiter(start - 1)
            continue
        if parts == caps.parts:
            tree.defects.append(f"more than {caps.parts} parts: the rest was left out")
            break
        parts += 1
        parent.children += 1
        following = splitter.next_delimiter(start - 1)
        stop = splitter.content_end(following, start)
        block = headers.read_block(
            raw, start, stop, block_cap=caps.header_block, value_cap=caps.header, count_cap=caps.headers
        )
        head = read_head(block)
        path = f"{parent.path}.{parent.children}" if parent.path else str(parent.children)
        if head.content_type.startswith("multipart/"):
            if len(splitter.open) < caps.depth:
                following = splitter.enter(head, path, block.body)
                continue
            tree.defects.append(f"more than {caps.depth} multiparts inside each other: not opened")
        head.content_type = head.content_type or parent.default
        splitter.add(parent, Leaf(path, head, block.body, stop, _is_body(head, named=bool(head.filename))))
    while splitter.open:
        splitter.leave(end)
    return tree


def _is_body(head: Head, *, named: bool) -> bool:
    """Whether a leaf is there to be read with the message and not to be saved from it."""
    return head.content_type in ("text/plain", "text/html") and head.disposition in ("", "inline") and not named
