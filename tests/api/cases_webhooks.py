"""Good calls of the operations on webhooks. Nobody answers where these ones lead."""

from collections.abc import Callable
from typing import Any

from .cases import Call
from .town import Own, nowhere


def _webhook(**more: Any) -> Callable[[Own], Call]:
    return lambda own: Call(path={"webhookId": own.webhook}, **more)


def _result(own: Own) -> Call:
    return Call(path={"webhookResultId": own.webhook_result})


def _nothing(own: Own) -> Call:
    return Call()


def _results_of(own: Own) -> dict[str, Any]:
    return {"inboxId": own.plain_inbox, "emailId": own.email, "attachmentId": own.attachment}


CASES: dict[str, Callable[[Own], Call]] = {
    "getWebhooks": lambda own: Call(path={"inboxId": own.plain_inbox}),
    "createWebhook": lambda own: Call(
        path={"inboxId": own.plain_inbox}, json={"url": nowhere("new"), "eventName": "NEW_EMAIL", "name": "new"}
    ),
    "getInboxWebhooksPaginated": lambda own: Call(
        path={"inboxId": own.plain_inbox}, query={"includeAccountWide": "true"}
    ),
    "deleteWebhook": lambda own: Call(path={"inboxId": own.plain_inbox, "webhookId": own.webhook}),
    "deleteAllWebhooks": _nothing,
    "createAccountWebhook": lambda own: Call(json={"url": nowhere("new")}),
    "getAllAccountWebhooks": _nothing,
    "getAllWebhookEndpoints": lambda own: Call(query={"inboxId": own.plain_inbox}),
    "getAllWebhooks": lambda own: Call(query={"inboxId": own.plain_inbox}),
    "getAllWebhookResults": lambda own: Call(query=_results_of(own)),
    "redriveAllWebhookResults": _nothing,
    "getWebhookResultsUnseenErrorCount": _nothing,
    "getWebhookResult": _result,
    "redriveWebhookResult": _result,
    "getJsonSchemaForWebhookEvent": lambda own: Call(query={"event": "NEW_EMAIL"}),
    "getTestWebhookPayload": lambda own: Call(query={"eventName": "NEW_ATTACHMENT"}),
    "getTestWebhookPayloadDeliveryStatus": _nothing,
    "getTestWebhookPayloadBounce": _nothing,
    "getTestWebhookPayloadBounceRecipient": _nothing,
    "getTestWebhookPayloadEmailOpened": _nothing,
    "getTestWebhookPayloadEmailRead": _nothing,
    "getTestWebhookPayloadNewAttachment": _nothing,
    "getTestWebhookPayloadNewContact": _nothing,
    "getTestWebhookPayloadNewEmail": _nothing,
    "verifyWebhookSignature": lambda own: Call(json={"messageId": own.webhook_message, "signature": "0f" * 32}),
    "getWebhook": _webhook(),
    "updateWebhook": lambda own: Call(
        path={"webhookId": own.webhook},
        query={"inboxId": own.plain_inbox},
        json={"url": nowhere("changed"), "eventName": "EMAIL_READ"},
    ),
    "deleteWebhookById": _webhook(),
    "getTestWebhookPayloadForWebhook": _webhook(),
    "updateWebhookHeaders": _webhook(json={"headers": [{"name": "X-Team", "value": "blue"}]}),
    "getWebhookResults": lambda own: Call(path={"webhookId": own.webhook}, query=_results_of(own)),
    "getWebhookResultsCount": _webhook(),
    "getJsonSchemaForWebhookPayload": _webhook(),
    "sendTestData": _webhook(),
    "waitForWebhookResults": _webhook(query={"expectedCount": 1, "timeout": 1000}),
}

OWN_CASES: dict[str, Callable[[Own], Call]] = {
    "getWebhookSecret": _webhook(),
    "renewWebhookSecret": _webhook(),
    "rewindWebhook": lambda own: Call(
        path={"webhookId": own.webhook}, json={"inboxId": own.plain_inbox, "position": 0}
    ),
}
