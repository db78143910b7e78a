"""What a sandboxed frame is given: nothing that runs, and nothing that is fetched without being asked for."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from posthouse.mime import showing
from posthouse.mime.reading import read

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

HOSTILE = """
<html><head><meta http-equiv="refresh" content="0;url=http://evil.example/refresh">
<link rel="stylesheet" href="http://evil.example/a.css"><link rel="prefetch" href="http://evil.example/b">
<link rel=dns-prefetch href="//evil.example"><base href="http://evil.example/">
<style>@import url(http://evil.example/c.css); @font-face { font-family: x; src: url(http://evil.example/d.woff) }
body { background: url(http://evil.example/e.png) }</style><script src="http://evil.example/f.js"></script></head>
<body background="http://evil.example/g.png" onload="steal()">
<p style="background-image: url('http://evil.example/h.png'); color: red">seen</p>
<p style="list-style: url(http://evil.example/i.png)">also seen</p>
<p style="color: red; background-image: image-set('http://evil.example/is.png' 1x)">seen too</p>
<p style="color: \\75rl(http://evil.example/j.png)">escaped</p>
<img src="http://evil.example/k.png" srcset="http://evil.example/l.png 2x" onerror="steal()" alt="a picture">
<img src="ht&#10;tps://evil.example/m.png"><img src=" //evil.example/n.png"><img src="da&#10;ta:image/svg+xml,<svg/>">
<picture><source srcset="http://evil.example/o.png"><img src="javascript:steal()"></picture>
<svg><image href="http://evil.example/p.png"/><a xlink:href="javascript:steal()">x</a><script>steal()</script></svg>
<video src="http://evil.example/q.mp4" poster="http://evil.example/r.png" autoplay></video>
<audio src="http://evil.example/s.mp3" autoplay></audio><embed src="http://evil.example/t.swf">
<object data="http://evil.example/u.html"></object><iframe src="http://evil.example/v.html"></iframe>
<table background="http://evil.example/w.png"><tr><td background="http://evil.example/x.png">cell</td></tr></table>
<form action="http://evil.example/y"><input type="image" src="http://evil.example/z.png"><button>go</button></form>
<a href="javascript:steal()" ping="http://evil.example/ping">a link</a><a href="http://fine.example/">a fine link</a>
<a href="data:text/html,<script>steal()</script>">data</a><a href=" java&#9;script:steal()">tabbed</a>
<math><mtext><table><mglyph><style><img src=x onerror=steal()></style></mglyph></table></mtext></math>
</body></html>
"""
FETCHING = {"src", "srcset", "background", "poster", "data", "action", "formaction", "ping", "xlink:href", "manifest"}


def message(html: str, *more: bytes) -> bytes:
    lines = [
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode() + b"\r\n",
        *more,
    ]
    return b"--b\r\n".join(lines) + b"--b--\r\n"


def framed(html: str, *more: bytes, remote: bool = False) -> str:
    raw = message(html, *more)
    return showing.frame(read(raw), raw, remote=remote)


def image_part(cid: str, content_type: str = "image/gif", content: bytes = PIXEL) -> bytes:
    head = f"Content-Type: {content_type}\r\nContent-ID: <{cid}>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(content).replace(b"\n", b"\r\n")


def addresses(document: str) -> list[str]:
    """Everything in a document that a browser may fetch by itself or that runs, links aside."""
    tree = LexborHTMLParser(document)
    found = []
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            assert not name.startswith("on"), node.html
            if name in FETCHING or (name == "href" and node.tag != "a"):
                found.append(value or "")
            if name == "style":
                assert not re.search(r"url|image|\\|@|expression", value or "", re.IGNORECASE), node.html
            if name == "href":
                assert not re.match(r"(?i)[\x00-\x20]*(javascript|data|vbscript)", value or ""), node.html
    unseen = "script, link, base, iframe, object, embed, form, svg, math, video, audio"
    assert tree.css_first(unseen) is None
    assert [node.attributes.get("http-equiv") for node in tree.css("meta")] == [None] * 3
    return found


def test_hostile_mail_is_shown_without_anything_that_runs_or_is_fetched() -> None:
    document = framed(HOSTILE)
    assert addresses(document) == []
    text = LexborHTMLParser(document).body.text(separator=" ", strip=True)  # type: ignore[union-attr]
    assert all(words in text for words in ("seen", "also seen", "a fine link", "cell", "escaped"))
    assert "steal" not in document


def test_remote_images_come_only_when_asked_for_and_nothing_else_with_them() -> None:
    assert addresses(framed(HOSTILE, remote=True)) == ["http://evil.example/k.png", "https://evil.example/m.png"]
    assert showing.remote_images(HOSTILE) == 2
    assert showing.remote_images("<p>no image<!-- <img src=http://x> --><script>'<img src=http://x>'</script>") == 0


def test_what_stands_for_a_missing_image_is_its_text() -> None:
    assert '<img alt="a picture">' in framed('<img src="https://evil.example/k.png" alt="a picture">')


def test_links_open_elsewhere_and_say_nothing_of_where_they_were() -> None:
    document = framed('<a href="http://fine.example/" target=_top rel=opener>a link</a>')
    assert '<a href="http://fine.example/" target="_blank" rel="noopener noreferrer nofollow">a link</a>' in document


def test_images_that_came_with_the_message_are_put_in_place() -> None:
    document = framed('<img src="cid:one@x"><img src="CID:one%40x"><img src="cid:two"><img src="cid:svg">'
                      "and cid:one@x in words", image_part("one@x"), image_part("svg", "image/svg+xml"))  # fmt: skip
    encoded = "data:image/gif;base64," + base64.b64encode(PIXEL).decode()
    assert addresses(document) == [encoded, encoded]
    assert "and cid:one@x in words" in document


def test_inline_images_beyond_the_limit_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "LARGEST_INLINE", 2 * len(PIXEL))
    assert len(addresses(framed('<img src="cid:one">' * 5, image_part("one")))) == 2


ATTRIBUTES = st.sampled_from(["src", "srcset", "style", "background", "href", "alt", "title", "onload", "poster"])
VALUES = st.sampled_from(
    ["http://e/", "HTTPS://e/", "//e/", "cid:x", "data:image/svg+xml,x", "\thttp://e/", "<img src=http://e/>", '"><img src=http://e>',
     "url(http://e/)", "color:red;background:url(//e)", "javascript:x", "java\tscript:x", "", "&quot;><script>"]
)  # fmt: skip
TAGS = st.sampled_from(["img", "p", "svg", "image", "style", "math", "a", "table", "picture", "source", "noscript"])


@st.composite
def elements(draw: st.DrawFn) -> str:
    quote = draw(st.sampled_from(["'", '"', ""]))
    written = "".join(f" {name}={quote}{value}{quote}" for name, value in draw(st.lists(st.tuples(ATTRIBUTES, VALUES))))
    return f"<{draw(TAGS)}{written}{draw(st.sampled_from(['>', '/>', '', '></p>']))}"


@settings(max_examples=300, deadline=None)
@given(st.lists(elements(), max_size=6).map("".join))
def test_no_markup_makes_a_frame_fetch_anything(html: str) -> None:
    assert all(address.startswith("data:image/gif") for address in addresses(framed(html, image_part("x"))))


def test_text_is_cut_into_words_and_links() -> None:
    text = "see https://a.example/x?y=(1). or (http://b.example) javascript:x"
    assert list(showing.linked(text)) == [
        ("see ", ""),
        ("https://a.example/x?y=(1)", "https://a.example/x?y=(1)"),
        (". or (", ""),
        ("http://b.example", "http://b.example"),
        (") javascript:x", ""),
    ]
    assert list(showing.linked("")) == []
    assert list(showing.linked("http://a.example")) == [("http://a.example", "http://a.example")]
