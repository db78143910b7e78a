"""A good call of every operation that is built: what it takes, said with what the caller has.

`CASES[operation](own)` uses every parameter that names something, so that a test can put somebody else's in its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from fastapi.routing import APIRoute

from posthouse.api.asgi import CONTROLLERS, OWN
from posthouse.api.operations import Operation, known_operations

from .town import Own


@dataclass(frozen=True)
class Call:
    """What goes into one request. `path` holds the values of the path's parameters by the contract's names."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    files: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


BUILT: frozenset[str] = frozenset(
    getattr(route, "operation_id", "") for controller in CONTROLLERS for route in controller.routes
)
"""The operations of the catalogue that our API has a route for."""

OWN_BUILT: dict[str, Operation] = {
    route.operation_id or route.name: Operation(method, route.path, route.operation_id or route.name, tier=0)
    for controller in OWN
    for route in controller.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
}
"""Operations that MailSlurp does not have."""

# Some names are used twice by the clients: what a mail product needs goes before the rest.
OPERATIONS_BY_NAME = {
    one.name: one for one in sorted(known_operations().operations, key=lambda one: one.tier, reverse=True)
} | OWN_BUILT


async def ask(client: httpx2.AsyncClient, name: str, call: Call) -> httpx2.Response:
    """Make the call."""
    operation = OPERATIONS_BY_NAME[name]
    return await client.request(
        operation.method,
        operation.path.format_map(call.path),
        params=call.query,
        json=call.json,
        content=call.content,
        files=call.files,
        headers=call.headers,
    )


from . import (  # noqa: E402 (they need what stands above)
    cases_composing,
    cases_entities,
    cases_extracting,
    cases_inboxes,
    cases_sending,
    cases_webhooks,
)


def _by(parameter: str, kind: str, **more: Any) -> Callable[[Own], Call]:
    """A call with one id in its path, of the tenant's `kind`."""
    return lambda own: Call(path={parameter: getattr(own, kind)}, **more)


def _connector(**more: Any) -> Callable[[Own], Call]:
    return _by("id", "connector", **more)


def _inbox(**more: Any) -> Callable[[Own], Call]:
    return _by("inboxId", "inbox", **more)


def _email(**more: Any) -> Callable[[Own], Call]:
    return _by("emailId", "email", **more)


def _nothing(own: Own) -> Call:
    return Call()


def _attachment_of_email(own: Own) -> Call:
    return Call(path={"emailId": own.email, "attachmentId": own.attachment})


def _fresh_address() -> str:
    return f"new-{uuid4().hex}@posthouse.example"


def _sending(own: Own) -> dict[str, Any]:
    return {"to": ["Bob <bob@elsewhere.example>"], "subject": "S", "body": "B", "attachments": [own.upload]}


FIRST = [{"field": "SUBJECT", "should": "EQUAL", "value": "First"}]

CASES: dict[str, Callable[[Own], Call]] = {
    # Connectors
    "getConnectors": _nothing,
    "createConnector": lambda own: Call(query={"inboxId": own.plain_inbox}, json={"name": "new", "enabled": True}),
    "createConnectorWithOptions": lambda own: Call(
        query={"inboxId": own.plain_inbox},
        json={
            "createConnectorOptions": {"name": "new", "emailAddress": own.mailbox.address, "enabled": True},
            "createConnectorImapConnectionOptions": own.mailbox.imap(),
            "createConnectorSmtpConnectionOptions": own.mailbox.smtp(),
            "createConnectorSyncSettingsOptions": {"syncEnabled": True, "syncInterval": 5},
        },
    ),
    "deleteAllConnector": _nothing,
    "getConnectorProviderSettings": _nothing,
    "getConnectorByEmailAddress": lambda own: Call(query={"emailAddress": own.mailbox.address}),
    "getConnectorByInboxId": lambda own: Call(query={"inboxId": own.inbox}),
    "getConnectorByName": lambda own: Call(query={"name": f"connector of {own.mailbox.address}"}),
    "getAllConnectorEvents": lambda own: Call(query={"id": own.connector}),
    "getConnectorEvent": _by("id", "event"),
    "getConnectorEvents": _connector(),
    "testConnectorImapConnectionOptions": lambda own: Call(json=own.mailbox.imap()),
    "testConnectorSmtpConnectionOptions": lambda own: Call(json=own.mailbox.smtp()),
    "getConnector": _connector(),
    "updateConnector": _connector(json={"name": "renamed", "emailAddress": "other@provider.example", "enabled": False}),
    "deleteConnector": _connector(),
    "syncConnector": _connector(query={"logging": "true"}),
    "sendEmailFromConnector": lambda own: Call(path={"id": own.connector}, json=_sending(own)),
    "getConnectorImapConnection": _connector(),
    "createConnectorImapConnection": lambda own: Call(path={"id": own.bare_connector}, json=own.mailbox.imap()),
    "updateConnectorImapConnection": lambda own: Call(
        path={"id": own.connector}, json=own.mailbox.imap(selectFolder="Sent")
    ),
    "deleteConnectorImapConnection": _connector(),
    "testConnectorImapConnection": lambda own: Call(path={"id": own.connector}, json=own.mailbox.imap()),
    "getConnectorSmtpConnection": _connector(),
    "createConnectorSmtpConnection": lambda own: Call(path={"id": own.bare_connector}, json=own.mailbox.smtp()),
    "updateConnectorSmtpConnection": lambda own: Call(
        path={"id": own.connector}, json=own.mailbox.smtp(localHostName="here.example")
    ),
    "deleteConnectorSmtpConnection": _connector(),
    "testConnectorSmtpConnection": lambda own: Call(path={"id": own.connector}, json=own.mailbox.smtp()),
    "getConnectorSyncSettings": _connector(),
    "createConnectorSyncSettings": _connector(
        json={"syncEnabled": True, "syncScheduleType": "INTERVAL", "syncInterval": 7}
    ),
    "deleteConnectorSyncSettings": _connector(),
    # Inboxes
    "createInbox": lambda own: Call(query={"emailAddress": _fresh_address(), "tags": ["a", "b"], "name": "n"}),
    "createInboxWithOptions": lambda own: Call(json={"tags": ["a"], "expiresIn": 300_000}),
    "createInboxWithDefaults": _nothing,
    "createRandomInbox": _nothing,
    "createNewEmailAddress": _nothing,
    "getInboxes": _nothing,
    "getAllInboxes": _nothing,
    "getAllInboxesOffsetPaginated": _nothing,
    "searchInboxes": lambda own: Call(json={"search": "plain inbox", "pageSize": 5}),
    "getInboxCount": _nothing,
    "getInboxIds": _nothing,
    "getInboxByEmailAddress": lambda own: Call(query={"emailAddress": own.mailbox.address}),
    "getInboxByName": lambda own: Call(query={"name": f"plain inbox of {own.mailbox.address}"}),
    "doesInboxExist": lambda own: Call(query={"emailAddress": own.mailbox.address}),
    "getInbox": _inbox(),
    "updateInbox": _inbox(json={"name": "renamed", "tags": ["x"], "favourite": True}),
    "deleteAllInboxes": _nothing,
    "deleteInbox": _inbox(),
    "deleteEmailAddress": lambda own: Call(query={"inboxId": own.inbox}),
    "deleteAllInboxEmails": _inbox(),
    "emptyInbox": lambda own: Call(query={"inboxId": own.inbox}),
    "getEmails": _inbox(query={"unreadOnly": "false"}),
    "getInboxEmailsPaginated": _inbox(),
    "getInboxEmailCount": _inbox(),
    "sendEmail": lambda own: Call(path={"inboxId": own.inbox}, json=_sending(own)),
    "sendEmailAndConfirm": lambda own: Call(path={"inboxId": own.inbox}, json=_sending(own)),
    "getInboxSentEmails": _inbox(),
    "getInboxSentCount": _inbox(),
    "getLatestEmailInInbox": lambda own: Call(query={"inboxId": own.inbox, "timeoutMillis": 100}),
    # Waits
    "waitFor": lambda own: Call(
        json={"inboxId": own.inbox, "timeout": 100, "count": 1, "matches": FIRST, "unreadOnly": False}
    ),
    "waitForEmailCount": lambda own: Call(query={"inboxId": own.inbox, "count": 1, "timeout": 100}),
    "waitForLatestEmail": lambda own: Call(query={"inboxId": own.inbox, "timeout": 100}),
    "waitForMatchingEmails": lambda own: Call(
        query={"inboxId": own.inbox, "count": 1, "timeout": 100}, json={"matches": FIRST}
    ),
    "waitForMatchingFirstEmail": lambda own: Call(
        query={"inboxId": own.inbox, "timeout": 100}, json={"matches": FIRST}
    ),
    "waitForNthEmail": lambda own: Call(query={"inboxId": own.inbox, "timeout": 100}),
    # Emails
    "getEmailsPaginated": lambda own: Call(query={"inboxId": [own.inbox], "plusAddressId": own.plus_address}),
    "getEmailsOffsetPaginated": lambda own: Call(query={"inboxId": [own.inbox], "plusAddressId": own.plus_address}),
    "searchEmails": lambda own: Call(
        query={"plusAddressId": own.plus_address}, json={"inboxIds": [own.inbox], "searchFilter": "Second"}
    ),
    "getEmailCount": lambda own: Call(query={"inboxId": own.inbox}),
    "getUnreadEmailCount": lambda own: Call(query={"inboxId": own.inbox}),
    "getLatestEmail": lambda own: Call(query={"inboxIds": [own.inbox]}),
    "getLatestEmailInInbox1": lambda own: Call(query={"inboxId": own.inbox}),
    "markAllAsRead": lambda own: Call(query={"inboxId": own.inbox}),
    "markAsRead": _email(),
    "deleteAllEmails": _nothing,
    "deleteEmail": _email(),
    "getEmail": _email(),
    "getEmailSummary": _email(),
    "getEmailHTML": _email(),
    "getEmailHTMLJson": _email(),
    "downloadBody": _email(),
    "downloadBodyBytes": _email(),
    "getRawEmailContents": _email(),
    "getRawEmailJson": _email(),
    "getEmailAttachments": _email(),
    "downloadAttachment": _attachment_of_email,
    "downloadAttachmentBase64": _attachment_of_email,
    "getAttachmentMetaData": _attachment_of_email,
    # Attachments
    "getAttachments": lambda own: Call(query={"inboxId": own.inbox, "emailId": own.email}),
    "uploadAttachment": lambda own: Call(json={"base64Contents": "dGVzdA==", "filename": "a.txt"}),
    "uploadAttachmentBytes": lambda own: Call(content=b"\0\xff", query={"filename": "two.bin"}),
    "uploadMultipartForm": lambda own: Call(files={"file": ("two.bin", b"\0\xff", "application/x-two")}),
    "getAttachment": _by("attachmentId", "attachment"),
    "deleteAttachment": _by("attachmentId", "upload"),
    "getAttachmentInfo": _by("attachmentId", "attachment"),
    "downloadAttachmentAsBase64Encoded": _by("attachmentId", "attachment"),
    "downloadAttachmentAsBytes": _by("attachmentId", "upload"),
    # Sent emails
    "getSentEmails": lambda own: Call(query={"inboxId": own.inbox}),
    "deleteAllSentEmails": _nothing,
    "getSentEmail": _by("id", "sent"),
    "deleteSentEmail": _by("id", "sent"),
    "getSentEmailHTMLContent": _by("id", "sent"),
    "getRawSentEmailContents": _by("emailId", "sent"),
    "getRawSentEmailJson": _by("emailId", "sent"),
    # The user
    "getUserInfo": _nothing,
}

CASES |= cases_entities.CASES
CASES |= cases_extracting.CASES
CASES |= cases_composing.CASES
CASES |= cases_inboxes.CASES
CASES |= cases_sending.CASES
CASES |= cases_webhooks.CASES

OWN_CASES: dict[str, Callable[[Own], Call]] = {
    "getHealth": _nothing,
    "getConnectorState": _connector(),
    "getConnectorProgress": _connector(),
    "cancelConnectorSync": _connector(),
    "getProposedConnectorSettings": lambda own: Call(query={"emailAddress": "ann@gmail.com"}),
    "getImapFolders": lambda own: Call(json=own.mailbox.imap()),
    "getConnectorImapFolders": _connector(),
    "markInbox": _inbox(),
    "assertNoEmail": _inbox(json={"timeout": 1}),
}

OWN_CASES |= cases_webhooks.OWN_CASES
