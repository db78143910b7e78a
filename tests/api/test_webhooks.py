"""What is special about the webhooks' operations: what they hide, what they keep, and what they refuse."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from posthouse.model.values import Secret
from posthouse.model.webhooks import Webhook, WebhookId

from .town import Tenant, Town, nowhere

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD, TOKEN = "the password of somebody", "the token of somebody"
HEADERS = {"headers": [{"name": "X-Team", "value": "blue"}, {"name": "X-Api-Token", "value": TOKEN}]}


async def make(ann: Tenant, **more: Any) -> dict[str, Any]:
    wish = {"url": nowhere(uuid4().hex), "eventName": "NEW_EMAIL", **more}
    response = await ann.client.post(f"/inboxes/{ann.own.plain_inbox}/webhooks", json=wish)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def kept(town: Town, ann: Tenant, hook: dict[str, Any]) -> Webhook:
    assert town.app is not None
    async with town.app.database.reading() as tx:
        found = await tx.webhooks.by_id(WebhookId(UUID(hook["id"])))
    assert found is not None
    return found


async def test_no_answer_shows_a_secret(town: Town, ann_for_all: Tenant) -> None:
    ann = ann_for_all
    hook = await make(ann, basicAuth={"username": "ann", "password": PASSWORD}, includeHeaders=HEADERS)
    signing = (await kept(town, ann, hook)).secret.reveal()
    answers = [
        await ann.client.get(f"/webhooks/{hook['id']}"),
        await ann.client.get("/webhooks/paginated?size=100"),
        await ann.client.get(f"/inboxes/{ann.own.plain_inbox}/webhooks?size=100"),
        await ann.client.post(f"/webhooks/{hook['id']}/test"),
        await ann.client.get(f"/webhooks/{hook['id']}/results"),
    ]
    for answer in answers:
        assert answer.is_success
        for secret in (PASSWORD, TOKEN, signing, "Basic "):
            assert secret not in answer.text
    assert hook["basicAuth"] is True
    assert hook["requestHeaders"]["headers"] == [
        {"name": "X-Team", "value": "blue"},
        {"name": "X-Api-Token", "value": "***"},
    ]
    assert (await ann.client.get(f"/webhooks/{hook['id']}/secret")).json()["secret"] == signing


async def test_a_new_secret_takes_the_place_of_the_old_one(town: Town, ann_for_all: Tenant) -> None:
    hook = await make(ann_for_all)
    old = (await kept(town, ann_for_all, hook)).secret
    new = (await ann_for_all.client.post(f"/webhooks/{hook['id']}/secret")).json()["secret"]
    assert (await kept(town, ann_for_all, hook)).secret == Secret(new) != old


async def test_a_hidden_header_that_is_sent_back_stays_what_it_is(town: Town, ann_for_all: Tenant) -> None:
    hook = await make(ann_for_all, includeHeaders=HEADERS)
    shown = hook["requestHeaders"]["headers"]
    changed = {"headers": [*shown[1:], {"name": "X-Team", "value": "red"}]}
    response = await ann_for_all.client.put(f"/webhooks/{hook['id']}/headers", json=changed)
    assert response.status_code == 200
    headers = (await kept(town, ann_for_all, hook)).headers
    assert {name: value.reveal() for name, value in headers.items()} == {"X-Api-Token": TOKEN, "X-Team": "red"}


async def test_what_is_not_sent_stays(town: Town, ann_for_all: Tenant) -> None:
    auth = {"username": "ann", "password": PASSWORD}
    hook = await make(ann_for_all, name="n", basicAuth=auth, includeHeaders=HEADERS, requestBodyTemplate="{{subject}}")
    before = await kept(town, ann_for_all, hook)
    url = nowhere("elsewhere")
    response = await ann_for_all.client.patch(f"/webhooks/{hook['id']}", json={"url": url})
    assert response.status_code == 200
    after = await kept(town, ann_for_all, hook)
    assert (after.url, after.name, after.template, after.event) == (url, "n", "{{subject}}", before.event)
    assert (after.password, after.headers, after.secret) == (before.password, before.headers, before.secret)
    response = await ann_for_all.client.patch(
        f"/webhooks/{hook['id']}?overrideAuth=true", json={"url": url, "name": None}
    )
    after = await kept(town, ann_for_all, hook)
    assert (after.name, after.username, after.password) == (None, None, None)


async def test_lists_are_narrowed(town: Town) -> None:
    ann = await town.tenant()
    hook = await make(ann, name="special", eventName="EMAIL_READ")
    await ann.client.post("/webhooks", json={"url": nowhere("wide"), "name": "wide"})
    inbox = ann.own.plain_inbox

    async def names(path: str, **query: Any) -> set[Any]:
        content = (await ann.client.get(path, params=query)).json()["content"]
        return {one["name"] or one["eventName"] for one in content}

    everything = {"special", "NEW_EMAIL", "NEW_CONTACT", "wide"}
    assert await names("/webhooks/paginated") == everything
    assert await names("/webhooks/paginated", includeAccountWide=False) == {"special", "NEW_EMAIL"}
    assert await names("/webhooks/paginated", inboxId=inbox) == {"special", "NEW_EMAIL"}
    assert await names("/webhooks/paginated", inboxId=inbox, includeAccountWide=True) == everything
    assert await names("/webhooks/paginated", eventType="EMAIL_READ") == {"special"}
    assert await names("/webhooks/paginated", url=hook["url"]) == {"special"}
    assert await names("/webhooks/paginated", searchFilter="SPEC") == {"special"}
    assert await names("/webhooks/paginated", health="UNHEALTHY") == set()
    assert await names("/webhooks/paginated", eventTypeSource="PHONE") == set()
    assert await names("/webhooks/paginated", before="2020-01-01T00:00:00Z") == set()
    assert await names("/webhooks/account/paginated") == {"NEW_CONTACT", "wide"}
    assert await names(f"/inboxes/{inbox}/webhooks/paginated") == {"special", "NEW_EMAIL"}
    assert await names(f"/inboxes/{inbox}/webhooks/paginated", includeAccountWide=True) == everything
    endpoints = (await ann.client.get("/webhooks/endpoints")).json()
    assert (endpoints["totalElements"], endpoints["content"][0]) == (4, {"url": nowhere("wide"), "health": "HEALTHY"})


async def test_results_are_narrowed_and_seen(town: Town) -> None:
    ann = await town.tenant()
    result = (await ann.client.get("/webhooks/results")).json()["content"][0]
    assert (result["resultType"], result["responseStatus"], result["seen"]) == ("EXCEPTION", None, False)
    assert "refuses connections" in result["responseBodyExtract"]

    async def count(**query: Any) -> int:
        total: int = (await ann.client.get("/webhooks/results", params=query)).json()["totalElements"]
        return total

    assert await count() == await count(resultType="EXCEPTION") == await count(eventName="NEW_EMAIL") == 1
    assert await count(inboxId=ann.own.plain_inbox, unseenOnly=True, searchFilter="REFUSES") == 1
    assert await count(minStatusCode=200) == await count(resultType="SUCCESS") == 0
    assert await count(smsId=str(uuid4())) == await count(phoneId=str(uuid4())) == 0
    assert (await ann.client.get("/webhooks/results/unseen-count")).json() == {"count": 1}
    await ann.client.get(f"/webhooks/results/{result['id']}")
    assert (await ann.client.get("/webhooks/results/unseen-count")).json() == {"count": 0}
    assert await count(unseenOnly=True) == 0


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({}, "one of mark, position and since is needed"),
        ({"position": 0, "since": "2026-01-01T00:00:00Z"}, "one of mark, position and since is needed"),
        ({"mark": "m1nonsense"}, "mark: this is no mark"),
        ({"position": 7}, "there is no such place"),
        ({"position": -1}, "position: "),
    ],
)
async def test_a_place_to_go_back_to_is_named_once_and_exists(
    wish: dict[str, Any], complaint: str, ann_for_all: Tenant
) -> None:
    response = await ann_for_all.client.post(f"/webhooks/{ann_for_all.own.webhook}/rewind", json=wish)
    assert response.status_code == 400
    assert response.json()["message"].startswith(complaint)


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"url": "gopher://example.org"}, "url"),
        ({"url": "https://ann:secret@example.org"}, "basicAuth"),
        ({"includeHeaders": {"headers": [{"name": "Host", "value": "x"}]}}, "includeHeaders"),
        ({"includeHeaders": {"headers": [{"name": "A", "value": "1"}, {"name": "a", "value": "2"}]}}, "includeHeaders"),
        ({"includeHeaders": {"headers": [{"name": "A", "value": "1\r\nB: 2"}]}}, "includeHeaders"),
        ({"requestBodyTemplate": "{{#a}}"}, "requestBodyTemplate"),
        ({"requestBodyTemplate": "{{> partial}}"}, "requestBodyTemplate"),
        ({"basicAuth": {"username": "a:b", "password": "c"}}, "basicAuth"),
        ({"eventName": "NEW_MOON"}, "eventName"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused_in_words(
    wish: dict[str, Any], named: str, ann_for_all: Tenant
) -> None:
    response = await ann_for_all.client.post("/webhooks", json={"url": nowhere("x"), **wish})
    assert response.status_code == 400
    assert named in response.json()["message"]


async def test_a_schema_describes_the_example(ann_for_all: Tenant) -> None:
    for event in ("NEW_EMAIL", "NEW_ATTACHMENT", "EMAIL_READ", "BOUNCE", "DELIVERY_STATUS", "NEW_SMS"):
        schema = (await ann_for_all.client.post("/webhooks/schema", params={"event": event})).json()["value"]
        example = (await ann_for_all.client.get("/webhooks/test", params={"eventName": event})).json()
        for key in example:
            assert f'"{key}":' in schema
        assert example["eventName"] == event


async def test_waiting_for_results_in_vain_is_a_408(ann_for_all: Tenant) -> None:
    hook = await make(ann_for_all)
    response = await ann_for_all.client.get(f"/webhooks/{hook['id']}/wait?expectedCount=1&timeout=1000")
    assert response.status_code == 408
    assert response.json()["message"] == "the webhook has 0 results, and 1 were waited for"
