"""What emails are made from, over the API: templates, contacts, groups and drafts, and that nobody uses another's."""

from typing import Any

import httpx2
import pytest

from .town import Tenant, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def posted(tenant: Tenant, path: str, json: Any, status: int = 201) -> Any:
    response = await tenant.client.post(path, json=json)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_template_tells_its_variables_and_shows_itself(ann: Tenant) -> None:
    content = "<h1>{{title}}</h1>{{#items}}<li>{{name}}</li>{{/items}}{{title}}"
    made = await posted(ann, "/templates", {"name": "News", "content": content})
    assert made["variables"] == [{"name": one, "variableType": "STRING"} for one in ("title", "items", "name")]
    path = f"/templates/{made['id']}"
    shown = await ann.client.get(f"{path}/preview/html", params={"title": "A & B"})
    assert shown.text == "<h1>A &amp; B</h1>A &amp; B"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert (await ann.client.get(f"{path}/preview/json?title=x&apiKey=k")).json() == {"preview": "<h1>x</h1>x"}
    changed = await ann.client.put(path, json={"name": "Other", "content": "{{x}}"})
    assert (changed.status_code, changed.json()["variables"]) == (201, [{"name": "x", "variableType": "STRING"}])
    names = [one["name"] for one in (await ann.client.get("/templates")).json()]
    assert names == ["Greeting", "Other"]
    wrong = await ann.client.post("/templates", json={"name": "n", "content": "{{#a}}"})
    assert wrong.status_code == 400
    assert "{{#a is not closed" in wrong.json()["message"]
    assert (await ann.client.delete(path)).status_code == 204
    assert (await ann.client.get(path)).status_code == 404


async def test_contacts_are_found_and_saved_to_an_address_book(ann: Tenant) -> None:
    json = {
        "firstName": "Zoë, the first",
        "lastName": "Ångström",
        "company": "A;B",
        "emailAddresses": ["Zoe <zoe@x.example>", "zoe@x.example", "z@x.example"],
        "tags": ["t"],
        "metaData": {"any": ["thing"]},
    }
    made = await posted(ann, "/contacts", json)
    assert (made["emailAddresses"], made["primaryEmailAddress"]) == (["zoe@x.example", "z@x.example"], "zoe@x.example")
    assert (made["metaData"], made["optOut"], made["groupId"]) == ({"any": ["thing"]}, False, None)
    for search, total in (("Ångs", 1), ("z@x", 1), ("A;B", 1), ("nobody", 0), ("%", 0)):
        page = (await ann.client.get("/contacts/paginated", params={"search": search})).json()
        assert page["totalElements"] == total, search
    card = (await ann.client.get(f"/contacts/{made['id']}/download")).text
    assert "N:Ångström;Zoë\\, the first;;;\r\n" in card
    assert "ORG:A\\;B\r\n" in card
    assert card.count("EMAIL;") == 2
    for wrong in ({"emailAddresses": ["nobody"]}, {"emailAddresses": ["a@x.example, b@x.example"]}):
        assert (await ann.client.post("/contacts", json=wrong)).status_code == 400


async def test_groups_hold_contacts_that_outlive_them(town: Town) -> None:
    ann, bob = await town.tenant(), await town.tenant()
    group = (await posted(ann, "/groups", {"name": "More", "description": "d"}))["id"]
    new = (await posted(ann, "/contacts", {"emailAddresses": ["new@x.example"]}))["id"]
    path = f"/groups/{group}/contacts"
    for _ in range(2):
        joined = await ann.client.put(path, json={"contactIds": [new, ann.own.contact, new]})
        assert [one["id"] for one in joined.json()["contacts"]] == [ann.own.contact, new]
    assert (await ann.client.get(f"/contacts/{new}")).json()["groupId"] == group
    assert (await ann.client.get(f"/contacts/{ann.own.contact}")).json()["groupId"] == ann.own.group
    page = (await ann.client.get(f"{path}-paginated", params={"size": 1, "sort": "DESC"})).json()
    assert ([one["id"] for one in page["content"]], page["totalElements"]) == ([new], 2)
    for method in ("PUT", "DELETE"):
        mixed = await ann.client.request(method, path, json={"contactIds": [new, bob.own.contact]})
        assert mixed.status_code == 404
    assert len((await ann.client.get(path)).json()["contacts"]) == 2
    left = await ann.client.request("DELETE", path, json={"contactIds": [new]})
    assert [one["id"] for one in left.json()["contacts"]] == [ann.own.contact]
    assert (await ann.client.delete(f"/groups/{group}")).status_code == 204
    assert (await ann.client.get(f"/contacts/{ann.own.contact}")).status_code == 200


async def test_a_draft_is_kept_as_it_was_said_and_goes_when_it_is_sent(town: Town) -> None:
    ann = await town.tenant()
    own = ann.own
    said = {"to": ["nonsense", "Bob <bob@elsewhere.example>"], "subject": "S", "templateVariables": {"x": 1}}
    made = await posted(ann, f"/emails/drafts?inboxId={own.inbox}", said, status=200)
    path = f"/emails/drafts/{made['id']}"
    kept = (await ann.client.get(path)).json()
    assert {key: value for key, value in kept["sendOptions"].items() if value is not None} == said
    assert kept["to"] == said["to"]
    wrong = await ann.client.post(f"{path}/send")
    assert wrong.status_code == 400
    better = {"to": ["bob@elsewhere.example"], "subject": "Better", "body": "B"}
    changed = (await ann.client.patch(path, json=better)).json()
    assert (changed["subject"], changed["bodyExcerpt"], changed["sendOptions"]["templateVariables"]) == (
        "Better",
        "B",
        None,
    )
    assert changed["updatedAt"] > changed["createdAt"]
    page = (await ann.client.get("/emails/drafts", params={"inboxId": own.inbox, "sort": "DESC"})).json()
    assert [one["subject"] for one in page["content"]] == ["Better", "Draft"]
    sent = await ann.client.post(f"{path}/send")
    assert (sent.status_code, sent.json()["subject"], sent.json()["state"]) == (200, "Better", "accepted")
    assert (await ann.client.get(path)).status_code == 404
    assert (await ann.client.post(f"{path}/send")).status_code == 404
    nowhere = await ann.client.post("/emails/drafts", json=better)
    assert nowhere.status_code == 400
    assert "inboxId" in nowhere.json()["message"]
    by_body = await posted(ann, "/emails/drafts", {**better, "inboxId": own.plain_inbox}, status=200)
    assert by_body["inboxId"] == own.plain_inbox


async def test_a_draft_that_cannot_go_now_waits_in_the_outbox_and_one_that_is_refused_stays(town: Town) -> None:
    ann = await town.tenant()

    async def drafted(**smtp: Any) -> str:
        """The path of a draft from an inbox with such a server."""
        options = {
            "createConnectorOptions": {"name": "c", "emailAddress": ann.own.mailbox.address},
            "createConnectorSmtpConnectionOptions": ann.own.mailbox.smtp(**smtp),
        }
        inbox = (await posted(ann, "/connectors/withOptions", options))["inboxId"]
        said = {"to": ["bob@elsewhere.example"], "subject": "S"}
        return f"/emails/drafts/{(await posted(ann, f'/emails/drafts?inboxId={inbox}', said, status=200))['id']}"

    unreachable = await drafted(smtpPort=1)
    sent = await ann.client.post(f"{unreachable}/send")
    assert (sent.status_code, sent.json()["state"]) == (200, "queued")
    assert (await ann.client.get(unreachable)).status_code == 404
    refused = await drafted(smtpPassword="wrong")
    for _ in range(2):
        assert (await ann.client.post(f"{refused}/send")).status_code == 502
        assert (await ann.client.get(refused)).status_code == 200


async def test_an_answer_is_sent_by_the_connector_that_brought_the_email(town: Town) -> None:
    ann = await town.tenant()
    email = (await ann.client.get(f"/emails/{ann.own.email}")).json()
    reply = await ann.client.put(f"/emails/{ann.own.email}", json={"body": "<b>Yes</b>", "isHTML": True})
    said = reply.json()
    assert (said["to"], said["subject"], said["inReplyTo"]) == (["zoe@example.org"], "Re: First", email["messageId"])
    assert (said["from"], said["inboxId"]) == (ann.own.mailbox.address, ann.own.inbox)
    forward = await ann.client.post(f"/emails/{ann.own.email}/forward", json={"to": ["carl@elsewhere.example"]})
    assert forward.json()["attachments"] == [ann.own.attachment]
    assert "Guten Tag" in forward.json()["body"]


@pytest.mark.parametrize(
    ("method", "path", "wish", "other"),
    [
        ("PUT", "", {"body": "Yes", "isHTML": False}, {"body": "No", "isHTML": False}),
        ("POST", "/forward", {"to": ["carl@elsewhere.example"]}, {"to": ["dora@elsewhere.example"]}),
    ],
)
async def test_an_answer_with_a_key_is_sent_once(method: str, path: str, wish: Any, other: Any, town: Town) -> None:
    ann, before = await town.tenant(), len(town.provider.outside)

    async def answered(wish: Any) -> httpx2.Response:
        url = f"/emails/{ann.own.email}{path}"
        return await ann.client.request(method, url, json=wish, headers={"Idempotency-Key": "answer"})

    first, again = await answered(wish), await answered(wish)
    assert first.status_code == again.status_code < 300, first.text
    assert first.json()["id"] == again.json()["id"]
    assert len(town.provider.outside) == before + 1
    assert (await answered(other)).status_code == 409


@pytest.mark.parametrize("path", ["confirm", "connector"])
async def test_nobody_writes_to_anothers_contacts_or_by_anothers_templates(path: str, town: Town) -> None:
    ann, bob = await town.tenant(), await town.tenant()
    where = f"/inboxes/{bob.own.inbox}/confirm" if path == "confirm" else f"/connectors/{bob.own.connector}/send"

    async def said(tenant: Tenant, key: str) -> tuple[httpx2.Response, str]:
        kind = {"toContacts": "contact", "toGroup": "group", "template": "template"}[key]
        one = getattr(tenant.own, kind)
        wish = {"to": ["x@elsewhere.example"], key: [one] if key == "toContacts" else one}
        return await bob.client.post(where, json=wish), one

    for key in ("toContacts", "toGroup", "template"):
        assert (await said(bob, key))[0].is_success
        refused, one = await said(ann, key)
        assert refused.status_code == 400
        assert refused.json()["message"].startswith("there is no ")
        assert one in refused.json()["message"]
