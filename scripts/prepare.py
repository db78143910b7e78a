"""Make this checkout ready: a virtual environment for Posthouse, and the servers that its tests need.

    prepare.py run        .venv with Posthouse and its libraries
    prepare.py dev        the same with the tools of [dependency-groups] dev
    prepare.py servers    Dovecot, Exim, PostgreSQL, Node and Chromium for the tests, from Debian's packages; and into
                          .build/node the official client for Node, as tests/node/package-lock.json pins it
    prepare.py bench      the same, and mbsync, which benchmarks compare with

Called by the Makefile, with whatever Python 3 there is and nothing but its standard library. What is missing is
installed where we may (as root, or by sudo without a password); else this says what to type, and fails.
"""

# ruff: noqa: S603, S606 - it runs pip, npm, sudo and itself; the arguments are its own.

from __future__ import annotations

import filecmp
import glob
import importlib.util
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from typing import IO

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.environ.get("VENV", ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
OLDEST = (3, 11)

# What the tests start: a file that proves it is there, its package, the service that would start with it.
SERVERS = (
    ("/usr/lib/dovecot/imap", "dovecot-imapd", "dovecot"),
    ("/usr/lib/dovecot/lmtp", "dovecot-lmtpd", "dovecot"),
    ("/usr/sbin/exim4", "exim4-daemon-light", "exim4"),
    ("/usr/lib/postgresql/*/bin/postgres", "postgresql", "postgresql"),
)

# What else the tests run: a program, its package.
PROGRAMS = (("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium"))

# What the benchmarks compare with: a program, its package.
RIVALS = (("/usr/bin/mbsync", "isync"),)

# Run by root. Services are not wanted, only their programs: nothing is started, neither now (policy-rc.d) nor at
# boot, and what somebody has installed before (another mail server, say) is never removed for it.
INSTALL = r"""
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update || true
apt-get -qq install -y --no-install-recommends --no-remove \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 $PACKAGES
if [ -d /run/systemd/system ]; then
    for unit in $UNITS; do systemctl --quiet disable "$unit" || true; done
fi
"""


def main(what: str) -> None:
    """Do one of the things in the module's docstring."""
    os.chdir(ROOT)
    if what in ("servers", "bench"):
        install_servers()
        install_node_modules()
        if what == "bench":
            install_rivals()
        return
    use_a_new_enough_python()
    make_environment()
    # pip knows dependency groups only since 25.1 and Debian's is older, so they are read here. One call for
    # Posthouse and the tools, so that their versions agree.
    tools = dev_requirements() if what == "dev" else []
    pip_install("Posthouse" + (" and the tools" if tools else ""), "--editable", ".", *tools)
    for stamp in ("run", "dev") if tools else ("run",):
        with open(os.path.join(VENV, ".ready-" + stamp), "w"):
            pass


def use_a_new_enough_python() -> None:
    """Go on under a Python that Posthouse runs on, if this one is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(14, OLDEST[1] - 1, -1):
        newer = shutil.which("python3." + str(minor))
        if newer:
            os.execv(newer, [newer, *sys.argv])
    fail(
        f"Posthouse needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.",
        "make PYTHON=/path/to/python3.11 ...",
    )


def make_environment() -> None:
    """A virtual environment at VENV whose Python runs; one that is broken or half made is made anew."""
    if os.path.exists(PYTHON) and quietly([PYTHON, "-c", "import pip"]):
        return
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        if not sys.executable.startswith("/usr/bin/"):
            fail(
                sys.executable + " has no ensurepip, which virtual environments need.",
                "make PYTHON=python3 ...",
            )
        install_packages("virtual environments", ["python3-venv"], [])
    say(f"Making {VENV} with Python {sys.version.split()[0]}")
    # By name, not in this process: the module may have come with the package just now.
    subprocess.check_call([sys.executable, "-m", "venv", "--clear", VENV])


def dev_requirements() -> list[str]:
    """The requirements of the dependency group `dev`."""
    import tomllib

    with open("pyproject.toml", "rb") as file:
        group = tomllib.load(file)["dependency-groups"]["dev"]
    return [requirement for requirement in group if isinstance(requirement, str)]


def pip_install(title: str, *arguments: str) -> None:
    """Run pip and show how far it is; all that it said if it fails."""
    options = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
    pip = subprocess.Popen(
        [PYTHON, "-m", "pip", "install", *options, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ, PYTHONUNBUFFERED="1"),
    )
    assert pip.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()

    def listen(output: IO[str] = pip.stdout) -> None:
        for line in output:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=listen, daemon=True).start()
    said, found, doing = [], set(), "asking for versions"
    progress = Progress("Installing " + title)
    while True:
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            progress.show(doing)
            continue
        if line is None:
            break
        said.append(line)
        if line.startswith(("Collecting ", "Processing ", "Requirement already satisfied: ")):
            found.add(line.partition(" (from ")[0])
            doing = f"{len(found)} packages found"
        elif line.startswith("Installing collected packages: "):
            doing = f"putting {line.count(',') + 1} packages in place"
        progress.show(doing)
    if pip.wait():
        progress.end("failed")
        sys.stderr.writelines(said)
        fail(f"pip could not install {title}; its last lines say why.")
    progress.end("done")


class Progress:
    """One line that tells what is being done: alive on a terminal, a few plain lines elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.began = time.time()
        self.alive = sys.stdout.isatty()
        self.shown = self.began

    def show(self, doing: str) -> None:
        """What is being done now. Elsewhere than on a terminal it is said every five seconds."""
        seconds = int(time.time() - self.began)
        if self.alive:
            bar = "|/-\\"[int(time.time() * 5) % 4]
            room = shutil.get_terminal_size().columns - 1
            line = f"{bar} {self.title}: {doing} ({seconds} s)"
            sys.stdout.write("\r\033[K" + line[:room])
            sys.stdout.flush()
        elif time.time() - self.shown > 5:
            self.shown = time.time()
            say(f"{self.title}: {doing} ({seconds} s)")

    def end(self, result: str) -> None:
        """Say how it ended."""
        if self.alive:
            sys.stdout.write("\r\033[K")
        say(f"{self.title}: {result}, {time.time() - self.began:.0f} s")


def install_servers() -> None:
    """Install those of SERVERS that are missing."""
    missing = [(package, unit) for proof, package, unit in SERVERS if not glob.glob(proof)]
    programs = [package for program, package in PROGRAMS if not shutil.which(program)]
    if missing or programs:
        packages, units = [package for package, _ in missing], sorted({unit for _, unit in missing})
        install_packages("the tests' mail servers, database, Node and Chromium", packages + programs, units)


def install_node_modules() -> None:
    """Install what tests/node/package-lock.json pins into .build/node, if it is not what lies there."""
    wanted, there = os.path.join("tests", "node"), os.path.join(".build", "node")
    files = ("package.json", "package-lock.json")
    if all(same(os.path.join(wanted, file), os.path.join(there, file)) for file in files):
        return
    shutil.rmtree(there, ignore_errors=True)
    os.makedirs(there)
    say("Installing the official client for Node")
    shutil.copy(os.path.join(wanted, "package.json"), there)
    shutil.copy(os.path.join(wanted, "package-lock.json"), os.path.join(there, "npm-shrinkwrap.json"))
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    run_installer(npm, "npm could not install it", f"cd {there} && npm ci", cwd=there)
    # Only now, so that what was begun and not ended is begun anew.
    os.rename(os.path.join(there, "npm-shrinkwrap.json"), os.path.join(there, "package-lock.json"))


def same(one: str, other: str) -> bool:
    """Whether two files hold the same."""
    return os.path.exists(other) and filecmp.cmp(one, other, shallow=False)


def install_rivals() -> None:
    """Install those of RIVALS that are missing."""
    missing = [package for proof, package in RIVALS if not os.path.exists(proof)]
    if missing:
        install_packages("what the benchmarks compare with", missing, [])


def install_packages(what: str, packages: list[str], units: list[str]) -> None:
    """Install Debian packages and keep their services (`units`) from starting, or say how and fail."""
    by_hand = "sudo apt-get install --no-install-recommends " + " ".join(packages)
    if not shutil.which("apt-get"):
        fail(f"For {what} the likes of these Debian packages are missing: {' '.join(packages)}")
    prefix = []
    if os.geteuid() != 0:
        prefix = ["sudo", "-n"]
        if not shutil.which("sudo") or not quietly([*prefix, "true"]):
            fail(f"For {what} some Debian packages are missing, and you must be root to install them.", by_hand)
    say(f"Installing Debian packages for {what}: {' '.join(packages)}")
    variables = ["PACKAGES=" + " ".join(packages), "UNITS=" + " ".join(units)]
    run_installer([*prefix, "env", *variables, "sh", "-c", INSTALL], "apt-get could not install them", by_hand)


def run_installer(command: list[str], failure: str, by_hand: str, *, cwd: str | None = None) -> None:
    """Run a command that installs something; show what it said only when it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        fail(f"{failure}; its last lines say why.", by_hand)


def quietly(command: list[str]) -> bool:
    """Whether the command succeeds; its words are dropped."""
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def say(line: str) -> None:
    """One line of progress."""
    print(line, flush=True)


def fail(why: str, remedy: str = "") -> None:
    """Say why we stop, and what to type, and stop."""
    sys.exit(why + ("\n    " + remedy if remedy else ""))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("run", "dev", "servers", "bench"):
        sys.exit(__doc__)
    main(sys.argv[1])
