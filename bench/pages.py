"""How long the server takes for each page of the dashboard, with ten thousand connectors and fifty thousand emails.

The house is filled by `bench.filling`, on SQLite, and asked in this process, without a socket: what is measured is the
time from a request to its whole answer. Every page is asked for some times in turn; beside the figures stands what a
page is made of (bytes), and one that took longer than the goal in the median is marked.

    python -m bench.pages --connectors 10000 --mails 50000 --rounds 20
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import sqlalchemy as sa
from httpx2 import ASGITransport

from bench.filling import fill
from bench.first_sync import RESULTS, say
from bench.house import KEY, machine
from posthouse.app import App, build
from posthouse.config import Settings
from posthouse.model.values import AccountId, Secret
from posthouse.store import tables

GOAL_MS = 50.0


async def paths(app: App, account: AccountId) -> list[str]:
    """The pages, those of one thing for the first that has much of it."""
    async with app.database.reading() as tx:
        connector, inbox = (
            await tx.connection.execute(
                sa.select(tables.connectors.c.id, tables.connectors.c.inbox_id).order_by(tables.connectors.c.number)
            )
        ).first() or (None, None)
        latest = sa.select(tables.emails.c.id).where(tables.emails.c.inbox_id == inbox)
        email = await tx.connection.scalar(latest.order_by(tables.emails.c.number.desc()).limit(1))
        word = await tx.connection.scalar(sa.select(tables.emails.c.subject).where(tables.emails.c.id == email))
    words = quote(" ".join((word or "hello").split()[:2]))
    return [
        "/connectors",
        "/connectors?state=broken",
        "/connectors?search=box77+example2",
        "/connectors?order=name&page=150",
        "/connectors/new",
        f"/connectors/{connector}",
        f"/connectors/{connector}/imap",
        f"/connectors/{connector}/schedule",
        f"/connectors/{connector}/delete",
        "/inboxes",
        "/inboxes?search=box77",
        f"/inboxes/{inbox}",
        f"/inboxes/{inbox}?search={words}",
        "/mail",
        f"/mail?search={words}",
        f"/mail/{email}",
        "/write",
        f"/write?reply={email}",
        "/sent",
        "/webhooks",
        "/keys",
        "/settings",
        "/about",
    ]


async def measure(connectors: int, mails: int, rounds: int, data: Path) -> list[dict[str, Any]]:
    app = build(Settings(data=data))
    async with app.opened() as services:
        made = await services.accounts.first_key(Secret(KEY))
        assert made is not None
        account = made.account.id
        say(f"Filling a house: {connectors:,} connectors, {mails:,} emails")
        await fill(app, account, connectors=connectors, mails=mails)
        transport = ASGITransport(app=app.asgi())
        async with httpx2.AsyncClient(transport=transport, base_url="http://bench.example", timeout=60) as http:
            link = await services.logins.link(account)
            await http.get(f"/ui/sign-in/{link.secret.reveal()}")
            found: dict[str, list[float]] = {path: [] for path in await paths(app, account)}
            sizes, statuses = {}, {}
            for _ in range(rounds + 2):  # the first two fill caches
                for path, took in found.items():
                    began = time.perf_counter()
                    answer = await http.get("/ui" + path)
                    took.append(1000 * (time.perf_counter() - began))
                    sizes[path], statuses[path] = len(answer.content), answer.status_code
    return [
        {"path": path, "status": statuses[path], "bytes": sizes[path], "ms": sorted(took[2:])}
        for path, took in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="The server's time for each page of the dashboard.")
    parser.add_argument("--connectors", type=int, default=10_000)
    parser.add_argument("--mails", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pages-", dir=RESULTS) as work:
        found = asyncio.run(measure(asked.connectors, asked.mails, asked.rounds, Path(work)))
    report = {"measured": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine(), "pages": found}
    (RESULTS / "pages.json").write_text(json.dumps(report, indent=2))
    print("\n| page | median ms | p95 ms | bytes | |\n| --- | --- | --- | --- | --- |")
    for one in found:
        took = one["ms"]
        median, p95 = took[len(took) // 2], took[int(len(took) * 0.95)]
        mark = f"answered {one['status']}" if one["status"] != 200 else "over the goal" if median > GOAL_MS else ""
        print(f"| {one['path']} | {median:.1f} | {p95:.1f} | {one['bytes']:,} | {mark} |")


if __name__ == "__main__":
    main()
