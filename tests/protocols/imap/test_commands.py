"""Values to commands: whatever the arguments, one command is one command."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.exchange import LocalProtocolError
from posthouse.protocols.imap import commands
from posthouse.protocols.imap.encoding import Literal, Secret, Waiting, astring, shown, string, wire
from posthouse.protocols.imap.framing import Limits
from posthouse.protocols.imap.tokens import tokens


def line(*arguments, waiting=Waiting.NEVER):
    return b"|".join(wire("A1", arguments, waiting))


def read_back(argument):
    """What a server's parser makes of an argument."""
    if isinstance(argument, Literal):
        return argument.data
    token = tokens([argument], Limits())
    assert len(token) == 1
    return token[0]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_what_is_said_is_what_is_read(text):
    assert read_back(astring(text)) == text.encode()
    assert read_back(string(text)) == text.encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ann@example.com", b"ann@example.com"),
        ("two words", b'"two words"'),
        ('a"b\\c', b'"a\\"b\\\\c"'),
        ("", b'""'),
        ("NIL", b'"NIL"'),
        ("[Gmail]/All Mail", b'"[Gmail]/All Mail"'),
        ("a]b{1}~", b'"a]b{1}~"'),
        ("line\r\nbreak", Literal(b"line\r\nbreak")),
        ("Grüße", Literal("Grüße".encode())),
        ("x" * 1001, b"x" * 1001),
        ("x " * 501, Literal(b"x " * 501)),
    ],
)
def test_text_is_word_quoted_or_literal_by_its_content(text, said):
    assert astring(text) == said


def test_a_literal_is_counted_in_bytes():
    assert line(b"X", Literal("ü€".encode())) == b"A1 X {5+}\r\n" + "ü€".encode() + b"\r\n"


@pytest.mark.parametrize(
    ("waiting", "size", "announced"),
    [
        (Waiting.ALWAYS, 1, b"{1}\r\n|"),
        (Waiting.OVER_4096, 4096, b"{4096+}\r\n"),
        (Waiting.OVER_4096, 4097, b"{4097}\r\n|"),
        (Waiting.NEVER, 4097, b"{4097+}\r\n"),
    ],
)
def test_a_literal_waits_unless_the_server_said_that_it_need_not(waiting, size, announced):
    assert line(b"X", Literal(b"y" * size), b"Z", waiting=waiting) == b"A1 X " + announced + b"y" * size + b" Z\r\n"


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "a\r\nA2 LOGOUT"])
def test_no_line_break_or_nul_gets_out_by_any_door(bad):
    raw = bad.encode()
    doors = [
        lambda: wire("A1", [raw]),
        lambda: wire("A1", [(b"X", (raw,))]),
        lambda: wire(bad, []),
        lambda: commands.mailbox(bad.encode()),
        lambda: commands.flag(bad),
        lambda: commands.flag("\\Seen" + bad),
        lambda: commands.fetch_item("UID" + bad),
        lambda: commands.fetch_item(f"BODY[HEADER.FIELDS ({bad})]"),
        lambda: commands.id_fields({"name": bad}),
        lambda: commands.search_keys(f"FROM {bad}"),
        lambda: commands.search_keys(f'FROM "{bad}"'),
        lambda: commands.search_keys(f'FROM "x"{bad}'),
    ]
    for door in doors:
        with pytest.raises(LocalProtocolError):
            door()


def test_a_nul_gets_out_by_no_literal():
    with pytest.raises(LocalProtocolError):
        wire("A1", [Literal(b"\0")])


def test_a_secret_is_sent_and_not_shown():
    login = (b"LOGIN", b"ann", Secret(b'"hunter 2"'))
    assert line(*login) == b'A1 LOGIN ann "hunter 2"\r\n'
    assert shown("A1", login) == "A1 LOGIN ann ***"


def test_a_literal_is_shown_by_its_size():
    assert shown("A1", (b"APPEND", b"Sent", (b"\\Seen",), Literal(b"x" * 1234))) == "A1 APPEND Sent (\\Seen) {1234}"


def test_folder_names_go_in_modified_utf7_or_utf8():
    assert commands.mailbox("Entwürfe") == b'"Entw&APw-rfe"'
    assert commands.mailbox('Ü"', utf8=True) == '"Ü\\""'.encode()
    assert commands.mailbox("INBOX") == b"INBOX"
    assert commands.mailbox(b"R&D") == b'"R&D"'
    assert commands.mailbox(b"\xfc") == Literal(b"\xfc")


def test_a_folder_name_with_a_lone_surrogate_is_refused():
    for utf8 in (True, False):
        with pytest.raises(LocalProtocolError):
            commands.mailbox("\ud800", utf8=utf8)


@pytest.mark.parametrize("item", ["UID) BODY[", "BODY[] BODY[]", "BODY[]<0>", "", "(UID", "BODY[HEADER.FIELDS (A B)"])
def test_what_is_no_item_of_fetch_is_refused(item):
    with pytest.raises(LocalProtocolError):
        commands.fetch_item(item)


@pytest.mark.parametrize(
    "item", ["BODY.PEEK[]<0.2048>", "X-GM-MSGID", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE)]", "BODY[1.2.MIME]"]
)
def test_items_of_fetch_are_let_through(item):
    assert commands.fetch_item(item) == item.encode()


def test_id_is_told_in_plain_ascii_and_never_as_an_empty_list():
    assert line(b"ID", commands.id_fields({"name": 'Pöst"haus', "version": "1"})) == (
        b'A1 ID ("name" "Post\\"haus" "version" "1")\r\n'
    )
    assert line(b"ID", commands.id_fields({})) == b"A1 ID NIL\r\n"


def test_id_keeps_to_its_limits():
    for fields in ({"n" * 31: "x"}, {"name": "x" * 1025}, {str(n): "" for n in range(31)}):
        with pytest.raises(LocalProtocolError):
            commands.id_fields(fields)


def test_moments_are_written_with_their_zone_and_never_in_the_locale():
    west = timezone(-timedelta(hours=3, minutes=30))
    assert commands.date_time(datetime(2026, 11, 1, 2, 3, 4, tzinfo=west)) == b'"01-Nov-2026 02:03:04 -0330"'
    assert commands.date_time(datetime(2026, 3, 31, tzinfo=UTC)) == b'"31-Mar-2026 00:00:00 +0000"'
    with pytest.raises(LocalProtocolError):
        commands.date_time(datetime(2026, 11, 1))


def test_since_says_the_day():
    assert commands.since(date(2026, 11, 1)) == "SINCE 1-Nov-2026"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", b"ALL"),
        ("unseen  ", b"UNSEEN"),
        ('UNSEEN FROM "x y" SINCE 1-Nov-2026', b'UNSEEN FROM "x y" SINCE 1-Nov-2026'),
        ("since 01-nov-2026", b"SINCE 1-Nov-2026"),
        ('from ann@example.com subject "NIL"', b'FROM ann@example.com SUBJECT "NIL"'),
        ("OR (SEEN LARGER 5000) NOT FLAGGED", b"OR (SEEN LARGER 5000) NOT FLAGGED"),
        ("(OR SEEN (NOT (DELETED)))", b"(OR SEEN (NOT (DELETED)))"),
        ('HEADER Message-ID "<1@x>"', b'HEADER Message-ID "<1@x>"'),
        ('SUBJECT "say \\"hi\\" \\\\o"', b'SUBJECT "say \\"hi\\" \\\\o"'),
        ("UID 7:* 1:3,9 KEYWORD $Todo", b"UID 7:* 1:3,9 KEYWORD $Todo"),
        ('X-GM-RAW "category:primary" YOUNGER 3600', b'X-GM-RAW "category:primary" YOUNGER 3600'),
        ('BODY ""', b'BODY ""'),
        ('TEXT "(" TO ")"', b'TEXT "(" TO ")"'),
    ],
)
def test_a_search_is_read_and_said_again(text, said):
    keys = commands.search_keys(text)
    assert line(*keys.arguments) == b"A1 " + said + b"\r\n"
    assert not keys.beyond_ascii


def test_a_search_beyond_ascii_goes_in_literals():
    keys = commands.search_keys('SUBJECT "Grüße" FROM 李')
    assert keys.beyond_ascii
    assert keys.arguments == (b"SUBJECT", Literal("Grüße".encode()), b"FROM", Literal("李".encode()))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("UNSEN", "'UNSEN'"),
        ("FROM", "FROM"),
        ("FROM (", "FROM"),
        ("SEEN )", "')'"),
        ("(SEEN", "the search ends"),
        ("()", "empty"),
        ("OR SEEN", "the search ends"),
        ('SUBJECT "x', "x"),
        ('SUBJECT "x"y', "x"),
        ("SINCE yesterday", "'yesterday'"),
        ("SINCE 31-Feb-2026", "'31-Feb-2026'"),
        ("SINCE 1-11-2026", "'1-11-2026'"),
        ("SINCE +1-Nov-2026", "'+1-Nov-2026'"),
        ("LARGER 5k", "'5k'"),
        ("UID 0", "0"),
        ("UID x", "x"),
        ('"SEEN"', "SEEN"),
        ("KEYWORD ü", "ü"),
        ("KEYWORD a%b", "a%b"),
        ("SEEN\tDELETED", "DELETED"),
        ("CHARSET UTF-8", "CHARSET"),
        ("RETURN (ALL)", "RETURN"),
        ("(" * 40 + "SEEN" + ")" * 40, "nested"),
        ("NOT " * 5000, "longer"),
    ],
)
def test_a_wrong_search_is_refused_by_the_word_that_is_wrong(text, named):
    with pytest.raises(LocalProtocolError, match=re.escape(named)):
        commands.search_keys(text)


WORDS = st.sampled_from(
    [
        "SEEN",
        "FROM",
        "OR",
        "NOT",
        "(",
        ")",
        '"a b"',
        "1:3",
        "SINCE",
        "1-Nov-2026",
        "ü",
        '"',
        "\\",
        "{3}",
        "\r\n",
        "\0",
        "*",
        "A2 LOGOUT",
    ]
)


@given(st.lists(st.one_of(WORDS, st.text(max_size=5)), max_size=8).map(" ".join))
def test_a_search_is_one_command_or_none(text):
    try:
        keys = commands.search_keys(text)
    except LocalProtocolError:
        return
    # Taken apart as a server does, literals by their counted bytes, there is one line and no more.
    said, lines = line(b"SEARCH", *keys.arguments), 0
    while said:
        first, _, said = said.partition(b"\r\n")
        literal = re.search(rb"\{(\d+)\+\}\Z", first)
        said = said[int(literal[1]) :] if literal else said
        lines += not literal
        assert not re.search(rb"[\r\n\0]", first)
    assert lines == 1
