"""Posthouse as a client of the benchmark, in a process of its own: it is told what to do by a JSON file, and answers
with one.

    python -m bench.ours sync JOB RESULT       build a house, sync a mailbox into it, and once more
    python -m bench.ours verify JOB RESULT     open that house and compare it with the truth of the server
"""

import hashlib
import json
import re
import resource
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import uvloop

from posthouse.app import build, set_up_logging
from posthouse.config import Settings
from posthouse.model.connectors import ImapSettings, Security
from posthouse.model.mail import Email, EmailQuery
from posthouse.model.values import AccountId, EmailId, Secret, Slice
from posthouse.services import Services
from posthouse.services.connectors import NewConnector

NAME = "benchmark"


@dataclass(frozen=True)
class Job:
    """What to do. `truths` are the messages to compare, and `words` the searches with what each must find."""

    host: str
    port: int
    user: str
    password: str
    data: str
    database_url: str
    count: int = 0
    truths: tuple[dict[str, Any], ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    @property
    def settings(self) -> Settings:
        loopback = (ip_network("127.0.0.0/8"),)
        return Settings(data=Path(self.data), database_url=self.database_url, egress_allow=loopback)


async def sync(job: Job) -> dict[str, Any]:
    """The first sync of a mailbox, as production runs it, and a second one that finds nothing new."""
    async with build(job.settings).opened() as services:
        made = await services.accounts.create_key(NAME)
        imap = ImapSettings(
            host=job.host,
            port=job.port,
            security=Security.PLAIN,
            username=job.user,
            password=Secret(job.password),
        )
        connector = await services.connectors.create(made.account.id, NewConnector(name=NAME, imap=imap))
        runs = []
        for _ in range(2):
            wall, cpu = time.perf_counter(), time.process_time()
            outcome = await services.sync.run(made.account.id, connector.id)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if outcome.failure:
                raise SystemExit(f"the sync failed: {outcome.failure}")
            runs.append({"wall": wall, "cpu": cpu, "emails": len(outcome.email_ids)})
        peak_mb = sum(map(_peak_mb, ["self", *_children()]))
    # Processes that read have ended by now, all but a few hundredths of a second of their work done in the first run.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    runs[0]["cpu"] += children.ru_utime + children.ru_stime
    return {"first": runs[0], "again": runs[1], "peak_mb": peak_mb}


def _children() -> list[str]:
    return [child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()]


def _peak_mb(process: str) -> float:
    """The most memory that it ever had. Not `ru_maxrss`, in which a child has its parent's before it became itself."""
    [peak] = re.findall(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return int(peak) / 1024


async def verify(job: Job) -> dict[str, Any]:
    """What differs between the house and the server, in words. Nothing should."""
    async with build(job.settings).opened() as services:
        connector = await services.connectors.named(NAME)
        account = connector.account_id
        problems: list[str] = []
        count = await services.mail.count(account)
        if count != job.count:
            problems.append(f"the server has {job.count} messages and we have {count}")
        emails = await _emails(services, account)
        attachments = 0
        for truth in job.truths:
            email = emails.get(truth["uid"])
            if email is None:
                problems.append(f"message {truth['uid']} is not there")
                continue
            opened = await services.mail.open(account, email.id)
            if hashlib.sha256(opened.raw).hexdigest() != truth["digest"]:
                problems.append(f"message {truth['uid']} has other bytes than at the server")
            digests = [await _digest(services, account, email.id, part.id) for part in opened.attachments]
            missing = [digest for digest in truth["attachments"] if digest not in digests]
            attachments += len(truth["attachments"]) - len(missing)
            if missing:
                problems.append(f"message {truth['uid']}: {len(missing)} attachments have other bytes")
        for word, uid in job.words:
            found = await services.mail.page(account, EmailQuery(slice=Slice(), search=word))
            if [email.external_id for email in found.items] != [uid]:
                problems.append(f"a search for {word} found {found.total} emails instead of message {uid}")
    return {"problems": problems, "compared": len(job.truths), "attachments": attachments, "searches": len(job.words)}


async def _emails(services: Services, account: AccountId) -> dict[str, Email]:
    """All emails, by the UID that they have at the server."""
    emails: dict[str, Email] = {}
    page = 0
    while True:
        found = await services.mail.page(account, EmailQuery(slice=Slice(page=page, size=1000)))
        emails |= {email.external_id: email for email in found.items if email.external_id}
        page += 1
        if page * 1000 >= found.total:
            return emails


async def _digest(services: Services, account: AccountId, email: EmailId, attachment: str) -> str:
    _, content = await services.mail.attachment_content(account, attachment, email)
    return hashlib.sha256(content).hexdigest()


def main(what: str, job_file: str, result: str) -> None:
    given = json.loads(Path(job_file).read_text())
    job = Job(**given)
    set_up_logging(json=True)
    work: Coroutine[Any, Any, dict[str, Any]] = sync(job) if what == "sync" else verify(job)
    with suppress(KeyboardInterrupt):
        Path(result).write_text(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    main(*sys.argv[1:])
