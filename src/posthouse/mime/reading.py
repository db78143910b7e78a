"""Hostile bytes to what can be known of them.

`read` takes any bytes and never raises: it looks at as much as `Caps` allows, takes time linear in that, and says
in `defects` what was wrong or left out. Attachments are not copied, only found and measured; `content` and
`text_of` go back to the raw message with a part's offsets.
"""

import mmap
import re

from posthouse.mime import addresses, charsets, filenames, headers, html, structure, transfer
from posthouse.mime.structure import Caps, Leaf, Tree
from posthouse.mime.transfer import Raw
from posthouse.model.message import Message, Part, Stretch

__all__ = ["Caps", "content", "excerpt", "read", "search_text", "text_of"]

_REFERENCES = 100
_DEFECTS = 50
_SEARCHED = 64 << 10
_EXCERPT = 200
_META_CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def read(raw: bytes | memoryview | mmap.mmap, caps: Caps = Caps()) -> Message:  # noqa: B008 (frozen)
    """What `raw` says. A mapped file is read in place; a `memoryview` is copied."""
    data = _searchable(raw)
    end = len(data)
    start = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    block = headers.read_block(
        data, start, end, block_cap=caps.header_block, value_cap=caps.header, count_cap=caps.headers
    )
    tree = structure.split(data, structure.read_head(block), block.body, end, caps)

    shown = tuple([(one[0], headers.words(one[1])) if "=?" in one[1] else one for one in block.fields])
    lowered = [(name.lower(), value) for name, value in block.fields]
    first = dict(reversed(lowered))
    every: dict[str, list[str]] = {}
    for name, value in lowered:
        if name in _ADDRESSED:
            every.setdefault(name, []).append(value)
    people = {name: addresses.read(", ".join(values), caps.addresses) for name, values in every.items()}
    date = headers.date(first["date"]) if "date" in first else None
    sizes: dict[int, int] = {}
    text, html_text, charset = _bodies(data, tree, caps, sizes)

    defects = [*block.defects, *tree.defects]
    if "date" not in first:
        defects.append("no date")
    elif date is None:
        defects.append("the date can't be read")
    if len(every.get("from", ())) > 1:
        defects.append("several From headers")
    return Message(
        message_id=next(iter(headers.ids(first.get("message-id", ""))), ""),
        in_reply_to=next(iter(headers.ids(first.get("in-reply-to", ""))), ""),
        references=headers.ids(first["references"])[-_REFERENCES:] if "references" in first else (),
        subject=next((value for name, value in shown if name.lower() == "subject"), ""),
        sender=people.get("from", ()),
        reply_to=people.get("reply-to", ()),
        to=people.get("to", ()),
        cc=people.get("cc", ()),
        bcc=people.get("bcc", ()),
        date=date,
        headers=shown,
        text=text,
        html=html_text,
        charset=charset,
        parts=_parts(data, tree, sizes),
        defects=tuple(dict.fromkeys(defects))[:_DEFECTS],
    )


_ADDRESSED = frozenset({"from", "reply-to", "to", "cc", "bcc"})


def content(raw: bytes | memoryview | mmap.mmap, part: Stretch) -> bytes:
    """The decoded octets of `part`, which must have been read from the same bytes; a `Part`'s `size` of them."""
    return transfer.decode(bytes(raw[part.start : part.end]), part.transfer)


def text_of(raw: bytes | memoryview | mmap.mmap, part: Part) -> str:
    """The decoded text of `part`, whatever its type, with LF line ends."""
    return _text(content(raw, part), part.charset, part.content_type)[0]


def search_text(message: Message) -> str:
    """What to find `message`'s body by: its plain text as it stands, or its markup's words in one line; at most 64 Ki
    characters."""
    return message.text[:_SEARCHED] if message.text.strip() else _one_line(message, _SEARCHED)


def excerpt(message: Message) -> str:
    """The beginning of the body in one line of at most 200 characters, from the plain text where there is one."""
    line = _one_line(message, _EXCERPT + 1)
    if len(line) <= _EXCERPT:
        return line
    space = line.rfind(" ", _EXCERPT - 40, _EXCERPT)
    return line[: space if space > 0 else _EXCERPT - 1] + "…"


def _one_line(message: Message, most: int) -> str:
    # Markup is mostly longer than its words, above all in the head: look at more of it than is wanted.
    if message.text.strip():
        source = message.text[: most * 4]
    else:
        source = html.words(message.html[: most * 4 + _SEARCHED], most * 4)
    return " ".join(source.split())[:most].rstrip()


def _searchable(raw: bytes | memoryview | mmap.mmap) -> Raw:
    data: Raw = raw.tobytes() if isinstance(raw, memoryview) else raw
    if data.find(b"\n") < 0 and data.find(b"\r") >= 0:
        # Not one line feed: lines end in CR, as on old Macs. One letter for one keeps all offsets true.
        data = bytes(data[:]).replace(b"\r", b"\n")
    return data


def _bodies(data: Raw, tree: Tree, caps: Caps, sizes: dict[int, int]) -> tuple[str, str, str]:
    """The plain body, the HTML body, and the character set of the first part of either.

    What is decoded whole need not be measured again: its length goes into `sizes`.
    """
    charset = ""
    bodies: list[str] = []
    for indexes in (tree.texts, tree.htmls):
        pieces: list[str] = []
        room = caps.text
        for index in indexes:
            leaf = tree.leaves[index]
            if room <= 0:
                tree.defects.append("body text over the limit was left out")
                break
            # No encoding makes more than three octets of one.
            stop = min(leaf.end, leaf.start + 3 * room + 1024)
            octets = transfer.decode(data[leaf.start : stop], leaf.head.transfer)
            if stop == leaf.end:
                sizes[index] = len(octets)
            if len(octets) > room:
                octets = octets[:room]
                tree.defects.append("body text over the limit was left out")
            room -= len(octets)
            piece, used = _text(octets, leaf.head.charset, leaf.head.content_type)
            charset = charset or used
            if piece:
                pieces.append(piece)
        bodies.append(pieces[0] if len(pieces) == 1 else "\n\n".join(piece.rstrip("\n") for piece in pieces))
    return bodies[0], bodies[1], charset


def _text(octets: bytes, label: str, content_type: str) -> tuple[str, str]:
    if content_type == "text/html" and not charsets.known(label) and not octets.isascii():
        meta = _META_CHARSET.search(octets[:4096])
        label = charsets.eight_bit(meta[1].decode("ascii", "replace")) if meta else label
    if not charsets.known(label).startswith(("utf-16", "utf-32")):
        octets = octets.replace(b"\r\n", b"\n")  # three times quicker than in the text
    text, charset = charsets.decode(octets, label)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix("\ufeff"), charset


def _parts(data: Raw, tree: Tree, sizes: dict[int, int]) -> tuple[Part, ...]:
    parts: list[Part] = []
    attachments = 0
    for index, leaf in enumerate(tree.leaves):
        head = leaf.head
        attached = not (leaf.is_body or _is_amp(head))
        filename = head.filename
        size = sizes.get(index)
        if size is None:
            size = transfer.measure(data, leaf.start, leaf.end, head.transfer)
        if attached:
            attachments += 1
            filename = filename or _name(data, leaf, attachments)
        parts.append(
            Part(
                path=leaf.path,
                content_type=head.content_type,
                charset=charsets.known(head.charset) or headers.clean(head.charset)[:40].lower(),
                transfer=head.transfer,
                disposition=head.disposition,
                filename=filename,
                content_id=head.content_id,
                start=leaf.start,
                end=leaf.end,
                size=size,
                is_attachment=attached,
            )
        )
    return tuple(parts)


def _is_amp(head: structure.Head) -> bool:
    """AMP's third alternative of the body: nothing to save, and not shown by us."""
    return head.content_type == "text/x-amp-html" and head.disposition in ("", "inline") and not head.filename


def _name(data: Raw, leaf: Leaf, number: int) -> str:
    """A name for an attachment without one: a message's is its subject, others' follow from their type."""
    if leaf.head.content_type in ("message/rfc822", "message/global"):
        head = transfer.decode(data[leaf.start : min(leaf.end, leaf.start + _SEARCHED)], leaf.head.transfer)
        block = headers.read_block(head, 0, len(head), block_cap=_SEARCHED, value_cap=1000, count_cap=200)
        if subject := filenames.clean(headers.words(block.first("subject")).replace("/", "-").replace("\\", "-")):
            return filenames.clean(f"{subject}.eml")
    return filenames.invented(leaf.head.content_type, number)
