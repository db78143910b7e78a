"""The SMTP server, asked by the standard library's client and by hand."""

import asyncio
import base64
import email
import smtplib
from dataclasses import replace
from email.message import EmailMessage

import pytest

from posthouse.simulator import PLAIN, Provider
from simulator.clients import mail


def submit(provider: Provider, work):
    """Run `work(client)` with smtplib, signed in as ann, while our loop serves it."""

    def whole():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, "client.example", timeout=10) as client:
            client.login("ann@post.example", "sesame")
            return work(client)

    return asyncio.to_thread(whole)


def letter(*recipients: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "ann@post.example"
    message["To"] = ", ".join(recipients)
    message["Subject"] = "Grüße"
    message.set_content("Hello\n.\n..two dots\nÜber\n", cte="8bit")
    return message


async def test_mail_is_delivered_at_once_with_its_trace(provider):
    await submit(provider, lambda client: client.send_message(letter("bob@post.example")))
    inbox = provider.users["bob@post.example"].folder("INBOX").messages
    assert len(inbox) == 1
    received = email.message_from_bytes(inbox[0].data)
    assert received.keys()[:3] == ["Return-Path", "Delivered-To", "Received"]
    assert received["Return-Path"] == "<ann@post.example>"
    assert "from client.example ([127.0.0.1])" in received["Received"]
    assert "with ESMTPA id" in received["Received"]
    assert received.get_payload(decode=True).decode() == "Hello\r\n.\r\n..two dots\r\nÜber\r\n"
    assert provider.outside == []
    assert provider.changes == []


async def test_mail_for_others_leaves_and_can_be_looked_at(provider):
    recipients = ("bob@post.example", "olga@far.example", "Olga@far.example")
    await submit(provider, lambda client: client.send_message(letter(*recipients)))
    assert len(provider.users["bob@post.example"].folder("INBOX").messages) == 1
    (delivery,) = provider.outside
    assert delivery.sender == "ann@post.example"
    assert [recipient.lower() for recipient in delivery.recipients] == ["olga@far.example"]
    assert delivery.message.startswith(b"Received: ")


async def test_the_provider_files_a_copy_only_where_the_user_wants_it(provider):
    ann = provider.users["ann@post.example"]
    await submit(provider, lambda client: client.send_message(letter("olga@far.example")))
    assert ann.folder("Sent").messages == []
    ann.files_sent = True
    await submit(provider, lambda client: client.send_message(letter("olga@far.example")))
    (copy,) = ann.folder("Sent").messages
    assert copy.flags == {r"\Seen"}
    assert not copy.data.startswith(b"Received")


async def test_nobody_submits_without_signing_in(provider):
    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.send_message(letter("bob@post.example"))

    with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
        await asyncio.to_thread(work)
    assert refusal.value.smtp_code == 530


async def test_wrong_credentials_are_refused(provider):
    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.login("ann@post.example", "wrong")

    with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
        await asyncio.to_thread(work)
    assert refusal.value.smtp_code == 535


@pytest.mark.parametrize("method", ["auth_cram_md5", "auth_plain", "auth_login"])
async def test_smtplib_signs_in_with_each_mechanism(provider, method):
    def work():
        with smtplib.SMTP("127.0.0.1", provider.smtp_port, timeout=10) as client:
            client.ehlo()
            client.user, client.password = "ann@post.example", "sesame"
            name = method.removeprefix("auth_").replace("_", "-").upper()
            return client.auth(name, getattr(client, method))

    assert (await asyncio.to_thread(work))[0] == 235


async def test_tls_works_both_ways(provider, client_tls):
    def starttls():
        with smtplib.SMTP("localhost", provider.smtp_port, timeout=10) as client:
            client.starttls(context=client_tls)
            client.ehlo()
            assert not client.has_extn("starttls")
            client.login("ann@post.example", "sesame")
            client.send_message(letter("bob@post.example"))

    def implicit():
        with smtplib.SMTP_SSL("localhost", provider.smtps_port, context=client_tls, timeout=10) as client:
            client.login("ann@post.example", "sesame")
            client.send_message(letter("bob@post.example"))

    await asyncio.to_thread(starttls)
    await asyncio.to_thread(implicit)
    messages = provider.users["bob@post.example"].folder("INBOX").messages
    assert [b"with ESMTPSA id" in message.data for message in messages] == [True, True]


async def test_an_unknown_local_recipient_is_refused_and_the_others_are_not(provider):
    refused = await submit(
        provider, lambda client: client.send_message(letter("nobody@post.example", "bob@post.example"))
    )
    assert refused["nobody@post.example"][0] == 550
    assert refused["nobody@post.example"][1].startswith(b"5.1.1")
    assert len(provider.users["bob@post.example"].folder("INBOX").messages) == 1


@pytest.fixture
async def session(provider, connect):
    """A raw client that has introduced itself and signed in as ann."""
    raw = await connect(provider.smtp_port)
    await raw.line()
    await raw.smtp("EHLO client.example")
    plain = base64.b64encode(b"\0ann@post.example\0sesame").decode()
    assert (await raw.smtp(f"AUTH PLAIN {plain}"))[-1].startswith("235")
    return raw


async def test_ehlo_names_the_extensions(provider, connect):
    raw = await connect(provider.smtp_port)
    await raw.line()
    words = {line[4:].split()[0] for line in (await raw.smtp("EHLO me"))[1:]}
    assert words >= {"8BITMIME", "SIZE", "PIPELINING", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "AUTH"}


async def test_commands_may_be_pipelined(provider, session):
    await session.send(
        "MAIL FROM:<ann@post.example> SIZE=10 BODY=8BITMIME RET=HDRS\r\n"
        "RCPT TO:<bob@post.example> NOTIFY=NEVER\r\nRCPT TO:<no@post.example>\r\nDATA\r\n"
    )
    codes = [(await session.line())[:3] for _ in range(4)]
    assert codes == ["250", "250", "550", "354"]
    assert (await session.smtp("Subject: x\r\n\r\n..dot\r\n."))[-1].startswith("250 2.0.0")
    assert provider.users["bob@post.example"].folder("INBOX").messages[0].data.endswith(b"\r\n\r\n.dot\r\n")


async def test_an_empty_message_ends_at_its_first_line(provider, session):
    await session.smtp("MAIL FROM:<>")
    await session.smtp("RCPT TO:<olga@far.example>")
    await session.smtp("DATA")
    assert (await session.smtp("."))[-1].startswith("250")
    assert (await session.smtp("NOOP"))[-1].startswith("250")
    assert provider.outside[0].sender == ""


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n"])
async def test_only_crlf_dot_crlf_ends_a_message_and_stray_line_breaks_are_refused(provider, session, end):
    await session.smtp("MAIL FROM:<ann@post.example>")
    await session.smtp("RCPT TO:<bob@post.example>")
    await session.smtp("DATA")
    await session.send(b"Subject: x\r\n\r\nfirst" + end + b"MAIL FROM:<evil@post.example>\r\n.\r\n")
    assert (await session.line()).startswith("550 5.6.11")
    assert (await session.smtp("NOOP"))[-1].startswith("250")
    assert provider.users["bob@post.example"].folder("INBOX").messages == []


async def test_messages_over_the_limit_are_refused_by_promise_and_by_fact(connect):
    provider = Provider(replace(PLAIN, largest_message=1000))
    await provider.start()
    try:
        raw = await connect(provider.smtp_port)
        await raw.line()
        assert "250-SIZE 1000" in await raw.smtp("EHLO me")
        assert (await raw.smtp("MAIL FROM:<a@b.example> SIZE=1001"))[-1].startswith("552 5.3.4")
        assert (await raw.smtp("MAIL FROM:<a@b.example> SIZE=1000"))[-1].startswith("250")
        await raw.smtp("RCPT TO:<c@d.example>")
        await raw.smtp("DATA")
        assert (await raw.smtp("x" * 500_000 + "\r\n."))[-1].startswith("552 5.3.4")
        assert (await raw.smtp("NOOP"))[-1].startswith("250")
        assert provider.outside == []
    finally:
        await provider.stop()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("MAIL FROM:ann@post.example", "501"),
        ("MAIL FROM:<a b@post.example>", "501"),
        ("MAIL FROM:<grüße@post.example>", "553"),
        ("MAIL FROM:<grüße@post.example> SMTPUTF8", "250"),
        ("MAIL FROM:<ann@post.example> MAGIC=1", "555"),
        ("MAIL TO:<ann@post.example>", "501"),
        ("RCPT TO:<bob@post.example>", "503"),
        ("DATA", "503"),
        ("AUTH PLAIN x", "503"),
        ("VRFY bob", "252"),
        ("RSET", "250"),
        ("HELO again", "250"),
        ("MAGIC", "500"),
        ("NOOP\rNOOP", "500"),
    ],
)
async def test_each_command_has_its_code(session, command, code):
    assert (await session.smtp(command))[-1][:3] == code


async def test_quit_closes(session):
    assert (await session.smtp("QUIT"))[-1].startswith("221")
    assert await session.rest() == b""


async def test_what_is_said_before_the_handshake_ends_the_session(provider, connect):
    raw = await connect(provider.smtp_port)
    await raw.line()
    await raw.smtp("EHLO me")
    assert (await raw.smtp("STARTTLS\r\nMAIL FROM:<evil@far.example>"))[-1].startswith("421")
    assert await raw.rest() == b""


async def test_deliver_keeps_the_bytes_as_they_are(provider):
    odd = b"Subject: \xff\n\nbare\nlines\0"
    uid = provider.deliver("ANN@post.example", odd, folder="Odd/Things", flags=("work",))
    (message,) = provider.users["ann@post.example"].folder("Odd/Things").messages
    assert (message.uid, message.data, message.flags) == (uid, odd, {"work"})
    with pytest.raises(KeyError):
        provider.deliver("nobody@post.example", mail("x"))
