"""A server of ours as its users run it: a process of its own, started by the command line."""

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mailslurp_client

_READY = re.compile(r"Posthouse is ready: (\S+)")
_PATIENCE = 30.0


@dataclass(frozen=True)
class Served:
    """A running server, and a key for it."""

    url: str
    key: str
    environment: dict[str, str]
    log: Path

    def sdk(self, key: str | None = None) -> mailslurp_client.ApiClient:
        """The official client with its host changed, and nothing else."""
        configuration = mailslurp_client.Configuration(host=self.url)
        configuration.api_key["x-api-key"] = key or self.key
        return mailslurp_client.ApiClient(configuration)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`posthouse …` on the same data."""
        return subprocess.run(
            [sys.executable, "-m", "posthouse.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )


@contextmanager
def served(
    data: Path, *, database_url: str = "sqlite", authority: Path | None = None, **settings: str
) -> Iterator[Served]:
    """`posthouse serve`, until the block ends. `settings` go into the environment: egress_allow="…"; certificates
    that `authority` has signed are trusted."""
    key = f"ph_test_{secrets.token_hex(16)}"
    data.mkdir(parents=True, exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("POSTHOUSE_")},
        "POSTHOUSE_DATA": str(data),
        "POSTHOUSE_PORT": "0",
        "POSTHOUSE_DATABASE_URL": database_url,
        "POSTHOUSE_API_KEY": key,
        "POSTHOUSE_EGRESS_ALLOW": "127.0.0.0/8",
        **{f"POSTHOUSE_{name.upper()}": value for name, value in settings.items()},
        **({"SSL_CERT_FILE": str(authority)} if authority else {}),
    }
    log = data / "server.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "posthouse.cli", "serve"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Served(_url(process, log), key, environment, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _url(process: "subprocess.Popen[str]", log: Path) -> str:
    assert process.stdout is not None
    # A server that never gets ready is ended, which ends the reading below.
    watchdog = threading.Timer(_PATIENCE, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if found := _READY.search(line):
                return found[1]
    finally:
        watchdog.cancel()
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
