"""Whatever the bytes, of a message or of a client, there is an answer."""

import re
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.simulator import content
from posthouse.simulator.imap.grammar import Arguments, BadSyntax, folder_name, nstring, shown_folder
from simulator.clients import mail, signed_in

PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: message/rfc822",
        b"Subject: =?utf-8?q?x?=",
        b"From: a <b@c>, (((",
        b"To: g: x@y, z;",
        b"Date: x",
        b" folded",
        b"--b",
        b"--b--",
        b"\r\n",
        b"\n",
        b"\xff\0",
        b": ",
    ]
)
BYTES = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=40).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(BYTES)
def test_any_bytes_have_a_structure_an_envelope_and_text(data):
    root = content.parse(data)
    header, body = content.split(data)
    assert header + body == data
    for extended in (False, True):
        shown = content.structure(root, extended=extended)
        assert shown.startswith(b"(")
        assert shown.endswith(b")")
    content.envelope(header)
    content.readable_body(root)
    content.readable(header.decode("latin-1"))
    content.sent_on(data)


def test_deep_nesting_is_looked_into_only_so_far():
    data = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000))
    assert sum(1 for _ in content.walk(content.parse(data))) == content.DEEPEST + 1


def test_nested_comments_in_an_address_end_nothing():
    assert content.envelope(b"To: " + b"(" * 9000 + b"\r\n\r\n").startswith(b"(NIL NIL NIL")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_folder_names_survive_modified_utf7(name):
    shown = shown_folder(name)
    assert shown.isascii()
    assert Arguments(shown).mailbox() == name


@settings(max_examples=100, deadline=None)
@given(st.binary())
def test_strings_survive_quoting(data):
    arguments = Arguments(nstring(data))
    assert arguments.nstring() == data
    arguments.end()


@settings(max_examples=100, deadline=None)
@given(st.binary())
def test_a_folder_name_is_understood_or_refused(raw):
    with suppress(BadSyntax):
        folder_name(raw)


COMMANDS = "FETCH STORE SEARCH UID COPY MOVE LIST STATUS APPEND SELECT CREATE RENAME ID ENABLE CHARSET RETURN NOT OR"
ARGUMENTS = """( ) [ ] < > * % & &- &x 1:* 0 2,9 {3} "" "a" INBOX NIL BODY[ BODY.PEEK[1.MIME] BODY[HEADER.FIELDS
FLAGS +FLAGS \\Seen SINCE 1-Jan-2026 99-Foo-1 RETURN(ALL) UTF-8 SUBJECT MODSEQ (CHANGEDSINCE"""
WORDS = st.sampled_from([*COMMANDS.split(), *ARGUMENTS.split()])


async def test_any_words_are_answered_with_one_tagged_line(provider, connect):
    provider.deliver("ann@post.example", mail("Tea"))
    lines: list[str] = []

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(st.lists(WORDS, min_size=1, max_size=8).map(" ".join))
    def gather(line):
        lines.append(line)

    gather()
    raw = await signed_in(provider, connect)
    await raw.imap("SELECT INBOX")
    for number, line in enumerate(lines):
        await raw.send(f"x{number} {line}\r\n")
        if line.endswith("{3}"):
            await raw.line()
            await raw.send("abc\r\n")
        answer = await raw.until(rf"x{number} (OK|NO|BAD) ")
        assert answer, line
        assert not [other for other in answer if re.match(r"\* BYE", other)], line


async def test_broken_messages_can_be_fetched(provider, ann):
    odd = [b"", b"\0", b"\xff" * 100, b"Subject: x", b"\n\n\n", b"Content-Type: multipart/mixed; boundary=\r\n\r\nx"]
    for message in odd:
        provider.deliver("ann@post.example", message)
    await ann.imap("EXAMINE INBOX")
    answer = await ann.imap("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY[1] BODY[TEXT])")
    assert answer[-1] == "t OK Fetched"
