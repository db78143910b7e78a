"""What became of sent emails: written down as servers say it, looked up, and waited for.

Every answer of an SMTP server, and every report that arrives, is a delivery status. A recipient whom an email does not
reach for good is a bounce besides. Each is a line in the journal of the inbox that it was sent from.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from posthouse.model.errors import NoMatchInTime, NotFound
from posthouse.model.events import Happening
from posthouse.model.mail import SentEmail, recipients_of
from posthouse.model.reports import Bounce, BouncedRecipient, DeliveryStatus
from posthouse.model.values import (
    AccountId,
    BouncedId,
    BounceId,
    DeliveryId,
    EmailId,
    InboxId,
    Page,
    SentId,
    Slice,
    new_id,
)
from posthouse.services.lookout import Lookout
from posthouse.services.required import require_inbox, require_sent
from posthouse.store.database import Database, Transaction

_CODE = re.compile(r"\b([245][0-9]{2})(?:[ -]|$)")
_STATUS = re.compile(r"\b([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")


class Reports:
    def __init__(self, database: Database, lookout: Lookout) -> None:
        self._database = database
        self._lookout = lookout

    async def page(
        self, account: AccountId, slice_: Slice, *, inbox: InboxId | None = None, sent: SentId | None = None
    ) -> Page[DeliveryStatus]:
        async with self._database.reading() as tx:
            await _require(tx, account, inbox, sent)
            return await tx.reports.statuses(account, slice_, inbox=inbox, sent=sent)

    async def bounces(self, account: AccountId, sent: SentId) -> list[Bounce]:
        """What says that a sent email did not reach somebody, oldest first."""
        async with self._database.reading() as tx:
            await _require(tx, account, None, sent)
            return await tx.reports.bounces_of(account, sent)

    async def get(self, account: AccountId, status: DeliveryId) -> DeliveryStatus:
        async with self._database.reading() as tx:
            found = await tx.reports.status(account, status)
        if found is None:
            raise NotFound(f"there is no delivery status {status}")
        return found

    async def wait(
        self,
        account: AccountId,
        *,
        inbox: InboxId | None = None,
        sent: SentId | None = None,
        index: int = 0,
        since: datetime | None = None,
        before: datetime | None = None,
        timeout: timedelta,
    ) -> DeliveryStatus:
        """The delivery status at this place among those that are asked for, oldest first, as soon as there is one.
        Raises NoMatchInTime, and Unavailable when this server stops."""
        slice_ = Slice(page=index, size=1, since=since, before=before)
        with self._lookout.on(f"reports:{account}", timeout=timeout) as news:
            while True:
                page = await self.page(account, slice_, inbox=inbox, sent=sent)
                if page.items:
                    return page.items[0]
                if not await news.more():
                    raise NoMatchInTime(f"there were {page.total} delivery statuses, and number {index} was waited for")


async def note_answer(
    tx: Transaction, sent: SentEmail, recipients: Sequence[str], words: str, host: str, took: timedelta, now: datetime
) -> None:
    """Write down what an SMTP server said of these recipients."""
    await note_status(
        tx,
        DeliveryStatus(
            id=DeliveryId(new_id(now)),
            account_id=sent.account_id,
            inbox_id=sent.inbox_id,
            sent_id=sent.id,
            created_at=now,
            recipients=tuple(recipients),
            subject=sent.subject,
            reporting_mta=host,
            smtp_code=code_of(words),
            smtp_text=words,
            milliseconds=round(took.total_seconds() * 1000),
        ),
    )


def code_of(words: str) -> int | None:
    """The code of SMTP in a server's words."""
    found = _CODE.search(words)
    return int(found[1]) if found else None


async def note_refusals(tx: Transaction, sent: SentEmail, refused: Sequence[tuple[str, str]], now: datetime) -> None:
    """Write down whom a server refused for good."""
    if refused:
        found = {address: _STATUS.search(words) for address, words in refused}
        outcomes = [(address, status[1] if (status := found[address]) else "", words) for address, words in refused]
        await note_bounce(tx, sent, outcomes, now)


async def note_status(tx: Transaction, status: DeliveryStatus) -> None:
    await tx.reports.add_status(status)
    await tx.journal.append(status.inbox_id, Happening.DELIVERY_STATUS, [status.id], status.created_at)
    tx.signal(f"reports:{status.account_id}")
    tx.signal(f"inbox:{status.inbox_id}")


async def note_bounce(
    tx: Transaction,
    sent: SentEmail,
    outcomes: Sequence[tuple[str, str, str]],
    now: datetime,
    email: EmailId | None = None,
) -> None:
    """Write down that an email does not reach these: address, status and reason of each."""
    bounce = Bounce(
        id=BounceId(new_id(now)),
        account_id=sent.account_id,
        inbox_id=sent.inbox_id,
        sent_id=sent.id,
        email_id=email,
        created_at=now,
        sender=sent.sender.email,
        subject=sent.subject,
        sent_to=recipients_of(sent),
        recipients=tuple(
            BouncedRecipient(id=BouncedId(new_id(now)), recipient=address.lower(), status=status, reason=reason)
            for address, status, reason in outcomes
        ),
    )
    await tx.reports.add_bounce(bounce)
    await tx.journal.append(sent.inbox_id, Happening.BOUNCED, [bounce.id], now)
    recipients = [one.id for one in bounce.recipients]
    await tx.journal.append(sent.inbox_id, Happening.BOUNCED_RECIPIENT, recipients, now)
    tx.signal(f"inbox:{sent.inbox_id}")


async def _require(tx: Transaction, account: AccountId, inbox: InboxId | None, sent: SentId | None) -> None:
    if inbox is not None:
        await require_inbox(tx, account, inbox)
    if sent is not None:
        await require_sent(tx, account, sent)
