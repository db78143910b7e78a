"""Rows of what became of sent emails: delivery statuses, bounces, and those whom bounces are about."""

from typing import Any

import sqlalchemy as sa

from posthouse.model.reports import Bounce, BouncedRecipient, DeliveryStatus
from posthouse.model.values import AccountId, BouncedId, BounceId, DeliveryId, InboxId, Page, SentId, Slice
from posthouse.store.connection import Connection
from posthouse.store.rows import Row, read_page
from posthouse.store.tables import bounced_recipients, bounces, delivery_statuses


class Reports:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Delivery statuses

    async def add_status(self, status: DeliveryStatus) -> None:
        await self._connection.execute(
            sa.insert(delivery_statuses).values(
                id=status.id,
                account_id=status.account_id,
                inbox_id=status.inbox_id,
                sent_id=status.sent_id,
                created_at=status.created_at,
                recipients=list(status.recipients),
                subject=status.subject,
                reporting_mta=status.reporting_mta,
                remote_mta=status.remote_mta,
                smtp_code=status.smtp_code,
                smtp_text=status.smtp_text,
                milliseconds=status.milliseconds,
                received_at=status.received_at,
            )
        )

    async def status(self, account: AccountId, status: DeliveryId) -> DeliveryStatus | None:
        query = sa.select(delivery_statuses).where(
            delivery_statuses.c.account_id == account, delivery_statuses.c.id == status
        )
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _status(row)

    async def statuses(
        self, account: AccountId, slice_: Slice, *, inbox: InboxId | None = None, sent: SentId | None = None
    ) -> Page[DeliveryStatus]:
        query = sa.select(delivery_statuses).where(delivery_statuses.c.account_id == account)
        if inbox is not None:
            query = query.where(delivery_statuses.c.inbox_id == inbox)
        if sent is not None:
            query = query.where(delivery_statuses.c.sent_id == sent)
        return await read_page(self._connection, query, slice_, _status)

    # Bounces

    async def add_bounce(self, bounce: Bounce) -> None:
        common = {"account_id": bounce.account_id, "inbox_id": bounce.inbox_id, "created_at": bounce.created_at}
        await self._connection.execute(
            sa.insert(bounces).values(
                id=bounce.id,
                sent_id=bounce.sent_id,
                email_id=bounce.email_id,
                sender=bounce.sender,
                subject=bounce.subject,
                sent_to=list(bounce.sent_to),
                **common,
            )
        )
        for one in bounce.recipients:
            await self._connection.execute(
                sa.insert(bounced_recipients).values(
                    id=one.id,
                    bounce_id=bounce.id,
                    recipient=one.recipient,
                    status=one.status,
                    reason=one.reason,
                    **common,
                )
            )

    async def bounce(self, account: AccountId, bounce: BounceId) -> Bounce | None:
        """A bounce with those whom it is about."""
        query = sa.select(bounces).where(bounces.c.account_id == account, bounces.c.id == bounce)
        found = await self._bounces(query)
        return found[0] if found else None

    async def bounces_of(self, account: AccountId, sent: SentId) -> list[Bounce]:
        """The bounces of a sent email, oldest first."""
        return await self._bounces(sa.select(bounces).where(bounces.c.account_id == account, bounces.c.sent_id == sent))

    async def _bounces(self, query: sa.Select[Any]) -> list[Bounce]:
        rows = (await self._connection.execute(query.order_by(bounces.c.number))).mappings().all()
        if not rows:
            return []
        theirs = sa.select(bounced_recipients).where(bounced_recipients.c.bounce_id.in_([row["id"] for row in rows]))
        found: dict[BounceId, list[BouncedRecipient]] = {}
        for one in (await self._connection.execute(theirs.order_by(bounced_recipients.c.number))).mappings():
            found.setdefault(one["bounce_id"], []).append(_recipient(one))
        return [
            Bounce(
                id=row["id"],
                account_id=row["account_id"],
                inbox_id=row["inbox_id"],
                sent_id=row["sent_id"],
                email_id=row["email_id"],
                created_at=row["created_at"],
                sender=row["sender"],
                subject=row["subject"],
                sent_to=tuple(row["sent_to"]),
                recipients=tuple(found.get(row["id"], ())),
            )
            for row in rows
        ]

    async def bounced_recipient(self, account: AccountId, bounced: BouncedId) -> BouncedRecipient | None:
        query = sa.select(bounced_recipients).where(
            bounced_recipients.c.account_id == account, bounced_recipients.c.id == bounced
        )
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _recipient(row)


def _status(row: Row) -> DeliveryStatus:
    values = {name: value for name, value in row.items() if name != "number"}
    return DeliveryStatus(**{**values, "recipients": tuple(values["recipients"])})


def _recipient(row: Row) -> BouncedRecipient:
    return BouncedRecipient(id=row["id"], recipient=row["recipient"], status=row["status"], reason=row["reason"])
