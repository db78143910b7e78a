"""The IMAP server, asked by the standard library's client and by hand."""

import asyncio
import base64
import hashlib
import hmac
import imaplib
import re
import ssl
from datetime import UTC, datetime

import pytest

from posthouse.simulator import Provider
from simulator.clients import mail

NESTED = (
    b"Subject: outer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n"
    b"preamble\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nfirst\r\n"
    b"--b1\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nFrom: x@y.example\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n"
    b"--b2\r\n\r\ninner text\r\n--b2\r\nContent-Type: text/html\r\n\r\n<p>inner</p>\r\n--b2--\r\n"
    b"\r\n--b1--\r\nepilogue\r\n"
)


def in_thread(provider: Provider, work):
    """Run `work(client)` with imaplib, signed in as ann, while our loop serves it."""

    def whole():
        with imaplib.IMAP4("127.0.0.1", provider.imap_port, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            return work(client)

    return asyncio.to_thread(whole)


async def test_imaplib_reads_a_message_and_leaves_no_trace(provider):
    message = mail("Tea", "one\r\ntwo\r\n")
    uid = provider.deliver("ann@post.example", message)

    def work(client):
        client.select("INBOX", readonly=True)
        _, found = client.uid("SEARCH", "UNSEEN")
        assert found == [str(uid).encode()]
        return client.uid("FETCH", str(uid), "(UID FLAGS RFC822.SIZE BODY[])")

    status, data = await in_thread(provider, work)
    assert status == "OK"
    assert data[0][1] == message
    assert b"RFC822.SIZE %d" % len(message) in data[0][0]
    assert provider.changes == []


async def test_body_marks_as_seen_and_peek_does_not(provider, ann):
    provider.deliver("ann@post.example", mail("Tea"))
    await ann.imap("SELECT INBOX")
    await ann.imap("FETCH 1 (BODY.PEEK[] RFC822.HEADER ENVELOPE BODYSTRUCTURE)")
    assert provider.changes == []
    answer = await ann.imap("FETCH 1 BODY[TEXT]")
    assert r"FLAGS (\Seen \Recent)" in " ".join(answer)
    assert [(change.what, change.uid) for change in provider.changes] == [("SEEN", 1)]
    assert r"\Seen" in provider.users["ann@post.example"].folder("INBOX").messages[0].flags


async def test_an_examined_folder_can_not_be_changed(provider, ann):
    provider.deliver("ann@post.example", mail("Tea"))
    assert (await ann.imap("EXAMINE INBOX"))[-1].startswith("t OK [READ-ONLY]")
    for command in (
        r"STORE 1 +FLAGS (\Seen)",
        "EXPUNGE",
        "UID EXPUNGE 1",
        "MOVE 1 Trash",
    ):
        assert (await ann.imap(command))[-1].startswith("t NO"), command
    await ann.imap("FETCH 1 BODY[]")
    await ann.imap("CLOSE")
    assert provider.changes == []


async def test_imaplib_files_marks_copies_moves_and_expunges(provider):
    def work(client):
        date = datetime(2026, 7, 3, 12, 30, tzinfo=UTC)
        status, data = client.append("INBOX", r"(\Flagged)", imaplib.Time2Internaldate(date), mail("Kept"))
        assert status == "OK"
        assert re.search(rb"\[APPENDUID \d+ 1\]", data[0])
        client.select("INBOX")
        assert client.copy("1", "Archive")[0] == "OK"
        assert client.store("1", "+FLAGS", r"(\Deleted work)")[1] == [rb"1 (FLAGS (\Deleted \Flagged work \Recent))"]
        assert client.expunge()[1] == [b"1"]
        client.select("Archive")
        assert client.uid("MOVE", "1", "Trash")[0] == "OK"
        return client.response("EXPUNGE")[1]

    assert await in_thread(provider, work) == [b"1"]
    assert [change.what for change in provider.changes] == ["APPEND", "COPY", "STORE", "EXPUNGE", "MOVE"]
    ann = provider.users["ann@post.example"]
    assert [len(ann.folder(name).messages) for name in ("INBOX", "Archive", "Trash")] == [0, 0, 1]
    kept = ann.folder("Trash").messages[0]
    assert kept.internal_date == datetime(2026, 7, 3, 12, 30, tzinfo=UTC)
    assert kept.flags == {r"\Flagged"}


async def test_uid_expunge_spares_what_it_does_not_name(provider, ann):
    for subject in "abc":
        provider.deliver("ann@post.example", mail(subject), flags=(r"\Deleted",))
    await ann.imap("SELECT INBOX")
    assert await ann.imap("UID EXPUNGE 2:3") == ["* 3 EXPUNGE", "* 2 EXPUNGE", "t OK Expunged"]
    assert [message.uid for message in provider.users["ann@post.example"].folder("INBOX").messages] == [1]


async def test_folders_are_created_renamed_listed_and_deleted_whatever_their_name(provider):
    def work(client):
        assert client.create('"Gr&APwA3w-e/&ZeVnLIqe-"')[0] == "OK"
        _, listed = client.list('""', '"Gr*"')
        assert listed == [rb'(\HasChildren) "/" "Gr&APwA3w-e"', rb'(\HasNoChildren) "/" "Gr&APwA3w-e/&ZeVnLIqe-"']
        assert client.list('""', '"%"')[1].count(rb'(\HasChildren) "/" "Gr&APwA3w-e"') == 1
        assert client.rename('"Gr&APwA3w-e"', "Rest")[0] == "OK"
        assert client.status('"Rest/&ZeVnLIqe-"', "(MESSAGES UIDNEXT)")[1] == [
            b'"Rest/&ZeVnLIqe-" (MESSAGES 0 UIDNEXT 1)'
        ]
        assert client.delete("Rest")[0] == "NO"
        assert client.delete('"Rest/&ZeVnLIqe-"')[0] == "OK"
        assert client.select("Nowhere")[0] == "NO"
        assert client.append("Nowhere", "", "", mail("x"))[1][0].startswith(b"[TRYCREATE]")

    await in_thread(provider, work)
    assert "Rest" in provider.users["ann@post.example"].folders


async def test_special_folders_are_known_by_their_use(ann):
    answer = await ann.imap('LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES))')
    assert r'* LIST (\HasNoChildren \Sent) "/" "Sent"' in answer
    assert '* STATUS "Sent" (MESSAGES 0)' in answer
    assert answer[0] == r'* LIST (\HasNoChildren) "/" "INBOX"'
    assert (await ann.imap('LIST (SPECIAL-USE) "" "*"'))[0] == r'* LIST (\HasNoChildren \Archive) "/" "Archive"'
    assert (await ann.imap('LIST "" ""'))[0] == r'* LIST (\Noselect) "/" ""'
    assert (await ann.imap("NAMESPACE"))[0] == '* NAMESPACE (("" "/")) NIL NIL'


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("1", b"first"),
        ("1.MIME", b"Content-Type: text/plain; charset=utf-8\r\n\r\n"),
        ("2.HEADER.FIELDS (SUBJECT)", b"Subject: inner\r\n\r\n"),
        ("2.1", b"inner text"),
        ("2.2", b"<p>inner</p>"),
        ("HEADER.FIELDS.NOT (mime-version CONTENT-TYPE)", b"Subject: outer\r\n\r\n"),
        ("2.TEXT", b"--b2\r\n\r\ninner text\r\n--b2\r\nContent-Type: text/html\r\n\r\n<p>inner</p>\r\n--b2--\r\n"),
    ],
)
async def test_parts_are_cut_from_the_message_as_it_is(provider, section, expected):
    provider.deliver("ann@post.example", NESTED)

    def work(client):
        client.select("INBOX")
        return client.fetch("1", f"(BODY.PEEK[{section}])")[1]

    data = await in_thread(provider, work)
    assert data[0][1] == expected
    assert data[0][0].startswith(b"1 (BODY[" + section.encode() + b"] {")


async def test_a_part_that_is_not_there_is_nil(provider, ann):
    provider.deliver("ann@post.example", NESTED)
    await ann.imap("EXAMINE INBOX")
    assert (await ann.imap("FETCH 1 BODY[2.3]"))[0] == "* 1 FETCH (BODY[2.3] NIL)"
    assert (await ann.imap("FETCH 1 BODY[1.HEADER]"))[0] == "* 1 FETCH (BODY[1.HEADER] NIL)"


async def test_a_partial_fetch_says_where_it_starts(provider, ann):
    provider.deliver("ann@post.example", mail("Tea", "0123456789"))
    await ann.imap("EXAMINE INBOX")
    answer = await ann.imap("FETCH 1 BODY[TEXT]<3.4>")
    assert answer[:2] == ["* 1 FETCH (BODY[TEXT]<3> {4}", "3456)"]


async def test_the_envelope_quotes_what_needs_it_and_fills_in_the_sender(provider, ann):
    provider.deliver(
        "ann@post.example",
        mail('Say "hi"', Date="Mon, 2 Mar 2026 10:00:00 +0100", Message_ID="<1@far.example>"),
    )
    await ann.imap("EXAMINE INBOX")
    carol = '(("Carol" NIL "carol" "far.example"))'
    assert (await ann.imap("FETCH 1 ENVELOPE"))[0] == (
        r'* 1 FETCH (ENVELOPE ("Mon, 2 Mar 2026 10:00:00 +0100" "Say \"hi\"" '
        f'{carol} {carol} {carol} ((NIL NIL "ann" "post.example")) NIL NIL NIL "<1@far.example>"))'
    )


async def test_the_body_structure_follows_the_parts(provider, ann):
    provider.deliver("ann@post.example", NESTED)
    await ann.imap("EXAMINE INBOX")
    enclosed = NESTED.partition(b"message/rfc822\r\n\r\n")[2].partition(b"\r\n--b1--")[0]
    size, lines = len(enclosed), enclosed.count(b"\r\n")
    assert (await ann.imap("FETCH 1 BODY"))[0] == (
        '* 1 FETCH (BODY (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 0)'
        f'("message" "rfc822" NIL NIL NIL "7bit" {size} (NIL "inner" ((NIL NIL "x" "y.example")) '
        '((NIL NIL "x" "y.example")) ((NIL NIL "x" "y.example")) NIL NIL NIL NIL NIL) '
        '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 0)'
        f'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 12 0) "alternative") {lines}) "mixed"))'
    )


SEARCHES = {
    "ALL": "1 2 3",
    "SEEN": "1",
    "UNSEEN": "2 3",
    "UNKEYWORD work": "1 3",
    "KEYWORD work": "2",
    "FROM carol": "1 2 3",
    'SUBJECT "green TEA"': "1",
    "NOT SUBJECT tea": "2",
    "OR SUBJECT green SUBJECT coffee": "1 2",
    "2:*": "2 3",
    "UID 1,3": "1 3",
    "(UNSEEN SUBJECT tea)": "3",
    "BEFORE 2-Mar-2026": "1",
    "ON 2-Mar-2026": "2",
    "SINCE 2-Mar-2026": "2 3",
    "SENTON 1-Jan-2026": "3",
    "SENTBEFORE 1-Jan-2027": "3",
    "LARGER 200": "3",
    "SMALLER 200": "1 2",
    "HEADER X-Spam yes": "3",
    'HEADER X-Spam ""': "3",
    "BODY kettle": "3",
    "TEXT carol": "1 2 3",
    "TEXT kettle": "3",
    "OLD": "",
    "NEW": "2 3",
    "UNDELETED UNANSWERED UNFLAGGED UNDRAFT": "1 2 3",
    "DELETED": "",
    "CHARSET UTF-8 SUBJECT {4+}\r\nGr\u00fc": "3",
}


@pytest.mark.parametrize(("keys", "expected"), SEARCHES.items())
async def test_search_finds(provider, ann, keys, expected):
    days = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    provider.deliver("ann@post.example", mail("Green tea"), flags=(r"\Seen",), internal_date=days[0])
    provider.deliver("ann@post.example", mail("Coffee"), flags=("work",), internal_date=days[1])
    body = base64.b64encode(b"Put the kettle on. " * 10).decode() + "\r\n"
    subject = "=?utf-8?q?Gr=C3=BCner_Tea?="
    fields = {
        "Date": "Thu, 1 Jan 2026 23:59:00 -0800",
        "X-Spam": "Yes",
        "Content-Transfer-Encoding": "base64",
    }
    provider.deliver("ann@post.example", mail(subject, body, **fields), internal_date=days[2])
    await ann.imap("SELECT INBOX")
    assert (await ann.imap(f"SEARCH {keys}"))[0] == f"* SEARCH {expected}".rstrip()


async def test_search_returns_ranges_where_it_is_asked_to(provider, ann):
    for number in range(5):
        provider.deliver("ann@post.example", mail("Tea"), flags=(r"\Seen",) if number == 3 else ())
    await ann.imap("SELECT INBOX")
    answer = await ann.imap("UID SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN")
    assert answer[0] == '* ESEARCH (TAG "t") UID MIN 1 MAX 5 ALL 1:3,5 COUNT 4'
    assert (await ann.imap("SEARCH RETURN () DELETED"))[0] == '* ESEARCH (TAG "t")'
    assert (await ann.imap("SEARCH CHARSET KOI8-R ALL"))[-1].startswith("t NO [BADCHARSET (US-ASCII UTF-8)]")


async def test_modseq_tells_what_has_changed_since(provider, ann):
    for subject in "abc":
        provider.deliver("ann@post.example", mail(subject))
    answer = await ann.imap("SELECT INBOX (CONDSTORE)")
    (before,) = re.findall(r"HIGHESTMODSEQ (\d+)", " ".join(answer))
    await ann.imap(r"STORE 2 +FLAGS.SILENT (\Flagged)")
    changed = await ann.imap(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before})")
    assert [line.split(" FLAGS")[0] for line in changed[:-1]] == ["* 2 FETCH (UID 2"]
    assert "MODSEQ" in changed[0]
    refused = await ann.imap(rf"STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS (\Seen)")
    assert refused[-1] == "t OK [MODIFIED 2] Stored"
    assert (await ann.imap(f"SEARCH MODSEQ {int(before) + 1}"))[0].startswith("* SEARCH 1 2 3 (MODSEQ ")


async def test_idle_pushes_what_arrives_while_it_waits(provider, ann):
    provider.deliver("ann@post.example", mail("one"))
    await ann.imap("SELECT INBOX")
    await ann.send("t IDLE\r\n")
    assert await ann.line() == "+ Idling"
    provider.deliver("ann@post.example", mail("two"))
    assert await ann.line() == "* 2 EXISTS"
    assert await ann.line() == "* 2 RECENT"
    await ann.send("DONE\r\n")
    assert (await ann.until("t "))[-1] == "t OK Idled"


async def test_two_sessions_see_each_others_changes(provider, ann, another):
    for subject in "abc":
        provider.deliver("ann@post.example", mail(subject))
    other = await another()
    await ann.imap("SELECT INBOX")
    await other.imap("SELECT INBOX")
    await other.send("t IDLE\r\n")
    assert await other.line() == "+ Idling"
    await ann.imap(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    assert await other.line() == r"* 2 FETCH (UID 2 FLAGS (\Deleted))"
    await ann.imap("EXPUNGE")
    assert await other.line() == "* 2 EXPUNGE"
    await other.send("DONE\r\n")
    await other.until("t ")
    await other.imap("APPEND INBOX {3+}\r\nx\r\n")
    assert (await ann.imap("NOOP"))[0] == "* 3 EXISTS"


async def test_numbers_stay_while_commands_use_them(provider, ann, another):
    for subject in "abc":
        provider.deliver("ann@post.example", mail(subject), flags=(r"\Deleted",) if subject == "a" else ())
    other = await another()
    await other.imap("SELECT INBOX")
    await ann.imap("SELECT INBOX")
    await ann.imap("EXPUNGE")
    assert [line for line in await other.imap("FETCH 3 UID") if "EXPUNGE" in line] == []
    assert (await other.imap("FETCH 1 UID"))[0] == "* 1 FETCH (UID 1)"
    assert (await other.imap("NOOP"))[0] == "* 1 EXPUNGE"
    assert (await other.imap("FETCH 1 UID"))[0] == "* 1 FETCH (UID 2)"


async def test_recent_is_told_to_one_session_only(provider, ann, another):
    provider.deliver("ann@post.example", mail("a"))
    other = await another()
    assert "* 1 RECENT" in await other.imap("EXAMINE INBOX")
    assert "* 1 RECENT" in await ann.imap("SELECT INBOX")
    assert "* 0 RECENT" in await other.imap("SELECT INBOX")


def as_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "command",
    [
        f"AUTHENTICATE PLAIN {as_base64(chr(0) + 'ann@post.example' + chr(0) + 'sesame')}",
        f"AUTHENTICATE PLAIN\r\n{as_base64(chr(0) + 'ann@post.example' + chr(0) + 'sesame')}",
        f"AUTHENTICATE LOGIN\r\n{as_base64('ann@post.example')}\r\n{as_base64('sesame')}",
        f"AUTHENTICATE XOAUTH2 {as_base64('user=ann@post.example' + chr(1) + 'auth=Bearer sesame' + chr(1) * 2)}",
        "AUTHENTICATE OAUTHBEARER " + as_base64("n,a=ann@post.example,\1host=h\1port=143\1auth=Bearer sesame\1\1"),
        'LOGIN "ANN@post.example" {6+}\r\nsesame',
    ],
)
async def test_every_way_of_signing_in_works(provider, connect, command):
    raw = await connect(provider.imap_port)
    await raw.line()
    assert (await raw.imap(command))[-1].startswith("t OK [CAPABILITY ")
    assert (await raw.imap("SELECT INBOX"))[-1].startswith("t OK [READ-WRITE]")


@pytest.mark.parametrize(
    "command",
    [
        "LOGIN ann@post.example wrong",
        "LOGIN nobody@post.example sesame",
        f"AUTHENTICATE PLAIN {as_base64('bob@post.example' + chr(0) + 'ann@post.example' + chr(0) + 'sesame')}",
        f"AUTHENTICATE XOAUTH2 {as_base64('user=ann@post.example' + chr(1) + 'auth=Bearer no' + chr(1) * 2)}\r\n",
    ],
)
async def test_who_proves_nothing_stays_outside(provider, connect, command):
    raw = await connect(provider.imap_port)
    await raw.line()
    assert (await raw.imap(command))[-1].startswith("t NO [AUTHENTICATIONFAILED]")
    assert (await raw.imap("SELECT INBOX"))[-1].startswith("t BAD")


async def test_cram_md5_never_sends_the_password(provider, connect):
    raw = await connect(provider.imap_port)
    await raw.line()
    await raw.send("t AUTHENTICATE CRAM-MD5\r\n")
    challenge = base64.b64decode((await raw.line()).removeprefix("+ "))
    digest = hmac.new(b"sesame", challenge, hashlib.md5).hexdigest()
    await raw.send(f"{as_base64('ann@post.example ' + digest)}\r\n")
    assert (await raw.line()).startswith("t OK")


async def test_starttls_and_implicit_tls_work_for_imaplib(provider, client_tls):
    provider.deliver("ann@post.example", mail("Tea"))

    def starttls():
        with imaplib.IMAP4("localhost", provider.imap_port, timeout=10) as client:
            assert "STARTTLS" in client.capabilities
            client.starttls(client_tls)
            assert "STARTTLS" not in client.capabilities
            client.login("ann@post.example", "sesame")
            return client.select("INBOX")[1]

    def implicit():
        with imaplib.IMAP4_SSL("localhost", provider.imaps_port, ssl_context=client_tls, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            return client.select("INBOX")[1]

    assert await asyncio.to_thread(starttls) == [b"1"]
    assert await asyncio.to_thread(implicit) == [b"1"]


async def test_what_is_said_before_the_handshake_ends_the_session(provider, connect):
    raw = await connect(provider.imap_port)
    await raw.line()
    await raw.send("a STARTTLS\r\nb NOOP\r\n")
    assert (await raw.line()).startswith("* BYE")
    assert await raw.rest() == b""


async def test_literals_too_large_are_refused_before_they_come(provider, connect, ann):
    size = provider.profile.largest_message + 1
    assert (await ann.imap(f"APPEND INBOX {{{size}}}"))[-1].startswith("t NO [TOOBIG]")
    assert (await ann.imap("NOOP"))[-1].startswith("t OK")
    stranger = await connect(provider.imap_port)
    await stranger.line()
    assert (await stranger.imap("LOGIN {100000}"))[-1].startswith("t NO [TOOBIG]")


@pytest.mark.parametrize(
    "line",
    [
        b"\r\n",
        b"t\r\n",
        b"t NOOP\n",
        b"t \xff\r\n",
        b"t LIST (\r\n",
        b"t FETCH\r\n",
        b"t UID NOOP\r\n",
        b"t FETCH 0 FLAGS\r\n",
        b't LOGIN "a b\r\n',
        b"t APPEND INBOX x\r\n",
        b"t SEARCH " + b"(" * 5000 + b"\r\n",
    ],
)
async def test_nonsense_is_bad_and_the_session_goes_on(ann, line):
    await ann.imap("SELECT INBOX")
    await ann.send(line)
    assert " BAD " in await ann.line()
    assert (await ann.imap("NOOP"))[-1].startswith("t OK")


async def test_a_folder_that_goes_away_dismisses_who_is_inside(provider, ann, another):
    other = await another()
    await ann.imap("CREATE Short")
    await other.imap("SELECT Short")
    await ann.imap("DELETE Short")
    assert (await other.imap("NOOP"))[-1].startswith("* BYE")


async def test_a_client_that_only_stopped_talking_gets_its_answers(provider, connect):
    raw = await connect(provider.imap_port)
    await raw.send("a CAPABILITY\r\nb LOGOUT\r\n")
    raw.writer.write_eof()
    assert (await raw.rest()).endswith(b"* BYE Goodbye\r\nb OK Logged out\r\n")


async def test_stop_says_goodbye_and_never_waits_for_clients(provider, connect, ann, client_tls: ssl.SSLContext):
    await ann.imap("SELECT INBOX")
    await ann.send("t IDLE\r\n")
    await ann.line()
    silent = [await connect(provider.imap_port), await connect(provider.imaps_port, client_tls)]
    deaf = await connect(provider.smtp_port)
    await connect(provider.imaps_port)  # and never begins its handshake
    await asyncio.wait_for(provider.stop(), 10)
    assert (await ann.rest()).startswith(b"* BYE")
    assert b"* BYE" in await silent[0].rest()
    assert b"421" in await deaf.rest()
    assert provider.connections == 0
    with pytest.raises(OSError):
        await connect(provider.imap_port)
