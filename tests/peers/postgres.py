"""PostgreSQL as a private cluster: made in a moment, with a database for every test that asks."""

import secrets
import shlex
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

from .process import LOOPBACK, START_PATIENCE, PeerFailed, Process, free_ports, program

BINARIES = "/usr/lib/postgresql/*/bin"  # Debian keeps the servers of all versions apart and off the path
OWNER = "posthouse"

CONFIGURATION = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{directory}'
max_connections = 200
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
# The cluster lives as long as one test run: nothing has to survive a power cut.
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_senders = 0
wal_level = minimal
autovacuum_naptime = 10s
timezone = 'UTC'
"""


class Postgres:
    """A private PostgreSQL. `start` returns when it serves, `stop` when nothing of it is left.

    Everybody on loopback is let in without a password as its superuser, `posthouse`; the Unix socket is in
    `socket_directory`. 200 connections at most.
    """

    host = LOOPBACK

    def __init__(self) -> None:
        [self.port] = free_ports(1)
        self._process: Process | None = None

    def start(self) -> None:
        """Make a new cluster and start its server."""
        self._process = process = Process("postgres", account="postgres")
        data = process.directory / "data"
        configuration = CONFIGURATION.format(host=self.host, port=self.port, directory=process.directory)
        file = process.write("postgresql.conf", configuration)
        make: list[str | Path] = [program("initdb", BINARIES), "--pgdata", data, "--username", OWNER, "--auth", "trust"]
        make += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        serve: list[str | Path] = [program("postgres", BINARIES), "-D", data, "-c", f"config_file={file}"]
        process.start(
            ["sh", "-c", f"{shell(make)} && exec {shell(serve)}"],
            stop=signal.SIGINT,  # "fast": clients are cut off, nobody is waited for
            ports=[self.port],
        )
        self._wait_until_open()

    def stop(self) -> None:
        """End the server, cut off its clients and remove the cluster. To stop twice is allowed."""
        if self._process is not None:
            self._process.stop()

    @property
    def process(self) -> Process:
        """The running server: its directory, its logs."""
        assert self._process is not None, "PostgreSQL was not started"
        return self._process

    @property
    def socket_directory(self) -> Path:
        """Where the server's Unix socket is."""
        return self.process.directory

    def fresh_database(self, template: str | None = None) -> str:
        """Create a database of a new name; its URL, `postgresql://user@host:port/name`.

        It is empty, or a copy of the one whose URL is `template` (which must have no connection at that
        moment): migrate once, copy for every test.
        """
        name = f"test_{secrets.token_hex(6)}"
        source = database_name(template) if template else "template1"
        # FILE_COPY would need two checkpoints; small templates are copied faster through the log.
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY wal_log')
        return f"postgresql://{OWNER}@{self.host}:{self.port}/{name}"

    def drop(self, url: str) -> None:
        """Drop a database of ours and cut off whoever is still connected."""
        self.sql(f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)')

    def _wait_until_open(self) -> None:
        # The port is open a moment before anybody is let in ("the database system is starting up").
        deadline = time.monotonic() + START_PATIENCE
        while True:
            try:
                self.sql("SELECT 1")
            except PeerFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def sql(self, statement: str, *, url: str | None = None) -> str:
        """Run one statement as superuser; its rows, as psql prints them unaligned."""
        client = program("psql", BINARIES)
        database = database_name(url) if url else "postgres"
        return self.process.run(
            *(client, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"),
            *("--host", self.host, "--port", str(self.port), "--username", OWNER, "--dbname", database),
            stdin=statement + ";\n",
        ).strip()


def shell(command: list[str | Path]) -> str:
    """A command as a line for the shell."""
    return shlex.join(map(str, command))


def database_name(url: str) -> str:
    """The database in a URL, whatever its driver."""
    return urlsplit(url).path.lstrip("/")
