"""Sending by the API: what a key, a queue and a wait for the outcome look like from outside."""

import pytest

from .town import Tenant, Town

in_the_town = pytest.mark.asyncio(loop_scope="module")
OPTIONS = {"to": ["bob@elsewhere.example"], "subject": "S", "body": "B"}


@in_the_town
async def test_a_request_with_a_key_is_made_once(town: Town, ann: Tenant) -> None:
    before = len(town.provider.outside)
    path = f"/inboxes/{ann.own.inbox}/confirm"
    headers = {"Idempotency-Key": "order-4711"}
    first, second = [await ann.client.post(path, json=OPTIONS, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len(town.provider.outside) == before + 1
    other = await ann.client.post(path, json=OPTIONS | {"body": "C"}, headers=headers)
    assert other.status_code == 409
    assert "Idempotency-Key" in other.json()["message"]
    bad = await ann.client.post(path, json=OPTIONS, headers={"Idempotency-Key": "x" * 300})
    assert bad.status_code == 400


@in_the_town
async def test_what_is_queued_shows_its_way(town: Town, ann: Tenant) -> None:
    path = f"/inboxes/{ann.own.inbox}/with-queue?validateBeforeEnqueue=false"
    assert (await ann.client.post(path, json=OPTIONS)).status_code == 201
    results = (await ann.client.get("/sent/queue-results?sort=DESC")).json()["content"]
    assert (results[0]["delivered"], results[0]["state"]) == (False, "queued")
    assert town.app is not None
    outbox = town.app.services.outbox
    for errand, sent in await outbox.claim(100):
        await outbox.run(errand, sent)
    results = (await ann.client.get("/sent/queue-results?sort=DESC")).json()["content"]
    assert (results[0]["delivered"], results[0]["state"]) == (True, "accepted")
    statuses = (await ann.client.get(f"/sent/{results[0]['sentId']}/delivery-status")).json()["content"]
    assert [(one["smtpStatusCode"], one["recipients"]) for one in statuses] == [(250, ["bob@elsewhere.example"])]
    assert statuses[0]["reportingMta"] == "127.0.0.1"


@in_the_town
async def test_a_schedule_needs_a_time(ann: Tenant) -> None:
    path = f"/inboxes/{ann.own.inbox}/with-schedule"
    for query in ("", "?sendAtNowPlusSeconds=-1", "?sendAtTimestamp=2999-01-01T00:00:00Z", "?sendAtTimestamp=soon"):
        response = await ann.client.post(path + query, json=OPTIONS)
        assert response.status_code == 400, query
    assert "sendAtTimestamp" in (await ann.client.post(path, json=OPTIONS)).json()["message"]


@in_the_town
async def test_a_refused_recipient_is_told_at_once_and_kept(town: Town, ann: Tenant) -> None:
    town.provider.faults.set("refused_recipients", {"eve@elsewhere.example": "550 5.1.1 Never heard of her"})
    options = OPTIONS | {"to": ["bob@elsewhere.example", "eve@elsewhere.example"]}
    sent = (await ann.client.post(f"/inboxes/{ann.own.inbox}/confirm", json=options)).json()
    town.provider.faults.clear("refused_recipients")
    assert sent["refused"] == ["eve@elsewhere.example"]
    query = {"sentId": sent["id"], "index": 1, "timeout": 100}
    status = (await ann.client.get("/sent/delivery-status/wait-for", params=query)).json()
    assert (status["smtpStatusCode"], status["recipients"]) == (550, ["eve@elsewhere.example"])
    late = await ann.client.get("/sent/delivery-status/wait-for", params=query | {"index": 2})
    assert late.status_code == 408
    assert "2 delivery statuses" in late.json()["message"]


@in_the_town
async def test_whether_it_can_be_sent_tells_nothing_of_others(ann: Tenant, ann_for_all: Tenant) -> None:
    path, answers = f"/emails/can-send?inboxId={ann.own.inbox}", []
    for upload in (ann_for_all.own.upload, "nobody-has-this"):
        answer = (await ann.client.post(path, json=OPTIONS | {"attachments": [upload]})).json()
        assert answer["isSendingPermitted"] is False
        answers.append(answer["message"].replace(upload, "ID"))
    assert answers[0] == answers[1]


@in_the_town
async def test_outboxes_are_inboxes_that_have_sent(ann: Tenant) -> None:
    outboxes = (await ann.client.get("/inboxes/outboxes")).json()["content"]
    assert [one["id"] for one in outboxes] == [ann.own.inbox]
