"""Strangers' HTML as text, and as HTML that may be shown."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from posthouse.mime import html


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("<div>a<div>b</div></div>c", "a\nb\nc"),
        ("<ul><li>a</li><li>b <b>c</b></li></ul>d", "- a\n- b c\n\nd"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("  spaced \n out\t text ", "spaced out text"),
        ("a &amp; b &lt;c&gt; &eacute;&#233;&#xe9; &nosuch; &#150; &copy 2026", "a & b <c> ééé &nosuch; – © 2026"),
        ("<head><title>t</title><style>p{}</style></head><body>seen<script>if (a<b) x</script>", "seen"),
        ("a<!-- <b>not</b> -->b<![CDATA[c]]>d<!doctype html>e", "abde"),
        ("<p title='a > b' class=x>quoted</p>", "quoted"),
        ("1 < 2 and <3 too <", "1 < 2 and <3 too <"),
        ("<head><meta charset=utf-8><body>no closing head", "no closing head"),
        ("<svg><text>no</text></svg><TEXTAREA>no</textarea>yes", "yes"),
        ("", ""),
    ],
)
def test_html_is_told_as_text(markup: str, text: str) -> None:
    assert html.text(markup) == text


def test_words_are_those_of_the_text() -> None:
    markup = "<p>one</p>two<br>three<td>four</td>fi<b>ve</b>"
    assert html.words(markup).split() == ["one", "two", "three", "four", "five"]


def test_words_stop_looking_when_there_are_enough() -> None:
    markup = "<p>one</p><p>two</p>" * 1000
    assert html.words(markup, 6).split() == ["one", "two"]
    assert html.words(markup).startswith(html.words(markup, 500))


def test_impossible_character_references_are_replaced() -> None:
    assert html.text("&#0;&#xD800;&#x110000;&#9999999;") == "\ufffd" * 4
    assert html.text("&#" + "9" * 5000 + ";&#x" + "f" * 5000 + ";") == "\ufffd" * 2


PIECES = st.sampled_from(
    [
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "<p",
        "<b>",
        "</b>",
        "<div>",
        "</div>",
        "<td>",
        "<script>",
        "</script>",
        "<style",
        "'",
        '"',
        "=",
        " ",
        "\n",
        "a",
        "&amp;",
        "&#",
        "x",
        ";",
        "href=javascript:alert(1)",
        "onerror=x",
        "<img src=",
        "<a ",
        "<svg>",
        "<math>",
        "]]>",
        "<![CDATA[",
        "<!",
        "<?",
        "/>",
        "<head>",
        "<body>",
        "</head>",
        "<plaintext>",
        "<textarea>",
        "<noscript>",
        "<template>",
        "\0",
    ]
)
SOUP = st.lists(PIECES | st.text(max_size=3), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_any_soup_is_read_and_made_harmless(markup: str) -> None:
    html.text(markup)
    shown = html.displayable(markup)
    tree = LexborHTMLParser(shown)
    for node in tree.css("*"):
        assert node.tag in html._TAGS | {"html", "head", "body", "tbody", "colgroup"}
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            assert "javascript:" not in (value or "").lower()


@settings(max_examples=200, deadline=None)
@given(SOUP)
def test_bounded_html_is_well_formed_and_says_the_same(markup: str) -> None:
    bounded = html.bounded(markup)
    assert html.bounded(bounded) == bounded
    assert "".join(html.words(bounded).split()) == "".join(html.words(markup).split())
    opened: list[str] = []
    for closing, tag in re.findall(r"<(/?)([a-z][a-z0-9:-]*)", bounded):
        if closing:
            assert opened.pop() == tag
        elif tag not in html.VOID:
            opened.append(tag)
    assert not opened


def steps(markup: str) -> int:
    """How many lines of our own code run while `markup` is bounded and told as text."""
    count = 0

    def tracer(frame: object, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return tracer

    sys.settrace(tracer)  # type: ignore[arg-type]
    try:
        html.text(markup)
        html.bounded(markup)
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize(
    "unit", ["<div>", "<p><b>", "</div>", "<", "<a b='", "<!--", "<script>", "<head>", "&#", "<b></i>"]
)
def test_twice_the_markup_is_at_most_twice_the_work(unit: str) -> None:
    once, twice = steps(unit * 400), steps(unit * 800)
    assert twice < 2.3 * once


@pytest.mark.parametrize(
    "unit",
    [
        "<div>",
        "<p><b><i>",
        "<",
        "<a b='",
        '<a b="',
        "<!--",
        "<script>",
        "<svg>",
        "&#",
        "<table><tr><td>",
        "<a b=c ",
        "<p>" * 9 + "</b>",
        "<![CDATA[",
        "<head>",
        "<noscript>",
        "<select>",
        "<object>",
    ],
)
def test_markup_made_to_be_slow_is_shown_all_the_same(unit: str) -> None:
    # Elements nested without end cost tree builders minutes; what they are given is never deeper than a cap.
    markup = unit * (1_000_000 // len(unit)) + "end"
    html.text(markup)
    html.displayable(markup)


def test_nesting_ends_somewhere() -> None:
    assert html.bounded("<div>" * 5000 + "deep").count("<div>") == 256
    assert html.bounded("<div>" * 5000 + "deep").startswith("<div><div>")


def test_markup_that_is_too_much_work_is_shown_as_its_text() -> None:
    formatting = "".join(f"<b id={number}>" for number in range(200))
    assert html.bounded(formatting + "<p>x</p>" * 50_000).startswith("<pre>x\n")


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<b onclick=x>hi</b><script>x</script>", "<b>hi</b>"),
        ('<a href="javascript:alert(1)">a</a>', '<a rel="noopener noreferrer nofollow">a</a>'),
        ('<a href="/api/delete">a</a>', '<a rel="noopener noreferrer nofollow">a</a>'),
        ('<a href="data:text/html,x">a</a>', '<a rel="noopener noreferrer nofollow">a</a>'),
        ('<img src="data:image/png;base64,AA==">', '<img src="data:image/png;base64,AA==">'),
        ('<img src="data:image/svg+xml;base64,AA==">', "<img>"),
        ('<img src="cid:a@b" onerror=x>', '<img src="cid:a@b">'),
        ('<p style="color:red;position:fixed">x</p>', '<p style="color:red">x</p>'),
        ('<p style="background-color:red;color:url(http://x)">x</p>', "<p>x</p>"),
        ("<svg><animate onbegin=x></svg><form action=x><input></form>y", "y"),
        ("<style>p{background:url(x)}</style><iframe src=x></iframe>z", "z"),
    ],
)
def test_only_what_is_harmless_is_shown(markup: str, shown: str) -> None:
    assert html.displayable(markup) == shown
