import asyncio
import contextlib
import re
import resource
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from mmap import mmap
from typing import Any

import pytest

from peers.dovecot import Dovecot
from peers.mailbox import Mailbox as Account
from posthouse.model.connectors import ImapSettings, Security
from posthouse.model.errors import (
    CredentialsRefused,
    Deferred,
    FolderMissing,
    Garbled,
    Invalid,
    PosthouseError,
    Refused,
    RemoteError,
    Stage,
    TlsFailed,
    Unreachable,
)
from posthouse.model.events import Transcript
from posthouse.model.sync import Cursor, FetchFrom, Identity, Mailbox, Nothing, RawMessage, plan
from posthouse.model.values import Secret
from posthouse.remote.bounds import Bounds
from posthouse.remote.egress import Egress
from posthouse.remote.mailbox import ImapMailbox, open_mailbox
from posthouse.remote.tls import Tls

from .servers import LOOPBACK, Handler, conversation, forever, hang_up, serving

QUICK = Bounds(connect=5, command=5, silence=5, goodbye=0.05)


def at(server: Dovecot, account: Account, security: Security = Security.TLS, **more: Any) -> ImapSettings:
    port = server.imaps_port if security is Security.TLS else server.imap_port
    settings: dict[str, Any] = {"username": account.address, "password": Secret(account.password)} | more
    return ImapSettings(host="localhost", port=port, security=security, **settings)


@contextlib.asynccontextmanager
async def opened(settings: ImapSettings, tls: Tls | None = None, **more: Any) -> AsyncIterator[ImapMailbox]:
    options: dict[str, Any] = {"transcript": Transcript(), "egress": LOOPBACK, "bounds": QUICK, "again": ()} | more
    mailbox = await open_mailbox(settings, tls=tls or Tls(), **options)
    try:
        yield mailbox
    finally:
        await mailbox.close()


@pytest.fixture
def tls(dovecot: Dovecot) -> Tls:
    return Tls(dovecot.authority.pem)


def letter(number: int, size: int = 0) -> bytes:
    head = f"From: a@example.org\r\nSubject: letter {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n"
    return head.encode() + (b"%-70d\r\n" % number) * max(1, size // 72)


async def all_of(mailbox: Mailbox, uids: Sequence[int]) -> list[RawMessage]:
    found = [identity async for identity in mailbox.identities(uids)]
    return [message async for message in mailbox.fetch(found)]


# Dovecot


@pytest.mark.parametrize("security", list(Security))
@pytest.mark.parametrize("mechanism", ["", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"])
async def test_every_way_in_is_open(
    security: Security, mechanism: str, dovecot: Dovecot, mailbox: Account, tls: Tls
) -> None:
    mailbox.append(letter(1))
    password = dovecot.token(mailbox.address) if "OAUTH" in mechanism else mailbox.password
    mechanisms = (mechanism,) if mechanism else ()
    transcript = Transcript()
    settings = at(dovecot, mailbox, security, password=Secret(password), mechanisms=mechanisms)
    async with opened(settings, tls, transcript=transcript) as opened_mailbox:
        assert (await opened_mailbox.select("INBOX")).exists == 1
    assert ("* TLSv1.3" in transcript.text) == (security is not Security.PLAIN)
    assert password not in transcript.text
    if mechanism:
        assert f"AUTHENTICATE {mechanism}" in transcript.text
    assert "LOGOUT" in transcript.text


async def test_a_folder_is_synced_to_its_end(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    letters = [letter(number, size=number * 40) for number in range(1, 31)]
    for each in letters:
        mailbox.append(each)
    async with opened(at(dovecot, mailbox), tls, bounds=Bounds(batch=7)) as session:
        seen = await session.select("INBOX")
        assert plan(None, seen) == FetchFrom(1)
        uids = await session.search(range(1, seen.next_uid))
        found = [identity async for identity in session.identities(uids)]
        messages = [message async for message in session.fetch(found)]
        sizes = [identity async for identity in session.identities(uids, message_ids=False)]
        cursor = Cursor(folder="INBOX", uid_validity=seen.uid_validity, next_uid=seen.next_uid)
        assert plan(cursor, await session.select("INBOX", cursor)) == Nothing()
    assert [identity.message_id for identity in found] == [f"<{number}@example.org>" for number in range(1, 31)]
    assert [identity.size for identity in found] == [len(each) for each in letters]
    assert [message.content for message in messages] == letters
    assert [(each.size, each.message_id) for each in sizes] == [(len(each), "") for each in letters]
    assert all(message.cut is None for message in messages)
    assert all(message.internal_date and message.internal_date.tzinfo for message in messages)
    assert all(message.flags == frozenset() or message.flags == {"\\Recent"} for message in mailbox.messages())


async def test_a_search_is_narrowed_by_range_terms_and_date(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    for number in range(1, 6):
        mailbox.append(letter(number), flags=("\\Seen",) if number % 2 else ())
    today = datetime.now(UTC).date()
    async with opened(at(dovecot, mailbox), tls) as session:
        seen = await session.select("INBOX")
        assert await session.search(range(1, seen.next_uid)) == [1, 2, 3, 4, 5]
        assert await session.search(range(2, 5)) == [2, 3, 4]
        assert await session.search(range(6, 6)) == []
        assert await session.search(range(6, 2**32)) == []  # `6:*` would find the last one
        assert await session.search(range(1, 6), terms="UNSEEN") == [2, 4]
        assert await session.search(range(1, 6), terms='OR SUBJECT "letter 3" SUBJECT "letter 4"') == [3, 4]
        assert await session.search(range(1, 6), terms='SUBJECT "nïchts"') == []
        assert await session.search(range(1, 6), since=today - timedelta(days=2)) == [1, 2, 3, 4, 5]
        assert await session.search(range(1, 6), since=date(today.year + 1, 1, 1), terms="UNSEEN") == []
        with pytest.raises(Invalid, match="UNSEE"):
            await session.search(range(1, 6), terms="UNSEE")
        with pytest.raises(Invalid):
            await session.search(range(1, 6), terms='SUBJECT "a\r\nA9 DELETE INBOX"')
        assert await session.search(range(1, 6), terms="UNSEEN") == [2, 4]


async def test_what_has_vanished_since_is_told(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    for number in range(1, 6):
        mailbox.append(letter(number))
    async with opened(at(dovecot, mailbox), tls) as session:
        seen = await session.select("INBOX")
    with dovecot.signed_in(mailbox.address) as other:
        other.select("INBOX")
        other.store("2,3,5", "+FLAGS", "\\Deleted")
        other.expunge()
    known = Cursor(
        folder="INBOX",
        uid_validity=seen.uid_validity,
        next_uid=seen.next_uid,
        highest_modseq=seen.highest_modseq,
    )
    async with opened(at(dovecot, mailbox), tls) as session:
        again = await session.select("INBOX", known)
        assert again.vanished == (range(2, 4), range(5, 6))
        assert plan(known, again) == Nothing()
        assert [message.uid for message in await all_of(session, [1, 2, 3, 4, 5])] == [1, 4]


async def test_a_missing_folder_is_told_with_those_that_there_are(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    async with opened(at(dovecot, mailbox), tls) as session:
        with pytest.raises(FolderMissing, match=r"'Archiv' was asked for, and there are .*'INBOX'") as caught:
            await session.select("Archiv")
        assert not caught.value.transient


async def test_folders_are_listed_with_their_uses(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    with dovecot.signed_in(mailbox.address) as other:
        other.create("Entw&APw-rfe")
    async with opened(at(dovecot, mailbox), tls) as session:
        folders = {folder.name: folder.special_use for folder in await session.list_folders()}
        assert folders["INBOX"] == "inbox"
        assert folders["Sent"] == "sent"
        assert folders["Entwürfe"] == ""
        assert (await session.select("Entwürfe")).exists == 0


@pytest.mark.parametrize("mechanism", ["", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"])
async def test_a_wrong_password_is_refused_and_told_nowhere(
    mechanism: str, dovecot: Dovecot, mailbox: Account, tls: Tls
) -> None:
    transcript = Transcript()
    settings = at(dovecot, mailbox, password=Secret("canary-Zk3q8"), mechanisms=(mechanism,) if mechanism else ())
    with pytest.raises(CredentialsRefused) as caught:
        async with opened(settings, tls, transcript=transcript):
            pass
    assert not caught.value.transient
    assert caught.value.stage is Stage.SIGN_IN
    assert "canary" not in transcript.text + str(caught.value) + repr(caught.value)


async def test_a_mechanism_that_the_server_lacks_is_named(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    with pytest.raises(CredentialsRefused, match="GSSAPI"):
        async with opened(at(dovecot, mailbox, mechanisms=("GSSAPI",)), tls):
            pass


async def test_a_message_over_the_limit_comes_as_its_header(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    for size in (100, 200_000, 300):
        mailbox.append(letter(size, size=size))
    async with opened(at(dovecot, mailbox), tls, message_limit=100_000) as session:
        await session.select("INBOX")
        small, big, other = await all_of(session, [1, 2, 3])
    assert small.cut is None
    assert other.cut is None
    assert big.cut == "over the limit of 100000 bytes"
    assert bytes(big.content).endswith(b"Message-ID: <200000@example.org>\r\n\r\n")
    assert big.size > 199_000


async def test_a_big_message_does_not_sit_in_memory(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    mailbox.append(letter(1, size=50 * 1024 * 1024))
    expected = letter(1, size=50 * 1024 * 1024)
    async with opened(at(dovecot, mailbox, Security.PLAIN), tls, bounds=Bounds()) as session:
        await session.select("INBOX")
        found = [identity async for identity in session.identities([1])]
        before = resident()
        (message,) = [message async for message in session.fetch(found)]
        grown = resident() - before
        assert isinstance(message.content, mmap)
        assert len(message.content) == len(expected)
        assert message.content[:] == expected
    assert grown < 16 * 1024 * 1024


def resident() -> int:
    """Bytes of memory that are this process' own now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def test_mail_without_a_message_id_is_told_apart_by_the_rest(
    dovecot: Dovecot, mailbox: Account, tls: Tls
) -> None:
    mailbox.append(b"Subject: none\r\n\r\nx")
    mailbox.append(b"Message-ID:\r\n\t<folded@example.org>\r\n\r\nx")
    async with opened(at(dovecot, mailbox), tls) as session:
        await session.select("INBOX")
        found = [identity async for identity in session.identities([1, 2])]
    assert [identity.message_id for identity in found] == ["", "<folded@example.org>"]


# Servers that do other things

SIGN_IN = """
    S: * OK [CAPABILITY IMAP4rev1] hello
    C: A1 LOGIN ann
    S: A1 OK [CAPABILITY IMAP4rev1] welcome
"""
SELECT = (
    SIGN_IN
    + """
    C: A2 EXAMINE INBOX
    S: * 3 EXISTS
    S: * OK [UIDVALIDITY 7] valid
    S: * OK [UIDNEXT 4] next
    S: A2 OK [READ-ONLY] done
"""
)
PASSWORD = "canary-Zk3q8"


def scripted(port: int, host: str = "localhost", **more: Any) -> ImapSettings:
    settings: dict[str, Any] = {"username": "ann", "password": Secret(PASSWORD), "security": Security.PLAIN} | more
    return ImapSettings(host=host, port=port, **settings)


def led_to_us() -> Egress:
    async def resolver(_name: str) -> Sequence[str]:
        return ["127.0.0.1"]

    return Egress(LOOPBACK.allow, resolver)


async def error_of(script: str, host: str = "localhost", then: Handler = forever, **more: Any) -> PosthouseError:
    """What is raised at a server that plays this script, signing in and opening INBOX."""
    transcript = Transcript()
    async with serving(conversation(script, then)) as port:
        with pytest.raises(PosthouseError) as caught:
            async with opened(scripted(port, host, **more), egress=led_to_us(), transcript=transcript) as mailbox:
                await mailbox.select("INBOX")
    assert PASSWORD not in transcript.text + caught.value.message
    return caught.value


def refusing(words: str) -> str:
    return f"""
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: A1 LOGIN ann
        S: {words}
    """


REFUSALS: dict[str, tuple[str, str, type[RemoteError], str]] = {
    "wrong password": (
        "localhost",
        "A1 NO [AUTHENTICATIONFAILED] Invalid credentials",
        CredentialsRefused,
        "refused the user name or password: Invalid credentials",
    ),
    "no code": ("localhost", "A1 NO Login failed", CredentialsRefused, "Login failed"),
    "echoed": ("localhost", f"A1 NO no user ann with {PASSWORD}", CredentialsRefused, r"with \*\*\*"),
    "Gmail": (
        "imap.gmail.com",
        "A1 NO [ALERT] Application-specific password required: https://support.google.com/x (Failure)",
        CredentialsRefused,
        "apppasswords",
    ),
    "Gmail by another name": (
        "localhost",
        "A1 NO [ALERT] Application-specific password required (Failure)",
        CredentialsRefused,
        "make an app password",
    ),
    "Microsoft": ("outlook.office365.com", "A1 NO LOGIN failed.", CredentialsRefused, "OAuth"),
    "Yahoo": ("imap.mail.yahoo.com", "A1 NO [AUTHENTICATIONFAILED] LOGIN Invalid", CredentialsRefused, "app password"),
    "a command that it does not understand": ("localhost", "A1 BAD Error in IMAP command", Refused, "refused LOGIN"),
    "TLS first": ("localhost", "A1 NO [PRIVACYREQUIRED] Use TLS", TlsFailed, "startTls"),
    "unavailable": ("localhost", "A1 NO [UNAVAILABLE] Temporary failure", Deferred, "can't serve us now"),
    "in use": ("localhost", "A1 NO [INUSE] Mailbox is locked", Deferred, "locked"),
    "limit": ("localhost", "A1 NO [LIMIT] Maximum number of connections", Deferred, "Maximum"),
    "too many": (
        "imap.gmail.com",
        "A1 NO [ALERT] Too many simultaneous connections. (Failure)",
        Deferred,
        r"Too many.*\(it lets in only so many",
    ),
    "bandwidth": (
        "imap.gmail.com",
        "A1 NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)",
        Deferred,
        r"bandwidth.*within a day\)",
    ),
    "slowed down": ("imap.gmail.com", "A1 NO [THROTTLED] Login failed", Deferred, "slowed down for a while"),
    "throttled": (
        "outlook.office365.com",
        "A1 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds",
        Deferred,
        "throttled",
    ),
    "goodbye, too many": ("localhost", "* BYE Too many connections from your IP", Deferred, "Too many"),
    "goodbye": ("localhost", "* BYE Idle for too long", Unreachable, "closed the connection: Idle for too long"),
}


@pytest.mark.parametrize(("host", "words", "kind", "shown"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refused_sign_in_is_told_apart(host: str, words: str, kind: type[RemoteError], shown: str) -> None:
    error = await error_of(refusing(words), host)
    assert type(error) is kind
    assert re.search(shown, error.message), error.message
    assert host in error.message
    assert isinstance(error, RemoteError)
    assert error.stage is (Stage.TLS if kind is TlsFailed else Stage.SIGN_IN)


@pytest.mark.parametrize(
    ("words", "pause"),
    [
        ("A1 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", timedelta(seconds=92.415)),
        ("A1 BAD Request is throttled. Suggested Backoff Time: 604800000 milliseconds", timedelta(hours=1)),
        ("A1 NO [ALERT] Too many simultaneous connections. (Failure)", timedelta(minutes=5)),
        ("A1 NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded", timedelta(minutes=5)),
        ("A1 NO [LIMIT] LOGIN Rate limit hit.", timedelta(minutes=1)),
        ("A1 NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", timedelta(hours=1)),
        ("A1 NO [OVERQUOTA] Try another day", timedelta(hours=1)),
        ("A1 NO [THROTTLED] Login failed", timedelta(minutes=10)),
        ("* BYE Account exceeded command or bandwidth limits", timedelta(hours=1)),
        ("A1 NO [UNAVAILABLE] Later", None),
    ],
)
async def test_the_servers_wish_to_be_left_alone_is_passed_on(words: str, pause: timedelta | None) -> None:
    error = await error_of(refusing(words))
    assert isinstance(error, Deferred)
    assert error.retry_after == pause


async def test_a_sign_in_that_only_seemed_to_work_is_found_out() -> None:
    error = await error_of(
        """
        S: * OK [CAPABILITY IMAP4rev1 NAMESPACE] hello
        C: A1 LOGIN ann
        S: A1 OK [CAPABILITY IMAP4rev1 NAMESPACE] LOGIN completed.
        C: A2 NAMESPACE
        S: A2 BAD User is authenticated but not connected.
        """,
        "outlook.office365.com",
    )
    assert type(error) is CredentialsRefused
    assert "OAuth" in error.message


async def test_netease_is_told_who_we_are_first() -> None:
    script = """
        S: * OK Coremail System IMap Server Ready
        C: A1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ID
        S: A1 OK CAPABILITY completed
        C: A2 ID ("name" "Posthouse")
        S: * ID NIL
        S: A2 OK ID completed
        C: A3 LOGIN ann
        S: A3 OK LOGIN completed
        C: A4 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ID
        S: A4 OK CAPABILITY completed
        C: A5 ID ("name" "Posthouse")
        S: * ID NIL
        S: A5 OK ID completed
        C: A6 EXAMINE INBOX
        S: A6 NO EXAMINE Unsafe Login. Please contact kefu@188.com for help
        C: A7 LIST
        S: A7 NO LIST Unsafe Login.
    """
    error = await error_of(script, "imap.163.com")
    assert type(error) is FolderMissing
    assert "Unsafe Login" in error.message


async def test_icloud_may_know_a_user_without_the_domain() -> None:
    script = """
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: A1 LOGIN ann@icloud.com
        S: A1 NO [AUTHENTICATIONFAILED] Authentication failed
        C: A2 LOGIN ann
        S: A2 OK [CAPABILITY IMAP4rev1] welcome
    """
    async with serving(conversation(script)) as port:
        settings = scripted(port, "imap.mail.me.com", username="ann@icloud.com")
        async with opened(settings, egress=led_to_us()):
            pass


async def test_a_tls_port_without_tls_leaves_a_hint() -> None:
    bounds = Bounds(connect=0.2, goodbye=0.05)
    async with serving(forever) as port:
        with pytest.raises(Unreachable, match="maybe this port speaks TLS") as caught:
            async with opened(scripted(port), bounds=bounds):
                pass
    assert caught.value.stage is Stage.GREETING


@pytest.mark.parametrize("greeting", ["220 smtp.example.com ESMTP", "HTTP/1.1 400 Bad Request", "\x16\x03\x01"])
async def test_another_protocol_is_recognised_by_its_greeting(greeting: str) -> None:
    error = await error_of(f"S: {greeting}")
    assert type(error) is Garbled
    assert isinstance(error, RemoteError)
    assert error.stage is Stage.GREETING


STARTTLS = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello\nC: A1 STARTTLS\n"


@pytest.mark.parametrize(
    "script",
    [
        "S: * OK [CAPABILITY IMAP4rev1] hello\nC: A1 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: A1 OK done",
        "S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello",
        STARTTLS + "S: A1 NO not today",
        STARTTLS + "S: A1 OK go\nS: * OK injected",
    ],
    ids=["stripped", "preauth", "refused", "injected"],
)
async def test_starttls_is_had_or_nothing_is_said(script: str) -> None:
    error = await error_of(script, security=Security.STARTTLS)
    assert type(error) is TlsFailed


async def test_a_password_that_cannot_be_said_is_refused_here() -> None:
    script = "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR LOGINDISABLED] hello"
    error = await error_of(script, password=Secret("nul\0inside"))
    assert type(error) is CredentialsRefused


async def test_a_folder_that_is_not_ready_is_deferred() -> None:
    error = await error_of(
        SIGN_IN + "C: A2 EXAMINE\nS: A2 NO [UNAVAILABLE] Temporary authentication failure.\nC: A3 LOGOUT"
    )
    assert type(error) is Deferred


async def test_a_server_that_says_little_of_a_folder_is_understood() -> None:
    script = (
        SIGN_IN
        + """
        C: A2 EXAMINE INBOX
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 0] none
        S: A2 OK done
        C: A3 FETCH 2 (UID)
        S: * 2 FETCH (UID 41)
        S: A3 OK done
        C: A4 EXAMINE empty
        S: * 0 EXISTS
        S: * OK [UIDVALIDITY 5] ok
        S: A4 OK done
        C: A5 EXAMINE sticky
        S: * 0 EXISTS
        S: * OK [UIDVALIDITY 5] ok
        S: * NO [UIDNOTSTICKY] no
        S: A5 OK done
    """
    )
    async with serving(conversation(script)) as port, opened(scripted(port)) as mailbox:
        seen = await mailbox.select("INBOX")
        assert (seen.uid_validity, seen.next_uid, seen.exists) == (None, 42, 2)
        known = Cursor(folder="empty", uid_validity=5, next_uid=17)
        assert plan(known, await mailbox.select("empty", known)) == Nothing()
        assert (await mailbox.select("sticky")).uid_validity is None


# What has come to an open folder


async def test_few_small_messages_come_in_one_breath_with_what_is_told_of_them(
    dovecot: Dovecot, mailbox: Account, tls: Tls
) -> None:
    mailbox.append(letter(1))
    async with opened(at(dovecot, mailbox), tls) as session:
        seen = await session.select("INBOX")
        letters = [letter(2), letter(3, size=32 * 1024), letter(4)]
        for each in letters:
            mailbox.append(each)
        assert await session.anything_new()
        small, long, other = await session.arrivals(seen.next_uid)
        assert [one.identity.uid for one in (small, long, other)] == [2, 3, 4]
        assert [one.identity.size for one in (small, long, other)] == [len(each) for each in letters]
        assert small.message is not None
        assert small.message.content == letters[0]
        assert other.message is not None
        assert other.message.content == letters[2]
        assert long.message is None
        assert [message.content async for message in session.fetch([long.identity])] == [letters[1]]
        assert small.message.internal_date == small.identity.internal_date is not None


async def test_of_many_that_come_only_the_sizes_are_asked_for(dovecot: Dovecot, mailbox: Account, tls: Tls) -> None:
    transcript = Transcript()
    async with opened(at(dovecot, mailbox), tls, transcript=transcript) as session:
        seen = await session.select("INBOX")
        for number in range(4):
            mailbox.append(letter(number))
        assert await session.anything_new()
        assert [one.message for one in await session.arrivals(seen.next_uid)] == [None] * 4
        assert "BODY" not in transcript.text
        mailbox.append(letter(5))
        assert await session.anything_new()
        [fifth] = await session.arrivals(5)
        assert fifth.message is not None


async def test_a_server_that_gives_no_beginnings_is_asked_for_sizes_from_then_on() -> None:
    script = (
        SELECT
        + """
        C: A3 NOOP
        S: * 4 EXISTS
        S: A3 OK done
        C: A4 UID FETCH 4:* (UID INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.32768>)
        S: A4 BAD what is that
        C: A5 UID FETCH 4:* (UID INTERNALDATE RFC822.SIZE)
        S: * 4 FETCH (UID 4 RFC822.SIZE 9)
        S: A5 OK done
        C: A6 NOOP
        S: * 5 EXISTS
        S: A6 OK done
        C: A7 UID FETCH 5:* (UID INTERNALDATE RFC822.SIZE)
        S: * 5 FETCH (UID 5 RFC822.SIZE 9 BODY[] {4}
        S: what)
        S: A7 OK done
    """
    )
    async with serving(conversation(script)) as port, opened(scripted(port)) as mailbox:
        await mailbox.select("INBOX")
        assert await mailbox.anything_new()
        assert [(one.identity.uid, one.message) for one in await mailbox.arrivals(4)] == [(4, None)]
        assert await mailbox.anything_new()
        assert [(one.identity.uid, one.message) for one in await mailbox.arrivals(5)] == [(5, None)], "it was not asked"


def known(*uids: int) -> list[Identity]:
    return [Identity(uid=uid, size=1, internal_date=None, message_id="") for uid in uids]


async def test_a_message_that_is_announced_and_not_there_yet_is_asked_for_again() -> None:
    script = (
        SELECT
        + """
        C: A3 UID FETCH 1:2
        S: * 1 FETCH (UID 1 BODY[] {1}
        S: x)
        S: A3 OK done
        C: A4 UID SEARCH UID 2
        S: * SEARCH 2
        S: A4 OK done
        C: A5 UID FETCH 2
        S: * 2 FETCH (UID 2 BODY[] {1}
        S: y)
        S: A5 OK done
    """
    )
    async with serving(conversation(script)) as port, opened(scripted(port), again=(0.01,)) as mailbox:
        await mailbox.select("INBOX")
        assert [message.content async for message in mailbox.fetch(known(1, 2))] == [b"x", b"y"]


async def test_a_message_that_is_gone_is_not_waited_for() -> None:
    script = (
        SELECT
        + """
        C: A3 UID FETCH 1:2
        S: * 1 FETCH (UID 1 BODY[] {1}
        S: x)
        S: A3 OK done
        C: A4 UID SEARCH UID 2
        S: * SEARCH
        S: A4 OK done
    """
    )
    async with serving(conversation(script)) as port, opened(scripted(port), again=(3600,)) as mailbox:
        await mailbox.select("INBOX")
        assert [message.content async for message in mailbox.fetch(known(1, 2))] == [b"x"]


async def test_a_message_that_the_server_never_gives_is_handed_on_as_such() -> None:
    script = (
        SELECT
        + """
        C: A3 UID FETCH 1
        S: * 1 FETCH (UID 1 RFC822.SIZE 99)
        S: A3 OK done
        C: A4 UID SEARCH UID 1
        S: * SEARCH 1
        S: A4 OK done
        C: A5 UID FETCH 1 (UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER])
        S: * 1 FETCH (UID 1 BODY[HEADER] "Subject: hi")
        S: A5 OK done
    """
    )
    async with serving(conversation(script)) as port, opened(scripted(port)) as mailbox:
        await mailbox.select("INBOX")
        (message,) = [message async for message in mailbox.fetch(known(1))]
    assert message.content == b"Subject: hi"
    assert message.cut == "the server gives the header and not the message"


async def test_a_range_that_is_refused_for_one_message_is_cut_down_to_it() -> None:
    # Yahoo refuses the whole command for a message that it can't read.
    no = "NO [UNAVAILABLE] UID FETCH Server error - Please try again later"
    script = (
        SELECT
        + f"""
        C: A3 UID FETCH 1:3
        S: A3 {no}
        C: A4 UID FETCH 1 (
        S: * 1 FETCH (UID 1 BODY[] "x")
        S: A4 OK done
        C: A5 UID FETCH 2:3
        S: A5 {no}
        C: A6 UID FETCH 2 (
        S: A6 {no}
        C: A7 UID FETCH 2 (UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER])
        S: A7 {no}
        C: A8 UID FETCH 3 (
        S: * 3 FETCH (UID 3 BODY[] "z")
        S: A8 OK done
    """
    )
    async with serving(conversation(script)) as port, opened(scripted(port)) as mailbox:
        await mailbox.select("INBOX")
        messages = [message async for message in mailbox.fetch(known(1, 2, 3))]
    assert [(message.uid, bytes(message.content)) for message in messages] == [(1, b"x"), (2, b""), (3, b"z")]
    assert messages[1].cut is not None
    assert "Server error" in messages[1].cut


async def test_a_server_that_refuses_everything_is_given_up() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.split(b" ")[0] + b" NO [UNAVAILABLE] not now\r\n")

    async with serving(conversation(SELECT, refuse)) as port, opened(scripted(port)) as mailbox:
        await mailbox.select("INBOX")
        with pytest.raises(Deferred, match="not now"):
            [message async for message in mailbox.fetch(known(*range(1, 200)))]


async def test_throttling_ends_a_fetch_at_once() -> None:
    script = SELECT + "C: A3 UID FETCH 1:3\nS: A3 BAD Request is throttled. Suggested Backoff Time: 1000 milliseconds"
    async with serving(conversation(script)) as port, opened(scripted(port)) as mailbox:
        await mailbox.select("INBOX")
        with pytest.raises(Deferred) as caught:
            [message async for message in mailbox.fetch(known(1, 2, 3))]
    assert caught.value.retry_after == timedelta(seconds=1)


async def test_a_full_mailbox_is_not_taken_for_a_used_up_day() -> None:
    script = SIGN_IN + "C: A2 APPEND Sent\nS: A2 NO [OVERQUOTA] Mailbox is full"
    async with serving(conversation(script)) as port, opened(scripted(port)) as mailbox:
        with pytest.raises(Deferred) as caught:
            await mailbox.append("Sent", b"Subject: x\r\n\r\n", datetime.now(UTC))
    assert caught.value.message.endswith("can't serve us now: Mailbox is full")
    assert caught.value.retry_after is None


async def test_a_refused_search_is_refused() -> None:
    script = SELECT + "C: A3 UID SEARCH\nS: A3 NO [CANNOT] no such key\nC: A4 LOGOUT"
    async with serving(conversation(script)) as port, opened(scripted(port)) as mailbox:
        await mailbox.select("INBOX")
        with pytest.raises(Refused, match="refused UID SEARCH: no such key"):
            await mailbox.search(range(1, 4))


async def test_a_connection_that_breaks_in_a_transfer_is_unreachable_there() -> None:
    script = SELECT + "C: A3 UID FETCH 1:2\nS: * 1 FETCH (UID 1 BODY[] {100}\nS: half"
    async with serving(conversation(script, hang_up)) as port, opened(scripted(port)) as mailbox:
        await mailbox.select("INBOX")
        with pytest.raises(Unreachable) as caught:
            [message async for message in mailbox.fetch(known(1, 2))]
    assert caught.value.stage is Stage.TRANSFER


async def test_a_message_that_never_ends_ends_with_our_patience() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b".")
            await asyncio.sleep(0.01)

    script = SELECT + "C: A3 UID FETCH 1\nS: * 1 FETCH (UID 1 BODY[] {1000000}"
    bounds = Bounds(command=0.3, goodbye=0.05)
    async with serving(conversation(script, drip)) as port, opened(scripted(port), bounds=bounds) as mailbox:
        await mailbox.select("INBOX")
        with pytest.raises(Unreachable, match="too slow"):
            [message async for message in mailbox.fetch(known(1))]


async def test_goodbye_is_never_an_error() -> None:
    async with serving(conversation(SIGN_IN, hang_up)) as port, opened(scripted(port)) as mailbox:
        await asyncio.sleep(0.05)
        await mailbox.close()
        await mailbox.close()
