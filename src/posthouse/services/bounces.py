"""Reports about mail that we sent, as they arrive in a mailbox: tied to the email that they are about.

A report is recognised where mail is taken in, and written down in the same transaction: who did not get the email is
known as soon as the report is there. It is about the email whose envelope id or Message-ID it names; where it names
neither, about the newest one with that subject to one of those recipients.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from posthouse.model.events import Happening
from posthouse.model.mail import SendState, SentEmail, recipients_of
from posthouse.model.reports import Action, DeliveryStatus, Outcome, Report
from posthouse.model.values import AccountId, DeliveryId, EmailId, SentId, new_id
from posthouse.services.reports import code_of, note_bounce, note_status
from posthouse.store.database import Transaction

log = structlog.get_logger()

GUESSED_WITHIN = timedelta(days=7)
"""How old an email may be that a report is about which does not name it."""
REPORTED = "a report about it has arrived: it was sent"


async def note_report(tx: Transaction, account: AccountId, email: EmailId, report: Report, now: datetime) -> None:
    """Write down what a report says that has just been filed as this email."""
    sent = await _meant(tx, account, report, now)
    if sent is None:
        return
    if sent.state is SendState.UNKNOWN:
        settled = replace(sent, state=SendState.ACCEPTED, state_text=REPORTED, sent_at=now, updated_at=now)
        await tx.sent.settle(settled)
        await tx.outbox.done(sent.id)
        await tx.journal.append(sent.inbox_id, Happening.EMAIL_SENT, [sent.id], now)
    for outcomes in _alike(report.outcomes):
        await note_status(tx, _status(sent, report, outcomes, now))
    failed = [one for one in report.outcomes if one.action is Action.FAILED]
    if failed:
        await note_bounce(tx, sent, [(one.recipient, one.status, one.reason) for one in failed], now, email)
    log.info("a report has arrived", sent=str(sent.id), failed=len(failed))


async def _meant(tx: Transaction, account: AccountId, report: Report, now: datetime) -> SentEmail | None:
    """The email that a report is about."""
    try:
        named = await tx.sent.get(account, SentId(UUID(hex=report.envelope_id)))
    except ValueError:
        named = None
    if named is None and report.message_id:
        named = await tx.sent.by_message_id(account, report.message_id)
    if named is not None or report.message_id or not report.subject:
        return named
    people = {one.recipient.lower() for one in report.outcomes}
    for sent in await tx.sent.by_subject(account, report.subject, now - GUESSED_WITHIN):
        if people & {address.lower() for address in recipients_of(sent)}:
            return sent
    return None


def _alike(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Outcomes that differ in the recipient alone."""
    groups: dict[Outcome, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(replace(one, recipient=""), []).append(one)
    return list(groups.values())


def _status(sent: SentEmail, report: Report, outcomes: Sequence[Outcome], now: datetime) -> DeliveryStatus:
    one = outcomes[0]
    text = " ".join(filter(None, (one.reason or one.status, f"({one.action})")))
    return DeliveryStatus(
        id=DeliveryId(new_id(now)),
        account_id=sent.account_id,
        inbox_id=sent.inbox_id,
        sent_id=sent.id,
        created_at=now,
        recipients=tuple(each.recipient for each in outcomes),
        subject=sent.subject,
        reporting_mta=report.reporting_mta or None,
        remote_mta=one.remote_mta or None,
        smtp_code=code_of(one.reason) or _CODES.get(one.action),
        smtp_text=text,
        received_at=report.arrived_at,
    )


_CODES = {Action.FAILED: 550, Action.DELAYED: 450, Action.DELIVERED: 250, Action.RELAYED: 250, Action.EXPANDED: 250}
"""What an SMTP server would have said, where a report does not tell what it did."""
