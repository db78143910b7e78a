"""What a profile does not offer does not exist."""

import asyncio
import smtplib
from dataclasses import replace

import pytest

from posthouse.simulator import COURIER, EXCHANGE, PLAIN, PROFILES, Provider
from simulator.clients import mail, signed_in


async def provider_like(**changes):
    provider = Provider(replace(PLAIN, **changes))
    provider.add_user("ann@post.example", "sesame")
    await provider.start()
    return provider


@pytest.fixture
async def bare():
    """A provider that offers IMAP4rev1 and nothing else."""
    provider = await provider_like(capabilities=("IMAP4rev1",), folders=(), delimiter=".")
    yield provider
    await provider.stop()


@pytest.mark.parametrize(
    "command",
    [
        "IDLE",
        "MOVE 1 INBOX",
        "UID EXPUNGE 1",
        "ENABLE CONDSTORE",
        "NAMESPACE",
        "UNSELECT",
        "ID NIL",
        "SELECT INBOX (CONDSTORE)",
        "SEARCH RETURN (ALL) ALL",
        "SEARCH MODSEQ 1",
        "FETCH 1 MODSEQ",
        "FETCH 1 FLAGS (CHANGEDSINCE 1)",
        "STATUS INBOX (HIGHESTMODSEQ)",
        'LIST "" "*" RETURN (CHILDREN)',
        'LIST (SPECIAL-USE) "" "*"',
        "APPEND INBOX {1+}",
    ],
)
async def test_commands_of_extensions_that_are_not_offered_are_bad(bare, connect, command):
    bare.deliver("ann@post.example", b"x")
    raw = await signed_in(bare, connect)
    await raw.imap("SELECT INBOX")
    assert (await raw.imap(command))[-1].startswith("t BAD")


async def test_answers_of_extensions_that_are_not_offered_are_not_given(bare, connect):
    raw = await signed_in(bare, connect)
    assert "MODSEQ" not in " ".join(await raw.imap("SELECT INBOX"))
    await raw.send("t APPEND INBOX {1}\r\n")
    assert await raw.line() == "+ Go ahead"
    await raw.send("x\r\n")
    assert (await raw.until("t "))[-1] == "t OK Appended"
    await raw.imap("CREATE a.b")
    assert await raw.imap('LIST "" a*') == ['* LIST () "." "a"', '* LIST () "." "a.b"', "t OK Listed"]


async def test_a_provider_may_insist_on_tls_before_signing_in(connect):
    provider = await provider_like(sign_in_on_clear_text=False)
    try:
        raw = await connect(provider.imap_port)
        greeting = await raw.line()
        assert "LOGINDISABLED" in greeting
        assert "AUTH=" not in greeting
        assert (await raw.imap("LOGIN ann@post.example sesame"))[-1].startswith("t NO [PRIVACYREQUIRED]")
        raw = await connect(provider.smtp_port)
        await raw.line()
        assert not any("AUTH" in line for line in await raw.smtp("EHLO me"))
        assert (await raw.smtp("AUTH PLAIN"))[-1].startswith("538")
    finally:
        await provider.stop()


async def test_a_provider_can_be_started_again_with_all_its_mail():
    provider = await provider_like()
    with pytest.raises(ValueError):
        provider.add_user("ANN@post.example", "again")
    provider.deliver("ann@post.example", b"x")
    await provider.stop()
    await provider.stop()
    assert provider.imap_port == 0
    await provider.start()
    assert provider.imap_port > 0
    assert len(provider.users["ann@post.example"].folder("INBOX").messages) == 1
    await provider.stop()


async def test_a_taken_port_leaves_nothing_listening():
    first = await provider_like()
    second = Provider()
    with pytest.raises(OSError):
        await second.start(smtp_port=first.smtp_port)
    assert second.imap_port == 0
    with pytest.raises(ValueError):
        await second.start(imaps_port=0)
    await first.stop()


async def running(profile):
    provider = Provider(profile)
    provider.add_user("ann@post.example", "sesame")
    await provider.start()
    return provider


@pytest.fixture
async def exchange():
    provider = await running(EXCHANGE)
    yield provider
    await provider.stop()


@pytest.fixture
async def courier():
    provider = await running(COURIER)
    yield provider
    await provider.stop()


async def test_exchange_searches_in_ascii_only_and_knows_no_newer_extensions(exchange, connect):
    raw = await signed_in(exchange, connect)
    for command in ("ENABLE CONDSTORE", "NOTIFY NONE"):
        assert (await raw.imap(command))[-1].startswith("t BAD")
    await raw.imap("SELECT INBOX")
    answer = (await raw.imap('SEARCH CHARSET UTF-8 SUBJECT "x"'))[-1]
    assert answer.startswith("t NO [BADCHARSET (US-ASCII)]")
    assert (await raw.imap("SEARCH RETURN (ALL) ALL"))[-1].startswith("t BAD")
    assert (await raw.imap('SEARCH CHARSET US-ASCII SUBJECT "x"'))[-1].startswith("t OK")


async def test_exchange_says_another_size_than_it_sends(exchange, connect):
    exchange.deliver("ann@post.example", b"x" * 1000)
    raw = await signed_in(exchange, connect)
    await raw.imap("SELECT INBOX")
    answer = await raw.imap("FETCH 1 (RFC822.SIZE BODY.PEEK[])")
    assert answer[0] == "* 1 FETCH (RFC822.SIZE 1030 BODY[] {1000}"


async def test_courier_keeps_all_folders_below_inbox(courier, connect):
    raw = await signed_in(courier, connect)
    assert await raw.imap("NAMESPACE") == ['* NAMESPACE (("INBOX." ".")) NIL NIL', "t OK Done"]
    assert (await raw.imap("CREATE Work"))[-1].startswith("t NO")
    assert (await raw.imap("CREATE INBOX.Work"))[-1].startswith("t OK")
    names = [line.split('"." ')[1] for line in (await raw.imap('LIST "" *'))[:-1]]
    assert names == ['"INBOX"', '"INBOX.Drafts"', '"INBOX.Sent"', '"INBOX.Trash"', '"INBOX.Work"']


async def test_courier_shows_the_last_first_and_is_particular_about_sets(courier, connect):
    for _ in range(3):
        courier.deliver("ann@post.example", b"x")
    raw = await signed_in(courier, connect)
    assert "UIDNEXT" not in " ".join(await raw.imap("SELECT INBOX"))
    assert (await raw.imap("IDLE"))[-1].startswith("t BAD")
    shown = await raw.imap("FETCH 2:9 UID")
    assert shown == ["* 3 FETCH (UID 3)", "* 2 FETCH (UID 2)", "t OK Fetched"]
    assert (await raw.imap("FETCH 3:1 UID"))[-1].startswith("t BAD")
    courier.deliver("ann@post.example", b"x")
    assert "* 4 EXISTS" in await raw.imap("NOOP")


async def test_a_profile_has_its_own_words_for_a_refusal(exchange, connect):
    raw = await connect(exchange.imap_port)
    await raw.line()
    assert (await raw.imap("LOGIN ann@post.example wrong"))[-1] == "t NO LOGIN failed."


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_every_profile_keeps_what_is_sent_through_it_as_it_should(profile):
    provider = await running(profile)
    provider.users["ann@post.example"].files_sent = True

    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            client.sendmail("ann@post.example", ["o@far.example"], mail("Out"))

    try:
        await asyncio.to_thread(work)
        sent = provider.users["ann@post.example"].sent_folder()
        assert [message.flags for message in sent.messages] == [{"\\Seen"}]
        assert [delivery.recipients for delivery in provider.outside] == [("o@far.example",)]
    finally:
        await provider.stop()
