"""What other processes cost, as Linux tells it, and a `posthouse serve` to measure."""

import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "ph_bench_key_for_loopback"
_READY = re.compile(r"Posthouse is ready: (http://\S+)")
_PATIENCE = 60.0


def many_files() -> None:
    """Let this process and its children have as many open files as they may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
