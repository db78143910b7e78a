"""What is written: read back it is what was put in, and nothing gets in that was not."""

from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.mime import filenames, headers
from posthouse.mime.reading import content, read
from posthouse.mime.writing import needs_utf8, parse_addresses, write
from posthouse.model.errors import Invalid
from posthouse.model.message import Address, Draft, Enclosure

NOW = datetime(2026, 3, 3, 10, 20, 30, tzinfo=UTC)
ANN = Address("Ann", "ann@example.org")
BOB = Address("", "bob@example.net")


def draft(**changes: Any) -> Draft:
    return Draft(**({"sender": ANN, "to": (BOB,), "subject": "s", "text": "t\n"} | changes))


def written(**changes: Any) -> bytes:
    return write(draft(**changes), message_id="<id@example.org>", date=NOW)


# -- there and back -----------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
LINES = st.lists(
    st.sampled_from(["a", "Ü", "会", "=", ".", "From ", " ", "\t", "\n", "\r\n", "--", "x" * 200, "é" * 80])
).map("".join)
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\t"), max_size=150)
EMAIL = st.builds(
    "{}@{}".format,
    st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-zé会]{1,9})?|\"[ -!#-\[\]-~]{0,9}\"", fullmatch=True),
    st.from_regex(r"([a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?\.){1,3}[a-z]{2,9}", fullmatch=True),
)
PEOPLE = st.lists(st.builds(Address, LINE, EMAIL), max_size=3).map(tuple)
ENCLOSURE = st.builds(
    Enclosure,
    filename=LINE,
    content_type=st.sampled_from(
        ["image/png", "text/plain", "text/csv; charset=utf-8", "", "application/pdf", "message/rfc822"]
    ),
    content=st.binary(max_size=300) | st.just(b"Subject: x\r\n\r\n--=_0\r\n"),
    content_id=st.sampled_from(["", "pic@example.org", "<other@x>"]),
)


def tidy(people: tuple[Address, ...]) -> tuple[Address, ...]:
    return tuple(Address(headers.folded(person.name), person.email) for person in people)


def lf(text: str) -> str:
    """Line ends, and the one at a text's end, are not ours to keep."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").rstrip("\n")


@settings(max_examples=250, deadline=None)
@given(
    wanted=st.builds(
        Draft,
        sender=st.builds(Address, LINE, EMAIL),
        to=PEOPLE,
        cc=PEOPLE,
        bcc=PEOPLE,
        reply_to=PEOPLE,
        subject=LINE,
        text=TEXT | LINES,
        html=TEXT | LINES | st.just('<img src="cid:pic@example.org">'),
        headers=st.lists(st.tuples(st.sampled_from(["X-A", "X-B", "List-Unsubscribe"]), LINE), max_size=3).map(tuple),
        attachments=st.lists(ENCLOSURE, max_size=3).map(tuple),
        in_reply_to=st.sampled_from(["", "a@example.org", "<b@example.org>"]),
        references=st.lists(st.sampled_from(["a@example.org", "<b@example.org>"]), max_size=3).map(tuple),
    )
)
def test_what_is_written_is_read_back(wanted: Draft) -> None:
    raw = write(wanted, message_id="<id@example.org>", date=NOW)
    message = read(raw)
    assert message.subject == wanted.subject
    assert message.sender == tidy((wanted.sender,))
    assert (message.to, message.cc, message.reply_to) == (tidy(wanted.to), tidy(wanted.cc), tidy(wanted.reply_to))
    assert message.bcc == ()
    assert (message.message_id, message.date) == ("id@example.org", NOW)
    assert message.in_reply_to == wanted.in_reply_to.strip("<>")
    assert message.references == tuple(one.strip("<>") for one in wanted.references)
    assert lf(message.text) == lf(wanted.text)
    assert lf(message.html) == lf(wanted.html)
    values = [(name, value) for name, value in message.headers if name in ("X-A", "X-B", "List-Unsubscribe")]
    assert values == [(name, value.strip(" \t")) for name, value in wanted.headers]
    sent = sorted((filenames.clean(one.filename), one.content) for one in wanted.attachments)
    got = [(part.filename, content(raw, part)) for part in message.attachments]
    assert sorted(one for _, one in got) == sorted(one for _, one in sent)
    assert {name for name, _ in sent if name} <= {name for name, _ in got}
    assert raw.isascii() or needs_utf8(wanted)
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert message.defects == ()


def test_the_standard_library_reads_the_same() -> None:
    raw = written(
        subject="Grüße an alle, " * 10,
        html='<p>é<img src="cid:pic@x"></p>',
        to=(Address("Jürgen Müller", "j@example.org"), Address('O"Neil, C.', "c@example.org")),
        attachments=(
            Enclosure(filename="a.png", content_type="image/png", content=b"\x89PNG", content_id="pic@x"),
            Enclosure(filename="Übersicht " * 12 + ".pdf", content_type="application/pdf", content=b"%PDF" * 100),
        ),
    )
    theirs = BytesParser(policy=compat32).parsebytes(raw)
    assert [part.get_content_type() for part in theirs.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    leaves = [part for part in theirs.walk() if not part.is_multipart()]
    assert [part.get_payload(decode=True) for part in leaves] == [
        b"t\r\n",
        '<p>é<img src="cid:pic@x"></p>'.encode(),
        b"\x89PNG",
        b"%PDF" * 100,
    ]
    assert leaves[-1].get_filename() == "Übersicht " * 12 + ".pdf"
    assert not any(part.defects for part in theirs.walk())
    assert {part.get_content_maintype() for part in leaves if part["Content-Disposition"]} == {"image", "application"}


def test_the_same_draft_is_the_same_bytes() -> None:
    assert written(html="<p>") == written(html="<p>")


def test_blind_copies_are_in_no_byte() -> None:
    raw = written(to=(), bcc=(Address("Secret Sam", "sam@example.com"),))
    assert b"sam" not in raw.lower()
    assert b"To: undisclosed-recipients:;\r\n" in raw


def test_text_is_sent_as_plainly_as_it_can() -> None:
    assert b"Content-Transfer-Encoding: 7bit" in written(text="plain\n")
    assert b"Content-Transfer-Encoding: quoted-printable" in written(text="mostly plain, but é\n")
    assert b"Content-Transfer-Encoding: quoted-printable" in written(text="x" * 999)
    assert b"Content-Transfer-Encoding: base64" in written(text="会議の資料\n")


def test_an_image_that_the_html_does_not_show_is_attached() -> None:
    image = Enclosure(filename="a.png", content_type="image/png", content=b"x", content_id="pic@x")
    (part,) = read(written(html="<p>no image</p>", attachments=(image,))).attachments
    assert (part.disposition, part.content_id) == ("attachment", "pic@x")


def test_an_attached_message_is_not_encoded_unless_it_must_be() -> None:
    def sent_as(raw: bytes) -> tuple[str, str, bytes]:
        message = Enclosure(filename="m.eml", content_type="message/rfc822", content=raw)
        whole = written(attachments=(message,))
        (part,) = read(whole).attachments
        return part.content_type, part.transfer.value, content(whole, part)

    assert sent_as(b"Subject: x\r\n\r\nx\r\n") == ("message/rfc822", "identity", b"Subject: x\r\n\r\nx\r\n")
    assert sent_as(b"Subject: \xe9\n\nx") == ("application/octet-stream", "base64", b"Subject: \xe9\n\nx")


# -- what is refused ----------------------------------------------------------------------------------------------


def file(**changes: Any) -> tuple[Enclosure, ...]:
    return (Enclosure(**({"filename": "a", "content_type": "image/png", "content": b""} | changes)),)


@pytest.mark.parametrize("poison", ["\r", "\n", "\r\nBcc: eve@example.com", "\0"])
@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("the subject", lambda bad: {"subject": f"a{bad}b"}),
        ("sender", lambda bad: {"sender": Address(f"a{bad}b", "a@b.c")}),
        ("sender", lambda bad: {"sender": Address("", f"a{bad}@b.c")}),
        (r"\(to\)", lambda bad: {"to": (Address(f"a{bad}b", "a@b.c"),)}),
        (r"\(cc\)", lambda bad: {"cc": (Address("", f"a@b.c{bad}"),)}),
        (r"\(bcc\)", lambda bad: {"bcc": (Address("", f"a@b.c{bad}"),)}),
        ("reply", lambda bad: {"reply_to": (Address("", f"a@b.c{bad}"),)}),
        ("X-A", lambda bad: {"headers": (("X-A", f"a{bad}b"),)}),
        ("header name", lambda bad: {"headers": ((f"X-A{bad}", "b"),)}),
        ("file name", lambda bad: {"attachments": file(filename=f"a{bad}b")}),
        ("content type", lambda bad: {"attachments": file(content_type=f"image/png{bad}")}),
        ("content id", lambda bad: {"attachments": file(content_id=f"a{bad}b")}),
        ("replied to", lambda bad: {"in_reply_to": f"<a{bad}@b>"}),
        ("reference", lambda bad: {"references": (f"<a{bad}@b>",)}),
    ],
)
def test_line_breaks_and_nuls_are_refused_by_the_fields_name(field: str, place: Any, poison: str) -> None:
    with pytest.raises(Invalid, match=field):
        written(**place(poison))


@pytest.mark.parametrize(
    "name",
    [
        "From",
        "bcc",
        "Content-Type",
        "content-transfer-encoding",
        "MIME-Version",
        "Received",
        "Return-Path",
        "Message-ID",
        "DKIM-Signature",
        "Sender",
        "Resent-To",
        "X A",
        "",
        "X:",
        "Ü",
    ],
)
def test_headers_of_others_can_not_be_set(name: str) -> None:
    with pytest.raises(Invalid, match="header"):
        written(headers=((name, "x"),))


@pytest.mark.parametrize("name", ["Auto-Submitted", "Precedence", "List-Unsubscribe", "X-Campaign", "References"])
def test_headers_of_the_callers_own_can_be_set(name: str) -> None:
    assert (name, "<a@b>") in read(written(headers=((name, "<a@b>"),))).headers


def test_references_are_not_taken_from_two_places() -> None:
    with pytest.raises(Invalid, match="twice"):
        written(references=("a@b",), headers=(("references", "<c@d>"),))


@pytest.mark.parametrize("text", ["half a \ud800 character", "a NUL \0"])
def test_text_that_can_not_be_sent_is_refused(text: str) -> None:
    for changes in ({"text": text}, {"html": text}, {"subject": text}):
        with pytest.raises(Invalid):
            written(**changes)


def test_a_mistake_of_ours_is_noticed_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "posthouse.mime.writing._unstructured", lambda name, value: f"{name}: x\r\nBcc: eve@example.com"
    )
    with pytest.raises(RuntimeError, match=r"headers.*bcc.*subject"):
        written()


# -- addresses ----------------------------------------------------------------------------------------------------


def test_international_addresses_are_told_from_international_domains() -> None:
    assert not needs_utf8(draft(to=(Address("Ü", "a@straße.example"),)))
    assert needs_utf8(draft(bcc=(Address("", "jürgen@example.org"),)))
    raw = written(to=(Address("", "a@straße.example"), Address("J", "jürgen@münchen.example")))
    assert [person.email for person in read(raw).to] == ["a@xn--strae-oqa.example", "jürgen@xn--mnchen-3ya.example"]


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("ann@example.org", [("", "ann@example.org")]),
        (" Ann Example <ann@EXAMPLE.org> ", [("Ann Example", "ann@example.org")]),
        ('"Smith, \\"J\\"" <j@x.y>, bob@x.y;c@x.y', [('Smith, "J"', "j@x.y"), ("", "bob@x.y"), ("", "c@x.y")]),
        ("<ann@example.org>", [("", "ann@example.org")]),
        ("ann@[192.0.2.1], root@localhost", [("", "ann@[192.0.2.1]"), ("", "root@localhost")]),
        ("用户 <用户@例え.jp>", [("用户", "用户@xn--r8jz45g.jp")]),
        ('"john doe"@example.org', [("", '"john doe"@example.org')]),
        ("", []),
    ],
)
def test_addresses_as_people_write_them(text: str, people: list[tuple[str, str]]) -> None:
    assert parse_addresses(text) == tuple(Address(*person) for person in people)


@pytest.mark.parametrize(
    "text",
    [
        "ann",
        "ann@",
        "@example.org",
        "a@b@c",
        "a b@c.d",
        "<a@b.c",
        "a@b.c>",
        "Ann ann@b.c",
        "a@b..c",
        "a..b@c.d",
        ".a@b.c",
        "a@b.c\r\nBcc: d@e.f",
        "a@-b.c",
        "a@b c.d",
        "a@b.c,,d@e.f",
        "x" * 65 + "@b.c",
        "a@" + "b." * 200 + "c",
        "a@b.c (x)",
        '"open <a@b.c>',
        "a@exa\u202emple.org",
        "a@" + "ü" * 5000,
    ],
)
def test_what_is_not_plainly_an_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_addresses(text)
