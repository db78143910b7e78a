"""What is read from messages: the corpus, the standard library's opinion, attacks."""

import base64
import mmap
import quopri
import sys
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, compat32
from email.utils import getaddresses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mime import corpus
from posthouse.mime import headers, reading
from posthouse.mime.reading import Caps, content, excerpt, read, search_text, text_of
from posthouse.model.message import Message, Part, Transfer


@pytest.mark.parametrize("name", corpus.NAMES)
def test_the_corpus_is_read_as_it_says(name: str) -> None:
    expected = corpus.expected(name)
    assert corpus.told(read(corpus.raw(name)), list(expected)) == expected


# -- whatever the bytes -------------------------------------------------------------------------------------------


def is_sound(raw: bytes, message: Message) -> None:
    """What must hold for every message that was ever read."""
    strings = [message.subject, message.text, message.html, message.message_id, message.in_reply_to]
    strings += [*message.references, *(piece for header in message.headers for piece in header)]
    for person in (*message.sender, *message.to, *message.cc, *message.bcc, *message.reply_to):
        strings += [person.name, person.email]
        assert person.name or person.email
        assert not person.email or "@" in person.email[1:-1]
    for part in message.parts:
        strings += [part.content_type, part.charset, part.disposition, part.filename, part.content_id]
        assert 0 <= part.start <= part.end <= len(raw)
        assert len(content(raw, part)) == part.size
        text_of(raw, part).encode("utf-8")
        assert part.content_type.count("/") == 1
        assert part.content_type == part.content_type.lower()
        assert not set(part.filename) & set("/\\\r\n")
        assert len(part.filename.encode()) <= 255
        assert part.filename or not part.is_attachment
    assert len({part.path for part in message.parts}) == len(message.parts)
    for string in strings:
        assert "\0" not in string
        string.encode("utf-8")
    for name, value in (*message.headers, ("Subject", message.subject)):
        assert not set(name + value) & set("\r\n")
    assert len(search_text(message)) <= 65536
    assert len(excerpt(message)) <= 200


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    is_sound(raw, read(raw))


FRAGMENTS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"--b",
    b"--b--",
    b"--bb",
    b" ",
    b"\t",
    b"\0",
    b";",
    b"=",
    b'"',
    b"\\",
    b"<",
    b">",
    b"(",
    b")",
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: multipart/alternative; boundary=bb",
    b"Content-Type: text/html; charset=",
    b"Content-Type: message/rfc822",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Transfer-Encoding: uuencode",
    b"utf-7",
    b"utf-16",
    b"iso-2022-jp",
    b"hz",
    b"gbk",
    b"unicode_escape",
    b"=?utf-8?q?=E4?=",
    b"=?utf-8?b?uQ==?=",
    b"=?",
    b"?=",
    b"\x1b$B",
    b"Content-Disposition: attachment; filename*0*=utf-8''%E4",
    b"filename*1=",
    b"From: ",
    b"To: ",
    b"Subject: ",
    b"Date: Tue, 03 Mar 2026 10:20:30 +0100",
    b"Message-ID: <",
    b"References: ",
    b"a@b",
    b"\xff",
    b"\xc3\xa9",
    b"\xd6\xd0",
    b"=3D",
    b"=\r\n",
    b"begin 644 x",
    b"#:&D*",
    b"QUJD",
    b"Q=",
    b"+2AA-",
    b"<p>",
    b"<script>",
    b"&#99999999;",
    b"&#55296;",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=60).map(b"".join))
def test_mail_made_of_its_own_pieces_is_read(raw: bytes) -> None:
    is_sound(raw, read(raw))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(corpus.NAMES), st.data())
def test_mutilated_messages_are_read(name: str, data: st.DataObject) -> None:
    raw = bytearray(corpus.raw(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        width = data.draw(st.integers(0, 30))
        raw[at : at + width] = data.draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=8))
    is_sound(bytes(raw), read(bytes(raw)))


@given(st.text(), st.sampled_from(["words", "parameters", "date", "ids", "clean", "folded"]))
def test_header_readers_take_any_text(text: str, reader: str) -> None:
    getattr(headers, reader)(text)


@pytest.mark.parametrize("name", corpus.NAMES)
def test_a_mapped_file_and_a_view_read_like_bytes(name: str, tmp_path: Path) -> None:
    raw = corpus.raw(name)
    assert read(memoryview(raw)) == read(raw)
    if raw:
        path = tmp_path / "message.eml"
        path.write_bytes(raw)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            message = read(mapped)
            assert message == read(raw)
            assert [content(mapped, part) for part in message.parts] == [content(raw, part) for part in message.parts]


# -- as the standard library reads well-formed mail ---------------------------------------------------------------

LETTERS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Co", "Cn", "Zs"]) | st.just(" "), max_size=60
)


@settings(max_examples=100, deadline=None)
@given(
    subject=LETTERS,
    text=LETTERS,
    markup=LETTERS,
    file=st.binary(max_size=300),
    charset=st.sampled_from(["utf-8", "iso-8859-15", "koi8-r", "gb18030", "iso-2022-jp"]),
)
def test_well_formed_mail_is_read_as_the_standard_library_does(
    subject: str, text: str, markup: str, file: bytes, charset: str
) -> None:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    written = EmailMessage(policy=SMTP)
    written["Subject"] = subject = " ".join(subject.split())
    written["From"] = "Ann <ann@example.org>"
    written["To"] = '"B, ob" <bob@example.org>, carol@example.org'
    written.set_content(text, charset=charset)
    written.add_alternative(markup, subtype="html")
    written.add_attachment(file, maintype="image", subtype="png", filename="a.png")
    raw = written.as_bytes()

    ours, theirs = read(raw), BytesParser(policy=compat32).parsebytes(raw)
    leaves = [part for part in theirs.walk() if not part.is_multipart()]
    payloads = [part.get_payload(decode=True) for part in leaves]
    assert ours.subject.strip() == subject
    assert [(person.name, person.email) for person in (*ours.sender, *ours.to)] == getaddresses(
        [theirs["From"], theirs["To"]]
    )
    assert [content(raw, part) for part in ours.parts] == payloads
    assert [part.content_type for part in ours.parts] == [part.get_content_type() for part in leaves]
    assert ours.text.rstrip("\n") == text.rstrip("\n")
    assert ours.html.rstrip("\n") == markup.rstrip("\n")
    assert [(part.filename, content(raw, part)) for part in ours.attachments] == [("a.png", file)]
    assert ours.defects == ("no date",)


# -- attacks ------------------------------------------------------------------------------------------------------


def nested(levels: int) -> bytes:
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=n%d\r\n\r\n--n%d\r\n" % (level, level) for level in range(levels)
    )
    closed = b"".join(b"--n%d--\r\n" % level for level in reversed(range(levels)))
    return opened + b"Content-Type: text/plain\r\n\r\ndeep\r\n" + closed


def test_fifty_multiparts_inside_each_other_are_opened() -> None:
    assert read(nested(50)).text == "deep"


def test_deeper_nesting_is_kept_as_a_file() -> None:
    message = read(nested(10_000))
    assert message.text == ""
    assert [part.content_type for part in message.attachments] == ["multipart/mixed"]
    assert "more than 50 multiparts inside each other: not opened" in message.defects


def test_messages_inside_messages_are_not_opened() -> None:
    message = read(b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"Subject: x\r\n\r\n")
    assert len(message.parts) == 1
    assert message.text == ""


def test_parts_beyond_the_cap_are_left_out() -> None:
    message = read(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000)
    assert len(message.parts) == 2000
    assert "more than 2000 parts: the rest was left out" in message.defects


def test_a_header_beyond_the_cap_is_cut() -> None:
    message = read(b"Subject: " + b"s" * 300_000 + b"\r\nTo: a@b\r\n\r\nbody\r\n")
    assert len(message.subject) == 128 << 10
    assert message.to
    assert message.text == "body\n"
    assert "a header over the limit was cut" in message.defects


def test_headers_beyond_the_caps_are_left_out_and_the_body_is_still_found() -> None:
    many = read(b"X: y\r\n" * 5000 + b"\r\nbody\r\n")
    assert (len(many.headers), many.text) == (2000, "body\n")
    long = read(b"X: " + b"y" * 2_000_000 + b"\r\nSubject: s\r\n\r\nbody\r\n")
    assert (long.subject, long.text) == ("", "body\n")


def test_body_text_beyond_the_cap_is_left_out_but_measured() -> None:
    raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 3000
    message = read(raw, Caps(text=1000))
    assert len(message.text) == 1000
    assert message.parts[0].size == 9000
    assert "body text over the limit was left out" in message.defects


def test_addresses_beyond_the_cap_are_left_out() -> None:
    assert len(read(b"To: " + b"a@b," * 30_000 + b"\r\n\r\n").to) == 10_000


def test_references_are_bounded_to_the_last_hundred() -> None:
    raw = b"References: " + b" ".join(b"<%d@x>" % number for number in range(500)) + b"\r\n\r\n"
    assert read(raw).references[0] == "400@x"
    assert len(read(raw).references) == 100


def steps(raw: bytes) -> int:
    """How many lines of our own code run while `raw` is read: work, without a clock."""
    count = 0

    def tracer(frame: object, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return tracer

    sys.settrace(tracer)  # type: ignore[arg-type]
    try:
        read(raw)
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize(
    ("before", "unit", "after"),
    [
        (b"To: ", b"a@b, ", b"\r\n\r\n"),
        (b"To: ", b"(", b"\r\n\r\n"),
        (b"To: ", b'"\\', b"\r\n\r\n"),
        (b"To: ", b'<"\\', b"\r\n\r\n"),
        (b"To: ", b"<", b"\r\n\r\n"),
        (b"To: ", b":;", b"\r\n\r\n"),
        (b"Subject: ", b"=?utf-8?q?a?= ", b"\r\n\r\n"),
        (b"Subject: ", b"=?a?q?", b"\r\n\r\n"),
        (b"Content-Type: text/plain", b"; a=b", b"\r\n\r\n"),
        (b"Content-Type: text/plain", b"; a*1*=b", b"\r\n\r\n"),
        (b"Content-Type: text/plain; x=", b'"\\', b"\r\n\r\n"),
        (b"References: ", b"<a@b>", b"\r\n\r\n"),
        (b"", b"X: y\r\n", b"\r\n"),
        (b"", b"junk\r\nX: y\r\n", b"\r\n"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"--b\r\n\r\nx\r\n", b""),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"--bc\r\n", b""),
        (b"", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", b""),
        (b"Content-Transfer-Encoding: base64\r\n\r\n", b"QQ==", b""),
    ],
)
def test_twice_the_attack_is_at_most_twice_the_work(before: bytes, unit: bytes, after: bytes) -> None:
    once, twice = (steps(before + unit * count + after) for count in (250, 500))
    assert twice < 2.2 * once


@pytest.mark.parametrize(
    "unit", [b'"\\', b'<"\\', b"=?a?q?", b"(", b"; x", b"<", b"=?a?q?b?c", b"a b ", b'; a="\\', b",\t"]
)
@pytest.mark.parametrize("name", [b"To", b"Subject", b"Content-Type", b"Content-Disposition", b"References", b"Date"])
def test_headers_full_of_openings_are_read(name: bytes, unit: bytes) -> None:
    # A pattern that looked ahead again and again would not come back from these before the runner's patience ends.
    raw = name + b": " + unit * 200_000 + b"\r\n\r\n"
    assert len(read(raw).headers) == 1


# -- details ------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=3000), st.integers(1, 100), st.sampled_from([b"\r\n", b"\n", b" ", b"\t!*"]))
def test_base64_gives_back_what_was_encoded(data: bytes, width: int, separator: bytes) -> None:
    encoded = base64.b64encode(data)
    lines = separator.join(encoded[at : at + width] for at in range(0, len(encoded), width))
    raw = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines
    (part,) = read(raw).parts
    assert content(raw, part) == data
    assert part.size == len(data)


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_runs_of_base64_with_padding_between_them_are_joined(pieces: list[bytes]) -> None:
    raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + b"".join(map(base64.b64encode, pieces))
    (part,) = read(raw).parts
    assert content(raw, part) == b"".join(pieces)


def test_sizes_are_exact_across_the_pieces_they_are_measured_in() -> None:
    data = bytes(range(256)) * 5000
    for encoding, encoded in (
        (b"base64", base64.encodebytes(data)),
        (b"base64", base64.b64encode(data)),
        (b"quoted-printable", quopri.encodestring(data)),
    ):
        raw = b"Content-Type: image/png\nContent-Transfer-Encoding: " + encoding + b"\n\n" + encoded
        (part,) = read(raw).parts
        assert part.size == len(content(raw, part))
        assert content(raw, part).rstrip(b"\n") == data


def test_a_text_with_a_name_is_a_file_inside_a_multipart_and_the_body_alone() -> None:
    alone = b"Content-Type: text/plain; name=a.txt\r\n\r\nhello\r\n"
    assert read(alone).text == "hello\n"
    inside = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + alone + b"--b--\r\n"
    assert [part.filename for part in read(inside).attachments] == ["a.txt"]


def test_a_text_sent_as_attachment_is_a_file_even_alone() -> None:
    message = read(b"Content-Disposition: attachment; filename=a.txt\r\n\r\nhello\r\n")
    assert message.text == ""
    assert [part.filename for part in message.attachments] == ["a.txt"]


def test_html_without_a_charset_is_read_in_the_one_it_names_itself() -> None:
    markup = '<meta charset="koi8-r"><p>Привет</p>'
    raw = b"Content-Type: text/html\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + markup.encode("koi8-r")
    assert read(raw).html == markup


def test_text_of_reads_any_part_as_text() -> None:
    raw = b"xxl\xf6wexx"
    part = Part(
        path="1",
        content_type="application/json",
        charset="iso-8859-1",
        transfer=Transfer.IDENTITY,
        disposition="",
        filename="",
        content_id="",
        start=2,
        end=6,
        size=4,
        is_attachment=True,
    )
    assert text_of(raw, part) == "löwe"


def test_excerpts_end_at_a_word() -> None:
    line = excerpt(Message(text="lorem ipsum\r\n " * 100))
    assert line.startswith("lorem ipsum lorem ipsum ")
    assert line.split()[-1] in ("lorem…", "ipsum…")
    assert 160 <= len(line) <= 200
    assert excerpt(Message(text="short\n text")) == "short text"
    assert len(excerpt(Message(text="x" * 1000))) == 200


def test_html_is_searched_and_excerpted_by_its_words() -> None:
    message = Message(html="<head><title>no</title></head><body><p>Hello&nbsp;<b>w</b>orld</p><script>no</script>bye")
    assert search_text(message) == "Hello world bye"
    assert excerpt(message) == "Hello world bye"


def test_the_reader_names_its_public_functions() -> None:
    assert set(reading.__all__) == {"Caps", "content", "excerpt", "read", "search_text", "text_of"}
