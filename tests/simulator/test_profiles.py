"""What a profile does not offer does not exist."""

from dataclasses import replace

import pytest

from posthouse.simulator import PLAIN, Provider
from simulator.clients import signed_in


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
