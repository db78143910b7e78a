"""Good calls of the operations that send, and of those that tell what became of it."""

from collections.abc import Callable
from typing import Any

from .cases import Call
from .town import Own

BOB = "bob@elsewhere.example"
PLAIN = {"to": [BOB], "subject": "S", "body": "B"}


def _options(own: Own) -> dict[str, Any]:
    return {**PLAIN, "attachments": [own.upload]}


CASES: dict[str, Callable[[Own], Call]] = {
    "sendEmailSimple": lambda own: Call(json={"senderId": own.inbox, "to": BOB, "subject": "S", "body": "B"}),
    "sendEmailQuery": lambda own: Call(query={"senderId": own.inbox, "to": BOB, "subject": "S", "body": "B"}),
    "sendEmailSourceOptional": lambda own: Call(query={"inboxId": own.inbox}, json=_options(own)),
    "canSend": lambda own: Call(query={"inboxId": own.inbox}, json=PLAIN),
    "sendSmtpEnvelope": lambda own: Call(
        path={"inboxId": own.inbox},
        json={
            "rcptTo": [BOB],
            "mailFrom": own.mailbox.address,
            "data": f"From: {own.mailbox.address}\r\nTo: {BOB}\r\nSubject: S\r\n\r\nB\r\n",
        },
    ),
    "sendTestEmail": lambda own: Call(path={"inboxId": own.plain_inbox}),
    "sendEmailWithQueue": lambda own: Call(
        path={"inboxId": own.inbox}, query={"validateBeforeEnqueue": "true"}, json=_options(own)
    ),
    "sendWithSchedule": lambda own: Call(
        path={"inboxId": own.inbox}, query={"sendAtNowPlusSeconds": 3600}, json=_options(own)
    ),
    "bulkSendEmails": lambda own: Call(json={"inboxIds": [own.inbox], "sendEmailOptions": PLAIN}),
    "getAllScheduledJobs": lambda own: Call(query={"inboxId": own.inbox}),
    "getScheduledJobsByInboxId": lambda own: Call(path={"inboxId": own.inbox}),
    "getScheduledJob": lambda own: Call(path={"jobId": own.job}),
    "cancelScheduledJob": lambda own: Call(path={"jobId": own.job}),
    "getOutboxes": lambda own: Call(),
    "getSentOrganizationEmails": lambda own: Call(query={"inboxId": own.inbox}),
    "getSentEmailsWithQueueResults": lambda own: Call(),
    "getSentEmailPreviewURLs": lambda own: Call(path={"id": own.sent}),
    "getSentDeliveryStatuses": lambda own: Call(),
    "waitForDeliveryStatuses": lambda own: Call(
        query={"sentId": own.sent, "inboxId": own.inbox, "timeout": 100, "index": 0}
    ),
    "getSentDeliveryStatus": lambda own: Call(path={"deliveryId": own.delivery}),
    "getSentDeliveryStatusesBySentId": lambda own: Call(path={"sentId": own.sent}),
    "getDeliveryStatusesByInboxId": lambda own: Call(path={"inboxId": own.inbox}),
}
