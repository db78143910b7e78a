"""The lists over everything that an account has, and a property plucked out of JSON."""

import pytest

from .town import Tenant, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_favourites_of_every_kind_are_in_one_list(town: Town, ann: Tenant) -> None:
    client, own = ann.client, ann.own
    await client.patch(f"/inboxes/{own.plain_inbox}", json={"favourite": True, "description": "plain"})

    async def found(**query: str) -> list[tuple[str, str]]:
        page = (await client.get("/user/favorites", params=query)).json()
        assert page["totalElements"] == len(page["content"])
        return [(one["entityType"], one["id"]) for one in page["content"]]

    email, inbox = ("EMAIL", own.email), ("INBOX", own.plain_inbox)
    assert await found() == [email, inbox], "the newest first"
    assert await found(sort="ASC") == [inbox, email]
    assert await found(filter="INBOX") == [inbox]
    assert await found(filter="PHONE") == []
    assert await found(before="2020-01-01T00:00:00Z") == []
    [shown] = (await client.get("/user/favorites", params={"filter": "EMAIL"})).json()["content"]
    assert (shown["name"], shown["description"]) == ("First", "Guten Tag, Grüße.")
    stranger = await town.tenant()
    assert own.email not in (await stranger.client.get("/user/favorites")).text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a", "text"), ("b", "1.5"), ("c", "true"), ("d", "null"), ("e.f", '{"ü": 1}'), ("g.1", "two"), ("h", "")],
)
async def test_a_property_is_plucked_out_of_json(ann_for_all: Tenant, name: str, expected: str) -> None:
    document = {"a": "text", "b": 1.5, "c": True, "d": None, "e": {"f": {"ü": 1}}, "g": ["one", "two"], "h": ""}
    answer = await ann_for_all.client.post("/user/json/pluck", params={"property": name}, json=document)
    assert (answer.status_code, answer.text) == (200, expected)


@pytest.mark.parametrize("name", ["z", "e.z", "g.2", "g.x", "a.b", ""])
async def test_a_property_that_is_missing_is_told_by_name(ann_for_all: Tenant, name: str) -> None:
    document = {"a": "text", "e": {}, "g": ["one", "two"]}
    answer = await ann_for_all.client.post("/user/json/pluck", params={"property": name}, json=document)
    assert answer.status_code == 400
    assert name in answer.json()["message"]


async def test_what_became_of_webhooks_is_among_the_events(town: Town, ann: Tenant) -> None:
    async def found(tenant: Tenant, **query: str) -> list[tuple[str, str, str]]:
        page = (await tenant.client.get("/user/events", params=query)).json()
        return [(one["eventType"], one["severity"], one["id"]) for one in page["content"]]

    event = ("WEBHOOK_EVENT", "WARNING", ann.own.webhook_result)
    assert await found(ann) == [event], "nobody listens where it was said"
    assert await found(ann, filter="WEBHOOK_EVENT", inboxId=ann.own.plain_inbox) == [event]
    assert await found(ann, filter="ALIAS_EVENT") == []
    assert await found(ann, phoneId=ann.own.inbox) == []
    stranger = await town.tenant()
    assert event not in await found(stranger)
    assert (await ann.client.get("/user/automations")).json()["totalElements"] == 0
