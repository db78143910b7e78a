"""How long a message takes from its delivery to somebody who waits for it, beside the least that is possible.

A private Dovecot gets messages by LMTP. Two hear of each of them in the same run: a client of a few lines that idles
(RFC 2177) and reads nothing but the server's `EXISTS`, which is as soon as anybody can know; and the official SDK in
`waitForLatestEmail` at a `posthouse serve`, which returns with the email itself: told of, fetched, read, filed,
durable, and served. Messages come by turns after a quiet while and 1 to 2 s after another. At the end 200 mailboxes
get one at the same moment, each with somebody who waits for it.

    python -m bench.latency --pairs 30 --crowd 200
"""

import argparse
import asyncio
import json
import queue
import random
import smtplib
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mailslurp_client

from bench.first_sync import RESULTS, ROOT, say
from bench.house import KEY, PASSWORD, awaited, client, furnish, machine, many_files, served, spread, switch_on
from bench.idle_stub import Stub
from peers.certificates import Authority
from peers.dovecot import Dovecot
from posthouse.model.values import InboxId

USER = "waiter@example.net"
QUIET, BUSY = (4.0, 6.0), (1.0, 2.0)  # seconds before a message
_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_PATIENCE = 30.0


@dataclass(frozen=True)
class Sample:
    """One message: what kind of while it came after, and the seconds until the raw client and the waiter had it."""

    kind: str
    raw: float
    ours: float


class Idler:
    """The raw client: signs in, opens INBOX, idles; `told` has the moment of every EXISTS."""

    def __init__(self, dovecot: Dovecot, user: str) -> None:
        self.told: queue.Queue[float] = queue.Queue()
        plain = socket.create_connection((dovecot.host, dovecot.imaps_port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = dovecot.authority.trusted().wrap_socket(plain, server_hostname=dovecot.host)
        self._lines = self._connection.makefile("rb")
        for tag, command in (("a", f"LOGIN {user} {PASSWORD}"), ("b", "EXAMINE INBOX")):
            self._connection.sendall(f"{tag} {command}\r\n".encode())
            while not self._lines.readline().startswith(f"{tag} OK".encode()):
                pass
        self._connection.sendall(b"c IDLE\r\n")
        self._lines.readline()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError, ValueError):
            while line := self._lines.readline():
                if line.endswith(b" EXISTS\r\n"):
                    self.told.put(time.monotonic())

    def close(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class Waiter:
    """The official SDK, which waits for an unread email of one inbox."""

    def __init__(self, url: str, inbox: InboxId) -> None:
        configuration = mailslurp_client.Configuration(host=url)
        configuration.api_key["x-api-key"] = KEY
        self._api = mailslurp_client.WaitForControllerApi(mailslurp_client.ApiClient(configuration))
        self._inbox = inbox

    def wait(self) -> tuple[float, str]:
        """When it was here, and its subject."""
        email = self._api.wait_for_latest_email(
            inbox_id=str(self._inbox), timeout=int(1000 * _PATIENCE), unread_only=True
        )
        return time.monotonic(), str(email.subject)


def message(number: int) -> bytes:
    return (
        f"From: bench@example.org\r\nTo: {USER}\r\nSubject: Message {number}\r\nMessage-ID: <{number}@example.org>\r\n"
        "Date: Thu, 1 Jan 2026 12:00:00 +0000\r\n\r\n" + "A line of text in a message.\r\n" * 50
    ).encode()


async def one_by_one(dovecot: Dovecot, url: str, inbox: InboxId, pairs: int) -> list[Sample]:
    """Messages by turns after a quiet while and soon after another."""
    idler, waiter = Idler(dovecot, USER), Waiter(url, inbox)
    samples = []
    try:
        for number in range(2 * pairs):
            kind, pause = ("busy", BUSY) if number % 2 else ("quiet", QUIET)
            waiting = asyncio.create_task(asyncio.to_thread(waiter.wait))
            await asyncio.sleep(random.uniform(*pause))
            await asyncio.to_thread(dovecot.deliver, USER, message(number))
            delivered = time.monotonic()
            here, subject = await waiting
            assert subject == f"Message {number}", f"waited for message {number}, and got {subject}"
            told = await asyncio.to_thread(idler.told.get, timeout=_PATIENCE)
            samples.append(Sample(kind, told - delivered, here - delivered))
    finally:
        idler.close()
    return samples


async def all_at_once(dovecot: Dovecot, url: str, users: Sequence[str], inboxes: Sequence[InboxId]) -> dict[str, Any]:
    """One message to all of these by one LMTP transaction, each waited for."""

    def deliver() -> tuple[float, float]:
        with smtplib.LMTP(dovecot.host, dovecot.lmtp_port, local_hostname="localhost", timeout=60) as lmtp:
            lmtp.ehlo_or_helo_if_needed()
            lmtp.mail("bench@example.org")
            for user in users:
                lmtp.rcpt(user)
            lmtp.data(message(0))
            first = time.monotonic()
            for _ in users[1:]:
                lmtp.getreply()  # RFC 2033 §4.2: one for each recipient
            return first, time.monotonic()

    async with client(url) as http:
        waiting = [asyncio.create_task(awaited(http, inbox)) for inbox in inboxes]
        await asyncio.sleep(3)
        first, last = await asyncio.to_thread(deliver)
        moments = await asyncio.gather(*waiting)
    return crowd_report("Dovecot", first, last, moments)


def crowd_report(server: str, first: float, last: float, moments: Sequence[float]) -> dict[str, Any]:
    """`first` and `last` are when the first and the last of the messages had been delivered."""
    return {
        "server": server,
        "delivery": last - first,
        "after the first": [moment - first for moment in moments],
        "after the last": max(moments) - last,
    }


async def with_dovecot(work: Path, pairs: int, crowd: int) -> dict[str, Any]:
    """All measurements; the crowd's only as far as Dovecot can tell so many of new mail."""
    users = [USER, *(f"crowd{number}@example.net" for number in range(crowd))]
    with ExitStack() as stack:
        dovecot = Dovecot()
        dovecot.start()
        stack.callback(dovecot.stop)
        for user in users:
            dovecot.add_user(user, PASSWORD)
        inboxes = await furnish(work / "data", dovecot.imaps_port, users)
        await switch_on(work / "data")
        server = stack.enter_context(served(work / "data", trusting=dovecot.authority.save(work / "authority.pem")))
        await settled(server.url, len(users))
        say("Message after message")
        samples = await one_by_one(dovecot, server.url, inboxes[0], pairs)
        found: dict[str, Any] = {"samples": [vars(sample) for sample in samples], "crowd": None}
        if crowd:
            say(f"{crowd} at once")
            found["crowd"] = await all_at_once(dovecot, server.url, users[1:], inboxes[1:])
    return found


async def with_stub(work: Path, crowd: int) -> dict[str, Any]:
    """The crowd at the stub, which tells all of them at the same moment."""
    authority = Authority()
    (work / "server.pem").write_text("".join(authority.issue("127.0.0.1")))
    users = [f"crowd{number}@example.net" for number in range(crowd)]
    with ExitStack() as stack:
        stub = Stub(work / "server.pem")
        stack.callback(stub.close)
        inboxes = await furnish(work / "crowd", stub.port, users)
        await switch_on(work / "crowd")
        server = stack.enter_context(served(work / "crowd", trusting=authority.save(work / "trusted.pem")))
        await settled(server.url, crowd)
        say(f"{crowd} at once")
        async with client(server.url) as http:
            waiting = [asyncio.create_task(awaited(http, inbox)) for inbox in inboxes]
            await asyncio.sleep(3)
            told = (await asyncio.to_thread(stub.deliver, users)).values()
            moments = await asyncio.gather(*waiting)
    return crowd_report("the stub", min(told), max(told), moments)


async def settled(url: str, count: int) -> None:
    """Wait until so many connectors are proved fresh, and idle."""
    began = time.monotonic()
    async with client(url) as http:
        while time.monotonic() - began < 120:
            metrics = (await http.get("/metrics")).text
            if f'posthouse_connectors{{state="fresh"}} {float(count)}' in metrics:
                await asyncio.sleep(2)
                return
            await asyncio.sleep(0.5)
    raise SystemExit("not all connectors came to be fresh")


def main() -> None:
    parser = argparse.ArgumentParser(description="From delivery to the waiter, beside a raw IDLE client.")
    parser.add_argument("--pairs", type=int, default=30, help="messages after a quiet while, and as many busy ones")
    parser.add_argument("--crowd", type=int, default=200, help="mailboxes that get one at the same moment; 0: none")
    asked = parser.parse_args()
    many_files()
    RESULTS.mkdir(parents=True, exist_ok=True)
    # Dovecot wants an inotify instance for each idle session, and falls back on looking every few seconds.
    enough = int(_INSTANCES.read_text()) > asked.crowd + 20
    with tempfile.TemporaryDirectory(prefix="latency-", dir=RESULTS) as place:
        work = Path(place)
        found = asyncio.run(with_dovecot(work, asked.pairs, asked.crowd if enough else 0))
        if asked.crowd and not enough:
            say(
                f"For {asked.crowd} idle sessions Dovecot needs a higher fs.inotify.max_user_instances: the stub serves"
            )
            found["crowd"] = asyncio.run(with_stub(work, asked.crowd))
    (RESULTS / "latency.json").write_text(
        json.dumps({"measured": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine(), **found}, indent=2)
    )
    tell(found)


def tell(found: dict[str, Any]) -> None:
    print("\n| ms after the delivery | raw IDLE | Posthouse, by the SDK | difference |\n| --- | --- | --- | --- |")
    for kind in ("quiet", "busy"):
        its = [sample for sample in found["samples"] if sample["kind"] == kind]
        if its:
            differences = [sample["ours"] - sample["raw"] for sample in its]
            columns = ([sample["raw"] for sample in its], [sample["ours"] for sample in its], differences)
            print(f"| {kind} ({len(its)}) | {' | '.join(map(spread, columns))} |")
    if crowd := found["crowd"]:
        took = crowd["after the first"]
        print(
            f"\n{len(took)} at once ({crowd['server']} took {1000 * crowd['delivery']:.0f} ms to deliver): after the "
            f"first delivery {spread(took)} ms; the last waiter {1000 * crowd['after the last']:.0f} ms after the last."
        )
    print(f"\nAll figures: {(RESULTS / 'latency.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
