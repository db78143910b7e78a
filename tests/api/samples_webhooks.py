"""One of everything that we can say of webhooks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from posthouse.api.wire import payloads, webhooks
from posthouse.api.wire.common import WireModel
from posthouse.model.values import AccountId, InboxId, Page, Secret, Slice
from posthouse.model.webhooks import (
    Answer,
    Call,
    EventName,
    Health,
    MessageId,
    Result,
    ResultId,
    ResultType,
    Webhook,
    WebhookId,
)
from posthouse.services.payloads import example
from posthouse.services.saying import Said

MORNING = datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC)
ACCOUNT_ID = AccountId(UUID(int=0x0192E000_0000_7000_8000_000000000001))
INBOX_ID = InboxId(UUID(int=0x0192E000_0000_7000_8000_000000000003))
EMAIL_ID = UUID(int=0x0192E000_0000_7000_8000_000000000004)
WEBHOOK_ID = WebhookId(UUID(int=0x0192E000_0000_7000_8000_000000000101))
MESSAGE_ID = MessageId(UUID(int=0x0192E000_0000_5000_8000_000000000102))
RESULT_ID = ResultId(UUID(int=0x0192E000_0000_7000_8000_000000000103))
ASKED = Slice(page=1, size=2)


def webhook(canary: str) -> Webhook:
    return Webhook(
        id=WEBHOOK_ID,
        account_id=ACCOUNT_ID,
        inbox_id=INBOX_ID,
        name="orders",
        url="https://hooks.example.org/orders?team=blue",
        event=EventName.NEW_EMAIL,
        secret=Secret(canary),
        username="ann",
        password=Secret(canary),
        headers={"X-Team": Secret("blue"), "X-Api-Key": Secret(canary)},
        template='{"text": "{{subject}}"}',
        takes_any_certificate=True,
        static_addresses=False,
        ai_transform_id=UUID(int=7),
        tags=("a",),
        failures=3,
        created_at=MORNING,
        updated_at=MORNING + timedelta(hours=2),
    )


def bare_webhook(canary: str) -> Webhook:
    return Webhook(
        id=WEBHOOK_ID,
        account_id=ACCOUNT_ID,
        inbox_id=None,
        name=None,
        url="http://hooks.example.org",
        event=EventName.NEW_SMS,
        secret=Secret(canary),
        username=None,
        password=None,
        template=None,
        takes_any_certificate=False,
        static_addresses=None,
        ai_transform_id=None,
        tags=(),
        failures=0,
        created_at=MORNING,
        updated_at=MORNING,
    )


RESULT = Result(
    id=RESULT_ID,
    account_id=ACCOUNT_ID,
    webhook_id=WEBHOOK_ID,
    message_id=MESSAGE_ID,
    inbox_id=INBOX_ID,
    email_id=EMAIL_ID,
    attachment_id="1761991200-4.1",
    event=EventName.NEW_ATTACHMENT,
    url="https://hooks.example.org/orders",
    status=503,
    took=timedelta(milliseconds=1234),
    extract="come back later",
    type=ResultType.REDRIVEN,
    redrive_id=UUID(int=8),
    seen=True,
    created_at=MORNING,
    updated_at=MORNING,
)
BARE_RESULT = Result(
    id=RESULT_ID,
    account_id=ACCOUNT_ID,
    webhook_id=WEBHOOK_ID,
    message_id=MESSAGE_ID,
    inbox_id=None,
    email_id=None,
    attachment_id=None,
    event=EventName.EMAIL_READ,
    url="https://hooks.example.org/orders",
    status=None,
    took=timedelta(),
    extract=None,
    type=ResultType.EXCEPTION,
    redrive_id=None,
    seen=False,
    created_at=MORNING,
    updated_at=MORNING,
)


def said(canary: str, answer: Answer | None) -> Said:
    headers = {"Authorization": f"Basic {canary}", "X-Api-Key": canary, "x-event": "NEW_EMAIL", "x-signature": "00ff"}
    call = Call(url="https://hooks.example.org/orders", headers=headers, body=b'{"a": 1}')
    return Said(call, answer, None if answer else "hooks.example.org refuses connections on port 443", RESULT)


def _payload(event: EventName) -> dict[str, object]:
    return example(event, MESSAGE_ID, WEBHOOK_ID, "orders", INBOX_ID)


def whole_answers(canary: str) -> Iterator[WireModel]:
    hook = webhook(canary)
    yield webhooks.WebhookDto.of(hook)
    headers = webhooks.WebhookHeaders.of(hook.headers)
    yield headers
    yield headers.headers[0]
    yield webhooks.WebhookProjection.of(hook)
    yield webhooks.PageWebhookProjection.of(Page((hook,), 3, ASKED), webhooks.WebhookProjection.of)
    endpoint = ("https://hooks.example.org/orders", Health.UNHEALTHY)
    yield webhooks.WebhookEndpointProjection.of(endpoint)
    yield webhooks.PageWebhookEndpointProjection.of(Page((endpoint,), 3, ASKED), webhooks.WebhookEndpointProjection.of)
    yield webhooks.WebhookResultDto.of(RESULT)
    yield webhooks.PageWebhookResult.of(Page((RESULT,), 3, ASKED), webhooks.WebhookResultDto.of)
    yield webhooks.UnseenErrorCountDto(count=3)
    yield webhooks.WebhookRedriveResult(webhook_result_id=RESULT_ID, success=False, message="it was a test")
    yield webhooks.WebhookRedriveAllResult(success=True, message="3 messages are told again")
    tried = webhooks.WebhookTestResult.of(said(canary, Answer(status=404, text="who?")))
    yield tried
    yield tried.request
    yield tried.response
    yield webhooks.JSONSchemaDto(value="{}")
    yield webhooks.VerifyWebhookSignatureResults(is_valid=True)
    yield payloads.AbstractWebhookPayload.model_validate(_payload(EventName.NEW_SMS))
    yield payloads.WebhookNewEmailPayload.model_validate(_payload(EventName.NEW_EMAIL))
    yield payloads.WebhookNewAttachmentPayload.model_validate(_payload(EventName.NEW_ATTACHMENT))
    yield payloads.WebhookEmailReadPayload.model_validate(_payload(EventName.EMAIL_READ))
    yield payloads.WebhookEmailOpenedPayload.model_validate(_payload(EventName.EMAIL_OPENED))
    yield payloads.WebhookBouncePayload.model_validate(_payload(EventName.BOUNCE))
    yield payloads.WebhookBounceRecipientPayload.model_validate(_payload(EventName.BOUNCE_RECIPIENT))
    yield payloads.WebhookDeliveryStatusPayload.model_validate(_payload(EventName.DELIVERY_STATUS))
    yield payloads.WebhookNewContactPayload.model_validate(_payload(EventName.NEW_CONTACT))


def bare_answers(canary: str) -> Iterator[WireModel]:
    hook = bare_webhook(canary)
    yield webhooks.WebhookDto.of(hook)
    yield webhooks.WebhookProjection.of(hook)
    yield webhooks.WebhookResultDto.of(BARE_RESULT)
    yield webhooks.WebhookTestResult.of(said(canary, None))
    yield webhooks.WebhookTestResult.of(said(canary, Answer(status=204, text="")))
    yield webhooks.WebhookRedriveResult(webhook_result_id=RESULT_ID, success=True, message=None)
