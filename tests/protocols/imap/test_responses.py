"""Whole responses to values, right and wrong ones."""

import io
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.exchange import RemoteProtocolError
from posthouse.protocols.imap.fetching import Fetched, internal_date, unusual, usual
from posthouse.protocols.imap.framing import Framer, Limits, Spilled
from posthouse.protocols.imap.responses import (
    Bare,
    Capabilities,
    Continuation,
    Enabled,
    Exists,
    Expunged,
    Flags,
    Folder,
    FolderStatus,
    Found,
    FoundSet,
    Namespace,
    Namespaces,
    ServerId,
    Status,
    Unknown,
    Vanished,
    parse,
)
from posthouse.protocols.imap.tokens import tokens
from posthouse.protocols.imap.uidset import UidSet

LIMITS = Limits()


def read(data, limits=LIMITS, **framing):
    framer = Framer(limits, **framing)
    framer.feed((data.encode() if isinstance(data, str) else data) + b"\r\n")
    response = parse(framer.response(), limits)
    assert framer.empty
    return response


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("* OK ready", Status("*", "OK", text="ready")),
        ("A1 ok [READ-ONLY] done", Status("A1", "OK", "READ-ONLY", text="done")),
        ("* OK [UIDVALIDITY 7] valid", Status("*", "OK", "UIDVALIDITY", "7", "valid")),
        ("* OK [PERMANENTFLAGS (\\Seen \\*)]", Status("*", "OK", "PERMANENTFLAGS", "(\\Seen \\*)")),
        ("A1 NO", Status("A1", "NO")),
        ("* OK [HIGHESTMODSEQ 9]", Status("*", "OK", "HIGHESTMODSEQ", "9")),
        ("* BYE [UNAVAILABLE] go", Status("*", "BYE", "UNAVAILABLE", text="go")),
        ("A1 OK [unclosed text", Status("A1", "OK", text="[unclosed text")),
        ("A1 BAD bell\x07 and \x1b[31mred", Status("A1", "BAD", text="bell  and  [31mred")),
        (b"A1 NO \xff", Status("A1", "NO", text="\ufffd")),
    ],
)
def test_statuses_with_and_without_code_and_text(line, status):
    assert read(line) == status


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("+ idling", Continuation(b"idling")),
        ("+", Continuation(b"")),
        ("* 23 EXISTS", Exists(23)),
        ("* 3 expunge", Expunged(3)),
        ("* 3 RECENT", Unknown("RECENT")),
        ("* X-NEW {3", Unknown("X-NEW")),
        ("* CAPABILITY imap4rev1 AUTH=plain", Capabilities(frozenset({"IMAP4REV1", "AUTH=PLAIN"}))),
        ("* ENABLED CONDSTORE", Enabled(frozenset({"CONDSTORE"}))),
        ("* ENABLED", Enabled(frozenset())),
        ("* FLAGS (\\Seen $Todo)", Flags(("\\Seen", "$Todo"))),
        ('* ID ("Name" "Dovecot" "version" NIL)', ServerId({"name": "Dovecot", "version": ""})),
        ("* ID NIL", ServerId({})),
        ("* SEARCH", Found([])),
        ("* SEARCH 9 3 3 (MODSEQ 917)", Found([9, 3, 3])),
        ('* ESEARCH (TAG "A2") UID ALL 1:3,9', FoundSet("A2", UidSet.of([1, 2, 3, 9]))),
        ('* ESEARCH (TAG "A2") UID', FoundSet("A2", None)),
        ("* ESEARCH UID COUNT 3 ALL 7 MODSEQ 9", FoundSet("", UidSet.of([7]))),
        ("* VANISHED (EARLIER) 1:3", Vanished(True, UidSet.of([1, 2, 3]))),
        ("* VANISHED 5", Vanished(False, UidSet.of([5]))),
        ("Server Unavailable. 15", Bare("Server Unavailable. 15")),
        ("220 smtp ready", Bare("220 smtp ready")),
        ("+OK pop3", Bare("+OK pop3")),
        ("*", Bare("*")),
    ],
)
def test_untagged_responses(line, value):
    assert read(line) == value


def test_a_folder_is_listed_with_its_name_for_people_and_its_name_on_the_wire():
    folder = read('* LIST (\\HasNoChildren \\SENT) "/" "Gesendete Entw&APw-rfe"')
    assert folder == Folder(
        "Gesendete Entwürfe", b"Gesendete Entw&APw-rfe", "/", frozenset({"\\hasnochildren", "\\sent"})
    )
    assert (folder.selectable, folder.special_use) == (True, "sent")


@pytest.mark.parametrize(
    ("line", "name", "delimiter"),
    [
        ("* LIST () NIL INBOX", "INBOX", None),
        ('* LIST () "\\\\" "a\\"b"', 'a"b', "\\"),
        ('* LIST () "." {4}\r\na"\\b', 'a"\\b', "."),
        ('* LIST () "/" NIL', "NIL", "/"),
        ('* LIST () "/" [Gmail]/x', "[Gmail]/x", "/"),
        ('* LIST () "/" R&D', "R&D", "/"),
        ('* LIST () "/" "Entwürfe"', "Entwürfe", "/"),
        ('* LIST () "/" "/leading"', "/leading", "/"),
        ('* LIST () "/" "x" ("CHILDINFO" ("SUBSCRIBED"))', "x", "/"),
        ('* LIST () "/"', "", "/"),
        ("* XLIST NIL NIL x", "NIL", None),
    ],
)
def test_folders_in_every_spelling(line, name, delimiter):
    folder = read(line)
    assert (folder.name, folder.delimiter) == (name, delimiter)


@pytest.mark.parametrize("attribute", ["\\Noselect", "\\NonExistent", "\\NOSELECT"])
def test_some_folders_are_only_names(attribute):
    assert not read(f'* LIST ({attribute}) "/" x').selectable


@pytest.mark.parametrize(("attribute", "use"), [("\\AllMail", "all"), ("\\Spam", "junk"), ("\\Marked", "")])
def test_special_uses_in_the_words_of_xlist(attribute, use):
    assert read(f'* XLIST ({attribute}) "/" x').special_use == use


def test_the_inbox_is_special_by_its_name():
    assert read('* LIST () "/" Inbox').special_use == "inbox"


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("* STATUS x (MESSAGES 3 uidnext 4)", {"MESSAGES": 3, "UIDNEXT": 4}),
        ('* STATUS "a (b)" ()', {}),
        ("* STATUS x (HIGHESTMODSEQ NIL MESSAGES -1 UNSEEN 2 MAILBOXID (F1) SIZE)", {"UNSEEN": 2}),
        ("* STATUS two words (UNSEEN 1)", {"UNSEEN": 1}),
        ("* STATUS x", {}),
        ("* STATUS x (UIDNEXT 99999999999999999999)", {}),
    ],
)
def test_folder_status_keeps_what_is_a_number(line, numbers):
    assert read(line) == FolderStatus(numbers)


@pytest.mark.parametrize(
    ("line", "namespaces"),
    [
        ('* NAMESPACE (("" "/")) NIL NIL', Namespaces((Namespace("", "/"),))),
        ("* NAMESPACE ((NIL NIL)) NIL", Namespaces((Namespace("", None),))),
        (
            '* NAMESPACE (("INBOX." ".")) (("&APY-ffentlich." "." "X" ("y"))) NIL',
            Namespaces((Namespace("INBOX.", "."),), (Namespace("öffentlich.", "."),)),
        ),
        ("* NAMESPACE", Namespaces()),
        ("* NAMESPACE x (y)", Namespaces((), (Namespace("", None),))),
    ],
)
def test_namespaces_with_nothing_in_them(line, namespaces):
    assert read(line) == namespaces


@pytest.mark.parametrize(
    "line", ["* SEARCH 1 x", '* ESEARCH (TAG "A") UID ALL 0', "* VANISHED x", "* ESEARCH ALL 4294967296"]
)
def test_sets_that_cant_be_read_are_an_error_and_not_an_empty_mailbox(line):
    with pytest.raises(RemoteProtocolError):
        read(line)


@pytest.mark.parametrize("line", ["* ESEARCH UID ALL 1:4294967295", "* ESEARCH UID ALL 1:11", "* SEARCH" + " 1" * 12])
def test_a_search_that_finds_more_than_can_be_is_refused_unexpanded(line):
    with pytest.raises(RemoteProtocolError, match="more than 10"):
        read(line, Limits(uids=10))


# --- FETCH ---------------------------------------------------------------------------------------------------

USUAL = (
    b'* 3 FETCH (UID 7 FLAGS (\\Seen $Todo) INTERNALDATE "01-Nov-2026 12:34:56 +0100" RFC822.SIZE 9 '
    b"MODSEQ (12) BODY[] {5}\r\nhello)"
)
THE_MESSAGE = Fetched(
    sequence=3,
    uid=7,
    flags=("\\Seen", "$Todo"),
    size=9,
    internal_date=datetime(2026, 11, 1, 12, 34, 56, tzinfo=timezone(timedelta(hours=1))),
    modseq=12,
    body=b"hello",
    said=frozenset({"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "MODSEQ", "BODY[]"}),
)


@pytest.mark.parametrize(
    "data",
    [
        USUAL,
        b"* 3 FETCH (BODY[] {5}\r\nhello FLAGS (\\Seen $Todo) MODSEQ (12) UID 7 RFC822.SIZE 9 "
        b'INTERNALDATE " 1-Nov-2026 12:34:56 +0100")',
        b'* 3 fetch (uid 7 flags (\\Seen $Todo) internaldate "1-nov-2026 12:34:56 +0100" RFC822.Size "9" '
        b"MODSEQ (12) body[]<0> {5}\r\nhello)",
        USUAL.replace(b"{5}\r\nhello", b'"hello"'),
        USUAL.replace(b"BODY[] {5}", b"BINARY[] ~{5}"),
        USUAL.replace(b"BODY[]", b"RFC822"),
    ],
    ids=["usual", "reversed", "lower case", "quoted body", "binary", "rfc822"],
)
def test_one_message_told_in_many_ways(data):
    assert read(data) == THE_MESSAGE


@given(
    st.lists(
        st.sampled_from(
            [
                *(b"UID 7", b"UID 0", b"UID 4294967296", b"RFC822.SIZE 5", b"MODSEQ (3)"),
                *(b"FLAGS ()", b"FLAGS (\\Seen a]b)", b"BODY[] {2}\r\n)\r", b"BODY[] {0}\r\n"),
                *(b'INTERNALDATE "01-Nov-2026 12:34:56 +0000"', b'INTERNALDATE "soon"'),
            ]
        ),
        max_size=6,
    )
)
def test_both_readers_of_fetch_agree(items):
    framer = Framer(LIMITS)
    framer.feed(b"* 3 FETCH (" + b" ".join(items) + b")\r\n")
    parts = framer.response()
    quick = usual(3, parts, 10)
    slow = unusual(3, tokens(parts, LIMITS, start=10))
    assert quick is None or quick == slow


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("FLAGS (\\Seen)", {"uid": 0, "flags": ("\\Seen",)}),
        ("UID 7 FLAGS NIL", {"uid": 7, "flags": ()}),
        ("UID 7 INTERNALDATE NIL RFC822.SIZE x", {"internal_date": None, "size": None}),
        ("UID 7 MODSEQ (x)", {"modseq": None}),
        ("UID 7 MODSEQ (9223372036854775808)", {"modseq": None}),
        ("UID 7 MODSEQ (9223372036854775807)", {"modseq": 2**63 - 1}),
        ("UID 7 BODY[] NIL", {"uid": 7, "body": None}),
        ("UID 7 EMAILID (M1) THREADID NIL", {"email_id": "M1", "thread_id": None}),
        ("THREADID (T1) UID 7", {"thread_id": "T1"}),
        (
            'X-GM-MSGID 12 X-GM-THRID 11 X-GM-LABELS ("\\\\Inbox" Work "a \\"b\\"" &APw-) UID 7',
            {"gmail_message_id": 12, "gmail_thread_id": 11, "gmail_labels": ("\\Inbox", "Work", 'a "b"', "ü")},
        ),
        ("BODY[HEADER.FIELDS (SUBJECT DATE)] {4}\r\na: b UID 7", {"header": b"a: b", "uid": 7}),
        ('BODY (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1) "MIXED") UID 7', {"uid": 7, "body": None}),
        ('BODYSTRUCTURE ("ALTERNATIVE") ENVELOPE (NIL (("a" NIL NIL NIL)) UID 7', {"uid": 0}),
        ("UID 7 (odd) FLAGS (\\Seen)", {"uid": 7, "flags": ()}),
        ("UID", {"uid": 0}),
        ("", {"uid": 0, "said": frozenset()}),
        ("UID 4294967296", {"uid": 0}),
    ],
)
def test_what_is_missing_or_wrong_costs_only_itself(items, expected):
    message = read(f"* 3 FETCH ({items})")
    assert {name: getattr(message, name) for name in expected} == expected


def test_a_fetch_without_its_list_is_a_message_without_anything():
    assert read("* 3 FETCH") == read("* 3 FETCH x") == Fetched(sequence=3)


def test_a_body_on_disk_is_handed_over_open_and_others_are_closed():
    files = []

    def open_spill(size):
        files.append(io.BytesIO())
        return files[-1]

    message = read(
        b"* 3 FETCH (X-OTHER {5}\r\n12345 BODY[] {6}\r\n123456 BODY[HEADER] {7}\r\nab: cde UID 7)",
        Limits(spill_over=4),
        open_spill=open_spill,
    )
    assert isinstance(message.body, Spilled)
    assert message.body.file.read() == b"123456"
    assert message.header == b"ab: cde"
    assert [file.closed for file in files] == [True, False, True]


@pytest.mark.parametrize(
    "date",
    [
        "", "31-Feb-2026 00:00:00 +0000", "01-Foo-2026 00:00:00 +0000", "01-Nov-2026 24:00:00 +0000",
        "01-Nov-2026 00:00:00", "01-Nov-2026 00:00:00 +9900", "01-Nov-0001 00:00:00 +0100",
        "31-Dec-9999 23:59:59 -0100", "Sun, 1 Nov 2026 00:00:00 +0000",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(date):
    assert internal_date(date.encode()) is None


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(-23 * 60, 23 * 60))
def test_every_date_that_is_read_can_be_turned_to_utc(moment, minutes):
    from posthouse.protocols.imap.commands import date_time

    moment = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert internal_date(date_time(moment).strip(b'"')) == moment
    moment.astimezone(timezone.utc)  # noqa: UP017


def test_nesting_has_a_limit():
    deep = "* 3 FETCH " + "(" * 32 + ")" * 32
    assert isinstance(read(deep), Fetched)
    with pytest.raises(RemoteProtocolError, match="nested more than 32"):
        read(deep.replace("()", "(())"))


def test_a_list_of_megabytes_is_refused():
    with pytest.raises(RemoteProtocolError):
        read("* FLAGS (" + "x " * 600_000 + ")")


# --- hostility -----------------------------------------------------------------------------------------------

SNIPPETS = st.sampled_from(
    [
        *(b"* ", b"A1 ", b"+ ", b"OK ", b"NO", b"3 FETCH (", b"UID ", b"7", b"FLAGS ", b"(", b")", b'"', b"\\", b"NIL"),
        *(b"BODY[", b"]", b"<0>", b"{3}\r\n", b"{0}\r\n", b"LIST ", b"STATUS ", b"SEARCH ", b"ESEARCH ", b"ALL 1:*"),
        *(b"NAMESPACE ", b"ID ", b"[", b"CAPABILITY", b"VANISHED (EARLIER) ", b"\xff", b"\0", b"&AP", b" ", b"\r\n"),
        *(b"INTERNALDATE ", b"MODSEQ (", b"X-GM-LABELS (", b"999999999999999999999999", b"(" * 33),
    ]
)


@given(st.lists(st.one_of(SNIPPETS, st.binary(max_size=8)), max_size=25).map(b"".join))
def test_whatever_bytes_come_nothing_but_a_protocol_error_gets_out(data):
    limits = Limits(line=500, literal=50, response=1000, uids=100)
    framer = Framer(limits)
    framer.feed(data)
    try:
        while (parts := framer.response()) is not None:
            repr(parse(parts, limits))
    except RemoteProtocolError:
        pass
