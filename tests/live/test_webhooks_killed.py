"""A receiver that fails half the time, and `kill -9` again and again: every email is told at least once, in order.

The processes are real ones and die by a real SIGKILL; the receiver answers 500, hangs up before or after it has taken
a message, or takes its time. Some messages it never takes until they are given up: they come when they are redriven.
"""

import asyncio
import json
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from posthouse.app import build
from posthouse.config import Settings
from remote.servers import Reader, Writer, serving

from .forks import end_of, started
from .killed_teller import INBOXES, Deed, do

EMAILS, KILLS = 25, 8
FOR_EVER = 24 * 3600.0


class Receiver:
    """Fails half the time. `accepted` are the messages that it took, as (inbox, number), in the order it took them;
    `ids` the message ids that each of them came under."""

    def __init__(self) -> None:
        self.dice = random.Random(7)
        self.calls = 0
        self.accepted: list[tuple[str, int]] = []
        self.ids: dict[tuple[str, int], set[str]] = {}
        self.refuses_some = True

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        payload = json.loads(await reader.readexactly(length))
        inbox, _, number = payload["subject"].rpartition(" ")
        what = (inbox, int(number))
        self.calls += 1
        self.ids.setdefault(what, set()).add(payload["messageId"])
        die = self.dice.random()
        if die < 0.25 or (self.refuses_some and what[1] % 10 == 7):
            writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if die < 0.35:
            return  # hangs up
        if die < 0.5:
            await asyncio.sleep(0.1)
        self.accepted.append(what)
        if die > 0.9:
            return  # hangs up, and has taken it
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read()

    def in_order(self) -> list[tuple[str, int]]:
        """What was taken for the first time after a later one of the same inbox had been."""
        latest: dict[str, int] = {}
        seen, late = set(), []
        for inbox, number in self.accepted:
            if (inbox, number) in seen:
                continue
            seen.add((inbox, number))
            if number < latest.get(inbox, -1):
                late.append((inbox, number))
            latest[inbox] = max(number, latest.get(inbox, -1))
        return late


async def test_every_email_is_told_whatever_dies(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    receiver, dice = Receiver(), random.Random(3)

    async def finish(process: BaseProcess) -> None:
        assert await asyncio.to_thread(end_of, process) == 0

    async with serving(receiver) as port:
        telling = Deed(tmp_path, database_url, f"http://127.0.0.1:{port}/in")
        receiving = replace(telling, emails=EMAILS)
        await finish(started(do, telling))  # makes everything, and has nothing to do
        # On PostgreSQL a second process tells beside the one that receives, too.
        deeds = [receiving] if database_url.startswith("sqlite") else [receiving, telling]
        running = [started(do, deed) for deed in deeds]
        kills = 0
        while kills < KILLS:
            await asyncio.sleep(dice.uniform(0.2, 1.2))
            place = dice.randrange(len(running))
            running[place].kill()
            kills += await asyncio.to_thread(end_of, running[place]) == -signal.SIGKILL
            running[place] = started(do, deeds[place])
        for process in running:
            await finish(process)

        everything = set(receiver.ids)
        missing = everything - set(receiver.accepted)
        late = receiver.in_order()
        first = len(receiver.accepted), receiver.calls
        app = build(Settings(data=tmp_path, database_url=database_url))
        async with app.opened() as services:
            async with app.database.reading() as tx:
                account = await tx.accounts.by_name("default")
            assert account is not None
            redriven = await services.webhook_results.redrive_all(account.id)
        receiver.refuses_some = False
        await finish(started(do, replace(receiving, patience=FOR_EVER)))

    assert len(everything) == INBOXES * EMAILS, "something was never even tried"
    assert late == []
    assert missing, "nothing was given up, and so nothing is proved about redriving"
    assert redriven >= len(missing)
    assert set(receiver.accepted) == everything
    assert all(len(ids) == 1 for ids in receiver.ids.values()), "a message came under two ids"
    figures = {
        "emails": len(everything),
        "kills": kills,
        "attempts": receiver.calls,
        "duplicates": len(receiver.accepted) - len(set(receiver.accepted)),
        "missing before the redrive": len(missing),
        "redriven": redriven,
        "missing": 0,
        "out of order": len(late),
        "before the redrive": first,
    }
    record_property("figures", figures)
    print(database_url.partition(":")[0], figures)
