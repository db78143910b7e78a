"""CSS selectors over the HTML of strangers, in time that grows with markup times selector and no worse.

Libraries match a selector backwards from each element and try all ways up the tree: `none div div div` over a few
hundred nested elements takes them seconds, one `div` more minutes. Here a selector goes over the whole tree once for
each of its steps, and what it has matched so far is a set. The tree itself is the library's, of `bounded` markup.

Beside CSS there is what jsoup's users write: `:contains(text)`, `:containsOwn(text)`, `:eq(n)`, `:lt(n)`, `:gt(n)`,
`[^prefix]`, `[name!=value]`.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from posthouse.mime.html import CELLS, LINES, PARAGRAPHS, bounded
from posthouse.model.errors import Invalid

LONGEST = 500
"""Characters of a selector."""

_MOST_ELEMENTS = 200_000
_MOST_TEXT = 4 << 20
_DEEPEST = 4

_Set = bytearray
"""A set of elements: one byte for each, 1 for those that are in it."""


@dataclass(slots=True)
class Tree:
    """A document's elements, in its order, as columns: what is not among the first 200,000 is not looked at."""

    names: list[str] = field(default_factory=list)
    attributes: list[Mapping[str, str | None]] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    """The sibling before each, or -1."""
    places: list[int] = field(default_factory=list)
    """Which child each is of its parent, from 0."""
    children: list[int] = field(default_factory=list)
    """How many children each has."""
    pieces: list[str] = field(default_factory=list)
    """The text that is seen, with line breaks where blocks begin and end."""
    owners: list[int] = field(default_factory=list)
    """For each piece the element that it stands in; -1 for a line break or blank of our own."""
    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """For each element which of the pieces are inside of it."""

    def text(self, element: int) -> str:
        """What a reader sees of an element, with its lines."""
        return "".join(self.pieces[self.begins[element] : self.ends[element]])


def tree(markup: str) -> Tree:
    """The tree of any markup. Takes time linear in it."""
    made = Tree()
    root = LexborHTMLParser(bounded(markup)).root
    if root is not None:
        _grow(made, root)
    return made


def select(tree: Tree, selector: str) -> list[int]:
    """The elements that a selector means, in their order. Raises Invalid for one that can't be used."""
    chosen = _either(_parse(selector), tree)
    return [element for element, there in enumerate(chosen) if there]


def lines(tree: Tree, elements: Iterable[int]) -> list[str]:
    """What a reader sees of these elements, line by line, without empty ones. Raises Invalid when that is more than
    anybody reads."""
    found: list[str] = []
    room = _MOST_TEXT
    for element in elements:
        text = tree.text(element)
        room -= len(text)
        if room < 0:
            raise Invalid("the selector matches more text than fits into an answer: make it narrower")
        found += [line for each in text.split("\n") if (line := " ".join(each.split()))]
    return found


def _grow(tree: Tree, root: LexborNode) -> None:
    """Copy the library's tree, element by element; never by recursion."""
    open_: list[int] = []  # the elements that we are in
    last: list[int] = [-1]  # for each of them, and the document, the child seen last
    node: LexborNode | None = root
    while node is not None:
        down = None
        if node.is_element_node:
            if len(tree.names) >= _MOST_ELEMENTS:
                break
            element = _add(tree, node, open_, last)
            down = node.first_child
            if down is not None:
                open_.append(element)
                last.append(-1)
            else:
                _close(tree, element)
        elif node.is_text_node and open_:
            tree.pieces.append(re.sub(r"\s+", " ", node.text_content or ""))
            tree.owners.append(open_[-1])
        if down is not None:
            node = down
            continue
        while node is not None and node.next is None:
            node = node.parent
            if not open_ or node is None:
                node = None
                break
            _close(tree, open_.pop())
            last.pop()
        node = None if node is None or not open_ else node.next
    while open_:
        _close(tree, open_.pop())


def _add(tree: Tree, node: LexborNode, open_: list[int], last: list[int]) -> int:
    element = len(tree.names)
    parent = open_[-1] if open_ else -1
    before = last[-1]
    last[-1] = element
    tree.names.append(node.tag or "")
    tree.attributes.append(node.attributes)
    tree.parents.append(parent)
    tree.before.append(before)
    tree.places.append(0 if before < 0 else tree.places[before] + 1)
    tree.children.append(0)
    if parent >= 0:
        tree.children[parent] += 1
    _break(tree, element)
    tree.begins.append(len(tree.pieces))
    tree.ends.append(len(tree.pieces))
    return element


def _close(tree: Tree, element: int) -> None:
    tree.ends[element] = len(tree.pieces)
    _break(tree, element)


def _break(tree: Tree, element: int) -> None:
    name = tree.names[element]
    if name in LINES or name in PARAGRAPHS or name in CELLS:
        tree.pieces.append(" " if name in CELLS else "\n")
        tree.owners.append(-1)


# -- what a selector is made of -----------------------------------------------------------------------------------

_Test = Callable[[Tree], _Set]
"""Which elements pass one simple selector."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One compound selector (all of its tests hold), and how it follows from what stands before it."""

    follows: str
    tests: tuple[_Test, ...]


_Path = tuple[_Step, ...]


def _either(paths: Iterable[_Path], tree: Tree) -> _Set:
    return _union((_along(path, tree) for path in paths), len(tree.names))


def _along(path: _Path, tree: Tree) -> _Set:
    """The elements at the end of a path: each step is one pass over the tree, downwards."""
    reached: _Set | None = None
    for step in path:
        here = _all_of(step, tree)
        if reached is not None:
            here = _both(here, _forwards(step.follows, reached, tree))
        reached = here
    return reached if reached is not None else bytearray(len(tree.names))


def _having(paths: Iterable[_Path], tree: Tree) -> _Set:
    """The elements from which one of the paths leads somewhere: the same steps, from their ends upwards."""

    def beginnings(path: _Path) -> _Set:
        reached: _Set | None = None
        for step in reversed(path):
            here = _all_of(step, tree)
            reached = _backwards(step.follows, here if reached is None else _both(here, reached), tree)
        return reached if reached is not None else bytearray(len(tree.names))

    return _union(map(beginnings, paths), len(tree.names))


def _forwards(follows: str, reached: _Set, tree: Tree) -> _Set:
    """What stands below, or beside, the elements that were reached."""
    result = bytearray(len(reached))
    origin = tree.parents if follows in " >" else tree.before
    far = follows in " ~"
    for element, other in enumerate(origin):
        if other >= 0 and (reached[other] or (far and result[other])):
            result[element] = 1
    return result


def _backwards(follows: str, reached: _Set, tree: Tree) -> _Set:
    """From what the elements that were reached stand below, or beside."""
    result = bytearray(len(reached))
    origin = tree.parents if follows in " >" else tree.before
    far = follows in " ~"
    for element in range(len(reached) - 1, -1, -1):
        other = origin[element]
        if other >= 0 and (reached[element] or (far and result[element])):
            result[other] = 1
    return result


def _all_of(step: _Step, tree: Tree) -> _Set:
    here = bytearray(b"\1" * len(tree.names))
    for test in step.tests:
        here = _both(here, test(tree))
    return here


def _both(one: _Set, other: _Set) -> _Set:
    size = len(one)
    return bytearray((int.from_bytes(one, "big") & int.from_bytes(other, "big")).to_bytes(size, "big"))


def _union(sets: Iterable[_Set], size: int) -> _Set:
    result = 0
    for one in sets:
        result |= int.from_bytes(one, "big")
    return bytearray(result.to_bytes(size, "big"))


def _not(one: _Set) -> _Set:
    return bytearray(one.translate(bytes([1, 0]) + bytes(254)))


# -- reading a selector -------------------------------------------------------------------------------------------

_NAME = r"-?(?:[A-Za-z_\u0080-\U0010ffff]|\\.)(?:[\w\u0080-\U0010ffff-]|\\.)*"
_TOKEN = re.compile(
    rf"""
    (?P<combinator>\s*[>+~]\s*|\s+(?=[^\s,>+~)]))
    | \s*(?P<comma>,)\s*
    | (?P<star>\*)
    | (?P<type>{_NAME})
    | \#(?P<id>(?:[\w\u0080-\U0010ffff-]|\\.)+)
    | \.(?P<class>{_NAME})
    | \[\s*(?P<prefix>\^)?(?P<attribute>[\w:.-]+)\s*
        (?:(?P<how>[~|^$*!]?=)\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\]\s]*))\s*(?P<flag>[iIsS])?\s*)?\]
    | ::?(?P<pseudo>[A-Za-z-]+)(?P<open>\()?
    """,
    re.VERBOSE,
)
_NTH = re.compile(
    r"\s*(?:(?P<word>odd|even)|(?:(?P<a>[+-]?\d*)n\s*(?:(?P<sign>[+-])\s*(?P<b>\d+))?)|(?P<only>[+-]?\d+))\s*"
)
_ESCAPE = re.compile(r"\\(.)")


def _parse(selector: str) -> tuple[_Path, ...]:
    if len(selector) > LONGEST:
        raise Invalid(f"a selector may have at most {LONGEST} characters")
    return _read_list(selector.strip(), 0)


def _read_list(selector: str, depth: int, relative: bool = False) -> tuple[_Path, ...]:
    if depth > _DEEPEST:
        raise Invalid("the selector is nested too deeply")
    paths: list[_Path] = []
    steps: list[_Step] = []
    tests: list[_Test] = []
    follows = " "
    fresh = True  # nothing of this step has been read yet
    at = 0

    def end_step() -> None:
        nonlocal tests, fresh
        if fresh:
            raise _unusable(selector)
        steps.append(_Step(follows, tuple(tests)))
        tests, fresh = [], True

    while at < len(selector):
        match = _TOKEN.match(selector, at)
        if match is None or match.end() == at:
            raise _unusable(selector)
        at = match.end()
        kind = match.lastgroup
        if match["combinator"]:
            if fresh and not (relative and not steps):
                raise _unusable(selector)
            if not fresh:
                end_step()
            follows = match["combinator"].strip() or " "
        elif match["comma"]:
            end_step()
            paths.append(tuple(steps))
            steps, follows = [], " "
        elif match["type"] or match["star"]:
            if not fresh:
                raise _unusable(selector)
            fresh = False
            if match["type"]:
                tests.append(_named(_ESCAPE.sub(r"\1", match["type"]).lower()))
        elif match["pseudo"]:
            fresh = False
            argument = None
            if match["open"]:
                argument, at = _argument(selector, at)
            tests.append(_pseudo(match["pseudo"].lower(), argument, depth))
        elif kind is not None:
            fresh = False
            tests.append(_simple(match))
    end_step()
    paths.append(tuple(steps))
    return tuple(paths)


def _unusable(selector: str) -> Invalid:
    return Invalid(f"the CSS selector {selector[:80]!r} can't be used")


def _argument(selector: str, at: int) -> tuple[str, int]:
    """What stands between the parenthesis opened before `at` and its partner, and where that ends."""
    depth, quote = 1, ""
    for place in range(at, len(selector)):
        letter = selector[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
            if depth == 0:
                return selector[at:place].strip(), place + 1
    raise _unusable(selector)


def _simple(match: re.Match[str]) -> _Test:
    if match["id"]:
        return _attribute("id", "=", _ESCAPE.sub(r"\1", match["id"]))
    if match["class"]:
        return _attribute("class", "~=", _ESCAPE.sub(r"\1", match["class"]))
    name = match["attribute"].lower()
    if match["prefix"]:
        return lambda tree: bytearray(any(key.startswith(name) for key in each) for each in tree.attributes)
    if match["how"] is None:
        return lambda tree: bytearray(name in each for each in tree.attributes)
    value = next(text for text in (match["double"], match["single"], match["bare"]) if text is not None)
    return _attribute(name, match["how"], value, ignore_case=(match["flag"] or "").lower() == "i")


def _named(name: str) -> _Test:
    return lambda tree: bytearray(each == name for each in tree.names)


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": str.__eq__,
    "!=": str.__ne__,
    "^=": lambda said, wanted: bool(wanted) and said.startswith(wanted),
    "$=": lambda said, wanted: bool(wanted) and said.endswith(wanted),
    "*=": lambda said, wanted: bool(wanted) and wanted in said,
    "~=": lambda said, wanted: wanted in said.split(),
    "|=": lambda said, wanted: said == wanted or said.startswith(wanted + "-"),
}


def _attribute(name: str, how: str, wanted: str, *, ignore_case: bool = False) -> _Test:
    compare = _COMPARISONS[how]
    folded = wanted.lower() if ignore_case else wanted

    def passes(attributes: Mapping[str, str | None]) -> bool:
        if name not in attributes:
            return how == "!="
        said = attributes[name] or ""
        return compare(said.lower() if ignore_case else said, folded)

    return lambda tree: bytearray(map(passes, tree.attributes))


def _pseudo(name: str, argument: str | None, depth: int) -> _Test:
    match name, argument:
        case ("not", str(inner)):
            paths = _read_list(inner, depth + 1)
            return lambda tree: _not(_either(paths, tree))
        case ("is" | "where" | "matches-any", str(inner)):
            paths = _read_list(inner, depth + 1)
            return lambda tree: _either(paths, tree)
        case ("has", str(inner)):
            paths = _read_list(inner, depth + 1, relative=True)
            return lambda tree: _having(paths, tree)
        case ("contains" | "lexbor-contains", str(text)):
            return _containing(text, own=False)
        case ("containsown", str(text)):
            return _containing(text, own=True)
        case ("eq" | "lt" | "gt", str(number)) if re.fullmatch(r"\d{1,6}", number):
            place, compare = int(number), {"eq": int.__eq__, "lt": int.__lt__, "gt": int.__gt__}[name]
            return lambda tree: bytearray(compare(each, place) for each in tree.places)
        case ("nth-child" | "nth-last-child" | "nth-of-type" | "nth-last-of-type", str(formula)):
            return _nth(name, formula)
        case ("first-child" | "first-of-type", None):
            return _nth("nth-" + name.removeprefix("first-"), "1")
        case ("last-child" | "last-of-type", None):
            return _nth("nth-" + name, "1")
        case ("only-child" | "only-of-type", None):
            kind = name.removeprefix("only-")
            first, last = _nth("nth-" + kind, "1"), _nth("nth-last-" + kind, "1")
            return lambda tree: _both(first(tree), last(tree))
        case ("empty", None):
            return lambda tree: bytearray(
                not children and begin == end
                for children, begin, end in zip(tree.children, tree.begins, tree.ends, strict=True)
            )
        case ("root", None):
            return lambda tree: bytearray(parent < 0 for parent in tree.parents)
    raise Invalid(f"a selector can't use :{name[:40]} here: it is not known, or its argument can't be read")


def _nth(name: str, formula: str) -> _Test:
    match = _NTH.fullmatch(formula.lower())
    if match is None or len(formula) > 20:
        raise Invalid(f":{name}({formula[:20]}) can't be read: write it like 2n+1")
    if match["word"]:
        step, first = 2, int(match["word"] == "odd")
    elif match["only"]:
        step, first = 0, int(match["only"])
    else:
        step = int(match["a"] + "1") if match["a"] in ("", "+", "-") else int(match["a"])
        first = int((match["sign"] or "") + (match["b"] or "0"))

    def passes(place: int) -> bool:
        return place == first if step == 0 else (place - first) % step == 0 and (place - first) // step >= 0

    of_type, from_end = name.endswith("of-type"), name.startswith("nth-last")
    return lambda tree: bytearray(map(passes, _places(tree, of_type=of_type, from_end=from_end)))


def _places(tree: Tree, *, of_type: bool, from_end: bool) -> list[int]:
    """Which child each element is, from 1: of all, or of those of its name; from the first, or from the last."""
    seen: dict[tuple[int, str], int] = {}
    places = [0] * len(tree.names)
    order: Iterator[int] = reversed(range(len(places))) if from_end else iter(range(len(places)))
    for element in order:
        key = tree.parents[element], tree.names[element] if of_type else ""
        seen[key] = places[element] = seen.get(key, 0) + 1
    return places


def _containing(text: str, *, own: bool) -> _Test:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    wanted = " ".join(text.lower().split())
    if not wanted:
        raise Invalid(":contains() needs a text to look for")

    def anywhere(tree: Tree) -> _Set:
        # All the text once, in which each element is a stretch: the places of `wanted` are then looked up in it.
        offsets, whole = _flowing(tree)
        places: list[int] = []
        at = whole.find(wanted)
        while at >= 0:
            places.append(at)
            at = whole.find(wanted, at + 1)
        result = bytearray(len(tree.names))
        for element, (begin, end) in enumerate(zip(tree.begins, tree.ends, strict=True)):
            found = bisect_left(places, offsets[begin])
            result[element] = found < len(places) and places[found] + len(wanted) <= offsets[end]
        return result

    def in_its_own(tree: Tree) -> _Set:
        said: dict[int, list[str]] = {}
        for piece, owner in zip(tree.pieces, tree.owners, strict=True):
            if owner >= 0:
                said.setdefault(owner, []).append(piece)
        result = bytearray(len(tree.names))
        for owner, pieces in said.items():
            result[owner] = wanted in " ".join(" ".join(pieces).lower().split())
        return result

    return in_its_own if own else anywhere


def _flowing(tree: Tree) -> tuple[list[int], str]:
    """All text in lower case, with single blanks alone between its words, and where each piece begins in it."""
    offsets, whole, length, blank = [], [], 0, True
    for piece in tree.pieces:
        offsets.append(length)
        flat = re.sub(r"\s+", " ", piece.lower())
        if blank:
            flat = flat.removeprefix(" ")
        if flat:
            whole.append(flat)
            length += len(flat)
            blank = flat.endswith(" ")
    offsets.append(length)
    return offsets, "".join(whole)
