"""Houses of ours to measure: furnished with many connectors at once, and served in a process of their own."""

import os
import platform
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from statistics import median
from uuid import uuid4

import httpx2
import sqlalchemy as sa

from posthouse.app import build
from posthouse.config import Settings
from posthouse.model.connectors import Connector, ImapConnection, ImapSettings, Security, SyncSchedule, SyncSettings
from posthouse.model.values import AccountId, ConnectorId, InboxId, Secret, new_id, utc_now
from posthouse.services.inboxes import NewInbox, add_inbox
from posthouse.store.tables import schedules

KEY = "ph_bench_key_for_loopback"
PASSWORD = "benchmark"
HOUR = timedelta(hours=1)
_AT_ONCE = 500  # connectors in one transaction
_READY = re.compile(r"Posthouse is ready: (http://\S+)")
_PATIENCE = 60.0


# Furnishing


async def furnish(data: Path, port: int, users: Sequence[str]) -> list[InboxId]:
    """A house in SQLite with a connector for each of these users of an IMAP server (in TLS, on loopback); their
    schedules, of an hour, are switched off. Their inboxes, in the same order."""
    settings = Settings(data=data, egress_allow=(ip_network("127.0.0.0/8"),))
    app = build(settings)
    async with app.opened() as services:
        made = await services.accounts.first_key(Secret(KEY))
        assert made is not None
        account, inboxes = made.account.id, list[InboxId]()
        for start in range(0, len(users), _AT_ONCE):
            async with app.database.transaction() as tx:
                for user in users[start : start + _AT_ONCE]:
                    inbox = await add_inbox(tx, account, NewInbox(), settings.inbox_domain, utc_now())
                    connector = a_connector(account, inbox.id)
                    await tx.connectors.add(connector)
                    await tx.connectors.set_connection(a_connection(connector, port, user))
                    schedule = SyncSettings(enabled=False, interval=HOUR)
                    await tx.connectors.set_schedule(
                        SyncSchedule(id=uuid4(), account_id=account, connector_id=connector.id, settings=schedule)
                    )
                    inboxes.append(inbox.id)
    return inboxes


async def switch_on(data: Path) -> None:
    """Switch all schedules on, at once, for a server that is started after this."""
    app = build(Settings(data=data))
    async with app.database.transaction() as tx:
        await tx.connection.execute(sa.update(schedules).values(enabled=True))
    await app.database.close()


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


def a_connection(connector: Connector, port: int, user: str) -> ImapConnection:
    settings = ImapSettings(
        host="127.0.0.1", port=port, security=Security.TLS, username=user, password=Secret(PASSWORD)
    )
    return ImapConnection(id=uuid4(), connector_id=connector.id, settings=settings, created_at=utc_now())


# Serving


@dataclass(frozen=True)
class Server:
    """A running server of ours."""

    url: str
    pid: int

    @property
    def memory(self) -> int:
        """Resident memory, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    @property
    def cpu(self) -> float:
        """Seconds of a core used so far, the kernel's part included."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(data: Path, *, trusting: Path) -> Iterator[Server]:
    """`posthouse serve` with everything in it, until the block ends. Its log is `server.log` in `data`."""
    with (data / "server.log").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "posthouse.cli", "serve"],
            env={**environment({"DATA": str(data), "PORT": "0", "API_KEY": KEY}), "SSL_CERT_FILE": str(trusting)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Server(_url(process), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment(settings: Mapping[str, str] = {}) -> dict[str, str]:
    """Ours, with what is imported here, and with these settings of Posthouse instead of somebody's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTHOUSE_")}
    loopback = {"POSTHOUSE_EGRESS_ALLOW": "127.0.0.0/8"}
    ours = {f"POSTHOUSE_{name}": value for name, value in settings.items()}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), **loopback, **ours}


def _url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    watchdog = threading.Timer(_PATIENCE, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if found := _READY.search(line):
                return found[1]
    finally:
        watchdog.cancel()
    raise SystemExit("posthouse did not start")


@asynccontextmanager
async def client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(
        base_url=url, headers={"x-api-key": KEY}, timeout=60, limits=limits, trust_env=False
    ) as http:
        yield http


async def awaited(http: httpx2.AsyncClient, inbox: InboxId) -> float:
    """Wait, for half a minute at most, for an unread email in this inbox. When it was here."""
    query: dict[str, str | int] = {"inboxId": str(inbox), "timeout": 30_000, "unreadOnly": True}
    answer = await http.get("/waitForLatestEmail", params=query)
    answer.raise_for_status()
    return time.monotonic()


def many_files() -> None:
    """Let this process and its children have as many open files as they may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def machine() -> dict[str, str]:
    """Where this was measured."""
    with open("/proc/cpuinfo") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    cores = str(os.cpu_count())
    return {"system": platform.platform(), "cores": cores, "processor": model, "python": platform.python_version()}


def spread(seconds: Sequence[float]) -> str:
    """Median, 95th percentile and longest, in milliseconds."""
    took = sorted(1000 * each for each in seconds)
    p95 = took[min(len(took) - 1, int(len(took) * 0.95))]
    return f"median {median(took):.1f}, p95 {p95:.1f}, longest {took[-1]:.1f}"
