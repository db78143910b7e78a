"""Good calls of what there is around inboxes: tags, plus addresses, expiry, imports, many at once."""

import base64
from collections.abc import Callable

from .cases import Call
from .town import Own, message


def _message(own: Own) -> bytes:
    return message(own.mailbox.address, "Imported")


def _plus(own: Own) -> dict[str, str]:
    return {"inboxId": own.inbox, "plusAddressId": own.plus_address}


CASES: dict[str, Callable[[Own], Call]] = {
    "doesInboxHaveAutomations": lambda own: Call(),
    "isEmailAddressAvailable": lambda own: Call(query={"emailAddress": "free@posthouse.example"}),
    "getInboxTags": lambda own: Call(),
    "getInboxTagsPaginated": lambda own: Call(),
    "getInboxesByTag": lambda own: Call(query={"tag": "plain"}),
    "getOrganizationInboxes": lambda own: Call(),
    "setInboxFavourited": lambda own: Call(path={"inboxId": own.inbox}, json={"state": True}),
    "deleteAllInboxesByName": lambda own: Call(query={"name": f"plain inbox of {own.mailbox.address}"}),
    "deleteAllInboxesByDescription": lambda own: Call(query={"description": "nobody's"}),
    "deleteAllInboxesByTag": lambda own: Call(query={"tag": "plain"}),
    "bulkCreateInboxes": lambda own: Call(query={"count": 2}),
    "bulkDeleteInboxes": lambda own: Call(json=[own.plain_inbox]),
    "deleteAllAttachments": lambda own: Call(),
    # Plus addresses
    "getAllPlusAddresses": lambda own: Call(query={"inboxId": own.inbox}),
    "getInboxPlusAddressById": lambda own: Call(path={"plusAddressId": own.plus_address}, query={"inboxId": own.inbox}),
    "getInboxPlusAddresses": lambda own: Call(path={"inboxId": own.inbox}),
    "getInboxPlusAddress": lambda own: Call(path=_plus(own)),
    "getInboxPlusAddressEmails": lambda own: Call(path={"inboxId": own.inbox}, query={"plusAddress": "tag"}),
    "getInboxPlusAddressEmailsForPlusAddressId": lambda own: Call(path=_plus(own)),
    "getOrCreateInboxPlusAddress": lambda own: Call(
        path={"inboxId": own.inbox}, query={"fullAddress": own.mailbox.tagged("another")}
    ),
    "getOrCreatePlusAddressByFullAddress": lambda own: Call(query={"fullAddress": own.plain_address_tagged}),
    # Imports
    "importEmailIntoInbox": lambda own: Call(
        path={"inboxId": own.plain_inbox},
        json={"rawEmailBase64": base64.b64encode(_message(own)).decode(), "overrideMessageId": True},
    ),
    "importEmailIntoInboxMultipart": lambda own: Call(
        path={"inboxId": own.plain_inbox}, files={"file": ("a.eml", _message(own), "message/rfc822")}
    ),
    "importEmailIntoInboxBytes": lambda own: Call(
        path={"inboxId": own.plain_inbox}, content=_message(own), headers={"Content-Type": "message/rfc822"}
    ),
    # Expiry
    "flushExpired": lambda own: Call(),
    "getExpiredInboxes": lambda own: Call(query={"inboxId": own.expired_inbox}),
    "getExpirationDefaults": lambda own: Call(),
    "getExpiredInboxByInboxId": lambda own: Call(path={"inboxId": own.expired_inbox}),
    "getExpiredInboxRecord": lambda own: Call(path={"expiredId": own.expired}),
}
