"""Each peer starts, serves clients of the standard library, and leaves nothing behind."""

import base64
import imaplib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from peers.dovecot import Dovecot
from peers.keeper import children_of
from peers.mailbox import Mailbox
from peers.postgres import Postgres
from peers.process import PeerFailed, Process, free_ports
from peers.smtpd import SmtpServer

MESSAGE = b"From: ann@example.org\r\nSubject: hello\r\n\r\n.a line\r\nna\xc3\xafve\r\n"


T = TypeVar("T")


def eventually(look: Callable[[], T]) -> T:
    """The first truthy answer; for what a server does a moment after it has answered."""
    deadline = time.monotonic() + 20
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


# Dovecot


def test_dovecot_offers_the_extensions_that_matter(mailbox: Mailbox) -> None:
    with mailbox.server.signed_in(mailbox.address) as imap:
        offered = imap.capability()[1][0].decode().split()
    wanted = {
        "IDLE",
        "CONDSTORE",
        "QRESYNC",
        "NOTIFY",
        "UIDPLUS",
        "MOVE",
        "SPECIAL-USE",
        "LITERAL+",
        "ENABLE",
        "ESEARCH",
    }
    assert wanted <= set(offered)


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"])
def test_dovecot_signs_in_by(mechanism: str, mailbox: Mailbox) -> None:
    name, word, token = mailbox.address, mailbox.password, mailbox.server.token(mailbox.address)
    with imaplib.IMAP4(mailbox.server.host, mailbox.server.imap_port, timeout=30) as imap:
        match mechanism:
            case "LOGIN":
                imap.login(name, word)
            case "PLAIN":
                imap.authenticate("PLAIN", lambda _: f"\0{name}\0{word}".encode())
            case "CRAM-MD5":
                imap.login_cram_md5(name, word)
            case "XOAUTH2":
                imap.authenticate("XOAUTH2", lambda _: f"user={name}\1auth=Bearer {token}\1\1".encode())
            case "OAUTHBEARER":
                imap.authenticate("OAUTHBEARER", lambda _: f"n,a={name},\1auth=Bearer {token}\1\1".encode())
        assert imap.select()[0] == "OK"


def test_dovecot_refuses_an_expired_token(mailbox: Mailbox) -> None:
    expired = mailbox.server.token(mailbox.address, seconds=-60)
    with (
        imaplib.IMAP4(mailbox.server.host, mailbox.server.imap_port, timeout=30) as imap,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        imap.authenticate("XOAUTH2", lambda _: f"user={mailbox.address}\1auth=Bearer {expired}\1\1".encode())


def test_dovecot_refuses_a_wrong_password_until_it_is_changed(mailbox: Mailbox) -> None:
    with imaplib.IMAP4(mailbox.server.host, mailbox.server.imap_port, timeout=30) as imap:
        for _ in range(3):
            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                imap.login(mailbox.address, "wrong")
        mailbox.server.add_user(mailbox.address, "wrong")
        imap.login(mailbox.address, "wrong")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_dovecots_certificate_is_good_for(name: str, dovecot: Dovecot) -> None:
    trusted = dovecot.authority.trusted()
    with imaplib.IMAP4_SSL(name, dovecot.imaps_port, ssl_context=trusted, timeout=30) as imap:
        assert imap.noop()[0] == "OK"
    with imaplib.IMAP4(name, dovecot.imap_port, timeout=30) as imap:
        assert imap.starttls(trusted)[0] == "OK"


def test_a_stranger_to_the_authority_does_not_trust_dovecot(dovecot: Dovecot) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("localhost", dovecot.imaps_port, ssl_context=ssl.create_default_context(), timeout=30)


def test_delivered_mail_arrives_with_its_envelope_sender(mailbox: Mailbox) -> None:
    mailbox.deliver(MESSAGE, sender="bounce@example.net")
    [message] = mailbox.messages()
    assert message.raw.startswith(b"Return-Path: <bounce@example.net>\r\n")
    assert message.raw.endswith(MESSAGE)
    assert "\\Seen" not in message.flags


def test_appended_mail_is_kept_byte_for_byte(mailbox: Mailbox) -> None:
    when = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    first = mailbox.append(MESSAGE, "Some folder", flags=("\\Seen", "$Own"))
    second = mailbox.server.append(mailbox.address, MESSAGE, "Some folder", date=when)
    messages = mailbox.messages("Some folder")
    assert [message.uid for message in messages] == [first, second]
    assert [message.raw for message in messages] == [MESSAGE, MESSAGE]
    assert {"\\Seen", "$Own"} <= messages[0].flags
    assert "03-Feb-2001" in messages[1].internal_date


def test_planted_mail_may_hold_what_no_protocol_lets_through(mailbox: Mailbox) -> None:
    mailbox.server.plant(mailbox.address, b"Subject: nul\n\na\0b\n")
    [message] = mailbox.messages()
    assert message.raw == b"Subject: nul\r\n\r\na\x80b\r\n"


def test_idle_hears_of_new_mail(mailbox: Mailbox) -> None:
    with socket.create_connection((mailbox.server.host, mailbox.server.imap_port), timeout=30) as connection:
        lines = connection.makefile("rb")
        connection.sendall(f"1 LOGIN {mailbox.address} {mailbox.password}\r\n2 SELECT INBOX\r\n3 IDLE\r\n".encode())
        while not lines.readline().startswith(b"+ "):
            pass
        mailbox.deliver(MESSAGE)
        assert lines.readline() == b"* 1 EXISTS\r\n"


# SMTP


@pytest.fixture
def sender(smtp_server: SmtpServer, mailbox: Mailbox) -> Mailbox:
    mailbox.may_send(smtp_server)
    return mailbox


def connect(server: SmtpServer, how: str) -> smtplib.SMTP:
    trusted = server.authority.trusted()
    if how == "tls":
        return smtplib.SMTP_SSL("localhost", server.tls_port, context=trusted, timeout=30)
    if how == "starttls":
        smtp = smtplib.SMTP("localhost", server.starttls_port, timeout=30)
        assert not smtp.ehlo()[1].count(b"AUTH"), "the sign-in is not offered in the clear"
        smtp.starttls(context=trusted)
        return smtp
    return smtplib.SMTP("localhost", server.plain_port, timeout=30)


@pytest.mark.parametrize("how", ["plain", "starttls", "tls"])
@pytest.mark.parametrize("mechanism", ["plain", "login", "cram_md5"])
def test_mail_is_sent_after_a_sign_in(how: str, mechanism: str, smtp_server: SmtpServer) -> None:
    ann, bob = f"ann-{how}-{mechanism}@example.org", f"bob-{how}-{mechanism}@example.net"
    smtp_server.add_user(ann, 'p$: "w}\\ ')
    smtp_server.add_user(bob, "other")
    with connect(smtp_server, how) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = ann, 'p$: "w}\\ '
        answer = getattr(smtp, f"auth_{mechanism}")
        assert smtp.auth(mechanism.upper().replace("_", "-"), answer)[0] == 235
        assert smtp.sendmail(ann, [ann, bob], MESSAGE) == {}
    for address in (ann, bob):
        [copy] = smtp_server.wait_for(address)
        assert (copy.sender, copy.recipient) == (ann, address)
        assert copy.raw.endswith(MESSAGE.replace(b"\r\n", b"\n"))


def test_a_password_is_compared_as_utf_8(smtp_server: SmtpServer) -> None:
    smtp_server.add_user("umlaut@example.org", "grüß")
    with connect(smtp_server, "plain") as smtp:
        smtp.ehlo()
        said = base64.b64encode("\0umlaut@example.org\0grüß".encode()).decode()
        assert smtp.docmd("AUTH PLAIN", said)[0] == 235


def test_sent_mail_arrives_at_dovecot_too(smtp_server: SmtpServer, sender: Mailbox) -> None:
    with connect(smtp_server, "tls") as smtp:
        smtp.login(sender.address, sender.password)
        smtp.sendmail(sender.address, [sender.address], MESSAGE)
    [message] = eventually(sender.messages)
    assert message.raw.endswith(MESSAGE)
    assert len(smtp_server.wait_for(sender.address)) == 1


def test_nobody_sends_without_a_sign_in(smtp_server: SmtpServer) -> None:
    with connect(smtp_server, "plain") as smtp:
        smtp.ehlo()
        assert smtp.mail("ann@example.org")[0] == 530


def test_wrong_credentials_get_535(smtp_server: SmtpServer, sender: Mailbox) -> None:
    with connect(smtp_server, "plain") as smtp:
        for name, word in [
            (sender.address, "wrong"),
            ("nobody@example.org", ""),
            ("nobody@example.org", "x"),
        ]:
            with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
                smtp.login(name, word)
            assert refusal.value.smtp_code == 535


def test_an_unknown_recipient_gets_550_and_the_others_their_mail(smtp_server: SmtpServer, sender: Mailbox) -> None:
    with connect(smtp_server, "plain") as smtp:
        smtp.login(sender.address, sender.password)
        refused = smtp.sendmail(sender.address, ["nobody@example.org", sender.address], MESSAGE)
    assert {address: code for address, (code, _) in refused.items()} == {"nobody@example.org": 550}
    assert len(smtp_server.wait_for(sender.address)) == 1


# PostgreSQL


def test_every_fresh_database_is_its_own(postgres: Postgres) -> None:
    one, two = postgres.fresh_database(), postgres.fresh_database()
    postgres.sql("CREATE TABLE mine (id int)", url=one)
    assert postgres.sql("SELECT to_regclass('mine')", url=one) == "mine"
    assert postgres.sql("SELECT to_regclass('mine')", url=two) == ""


def test_a_database_can_be_copied(postgres: Postgres) -> None:
    template = postgres.fresh_database()
    postgres.sql("CREATE TABLE greeting AS SELECT 'grüß dich' AS words", url=template)
    copy = postgres.fresh_database(template)
    assert postgres.sql("SELECT words FROM greeting", url=copy) == "grüß dich"
    postgres.drop(copy)
    with pytest.raises(PeerFailed, match="does not exist"):
        postgres.sql("SELECT 1", url=copy)


async def test_a_database_can_be_reached_by_its_url(postgres_url: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SHOW max_connections") == "200"
    finally:
        await connection.close()


# Beginning and end


@pytest.mark.parametrize("make", [Dovecot, SmtpServer, Postgres])
def test_a_stopped_peer_leaves_nothing(make: type[Dovecot | SmtpServer | Postgres]) -> None:
    peer = make()
    peer.start()
    directory, family = peer.process.directory, family_of(peer.process.keeper_pid)
    assert len(family) > 1
    peer.stop()
    peer.stop()
    assert not directory.exists()
    assert still_alive(family) == set()


@pytest.mark.parametrize("module", ["dovecot.Dovecot", "smtpd.SmtpServer", "postgres.Postgres"])
def test_a_peer_ends_when_its_test_run_is_killed(module: str) -> None:
    file, name = module.split(".")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(file=file, name=name)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    with holder, holder.stdout as said:
        directory = Path(said.readline().strip())
        family = family_of(int(said.readline()))
        assert len(family) > 1
        holder.kill()
    assert eventually(lambda: not still_alive(family) and not directory.exists())


HOLDER = textwrap.dedent("""
    import signal
    from peers.{file} import {name}
    peer = {name}()
    peer.start()
    print(peer.process.directory, peer.process.keeper_pid, sep="\\n", flush=True)
    signal.pause()
""")


def test_a_server_that_does_not_start_says_why() -> None:
    broken = Process("broken", account="nobody")
    with pytest.raises(PeerFailed, match="no such luck"):
        broken.start(["sh", "-c", "echo no such luck >&2; exit 3"], stop=signal.SIGTERM, ports=free_ports(1))
    assert not broken.directory.exists()


def test_what_a_server_forks_and_forgets_ends_with_it() -> None:
    server = Process("forgetful", account="nobody")
    # A process in a session of its own, deaf to TERM, whose parent has gone.
    orphan = """setsid sh -c 'trap "" TERM; exec sleep 1000'"""
    server.start(["sh", "-c", f"({orphan} &); exec sleep 1000"], stop=signal.SIGTERM, ports=[])
    assert eventually(lambda: len(family_of(server.keeper_pid)) == 3)
    family = family_of(server.keeper_pid)
    server.stop()
    assert still_alive(family) == set()


def family_of(pid: int) -> set[int]:
    """A process and all that descend from it."""
    return {pid}.union(*(family_of(child) for child in children_of(pid)))


def still_alive(pids: set[int]) -> set[int]:
    """Those of them that still run."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}
