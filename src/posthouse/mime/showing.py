"""An email as one piece of HTML: text made into some, and inline images put in place.

What comes out is as trustworthy as what went in. Whoever shows it does so in a frame that runs nothing and fetches
nothing, or sanitises it first (`html.displayable`).
"""

import base64
import re
from collections.abc import Mapping
from html import escape
from urllib.parse import unquote

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
