"""Keep one server alive exactly as long as somebody holds our standard input open.

Run as a program: `keeper.py STOP_SIGNAL ACCOUNT DIRECTORY COMMAND...`. When the pipe closes, because it was
let go or because its holder died in whatever way, the server gets its stop signal, whatever it has forked is
ended, and its directory is removed. A test run that was killed therefore leaves nothing behind. Only the
directory of a server that ended by itself stays, for its log is wanted.
"""

import contextlib
import ctypes
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h: orphans below us become our children, so that we can find them
PATIENCE = 10.0  # seconds a server has to shut down in its own way


def main(stop_signal: str, account: str, directory: str, *command: str) -> None:
    """Run `command` as `account` ("" is ourselves) and its own session; return when it is gone."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    news, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    with (Path(directory) / "output.log").open("ab") as output:
        server = subprocess.Popen(
            command,
            user=account or None,
            group=primary_group(account) if account else None,
            extra_groups=[] if account else None,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    asked = False
    try:
        while not asked and server.poll() is None:
            ready, _, _ = select.select([sys.stdin.fileno(), news], [], [])
            # Nothing is ever written to our input: when it can be read, it was closed.
            asked = sys.stdin.fileno() in ready or set(os.read(news, 64)) != {signal.SIGCHLD}
    finally:
        if server.poll() is None:
            server.send_signal(signal.Signals[stop_signal])
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(PATIENCE)
        end_all_children()
    if asked:
        shutil.rmtree(directory, ignore_errors=True)


def primary_group(account: str) -> int:
    """The group id that the password database gives to `account`."""
    return pwd.getpwnam(account).pw_gid


def end_all_children() -> None:
    """Kill and reap until nobody descends from us: the children of the killed become ours in turn."""
    while children := children_of(os.getpid()):
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def children_of(parent: int) -> list[int]:
    """The processes whose parent is `parent` now, zombies included."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name may hold spaces and parentheses; behind its last ")" come the state and the parent.
            if int(status.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
