"""Links, signatures and flaws: found in mail as people and services write it."""

import pytest

from posthouse.mime import links, signatures, validity
from posthouse.model.errors import Invalid
from posthouse.model.findings import Severity, SignatureKind, Source
from posthouse.model.message import Message, Part, Transfer

# -- links


def test_links_are_told_in_their_order_as_they_are_written() -> None:
    markup = (
        '<a href=" https://a.example/?x=1&amp;y=2 ">A</a><a name=n>no</a><map><area href="/b"></map><a href="">e</a>'
    )
    assert [link.url for link in links.links(markup)] == ["https://a.example/?x=1&y=2", "/b"]


def test_a_selector_means_links_and_what_links_are_in() -> None:
    markup = '<a href="1">x</a><div class="c"><p><a href="2">y</a></p></div><a class="c" href="3">z</a>'
    assert [link.url for link in links.links(markup, ".c")] == ["2", "3"]
    assert links.links(markup, "p > b") == []
    with pytest.raises(Invalid):
        links.links(markup, "[")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.example/x.", "https://a.example/x"),
        ("(https://a.example/x)", "https://a.example/x"),
        ("https://a.example/x_(y)", "https://a.example/x_(y)"),
        ("<https://a.example/>", "https://a.example/"),
        ("到https://a.example/x。", "https://a.example/x"),
    ],
)
def test_an_address_in_a_text_ends_where_a_reader_would_say(text: str, expected: str) -> None:
    assert [url for url, _ in links.in_text(text)] == [expected]


TOKEN = "eyJhbGciOiJIUzI1NiJ9x7Qp"


@pytest.mark.parametrize(
    "message",
    [
        Message(html=f'<a href="https://a.example/verify-email?token={TOKEN}">Confirm your address</a>'),
        Message(html=f'<a href="https://a.example/ls/click/{TOKEN}">Passwort zurücksetzen</a>'),
        Message(text=f"Reset your password:\nhttps://a.example/reset-password/{TOKEN}\n"),
        Message(text=f"To sign in, open this link.\nhttps://a.example/l/{TOKEN}"),
    ],
)
def test_a_link_for_one_moment_is_found(message: Message) -> None:
    [link] = links.one_time(message, 5)
    assert TOKEN in link.url


@pytest.mark.parametrize(
    "message",
    [
        Message(html=f'<a href="https://a.example/unsubscribe?token={TOKEN}">Confirm</a>'),
        Message(html='<a href="https://a.example/login">Log in</a>'),
        Message(html=f'<a href="https://a.example/news/{TOKEN}">Read more</a>'),
        Message(text="https://a.example/privacy https://a.example/"),
    ],
)
def test_other_links_are_not(message: Message) -> None:
    assert links.one_time(message, 5) == []


def image(content_id: str) -> Part:
    return Part(
        path="1", content_type="image/png", charset="", transfer=Transfer.BASE64, disposition="inline",
        filename="i.png", content_id=content_id, start=0, end=0, size=0, is_attachment=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("href", "complaint"),
    [
        ("", "no address"),
        ("javascript:alert(1)", "no scripts"),
        ("/relative", "relative"),
        ("//a.example/x", "without its scheme"),
        ("https://", "no host"),
        ("https://a..example/", "no host"),
        ("https://a.example:99999/", "can't be read"),
        ("https://a.example/{{token}}", "placeholder"),
        ("http://localhost:3000/x", "nowhere else"),
        ("http://a.example/", "not encrypted"),
        ("https://a.example/a b", "blank"),
        ("mailto:", "names nobody"),
        ("#none", "not in this email"),
        ("file:///etc/passwd", "own files"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(href: str, complaint: str) -> None:
    check = links.check(Message(html=f'<a href="{href}">x</a>'))
    assert any(complaint in issue.message for issue in check.links), check


def test_good_links_and_images_have_no_issue() -> None:
    markup = (
        '<a name="top"></a><a href="#top">up</a><a href="https://a.example/x?y=1#z">x</a><a href="mailto:a@b.c">m</a>'
        '<a href="https://[2001:db8::1]/">6</a><a href="https://grüße.example/">ü</a><img src="cid:logo">'
        '<img src="https://a.example/i.png">'
    )
    assert links.check(Message(html=markup, parts=(image("logo"),))) == links.BodyCheck()


def test_an_image_without_its_part_is_told() -> None:
    [issue] = links.check(Message(html='<img src="cid:gone">', parts=(image("logo"),))).images
    assert (issue.url, issue.severity) == ("cid:gone", Severity.ERROR)


# -- signatures

SIGNED = {
    "the delimiter": (
        "Hello,\n\nyes.\n-- \nAnn Archer\nExample Ltd\n",
        "Ann Archer\nExample Ltd",
        SignatureKind.DELIMITER,
    ),
    "before a quote": (
        "Yes.\n\n-- \nAnn\n\nOn Mon, 1 Jan 2026 at 10:00, Bob <b@x.example> wrote:\n> No?\n> -- \n> Bob\n",
        "Ann",
        SignatureKind.DELIMITER,
    ),
    "a telephone": ("Yes!\n\nSent from my iPhone\n", "Sent from my iPhone", SignatureKind.DEVICE),
    "a closing": (
        "Hello,\n\nyes.\n\nBest regards,\nAnn\n+49 30 1\n",
        "Best regards,\nAnn\n+49 30 1",
        SignatureKind.CLOSING,
    ),
    "a German closing": (
        "Ja.\n\nMit freundlichen Grüßen\n\nAnn",
        "Mit freundlichen Grüßen\nAnn",
        SignatureKind.CLOSING,
    ),
}


@pytest.mark.parametrize(("text", "body", "kind"), SIGNED.values(), ids=SIGNED)
def test_a_signature_is_found_by(text: str, body: str, kind: SignatureKind) -> None:
    found = signatures.find(Message(text=text))
    assert found is not None
    assert (found.body, found.kind, found.source) == (body, kind, Source.TEXT)


def test_a_signature_is_found_by_its_markup_and_not_in_a_quote() -> None:
    markup = '<p>Yes</p><div class="gmail_signature"><div>-- </div><b>Ann</b></div>'
    found = signatures.find(Message(html=markup))
    assert found is not None
    assert (found.body, found.kind, found.marker) == ("Ann", SignatureKind.MARKUP, "gmail_signature")
    assert signatures.find(Message(html=f"<p>Yes</p><blockquote>{markup}</blockquote>")) is None


@pytest.mark.parametrize("text", ["", "Hello", "Thanks for all\nthe fish, it was\ngood", "a\n-- \n" + "long\n" * 40])
def test_there_is_not_always_a_signature(text: str) -> None:
    assert signatures.find(Message(text=text)) is None


# -- flaws


def flaws(markup: str) -> list[tuple[int, str]]:
    return [(flaw.line, flaw.message) for flaw in validity.check(markup) if flaw.severity is not Severity.INFO]


def test_good_html_has_no_flaws() -> None:
    markup = (
        "<!doctype html><html><head><title>a<b</title><style>p>b{}</style></head><body><p>x<p>y<ul><li>1<li>2</ul>"
        '<img src="a" alt=""><br/></body></html>'
    )
    assert validity.check(markup) == []


@pytest.mark.parametrize(
    ("markup", "line", "complaint"),
    [
        ("<div>\n<b>x</div>", 2, "<b> is not closed before </div> in line 2"),
        ("<div>\n\n<b>x", 3, "<b> is never closed"),
        ("x</i>", 1, "</i> closes nothing that is open"),
        ("<br></br>", 1, "<br> holds nothing, and is not closed by </br>"),
        ("<p id=a></p>\n<p id=a></p>", 2, "the id 'a' is there twice"),
        ("<p class=a class=b></p>", 1, "<p> has the attribute class twice"),
        ("<blik></blik>", 1, "there is no element <blik> in HTML"),
        ("<a href=x><a href=y></a></a>", 1, "<a> stands inside of another <a>"),
        ('<p title="x', 1, "the tag <p is never closed by a >"),
        ("<!-- x", 1, "a comment is never closed"),
        ("<script>1</script>", 1, "mail programs take <script> out"),
        ("<img src=x>", 1, "<img> has no alt: who sees no images reads nothing there"),
        ('<p onclick="x()"></p>', 1, "mail programs take onclick out of <p>"),
    ],
)
def test_a_flaw_is_told_with_its_line(markup: str, line: int, complaint: str) -> None:
    assert (line, complaint) in flaws(markup)


def test_no_more_than_a_hundred_flaws_are_told() -> None:
    assert len(validity.check("</b>" * 50_000)) == 100


@pytest.mark.parametrize(
    "piece", ["<div>", "<a b=", "<!--", "<a '", "</b>", "<p a a a a a a a a>", "<b><p></b>", "&amp;"]
)
def test_a_markup_that_was_made_to_be_slow_is_not(piece: str) -> None:
    markup = piece * (400_000 // len(piece))
    validity.check(markup)
    signatures.find(Message(html=markup, text=piece * 10_000))
    links.check(Message(html=markup))
    links.one_time(Message(html=markup, text=markup), 5)
