"""One tenant never learns of another's things, and never changes them.

The tests are drawn from the routes: whatever takes an id is called with somebody else's. A route with an id that no
case names fails here, until it has one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from posthouse.api.asgi import create_api
from posthouse.store.tables import metadata

from .cases import CASES, OPERATIONS_BY_NAME, OWN_CASES, Call, ask
from .contract import OPERATIONS
from .town import Mailbox, Own, Tenant, Town, nothing_of

in_the_town = pytest.mark.asyncio(loop_scope="module")

ALL_CASES = CASES | OWN_CASES

Place = tuple[str, str, str]
"""Where an id goes: operation, part of the request, name."""

NAMES_NOTHING_HERE = {
    "domainId": "there are no domains of ours to choose from",
    "htmlSelector": "another name for inboxId: tests/api/test_threads.py tries it",
    "aiTransformId": "there are no AI transformers",
    "aiTransformerId": "there are no AI transformers",
    "phoneId": "there are no phones",
    "phoneNumberId": "there are no phones",
    "smsId": "there are no phones",
    "toContacts": "tried in test_composing.py",
    "toGroup": "tried in test_composing.py",
    "template": "tried in test_composing.py",
    "attachmentId": "only emails and inboxes have events",
    "contentId": "a name that the client makes up",
    "externalId": "a name that the client makes up",
    "overrideMessageId": "a yes or no",
}
"""Parameters that look like ids, and stand for nothing that anybody has."""

NOT_LOOKED_AT = {
    ("sendEmailFromConnector", "json", "inboxId"),
    ("sendEmail", "json", "inboxId"),
    ("sendEmailAndConfirm", "json", "inboxId"),
    ("createEmailDraft", "json", "inboxId"),
    ("createEmailDraft", "json", "attachments"),
    ("updateEmailDraft", "json", "inboxId"),
    ("updateEmailDraft", "json", "attachments"),
    ("sendEmailWithQueue", "json", "inboxId"),
    ("sendWithSchedule", "json", "inboxId"),
    ("sendEmailSourceOptional", "json", "inboxId"),
    ("canSend", "json", "inboxId"),
}
"""Here the path or the query says which inbox is meant, whatever the body says; and what a draft names is looked at
when it is sent."""

TRIED_ELSEWHERE = {
    ("getAttachments", "query", "sentEmailId"),
    ("getAttachments", "query", "include"),
    ("canSend", "json", "attachments"),
}
"""See test_inboxes.py and test_sending.py."""

NOT_A_404 = {
    ("getConnectorByInboxId", "query", "inboxId"): 200,
    ("getAttachments", "query", "inboxId"): 200,
    ("getAttachments", "query", "emailId"): 200,
    ("getExpiredInboxes", "query", "inboxId"): 200,
    ("getEntityAutomations", "query", "inboxId"): 200,
    ("getEntityEvents", "query", "inboxId"): 200,
    ("getEntityEvents", "query", "emailId"): 200,
    ("sendEmailFromConnector", "json", "attachments"): 400,
    ("replyToEmail", "json", "attachments"): 400,
    ("sendEmail", "json", "attachments"): 400,
    ("sendEmailAndConfirm", "json", "attachments"): 400,
    ("getAllWebhookEndpoints", "query", "inboxId"): 200,
    ("getAllWebhooks", "query", "inboxId"): 200,
    ("verifyWebhookSignature", "json", "messageId"): 200,
    **{
        (name, "query", id_): 200
        for name in ("getAllWebhookResults", "getWebhookResults")
        for id_ in ("inboxId", "emailId", "attachmentId")
    },
    ("sendEmailWithQueue", "json", "attachments"): 400,
    ("sendWithSchedule", "json", "attachments"): 400,
    ("sendEmailSourceOptional", "json", "attachments"): 400,
}
"""Where the answer says "nothing of the kind" in another way."""


def parts(call: Call) -> Iterator[tuple[str, str, Any]]:
    """What a call says, by place."""
    for where in ("path", "query", "json"):
        given = getattr(call, where)
        if isinstance(given, dict):
            yield from ((where, name, value) for name, value in given.items())


def with_part(call: Call, place: Place, value: Any) -> Call:
    """The call with something else in this place."""
    _, where, name = place
    said: dict[str, Any] = {one: getattr(call, one) for one in ("path", "query", "json")}
    said[where] = {**said[where], name: value}
    return Call(**said, content=call.content, files=call.files, headers=call.headers)


def _nobody() -> Own:
    ids = [field.name for field in fields(Own) if field.name != "mailbox"]
    return nothing_of(Own(mailbox=Mailbox("a@b.example", "", 1, 1), **dict.fromkeys(ids, "")))


NO_IDS = {"emailAddress", "fullAddress", "rawEmailBase64"}
"""What differs from call to call, and is no id."""


def places() -> list[Place]:
    """Every place of every case that holds an id: what is said there differs between two that have nothing alike."""
    one, other = _nobody(), _nobody()
    found = []
    for name, case in ALL_CASES.items():
        others = {(where, part): value for where, part, value in parts(case(other))}
        found += [(name, w, p) for w, p, value in parts(case(one)) if value != others[w, p] and p not in NO_IDS]
    return found


PLACES = places()


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _holds_an_id(name: str, schema: dict[str, Any]) -> bool:
    return "'uuid'" in str(schema) or name == "attachments" or name.endswith(("Id", "_id", "Ids"))


def ids_taken() -> set[Place]:
    """Every place of an id in the API's own document, parameters of paths by the names in the catalogue."""
    document = create_api(None).openapi()  # type: ignore[arg-type]
    found: set[Place] = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            path = OPERATIONS_BY_NAME[name].path
            found |= {(name, "path", part[1:-1]) for part in path.split("/") if part.startswith("{")}
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query" and _holds_an_id(parameter["name"], parameter["schema"]):
                    found.add((name, "query", parameter["name"]))
            for content in operation.get("requestBody", {}).get("content", {}).values():
                options = [content["schema"], *content["schema"].get("anyOf", ())]
                for schema in (_resolved(option, document) for option in options):
                    for field, kind in schema.get("properties", {}).items():
                        if _holds_an_id(field, kind):
                            found.add((name, "json", field))
    return found


def test_every_id_that_the_api_takes_is_tried_with_somebody_elses() -> None:
    uncovered = ids_taken() - set(PLACES) - NOT_LOOKED_AT - TRIED_ELSEWHERE
    assert {place for place in uncovered if place[2] not in NAMES_NOTHING_HERE} == set()
    assert len(PLACES) > 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bob(town: Town) -> Tenant:
    return await town.tenant()


def rows(town: Town) -> dict[str, set[Any]]:
    """Everything in the database, but for when keys were last used."""
    assert town.app is not None
    found = {}
    with closing(sqlite3.connect(town.app.settings.data / "posthouse.db")) as database:
        for table in metadata.sorted_tables:
            columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name != "last_used_at")
            found[table.name] = set(database.execute(f"SELECT {columns} FROM {table.name}"))
    return found


def without_the_id(response: httpx2.Response, value: Any) -> str:
    """An answer without what differs from one time and id to another."""
    [one] = value if isinstance(value, list) else [value]
    text = response.text.replace(str(one), "ID")
    body = response.json()
    return text.replace(body["timestamp"], "NOW") if "timestamp" in body else text


@in_the_town
@pytest.mark.parametrize("place", PLACES, ids="-".join)
async def test_somebody_elses_id_is_like_one_that_nobody_has(
    place: Place, town: Town, ann_for_all: Tenant, bob: Tenant
) -> None:
    """The answer is the same for both, and nothing at all is changed."""
    name, where, part = place
    call = ALL_CASES[name](bob.own)
    before = rows(town)
    answers = []
    for whose in (ann_for_all.own, nothing_of(bob.own)):
        foreign = {(w, p): value for w, p, value in parts(ALL_CASES[name](whose))}[where, part]
        response = await ask(bob.client, name, with_part(call, place, foreign))
        assert response.status_code == NOT_A_404.get(place, 404), response.text
        answers.append(without_the_id(response, foreign))
    assert answers[0] == answers[1], "it can be told whether somebody has this id"
    if place in NOT_A_404 and NOT_A_404[place] == 200:
        body = response.json()
        assert body.get("present") is False or body.get("isValid") is False or body["totalElements"] == 0
    assert rows(town) == before


LISTS = [
    *(
        name
        for name, wanted in OPERATIONS.items()
        if name in CASES
        and "{" not in wanted["path"]
        and str(wanted["response"]).startswith(("Page", "list[InboxDto]", "InboxIds", "Email"))
    ),
]


OF_ONE_INBOX = {"getLatestEmailInInbox", "getLatestEmailInInbox1", "waitForMatchingFirstEmail"}
NO_LISTS_OF_IDS = {
    "createEmailDraft",
    "bulkCreateInboxes",
    "isEmailAddressAvailable",
    "getInboxTagsPaginated",
    "getInboxesByTag",
}
NO_LISTS_OF_IDS |= {"getEntityAutomations", "getEntityEvents"}  # see test_entities


@in_the_town
@pytest.mark.parametrize("name", [name for name in LISTS if name not in OF_ONE_INBOX | NO_LISTS_OF_IDS])
async def test_no_list_shows_what_somebody_else_has(name: str, ann_for_all: Tenant, bob: Tenant) -> None:
    call = Call(query={"size": 100}, json={"pageSize": 100} if name.startswith("search") else None)
    own = {value for value in vars(ann_for_all.own).values() if isinstance(value, str)}
    shown = await ask(ann_for_all.client, name, call)
    foreign = await ask(bob.client, name, call)
    assert [one for one in own if one in shown.text], "the list is empty, and proves nothing"
    assert [one for one in {*own, ann_for_all.own.mailbox.address} if one in foreign.text] == []


@in_the_town
async def test_what_somebody_else_knows_by_name_is_not_found(ann_for_all: Tenant, bob: Tenant) -> None:
    for name in ("getConnectorByEmailAddress", "getConnectorByName"):
        assert (await ask(ann_for_all.client, name, CASES[name](ann_for_all.own))).json()["present"] is True
        assert (await ask(bob.client, name, CASES[name](ann_for_all.own))).json() == {"present": False, "result": None}
    address = (await ann_for_all.client.get(f"/inboxes/{ann_for_all.own.inbox}")).json()["emailAddress"]
    for path, params in (
        ("/inboxes/byEmailAddress", {"emailAddress": address}),
        ("/inboxes/exists", {"emailAddress": address}),
        ("/inboxes/byName", {"name": f"plain inbox of {ann_for_all.own.mailbox.address}"}),
    ):
        assert (await ann_for_all.client.get(path, params=params)).json()["exists"] is True
        assert (await bob.client.get(path, params=params)).json()["exists"] is False


WITHOUT_IDS = [name for name in CASES if name not in {"bulkDeleteInboxes", *(place[0] for place in PLACES)}]


@in_the_town
async def test_what_somebody_does_to_all_is_done_to_all_of_his_own(town: Town, ann_for_all: Tenant) -> None:
    """Everything without an id, deletions last; the bytes of mail lie in packs that tenants may share."""
    carl = await town.tenant()
    before = await belongings(ann_for_all)
    for name in sorted(WITHOUT_IDS, key=lambda name: OPERATIONS_BY_NAME[name].method == "DELETE"):
        response = await ask(carl.client, name, CASES[name](carl.own))
        assert response.is_success, response.text
    for call in ("/emails", "/emails/read", "/attachments", "/sent", "/connectors", "/inboxes"):
        await carl.client.request("PATCH" if call == "/emails/read" else "DELETE", call)
    for path in ("/connectors", "/inboxes/paginated", "/emails", "/sent"):
        assert (await carl.client.get(path)).json()["totalElements"] == 0
    assert await belongings(ann_for_all) == before


async def belongings(tenant: Tenant) -> dict[str, bytes]:
    """All that somebody has, as he is shown it."""
    own = tenant.own
    paths = ["/connectors", "/connectors/events", "/inboxes", "/emails", "/attachments", "/sent"]
    paths += [f"/connectors/{own.connector}/{part}" for part in ("imap", "smtp", "sync-settings")]
    paths += [f"/emails/{own.email}/raw", f"/attachments/{own.attachment}/bytes", f"/attachments/{own.upload}/bytes"]
    paths += [f"/sent/{own.sent}/raw"]
    found = {}
    for path in paths:
        response = await tenant.client.get(path)
        assert response.status_code == 200
        found[path] = response.content
    return found
