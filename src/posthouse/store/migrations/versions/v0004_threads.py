"""Threads, and which one each email belongs to.

Emails that are there already are threaded by what their rows say: Message-ID and In-Reply-To. Their References are in
the raw messages alone, where they stay.
"""

import hashlib
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "threads",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_threads_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_threads"),
        sa.UniqueConstraint("id", name="uq_threads_id"),
    )
    op.create_index("ix_threads_account_id_number", "threads", ["account_id", "number"], unique=False)
    op.create_table(
        "mentions",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("thread_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name="fk_mentions_thread_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_mentions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mentions_thread_id", "mentions", ["thread_id"], unique=False)
    op.add_column("emails", sa.Column("thread_id", sa.Uuid(), nullable=True))
    op.add_column("sent_emails", sa.Column("thread_id", sa.Uuid(), nullable=True))
    op.add_column("sent_emails", sa.Column("in_reply_to", sa.Text(), nullable=False, server_default=""))
    _thread_what_is_there()
    op.create_index("ix_emails_thread_id", "emails", ["thread_id"], unique=False)
    op.create_index("ix_sent_emails_thread_id", "sent_emails", ["thread_id"], unique=False)


def _thread_what_is_there() -> None:
    connection = op.get_bind()
    columns = [
        sa.column("number"),
        sa.column("account_id", sa.Uuid()),
        sa.column("message_id"),
        sa.column("in_reply_to"),
    ]
    created = sa.column("created_at", sa.DateTime(timezone=True))
    parents: dict[object, object] = {}

    def found(one: object) -> object:
        while parents.setdefault(one, one) != one:
            parents[one] = one = parents[parents[one]]
        return one

    rows: list[tuple[str, int, uuid.UUID, datetime, list[bytes]]] = []
    for table in ("emails", "sent_emails"):
        query = sa.select(*columns, created).select_from(sa.table(table))
        for row in connection.execute(query).mappings():
            number, account, at = row["number"], row["account_id"], row["created_at"]
            keys = [_digest(account, one) for one in (row["message_id"], row["in_reply_to"]) if one]
            rows.append((table, number, account, at, keys))
            for key in keys:
                parents[found(key)] = found((table, number))

    ids: dict[object, uuid.UUID] = {}
    threads: list[dict[str, object]] = []
    mentions: dict[bytes, uuid.UUID] = {}
    for table, number, account, at, keys in sorted(rows, key=lambda row: row[3]):
        root = found((table, number))
        if root not in ids:
            ids[root] = uuid.uuid4()
            moment = at if connection.dialect.name == "sqlite" else at.astimezone(UTC)
            threads.append({"id": ids[root], "account_id": account, "created_at": moment})
        mentions |= dict.fromkeys(keys, ids[root])
    for table, rows_of in (
        ("threads", threads),
        ("mentions", [{"id": key, "thread_id": thread} for key, thread in mentions.items()]),
    ):
        if rows_of:
            types = {"id": sa.LargeBinary() if table == "mentions" else sa.Uuid(), "created_at": created.type}
            named = [sa.column(name, types.get(name, sa.Uuid())) for name in rows_of[0]]
            connection.execute(sa.insert(sa.table(table, *named)), rows_of)
    for table in ("emails", "sent_emails"):
        target = sa.table(table, sa.column("number"), sa.column("thread_id", sa.Uuid()))
        changes = [{"which": row[1], "thread": ids[found((table, row[1]))]} for row in rows if row[0] == table]
        if changes:
            changed = sa.update(target).where(target.c.number == sa.bindparam("which"))
            connection.execute(changed.values(thread_id=sa.bindparam("thread", type_=sa.Uuid())), changes)


def _digest(account: uuid.UUID, message_id: str) -> bytes:
    return hashlib.blake2b(account.bytes + message_id.encode("utf-8", "replace"), digest_size=16).digest()
