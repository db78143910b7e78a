"""How long the first sync of a mailbox takes, beside mbsync.

A private Dovecot holds a mailbox made by `bench.corpus`. In every round each client syncs it into an empty place:
mbsync with its default settings (a file for each message, each synced to the disk), mbsync without fsync, and
Posthouse, which in that time also reads each message, makes it searchable and stores it durably. Clients take turns
in changing order, so that what else the machine does hits all of them. What is told is medians over the rounds;
what Posthouse has afterwards is compared with what Dovecot gives.

    python -m bench.first_sync --rounds 5 --count 10000 --big 50M --database sqlite
"""

import argparse
import email
import hashlib
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import corpus
from peers.dovecot import Dovecot
from peers.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".build" / "bench"
USER, PASSWORD = "me@example.net", "benchmark"
SAMPLE = 30
SEARCHES = 5

# Pulls and changes nothing at the server. `SSLType None` because the others are measured without TLS too.
MBSYNC = """
{fsync}
IMAPAccount server
Host {host}
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account server

MaildirStore near
Path {place}/
Inbox {place}/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""


@dataclass(frozen=True)
class Run:
    """What one client needed in one round. `wall` and `cpu` (seconds) are of the first sync, `peak_mb` of all
    its processes, `again` the seconds of a second sync that has nothing to do, `held` how many messages it has."""

    client: str
    wall: float
    cpu: float
    peak_mb: float
    again: float
    held: int
    whole_wall: float
    whole_cpu: float


@dataclass(frozen=True)
class Truth:
    """The mailbox as the server gives it: how many messages of how many octets, and some of them to compare with."""

    count: int
    octets: int
    samples: tuple[dict[str, Any], ...]
    words: tuple[tuple[str, str], ...]


@dataclass
class Bench:
    """One benchmark under way: its server, its mailbox, and a directory on a real disk."""

    dovecot: Dovecot
    work: Path
    fresh_database: Callable[[], str]
    truth: Truth
    verdicts: list[dict[str, Any]] = field(default_factory=list)

    def mbsync(self, *, fsync: bool) -> Run:
        with self.place() as place:
            settings = place / "mbsyncrc"
            given = {"host": self.dovecot.host, "port": self.dovecot.imap_port, "user": USER, "password": PASSWORD}
            settings.write_text(MBSYNC.format(fsync="" if fsync else "FSync no", place=place / "mail", **given))
            (place / "mail").mkdir()
            command = ["mbsync", "-q", "-c", str(settings), "all"]
            first = measured(place, command)
            again = measured(place, command)
            held = sum(1 for name in ("cur", "new") for _ in (place / "mail" / "INBOX" / name).iterdir())
        return Run(
            client="mbsync" if fsync else "mbsync, FSync no",
            wall=first["wall"],
            cpu=first["cpu"],
            peak_mb=first["peak_mb"],
            again=again["wall"],
            held=held,
            whole_wall=first["wall"],
            whole_cpu=first["cpu"],
        )

    def ours(self) -> Run:
        with self.place() as place:
            job = {
                "host": self.dovecot.host,
                "port": self.dovecot.imap_port,
                "user": USER,
                "password": PASSWORD,
                "data": str(place / "data"),
                "database_url": self.fresh_database(),
                "count": self.truth.count,
                "truths": self.truth.samples,
                "words": self.truth.words,
            }
            (place / "job.json").write_text(json.dumps(job))
            whole = measured(place, client("sync", place))
            said = json.loads((place / "result.json").read_text())
            subprocess.run(client("verify", place), check=True, env=environment())
            self.verdicts.append(json.loads((place / "result.json").read_text()))
        first, again = said["first"], said["again"]
        if again["emails"]:
            self.verdicts[-1]["problems"].append(f"the second sync brought {again['emails']} emails")
        return Run(
            client="Posthouse",
            wall=first["wall"],
            cpu=first["cpu"],
            peak_mb=said["peak_mb"],
            again=again["wall"],
            held=first["emails"],
            whole_wall=whole["wall"],
            whole_cpu=whole["cpu"],
        )

    @contextmanager
    def place(self) -> Iterator[Path]:
        """An empty directory, and a disk that has written what others left."""
        place = Path(tempfile.mkdtemp(dir=self.work))
        os.sync()
        try:
            yield place
        finally:
            shutil.rmtree(place)


def client(what: str, place: Path) -> list[str]:
    return [sys.executable, "-m", "bench.ours", what, str(place / "job.json"), str(place / "result.json")]


def measured(place: Path, command: list[str]) -> dict[str, Any]:
    """Run a command to its end; what it cost."""
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("measure.py")), str(place / "cost.json")]
    with (place / "said.txt").open("w+b") as said:
        subprocess.run([*launcher, *command], check=True, stdout=said, stderr=said, env=environment())
        cost: dict[str, Any] = json.loads((place / "cost.json").read_text())
        # mbsync ends with 1 for messages that it will not take; how many it has is told.
        if cost["exit"] not in ((0, 1) if command[0] == "mbsync" else (0,)):
            said.seek(0)
            raise SystemExit(f"{command[0]} ended with {cost['exit']}:\n{said.read().decode(errors='replace')}")
    return cost


def environment() -> dict[str, str]:
    """Ours, without settings of somebody's Posthouse, and with what is imported here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTHOUSE_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path)}


# The mailbox


def plant(dovecot: Dovecot, seed: int, count: int, big: int) -> None:
    """Put the mailbox where Dovecot finds it."""
    dovecot.add_user(USER, PASSWORD)
    maildir = dovecot.home(USER) / "Maildir"
    corpus.write_maildir(maildir, seed, count, big)
    for path in [maildir, *maildir.rglob("*")]:
        dovecot.process.give(path)


def drained(dovecot: Dovecot, seed: int, count: int) -> Truth:
    """Fetch everything once: it fills the server's indexes and caches for everybody, and tells the truth."""
    dice = random.Random(f"sample/{seed}")
    wanted = {-1, *dice.sample(range(count), min(count, SAMPLE))}
    sampled: list[dict[str, Any]] = []
    words: list[tuple[str, str]] = []
    octets = 0
    with dovecot.signed_in(USER) as imap:
        _, said = imap.select("INBOX", readonly=True)
        exists = int(said[0] or b"0")
        for start in range(1, exists + 1, 100):
            items = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"
            _, answers = imap.fetch(f"{start}:{min(start + 99, exists)}", items)
            for answer in answers:
                if not isinstance(answer, tuple):
                    continue
                head, raw = answer[0], answer[1]
                octets += len(raw)
                uid = head.partition(b"UID ")[2].split()[0].decode()
                number = number_of(raw, seed)
                if number not in wanted:
                    continue
                whole = number == -1 or corpus.broken_kind(seed, number) is None
                digest = hashlib.sha256(raw).hexdigest()
                sampled.append({"uid": uid, "digest": digest, "attachments": files_in(raw) if whole else []})
                if whole and len(words) < SEARCHES:
                    words.append((corpus.reference(number), uid))
    return Truth(exists, octets, tuple(sampled), tuple(words))


def number_of(raw: bytes, seed: int) -> int | None:
    """The number that the corpus gave to a message."""
    found = re.search(rb"^Message-ID: <(-?\d+)\.(\d+)\.", raw, re.MULTILINE)
    return int(found[1]) if found and int(found[2]) == seed else None


def files_in(raw: bytes) -> list[str]:
    """The SHA-256 of each file in a well-formed message, as the standard library decodes it."""
    files = [part for part in email.message_from_bytes(raw).walk() if part.get_filename()]
    contents = (part.get_payload(decode=True) for part in files)
    return [hashlib.sha256(content).hexdigest() for content in contents if isinstance(content, bytes)]


# What is told


def table(runs: list[Run], truth: Truth) -> str:
    """Medians, and from what to what the rounds went, as a table of Markdown.

    A ratio is one of two runs of the same round: they met the same machine. Where walls lie far apart, others were
    at work on it, and CPU seconds say more.
    """
    by_client: dict[str, list[Run]] = {}
    for run in runs:
        by_client.setdefault(run.client, []).append(run)
    reference = by_client["mbsync"]
    lines = [
        "| client | wall s | messages/s | wall / mbsync's | CPU s | CPU / mbsync's | peak MB | nothing new, s | has |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, its in by_client.items():
        rounds = list(zip(its, reference, strict=True))
        lines.append(
            f"| {name} | {spread([run.wall for run in its])} | {truth.count / median(run.wall for run in its):,.0f} "
            f"| {spread([run.wall / other.wall for run, other in rounds])} | {spread([run.cpu for run in its])} "
            f"| {spread([run.cpu / other.cpu for run, other in rounds])} | {max(run.peak_mb for run in its):.0f} "
            f"| {median(run.again for run in its):.3f} | {min(run.held for run in its):,} |"
        )
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def machine() -> dict[str, str]:
    def version(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]

    return {
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "mbsync": version("mbsync", "--version"),
        "dovecot": version("dovecot", "--version"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="The first sync of a mailbox, beside mbsync.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--big", type=corpus.octets, default=50 << 20, metavar="SIZE", help="one such message; 0: none")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--only-ours", action="store_true", help="without mbsync, to look at ourselves")
    asked = parser.parse_args()
    if not asked.only_ours and not shutil.which("mbsync"):
        sys.exit("mbsync is missing: sudo apt-get install --no-install-recommends isync")

    RESULTS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="first-sync-", dir=RESULTS)))
        dovecot = Dovecot()
        dovecot.start()
        stack.callback(dovecot.stop)
        fresh_database = databases(asked.database, stack)
        say(f"Making a mailbox of {asked.count:,} messages")
        plant(dovecot, asked.seed, asked.count, asked.big)
        truth = drained(dovecot, asked.seed, asked.count)
        say(f"It has {truth.count:,} messages, {truth.octets / 1e6:.0f} MB")
        bench = Bench(dovecot, work, fresh_database, truth)
        runs = measure(bench, asked.rounds, only_ours=asked.only_ours)

    problems = sorted({problem for verdict in bench.verdicts for problem in verdict["problems"]})
    report = {
        "measured": time.strftime("%Y-%m-%d %H:%M:%S"),
        "asked": vars(asked),
        "machine": machine(),
        "mailbox": {"messages": truth.count, "octets": truth.octets},
        "runs": [vars(run) for run in runs],
        "verified": bench.verdicts,
    }
    name = f"first_sync-{asked.database}.json"
    (RESULTS / name).write_text(json.dumps(report, indent=2))
    if not asked.only_ours:
        print("\n" + table(runs, truth) + "\n")
    last = bench.verdicts[-1]
    print(
        f"Compared with the server: {last['compared']} messages, {last['attachments']} attachments, "
        f"{last['searches']} searches."
    )
    print(f"All figures: {(RESULTS / name).relative_to(ROOT)}")
    if problems:
        sys.exit("But:\n  " + "\n  ".join(problems))


def measure(bench: Bench, rounds: int, *, only_ours: bool) -> list[Run]:
    clients: list[Callable[[], Run]] = [
        lambda: bench.mbsync(fsync=True),
        lambda: bench.mbsync(fsync=False),
        bench.ours,
    ]
    if only_ours:
        clients = [bench.ours]
    runs = []
    for number in range(rounds):
        turn = number % len(clients)
        for take_turn in clients[turn:] + clients[:turn]:
            run = take_turn()
            runs.append(run)
            say(f"round {number + 1}: {run.client}: {run.wall:.2f} s, CPU {run.cpu:.2f} s, {run.peak_mb:.0f} MB")
    return runs


def databases(kind: str, stack: ExitStack) -> Callable[[], str]:
    """Makes the URL of an empty database at each call."""
    if kind == "sqlite":
        return lambda: "sqlite"
    postgres = Postgres()
    postgres.start()
    stack.callback(postgres.stop)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # off for tests; we promise durability
        postgres.sql(f"ALTER SYSTEM SET {setting} = on")
    postgres.sql("SELECT pg_reload_conf()")
    return postgres.fresh_database


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
