"""An IMAP server that bears ten thousand idle sessions: as little of IMAP as a client that waits for mail needs.

Every user may sign in, with any password, and has an INBOX that is empty at first. The port is the first line on
standard output; then commands come by standard input, and each is answered, as JSON, one a line:

    {"deliver": ["user1", …]}    a message for each of these; answers the moment (`time.monotonic`) at which the last
                                 idle session of each was told
    {"count": true}              answers how many sessions idle, and how many commands there were
    {"stall": true}              from now on nothing is said any more, to nobody

    python -m bench.idle_stub CERTIFICATE_AND_KEY
"""

import asyncio
import base64
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.house import environment, many_files

CAPABILITIES = b"IMAP4rev1 IDLE SASL-IR AUTH=PLAIN"
MESSAGE = (
    "From: bench@example.org\r\nTo: {user}\r\nSubject: Message {number}\r\nDate: Thu, 1 Jan 2026 12:00:00 +0000\r\n"
    "Message-ID: <{number}.{user}>\r\n\r\nThis is message {number} of {user}.\r\n"
)
_UIDS = re.compile(rb"(\d+)(?::(\d+|\*))?")


@dataclass
class Mailbox:
    """One user's INBOX. UIDs are sequence numbers, for nothing is ever deleted."""

    user: str
    messages: list[bytes] = field(default_factory=list)
    idlers: "set[Session]" = field(default_factory=set)

    def deliver(self) -> float:
        number = len(self.messages) + 1
        self.messages.append(MESSAGE.format(user=self.user, number=number).encode())
        for session in self.idlers:
            session.say(b"* %d EXISTS\r\n" % number)
        return time.monotonic()

    def within(self, uids: bytes) -> list[int]:
        count, found = len(self.messages), _UIDS.fullmatch(uids)
        if found is None:
            return []
        last = count if found[2] == b"*" else int(found[2] or found[1])
        return list(range(int(found[1]), min(count, last) + 1))


class Office:
    """All mailboxes; who asks for one has it."""

    def __init__(self) -> None:
        self.mailboxes: dict[str, Mailbox] = {}
        self.commands = 0
        self.stalled = False

    def mailbox(self, user: str) -> Mailbox:
        return self.mailboxes.setdefault(user, Mailbox(user))

    def obey(self, command: dict[str, Any]) -> Any:
        if "deliver" in command:
            return {user: self.mailbox(user).deliver() for user in command["deliver"]}
        self.stalled |= "stall" in command
        idle = sum(len(mailbox.idlers) for mailbox in self.mailboxes.values())
        return {"idle": idle, "commands": self.commands}


class Session(asyncio.Protocol):
    """One connection. Commands may be pipelined: they are answered in order, in one breath."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._mailbox = Mailbox("")
        self._unfinished = b""
        self._idling = b""  # the tag of IDLE
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is one in all but its ancestry
        if not self._office.stalled:
            self.say(b"* OK [CAPABILITY " + CAPABILITIES + b"] ready\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._mailbox.idlers.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._office.stalled:
            return
        *lines, self._unfinished = (self._unfinished + data).split(b"\r\n")
        self._office.commands += len(lines)
        self.say(b"".join(map(self._answer, lines)))

    def say(self, data: bytes) -> None:
        if data:
            self._transport.write(data)

    def _answer(self, line: bytes) -> bytes:
        if self._idling:  # the line is DONE
            tag, self._idling = self._idling, b""
            self._mailbox.idlers.discard(self)
            return tag + b" OK idled\r\n"
        tag, verb, *words = line.split(b" ")
        verb = b" ".join((verb, words.pop(0))) if verb == b"UID" else verb
        untagged = b""
        match verb.upper():
            case b"CAPABILITY":
                untagged = b"* CAPABILITY " + CAPABILITIES + b"\r\n"
            case b"AUTHENTICATE":
                _, user, _ = base64.b64decode(words[1]).split(b"\0")
                self._mailbox = self._office.mailbox(user.decode())
            case b"EXAMINE":
                count = len(self._mailbox.messages)
                untagged = b"* %d EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT %d] ok\r\n" % (count, count + 1)
            case b"UID SEARCH":
                found = self._mailbox.within(words[1])
                untagged = b" ".join((b"* SEARCH", *map(b"%d".__mod__, found))) + b"\r\n"
            case b"UID FETCH":
                whole = b"BODY" in line
                untagged = b"".join(self._fetched(uid, whole=whole) for uid in self._mailbox.within(words[0]))
            case b"IDLE":
                self._idling = tag
                self._mailbox.idlers.add(self)
                return b"+ idling\r\n"
            case b"LOGOUT":
                untagged = b"* BYE\r\n"
            case b"NOOP":
                pass
            case _:
                return tag + b" BAD what?\r\n"
        return untagged + tag + b" OK done\r\n"

    def _fetched(self, uid: int, *, whole: bool) -> bytes:
        raw = self._mailbox.messages[uid - 1]
        body = b" BODY[] {%d}\r\n%s" % (len(raw), raw) if whole else b""
        date = b'INTERNALDATE " 1-Jan-2026 12:00:00 +0000"'
        return b"* %d FETCH (UID %d %s RFC822.SIZE %d%s)\r\n" % (uid, uid, date, len(raw), body)


async def serve(certificate: str) -> None:
    office, loop = Office(), asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await loop.create_server(lambda: Session(office), "127.0.0.1", 0, ssl=context, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        print(json.dumps(office.obey(json.loads(line))), flush=True)


class Stub:
    """The server in a process of its own, from outside."""

    def __init__(self, certificate: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.idle_stub", str(certificate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._commands, self._answers = self._process.stdin, self._process.stdout
        self.port = int(self._answers.readline())

    def deliver(self, users: Sequence[str]) -> dict[str, float]:
        """A message for each of these. When each was told."""
        told: dict[str, float] = self._ask({"deliver": list(users)})
        return told

    @property
    def idle(self) -> int:
        """How many sessions idle."""
        return int(self._ask({"count": True})["idle"])

    def stall(self) -> None:
        """Have it say nothing any more."""
        self._ask({"stall": True})

    def close(self) -> None:
        self._commands.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, command: dict[str, Any]) -> Any:
        print(json.dumps(command), file=self._commands, flush=True)
        return json.loads(self._answers.readline())


if __name__ == "__main__":
    many_files()
    uvloop.run(serve(sys.argv[1]))
