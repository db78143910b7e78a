"""Templates: what they say, and that nobody can make them say too much."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.model import moustache
from posthouse.model.errors import Invalid
from posthouse.model.moustache import as_json, as_text, render, variables

VALUES = {
    "name": "Ann & Bob",
    "n": 3,
    "yes": True,
    "no": False,
    "nothing": None,
    "empty": [],
    "items": [{"title": "one"}, {"title": "two"}],
    "words": ["a", "b"],
    "person": {"name": "Zoë", "town": {"name": "Köln"}},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("no tags } { }} here", "no tags } { }} here"),
        ("Dear {{name}}!", "Dear Ann &amp; Bob!"),
        ("{{{name}}} {{&name}} {{{ name }}} {{& name }}", " ".join(["Ann & Bob"] * 4)),
        ("{{ n }} {{yes}} {{no}} {{words}}", "3 true false [&quot;a&quot;, &quot;b&quot;]"),
        ("<{{unknown}}{{nothing}}>", "<>"),
        ("{{person.name}} in {{person.town.name}}{{person.nowhere.name}}{{name.length}}", "Zoë in Köln"),
        ("{{#items}}{{title}} of {{n}};{{/items}}", "one of 3;two of 3;"),
        ("{{#words}}{{.}},{{/words}}", "a,b,"),
        ("{{#person}}{{name}} {{n}}{{/person}}", "Zoë 3"),
        ("{{#yes}}y{{/yes}}{{^yes}}n{{/yes}}", "y"),
        (
            "{{#no}}y{{/no}}{{^no}}n{{/no}}{{^nothing}}o{{/nothing}}{{^empty}}e{{/empty}}{{^unknown}}u{{/unknown}}",
            "noeu",
        ),
        ("a{{! a remark\nof two lines }}b", "ab"),
        ("Dear,\n{{#yes}}\n  yes\n{{/yes}}\nBye\n", "Dear,\n  yes\nBye\n"),
        ("  {{#items}}  \r\n- {{title}}\r\n  {{/items}}\t\r\nend", "- one\r\n- two\r\nend"),
        ("{{#yes}}\n{{/yes}}\n{{#yes}}\nx\n{{/yes}}", "x\n"),
        ("x {{#yes}}\ny\n{{/yes}} z\n", "x \ny\n z\n"),
    ],
)
def test_a_template_becomes_text(template: str, text: str) -> None:
    assert render(template, VALUES) == text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{name", "is not closed"),
        ("{{{a}} b}}}", "names nothing"),
        ("{{{name}}", "is not closed"),
        ("{{#a}}b", "{{#a is not closed"),
        ("{{#a}}{{/b}}", "closes what is not open"),
        ("{{/a}}", "closes what is not open"),
        ("{{}}", "names nothing"),
        ("{{# }}{{/ }}", "names nothing"),
        ("{{> header}}", "not supported"),
        ("{{=<% %>=}}", "not supported"),
        ("{{#a}}" * 60 + "{{/a}}" * 60, "deeper than"),
    ],
)
def test_a_wrong_template_is_refused_by_its_tag(template: str, said: str) -> None:
    for ask in (lambda: render(template, {}), lambda: variables(template)):
        with pytest.raises(Invalid) as refused:
            ask()
        assert said in refused.value.message


def test_values_are_escaped_for_where_they_go() -> None:
    values = {"it": '"<é\n'}
    assert render("{{it}}", values) == "&quot;&lt;é\n"
    assert render("{{it}}", values, as_text) == '"<é\n'
    assert render("{{it}}", values, as_json) == '\\"<\\u00e9\\n'


def test_the_names_that_a_template_asks_for_are_known() -> None:
    assert variables("{{b}} {{#a}}{{c.d}} {{.}} {{b}}{{/a}}{{^e}}{{/e}}{{{f}}}") == ("b", "a", "c.d", "e", "f")


def test_values_are_never_read_as_templates() -> None:
    assert render("{{a}}{{{b}}}", {"a": "{{b}}", "b": "{{a}}"}) == "{{b}}{{a}}"


def test_lists_within_lists_do_not_grow_without_bounds() -> None:
    many = list(range(1000))
    began = time.process_time()
    for inside in ("", "{{a}}"):
        with pytest.raises(Invalid, match="repeats too much"):
            render(f"{{{{#m}}}}{{{{#m}}}}{{{{#m}}}}{inside}{{{{/m}}}}{{{{/m}}}}{{{{/m}}}}", {"m": many})
    assert time.process_time() - began < 10, "each element is counted, also where nothing is written for it"
    with pytest.raises(Invalid, match="longer than"):
        render("{{#m}}{{long}}{{/m}}", {"m": many, "long": "x" * 10_000})
    with pytest.raises(Invalid, match="at most"):
        render("x" * (moustache.LONGEST + 1), {})


@pytest.mark.parametrize(
    "piece", ["{{", "{{{", "}}", "{{a}}", "{{!}}", "   {{!}}   \n", "{{#a}}{{/a}}", "{{/a", "\n", " "]
)
def test_long_templates_are_read_in_little_time(piece: str) -> None:
    template = piece * (400_000 // len(piece))
    start = time.process_time()
    with contextlib.suppress(Invalid):
        render(template, {"a": 1})
    assert time.process_time() - start < 20, "a time that only a quadratic reader takes"


_PIECES = st.sampled_from(
    ["{{a}}", "{{{b}}}", "{{#a}}", "{{/a}}", "{{^b}}", "{{/b}}", "{{!x}}", "{{", "}}", "\n", " ", "t"]
)


@settings(max_examples=300)
@given(
    st.lists(_PIECES | st.text(max_size=5), max_size=30).map("".join),
    st.dictionaries(
        st.sampled_from("ab"), st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.integers(), max_size=3)
    ),
)
def test_any_template_is_text_or_refused(template: str, values: dict[str, object]) -> None:
    with contextlib.suppress(Invalid):
        assert isinstance(render(template, values), str)
