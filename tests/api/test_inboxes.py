"""What is around inboxes, over the API: filters that filter, tags, many at once, attachments by what they went with."""

import base64
from typing import Any

import httpx2
import pytest

from .town import Tenant, Town, message

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def made(tenant: Tenant, **wish: Any) -> dict[str, Any]:
    response = await tenant.client.post("/inboxes/withOptions", json=wish)
    assert response.status_code == 201, response.text
    inbox: dict[str, Any] = response.json()
    return inbox


async def names(response: httpx2.Response) -> list[str | None]:
    assert response.status_code == 200, response.text
    return [inbox["name"] for inbox in response.json()["content"]]


async def test_every_filter_of_the_pages_filters(ann: Tenant) -> None:
    await made(ann, name="one", tags=["t"], favourite=True, inboxType="SMTP_INBOX")
    await made(ann, name="two", description="the second", tags=["t", "u"])
    for query, found in (
        ({"search": "second"}, ["two"]),
        ({"tag": "u"}, ["two"]),
        ({"tag": "t", "sort": "DESC"}, ["two", "one"]),
        ({"favourite": "true"}, ["one"]),
        ({"inboxType": "SMTP_INBOX"}, ["one"]),
        ({"inboxType": "HTTP_INBOX", "tag": "t"}, ["two"]),
        ({"inboxFunction": "CONNECTOR"}, [f"connector of {ann.own.mailbox.address}", "bare"]),
        ({"inboxFunction": "ALIAS"}, []),
        ({"teamAccess": "true"}, []),
        ({"domainId": ann.own.inbox}, []),
    ):
        for path in ("/inboxes/paginated", "/inboxes/offset-paginated"):
            assert await names(await ann.client.get(path, params=query)) == found, query
        body = {{"sort": "sortDirection"}.get(key, key): value for key, value in query.items() if key != "teamAccess"}
        if body:
            assert await names(await ann.client.post("/inboxes/search", json=body)) == found, query
    page = (await ann.client.get("/inboxes/paginated", params={"domainId": ann.own.inbox})).json()
    assert (page["totalElements"], page["empty"]) == (0, True)


async def test_an_inbox_is_told_as_it_was_asked_for(ann: Tenant) -> None:
    inbox = await made(ann, inboxType="SMTP_INBOX", domainName="tests.example", prefix="shop")
    assert inbox["inboxType"] == "SMTP_INBOX"
    assert inbox["emailAddress"].startswith("shop-")
    assert inbox["domain"] == "tests.example"
    assert (await ann.client.post("/inboxes/withOptions", json={"domainName": "not a domain"})).status_code == 400


async def test_tags_are_listed_once_and_lead_to_their_inboxes(town: Town) -> None:
    ann, bob = await town.tenant(), await town.tenant()
    await made(ann, name="one", tags=["late", "Early"])
    await made(ann, name="two", tags=["late"])
    await made(bob, tags=["bob's"])
    assert (await ann.client.get("/inboxes/tags")).json() == ["plain", "late", "Early"]
    descending = {"sort": "DESC", "size": 2}
    assert (await ann.client.get("/inboxes/tags", params=descending)).json() == ["Early", "late"]
    page = (await ann.client.get("/inboxes/tags/paginated", params={"searchFilter": "EARL"})).json()
    assert (page["content"], page["totalElements"]) == (["Early"], 1)
    found = await ann.client.get("/inboxes/tags/inboxes", params={"tag": "late", "searchFilter": "two"})
    assert await names(found) == ["two"]
    assert await names(await bob.client.get("/inboxes/tags/inboxes", params={"tag": "late"})) == []


async def test_inboxes_are_deleted_by_what_they_are_called_exactly(town: Town) -> None:
    ann, bob = await town.tenant(), await town.tenant()
    for tenant in (ann, bob):
        await made(tenant, name="a")
        await made(tenant, name="ab", description="d")
        await made(tenant, name="abc", tags=["x"])
    for path, query, left in (
        ("by-name", {"name": "a"}, ["ab", "abc"]),
        ("by-description", {"description": "d"}, ["abc"]),
        ("by-tag", {"tag": "x"}, []),
    ):
        assert (await ann.client.delete(f"/inboxes/{path}", params=dict.fromkeys(query, ""))).status_code == 400
        assert (await ann.client.delete(f"/inboxes/{path}", params=query)).status_code == 204
        assert await names(await ann.client.get("/inboxes/paginated", params={"search": "a", "size": 100})) != []
        shown = await names(await ann.client.get("/inboxes/paginated", params={"size": 100}))
        assert [name for name in shown if name in ("a", "ab", "abc")] == left
    shown = await names(await bob.client.get("/inboxes/paginated", params={"size": 100}))
    assert {"a", "ab", "abc"} <= set(shown)


async def test_many_inboxes_are_made_and_deleted_all_or_none(town: Town) -> None:
    ann, bob = await town.tenant(), await town.tenant()
    before = (await ann.client.get("/inboxes/count")).json()["totalElements"]
    some = (await ann.client.post("/bulk/inboxes", params={"count": 3})).json()
    assert len({inbox["emailAddress"] for inbox in some}) == 3
    ids = [inbox["id"] for inbox in some]
    for wrong in ([*ids, bob.own.inbox], [*ids, "01a203d5-0000-7000-8000-000000000000"]):
        assert (await ann.client.request("DELETE", "/bulk/inboxes", json=wrong)).status_code == 404
    assert (await ann.client.get("/inboxes/count")).json()["totalElements"] == before + 3
    assert (await bob.client.get(f"/inboxes/{bob.own.inbox}")).status_code == 200
    assert (await ann.client.request("DELETE", "/bulk/inboxes", json=[*ids, ids[0]])).status_code == 204
    assert (await ann.client.get("/inboxes/count")).json()["totalElements"] == before
    for count in (0, -1, 1001, "x"):
        assert (await ann.client.post("/bulk/inboxes", params={"count": count})).status_code == 400


async def test_an_address_that_anybody_has_is_not_available(town: Town, ann: Tenant) -> None:
    bob = await town.tenant()
    taken = (await bob.client.get(f"/inboxes/{bob.own.plain_inbox}")).json()["emailAddress"]
    for address, free in ((taken, False), ("free@tests.example", True)):
        response = await ann.client.post("/inboxes/available", params={"emailAddress": address})
        assert response.json() == {"available": free}


async def test_attachments_are_found_by_what_they_went_with(town: Town) -> None:
    ann, bob = await town.tenant(), await town.tenant()
    own = ann.own

    async def found(tenant: Tenant, **query: Any) -> set[str]:
        page = (await tenant.client.get("/attachments", params={"size": 100, **query})).json()
        assert page["totalElements"] == len(page["content"])
        return {one["attachmentId"] for one in page["content"]}

    assert await found(ann, sentEmailId=own.sent) == {own.upload}
    assert await found(ann, sentEmailId=own.sent, include=[own.attachment]) == {own.upload, own.attachment}
    assert await found(ann, emailId=own.email, include=[own.upload]) == {own.upload, own.attachment}
    assert await found(bob, sentEmailId=own.sent) == set()
    assert await found(bob, emailId=bob.own.email, include=[own.upload]) == {bob.own.attachment}
    assert (await bob.client.delete("/attachments")).status_code == 204
    assert bob.own.upload not in await found(bob)
    assert bob.own.attachment in await found(bob)
    assert own.upload in await found(ann)


@pytest.mark.parametrize("how", ["json", "multipart", "bytes", "quoted"])
async def test_an_email_is_imported_whichever_way_it_is_sent(how: str, ann: Tenant) -> None:
    raw, path = message("zoe@example.org", f"by {how}"), f"/inboxes/{ann.own.plain_inbox}/emails/import"
    said = {"externalId": "7", "overrideMessageId": "false"}
    match how:
        case "json":
            json = {"rawEmailBase64": base64.b64encode(raw).decode(), "externalId": "7", "overrideMessageId": False}
            response = await ann.client.post(path, json=json)
        case "multipart":
            response = await ann.client.post(f"{path}/multipart", params=said, files={"file": ("a.eml", raw)})
        case "bytes":
            headers = {"Content-Type": "message/rfc822"}
            response = await ann.client.post(f"{path}/raw", params=said, content=raw, headers=headers)
        case _:
            response = await ann.client.post(f"{path}/raw", params=said, json=raw.decode())
    assert response.status_code == 201, response.text
    email = response.json()
    assert (email["subject"], email["externalId"], email["read"]) == (f"by {how}", "7", False)
    assert (await ann.client.get(f"/emails/{email['id']}/raw")).content == raw
    [attachment] = (await ann.client.get(f"/emails/{email['id']}/attachments")).json()
    assert attachment["name"] == "März.bin"


@pytest.mark.parametrize("path", ["imap-access", "smtp-access", "imap-smtp-access", "imap-smtp-access/env"])
async def test_that_we_are_no_mail_server_is_said_in_words(path: str, ann_for_all: Tenant) -> None:
    response = await ann_for_all.client.get(f"/inboxes/{path}")
    assert response.status_code == 501
    assert "serves no IMAP or SMTP of its own" in response.json()["message"]
