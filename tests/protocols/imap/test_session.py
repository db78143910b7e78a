"""What happens once we are in: folders, searches, messages, waiting, leaving. And who gets it wrong."""

import io
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.exchange import (
    CommandRefused,
    ConnectionClosed,
    Give,
    LocalProtocolError,
    ProtocolError,
    Receive,
    ReceiveOrWake,
    RemoteProtocolError,
    Send,
)
from posthouse.protocols.imap.framing import Limits, Spilled
from posthouse.protocols.imap.session import BODY, BadCommand, Session

from ..plays import play
from .sessions import ANN, greeted, selected, signed_in

# --- one command ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stray", ["A9 OK", "A0 OK", "B1 NO"], ids=["ahead", "past", "foreign"])
def test_an_answer_to_a_command_that_we_did_not_send_ends_the_conversation(stray):
    with pytest.raises(RemoteProtocolError, match="did not ask"):
        play(signed_in().noop(), f"C: A1 NOOP\nS: {stray}")


def test_a_second_answer_to_the_same_command_ends_the_conversation():
    session = signed_in()
    play(session.noop(), "C: A1 NOOP\nS: A1 OK\nS: A1 OK")
    with pytest.raises(RemoteProtocolError, match="did not ask"):
        play(session.noop(), "C: A2 NOOP")


def test_an_answer_to_a_command_that_was_left_is_not_taken_for_another():
    session = signed_in()
    left = session.noop()
    assert next(left) == Send(b"A1 NOOP\r\n")
    left.close()
    with pytest.raises(RemoteProtocolError, match="'A1'"):
        play(session.noop(), "C: A2 NOOP\nS: A1 OK\nS: A2 OK")


def test_a_bye_ends_everything_with_its_reason():
    session = signed_in()
    with pytest.raises(ConnectionClosed, match="idle for too long"):
        play(session.noop(), "C: A1 NOOP\nS: * BYE idle for too long")
    assert session.last_words == "idle for too long"


def test_a_tagged_bye_is_a_bye():
    with pytest.raises(ConnectionClosed, match="go away"):
        play(signed_in().noop(), "C: A1 NOOP\nS: A1 BYE go away")


def test_a_closed_connection_is_told_with_the_last_alert():
    session = signed_in()
    with pytest.raises(ConnectionClosed, match=r"\[ALERT\] disk full"):
        play(session.noop(), "C: A1 NOOP\nS: * NO [ALERT] disk full\n(closed)")


def test_a_bare_server_unavailable_is_a_bad():
    with pytest.raises(BadCommand, match=r"Server Unavailable\. 15") as refused:
        play(signed_in().noop(), "C: A1 NOOP\nS: Server Unavailable. 15")
    assert refused.value.command == "NOOP"


def test_a_throttling_hint_is_kept_in_the_text():
    with pytest.raises(CommandRefused, match="Suggested Backoff Time: 92415 milliseconds"):
        play(
            signed_in().noop(),
            "C: A1 NOOP\nS: A1 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds",
        )


def test_a_refusal_without_words_still_says_something():
    with pytest.raises(CommandRefused, match="NO"):
        play(signed_in().noop(), "C: A1 NOOP\nS: A1 NO")


def test_an_answer_that_never_ends_is_left():
    session = signed_in("ID", limits=Limits(answer=200))
    with pytest.raises(RemoteProtocolError, match="more than 200 bytes"):
        play(session.list(), 'C: A1 LIST "" "*"\n' + 'S: * LIST () "/" x\n' * 20)


def test_a_refused_literal_is_not_sent():
    with pytest.raises(CommandRefused) as refused:
        play(signed_in().append("Sent", b"x\r\n"), "C: A1 APPEND Sent {3}\nS: A1 NO [TRYCREATE] no such folder")
    assert refused.value.code == "TRYCREATE"


# --- folders -------------------------------------------------------------------------------------------------


def test_folders_are_listed_with_what_must_be_asked_for():
    folders = play(
        signed_in("LIST-EXTENDED SPECIAL-USE").list(),
        """
        C: A1 LIST "" "*" RETURN (SPECIAL-USE CHILDREN SUBSCRIBED)
        S: * LIST (\\HasNoChildren) "/" INBOX
        S: * 3 EXISTS
        S: * LIST (\\Sent) "/" Sent
        S: A1 OK
        """,
    )
    assert [(folder.name, folder.special_use) for folder in folders] == [("INBOX", "inbox"), ("Sent", "sent")]


def test_return_options_that_are_refused_are_dropped_one_by_one_and_stay_so():
    session = signed_in("LIST-EXTENDED")
    play(
        session.list(),
        """
        C: A1 LIST "" "*" RETURN (CHILDREN SUBSCRIBED)
        S: A1 BAD options
        C: A2 LIST "" "*" RETURN (CHILDREN)
        S: A2 BAD options
        C: A3 LIST "" "*"
        S: * LIST () "/" INBOX
        S: A3 OK
        """,
    )
    play(session.list("", "A/%"), 'C: A4 LIST "" "A/%"\nS: A4 OK')


def test_a_mailbox_without_folders_is_an_error_of_the_server():
    with pytest.raises(RemoteProtocolError, match="no folder"):
        play(signed_in().list(), 'C: A1 LIST "" "*"\nS: A1 OK')


def test_namespaces_and_status():
    session = signed_in("NAMESPACE")
    spaces = play(session.namespace(), 'C: A1 NAMESPACE\nS: * NAMESPACE (("INBOX." ".")) NIL NIL\nS: A1 OK')
    assert spaces.personal[0].prefix == "INBOX."
    numbers = play(
        session.status("Entwürfe", ["MESSAGES", "UIDNEXT"]),
        """
        C: A2 STATUS "Entw&APw-rfe" (MESSAGES UIDNEXT)
        S: * STATUS "Entw&APw-rfe" (MESSAGES 3 UIDNEXT 9)
        S: A2 OK
        """,
    )
    assert numbers == {"MESSAGES": 3, "UIDNEXT": 9}
    assert play(session.status("x", ["UNSEEN"]), "C: A3 STATUS x (UNSEEN)\nS: A3 OK") == {}
    assert play(signed_in().namespace(), "").personal == ()


def test_a_folder_is_opened_read_only():
    folder = play(
        signed_in("CONDSTORE").select("INBOX"),
        """
        C: A1 EXAMINE INBOX (CONDSTORE)
        S: * 23 EXISTS
        S: * 0 RECENT
        S: * FLAGS (\\Seen \\Deleted)
        S: * OK [PERMANENTFLAGS ()] none
        S: * OK [UIDVALIDITY 7] valid
        S: * OK [UIDNEXT 42] next
        S: * OK [HIGHESTMODSEQ 99]
        S: * OK [MAILBOXID (F1)]
        S: A1 OK [READ-ONLY] done
        """,
    )
    assert (folder.uid_validity, folder.uid_next, folder.exists, folder.highest_modseq) == (7, 42, 23, 99)
    assert (folder.flags, folder.permanent_flags, folder.mailbox_id) == (("\\Seen", "\\Deleted"), (), "F1")
    assert folder.read_only


def test_a_folder_can_be_opened_for_writing_and_by_its_raw_name():
    folder = play(
        signed_in().select(b"R&D", read_only=False),
        'C: A1 SELECT "R&D"\nS: * OK [PERMANENTFLAGS (\\Seen \\*)]\nS: A1 OK [READ-WRITE]',
    )
    assert (folder.read_only, folder.folder, folder.permanent_flags) == (False, "R&D", ("\\Seen", "\\*"))


@pytest.mark.parametrize("wrong", ["0", "x", "-1", "4294967296", ""])
def test_numbers_that_cannot_be_are_none(wrong):
    folder = play(
        signed_in().select("INBOX"),
        f"""
        C: A1 EXAMINE INBOX
        S: * OK [UIDVALIDITY {wrong}]
        S: * OK [UIDNEXT {wrong}]
        S: * OK [NOMODSEQ]
        S: A1 OK
        """,
    )
    assert (folder.uid_validity, folder.uid_next, folder.highest_modseq) == (None, None, None)


def test_a_missing_uidnext_is_looked_up_from_the_last_message():
    folder = play(
        signed_in().select("INBOX"),
        """
        C: A1 EXAMINE INBOX
        S: * 3 EXISTS
        S: A1 OK
        C: A2 FETCH 3 (UID)
        S: * 3 FETCH (UID 77)
        S: A2 OK
        """,
    )
    assert folder.uid_next == 78


def test_a_refused_select_leaves_no_folder_selected():
    session = selected()
    assert session.selected
    with pytest.raises(CommandRefused) as refused:
        play(session.select("Gone"), "C: A2 EXAMINE Gone\nS: A2 NO [nonexistent] no such folder")
    assert refused.value.code == "NONEXISTENT"
    assert session.selected is None


def test_parameters_that_the_server_does_not_understand_are_left_out():
    folder = play(
        signed_in("CONDSTORE").select("INBOX"),
        "C: A1 EXAMINE INBOX (CONDSTORE)\nS: A1 BAD parameters\nC: A2 EXAMINE INBOX\nS: A2 OK",
    )
    assert folder.exists == 0


def test_a_known_folder_is_resynchronised_at_once():
    session = signed_in("ENABLE QRESYNC")
    play(session.enable("QRESYNC"), "C: A1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: A1 OK")
    folder = play(
        session.select("INBOX", qresync=(7, 90)),
        """
        C: A2 EXAMINE INBOX (QRESYNC (7 90))
        S: * 99 EXISTS
        S: * OK [CLOSED] the old one
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 7]
        S: * OK [UIDNEXT 9]
        S: * VANISHED (EARLIER) 1:3,5
        S: * 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (95))
        S: A2 OK
        """,
    )
    assert (folder.exists, str(folder.vanished)) == (3, "1:3,5")
    assert [(message.uid, message.flags) for message in folder.changed] == [(4, ("\\Seen",))]


# --- searching -----------------------------------------------------------------------------------------------


def test_a_search_is_sorted_and_free_of_duplicates_and_zeros():
    assert play(selected().search("UNSEEN"), "C: A2 UID SEARCH UNSEEN\nS: * SEARCH 9 3 0 3\nS: A2 OK") == [3, 9]


def test_a_search_without_any_answer_finds_nothing():
    assert play(selected().search("UNSEEN"), "C: A2 UID SEARCH UNSEEN\nS: A2 OK") == []


def test_a_search_answered_in_parts_is_taken_together():
    assert play(selected().search(), "C: A2 UID SEARCH ALL\nS: * SEARCH 1\nS: * SEARCH 2\nS: A2 OK") == [1, 2]


def test_a_search_from_the_next_uid_on_does_not_find_the_last_message_again():
    assert play(selected().search(uids="4:*"), "C: A2 UID SEARCH UID 4:* ALL\nS: * SEARCH 3\nS: A2 OK") == []


def test_ranges_are_asked_for_where_offered():
    found = play(
        selected("ESEARCH").search("SEEN"),
        'C: A2 UID SEARCH RETURN (ALL) SEEN\nS: * ESEARCH (TAG "A2") UID ALL 1:3,7\nS: A2 OK',
    )
    assert found == [1, 2, 3, 7]


def test_a_server_may_answer_in_the_old_way_or_with_nothing():
    session = selected("ESEARCH")
    assert play(session.search("SEEN"), "C: A2 UID SEARCH RETURN (ALL) SEEN\nS: * SEARCH 2\nS: A2 OK") == [2]
    assert play(session.search("SEEN"), "C: A3 UID SEARCH RETURN (ALL) SEEN\nS: * ESEARCH UID\nS: A3 OK") == []


@pytest.mark.parametrize("answer", ["A2 BAD what", "* ESEARCH UID\nS: A2 OK", "A2 OK"], ids=["bad", "empty", "nothing"])
def test_an_extended_search_that_cannot_be_true_is_repeated_plainly_from_then_on(answer):
    session = selected("ESEARCH")
    found = play(
        session.search(),
        f"""
        C: A2 UID SEARCH RETURN (ALL) ALL
        S: {answer}
        C: A3 UID SEARCH ALL
        S: * SEARCH 1 2 3
        S: A3 OK
        """,
    )
    assert found == [1, 2, 3]
    play(session.search("SEEN"), "C: A4 UID SEARCH SEEN\nS: A4 OK")


def test_a_search_beyond_ascii_is_repeated_without_its_charset():
    found = play(
        selected("LITERAL+").search('SUBJECT "Grüße"'),
        """
        C: A2 UID SEARCH CHARSET UTF-8 SUBJECT {7+}
        C: Grüße
        S: A2 NO [BADCHARSET (US-ASCII)] what
        C: A3 UID SEARCH SUBJECT {7+}
        C: Grüße
        S: * SEARCH 2
        S: A3 OK
        """,
    )
    assert found == [2]


def test_a_search_that_cant_be_read_is_not_sent():
    with pytest.raises(LocalProtocolError, match="UNSEN"):
        play(selected().search("UNSEN"), "")


# --- messages ------------------------------------------------------------------------------------------------


def fetched(session, uids, items, script, **options):
    messages = []
    play(session.fetch(uids, items, **options), script, given=messages)
    return messages


def test_messages_are_given_as_they_come():
    exchange = selected().fetch([3, 4], BODY)
    assert next(exchange).data == b"A2 UID FETCH 3:4 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\n"
    assert exchange.send(None) == Receive()
    given = exchange.send(
        b'* 1 FETCH (UID 3 FLAGS (\\Seen) INTERNALDATE "01-Nov-2026 10:00:00 +0000" RFC822.SIZE 5 '
        b"BODY[] {5}\r\nhello)\r\n"
        b"* 2 FETCH (UID 4"
    )
    assert isinstance(given, Give)
    assert (given.value.uid, given.value.body, given.value.flags) == (3, b"hello", ("\\Seen",))
    assert given.value.internal_date == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert exchange.send(None) == Receive()


def test_messages_in_pieces_are_put_together():
    messages = fetched(
        selected(),
        [7, 8],
        ["UID", "FLAGS", "BODY.PEEK[]"],
        """
        C: A2 UID FETCH 7:8 (UID FLAGS BODY.PEEK[])
        S: * 1 FETCH (UID 7 FLAGS (\\Seen))
        S: * 2 FETCH (UID 8 FLAGS ())
        S: * 1 FETCH (BODY[] {1}
        S: a)
        S: * 2 FETCH (BODY[] {1}
        S: b UID 8)
        S: A2 OK
        """,
    )
    assert [(m.uid, m.flags, m.body) for m in messages] == [(7, ("\\Seen",), b"a"), (8, (), b"b")]


def test_pieces_follow_their_message_when_another_is_expunged():
    messages = fetched(
        selected(),
        "1:9",
        ["UID", "BODY.PEEK[]"],
        """
        C: A2 UID FETCH 1:9 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 5)
        S: * 2 FETCH (UID 6)
        S: * 1 EXPUNGE
        S: * 1 FETCH (BODY[] {1}
        S: b)
        S: A2 OK
        """,
    )
    assert [(m.uid, m.body) for m in messages] == [(6, b"b")]


def test_each_message_is_given_once_and_only_those_asked_for():
    messages = fetched(
        selected(),
        "7:*",
        ["UID", "FLAGS"],
        """
        C: A2 UID FETCH 7:* (UID FLAGS)
        S: * 3 FETCH (UID 3 FLAGS ())
        S: * 9 FETCH (UID 9 FLAGS ())
        S: * 7 FETCH (UID 7 FLAGS ())
        S: * 9 FETCH (UID 9 FLAGS (\\Seen))
        S: A2 OK
        """,
    )
    assert [m.uid for m in messages] == [9, 7]


def test_an_answer_without_uid_is_skipped_and_one_without_flags_or_body_is_given():
    messages = fetched(
        selected(),
        "1:9",
        BODY,
        """
        C: A2 UID FETCH 1:9 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
        S: * 1 FETCH (FLAGS () BODY[] {1}
        S: x)
        S: * 2 FETCH (UID 6 BODY[] {1}
        S: y)
        S: * 3 FETCH (UID 7 FLAGS (\\Seen))
        S: * 4 FETCH (UID 8 FLAGS () BODY[] NIL)
        S: A2 OK
        """,
    )
    assert [(m.uid, m.body, "FLAGS" in m.said) for m in messages] == [
        (6, b"y", False),
        (7, None, True),
        (8, None, True),
    ]


@pytest.mark.parametrize("answer", ["NO Some of the requested messages no longer exist.", "NO [EXPUNGEISSUED] gone"])
def test_messages_that_are_gone_are_no_failure(answer):
    messages = fetched(selected(), [7], ["UID"], f"C: A2 UID FETCH 7 (UID)\nS: * 1 FETCH (UID 7)\nS: A2 {answer}")
    assert [m.uid for m in messages] == [7]


def test_another_refusal_is_one_after_the_messages_that_came():
    messages = []
    with pytest.raises(CommandRefused, match="Server error"):
        play(
            selected().fetch([7], ["UID", "FLAGS"]),
            "C: A2 UID FETCH 7 (UID FLAGS)\nS: * 1 FETCH (UID 7)\nS: A2 NO [UNAVAILABLE] UID FETCH Server error",
            given=messages,
        )
    assert [m.uid for m in messages] == [7]


def test_nothing_is_asked_for_no_message():
    assert fetched(selected(), [], BODY, "") == []


def test_many_scattered_messages_are_asked_for_in_several_commands():
    session, uids, asked = selected(), range(1, 8001, 2), []
    exchange = session.fetch(uids, ["UID"])
    answer, messages = None, 0
    while True:
        try:
            want = exchange.send(answer)
        except StopIteration:
            break
        answer = None
        if isinstance(want, Send):
            asked.append(want.data)
        elif isinstance(want, Receive):
            tag = asked[-1].split()[0]
            answer = b"* 1 FETCH (UID %d)\r\n%b OK\r\n" % (len(asked) * 2 - 1, tag)
        else:
            messages += 1
    assert len(asked) == messages == 3
    assert all(len(line) < 8192 for line in asked)


def test_changes_since_are_asked_for():
    fetched(selected(), "1:*", ["FLAGS"], "C: A2 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 9)\nS: A2 OK", changed_since=9)


def test_whole_messages_are_asked_for_with_all_that_names_them():
    session = signed_in("CONDSTORE OBJECTID X-GM-EXT-1")
    play(session.select("INBOX"), "C: A1 EXAMINE INBOX (CONDSTORE)\nS: * OK [HIGHESTMODSEQ 5]\nS: A1 OK")
    assert session.body_items[4:] == (
        "MODSEQ", "EMAILID", "THREADID", "X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS", "BODY.PEEK[]",
    )  # fmt: skip
    assert selected().body_items == BODY


def test_a_big_body_goes_to_disk_and_belongs_to_whom_it_is_given():
    files = []
    messages = fetched(
        selected(limits=Limits(spill_over=4), open_spill=lambda size: files.append(io.BytesIO()) or files[-1]),
        [7, 8],
        ["UID", "BODY.PEEK[]"],
        """
        C: A2 UID FETCH 7:8 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 7 BODY[] {5}
        S: hello)
        S: * 2 FETCH (UID 9 BODY[] {5}
        S: other)
        S: * 3 FETCH (BODY[] {5}
        S: nouid)
        S: * 4 FETCH (FLAGS ())
        S: A2 OK
        """,
    )
    assert isinstance(messages[0].body, Spilled)
    assert messages[0].body.file.read() == b"hello"
    assert [file.closed for file in files] == [False, True, True]


@pytest.mark.parametrize("end", ["leave", "close", "error"])
def test_a_body_that_never_is_whole_leaves_no_open_file(end):
    files = []
    session = selected(limits=Limits(spill_over=4), open_spill=lambda size: files.append(io.BytesIO()) or files[-1])
    exchange = session.fetch([7], ["UID", "BODY.PEEK[]"])
    next(exchange)
    exchange.send(None)
    assert exchange.send(b"* 1 FETCH (UID 7 BODY[] {5}\r\nhe") == Receive()
    if end == "leave":
        exchange.close()
    else:
        with pytest.raises(RemoteProtocolError):
            exchange.send(b"" if end == "close" else b"llo {999999999999}\r\n")
    assert [file.closed for file in files] == [True]


def test_a_body_is_noted_by_its_size():
    notes = []
    session = selected(note=notes.append)
    fetched(
        session,
        [3],
        ["UID", "BODY.PEEK[]"],
        "C: A2 UID FETCH 3 (UID BODY.PEEK[])\nS: * 3 FETCH (UID 3 BODY[] {5}\nS: hello)\nS: A2 OK",
    )
    assert notes[-2] == "S: * 3 FETCH (UID 3 BODY[] {5})"


def test_a_long_line_is_noted_by_its_beginning():
    notes = []
    play(selected(note=notes.append).search(), f"C: A2 UID SEARCH ALL\nS: * SEARCH{' 12345' * 1000}\nS: A2 OK")
    assert notes[-2].startswith("S: * SEARCH 12345 12345")
    assert len(notes[-2]) < 1100


# --- waiting -------------------------------------------------------------------------------------------------


def test_a_nudge_ends_the_waiting_and_the_next_command_the_idle():
    session = selected()
    assert play(session.idle(), "C: A2 IDLE\nS: + idling\n(woken)") is False
    play(session.search(), "C: DONE\nS: A2 OK IDLE done\nC: A3 UID SEARCH ALL\nS: * SEARCH\nS: A3 OK")


def test_to_wait_again_says_nothing():
    session = selected()
    assert play(session.idle(), "C: A2 IDLE\nS: +\n(woken)") is False
    assert play(session.idle(), "(woken)") is False
    assert play(session.idle(), "(then)\nS: * 4 EXISTS") is True


def test_a_session_that_idles_is_asked_in_one_breath_and_idles_on():
    said = []
    session = selected(count=said.append)
    play(session.idle(), "C: A2 IDLE\nS: + idling\n(woken)")
    asked = "C: DONE\nC: A3 NOOP\nC: A4 IDLE\n"
    assert play(session.noop(), f"{asked}S: A2 OK idled\nS: A3 OK\nS: + idling") is False
    assert play(session.idle(), "(woken)") is False
    assert play(session.noop(one_by_one=True), "C: DONE\nS: A4 OK\nC: A5 NOOP\nS: A5 OK") is False
    assert play(session.idle(), "C: A6 IDLE\nS: +\n(woken)") is False
    assert said == ["EXAMINE", "IDLE", "NOOP", "IDLE", "NOOP", "IDLE"]


@pytest.mark.parametrize(
    "answers",
    [
        "S: * 4 EXISTS\nS: A2 OK\nS: A3 OK\nS: +",
        "S: A2 OK\nS: * 4 EXISTS\nS: A3 OK\nS: +",
        "S: A2 OK\nS: A3 OK\nS: * 4 EXISTS\nS: +",
    ],
)
def test_news_is_told_wherever_it_stands_among_the_answers(answers):
    session = selected()
    play(session.idle(), "C: A2 IDLE\nS: + idling\n(woken)")
    assert play(session.noop(), f"C: DONE\nC: A3 NOOP\nC: A4 IDLE\n{answers}") is True


def test_the_end_of_an_idle_and_the_next_command_may_go_in_one_breath():
    session = selected()
    play(session.idle(), "C: A2 IDLE\nS: + idling\n(woken)")
    session.together = True
    play(session.search(), "C: DONE\nC: A3 UID SEARCH ALL\nS: A2 OK IDLE done\nS: * SEARCH\nS: A3 OK")
    play(session.noop(), "C: A4 NOOP\nS: A4 OK")


def test_an_idle_that_is_refused_the_second_time_is_a_refusal():
    session = selected()
    play(session.idle(), "C: A2 IDLE\nS: + idling\n(woken)")
    with pytest.raises(CommandRefused, match="no more"):
        play(session.noop(), "C: DONE\nC: A3 NOOP\nC: A4 IDLE\nS: A2 OK\nS: A3 OK\nS: A4 NO no more")


def test_a_goodbye_ends_the_idle_first():
    session = selected()
    play(session.idle(), "C: A2 IDLE\nS: +\n(woken)")
    play(session.logout(), "C: DONE\nS: A2 OK\nC: A3 LOGOUT\nS: * BYE\nS: A3 OK")


@pytest.mark.parametrize(
    "news", ["* 4 EXISTS", "* 1 EXPUNGE", "* VANISHED 3", "* 2 FETCH (FLAGS (\\Seen))", "* 1 EXPUNGE\nS: * 3 EXISTS"]
)
def test_news_ends_the_waiting(news):
    assert play(selected().idle(), f"C: A2 IDLE\nS: + idling\n(then)\nS: {news}") is True


def test_what_is_no_news_does_not_end_the_waiting():
    news = play(
        selected().idle(),
        """
        C: A2 IDLE
        S: * 3 EXISTS
        S: +
        (then)
        S: * OK Still here
        S: * 3 EXISTS
        S: * 0 RECENT
        (woken)
        """,
    )
    assert news is False


def test_news_that_comes_with_the_go_ahead_is_not_slept_on():
    assert play(selected().idle(), "C: A2 IDLE\nS: + idling\nS: * 4 EXISTS") is True


def test_news_that_came_before_is_not_slept_on():
    session = selected()
    play(session.search(), "C: A2 UID SEARCH ALL\nS: * SEARCH 1 2 3\nS: * 4 EXISTS\nS: A2 OK")
    assert play(session.idle(), "") is True
    assert play(session.idle(), "C: A3 IDLE\nS: +\n(woken)") is False


def test_a_bye_instead_of_the_go_ahead_is_a_bye():
    with pytest.raises(ConnectionClosed, match="shutting down"):
        play(selected().idle(), "C: A2 IDLE\nS: * BYE shutting down")


def test_a_refused_idle_is_a_refusal():
    with pytest.raises(CommandRefused, match="not here"):
        play(selected().idle(), "C: A2 IDLE\nS: A2 NO not here")


def test_an_idle_that_the_server_ends_is_not_ended_again():
    assert play(selected().idle(), "C: A2 IDLE\nS: +\n(then)\nS: A2 OK timeout") is False


def test_a_connection_lost_while_idle_is_lost():
    with pytest.raises(ConnectionClosed):
        play(selected().idle(), "C: A2 IDLE\nS: +\n(closed)")


def test_noop_tells_news_once():
    session = selected()
    assert play(session.noop(), "C: A2 NOOP\nS: * 4 EXISTS\nS: A2 OK") is True
    assert play(session.noop(), "C: A3 NOOP\nS: A3 OK") is False


# --- adding and leaving --------------------------------------------------------------------------------------


def test_a_message_is_added_and_its_uid_told():
    added = play(
        signed_in().append("Sent", "Grüße\r\n".encode(), ["\\Seen"], datetime(2026, 11, 1, tzinfo=UTC)),
        """
        C: A1 APPEND Sent (\\Seen) "01-Nov-2026 00:00:00 +0000" {9}
        S: + go
        C: Grüße
        C:
        S: A1 OK [APPENDUID 7 42] done
        """,
    )
    assert added == (7, 42)


@pytest.mark.parametrize("answer", ["OK", "OK [APPENDUID 7]", "OK [APPENDUID 0 1]", "OK [APPENDUID x y]"])
def test_a_message_is_added_without_a_word_of_its_uid(answer):
    added = play(signed_in("LITERAL+").append("Sent", b"x"), f"C: A1 APPEND Sent {{1+}}\nC: x\nS: A1 {answer}")
    assert added is None


@pytest.mark.parametrize(
    "answer",
    ["S: * BYE bye\nS: A1 OK", "S: A1 BYE bye", "S: * BYE bye\n(closed)", "(closed)", "S: A1 BAD what", "S: junk"],
)
def test_logout_never_fails(answer):
    assert play(signed_in().logout(), f"C: A1 LOGOUT\n{answer}") is None


# --- hostility -----------------------------------------------------------------------------------------------

HOSTILE = st.text(st.sampled_from('a\r\n\0"\\{}()%*&~ü\ud800 ]['), max_size=12)


def one_command(data):
    """How many commands a server reads from these bytes, counting literals as it must."""
    lines = 0
    while data:
        line, end, data = data.partition(b"\r\n")
        assert end
        literal = re.search(rb"\{(\d+)\+?\}\Z", line)
        if literal:
            data = data[int(literal[1]) :]
        assert not re.search(rb"[\r\n\0]", line)
        lines += not literal
    return lines


@pytest.mark.parametrize(
    "verb", ["select", "status", "list", "append", "login", "id", "search", "uids", "fetch", "flags"]
)
@given(text=HOSTILE, capability=st.sampled_from(["", "LITERAL+", "LITERAL-"]))
def test_one_call_is_one_tagged_command_whatever_the_arguments(verb, text, capability):
    session = greeted(f"ID {capability}") if verb == "login" else signed_in(f"ID {capability}")
    exchanges = {
        "select": lambda: session.select(text),
        "status": lambda: session.status(text, ["MESSAGES"]),
        "list": lambda: session.list(text, text),
        "append": lambda: session.append(text, text.encode("utf-8", "replace")),
        "login": lambda: session.authenticate(type(ANN)(username=text, password=text + "x")),
        "id": lambda: session.identify({text: text}),
        "search": lambda: session.search(f'SUBJECT "{text}"'),
        "uids": lambda: session.search(uids=text or "1"),
        "fetch": lambda: session.fetch([1], [text]),
        "flags": lambda: session.append("x", b"", [text]),
    }
    exchange, said, answer = exchanges[verb](), b"", None
    try:
        while True:
            want = exchange.send(answer)
            answer = None
            if isinstance(want, Send):
                said += want.data
            elif isinstance(want, Receive):
                answer = b"+ go\r\n" if said.endswith(b"}\r\n") and one_command_is_open(said) else b"A1 NO\r\n"
    except (StopIteration, CommandRefused, LocalProtocolError):
        pass
    assert one_command(said) <= 1
    assert not said or said.startswith(b"A1 ")


def one_command_is_open(said):
    """The last line announces a literal whose bytes are still to come."""
    while said:
        line, _, said = said.partition(b"\r\n")
        literal = re.search(rb"\{(\d+)\+?\}\Z", line)
        if literal and len(said) < int(literal[1]):
            return True
        said = said[int(literal[1]) :] if literal else said
    return bool(literal)


TALK = st.sampled_from(
    [b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE ESEARCH] hi\r\n", b"+ go\r\n", b"* 3 EXISTS\r\n", b"* 1 EXPUNGE\r\n"]
    + [b"A%d OK\r\n" % n for n in range(1, 6)]
    + [
        b"A1 NO\r\n",
        b"A2 BAD\r\n",
        b"* BYE\r\n",
        b"* SEARCH 1\r\n",
        b"* 1 FETCH (UID 1 BODY[] {2}\r\n",
        b"xx)\r\n",
        b"\r\n",
    ]
)


@given(
    st.lists(st.one_of(TALK, st.binary(max_size=6)), max_size=15),
    st.sampled_from(["authenticate", "list", "select", "search", "fetch", "idle", "noop", "append", "logout"]),
)
def test_whatever_the_server_says_nothing_but_a_protocol_error_gets_out(reads, verb):
    session = Session(limits=Limits(line=200, literal=100, response=300))

    def conversation():
        yield from session.open(starttls=False, secure=True)
        yield from {
            "authenticate": lambda: session.authenticate(ANN),
            "list": session.list,
            "select": lambda: session.select("INBOX"),
            "search": session.search,
            "fetch": lambda: session.fetch("1:*"),
            "idle": session.idle,
            "noop": session.noop,
            "append": lambda: session.append("x", b"y"),
            "logout": session.logout,
        }[verb]()

    exchange, reads, answer = conversation(), iter(reads), None
    try:
        while True:
            want = exchange.send(answer)
            answer = next(reads, b"") if isinstance(want, Receive | ReceiveOrWake) else None
    except (StopIteration, ProtocolError):
        pass


def test_notify_asks_for_news_of_other_folders_too():
    play(
        selected().notify(["Junk", "Bär"]),
        """
        C: A2 NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (MAILBOXES (Junk "B&AOQ-r") (MessageNew MessageExpunge))
        S: * STATUS Junk (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1)
        S: A2 OK Set
        """,
    )


def test_what_notify_tells_of_another_folder_ends_idle():
    news = "* STATUS Junk (MESSAGES 2 UIDNEXT 3)"
    assert play(selected().idle(), f"C: A2 IDLE\nS: + idling\n(then)\nS: {news}") is True
