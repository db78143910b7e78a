"""`posthouse simulate` runs a provider as it was asked for, says where, and ends when it is told."""

import asyncio
import hashlib
import imaplib
import os
import re
import signal
import smtplib
import socket
import ssl
import sys
from pathlib import Path

import pytest

from posthouse.simulator import PROFILES
from posthouse.simulator.certificate import self_signed
from posthouse.simulator.command import BadOption, Options, furnished, simulate
from posthouse.simulator.faults import NAMES

GUIDE = Path(__file__).parents[2] / "docs" / "simulator.md"


def ports(introduction):
    """IMAP, IMAP in TLS, SMTP, SMTP in TLS."""
    found = re.findall(r"127\.0\.0\.1:(\d+) .*TLS on (\d+)", introduction)
    return [int(port) for pair in found for port in pair]


async def test_it_serves_what_it_says_and_ends():
    said, stop = [], asyncio.Event()
    options = Options(messages=2, deliver_every=0.01, users=["ann@post.example:sesame"])
    running = asyncio.create_task(simulate(options, said.append, stop.wait))
    while not said:
        await asyncio.sleep(0.01)
    imap, imaps, smtp, smtps = ports(said[0])
    pin = re.search(r"sha256:([0-9a-f]{64})", said[0])[1]
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE

    def work():
        with imaplib.IMAP4_SSL("127.0.0.1", imaps, ssl_context=unchecked, timeout=10) as client:
            assert hashlib.sha256(client.socket().getpeercert(binary_form=True)).hexdigest() == pin
            client.login("ann@post.example", "sesame")
            assert int(client.select("INBOX")[1][0]) >= 2
        with imaplib.IMAP4("127.0.0.1", imap, timeout=10) as client:
            client.starttls(unchecked)
        with smtplib.SMTP_SSL("127.0.0.1", smtps, context=unchecked, timeout=10) as client:
            client.login("ann@post.example", "sesame")
        with smtplib.SMTP("127.0.0.1", smtp, timeout=10) as client:
            assert client.noop()[0] == 250

    await asyncio.to_thread(work)
    stop.set()
    await running


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_command_cleanly(ending):
    any_port = [word for name in ("imap", "imaps", "smtp", "smtps", "control") for word in (f"--{name}-port", "0")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "posthouse.cli", "simulate", *any_port, "--profile", "gmail", "--fault", "deaf_idle"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said = b""
    while b"Ctrl-C" not in said:
        said += (line := await asyncio.wait_for(process.stdout.readline(), 60))
        assert line, await process.stderr.read()
    # Somebody in the middle of something does not keep it.
    reader, writer = await asyncio.open_connection("127.0.0.1", ports(said.decode())[0])
    assert b"X-GM-EXT-1" in await reader.readline()
    process.send_signal(ending)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    writer.close()
    assert (process.returncode, errors) == (0, b"")


def test_options_become_users_faults_and_a_profile():
    provider = furnished(
        Options(
            profile="courier",
            users=["a@x.example:one", "b@x.example:t:w:o"],
            faults=["deaf_idle", "throttle:2=1500", "bye_at=FETCH", 'imap_answers={"SELECT": "NO later"}'],
            require_tls=True,
        )
    )
    assert provider.profile.delimiter == "."
    assert not provider.profile.sign_in_on_clear_text
    assert [user.password for user in provider.users.values()] == ["one", "t:w:o"]
    assert provider.faults.shown() == {
        "deaf_idle": True,
        "throttle": {"value": 1500, "times": 2},
        "bye_at": "FETCH",
        "imap_answers": {"SELECT": "NO later"},
    }


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "pigeon"},
        {"users": ["ann@post.example"]},
        {"users": ["ann:sesame"]},
        {"users": ["ann@post.example:a", "ann@post.example:b"]},
        {"faults": ["pigeon"]},
        {"faults": ["throttle=soon"]},
        {"faults": ["throttle:0=5"]},
        {"faults": ["-"]},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(BadOption):
        furnished(Options(**options))


async def test_a_taken_port_is_an_error_and_leaves_nothing_behind():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for name in ("smtps_port", "control_port"):
            with pytest.raises(OSError):
                await simulate(Options(**{name: taken.getsockname()[1]}), print, asyncio.Event().wait)


def test_the_certificate_is_trusted_by_who_is_told_to_and_may_be_expired():
    def shake_hands(certificate):
        client = ssl.create_default_context(cadata=certificate.pem)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        ours = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        theirs = certificate.context.wrap_bio(outgoing, incoming, server_side=True)
        for side in (ours, theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue

    shake_hands(self_signed())
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(self_signed(expired=True))


@pytest.mark.parametrize("name", [*NAMES, *PROFILES])
def test_every_fault_and_profile_is_in_the_guide(name):
    assert f"`{name}`" in GUIDE.read_text(encoding="utf-8")
