"""What became of a sent email, in words: of the whole of it, and of each who was to get it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from posthouse.model.mail import SendState, SentEmail
from posthouse.model.outbox import Job, JobStatus
from posthouse.model.reports import DeliveryStatus
from posthouse.services.delivering import GIVEN

STATES: Mapping[str, Collection[SendState]] = {
    "going": (SendState.QUEUED, SendState.CONNECTING),
    "accepted": (SendState.ACCEPTED,),
    "unknown": (SendState.UNKNOWN,),
    "failed": (SendState.FAILED,),
}
"""What a list can be cut down to, by the name that stands in its address."""


@dataclass(frozen=True, slots=True)
class Told:
    """A badge's shape and its word, and a sentence about what that means and what there is to do."""

    badge: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What is known of one recipient."""

    recipient: str
    badge: str
    word: str
    text: str


def is_settled(email: SentEmail) -> bool:
    """Whether nothing more is to be expected within the next seconds."""
    if email.state is SendState.UNKNOWN:
        return email.state_text != GIVEN
    return email.state in (SendState.ACCEPTED, SendState.FAILED)


def told(email: SentEmail, job: Job | None = None) -> Told:
    match email.state:
        case SendState.QUEUED if job is not None and job.status is JobStatus.SUBMITTED and not email.updated_at:
            return Told("waiting", "scheduled", "It is sent by itself at its time, and can be cancelled until then.")
        case SendState.QUEUED if email.state_text:
            return Told(
                "waiting", "to be tried again", "It is tried again by itself for a day: there is nothing to do."
            )
        case SendState.QUEUED:
            return Told("waiting", "waiting", "It is sent in a moment.")
        case SendState.CONNECTING:
            return Told("waiting", "being sent", "The mail server is being spoken to.")
        case SendState.UNKNOWN if email.state_text == GIVEN:
            return Told("waiting", "given", "The mail server has the whole of it, and has not answered yet.")
        case SendState.UNKNOWN:
            return Told(
                "unknown",
                "unknown",
                "The connection broke after the mail server was given the whole of it, before it answered: it may have "
                "been sent, or not. It is never sent again by itself, so that nobody gets it twice. We look for it in "
                "the mailbox's Sent folder, and call it accepted when it turns up there or a report about it comes. "
                "Until then: look into the Sent folder yourself or ask a recipient, and write again only when you are "
                "sure that it has not arrived.",
            )
        case SendState.FAILED:
            return Told("failed", "not sent", "Nobody got it by this, and it is not tried again.")
        case SendState.ACCEPTED if email.virtual:
            return Told("neutral", "written down", "It was sent from a virtual inbox, which lets nothing leave.")
        case SendState.ACCEPTED if email.stays_here:
            return Told("sent", "delivered", "Its recipients are inboxes of this server, and have it.")
        case SendState.ACCEPTED if email.refused:
            return Told("lagging", "accepted for some", "The mail server took it, but not for all of its recipients.")
        case _:
            return Told(
                "sent",
                "accepted",
                "The mail server has taken it over. Should it come back later, the report is tied to this email.",
            )


def fates(email: SentEmail, statuses: Sequence[DeliveryStatus]) -> list[Fate]:
    """What is known of everybody who was to get it, in the order in which they were written."""
    last: dict[str, DeliveryStatus] = {}
    for status in statuses:  # oldest first, so that the last word stays
        last.update((who.lower(), status) for who in status.recipients)
    refused = {who.lower() for who in email.refused}
    people = dict.fromkeys(one.email for one in (*email.to, *email.cc, *email.bcc))
    return [_fate(email, who, last.get(who.lower()), who.lower() in refused) for who in people]


def _fate(email: SentEmail, who: str, status: DeliveryStatus | None, refused: bool) -> Fate:
    text = (status.smtp_text or "") if status else ""
    code = status.smtp_code if status else None
    if refused or (code is not None and code >= 500):
        return Fate(who, "failed", "refused", text)
    if code is not None and code >= 400:
        later = email.state is SendState.QUEUED
        return Fate(who, "waiting", "to be tried again" if later else "delayed", text)
    if code is not None:
        return Fate(who, "sent", "accepted", text)
    if email.state is SendState.ACCEPTED:
        return Fate(who, "neutral" if email.virtual else "sent", "not sent" if email.virtual else "delivered here", "")
    general = told(email)
    return Fate(who, general.badge, general.word, "")
