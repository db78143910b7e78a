"""The API's own document, and the page that shows it."""

import re
from hashlib import sha256
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from posthouse.api.asgi import create_api
from posthouse.api.docs import STATIC

from .cases import BUILT, OPERATIONS_BY_NAME, OWN_BUILT
from .contract import MODELS, NAMED_OTHERWISE, OPERATIONS

PASSED_OVER = {
    "getInboxes": {"include"},
    "doesInboxExist": {"allowCatchAll", "ipAddress", "sender"},
    "getEmailsOffsetPaginated": {"include"},
    "getEmailSummary": {"decode"},
    "downloadAttachment": {"apiKey"},  # taken by every operation, and said once for all of them
    "uploadAttachmentBytes": {"fileSize"},
    "uploadMultipartForm": {"x-filesize", "x-filename-raw"},
}
"""Parameters that clients may send and that change nothing here."""

NO_MARK = {"waitFor", "waitForWebhookResults", "waitForDeliveryStatuses"}  # in its body, and not for mail

ADDED = {name: {"after"} for name in BUILT if name.startswith("waitFor") and name not in NO_MARK}
"""Parameters that MailSlurp does not have."""


@pytest.fixture(scope="module")
def api() -> FastAPI:
    return create_api(None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def client(api: FastAPI) -> TestClient:
    """A stranger's: no key."""
    return TestClient(api)


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    response = client.get("/openapi.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The document's operations by name, with their method and path."""
    return {
        operation["operationId"]: {**operation, "method": method.upper(), "path": path}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def model_of(schema: dict[str, Any]) -> str:
    """What a schema says, in the contract's words."""
    if "anyOf" in schema:
        [schema] = [option for option in schema["anyOf"] if option != {"type": "null"}]
    if schema.get("type") == "array":
        return f"list[{model_of(schema['items'])}]"
    if "$ref" in schema:
        ours: str = schema["$ref"].rpartition("/")[2]
        return {ours: theirs for theirs, ours in NAMED_OTHERWISE.items()}.get(ours, ours)
    kind: str = schema["type"]
    return {"string": "str", "integer": "int", "boolean": "bool", "object": "JsonNode"}[kind]


def test_the_document_has_every_built_operation_and_our_own(operations: dict[str, Any]) -> None:
    assert set(operations) == BUILT | set(OWN_BUILT)


@pytest.mark.parametrize("name", sorted(BUILT))
def test_an_operation_is_documented_as_the_clients_know_it(name: str, operations: dict[str, Any]) -> None:
    ours, theirs = operations[name], OPERATIONS[name]
    assert (ours["method"], ours["path"]) == (theirs["method"], theirs["path"])
    assert ours["tags"] == [theirs["controller"]]
    assert {"API_KEY": []} in ours["security"]

    [status] = [code for code in ours["responses"] if code.startswith("2")]
    assert int(status) == (theirs["status"] or 200)
    content = ours["responses"][status].get("content", {})
    if theirs["response"] in (None, "str"):
        assert "application/json" not in content
    else:
        assert model_of(content["application/json"]["schema"]) == theirs["response"]
    assert {"4XX", "5XX"} <= set(ours["responses"])
    assert "422" not in ours["responses"]

    for where in ("path", "query"):
        known = {one["name"]: one for one in theirs["params"] if one["in"] == where}
        taken = {one["name"]: one for one in ours.get("parameters", ()) if one["in"] == where}
        added = ADDED.get(name, set()) if where == "query" else set()
        assert set(taken) == set(known) - PASSED_OVER.get(name, set()) | added
        for parameter, field in taken.items():
            assert field["required"] == (parameter not in added and known[parameter]["required"]), parameter


@pytest.mark.parametrize("name", [name for name in sorted(BUILT) if OPERATIONS[name]["body"]])
def test_an_operations_body_is_documented(name: str, operations: dict[str, Any]) -> None:
    wanted = OPERATIONS[name]["body"]["type"]
    body = operations[name]["requestBody"]
    if wanted not in MODELS and not wanted.startswith("list["):
        assert "multipart/form-data" in body["content"]
        return
    assert body.get("required", False) == OPERATIONS[name]["body"]["required"]
    documented = model_of(body["content"]["application/json"]["schema"])
    # Where all may be left out, because what is not sent is kept, the model is one of our own.
    kept = {f"CreateConnector{kind}ConnectionOptions": f"{kind}ConnectionChanges" for kind in ("Imap", "Smtp")}
    assert documented in (wanted, kept.get(wanted))


def test_every_operation_of_the_document_is_in_the_catalogue(operations: dict[str, Any]) -> None:
    for name, ours in operations.items():
        known = OPERATIONS_BY_NAME[name]
        assert (known.method, known.path) == (ours["method"], ours["path"])


def test_every_failure_is_documented_with_its_shape(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["ErrorBody"]
    assert set(schema["required"]) == {"message", "status", "errorCode", "timestamp", "path"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_document_says_how_to_give_the_key(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"] == {
        "API_KEY": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        "API_KEY_QUERY": {"type": "apiKey", "in": "query", "name": "apiKey"},
    }


# --- the page ----------------------------------------------------------------------------------------------------


def test_the_page_loads_from_this_server_alone(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "//" not in page.text
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        answer = client.get(str(httpx2.URL("http://testserver/docs").join(link)))
        assert answer.status_code == 200, link
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_browser_is_told_to_load_nothing_else_and_to_run_no_script_of_the_page(client: TestClient) -> None:
    page = client.get("/docs")
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page.text)
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "http" not in page.headers["content-security-policy"]


def test_the_page_asks_no_validator_and_keeps_no_key(client: TestClient) -> None:
    script = client.get("/docs/docs.js").text
    assert "validatorUrl: null" in script
    assert "persistAuthorization: false" in script
    assert 'url: "openapi.json"' in script


def test_a_browser_need_not_fetch_the_page_s_files_twice(client: TestClient) -> None:
    first = client.get("/docs/swagger-ui-bundle.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/docs/swagger-ui-bundle.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/docs/../asgi.py", "/docs/%2e%2e/asgi.py", "/docs/..%2fasgi.py", "/docs/nothing.js"])
def test_nothing_else_is_to_be_had_there(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["status"] == 404


def test_what_we_keep_of_swagger_ui_is_as_it_was_published_and_has_its_licence() -> None:
    """Version 5.35.0 of the npm package swagger-ui-dist; whoever brings in another one writes its digests here."""
    digests = {name: sha256((STATIC / name).read_bytes()).hexdigest()[:16] for name in PUBLISHED}
    assert digests == PUBLISHED
    assert "Apache License" in (STATIC / "swagger-ui.LICENSE").read_text()
    assert sum(file.stat().st_size for file in STATIC.iterdir()) < 2_000_000


PUBLISHED = {
    "swagger-ui-bundle.js": "e6a898692f2d768e",
    "swagger-ui.css": "5ed08757e53da3e0",
}
