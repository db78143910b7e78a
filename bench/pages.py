"""How long the server takes for each page of the dashboard, with ten thousand connectors and fifty thousand emails.

The house is filled by `bench.filling`, on SQLite, and asked in this process, without a socket: what is measured is the
time from a request to its whole answer, and the CPU that it took, which says more where the machine does other things.
Every page is asked for some times in turn. One that took longer than the goal in the median is marked.

    python -m bench.pages --connectors 10000 --mails 50000 --rounds 20
"""

import argparse
import asyncio
import json
import re
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
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
        f"/inboxes/{inbox}?email={email}",
        "/write",
        f"/write?reply={email}",
        "/sent",
        "/webhooks",
        "/keys",
        "/settings",
        "/about",
    ]


@dataclass
class Page:
    path: str
    status: int = 0
    size: int = 0
    wall: list[float] = field(default_factory=list)
    """Milliseconds, as is `cpu`: of a core, those of threads and the kernel included."""
    cpu: list[float] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The path without ids."""
        return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{id}", self.path)


async def measure(connectors: int, mails: int, rounds: int, data: Path) -> list[Page]:
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
            pages = [Page(path) for path in await paths(app, account)]
            for number in range(rounds + 2):
                for page in pages:
                    began, cpu = time.perf_counter(), time.process_time()
                    answer = await http.get("/ui" + page.path)
                    if number > 1:  # the first two fill caches
                        page.wall.append(1000 * (time.perf_counter() - began))
                        page.cpu.append(1000 * (time.process_time() - cpu))
                    page.status, page.size = answer.status_code, len(answer.content)
    return pages


def main() -> None:
    parser = argparse.ArgumentParser(description="The server's time for each page of the dashboard.")
    parser.add_argument("--connectors", type=int, default=10_000)
    parser.add_argument("--mails", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pages-", dir=RESULTS) as work:
        found = asyncio.run(measure(asked.connectors, asked.mails, asked.rounds, Path(work)))
    pages = [asdict(page) for page in found]
    report = {"measured": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine(), "pages": pages}
    (RESULTS / "pages.json").write_text(json.dumps(report, indent=2))
    print("\n| page | median ms | least | most | CPU ms | bytes | |\n| --- | --- | --- | --- | --- | --- | --- |")
    for page in found:
        wall, cpu = median(page.wall), median(page.cpu)
        mark = f"answered {page.status}" if page.status != 200 else "over the goal" if wall > GOAL_MS else ""
        figures = f"{wall:.1f} | {min(page.wall):.1f} | {max(page.wall):.1f} | {cpu:.1f} | {page.size:,}"
        print(f"| `{page.kind}` | {figures} | {mark} |")


if __name__ == "__main__":
    main()
