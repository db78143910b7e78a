"""Each fault does what it says, and only that."""

import asyncio
import imaplib
import smtplib

import pytest

from posthouse.simulator import Faults
from simulator.clients import mail, signed_in


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


async def test_a_deaf_idle_says_nothing_until_it_is_done(provider, ann):
    await ann.imap("SELECT INBOX")
    provider.faults.deaf_idle = True
    await ann.send("t IDLE\r\n")
    assert await ann.line() == "+ Idling"
    provider.deliver("ann@post.example", mail("x"))
    await ann.send("DONE\r\n")
    assert (await ann.until("t "))[0] == "* 1 EXISTS"


async def test_a_cut_literal_ends_in_bye(provider, ann):
    provider.deliver("ann@post.example", b"0123456789")
    await ann.imap("SELECT INBOX")
    provider.faults.cut_literal_at = 4
    await ann.send("t FETCH 1 BODY.PEEK[]\r\n")
    assert await ann.rest() == b"* 1 FETCH (BODY[] {10}\r\n0123\r\n* BYE Server shutting down\r\n"


async def test_a_huge_literal_is_announced_and_sent(provider, ann):
    provider.deliver("ann@post.example", b"x")
    await ann.imap("SELECT INBOX")
    provider.faults.huge_literal = 1_000_000
    await ann.send("t FETCH 1 BODY.PEEK[]\r\n")
    assert await ann.line() == "* 1 FETCH (BODY[] {1000000}"
    assert len(await ann.reader.readexactly(1_000_000)) == 1_000_000
    assert await ann.line() == ")"


async def test_an_endless_line_goes_on_until_the_client_leaves(provider, ann, connect):
    provider.deliver("ann@post.example", b"x")
    await ann.imap("SELECT INBOX")
    provider.faults.endless_line = True
    await ann.send("t FETCH 1 FLAGS\r\n")
    start = await ann.reader.readexactly(2_000_000)
    assert b"\n" not in start
    # Others are served meanwhile, and it ends with the connection.
    provider.faults.endless_line = False
    await signed_in(provider, connect)
    ann.writer.close()
    await asyncio.wait_for(until(lambda: provider.connections == 1), 10)


async def test_counts_can_be_wrong(provider, ann):
    provider.deliver("ann@post.example", b"x")
    provider.faults.exists_off_by = 3
    assert "* 4 EXISTS" in await ann.imap("SELECT INBOX")
    assert "MESSAGES 4" in (await ann.imap("STATUS INBOX (MESSAGES)"))[0]


async def test_throttling_comes_with_a_hint_and_goes(provider, ann):
    provider.faults.throttle = 1500
    for command in ("SELECT INBOX", "NOOP"):
        assert await ann.imap(command) == ["t BAD Request is throttled. Suggested Backoff Time: 1500 milliseconds"]
    provider.faults = Faults()
    assert (await ann.imap("SELECT INBOX"))[-1].startswith("t OK")


async def test_signing_in_is_ok_and_all_else_is_bad(provider, connect):
    provider.faults.ok_then_bad = True
    raw = await signed_in(provider, connect)
    assert await raw.imap("SELECT INBOX") == ["t BAD User is authenticated but not connected."]


async def test_credentials_die_after_so_many_sign_ins(provider, connect):
    provider.faults.refuse_credentials_after = 2
    await signed_in(provider, connect)
    await signed_in(provider, connect)
    raw = await connect(provider.imap_port)
    await raw.line()
    assert (await raw.imap("LOGIN ann@post.example sesame"))[-1].startswith("t NO [AUTHENTICATIONFAILED]")
    assert provider.sign_ins == 2


async def test_a_half_open_connection_is_dead_and_stays_dead(provider, ann, connect):
    provider.faults.half_open = True
    new = await connect(provider.imap_port)
    await ann.send("t NOOP\r\n")
    assert await new.silent()
    assert await ann.silent()
    provider.faults.half_open = False
    await ann.send("t NOOP\r\n")
    assert await ann.silent()
    await signed_in(provider, connect)


async def test_bytes_drip_one_by_one(provider, connect):
    provider.faults.drip = 0.001
    raw = await connect(provider.imap_port)
    assert len(await raw.reader.read(1000)) < 20
    assert (await raw.line()).endswith("ready")


async def test_injected_bytes_come_before_the_handshake(provider, connect):
    provider.faults.starttls_injection = b"* CAPABILITY IMAP4rev1 AUTH=EVIL\r\n"
    raw = await connect(provider.imap_port)
    await raw.line()
    await raw.send("t STARTTLS\r\n")
    assert await raw.line() == "t OK Begin TLS"
    assert await raw.line() == "* CAPABILITY IMAP4rev1 AUTH=EVIL"


async def test_injected_bytes_come_before_the_handshake_in_smtp(provider, connect):
    provider.faults.starttls_injection = b"250 AUTH EVIL\r\n"
    raw = await connect(provider.smtp_port)
    await raw.line()
    await raw.smtp("EHLO me")
    assert await raw.smtp("STARTTLS") == ["220 2.0.0 Begin TLS"]
    assert await raw.line() == "250 AUTH EVIL"


async def test_preauth_greets_the_first_user(provider):
    provider.faults.preauth = True

    def work():
        with imaplib.IMAP4("127.0.0.1", provider.imap_port, timeout=10) as client:
            return client.state, client.select("INBOX")[0]

    assert await asyncio.to_thread(work) == ("AUTH", "OK")


async def test_any_command_can_be_answered_otherwise(provider, ann):
    provider.faults.imap_answers = {"SELECT": "NO [UNAVAILABLE] Later", "FETCH": "NO [EXPUNGEISSUED] Gone"}
    assert await ann.imap("SELECT INBOX") == ["t NO [UNAVAILABLE] Later"]
    assert (await ann.imap("EXAMINE INBOX"))[-1].startswith("t OK")
    assert await ann.imap("UID FETCH 1:* FLAGS") == ["t NO [EXPUNGEISSUED] Gone"]


async def test_answers_can_lack_what_they_should_have(provider, ann):
    provider.deliver("ann@post.example", b"x")
    provider.faults.forget_uid_next = True
    provider.faults.omit = {"FLAGS"}
    provider.faults.empty_list = True
    assert "UIDNEXT" not in " ".join(await ann.imap("EXAMINE INBOX"))
    assert (await ann.imap("UID FETCH 1 (FLAGS RFC822.SIZE)"))[0] == "* 1 FETCH (UID 1 RFC822.SIZE 1)"
    assert await ann.imap('LIST "" "*"') == ["t OK Listed"]


async def test_a_rebuilt_folder_has_another_uidvalidity_and_dismisses_who_is_inside(provider, ann, another):
    provider.deliver("ann@post.example", b"x")
    inbox = provider.users["ann@post.example"].folder("INBOX")
    before = inbox.uid_validity
    await ann.imap("SELECT INBOX")
    inbox.bump_uid_validity()
    assert (await ann.imap("NOOP"))[-1].startswith("* BYE")
    again = await another()
    answer = " ".join(await again.imap("SELECT INBOX"))
    assert f"UIDVALIDITY {before + 1}]" in answer
    assert "UIDNEXT 2]" in answer


async def test_a_renumbered_folder_counts_from_one(provider, ann):
    for text in (b"a", b"b", b"c"):
        provider.deliver("ann@post.example", text)
    inbox = provider.users["ann@post.example"].folder("INBOX")
    inbox.remove(inbox.messages[:1])
    before = inbox.uid_validity
    inbox.renumber()
    assert [(message.uid, message.data) for message in inbox.messages] == [(1, b"b"), (2, b"c")]
    assert inbox.uid_validity != before
    assert "UIDNEXT 3]" in " ".join(await ann.imap("SELECT INBOX"))


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("MAIL", "451 4.7.1 Greylisted"),
        ("RCPT", "450 4.2.0 Later"),
        ("DATA", "554 5.7.1 No"),
        ("MESSAGE", "554 5.7.1 Spam"),
    ],
)
async def test_smtp_stages_can_be_answered_otherwise(provider, stage, reply):
    provider.faults.smtp_answers = {stage: reply}

    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            client.sendmail("ann@post.example", ["bob@post.example"], mail("x"))

    with pytest.raises(smtplib.SMTPException) as error:
        await asyncio.to_thread(work)
    assert reply[4:] in str(error.value.args)
    assert provider.users["bob@post.example"].folder("INBOX").messages == []


async def test_a_421_closes(provider, connect):
    provider.faults.smtp_answers = {"CONNECT": "421 4.3.2 Too many connections"}
    raw = await connect(provider.smtp_port)
    assert await raw.rest() == b"421 4.3.2 Too many connections\r\n"


async def test_one_recipient_can_be_refused(provider):
    provider.faults.refused_recipients = {"bob@post.example": "452 4.2.2 Mailbox full"}

    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            return client.sendmail("ann@post.example", ["bob@post.example", "o@far.example"], mail("x"))

    assert await asyncio.to_thread(work) == {"bob@post.example": (452, b"4.2.2 Mailbox full")}
    assert provider.outside[0].recipients == ("o@far.example",)


async def test_a_lost_verdict_leaves_the_message_delivered(provider):
    provider.faults.lose_verdict = True

    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            client.sendmail("ann@post.example", ["bob@post.example"], mail("x"))

    with pytest.raises(smtplib.SMTPServerDisconnected):
        await asyncio.to_thread(work)
    assert len(provider.users["bob@post.example"].folder("INBOX").messages) == 1


async def test_a_connection_can_fall_silent_in_the_middle_of_a_session(provider, ann, another):
    provider.faults.set("stall_at", "noop", times=1)
    await ann.send("t NOOP\r\n")
    assert await ann.silent()
    # The next one is served, and who fell silent is let go when it leaves.
    assert await (await another()).imap("NOOP") == ["t OK Nothing done"]
    ann.writer.close()
    await asyncio.wait_for(until(lambda: provider.connections == 1), 10)


async def test_a_connection_can_fall_silent_in_the_middle_of_a_literal(provider, ann):
    provider.deliver("ann@post.example", b"0123456789")
    await ann.imap("SELECT INBOX")
    provider.faults.stall_literal_at = 4
    await ann.send("t FETCH 1 BODY.PEEK[]\r\n")
    assert await ann.line() == "* 1 FETCH (BODY[] {10}"
    assert await ann.reader.readexactly(4) == b"0123"
    assert await ann.silent()


async def test_a_command_can_be_cut_before_it_is_done_and_after(provider, ann, another):
    provider.faults.set("imap_cut_at", "CREATE", times=1)
    await ann.send("t CREATE a\r\n")
    assert await ann.rest() == b""
    assert "a" not in provider.users["ann@post.example"].folders
    again = await another()
    provider.faults.set("lose_answer", "CREATE", times=1)
    await again.send("t CREATE a\r\n")
    assert await again.rest() == b""
    assert "a" in provider.users["ann@post.example"].folders
    assert provider.faults.shown() == {}


async def test_the_server_can_say_goodbye_at_any_command(provider, ann):
    provider.faults.bye_at = "*"
    await ann.send("t NOOP\r\n")
    assert await ann.rest() == b"* BYE Server shutting down\r\n"


@pytest.mark.parametrize(("fault", "said"), [("bye_at", b"* BYE Server shutting down\r\n"), ("imap_cut_at", b"")])
async def test_a_connection_can_end_before_the_greeting(provider, connect, fault, said):
    provider.faults.set(fault, "CONNECT", times=1)
    assert await (await connect(provider.imap_port)).rest() == said
    assert (await (await connect(provider.imap_port)).line()).startswith("* OK")


async def test_signing_in_can_be_followed_by_the_end(provider, connect):
    provider.faults.drop_after_login = True
    raw = await connect(provider.imap_port)
    await raw.line()
    await raw.send("t LOGIN ann@post.example sesame\r\n")
    assert await raw.rest() == b"t OK Signed in\r\n"


async def test_an_application_password_can_be_wanted(provider, connect):
    provider.faults.app_password_required = True
    raw = await connect(provider.imap_port)
    await raw.line()
    answer = (await raw.imap("LOGIN ann@post.example sesame"))[-1]
    assert answer.startswith("t NO [ALERT] Application-specific password required")
    assert (await raw.imap("LOGIN ann@post.example wrong"))[-1].startswith("t NO [AUTHENTICATIONFAILED]")

    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.login("ann@post.example", "sesame")

    with pytest.raises(smtplib.SMTPAuthenticationError) as error:
        await asyncio.to_thread(work)
    assert error.value.smtp_code == 534


async def test_a_user_can_have_too_many_connections_and_then_fewer(provider, ann, connect):
    provider.faults.connection_limit = 1
    raw = await connect(provider.imap_port)
    await raw.line()
    assert (await raw.imap("LOGIN ann@post.example sesame"))[-1].startswith("t NO [LIMIT]")
    assert (await raw.imap("LOGIN bob@post.example opensesame"))[-1].startswith("t OK")
    await ann.imap("LOGOUT")
    await asyncio.wait_for(until(lambda: provider.users["ann@post.example"].sessions == 0), 10)
    await signed_in(provider, connect)


async def test_news_can_be_kept_back_until_noop(provider, ann):
    await ann.imap("SELECT INBOX")
    provider.faults.deaf_until = "NOOP"
    provider.deliver("ann@post.example", mail("x"))
    await ann.send("t IDLE\r\n")
    assert await ann.line() == "+ Idling"
    await ann.send("DONE\r\n")
    assert await ann.until("t ") == ["t OK Idled"]
    assert await ann.imap("SEARCH ALL") == ["* SEARCH", "t OK Searched"]
    assert "* 1 EXISTS" in await ann.imap("NOOP")


async def test_news_can_be_kept_back_until_the_folder_is_selected_again(provider, ann):
    await ann.imap("SELECT INBOX")
    provider.faults.deaf_until = "SELECT"
    provider.deliver("ann@post.example", mail("x"))
    assert await ann.imap("NOOP") == ["t OK Nothing done"]
    assert "MESSAGES 1" in (await ann.imap("STATUS INBOX (MESSAGES)"))[0]
    assert "* 1 EXISTS" in await ann.imap("SELECT INBOX")


async def test_fetch_can_show_nothing_and_break_off(provider, ann):
    for _ in range(3):
        provider.deliver("ann@post.example", b"x")
    await ann.imap("SELECT INBOX")
    provider.faults.set("empty_fetch", times=1)
    assert await ann.imap("UID FETCH 1:* FLAGS") == ["t OK Fetched"]
    provider.faults.unfetchable = {2}
    answer = await ann.imap("UID FETCH 1:* UID")
    assert answer == ["* 1 FETCH (UID 1)", "t NO [UNAVAILABLE] UID FETCH Server error"]
    assert len(await ann.imap("UID FETCH 3 UID")) == 2


async def test_commands_can_take_their_time(provider, ann):
    loop = asyncio.get_running_loop()
    provider.faults.set("delay", 0.05, times=1)
    start = loop.time()
    await ann.imap("NOOP")
    assert loop.time() - start >= 0.05
    assert provider.faults.strikes["delay"] == 1


async def test_a_folder_can_be_renumbered_without_a_word(provider, ann, another):
    for text in (b"a", b"b"):
        provider.deliver("ann@post.example", text)
    inbox = provider.users["ann@post.example"].folder("INBOX")
    before = inbox.uid_validity
    await ann.imap("SELECT INBOX")
    inbox.renumber(keep_uid_validity=True, reverse=True)
    assert inbox.uid_validity == before
    assert [(message.uid, message.data) for message in inbox.messages] == [(1, b"b"), (2, b"a")]
    assert (await ann.imap("NOOP"))[-1].startswith("* BYE")
    await (await another()).imap("SELECT INBOX")


STATES = ["connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "message", "answer"]


@pytest.mark.parametrize("state", STATES)
async def test_smtp_can_be_cut_in_every_state(provider, client_tls, state):
    provider.faults.set("smtp_cut_at", state, times=1)

    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, local_hostname="me", timeout=10) as client:
            client._host = "localhost"
            client.starttls(context=client_tls)
            client.login("ann@post.example", "sesame")
            client.sendmail("ann@post.example", ["bob@post.example"], mail("x"))

    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        await asyncio.to_thread(work)
    bobs = provider.users["bob@post.example"].folder("INBOX").messages
    assert bobs == []
    assert provider.faults.strikes == {"smtp_cut_at": 1}
    await asyncio.to_thread(work)
    assert len(provider.users["bob@post.example"].folder("INBOX").messages) == 1


async def test_every_recipient_is_greylisted_once(provider):
    provider.faults.greylist = True

    def work(*recipients):
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            return client.sendmail("ann@post.example", recipients, mail("x"))

    with pytest.raises(smtplib.SMTPRecipientsRefused) as error:
        await asyncio.to_thread(work, "bob@post.example")
    assert error.value.recipients["bob@post.example"][0] == 451
    assert list(await asyncio.to_thread(work, "BOB@post.example", "o@far.example")) == ["o@far.example"]
    assert await asyncio.to_thread(work, "bob@post.example", "o@far.example") == {}
