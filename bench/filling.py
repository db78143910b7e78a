"""A house full of connectors and mail, made in seconds: rows are written in bulk, without servers and syncs.

Mail is real: some messages of `bench.corpus` are taken in as by a sync, and every email is a copy of one of them, with
its own id, moment and inbox, in a thread of its own, findable by its words.
"""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from bench.corpus import message
from posthouse.app import App
from posthouse.model.connectors import Security
from posthouse.model.events import EventStatus, EventType, Happening
from posthouse.model.standing import Mode, MomentKind
from posthouse.model.values import AccountId, InboxId, new_id
from posthouse.services.inboxes import NewInbox, add_inbox
from posthouse.services.intake import Incoming, Intake
from posthouse.store import search, tables

_AT_ONCE = 2000
_KINDS = 40
_DAYS = 40
_CROWDED = 0.1  # of all mail lies in the first inbox
_REFUSED = "imap.example.com refused the username or password; put in new ones"

Rows = list[dict[str, Any]]


async def fill(app: App, account: AccountId, *, connectors: int, mails: int) -> list[InboxId]:
    """Connectors with their inboxes, and mail in these; whose first inbox has a tenth of it. The inboxes."""
    dice, now = random.Random(1), app.now()
    inboxes = [InboxId(new_id(now)) for _ in range(connectors)]
    many: dict[sa.Table, Rows] = {}
    for number, inbox in enumerate(inboxes):
        for table, row in _connector(account, inbox, number, now, dice):
            many.setdefault(table, []).append(row)
    for table, rows in many.items():
        await _insert(app, table, rows)
    await _mail(app, account, inboxes, mails, dice)
    return inboxes


def _connector(
    account: AccountId, inbox: InboxId, number: int, now: datetime, dice: random.Random
) -> list[tuple[sa.Table, dict[str, Any]]]:
    """The rows of one: nine in ten are well, and one in a hundred is nobody's business."""
    connector, made = new_id(now), {"created_at": now, "updated_at": now}
    address, paused = f"box{number}@example{number % 50}.net", dice.random() < 0.01
    broken, late = dice.random() < 0.02, dice.random() < 0.08
    fresh = now - timedelta(seconds=dice.uniform(120, 900) if late else dice.uniform(0, 40))
    return [
        (
            tables.inboxes,
            {"id": inbox, "account_id": account, "email_address": f"box{number}@posthouse.example", "tags": []}
            | {"name": f"Box {number}", "favourite": False, "virtual": False}
            | made,
        ),
        (
            tables.connectors,
            {"id": connector, "account_id": account, "inbox_id": inbox, "name": f"Mailbox {number}"}
            | {"email_address": address, "enabled": not paused}
            | made,
        ),
        (
            tables.connections,
            {"id": uuid4(), "connector_id": connector, "protocol": "imap", "created_at": now}
            | {"host": f"imap.example{number % 50}.net"}
            | {"settings": _settings(993, address, folder="INBOX", search_terms="")},
        ),
        (
            tables.connections,
            {"id": uuid4(), "connector_id": connector, "protocol": "smtp", "created_at": now}
            | {"host": f"smtp.example{number % 50}.net", "settings": _settings(465, address)},
        ),
        (
            tables.schedules,
            {"id": uuid4(), "connector_id": connector, "enabled": True, "interval_seconds": 300, "watch_folders": []},
        ),
        (
            tables.standings,
            {"connector_id": connector, "mode": Mode.PUSH, "fresh_as_of": fresh, "lasting": broken}
            | {"failures": int(broken), "refusals": 3 * broken, "problem": _REFUSED if broken else None}
            | {"problem_since": fresh if broken else None},
        ),
        (
            tables.moments,
            {"connector_id": connector, "at": now, "kind": MomentKind.CONNECTED, "text": "pushed, by IDLE"},
        ),
        *(
            (
                tables.events,
                {"id": new_id(now), "account_id": account, "connector_id": connector, "type": EventType.SYNC}
                | {"status": EventStatus.SUCCESS, "size": 1, "message": "1 new email", "logs": "C: A1 NOOP\nS: A1 OK"}
                | {"seen": False, "created_at": now},
            )
            for _ in range(2)
        ),
    ]


def _settings(port: int, username: str, **more: str) -> dict[str, Any]:
    return {
        "port": port,
        "security": Security.TLS,
        "username": username,
        "mechanisms": [],
        "tls_protocols": [],
        "tls_trust": "",
        "local_host_name": "",
        "proxy": None,
    } | more


async def _mail(app: App, account: AccountId, inboxes: list[InboxId], count: int, dice: random.Random) -> None:
    kinds = await _kinds(app, account)
    now, crowd = app.now(), inboxes[: max(1, len(inboxes) // 3)]
    threads, emails, attachments, journal = Rows(), Rows(), Rows(), Rows()
    words: list[str] = []
    positions: dict[InboxId, int] = {}
    for number in range(count):
        email, parts, found = kinds[number % len(kinds)]
        at = now - timedelta(days=_DAYS) * (1 - number / count)
        inbox = inboxes[0] if number % round(1 / _CROWDED) == 0 else dice.choice(crowd)
        own, thread = new_id(at), uuid4()
        threads.append({"id": thread, "account_id": account, "created_at": at})
        ids = [f"{own}-{place}" for place in range(len(parts))]
        emails.append(
            {**email, "id": own, "inbox_id": inbox, "created_at": at, "updated_at": at, "sent_at": at}
            | {"digest": own.bytes, "thread_id": thread, "attachment_ids": ids, "read": dice.random() < 0.7}
        )
        attachments += [
            {**part, "id": id_, "email_id": own, "inbox_id": inbox, "created_at": at}
            for part, id_ in zip(parts, ids, strict=True)
        ]
        positions[inbox] = position = positions.get(inbox, 0) + 1
        journal.append(
            {"inbox_id": inbox, "position": position, "happening": Happening.EMAIL_RECEIVED, "email_id": own, "at": at}
        )
        words.append(found)
    for table, rows in (
        (tables.threads, threads),
        (tables.emails, emails),
        (tables.attachments, attachments),
        (tables.journal, journal),
    ):
        await _insert(app, table, rows)
    async with app.database.transaction() as tx:
        numbers = list(await tx.connection.scalars(sa.select(tables.emails.c.number).order_by(tables.emails.c.number)))
        await search.index(tx.connection, dict(zip(numbers[-count:], words, strict=True)))
        await tx.connection.execute(
            sa.update(tables.inboxes)
            .where(tables.inboxes.c.id == sa.bindparam("inbox"))
            .values(position=sa.bindparam("last"), told=sa.bindparam("last")),
            [{"inbox": inbox, "last": last} for inbox, last in positions.items()],
        )


async def _kinds(app: App, account: AccountId) -> list[tuple[dict[str, Any], Rows, str]]:
    """Messages as they are filed: the email's row, those of its attachments, and its words."""
    intake = Intake(app.blobs, app.now)
    contents = [message(1, number) for number in range(_KINDS)]
    prepared = await intake.prepare([Incoming(content=content, size=len(content)) for content in contents])
    async with app.database.transaction() as tx:
        inbox = await add_inbox(tx, account, NewInbox(name="kinds"), "posthouse.example", app.now())
        await intake.take_in(tx, account, inbox.id, prepared)
        rows = (await tx.connection.execute(sa.select(tables.emails))).mappings().all()
        parts = (await tx.connection.execute(sa.select(tables.attachments))).mappings().all()
        found = [one.gist.words for one in prepared]
    return [
        (
            _copied(row),
            [_copied(part) for part in parts if part["email_id"] == row["id"]],
            words if isinstance(words, str) else " ".join(words),
        )
        for row, words in zip(rows, found, strict=False)
    ]


def _copied(row: sa.RowMapping) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "number"}


async def _insert(app: App, table: sa.Table, rows: Rows) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        async with app.database.transaction() as tx:
            await tx.connection.execute(sa.insert(table), rows[start : start + _AT_ONCE])
