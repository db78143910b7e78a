"""CSS selectors: what they mean, what is refused, and that none takes long, whatever the markup."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from posthouse.mime.html import bounded
from posthouse.mime.selecting import lines, select, tree
from posthouse.model.errors import Invalid

PAGE = """\
<div id="main" class="box wide"><p>Hello <b>big</b> World</p><p lang="en-GB">two</p>
<a class="button" href="https://example.org/verify?a=1&amp;b=2">Verify</a><img src="x.png"></div>
<table><tr><td>1<td class="sum">2</table>
"""


def said(selector: str, markup: str = PAGE) -> list[str]:
    found = tree(markup)
    return lines(found, select(found, selector))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("p", ["Hello big World", "two"]),
        ("div > p", ["Hello big World", "two"]),
        ("div b", ["big"]),
        ("#main .button, td.sum", ["Verify", "2"]),
        ("p + p", ["two"]),
        ("p ~ a", ["Verify"]),
        ("a[href^='https:']", ["Verify"]),
        ('a[href*="a=1&b=2"]', ["Verify"]),
        ("[lang|=en]", ["two"]),
        ("[class~=wide] > a", ["Verify"]),
        ("[CLASS=Button i]", ["Verify"]),
        ("p[lang!=en-GB]", ["Hello big World"]),
        ("p:contains(hello BIG world)", ["Hello big World"]),
        ("p:containsOwn(big)", []),
        ("p:has(> b)", ["Hello big World"]),
        ("div:has(p + p) > a", ["Verify"]),
        ("p:not(:has(b))", ["two"]),
        ("td:nth-child(2)", ["2"]),
        ("td:eq(0)", ["1"]),
        ("p:last-of-type", ["two"]),
        ("p:is(:first-child, :last-child)", ["Hello big World"]),
        (".none", []),
        ("div", ["Hello big World", "two", "Verify"]),
    ],
)
def test_a_selector_means(selector: str, expected: list[str]) -> None:
    assert said(selector) == expected


@pytest.mark.parametrize(
    "selector",
    ["", " ", "[[", "a::", "a{", "a >", "> a", "a,,b", ",a", "p:nth-child(", "p:nth-child(x)", ":nope", "a:eq(-1)",
     ":contains()", "(", "a" * 501, ":not(" * 9 + "a" + ")" * 9, "a:not()", "\0"],
)  # fmt: skip
def test_a_selector_that_can_t_be_used_is_refused(selector: str) -> None:
    with pytest.raises(Invalid):
        said(selector)


MARKUPS = {
    "deep": "<div>" * 250 + "x" + "</div>" * 250,
    "wide": "<p>x</p>" * 20_000,
    "unclosed": "<p><b><i>" * 5_000,
    "formatting": "<a><b><p>" * 3_000,
}


@pytest.mark.parametrize("markup", MARKUPS.values(), ids=MARKUPS)
@pytest.mark.parametrize(
    "selector",
    [
        "none " + "div " * 100,
        "none ~ p ~ p ~ p ~ p",
        "none p p p p p",
        ":has(:has(:has(:has(none))))",
        "none:nth-last-child(3n+1)",
        "p:contains(none)",
    ],
)
def test_no_selector_takes_longer_than_going_over_the_markup(markup: str, selector: str) -> None:
    """With the matching of libraries most of these would never end."""
    assert said(selector, markup) == []


def test_more_text_than_anybody_reads_is_refused() -> None:
    with pytest.raises(Invalid, match="narrower"):
        said("*", "<div>" * 200 + "word " * 20_000)


def test_not_may_be_said_of_any_ancestor() -> None:
    assert said(":not(p) [href]", "<p><a href=u>x</a></p>") == ["x"]
    assert said("div :not(p) > b", "<div><p><b>x</b></p><i><b>y</b></i></div>") == ["y"]
    assert said("p:not(.x)", "<p class=x>x</p><p>y</p>") == ["y"]


WORDS = st.sampled_from(["div", "p", "b", ".x", "#y", "[href]", ":first-child", ":nth-child(2n+1)", "*"])
SELECTORS = st.builds(
    lambda first, rest: first + "".join(f"{combinator}{word}" for combinator, word in rest),
    WORDS,
    st.lists(st.tuples(st.sampled_from([" ", " > ", " + ", " ~ ", ", "]), WORDS), max_size=3),
)
MARKUP = st.lists(
    st.sampled_from(["<div class=x>", "<p>", "<b id=y>", "</div>", "</p>", "</b>", "text", "<a href=u>", "</a>"]),
    max_size=12,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(MARKUP, SELECTORS)
def test_a_selector_means_what_the_library_says(markup: str, selector: str) -> None:
    """The library is right wherever it is quick enough, but for `:not` of an ancestor."""
    found = tree(markup)
    names = [found.names[element] for element in select(found, selector)]
    wanted = {node.mem_id: str(node.tag) for node in LexborHTMLParser(bounded(markup)).css(selector)}
    assert sorted(names) == sorted(wanted.values())
