"""Every operation that is built, asked for real: its status and its answer are what MailSlurp's clients expect.

The connector operations are what the house is for; the machinery is the same for all.
"""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from posthouse.api.operations import known_operations

from .cases import BUILT, CASES, OPERATIONS_BY_NAME, OWN_BUILT, OWN_CASES, Call, ask
from .contract import MODELS, OPERATIONS, hold, operation_takes
from .town import Own, Tenant, Town

in_the_town = pytest.mark.asyncio(loop_scope="module")

CONNECTOR_OPERATIONS = [name for name in OPERATIONS if OPERATIONS[name]["controller"] == "ConnectorController"]

NOT_SUPPORTED = {"ai", "toContacts", "toGroup", "template", "templateVariables", "addTrackingPixel", "isXAmpHtml"}
"""What a wait or a send is asked for that we refuse with a 400, rather than pass over in silence; or what must be
something that the caller has."""

SAMPLES: dict[str, Any] = {
    "base64Contents": "dGVzdA==",
    "before": "2040-01-01T00:00:00.000Z",
    "bcc": ["bcc@elsewhere.example"],
    "cc": ["Cc <cc@elsewhere.example>"],
    "charset": "UTF-8",
    "contentType": "text/plain",
    "decodeHtmlEntities": True,
    "index": 0,
    "lineSeparator": "|",
    "linkBehavior": "DISABLED",
    "minLength": 4,
    "maxLength": 10,
    "maxCandidates": 5,
    "selector": "a[href]",
    "customHeaders": {"X-Own": "1"},
    "expiresIn": 60_000,
    "from": "ann@provider.example",
    "imapPort": 143,
    "limit": 50,
    "mechanisms": ["PLAIN", "LOGIN"],
    "pageIndex": 0,
    "pageSize": 50,
    "proxyHost": "127.0.0.1",
    "proxyPort": 3128,
    "replyTo": "Replies <replies@provider.example>",
    "searchTerms": "UNSEEN",
    "selectFolder": "INBOX",
    "size": 50,
    "smtpMechanisms": ["PLAIN"],
    "sslProtocols": ["TLSv1.2"],
    "sslTrust": "*",
    "folder": "Sent",
    "proxyEnabled": False,
    "toContacts": [],
    "sort": "ASC",
    "startTls": False,
}
"""Values where any value of the type would not do."""


def of_type(field: dict[str, Any]) -> Any:
    """Some value that a client may send for this parameter or field."""
    name, wanted = field["name"], field["type"]
    if name == "emailAddress":
        return f"{uuid4()}@provider.example"
    if name in SAMPLES:
        return SAMPLES[name]
    if "default" in field:
        return field["default"]
    if "enum" in field:
        return field["enum"][0]
    if wanted.startswith("list["):
        return [of_type({**field, "name": "", "type": wanted[5:-1]})]
    if wanted in MODELS:
        return {one["name"]: of_type(one) for one in MODELS[wanted]["fields"]}
    if field.get("format") == "uuid" or name == "inboxId":
        return str(uuid4())
    samples: dict[str, Any] = {"str": "text", "int": 1, "bool": True, "datetime": "2020-01-01T00:00:00.000Z"}
    return samples[wanted]


def whole(name: str, own: Own) -> Call:
    """The operation's case, with every parameter and field that the contract knows."""
    call = CASES[name](own)
    query = {one: of_type(field) for one, field in operation_takes(name, "query").items()} | dict(call.query)
    query = {key: str(value).lower() if isinstance(value, bool) else value for key, value in query.items()}
    query.pop("apiKey", None)  # any that is given is believed
    body = OPERATIONS[name]["body"]
    json = call.json
    if isinstance(json, dict) and body["type"] in MODELS:
        fields = {field["name"]: field for field in MODELS[body["type"]]["fields"]}
        added = {one: of_type(field) for one, field in fields.items() if one not in json and one not in NOT_SUPPORTED}
        if body["type"] == "SendEmailOptions":
            added["bodyParts"] = [{"contentType": "text/plain", "contentBody": "B"}]
        json = added | json
    return Call(call.path, query, json, call.content, call.files, call.headers)


def spoils(name: str) -> bool:
    """Whether a call takes something away that others share, or makes what can be made but once."""
    method = OPERATIONS_BY_NAME[name].method
    return method == "DELETE" or name.startswith(("createConnector", "update", "sendEmailDraft"))


def check(name: str, response: httpx2.Response) -> None:
    """Whether the answer is the one that the contract promises."""
    wanted = OPERATIONS[name]
    assert response.status_code == (wanted["status"] or 200), response.text
    match wanted["response"]:
        case None if name == "getContactVCard":
            assert response.headers["content-type"].startswith("text/vcard")
        case None if OPERATIONS_BY_NAME[name].name in ("getRawEmailContents", "getRawSentEmailContents"):
            # The clients read nothing of it; whoever asks without one gets the message.
            assert response.headers["content-type"] == "text/plain"
            assert b"Subject: " in response.content
        case None:
            assert response.content == b""
        case "str":
            assert not response.headers["content-type"].startswith("application/json")
            assert response.content
        case answer:
            assert response.headers["content-type"] == "application/json"
            hold(response.json(), answer, name)


def test_every_built_operation_has_a_case() -> None:
    assert set(CASES) == BUILT
    assert set(CASES) <= set(OPERATIONS), "the contract does not know what clients expect of it"
    assert set(OWN_CASES) == set(OWN_BUILT)


def test_all_operations_of_connectors_are_built() -> None:
    known = {one.name for one in known_operations().operations if one.path.startswith("/connectors")}
    assert set(CONNECTOR_OPERATIONS) == known
    assert len(known) == 31
    assert known <= BUILT


@in_the_town
@pytest.mark.parametrize("name", CASES)
async def test_an_operation_answers_as_its_clients_expect(name: str, town: Town, ann_for_all: Tenant) -> None:
    ann = await town.tenant() if spoils(name) else ann_for_all
    check(name, await ask(ann.client, name, CASES[name](ann.own)))


@in_the_town
@pytest.mark.parametrize("name", CASES)
async def test_an_operation_takes_everything_that_its_clients_can_say(
    name: str, town: Town, ann_for_all: Tenant
) -> None:
    ann = await town.tenant() if spoils(name) else ann_for_all
    check(name, await ask(ann.client, name, whole(name, ann.own)))


@in_the_town
@pytest.mark.parametrize("name", OWN_CASES)
async def test_an_operation_of_our_own_answers(name: str, ann_for_all: Tenant) -> None:
    response = await ask(ann_for_all.client, name, OWN_CASES[name](ann_for_all.own))
    assert response.is_success, response.text


@in_the_town
@pytest.mark.parametrize("name", [*CASES, *(name for name in OWN_CASES if name != "getHealth")])
async def test_an_operation_needs_a_key(name: str, town: Town, ann_for_all: Tenant) -> None:
    response = await ask(town.client(""), name, (CASES | OWN_CASES)[name](ann_for_all.own))
    assert response.status_code == 401
    assert response.json()["status"] == 401


TAKE_A_BODY = [name for name in CASES if OPERATIONS[name]["body"] and name != "uploadMultipartForm"]


@in_the_town
@pytest.mark.parametrize("name", TAKE_A_BODY)
@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"{'a': 1}", b"\xff\xfe"])
async def test_a_body_that_is_no_json_object_is_a_400(name: str, content: bytes, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    broken = Call(call.path, call.query, content=content, headers={"Content-Type": "application/json"})
    response = await ask(ann_for_all.client, name, broken)
    assert response.status_code == 400
    assert response.json()["errorCode"] == "W_400_BAD_REQUEST"


@in_the_town
@pytest.mark.parametrize("name", TAKE_A_BODY)
async def test_a_body_that_is_needed_is_missed(name: str, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    headers = {"Content-Type": "application/json", "Content-Length": "0"}
    response = await ask(ann_for_all.client, name, Call(call.path, call.query, content=b"", headers=headers))
    assert response.status_code == (400 if OPERATIONS[name]["body"]["required"] else 200)


REQUIRED = [
    *(
        (name, "query", one)
        for name in CASES
        for one, field in operation_takes(name, "query").items()
        if field["required"]
    ),
    *(
        (name, "body", field["name"])
        for name in TAKE_A_BODY
        for field in MODELS.get(OPERATIONS[name]["body"]["type"], {"fields": ()})["fields"]
        if field["required"]
    ),
]

KEPT_WHEN_ABSENT = {
    "updateConnectorImapConnection",
    "updateConnectorSmtpConnection",
    "testConnectorImapConnection",
    "testConnectorSmtpConnection",
}
"""Here what is not sent stays what it is, even where the clients always send it."""


@in_the_town
@pytest.mark.parametrize(("name", "where", "missing"), REQUIRED)
async def test_what_is_required_is_missed_by_name(name: str, where: str, missing: str, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    query = {key: value for key, value in call.query.items() if (where, key) != ("query", missing)}
    json = call.json and {key: value for key, value in call.json.items() if (where, key) != ("body", missing)}
    response = await ask(ann_for_all.client, name, Call(call.path, query, json))
    if name in KEPT_WHEN_ABSENT:
        assert response.status_code == 200
        return
    assert response.status_code == 400
    assert response.json()["message"] == f"{missing} is missing"


@in_the_town
@pytest.mark.parametrize("name", [name for name in CASES if "format" in str(operation_takes(name, "path"))])
async def test_an_id_that_is_no_uuid_is_a_400(name: str, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    path = {one: "17" if "format" in operation_takes(name, "path")[one] else value for one, value in call.path.items()}
    response = await ask(ann_for_all.client, name, Call(path, call.query, call.json))
    assert response.status_code == 400


@in_the_town
@pytest.mark.parametrize("name", [name for name in CASES if operation_takes(name, "path")])
async def test_an_id_that_nobody_has_is_a_404(name: str, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    for one in call.path:
        path = {**call.path, one: str(UUID(int=1))}
        whole_call = Call(path, call.query, call.json, call.content, call.files, call.headers)
        response = await ask(ann_for_all.client, name, whole_call)
        assert response.status_code == 404, one
        assert response.json()["errorCode"] == "W_404_ENTITY_NOT_FOUND"
