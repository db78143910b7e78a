"""What ten thousand connectors cost that wait for mail in one process.

A stub (`bench.idle_stub`) serves as many mailboxes by IMAP in TLS; connectors to all of them are put into a new
database, on a schedule of an hour, and `posthouse serve` looks after them: it signs in everywhere, syncs, and idles.
Told is how long that takes, what memory it holds then for each connector, what it uses of a core while nothing
happens (each mailbox is asked now and then whether it really has nothing new), and how long a message takes from the
server's word to somebody who waits for it by the API. With `--stall` the server says nothing any more at the end, and
told is after how many seconds that is shown.

    python -m bench.scale --connectors 10000 --rest 60 --messages 50
"""

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import trustme

from bench.first_sync import RESULTS, ROOT, say
from bench.house import Server, awaited, client, furnish, machine, many_files, served, spread, switch_on
from bench.idle_stub import Stub
from posthouse.model.values import InboxId


def user(number: int) -> str:
    return f"user{number}@example.net"


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


async def messages(stub: Stub, http: httpx2.AsyncClient, inboxes: Sequence[InboxId], count: int) -> list[float]:
    """Messages to mailboxes by chance, one after the other. Seconds from the server's word to the waiter."""
    took = []
    for number in random.Random(1).sample(range(len(inboxes)), min(count, len(inboxes))):
        waiting = asyncio.create_task(awaited(http, inboxes[number]))
        await asyncio.sleep(0.5)
        told = await asyncio.to_thread(stub.deliver, [user(number)])
        took.append(await waiting - told[user(number)])
    return took


async def all_shown(stub: Stub, data: Path, count: int) -> dict[str, float]:
    """The server stalls. After how many seconds half of the connectors, nearly all, and all show that."""
    stub.stall()
    began, shown = time.monotonic(), dict[str, float]()
    with contextlib.closing(sqlite3.connect(f"file:{data / 'posthouse.db'}?mode=ro", uri=True)) as database:
        while "all" not in shown:
            [(failing,)] = database.execute("SELECT count(*) FROM standings WHERE failures > 0")
            seconds = time.monotonic() - began
            for name, part in (("half", 0.5), ("95 %", 0.95), ("all", 1.0)):
                if failing >= part * count:
                    shown.setdefault(name, seconds)
            if seconds > 600:
                raise SystemExit(f"only {failing} of {count} are shown to fail")
            await asyncio.sleep(0.5)
    return shown


async def measure(count: int, rest: float, letters: int, work: Path, *, stall: bool) -> dict[str, Any]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (work / "server.pem").write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    authority.cert_pem.write_to_path(str(work / "authority.pem"))
    stub = Stub(work / "server.pem")
    try:
        data = work / "data"
        say(f"Making {count:,} connectors")
        inboxes = await furnish(data, stub.port, [user(number) for number in range(count)])
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
            shown = await all_shown(stub, data, count) if stall else {}
    finally:
        stub.close()
    return {
        "connectors": count,
        "connecting": connecting,
        "memory": {"before": before, "fresh": fresh, "after": memory, "each": (memory - before) / count},
        "resting": resting,
        "messages": took,
        "idle at the end": still,
        "shown": shown,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Many connectors that wait for mail in one process.")
    parser.add_argument("--connectors", type=int, default=10_000)
    parser.add_argument("--rest", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--stall", action="store_true", help="at the end, have the server stall")
    asked = parser.parse_args()
    many_files()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scale-", dir=RESULTS) as work:
        found = asyncio.run(measure(asked.connectors, asked.rest, asked.messages, Path(work), stall=asked.stall))
    report = {"measured": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine(), **found}
    (RESULTS / "scale.json").write_text(json.dumps(report, indent=2))
    took = found["messages"]
    print(f"\n| {found['connectors']:,} connectors | |\n| --- | --- |")
    print(f"| memory of each | {found['memory']['each'] / 1024:.1f} KB |")
    print(f"| CPU at rest | {100 * found['resting']:.2f} % of a core |")
    connecting = found["connecting"]
    print(f"| until all idle | {connecting['seconds']:.1f} s, {connecting['cpu']:.1f} s of CPU |")
    if took:
        print(f"| one message to its waiter, ms | {spread(took)} |")
    if shown := found["shown"]:
        print("| a stall is shown, s | " + ", ".join(f"{name} {after:.0f}" for name, after in shown.items()) + " |")
    print(f"\nAll figures: {(RESULTS / 'scale.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
