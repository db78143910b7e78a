"""One private server process: its directory, its ports, its beginning and its sure end.

A peer runs in the foreground under a keeper (`keeper.py`) in a directory of its own. When we are root it runs
as the account that its Debian package made for it, else as ourselves; it is never root and never a system
service.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
KEEPER = Path(__file__).with_name("keeper.py")
START_PATIENCE = 60.0  # seconds until a started server must answer; generous, for loaded machines

# Below the range from which Linux takes ports for outgoing connections (32768 up), so that nobody is handed
# a port of ours between our look and the server's bind.
PORTS = range(20_000, 32_000)


class PeerFailed(Exception):
    """A server did not start, or a program of it failed; the text ends with what it had to say."""


class Process:
    """A directory and, once started, the server that lives in it.

    `account` is the user that the server runs as when we are root. The directory may be read by everyone on
    the machine and is removed when the server ends.
    """

    def __init__(self, name: str, account: str) -> None:
        self.name = name
        self.account = account if os.geteuid() == 0 else ""
        self.directory = Path(tempfile.mkdtemp(prefix=f"posthouse-{name}-"))
        self.directory.chmod(0o755)
        self.give(self.directory)
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> pwd.struct_passwd:
        """The account that the server runs as."""
        return pwd.getpwnam(self.account) if self.account else pwd.getpwuid(os.geteuid())

    def make_directory(self, name: str, *, mode: int = 0o700) -> Path:
        """A new directory that the server owns."""
        path = self.directory / name
        path.mkdir(mode=mode)
        self.give(path)
        return path

    def write(self, name: str, text: str) -> Path:
        """Write a file (mode 0600) that the server owns; it is replaced whole, never seen half written."""
        path = self.directory / name
        new = path.with_name(f".{path.name}.new")
        new.touch(mode=0o600)
        new.write_text(text)
        self.give(new)
        return new.rename(path)

    def give(self, path: Path) -> None:
        """Make the server the owner of `path`."""
        if self.account:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def run(self, *command: str | Path, stdin: str = "") -> str:
        """Run a program as the server's account to its end and return what it printed."""
        done = subprocess.run(
            command,
            user=self.user.pw_uid if self.account else None,
            group=self.user.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
            cwd=self.directory,
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise PeerFailed(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def start(self, command: Sequence[str | Path], *, stop: signal.Signals, ports: Sequence[int]) -> None:
        """Start the server (in its foreground mode) and return when it listens on all of `ports`."""
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", KEEPER, stop.name, self.account, self.directory, *command],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for pytest; the keeper learns of it by its pipe
        )
        deadline = time.monotonic() + START_PATIENCE
        for port in ports:
            while not listens(port):
                if self._keeper.poll() is not None or time.monotonic() > deadline:
                    said = self.log()
                    self.stop()
                    raise PeerFailed(f"{self.name} does not listen on port {port}; it said:\n{said}")
                time.sleep(0.02)

    def stop(self) -> None:
        """End the server and all its children and remove its directory. To stop twice is allowed."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def keeper_pid(self) -> int:
        """The keeper's process id, from which all processes of this server descend."""
        assert self._keeper is not None, f"{self.name} does not run"
        return self._keeper.pid

    def log(self) -> str:
        """The last lines of every log in the directory; empty when the server is stopped."""
        tails = []
        for path in sorted([*self.directory.glob("*log"), *self.directory.glob("log/*")]):
            if path.is_file():
                tails.append(f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}")
        return "\n".join(tails)


def free_ports(count: int) -> list[int]:
    """So many different TCP ports that nobody listens on."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, 1000):
        if len(found) == count:
            break
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((LOOPBACK, port))
            except OSError:
                continue
        found.append(port)
    return found


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as trial:
        trial.settimeout(5)
        return trial.connect_ex((LOOPBACK, port)) == 0


def program(name: str, *places: str) -> Path:
    """Where a server's program is: in one of `places` (may be patterns; the newest wins), or on the path."""
    for place in places:
        if matches := sorted(Path("/").glob(f"{place.lstrip('/')}/{name}")):
            return matches[-1]
    if found := shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"):
        return Path(found)
    raise PeerFailed(f"{name} is not installed; `make test` says which Debian packages the tests need")
