"""How it went to tell a webhook something: one result, and what is to be told again."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Form, Response

from posthouse.dashboard.visit import Visit, pages
from posthouse.dashboard.webhooks import inbox_of, shown
from posthouse.model.errors import Invalid, NotFound
from posthouse.model.webhooks import FAILED, ResultId, WebhookId

router = pages()


@router.get("/webhooks/{webhook_id}/results/{result_id}")
async def one(visit: Visit, webhook_id: UUID, result_id: UUID) -> Response:
    services, account = visit.services, visit.account.id
    webhook = await services.webhooks.get(account, WebhookId(webhook_id))
    result = await services.webhook_results.get(account, ResultId(result_id))
    if result.webhook_id != webhook.id:
        raise NotFound(f"there is no result {result_id} of this webhook")
    return visit.page(
        "webhooks/result.html",
        here="webhooks",
        webhook=webhook,
        result=result,
        failed=result.type in FAILED,
        message=await services.webhook_results.told(account, result.id),
    )


@router.post("/webhooks/{webhook_id}/results/{result_id}/redrive")
async def redrive(visit: Visit, webhook_id: UUID, result_id: UUID) -> Response:
    why_not = await visit.services.webhook_results.redrive(visit.account.id, ResultId(result_id))
    said = f"It can't be told again: {why_not}." if why_not else "It is told again, under the same id."
    return visit.to(f"/webhooks/{webhook_id}", said=said)


@router.post("/webhooks/{webhook_id}/redrive")
async def redrive_all(visit: Visit, webhook_id: UUID) -> Response:
    count = await visit.services.webhook_results.redrive_all(visit.account.id, WebhookId(webhook_id))
    return visit.to(f"/webhooks/{webhook_id}", said=f"Told again: {count:,} that had been given up.")


@router.post("/webhooks/redrive")
async def redrive_everything(visit: Visit) -> Response:
    count = await visit.services.webhook_results.redrive_all(visit.account.id)
    return visit.to("/webhooks", said=f"Told again: {count:,} that had been given up.")


@router.post("/webhooks/{webhook_id}/rewind")
async def rewind(
    visit: Visit,
    webhook_id: UUID,
    since: Annotated[str, Form()] = "",
    offset: Annotated[str, Form()] = "",
    inbox: Annotated[str, Form()] = "",
) -> Response:
    """`since` is a wall clock's time, `offset` how many minutes UTC is ahead of it."""
    id_ = WebhookId(webhook_id)
    webhook = await visit.services.webhooks.get(visit.account.id, id_)
    problems = {}
    try:
        at = datetime.fromisoformat(since).replace(tzinfo=UTC) + timedelta(minutes=int(offset or 0))
    except (ValueError, OverflowError):
        problems["since"] = "give a date with a time"
    else:
        try:
            where = await inbox_of(visit, webhook, inbox)
            rewound = await visit.services.webhooks.rewind(visit.account.id, id_, where, since=at)
        except (NotFound, Invalid) as error:
            problems["inbox"] = error.message
        else:
            return visit.to(f"/webhooks/{webhook_id}", said=f"Set back by {rewound.ahead:,} lines of the journal.")
    return await shown(visit, webhook_id, 422, problems=problems, since=since, inbox=inbox)
