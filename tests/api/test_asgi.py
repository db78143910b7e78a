"""What every request meets before and after its route: the key, limits, failures in one shape, pages of other hosts."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast
from uuid import UUID

import mailslurp_client
import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from mailslurp_client.rest import RESTResponse
from structlog.testing import capture_logs

from posthouse.api.asgi import create_api
from posthouse.api.context import Caller, House, controller
from posthouse.api.operations import known_operations
from posthouse.api.wire.common import CountDto, PageQuery
from posthouse.api.wire.connections import CreateConnectorImapConnectionOptions
from posthouse.model import errors
from posthouse.model.accounts import Account
from posthouse.model.errors import PosthouseError, RemoteError, Unauthorized
from posthouse.model.values import AccountId
from posthouse.services import Services

ACCOUNT = Account(id=AccountId(UUID(int=1)), name="workshop", created_at=datetime(2026, 11, 1, tzinfo=UTC))
KEY = {"x-api-key": "ph_right"}
ANYWHERE = {"Origin": "https://tests.example.org"}


class Door:
    """Knows one key."""

    async def authenticate(self, key: str) -> Account:
        if key != KEY["x-api-key"]:
            raise Unauthorized("this API key is not known")
        return ACCOUNT


thrown: dict[str, Exception] = {}
inboxes = controller("InboxController")


@inboxes.get("/inboxes/count", operation_id="getInboxCount")
async def count(query: Annotated[PageQuery, Query()]) -> CountDto:
    return CountDto(total_elements=query.size)


@inboxes.get("/inboxes/{id}", operation_id="getInbox")
async def get(id: UUID, caller: Caller, house: House) -> dict[str, str]:
    if "error" in thrown:
        raise thrown["error"]
    return {"caller": caller.name, "accounts": type(house.accounts).__name__}


@inboxes.post("/inboxes", operation_id="createInbox", status_code=201)
async def create(options: CreateConnectorImapConnectionOptions) -> dict[str, str]:
    return {"host": options.imap_host}


@inboxes.post("/inboxes/withOptions", operation_id="createInboxWithOptions", status_code=201)
async def create_optionally(options: CreateConnectorImapConnectionOptions | None = None) -> dict[str, Any]:
    return {"host": options.imap_host if options else None}


@pytest.fixture
def api() -> Iterator[FastAPI]:
    nothing = dict.fromkeys([field.name for field in fields(Services)])
    services = Services(**cast("Any", nothing | {"accounts": Door()}))
    yield create_api(services, largest_body=2000, controllers=[inboxes])
    thrown.clear()


@pytest.fixture
def client(api: FastAPI) -> TestClient:
    """A caller with the right key."""
    return TestClient(api, headers=KEY, raise_server_exceptions=False)


@pytest.fixture
def stranger(api: FastAPI) -> TestClient:
    return TestClient(api, raise_server_exceptions=False)


def told(response: Any, status: int) -> str:
    """The message of a failure, after a look at the shape of it."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"message", "status", "errorCode", "timestamp", "path"}
    assert body["status"] == status
    assert body["errorCode"][1:6] == f"_{status}_"
    assert body["path"] == response.request.url.path
    assert body["timestamp"].endswith("Z")
    message: str = body["message"]
    assert message
    return message


# --- the key -----------------------------------------------------------------------------------------------------


def test_a_key_in_the_header_tells_the_route_who_calls(client: TestClient) -> None:
    response = client.get(f"/inboxes/{UUID(int=5)}")
    assert response.json() == {"caller": "workshop", "accounts": "Door"}


def test_a_key_in_the_query_is_as_good(stranger: TestClient) -> None:
    assert stranger.get("/inboxes/count?apiKey=ph_right").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"x-api-key": "ph_wrong"}, {"Authorization": "ph_right"}])
def test_without_a_right_key_there_is_nothing(stranger: TestClient, headers: dict[str, str]) -> None:
    response = stranger.get("/inboxes/count", headers=headers)
    told(response, 401)
    assert response.headers["www-authenticate"] == "ApiKey"


async def test_the_key_is_asked_for_before_the_body_is_read(api: FastAPI) -> None:
    """Spoken to without a client between, to see whether the body is waited for."""
    said: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/inboxes",
        "query_string": b"",
        "headers": [(b"x-api-key", b"ph_wrong"), (b"content-type", b"application/json")],
    }
    await api(scope, receive, send)
    assert said[0]["status"] == 401


def test_a_key_in_the_query_is_not_repeated_in_a_failure(stranger: TestClient) -> None:
    response = stranger.get("/inboxes/count?apiKey=ph_secret")
    told(response, 401)
    assert "ph_secret" not in response.text


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Invalid("no"), 400),
        (errors.Forbidden("no"), 403),
        (errors.NotFound("no"), 404),
        (errors.Conflict("no"), 409),
        (errors.TooLarge("no"), 413),
        (errors.Unreachable("no"), 502),
        (errors.CredentialsRefused("no"), 502),
        (errors.OutcomeUnknown("no"), 502),
        (errors.Unavailable("no"), 503),
    ],
)
def test_an_error_of_ours_has_its_status(client: TestClient, error: PosthouseError, status: int) -> None:
    thrown["error"] = error
    assert told(client.get(f"/inboxes/{UUID(int=5)}"), status) == "no"


def test_every_error_of_ours_has_a_status_that_is_not_a_bugs() -> None:
    def kin(kind: type[PosthouseError]) -> Iterator[type[PosthouseError]]:
        for child in kind.__subclasses__():
            yield child
            yield from kin(child)

    ours = [kind for kind in kin(PosthouseError) if kind.__module__ == errors.__name__]
    assert [kind for kind in ours if kind.status == 500] == []


def test_a_server_that_asks_for_patience_is_passed_on(client: TestClient) -> None:
    thrown["error"] = RemoteError("later", retry_after=timedelta(seconds=90))
    response = client.get(f"/inboxes/{UUID(int=5)}")
    told(response, 502)
    assert response.headers["retry-after"] == "90"


def test_a_bug_is_logged_whole_and_shown_as_nothing(client: TestClient) -> None:
    thrown["error"] = RuntimeError("the password is tell-nobody")
    with capture_logs() as logs:
        response = client.get(f"/inboxes/{UUID(int=5)}?apiKey=ph_secret", headers=ANYWHERE)
    told(response, 500)
    assert "tell-nobody" not in response.text
    assert response.headers["access-control-allow-origin"] == "*"
    assert [entry["exc_info"] for entry in logs] == [True]
    assert "ph_secret" not in str(logs)


def test_a_message_that_no_utf8_can_hold_is_told_all_the_same(client: TestClient) -> None:
    thrown["error"] = errors.Refused("grüß \udcff")
    response = client.get(f"/inboxes/{UUID(int=5)}")
    assert told(response, 502) == "grüß ?"
    assert "grüß" in response.content.decode("utf-8")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("size=101", "size: "),
        ("page=-1", "page: "),
        ("sort=UP", "sort: "),
        ("since=tell-nobody", "since: not an ISO 8601"),
    ],
)
def test_a_wrong_query_is_a_400_that_names_the_parameter(client: TestClient, query: str, message: str) -> None:
    response = client.get(f"/inboxes/count?{query}")
    assert told(response, 400).startswith(message)
    assert "tell-nobody" not in response.text


def test_an_id_that_is_no_uuid_is_a_400(client: TestClient) -> None:
    assert told(client.get("/inboxes/17"), 400).startswith("id: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a JSON body is needed"),
        (b"{", "the body is not valid JSON"),
        (b"[1]", "the body must be a JSON object"),
        (b"null", "the body"),
        (b"{}", "imapHost is missing"),
        (b'{"imapHost": ["tell-nobody"]}', "imapHost: "),
        (b'{"imapHost": "\\ud800"}', "imapHost: "),
        (b'{"imapHost": "a b tell-nobody"}', "imapHost: must be a bare host name"),
        (b'{"imapHost": "h", "imapPort": ' + b"9" * 1900 + b"}", "imapPort: "),
        (b'{"imapHost": "h", "imapPassword": {"a": "tell-nobody"}}', "imapPassword: "),
        (b"[" * 1990, "There was an error parsing the body"),
        (b'"\xff\xfe"', "There was an error parsing the body"),
    ],
)
def test_a_wrong_body_is_a_400_that_says_what_is_wrong_and_not_what_was_sent(
    client: TestClient, content: bytes, message: str
) -> None:
    response = client.post("/inboxes", content=content, headers={"Content-Type": "application/json"})
    assert told(response, 400).startswith(message)
    assert "tell-nobody" not in response.text


def test_a_form_is_told_to_be_json(client: TestClient) -> None:
    message = told(client.post("/inboxes", data={"imapHost": "h"}), 400)
    assert "Content-Type: application/json" in message


def test_json_without_a_content_type_is_json(client: TestClient) -> None:
    request = client.build_request("POST", "/inboxes", content=b'{"imapHost": "h"}')
    assert "content-type" not in request.headers
    assert client.send(request).json() == {"host": "h"}


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_where_a_body_is_optional_there_may_be_none_of_it(client: TestClient, headers: dict[str, str]) -> None:
    response = client.post("/inboxes/withOptions", content=b"", headers={"Content-Length": "0", **headers})
    assert (response.status_code, response.json()) == (201, {"host": None})


def test_whatever_a_client_accepts_it_gets_json(client: TestClient) -> None:
    for accept in ("application/json;charset=utf-8, application/json; charset=utf-8", "text/html", "image/png"):
        assert client.get("/inboxes/count", headers={"Accept": accept}).status_code == 200


# --- what is there and what is not -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/nowhere", "/", "/inboxes/", "/inboxes//count", "/docs/nothing", "/redoc", "/inboxes/%00/x"]
)
def test_an_unknown_path_is_a_404(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "There is nothing" in response.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/inboxes", "DELETE, GET, POST"), ("PUT", "/inboxes/count", "DELETE, GET, PATCH, POST")],
)
def test_a_known_path_with_a_wrong_method_is_a_405(client: TestClient, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    told(response, 405)
    assert response.headers["allow"] == allowed


def test_a_wrong_method_where_nothing_is_built_is_a_405_too(client: TestClient) -> None:
    response = client.put("/waitForLatestEmail")
    told(response, 405)
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("host", ["[", "a b", "]:x"])
def test_a_host_that_makes_no_sense_does_not_matter(client: TestClient, host: str) -> None:
    told(client.get("/nowhere", headers={"Host": host}), 404)


def test_a_known_operation_that_is_not_built_is_a_501(client: TestClient) -> None:
    response = client.post("/inboxes/search", json={})
    assert "searchInboxes" in told(response, 501)


def test_an_unbuilt_operation_is_not_mistaken_for_an_id(client: TestClient) -> None:
    assert "getInboxIds" in told(client.get("/inboxes/ids"), 501)


def test_no_unbuilt_operation_is_ever_anything_but_a_501(client: TestClient) -> None:
    built = {("GET", "/inboxes/count"), ("GET", "/inboxes/{inboxId}")}
    built |= {("POST", "/inboxes"), ("POST", "/inboxes/withOptions")}
    for operation in known_operations().operations:
        if (operation.method, operation.path) in built or operation.method == "HEAD":
            continue
        response = client.request(operation.method, operation.path.replace("{", "").replace("}", ""))
        assert told(response, 501)


def test_head_is_a_get_without_its_content(client: TestClient) -> None:
    get, head = client.get("/inboxes/count"), client.head("/inboxes/count")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


def test_a_failed_head_has_no_content_either(client: TestClient) -> None:
    head = client.head("/nowhere")
    assert (head.status_code, head.content) == (404, b"")


def test_options_says_what_is_possible(stranger: TestClient) -> None:
    response = stranger.options("/inboxes/ids")
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == "DELETE, GET, PATCH, POST, OPTIONS"


def test_the_document_of_the_api_is_there_for_everybody(stranger: TestClient) -> None:
    document = stranger.get("/openapi.json").json()
    operation = document["paths"]["/inboxes/count"]["get"]
    assert operation["operationId"] == "getInboxCount"
    assert operation["tags"] == ["InboxController"]
    assert {"API_KEY": []} in operation["security"]


# --- limits ------------------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_refused_unread(client: TestClient) -> None:
    response = client.post("/inboxes", content=b" " * 2001)
    assert "2000 bytes" in told(response, 413)


def test_a_body_that_turns_out_too_large_is_cut_off(client: TestClient) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(1000):
            yield b" " * 1000

    response = client.post("/inboxes", content=body(), headers={"Content-Type": "application/json"})
    assert "2000 bytes" in told(response, 413)


def test_a_body_of_just_the_size_is_read(client: TestClient) -> None:
    content = b'{"imapHost": "h"}'.ljust(2000)
    assert client.post("/inboxes", content=content, headers={"Content-Type": "application/json"}).status_code == 201


# --- pages of other hosts ----------------------------------------------------------------------------------------


def test_a_page_of_any_host_may_ask_and_read(client: TestClient) -> None:
    for path, status in (("/inboxes/count", 200), ("/nowhere", 404), ("/inboxes/ids", 501)):
        response = client.get(path, headers=ANYWHERE)
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_browser_may_send_any_method_and_header_of_the_clients(stranger: TestClient, method: str) -> None:
    asked = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "x-api-key, content-type, x-own",
    }
    response = stranger.options("/inboxes", headers={**ANYWHERE, **asked})
    assert response.status_code == 200
    assert method in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-headers"] == "x-api-key, content-type, x-own"


def test_no_answer_is_guessed_at_or_kept_by_a_browser(client: TestClient) -> None:
    for path in ("/inboxes/count", "/nowhere"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_official_client_reads_a_failure(client: TestClient) -> None:
    response = client.get("/inboxes/ids")
    error = mailslurp_client.ApiException(
        http_resp=cast("RESTResponse", _AsRead(response.status_code, response.content.decode("utf-8")))
    )
    assert error.status == 501
    assert "getInboxIds" in error.body


class _AsRead:
    """What the Python client makes an exception of."""

    reason = ""

    def __init__(self, status: int, data: str) -> None:
        self.status = status
        self.data = data

    def getheaders(self) -> dict[str, str]:
        return {}
