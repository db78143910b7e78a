"""A town of connectors under attack: real processes, a real database and a real mail server, with mail arriving all
the time.

`Town` has the connectors and the processes that look after them; its verbs are the violence. `verify` says what must
be so in the end, whatever was done: everything that lies at the server is in the store, announced exactly once, and
nothing at the server was changed.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg

from peers.dovecot import Dovecot
from peers.mailbox import Mailbox
from peers.postgres import BINARIES, Postgres, shell
from peers.process import program
from posthouse.app import build
from posthouse.config import Settings
from posthouse.model.connectors import Connector, ImapSettings, Security, SyncSettings
from posthouse.model.values import Secret
from posthouse.services.connectors import NewConnector

from .relay import Relay


class Cluster(Postgres):
    """A PostgreSQL of our own that can be away for a while."""

    def restart(self, away: float) -> None:
        """Cut everybody off, be away for so many seconds, and come back with the same data."""
        data = self.process.directory / "data"
        postmaster = int((data / "postmaster.pid").read_text().split()[0])
        keeper = self.process.keeper_pid
        os.kill(postmaster, signal.SIGINT)
        os.waitpid(keeper, 0)  # it ends with the server, and leaves the directory
        time.sleep(away)
        serve: list[str | Path] = [program("postgres", BINARIES), "-D", data]
        serve += ["-c", f"config_file={self.process.directory / 'postgresql.conf'}"]
        self.process.start(["sh", "-c", f"exec {shell(serve)}"], stop=signal.SIGINT, ports=[self.port])
        self._wait_until_open()


@dataclass
class Home:
    """A connector and the mailbox behind it; `sent` are the Message-IDs that were delivered there."""

    connector: Connector
    mailbox: Mailbox
    sent: list[str] = field(default_factory=list)


@dataclass
class Figures:
    """What was done, and what came of it. Times are in seconds."""

    connectors: int = 0
    messages: int = 0
    visits: int = 0
    """Syncs that were asked for by the API meanwhile."""
    kills: int = 0
    takeovers: list[float] = field(default_factory=list)
    """From each death to the moment at which another worker had synced a connector of the dead one's."""
    pauses: int = 0
    cuts: int = 0
    restarts: int = 0
    settled: float = 0.0
    """From the last delivery to the moment at which everything was in the store."""
    lost: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        times = sorted(self.takeovers) or [0.0]
        return (
            f"{self.connectors} connectors, {self.messages} messages, {self.visits} syncs by the API; "
            f"{self.kills} workers killed, {self.pauses} paused beyond their lease, network cut {self.cuts} times, "
            f"PostgreSQL restarted {self.restarts} times; take-over {median(times):.1f} s (median), {times[-1]:.1f} s "
            f"(longest of {len(self.takeovers)}); all in the store {self.settled:.1f} s after the last delivery; "
            f"{self.lost} lost, {self.doubled} doubled"
        )


class Town:
    def __init__(self, cluster: Cluster, dovecot: Dovecot, relay: Relay, data: Path) -> None:
        self.figures = Figures()
        self.homes: list[Home] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log = data / "workers.log"
        self._cluster = cluster
        self._dovecot = dovecot
        self._relay = relay
        self._data = data
        self._url = cluster.fresh_database()
        self._secret = secrets.token_hex(32)
        self._key = ""
        self._counter: subprocess.Popen[bytes] | None = None

    # Life

    async def settle_in(self, count: int) -> None:
        """So many connectors, pushed where the server does, and a schedule of five minutes."""
        app = build(Settings(data=self._data, database_url=self._url, secret_key=self._secret))
        async with app.opened() as services:
            made = await services.accounts.create_key()
            self._key, account = made.secret.reveal(), made.account
            for _ in range(count):
                mailbox = Mailbox.fresh(self._dovecot)
                imap = ImapSettings(
                    host="127.0.0.1",
                    port=self._relay.port,
                    security=Security.PLAIN,
                    username=mailbox.address,
                    password=Secret(mailbox.password),
                )
                wish = NewConnector(imap=imap, sync=SyncSettings(enabled=True))
                self.homes.append(Home(await services.connectors.create(account.id, wish), mailbox))
        self.figures.connectors = count

    def employ(self) -> None:
        """One more worker."""
        self.workers.append(self._start("engine", self.log))

    def open_counter(self) -> None:
        """The process that serves the API; it is left in peace."""
        self._counter = self._start("api", self._data / "api.log")

    def close(self) -> None:
        for process in (*self.workers, self._counter):
            if process is not None:
                process.kill()
                process.wait()

    def _start(self, role: str, log: Path) -> "subprocess.Popen[bytes]":
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTHOUSE_")},
            "POSTHOUSE_DATA": str(self._data),
            "POSTHOUSE_DATABASE_URL": self._url,
            "POSTHOUSE_SECRET_KEY": self._secret,
            "POSTHOUSE_EGRESS_ALLOW": "127.0.0.0/8",
            "POSTHOUSE_PORT": "0",
        }
        with log.open("ab") as file:
            command = [sys.executable, "-m", "posthouse.cli", "serve", "--role", role]
            return subprocess.Popen(command, env=environment, stdout=file, stderr=file)

    @contextlib.asynccontextmanager
    async def post(self, pause: float) -> AsyncIterator[None]:
        """Mail is delivered all the time, one every `pause` seconds, until the block ends."""
        stop = False

        async def deliver() -> None:
            while not stop:
                await self.deliver(random.choice(self.homes))
                await asyncio.sleep(pause)

        task = asyncio.create_task(deliver())
        try:
            yield
        finally:
            stop = True
            await task

    @contextlib.asynccontextmanager
    async def visitors(self, pause: float) -> AsyncIterator[None]:
        """Somebody asks for a sync by the API all the time, and gets an answer, whatever it says."""
        stop = False

        async def visit() -> None:
            while not stop:
                connector = random.choice(self.homes).connector.id
                with contextlib.suppress(OSError):  # an error status, or nobody there yet
                    await asyncio.to_thread(self._ask, "POST", f"/connectors/{connector}/sync")
                self.figures.visits += 1
                await asyncio.sleep(pause)

        task = asyncio.create_task(visit())
        try:
            yield
        finally:
            stop = True
            await task

    def _ask(self, method: str, path: str) -> Any:
        found = re.search(r"is ready: (\S+)", (self._data / "api.log").read_text())
        if found is None:
            raise OSError("the API is not there yet")
        request = urllib.request.Request(found[1] + path, method=method, headers={"x-api-key": self._key})
        with urllib.request.urlopen(request, timeout=150) as answer:
            return json.load(answer)

    async def deliver(self, home: Home) -> None:
        message_id = f"{secrets.token_hex(8)}@example.org"
        number = len(home.sent) + 1
        text = f"From: a@example.org\nTo: b@example.org\nSubject: Number {number}\nMessage-ID: <{message_id}>\n\n"
        await asyncio.to_thread(home.mailbox.deliver, (text + "Hello.\n" * (number % 50)).encode())
        home.sent.append(message_id)
        self.figures.messages += 1

    # Violence

    async def kill(self) -> None:
        """A worker dies; wait until others have synced all of its connectors, and employ another one."""
        before = await self._owners()
        victim = self.workers.pop(0)
        moment, began = datetime.now(UTC), time.monotonic()
        victim.kill()
        victim.wait()
        waiting: set[UUID] | None = None
        async for rows in self._watched():
            if waiting is None:
                alive = {row["id"] for row in rows["workers"]}
                if not (dead := {owner for owner in before.values() if owner not in alive}):
                    continue
                waiting = {connector for connector, owner in before.items() if owner in dead}
            for row in rows["standings"]:
                synced = row["fresh_as_of"] is not None and row["fresh_as_of"] > moment
                if row["connector_id"] in waiting and row["owner_id"] in alive and synced:
                    waiting.discard(row["connector_id"])
                    self.figures.takeovers.append(time.monotonic() - began)
            alive = {row["id"] for row in rows["workers"]}
            if not waiting:
                break
        self.figures.kills += 1
        self.employ()

    async def pause(self, seconds: float) -> None:
        """A worker stands still for so long, and goes on as if nothing had happened."""
        victim = self.workers[0]
        victim.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        victim.send_signal(signal.SIGCONT)
        self.figures.pauses += 1

    async def cut(self, seconds: float) -> None:
        """The mail server can't be reached for so long."""
        assert await self._relay.cut() > 0, "there was nothing to cut"
        await asyncio.sleep(seconds)
        await self._relay.open()
        self.figures.cuts += 1

    async def restart_database(self, seconds: float) -> None:
        await asyncio.to_thread(self._cluster.restart, seconds)
        self.figures.restarts += 1

    # What is so

    async def all_fresh(self, since: datetime, within: float) -> None:
        """Wait until every worker has its share, and all connectors were proved fresh since this moment."""
        late: list[Any] = []
        owners: Counter[UUID | None] = Counter()
        async for rows in self._watched(within, fails=False):
            late = [row for row in rows["standings"] if (row["fresh_as_of"] or since) <= since]
            owners = Counter(row["owner_id"] for row in rows["standings"])
            share = -(-len(self.homes) // len(self.workers))
            if not late and len(owners) == len(self.workers) and max(owners.values()) <= share:
                return
        raise AssertionError(
            f"after {within:.0f} s {len(late)} connectors were not proved fresh, {owners[None]} had no owner, and the "
            f"workers had {sorted(owners.values())} of {len(self.homes)}\n{self.said()}"
        )

    async def verify(self, within: float = 120.0) -> Figures:
        """Wait until everything sent is in the store; then nothing may be doubled, left out or changed anywhere."""
        began = time.monotonic()
        lost: set[str] = set()
        async for _ in self._watched(within, fails=False):
            stored = await self._stored()
            lost = {one for home in self.homes for one in set(home.sent) - stored[home.connector.inbox_id].keys()}
            if not lost:
                break
        self.figures.settled = time.monotonic() - began
        stored = await self._stored()
        self.figures.lost = len(lost)
        self.figures.doubled = sum(count - 1 for found in stored.values() for count in found.values())
        assert (self.figures.lost, self.figures.doubled) == (0, 0), f"{self.figures}\n{self.said()}"
        await self._verify_journal()
        for home in self.homes:
            await self._comes_to_rest(home)
        for home in self.homes:
            there = await asyncio.to_thread(home.mailbox.messages)
            ids = [_message_id(message.raw) for message in there]
            assert sorted(ids) == sorted(home.sent), "the server has what was delivered"
            assert not [message for message in there if "\\Seen" in message.flags or "\\Deleted" in message.flags]
        return self.figures

    async def _comes_to_rest(self, home: Home, within: float = 90.0) -> None:
        """Wait until the API shows this connector as fresh, and nothing wrong with it."""
        deadline = time.monotonic() + within
        while True:
            state = await asyncio.to_thread(self._ask, "GET", f"/connectors/{home.connector.id}/state")
            if (state["state"].lower(), state["failuresInARow"]) == ("fresh", 0):
                return
            assert time.monotonic() < deadline, state
            await asyncio.sleep(1.0)

    async def _stored(self) -> dict[UUID, Counter[str]]:
        """The Message-IDs in each inbox, and how often each is there."""
        stored: dict[UUID, Counter[str]] = {home.connector.inbox_id: Counter() for home in self.homes}
        for row in await self._rows("SELECT inbox_id, message_id FROM emails"):
            stored[row["inbox_id"]][row["message_id"]] += 1
        return stored

    async def _verify_journal(self) -> None:
        """Each email is announced exactly once, and the positions have no gap."""
        positions: dict[UUID, list[int]] = {home.connector.inbox_id: [] for home in self.homes}
        announced: Counter[UUID] = Counter()
        for row in await self._rows("SELECT inbox_id, position, email_id FROM journal ORDER BY inbox_id, position"):
            positions[row["inbox_id"]].append(row["position"])
            announced[row["email_id"]] += 1
        for home in self.homes:
            assert positions[home.connector.inbox_id] == list(range(1, len(home.sent) + 1))
        emails = {row["id"] for row in await self._rows("SELECT id FROM emails")}
        assert announced == Counter(emails), "every email is announced once, and nothing else"

    async def _owners(self) -> dict[UUID, UUID]:
        rows = await self._rows("SELECT connector_id, owner_id FROM standings WHERE owner_id IS NOT NULL")
        return {row["connector_id"]: row["owner_id"] for row in rows}

    async def _watched(self, within: float = 60.0, *, fails: bool = True) -> AsyncIterator[dict[str, list[Any]]]:
        """Workers and standings, again and again; at the end of patience the test fails, or the looking ends."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            yield {
                "workers": await self._rows("SELECT id FROM workers"),
                "standings": await self._rows("SELECT connector_id, owner_id, fresh_as_of FROM standings"),
            }
            await asyncio.sleep(0.1)
        assert not fails, f"in vain for {within:.0f} s\n{self.said()}"

    async def _rows(self, query: str) -> list[Any]:
        while True:
            try:
                connection = await asyncpg.connect(self._url)
                try:
                    return list(await connection.fetch(query))
                finally:
                    await connection.close()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.1)  # it may be away just now, which is none of our business

    def said(self) -> str:
        """The last lines of what the workers logged that was not an everyday sync."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if "synced" not in line or "failure=None" not in line][-60:])


@contextlib.asynccontextmanager
async def town_of(connectors: int, workers: int, dovecot: Dovecot, data: Path) -> AsyncIterator[Town]:
    """A town whose connectors are all looked after. Everything in it ends with the block."""
    cluster, relay = Cluster(), Relay(dovecot.imap_port)
    await asyncio.to_thread(cluster.start)
    await relay.open()
    town = Town(cluster, dovecot, relay, data)
    try:
        await town.settle_in(connectors)
        began = datetime.now(UTC)
        for _ in range(workers):
            town.employ()
        town.open_counter()
        await town.all_fresh(began, within=60.0 + connectors / 2)
        yield town
    finally:
        town.close()
        await relay.cut()
        await asyncio.to_thread(cluster.stop)


BEYOND = 13.0
"""Seconds: longer than a silent worker is believed to live, and than a lease lasts."""


async def ordeal(town: Town, *, rounds: int, mail_every: float) -> Figures:
    """All kinds of violence, one after the other, in every round; then look whether anybody has noticed."""
    async with town.post(mail_every), town.visitors(10 * mail_every):
        for _ in range(rounds):
            await town.kill()
            away = datetime.now(UTC)
            await town.restart_database(1.0)
            await town.all_fresh(away, within=90.0)
            await asyncio.gather(town.pause(BEYOND), town.cut(1.0))
            away = datetime.now(UTC)
            await town.all_fresh(away, within=120.0)
    return await town.verify()


def _message_id(raw: bytes) -> str:
    for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"message-id:"):
            return line.partition(b":")[2].strip().strip(b"<>").decode()
    return ""
