"""An email as one piece of HTML: text made into some, and inline images put in place.

What `text_to_html` and `inline_images` make is as trustworthy as what went in. Whoever shows it does so in a frame that
runs nothing and fetches nothing. A `frame` is sanitised, and made for just that.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from html import escape
from urllib.parse import unquote

from posthouse.mime import html as markup
from posthouse.mime.links import in_text
from posthouse.mime.reading import content
from posthouse.mime.transfer import Raw
from posthouse.model.findings import LinkBehaviour
from posthouse.model.message import Message

_CID = re.compile(r"(?i)(?<![\w.])cid:([^\s\"'<>()]{1,500})")


def text_to_html(text: str) -> str:
    """Plain text as HTML that shows it line by line; '' stays ''."""
    return f'<div style="white-space: pre-wrap">{escape(text)}</div>' if text else ""


def inline_images(html: str, images: Mapping[str, tuple[str, bytes]]) -> str:
    """Put `images` (content type and bytes, by Content-ID) where the HTML refers to them by `cid:` (RFC 2392)."""

    def data_url(match: re.Match[str]) -> str:
        found = images.get(match[1]) or images.get(unquote(match[1]))
        if found is None:
            return match[0]
        content_type, content = found
        return f"data:{content_type};base64,{base64.b64encode(content).decode('ascii')}"

    return _CID.sub(data_url, html)


# -- in a frame of its own ------------------------------------------------------------------------------------

LARGEST_INLINE = 8 << 20
"""Bytes of inline images that are put into a frame; the rest stays out."""

_SHOWN_TYPES = frozenset({"image/png", "image/gif", "image/jpeg", "image/webp"})
# Mail is written for white paper, whatever colours the page around it has.
_STYLE = """
:root { color-scheme: light }
body { margin: 1rem; background: #fff; color: #1d1d1f; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
img { max-width: 100%; height: auto }
pre { white-space: pre-wrap }
blockquote { margin: .5rem 0; padding-left: .8rem; border-left: .2rem solid #d0d0d5 }
"""
_FRAME = f"""<!doctype html>
<html lang="und"><head><meta charset="utf-8"><title>Email</title>
<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">
<style>{_STYLE}</style></head><body>
"""
_UNSEEN_IN_URLS = re.compile(r"[\x00-\x20]+")  # browsers take these out of an address before they look at it
_REMOTE = re.compile(r"(?i)https?:")


def frame(message: Message, raw: Raw, *, remote: bool = False) -> str:
    """The HTML of a message as a document for a sandboxed frame: nothing in it runs, and links open in a new tab.

    Its images are those that came with it, as `data:`; those from elsewhere only with `remote`, which tells their
    servers who reads what, when and where.
    """
    inline = {part.content_id: part for part in message.parts if part.content_id}
    room = LARGEST_INLINE

    def image(address: str) -> str | None:
        nonlocal room
        address = _UNSEEN_IN_URLS.sub("", address)
        if markup.SAFE_IMAGE.match(address):
            return address
        if address[:4].lower() == "cid:":
            part = inline.get(address[4:]) or inline.get(unquote(address[4:]))
            if part is None or part.content_type not in _SHOWN_TYPES or part.size > room:
                return None
            room -= part.size
            encoded = base64.b64encode(content(raw, part)).decode("ascii")
            return f"data:{part.content_type};base64,{encoded}"
        return address if remote and _REMOTE.match(address) else None

    return _FRAME + markup.displayable(message.html, LinkBehaviour.NEW_TAB, image)


def remote_images(html: str) -> int:
    """How many images of some markup lie elsewhere: so many servers would learn of it being read."""
    return sum(
        1
        for _, _, tag, closing, written in markup.tokens(html[: markup.LARGEST])
        if tag == "img" and not closing and _REMOTE.match(_source(written))
    )


def _source(written: str) -> str:
    sources = (value for name, value in markup.attributes(written) if name == "src")
    return _UNSEEN_IN_URLS.sub("", next(sources, ""))


def linked(text: str) -> Iterator[tuple[str, str]]:
    """A plain text in its pieces, each with the web address that it is, or ''."""
    at = 0
    for url, start in in_text(text):
        if start > at:
            yield text[at:start], ""
        yield url, url
        at = start + len(url)
    if at < len(text):
        yield text[at:], ""
