"""What ten thousand connectors cost that wait for mail in one process.

A stub (`bench.idle_stub`) serves as many mailboxes by IMAP in TLS; connectors to all of them are put into a new
database, on a schedule of an hour, and `posthouse serve` looks after them: it signs in everywhere, syncs, and idles.
Told is how long that takes, what memory it holds then for each connector, what it uses of a core while nothing
happens (each mailbox is asked every 45 s whether it really has nothing new), and how long a message takes from the
server's word to somebody who waits for it by the API.

    python -m bench.scale --connectors 10000 --rest 60 --messages 50
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import sqlalchemy as sa
import trustme

from bench.first_sync import RESULTS, ROOT, machine, say
from bench.process import KEY, Server, environment, many_files, served
from posthouse.app import build
from posthouse.config import Settings
from posthouse.model.connectors import Connector, ImapConnection, ImapSettings, Security, SyncSchedule, SyncSettings
from posthouse.model.values import AccountId, ConnectorId, InboxId, Secret, new_id, utc_now
from posthouse.services.inboxes import NewInbox, add_inbox
from posthouse.store.tables import schedules

HOUR = timedelta(hours=1)
_AT_ONCE = 500  # connectors in one transaction


class Stub:
    """The stub, in a process of its own."""

    def __init__(self, certificate: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.idle_stub", str(certificate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._commands, self._answers = self._process.stdin, self._process.stdout
        self.port = int(self._answers.readline())

    def deliver(self, users: Sequence[str]) -> dict[str, float]:
        """A message for each of these. When each was told."""
        told: dict[str, float] = self._ask({"deliver": list(users)})
        return told

    @property
    def idle(self) -> int:
        """How many sessions idle."""
        return int(self._ask({"count": True})["idle"])

    def close(self) -> None:
        self._commands.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, command: dict[str, Any]) -> Any:
        print(json.dumps(command), file=self._commands, flush=True)
        return json.loads(self._answers.readline())


def user(number: int) -> str:
    return f"user{number}@example.net"


async def furnish(data: Path, port: int, count: int) -> list[InboxId]:
    """A house with connectors for users 0 to `count`, on schedules that are switched off."""
    settings = Settings(data=data, egress_allow=(ip_network("127.0.0.0/8"),))
    app = build(settings)
    async with app.opened() as services:
        made = await services.accounts.first_key(Secret(KEY))
        assert made is not None
        account, inboxes = made.account.id, list[InboxId]()
        for start in range(0, count, _AT_ONCE):
            async with app.database.transaction() as tx:
                for number in range(start, min(count, start + _AT_ONCE)):
                    inbox = await add_inbox(tx, account, NewInbox(), settings.inbox_domain, utc_now())
                    connector = a_connector(account, inbox.id)
                    await tx.connectors.add(connector)
                    await tx.connectors.set_connection(a_connection(connector, port, user(number)))
                    schedule = SyncSettings(enabled=False, interval=HOUR)
                    await tx.connectors.set_schedule(
                        SyncSchedule(id=uuid4(), account_id=account, connector_id=connector.id, settings=schedule)
                    )
                    inboxes.append(inbox.id)
    return inboxes


def a_connector(account: AccountId, inbox: InboxId) -> Connector:
    now = utc_now()
    return Connector(
        id=ConnectorId(new_id(now)),
        account_id=account,
        inbox_id=inbox,
        name=None,
        email_address=None,
        enabled=True,
        created_at=now,
        updated_at=now,
    )


def a_connection(connector: Connector, port: int, name: str) -> ImapConnection:
    settings = ImapSettings(
        host="127.0.0.1", port=port, security=Security.TLS, username=name, password=Secret("benchmark")
    )
    return ImapConnection(id=uuid4(), connector_id=connector.id, settings=settings, created_at=utc_now())


async def switch_on(data: Path) -> None:
    """Switch all schedules on, at once."""
    app = build(Settings(data=data))
    async with app.database.transaction() as tx:
        await tx.connection.execute(sa.update(schedules).values(enabled=True))
    await app.database.close()


async def all_idle(stub: Stub, server: Server, count: int) -> float:
    """Wait until all sessions idle. How many seconds it took."""
    began = said = time.monotonic()
    while (idle := stub.idle) < count:
        if time.monotonic() - said > 10:
            said = time.monotonic()
            say(f"  {idle:,} idle after {said - began:.0f} s; {server.cpu:.1f} s of CPU")
        if time.monotonic() - began > 1800:
            raise SystemExit(f"only {idle} of {count} came to idle")
        await asyncio.sleep(0.1)
    return time.monotonic() - began


@asynccontextmanager
async def client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(
        base_url=url, headers={"x-api-key": KEY}, timeout=60, limits=limits, trust_env=False
    ) as http:
        yield http


async def awaited(http: httpx2.AsyncClient, inbox: InboxId) -> float:
    """Wait for an unread email in this inbox. When it was here."""
    query = {"inboxId": str(inbox), "timeout": 30_000, "unreadOnly": True}
    answer = await http.get("/waitForLatestEmail", params=query)
    answer.raise_for_status()
    return time.monotonic()


async def messages(stub: Stub, http: httpx2.AsyncClient, inboxes: Sequence[InboxId], count: int) -> list[float]:
    """Messages to mailboxes by chance, one after the other. Seconds from the server's word to the waiter."""
    took = []
    for number in random.Random(1).sample(range(len(inboxes)), min(count, len(inboxes))):
        waiting = asyncio.create_task(awaited(http, inboxes[number]))
        await asyncio.sleep(0.5)
        told = await asyncio.to_thread(stub.deliver, [user(number)])
        took.append(await waiting - told[user(number)])
    return took


async def measure(count: int, rest: float, letters: int, work: Path) -> dict[str, Any]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (work / "server.pem").write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    authority.cert_pem.write_to_path(str(work / "authority.pem"))
    stub = Stub(work / "server.pem")
    try:
        data = work / "data"
        say(f"Making {count:,} connectors")
        inboxes = await furnish(data, stub.port, count)
        with served(data, trusting=work / "authority.pem") as server:
            await asyncio.sleep(3)
            before = server.memory
        await switch_on(data)
        with served(data, trusting=work / "authority.pem") as server:
            seconds = await all_idle(stub, server, count)
            connecting = {"seconds": seconds, "cpu": server.cpu}
            say(f"All idle after {seconds:.1f} s, {connecting['cpu']:.1f} s of CPU")
            await asyncio.sleep(5)
            fresh = server.memory
            cpu, began = server.cpu, time.monotonic()
            await asyncio.sleep(rest)
            resting = (server.cpu - cpu) / (time.monotonic() - began)
            memory = server.memory
            say(f"At rest {100 * resting:.2f} % of a core; {(memory - before) / count / 1024:.1f} KB each")
            async with client(server.url) as http:
                took = await messages(stub, http, inboxes, letters)
            still = stub.idle
    finally:
        stub.close()
    return {
        "connectors": count,
        "connecting": connecting,
        "memory": {"before": before, "fresh": fresh, "after": memory, "each": (memory - before) / count},
        "resting": resting,
        "messages": took,
        "idle at the end": still,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Many connectors that wait for mail in one process.")
    parser.add_argument("--connectors", type=int, default=10_000)
    parser.add_argument("--rest", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--messages", type=int, default=50)
    asked = parser.parse_args()
    many_files()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scale-", dir=RESULTS) as work:
        found = asyncio.run(measure(asked.connectors, asked.rest, asked.messages, Path(work)))
    report = {"measured": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine(), **found}
    (RESULTS / "scale.json").write_text(json.dumps(report, indent=2))
    took = sorted(1000 * each for each in found["messages"])
    print(f"\n| {found['connectors']:,} connectors | |\n| --- | --- |")
    print(f"| memory of each | {found['memory']['each'] / 1024:.1f} KB |")
    print(f"| CPU at rest | {100 * found['resting']:.2f} % of a core |")
    connecting = found["connecting"]
    print(f"| until all idle | {connecting['seconds']:.1f} s, {connecting['cpu']:.1f} s of CPU |")
    if took:
        p95 = took[min(len(took) - 1, int(len(took) * 0.95))]
        print(
            f"| one message to its waiter | median {statistics.median(took):.1f} ms, p95 {p95:.1f}, max {took[-1]:.1f} |"
        )
    print(f"\nAll figures: {(RESULTS / 'scale.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
