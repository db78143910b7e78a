"""The webhook controller, and operations of our own beside it: the signing secret, and setting a webhook back."""

from typing import Annotated
from uuid import uuid4

from fastapi import Path, Query, Request, Response

from posthouse.api.context import Caller, House, InboxPath, controller
from posthouse.api.patience import while_connected
from posthouse.api.wire.common import CountDto, Moment
from posthouse.api.wire.payloads import (
    AbstractWebhookPayload,
    WebhookBouncePayload,
    WebhookBounceRecipientPayload,
    WebhookDeliveryStatusPayload,
    WebhookEmailOpenedPayload,
    WebhookEmailReadPayload,
    WebhookNewAttachmentPayload,
    WebhookNewContactPayload,
    WebhookNewEmailPayload,
    schema_of,
)
from posthouse.api.wire.webhooks import (
    AccountWebhooksQuery,
    AllWebhooksQuery,
    CreateWebhookOptions,
    EndpointsQuery,
    EventSource,
    ExampleQuery,
    InboxWebhookPageQuery,
    InboxWebhooksQuery,
    JSONSchemaDto,
    PageWebhookEndpointProjection,
    PageWebhookProjection,
    PageWebhookResult,
    ResultsQuery,
    RewindOptions,
    RewoundDto,
    UnseenErrorCountDto,
    UpdateWebhookQuery,
    VerifyWebhookSignatureOptions,
    VerifyWebhookSignatureResults,
    WaitForResultsQuery,
    WebhookDto,
    WebhookEndpointProjection,
    WebhookHeaders,
    WebhookProjection,
    WebhookRedriveAllResult,
    WebhookRedriveResult,
    WebhookResultDto,
    WebhookSecretDto,
    WebhookTestResult,
)
from posthouse.model.values import Page, Slice
from posthouse.model.webhooks import EventName, MessageId, ResultId, WebhookId, WebhookQuery
from posthouse.services.payloads import Payload, example

router = controller("WebhookController")
own = controller("Posthouse")

WebhookPath = Annotated[WebhookId, Path(alias="webhookId")]
ResultPath = Annotated[ResultId, Path(alias="webhookResultId")]


# Of an inbox


@router.get("/inboxes/{inboxId}/webhooks", operation_id="getWebhooks")
async def get_webhooks(
    inbox_id: InboxPath, query: Annotated[InboxWebhooksQuery, Query()], caller: Caller, house: House
) -> list[WebhookProjection]:
    asked = WebhookQuery(slice=Slice(page=query.page, size=query.size, sort=query.sort))
    page = await house.webhooks.page_of_inbox(caller.id, inbox_id, asked)
    return [WebhookProjection.of(webhook) for webhook in page.items]


@router.post("/inboxes/{inboxId}/webhooks", operation_id="createWebhook", status_code=201)
async def create_webhook(
    inbox_id: InboxPath, options: CreateWebhookOptions, caller: Caller, house: House
) -> WebhookDto:
    return WebhookDto.of(await house.webhooks.create(caller.id, options.to_domain(), inbox_id))


@router.get("/inboxes/{inboxId}/webhooks/paginated", operation_id="getInboxWebhooksPaginated")
async def get_inbox_webhooks_paginated(
    inbox_id: InboxPath, query: Annotated[InboxWebhookPageQuery, Query()], caller: Caller, house: House
) -> PageWebhookProjection:
    asked = query.to_domain(account_wide=query.include_account_wide)
    page = await house.webhooks.page_of_inbox(caller.id, inbox_id, asked)
    return PageWebhookProjection.of(page, WebhookProjection.of)


@router.delete("/inboxes/{inboxId}/webhooks/{webhookId}", operation_id="deleteWebhook", status_code=204)
async def delete_webhook(inbox_id: InboxPath, webhook_id: WebhookPath, caller: Caller, house: House) -> None:
    await house.webhooks.delete(caller.id, webhook_id, inbox_id)


# Of the account


@router.post("/webhooks", operation_id="createAccountWebhook", status_code=201)
async def create_account_webhook(options: CreateWebhookOptions, caller: Caller, house: House) -> WebhookDto:
    return WebhookDto.of(await house.webhooks.create(caller.id, options.to_domain()))


@router.delete("/webhooks", operation_id="deleteAllWebhooks", status_code=204)
async def delete_all_webhooks(caller: Caller, house: House, before: Annotated[Moment | None, Query()] = None) -> None:
    await house.webhooks.delete_all(caller.id, Slice(before=before))


@router.get("/webhooks/account/paginated", operation_id="getAllAccountWebhooks")
async def get_all_account_webhooks(
    query: Annotated[AccountWebhooksQuery, Query()], caller: Caller, house: House
) -> PageWebhookProjection:
    page = await house.webhooks.page(caller.id, query.to_domain(account_wide=True))
    return PageWebhookProjection.of(page, WebhookProjection.of)


@router.get("/webhooks/endpoints", operation_id="getAllWebhookEndpoints")
async def get_all_webhook_endpoints(
    query: Annotated[EndpointsQuery, Query()], caller: Caller, house: House
) -> PageWebhookEndpointProjection:
    asked = query.to_domain(inbox_id=query.inbox_id)
    nothing = query.phone_id is not None
    page = Page((), 0, query.slice()) if nothing else await house.webhooks.endpoints(caller.id, asked)
    return PageWebhookEndpointProjection.of(page, WebhookEndpointProjection.of)


@router.get("/webhooks/paginated", operation_id="getAllWebhooks")
async def get_all_webhooks(
    query: Annotated[AllWebhooksQuery, Query()], caller: Caller, house: House
) -> PageWebhookProjection:
    nothing = query.phone_id or query.ai_transformer_id or query.event_type_source not in (None, EventSource.INBOX)
    if nothing:
        return PageWebhookProjection.of(Page((), 0, query.slice()), WebhookProjection.of)
    inbox = query.inbox_id
    # Without an inbox all are asked for, unless those of the whole account are ruled out.
    wide = query.include_account_wide if inbox else (False if query.include_account_wide is False else None)
    asked = query.to_domain(inbox_id=inbox, account_wide=wide, url=query.url or "")
    return PageWebhookProjection.of(await house.webhooks.page(caller.id, asked), WebhookProjection.of)


# How telling them went


@router.get("/webhooks/results", operation_id="getAllWebhookResults")
async def get_all_webhook_results(
    query: Annotated[ResultsQuery, Query()], caller: Caller, house: House
) -> PageWebhookResult:
    return PageWebhookResult.of(await house.webhook_results.page(caller.id, query.to_domain()), WebhookResultDto.of)


@router.post("/webhooks/results/redrive", operation_id="redriveAllWebhookResults")
async def redrive_all_webhook_results(caller: Caller, house: House) -> WebhookRedriveAllResult:
    """What was given up is told again, and what waits for another try is tried at once."""
    count = await house.webhook_results.redrive_all(caller.id)
    return WebhookRedriveAllResult(success=True, message=f"{count} messages that had been given up are told again")


@router.get("/webhooks/results/unseen-count", operation_id="getWebhookResultsUnseenErrorCount")
async def get_webhook_results_unseen_error_count(caller: Caller, house: House) -> UnseenErrorCountDto:
    return UnseenErrorCountDto(count=await house.webhook_results.unseen_failures(caller.id))


@router.get("/webhooks/results/{webhookResultId}", operation_id="getWebhookResult")
async def get_webhook_result(result_id: ResultPath, caller: Caller, house: House) -> WebhookResultDto:
    return WebhookResultDto.of(await house.webhook_results.get(caller.id, result_id))


@router.post("/webhooks/results/{webhookResultId}/redrive", operation_id="redriveWebhookResult")
async def redrive_webhook_result(result_id: ResultPath, caller: Caller, house: House) -> WebhookRedriveResult:
    """The message is told again, under the same id."""
    why_not = await house.webhook_results.redrive(caller.id, result_id)
    return WebhookRedriveResult(webhook_result_id=result_id, success=why_not is None, message=why_not)


# What they are told


@router.post("/webhooks/schema", operation_id="getJsonSchemaForWebhookEvent")
async def get_json_schema_for_webhook_event(event: Annotated[EventName, Query()], caller: Caller) -> JSONSchemaDto:
    return JSONSchemaDto(value=schema_of(event))


@router.get("/webhooks/test", operation_id="getTestWebhookPayload")
async def get_test_webhook_payload(query: Annotated[ExampleQuery, Query()], caller: Caller) -> AbstractWebhookPayload:
    return AbstractWebhookPayload.model_validate(_example(query.event_name))


@router.get("/webhooks/test/delivery-status-payload", operation_id="getTestWebhookPayloadDeliveryStatus")
async def get_test_webhook_payload_delivery_status(caller: Caller) -> WebhookDeliveryStatusPayload:
    return WebhookDeliveryStatusPayload.model_validate(_example(EventName.DELIVERY_STATUS))


@router.get("/webhooks/test/email-bounce-payload", operation_id="getTestWebhookPayloadBounce")
async def get_test_webhook_payload_bounce(caller: Caller) -> WebhookBouncePayload:
    return WebhookBouncePayload.model_validate(_example(EventName.BOUNCE))


@router.get("/webhooks/test/email-bounce-recipient-payload", operation_id="getTestWebhookPayloadBounceRecipient")
async def get_test_webhook_payload_bounce_recipient(caller: Caller) -> WebhookBounceRecipientPayload:
    return WebhookBounceRecipientPayload.model_validate(_example(EventName.BOUNCE_RECIPIENT))


@router.get("/webhooks/test/email-opened-payload", operation_id="getTestWebhookPayloadEmailOpened")
async def get_test_webhook_payload_email_opened(caller: Caller) -> WebhookEmailOpenedPayload:
    return WebhookEmailOpenedPayload.model_validate(_example(EventName.EMAIL_OPENED))


@router.get("/webhooks/test/email-read-payload", operation_id="getTestWebhookPayloadEmailRead")
async def get_test_webhook_payload_email_read(caller: Caller) -> WebhookEmailReadPayload:
    return WebhookEmailReadPayload.model_validate(_example(EventName.EMAIL_READ))


@router.get("/webhooks/test/new-attachment-payload", operation_id="getTestWebhookPayloadNewAttachment")
async def get_test_webhook_payload_new_attachment(caller: Caller) -> WebhookNewAttachmentPayload:
    return WebhookNewAttachmentPayload.model_validate(_example(EventName.NEW_ATTACHMENT))


@router.get("/webhooks/test/new-contact-payload", operation_id="getTestWebhookPayloadNewContact")
async def get_test_webhook_payload_new_contact(caller: Caller) -> WebhookNewContactPayload:
    return WebhookNewContactPayload.model_validate(_example(EventName.NEW_CONTACT))


@router.get("/webhooks/test/new-email-payload", operation_id="getTestWebhookPayloadNewEmail")
async def get_test_webhook_payload_new_email(caller: Caller) -> WebhookNewEmailPayload:
    return WebhookNewEmailPayload.model_validate(_example(EventName.NEW_EMAIL))


@router.post("/webhooks/verify", operation_id="verifyWebhookSignature")
async def verify_webhook_signature(
    options: VerifyWebhookSignatureOptions, caller: Caller, house: House
) -> VerifyWebhookSignatureResults:
    """Whether `x-signature` is ours, for the message of this `x-message-id`. A receiver that keeps the signing secret
    need not ask: `webhook-signature` can be checked without us."""
    message = options.to_domain()
    valid = message is not None and await house.webhooks.verify(caller.id, message, options.signature)
    return VerifyWebhookSignatureResults(is_valid=valid)


# One webhook


@router.get("/webhooks/{webhookId}", operation_id="getWebhook")
async def get_webhook(webhook_id: WebhookPath, caller: Caller, house: House) -> WebhookDto:
    return WebhookDto.of(await house.webhooks.get(caller.id, webhook_id))


@router.patch("/webhooks/{webhookId}", operation_id="updateWebhook")
async def update_webhook(
    webhook_id: WebhookPath,
    options: CreateWebhookOptions,
    query: Annotated[UpdateWebhookQuery, Query()],
    caller: Caller,
    house: House,
) -> WebhookDto:
    """What is not sent stays as it is."""
    present = await house.webhooks.get(caller.id, webhook_id)
    changes = options.changes(present, override_auth=query.override_auth)
    return WebhookDto.of(await house.webhooks.change(caller.id, present.id, query.inbox_id, **changes))


@router.delete("/webhooks/{webhookId}", operation_id="deleteWebhookById", response_class=Response)
async def delete_webhook_by_id(webhook_id: WebhookPath, caller: Caller, house: House) -> Response:
    await house.webhooks.delete(caller.id, webhook_id)
    return Response()


@router.post("/webhooks/{webhookId}/example", operation_id="getTestWebhookPayloadForWebhook", status_code=201)
async def get_test_webhook_payload_for_webhook(
    webhook_id: WebhookPath, caller: Caller, house: House
) -> AbstractWebhookPayload:
    webhook = await house.webhooks.get(caller.id, webhook_id)
    told = example(webhook.event, MessageId(uuid4()), webhook.id, webhook.name, webhook.inbox_id)
    return AbstractWebhookPayload.model_validate(told)


@router.put("/webhooks/{webhookId}/headers", operation_id="updateWebhookHeaders")
async def update_webhook_headers(
    webhook_id: WebhookPath, options: WebhookHeaders, caller: Caller, house: House
) -> WebhookDto:
    """These headers in place of the present ones; a hidden value stays what it is."""
    present = await house.webhooks.get(caller.id, webhook_id)
    headers = options.to_domain(present.headers)
    return WebhookDto.of(await house.webhooks.change(caller.id, present.id, headers=headers))


@router.get("/webhooks/{webhookId}/results", operation_id="getWebhookResults")
async def get_webhook_results(
    webhook_id: WebhookPath, query: Annotated[ResultsQuery, Query()], caller: Caller, house: House
) -> PageWebhookResult:
    page = await house.webhook_results.page(caller.id, query.to_domain(webhook_id))
    return PageWebhookResult.of(page, WebhookResultDto.of)


@router.get("/webhooks/{webhookId}/results/count", operation_id="getWebhookResultsCount")
async def get_webhook_results_count(webhook_id: WebhookPath, caller: Caller, house: House) -> CountDto:
    return CountDto(total_elements=await house.webhook_results.count(caller.id, webhook_id))


@router.post("/webhooks/{webhookId}/schema", operation_id="getJsonSchemaForWebhookPayload")
async def get_json_schema_for_webhook_payload(webhook_id: WebhookPath, caller: Caller, house: House) -> JSONSchemaDto:
    return JSONSchemaDto(value=schema_of((await house.webhooks.get(caller.id, webhook_id)).event))


@router.post("/webhooks/{webhookId}/test", operation_id="sendTestData", status_code=201)
async def send_test_data(webhook_id: WebhookPath, caller: Caller, house: House) -> WebhookTestResult:
    """The webhook is told an example, here and now."""
    return WebhookTestResult.of(await house.webhooks.test(caller.id, webhook_id))


@router.get("/webhooks/{webhookId}/wait", operation_id="waitForWebhookResults")
async def wait_for_webhook_results(
    webhook_id: WebhookPath,
    query: Annotated[WaitForResultsQuery, Query()],
    request: Request,
    caller: Caller,
    house: House,
) -> list[WebhookResultDto]:
    """The results, oldest first, once there are so many; a 408 when they don't come."""
    waiting = house.webhook_results.wait(caller.id, webhook_id, query.expected_count, query.patience())
    return [WebhookResultDto.of(result) for result in await while_connected(request, waiting)]


@own.get("/webhooks/{webhookId}/secret", operation_id="getWebhookSecret")
async def get_webhook_secret(webhook_id: WebhookPath, caller: Caller, house: House) -> WebhookSecretDto:
    """What this webhook's messages are signed with."""
    webhook = await house.webhooks.get(caller.id, webhook_id)
    return WebhookSecretDto(webhook_id=webhook.id, secret=webhook.secret.reveal())


@own.post("/webhooks/{webhookId}/secret", operation_id="renewWebhookSecret")
async def renew_webhook_secret(webhook_id: WebhookPath, caller: Caller, house: House) -> WebhookSecretDto:
    """Sign with a new secret from now on."""
    secret = await house.webhooks.new_secret(caller.id, webhook_id)
    return WebhookSecretDto(webhook_id=webhook_id, secret=secret.reveal())


@own.post("/webhooks/{webhookId}/rewind", operation_id="rewindWebhook")
async def rewind_webhook(webhook_id: WebhookPath, options: RewindOptions, caller: Caller, house: House) -> RewoundDto:
    """Tell the webhook again, in order and under the same message ids, of what came after a place in an inbox."""
    rewound = await house.webhooks.rewind(caller.id, webhook_id, options.inbox_id, **options.to_domain())
    return RewoundDto.of(rewound)


def _example(event: EventName) -> Payload:
    return example(event, MessageId(uuid4()), WebhookId(uuid4()), "example")
