"""Gmail's profile: folders are labels, and a message may bear many."""

import asyncio
import re

import pytest

from posthouse.simulator import GMAIL, Provider
from posthouse.simulator.gmail import raw_search
from simulator.clients import mail, signed_in

ADDRESS = "ann@post.example"


@pytest.fixture
async def gmail():
    provider = Provider(GMAIL)
    provider.add_user(ADDRESS, "sesame")
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def raw(gmail, connect):
    return await signed_in(gmail, connect)


def holding(gmail, *names):
    return [len(gmail.users[ADDRESS].folder(name).messages) for name in names]


async def identity(raw, folder, uid=1):
    await raw.imap(f'SELECT "{folder}"')
    line = (await raw.imap(f"UID FETCH {uid} (X-GM-MSGID X-GM-THRID X-GM-LABELS)"))[0]
    found = re.fullmatch(r"\* \d+ FETCH \(UID \d+ X-GM-MSGID (\d+) X-GM-THRID (\d+) X-GM-LABELS \((.*)\)\)", line)
    assert found, line
    return found.groups()


async def test_a_message_is_one_in_its_folder_and_in_all_mail(gmail, raw):
    gmail.deliver(ADDRESS, mail("Tea"))
    gmail.deliver(ADDRESS, mail("Buy"), folder="[Gmail]/Spam")
    assert holding(gmail, "INBOX", "[Gmail]/All Mail", "[Gmail]/Spam") == [1, 1, 1]
    in_inbox, in_all = await identity(raw, "INBOX"), await identity(raw, "[Gmail]/All Mail")
    assert in_inbox[:2] == in_all[:2]
    # A client is not told the label of the folder that it looks at.
    assert in_inbox[2] == ""
    assert in_all[2] == r'"\\Inbox"'


async def test_copying_labels_and_expunging_takes_the_label_off(gmail, raw):
    gmail.deliver(ADDRESS, mail("Tea"))
    await raw.imap("CREATE Work")
    await raw.imap("SELECT INBOX")
    for _ in range(2):
        assert "[COPYUID" in (await raw.imap("COPY 1 Work"))[-1]
    assert holding(gmail, "Work", "[Gmail]/All Mail") == [1, 1]
    assert (await identity(raw, "INBOX"))[2] == '"Work"'
    await raw.imap(r"STORE 1 +FLAGS (\Deleted \Flagged)")
    assert (await raw.imap("EXPUNGE"))[0] == "* 1 EXPUNGE"
    assert holding(gmail, "INBOX", "Work", "[Gmail]/All Mail") == [0, 1, 1]
    # Flags are the message's, but being deleted is the folder's.
    await raw.imap("SELECT Work")
    assert (await raw.imap("FETCH 1 FLAGS"))[0].startswith(r"* 1 FETCH (FLAGS (\Flagged")


async def test_in_all_mail_expunging_removes_nothing(gmail, raw):
    gmail.deliver(ADDRESS, mail("Tea"))
    await raw.imap('SELECT "[Gmail]/All Mail"')
    await raw.imap(r"STORE 1 +FLAGS (\Deleted)")
    assert await raw.imap("EXPUNGE") == ["t OK Expunged"]
    assert holding(gmail, "INBOX", "[Gmail]/All Mail") == [1, 1]


async def test_the_trash_takes_a_message_out_of_everything_and_gives_it_back(gmail, raw):
    gmail.deliver(ADDRESS, mail("Tea"))
    first = await identity(raw, "INBOX")
    assert "* 1 EXPUNGE" in await raw.imap('MOVE 1 "[Gmail]/Trash"')
    assert holding(gmail, "INBOX", "[Gmail]/All Mail", "[Gmail]/Trash") == [0, 0, 1]
    await raw.imap('SELECT "[Gmail]/Trash"')
    await raw.imap("MOVE 1 INBOX")
    assert holding(gmail, "INBOX", "[Gmail]/All Mail", "[Gmail]/Trash") == [1, 1, 0]
    assert (await identity(raw, "INBOX", uid=2))[0] == first[0]


async def test_labels_can_be_stored(gmail, raw):
    gmail.deliver(ADDRESS, mail("Tea"))
    await raw.imap("SELECT INBOX")
    answer = await raw.imap(r'STORE 1 +X-GM-LABELS (Work "Two words" \Starred)')
    assert answer[0] == r'* 1 FETCH (X-GM-LABELS ("Two words" "Work" "\\Starred"))'
    assert holding(gmail, "Work", "Two words") == [1, 1]
    assert "\\Flagged" in gmail.users[ADDRESS].folder("Work").messages[0].flags
    assert (await raw.imap("SEARCH X-GM-LABELS Work"))[0] == "* SEARCH 1"
    await raw.imap("STORE 1 -X-GM-LABELS (Work)")
    assert holding(gmail, "Work", "Two words", "[Gmail]/All Mail") == [0, 1, 1]


async def test_answers_are_in_the_thread_of_what_they_answer(gmail, raw):
    gmail.deliver(ADDRESS, mail("Tea", Message_ID="<1@far.example>"))
    gmail.deliver(ADDRESS, mail("Re: Tea", Message_ID="<2@far.example>", In_Reply_To="<1@far.example>"))
    gmail.deliver(ADDRESS, mail("Coffee", Message_ID="<3@far.example>"))
    await raw.imap("SELECT INBOX")
    threads = [re.search(r"THRID (\d+)", line)[1] for line in (await raw.imap("FETCH 1:3 X-GM-THRID"))[:-1]]
    assert threads[0] == threads[1] != threads[2]
    assert (await raw.imap(f"SEARCH X-GM-THRID {threads[0]}"))[0] == "* SEARCH 1 2"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tea", True),
        ("tea hello", True),
        ("tea coffee", False),
        ("subject:tea from:carol", True),
        ("from:ann", False),
        ("is:unread -is:starred", True),
        ("is:read", False),
        ("has:attachment", False),
        ('"good tea"', True),
        ('"tea good"', False),
        ('an open " quote', False),
        ("rfc822msgid:1@far.example", True),
    ],
)
async def test_simple_words_are_searched_for(gmail, raw, text, found):
    gmail.deliver(ADDRESS, mail("Good tea", Message_ID="<1@far.example>"))
    message = gmail.users[ADDRESS].folder("INBOX").messages[0]
    assert raw_search(text)(message) == found
    await raw.imap("SELECT INBOX")
    quoted = text.replace('"', '\\"')
    assert (await raw.imap(f'SEARCH X-GM-RAW "{quoted}"'))[0] == ("* SEARCH 1" if found else "* SEARCH")


async def test_gmail_itself_is_no_folder_to_be_in(gmail, raw):
    listed = await raw.imap('LIST "" "[Gmail]"')
    assert listed[0] == r'* LIST (\HasChildren \Noselect) "/" "[Gmail]"'
    assert (await raw.imap('SELECT "[Gmail]"'))[-1].startswith("t NO [NONEXISTENT]")
    assert (await raw.imap('STATUS "[Gmail]" (MESSAGES)'))[-1].startswith("t NO")


async def test_the_sixteenth_connection_is_one_too_many(gmail, raw, connect):
    for _ in range(14):
        await signed_in(gmail, connect)
    late = await connect(gmail.imap_port)
    await late.line()
    answer = await late.imap("LOGIN ann@post.example sesame")
    assert answer == ["t NO [ALERT] Too many simultaneous connections. (Failure)"]


async def test_throttling_is_slow_and_says_so(gmail, raw):
    loop = asyncio.get_running_loop()
    gmail.faults.throttle = 50
    start = loop.time()
    assert await raw.imap("NOOP") == ["t OK Nothing done [THROTTLED]"]
    assert loop.time() - start >= 0.05


async def test_only_small_literals_come_unasked(gmail, raw):
    await raw.send("t APPEND INBOX {1+}\r\nx\r\n")
    assert (await raw.until("t "))[-1].startswith("t OK")
    await raw.send("t APPEND INBOX {5000+}\r\n")
    assert (await raw.until("t "))[-1].startswith("t BAD")


async def test_other_providers_know_nothing_of_labels(provider, ann):
    provider.deliver(ADDRESS, b"x")
    await ann.imap("SELECT INBOX")
    for command in ("FETCH 1 X-GM-MSGID", "SEARCH X-GM-RAW tea", "STORE 1 +X-GM-LABELS (Work)"):
        assert (await ann.imap(command))[-1].startswith("t BAD"), command
