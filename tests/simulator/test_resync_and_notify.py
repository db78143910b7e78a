"""QRESYNC (RFC 7162) and NOTIFY (RFC 5465): what a client has missed, and what it is told unasked."""

import re

import pytest

from simulator.clients import mail

ADDRESS = "ann@post.example"


def inbox(provider):
    return provider.users[ADDRESS].folder("INBOX")


async def test_a_client_that_comes_back_is_told_what_it_missed(provider, ann):
    for _ in range(5):
        provider.deliver(ADDRESS, b"x")
    folder = inbox(provider)
    seen = folder.highest_modseq
    folder.remove(folder.messages[1:3])
    folder.mark(folder.messages[0], frozenset({"\\Seen"}))
    provider.deliver(ADDRESS, b"y")
    assert "* ENABLED QRESYNC" in await ann.imap("ENABLE QRESYNC")
    answer = await ann.imap(f"SELECT INBOX (QRESYNC ({folder.uid_validity} {seen}))")
    assert "* VANISHED (EARLIER) 2:3" in answer
    changed = [line for line in answer if "FETCH" in line]
    assert [re.search(r"UID (\d+)", line)[1] for line in changed] == ["1", "6"]
    assert "MODSEQ" in changed[0]


async def test_a_client_that_knows_another_uidvalidity_is_told_nothing(provider, ann):
    provider.deliver(ADDRESS, b"x")
    inbox(provider).remove(inbox(provider).messages)
    await ann.imap("ENABLE QRESYNC")
    assert "VANISHED" not in " ".join(await ann.imap("SELECT INBOX (QRESYNC (7 1))"))


async def test_only_known_uids_vanish(provider, ann):
    for _ in range(4):
        provider.deliver(ADDRESS, b"x")
    folder = inbox(provider)
    folder.remove(folder.messages)
    await ann.imap("ENABLE QRESYNC")
    command = f"SELECT INBOX (QRESYNC ({folder.uid_validity} 1 1:2 (1 1)))"
    assert "* VANISHED (EARLIER) 1:2" in await ann.imap(command)
    assert (await ann.imap("UID FETCH 3:* FLAGS (CHANGEDSINCE 1 VANISHED)"))[0] == "* VANISHED (EARLIER) 3:4"


async def test_expunges_are_told_by_uid(provider, ann):
    for _ in range(3):
        provider.deliver(ADDRESS, b"x", flags=["\\Deleted"])
    await ann.imap("ENABLE QRESYNC")
    await ann.imap("SELECT INBOX")
    answer = await ann.imap("UID EXPUNGE 1:2")
    assert answer[0] == "* VANISHED 1:2"
    assert answer[-1].startswith("t OK [HIGHESTMODSEQ")
    assert (await ann.imap("UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)"))[0] == "* VANISHED (EARLIER) 1:2"
    assert (await ann.imap("SELECT Sent"))[0].startswith("* OK [CLOSED]")


async def test_qresync_is_for_those_who_enabled_it(provider, ann):
    assert (await ann.imap("SELECT INBOX (QRESYNC (1 1))"))[-1].startswith("t BAD")
    await ann.imap("SELECT INBOX")
    assert (await ann.imap("UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)"))[-1].startswith("t BAD")


async def test_other_folders_are_told_of_unasked(provider, ann):
    await ann.imap("SELECT INBOX")
    assert (await ann.imap("NOTIFY SET (personal (MessageNew MessageExpunge))"))[-1].startswith("t OK")
    provider.deliver(ADDRESS, b"x", folder="Archive")
    assert re.fullmatch(r'\* STATUS "Archive" \(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \d+\)', await ann.line())
    archive = provider.users[ADDRESS].folder("Archive")
    archive.remove(archive.messages)
    assert (await ann.line()).startswith('* STATUS "Archive" (MESSAGES 0 UIDNEXT 2')
    # The selected folder was not asked for.
    provider.deliver(ADDRESS, b"x")
    assert await ann.imap("NOOP") == ["t OK Nothing done"]
    assert await ann.imap("NOTIFY NONE") == ["* 1 EXISTS", "* 1 RECENT", "t OK You will be told nothing unasked"]
    provider.deliver(ADDRESS, b"x", folder="Archive")
    assert await ann.silent()


async def test_the_selected_folder_is_told_of_at_once_with_what_was_asked_for(provider, ann):
    await ann.imap("SELECT INBOX")
    await ann.imap("NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge))")
    provider.deliver(ADDRESS, mail("Tea"))
    assert await ann.until(r"\)$") == [
        "* 1 EXISTS",
        "* 1 RECENT",
        "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {16}",
        "Subject: Tea",
        "",
        ")",
    ]
    inbox(provider).remove(inbox(provider).messages)
    assert await ann.line() == "* 1 EXPUNGE"


async def test_delayed_expunges_wait_for_a_command(provider, ann):
    provider.deliver(ADDRESS, b"x")
    await ann.imap("SELECT INBOX")
    await ann.imap("NOTIFY SET (selected-delayed (MessageNew MessageExpunge))")
    inbox(provider).remove(inbox(provider).messages)
    provider.deliver(ADDRESS, b"y")
    assert await ann.line() == "* 2 EXISTS"
    await ann.line()
    assert (await ann.imap("NOOP"))[0] == "* 1 EXPUNGE"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("inboxes", {"INBOX"}),
        ("subtree Archive", {"Archive", "Archive/2026"}),
        ("mailboxes (Archive Sent)", {"Archive", "Sent"}),
        ("subscribed", {"INBOX", "Archive", "Archive/2026", "Sent", "Drafts", "Junk"}),
    ],
)
async def test_folders_may_be_meant_in_many_ways(provider, ann, wanted, told):
    provider.users[ADDRESS].create("Archive/2026")
    await ann.imap("UNSUBSCRIBE Trash")
    answer = await ann.imap(f"NOTIFY SET STATUS ({wanted} (MessageNew MessageExpunge))")
    assert {re.search(r'STATUS "([^"]+)"', line)[1] for line in answer[:-1]} == told


async def test_the_first_group_that_a_folder_belongs_to_decides(provider, ann):
    await ann.imap("NOTIFY SET (mailboxes Junk NONE) (personal (MessageNew MessageExpunge))")
    provider.deliver(ADDRESS, b"x", folder="Junk")
    provider.deliver(ADDRESS, b"x", folder="Archive")
    assert (await ann.line()).startswith('* STATUS "Archive"')


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("SET (personal (MessageNew))", "t BAD"),
        ("SET (selected NONE) (selected-delayed NONE)", "t BAD"),
        ("SET (lunch (MessageNew MessageExpunge))", "t BAD"),
        ("SET (personal (MessageNew (UID) MessageExpunge))", "t BAD"),
        ("SET STATUS", "t BAD"),
        ("NONE STATUS", "t BAD"),
        ("SET (personal (MailboxName))", "t NO [BADEVENT (MessageNew MessageExpunge FlagChange)]"),
    ],
)
async def test_what_can_not_be_told_is_refused(ann, command, answer):
    assert (await ann.imap(f"NOTIFY {command}"))[-1].startswith(answer)


async def test_three_hundred_idling_clients_are_all_told(provider, ann, connect):
    clients = []
    for _ in range(300):
        raw = await connect(provider.imap_port)
        await raw.send("t LOGIN ann@post.example sesame\r\nt SELECT INBOX\r\nt IDLE\r\n")
        clients.append(raw)
    for raw in clients:
        await raw.until(r"\+ ")
    provider.deliver(ADDRESS, b"x")
    for raw in clients:
        assert await raw.line() == "* 1 EXISTS"
