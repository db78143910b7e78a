"""What goes wrong, and what is odd, over the whole house: every failure is JSON in one shape, and nothing secret is
ever said."""

import base64
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest
from structlog.testing import capture_logs

from posthouse.api.asgi import LARGEST_BODY
from posthouse.api.operations import Operation, known_operations

from .cases import BUILT, CASES, OPERATIONS_BY_NAME, Call, ask
from .contract import OPERATIONS, operation_takes
from .town import Own, Tenant, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}


def told(response: httpx2.Response, status: int) -> str:
    """The message of a failure, after a look at the shape of it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"message", "status", "errorCode", "timestamp", "path"}
    assert body["status"] == status
    assert f"_{status}_" in body["errorCode"]
    assert body["path"] == response.request.url.path
    age = datetime.now(UTC) - datetime.fromisoformat(body["timestamp"])
    assert abs(age.total_seconds()) < 60
    message: str = body["message"]
    assert message
    return message


# --- what is not there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nowhere", "/connectors/", "/inboxes//emails", "/emails/1/2/3/4", "/admin"])
async def test_an_unknown_path_is_a_404(path: str, ann_for_all: Tenant) -> None:
    response = await ann_for_all.client.get(path)
    assert response.json()["message"].startswith("There is nothing at")
    assert told(response, 404)


@pytest.mark.parametrize("name", sorted(BUILT))
async def test_a_wrong_method_is_a_405_that_says_the_right_ones(name: str, ann_for_all: Tenant) -> None:
    operation = OPERATIONS_BY_NAME[name]
    path = operation.path.format_map(CASES[name](ann_for_all.own).path)
    methods = {one for one in ("GET", "POST", "PUT", "PATCH", "DELETE") if known_operations().find(one, path)}
    for wrong in {"GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - methods:
        response = await ann_for_all.client.request(wrong, path)
        told(response, 405)
        assert operation.method in response.headers["allow"].split(", ")


def _is_missing(operation: Operation) -> bool:
    """Of the names that the clients use twice, the one beyond a mail product is never built."""
    return operation.name not in BUILT or operation.tier == 3


async def test_every_operation_that_is_not_built_is_a_501(ann_for_all: Tenant) -> None:
    unbuilt = [one for one in known_operations().operations if _is_missing(one) and one.method != "HEAD"]
    assert len(unbuilt) == 847 - len(BUILT) - sum(one.method == "HEAD" for one in known_operations().operations)
    for operation in unbuilt:
        path = operation.path.replace("{", "").replace("}", "")
        assert operation.name in told(await ann_for_all.client.request(operation.method, path), 501)


# --- how requests are said ---------------------------------------------------------------------------------------


async def test_a_body_over_the_limit_is_refused_before_it_is_read(ann_for_all: Tenant) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was asked for")
        yield b""

    headers = {**JSON, "Content-Length": str(LARGEST_BODY + 1)}
    response = await ann_for_all.client.post("/attachments", content=body(), headers=headers)
    assert str(LARGEST_BODY) in told(response, 413)


async def test_an_attachment_over_its_own_limit_is_a_413(ann_for_all: Tenant) -> None:
    response = await ann_for_all.client.post("/attachments/bytes", content=bytes((50 << 20) + 1))
    assert "at most" in told(response, 413)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "image/png, */*;q=0",
        "application/json;charset=utf-8, application/json; charset=utf-8",
        "not a media type at all",
    ],
)
async def test_whatever_is_accepted_the_answer_is_what_it_is(accept: str, ann_for_all: Tenant) -> None:
    client, own = ann_for_all.client, ann_for_all.own
    email = await client.get(f"/emails/{own.email}", headers={"Accept": accept})
    assert (email.status_code, email.headers["content-type"]) == (200, "application/json")
    html = await client.get(f"/emails/{own.email}/html", headers={"Accept": accept})
    assert (html.status_code, html.headers["content-type"]) == (200, "text/html;charset=utf-8")


OPTIONAL_BODY = [name for name in CASES if (OPERATIONS[name]["body"] or {}).get("required") is False]
BODYLESS_POSTS = [name for name in CASES if OPERATIONS[name]["method"] == "POST" and OPERATIONS[name]["body"] is None]


WITHOUT_A_FILE = [
    name for name in OPTIONAL_BODY + BODYLESS_POSTS if not name.startswith(("upload", "import", "sendEmailDraft"))
]


@pytest.mark.parametrize("name", WITHOUT_A_FILE)
@pytest.mark.parametrize("headers", [{}, JSON, {**JSON, "Content-Length": "0"}])
async def test_a_post_without_a_body_may_call_it_json(name: str, headers: dict[str, str], ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    made_once = {"emailAddress"} if name.startswith("create") else set()
    query = {key: value for key, value in call.query.items() if key not in made_once}
    response = await ask(ann_for_all.client, name, Call(call.path, query, content=b"", headers=headers))
    assert response.is_success, response.text


async def test_a_get_may_say_that_its_empty_body_is_json(ann_for_all: Tenant) -> None:
    response = await ann_for_all.client.get("/inboxes", headers={**JSON, "Accept-Encoding": "identity"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("said", "count"), [("True", 1), ("true", 1), ("TRUE", 1), ("False", 2), ("false", 2), ("", 2)]
)
async def test_booleans_are_read_in_any_case(said: str, count: int, ann: Tenant) -> None:
    await ann.client.get(f"/emails/{ann.own.email}")  # whoever opens an email has read it
    response = await ann.client.get(f"/emails?unreadOnly={said}")
    assert response.json()["totalElements"] == count
    response = await ann.client.get(f"/inboxes/{ann.own.inbox}/emails?unreadOnly={said}")
    assert len(response.json()) == count


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.000Z", "%Y-%m-%dT%H:%M:%S+00:00"])
@pytest.mark.parametrize("escape", [lambda text: quote(text, safe=""), lambda text: text])
async def test_dates_are_read_in_every_form_that_clients_send(form: str, escape: Any, ann_for_all: Tenant) -> None:
    """Unescaped, the "+" of an offset reaches us as a space."""
    past, future = (escape(datetime(year, 6, 1, 10, tzinfo=UTC).strftime(form)) for year in (2001, 2101))
    for path in ("/connectors", "/connectors/events", "/inboxes/paginated", "/emails", "/sent", "/attachments"):
        for query, some in (
            (f"since={past}&before={future}", True),
            (f"since={future}", False),
            (f"before={past}", False),
        ):
            response = await ann_for_all.client.get(f"{path}?{query}")
            assert (response.status_code, response.json()["totalElements"] > 0) == (200, some), f"{path}?{query}"


async def test_an_offset_is_reckoned_with(ann: Tenant) -> None:
    created = datetime.fromisoformat((await ann.client.get(f"/inboxes/{ann.own.inbox}")).json()["createdAt"])
    wall = created.replace(tzinfo=None).isoformat()
    for offset, found in (("%2B05:00", 3), ("-05:00", 0)):  # five hours ago, and in five hours
        response = await ann.client.get(f"/inboxes/paginated?since={wall}{offset}")
        assert response.json()["totalElements"] == found


@pytest.mark.parametrize("date", ["yesterday", "1700000000", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z"])
async def test_what_is_no_date_is_a_400(date: str, ann_for_all: Tenant) -> None:
    assert told(await ann_for_all.client.get(f"/emails?since={date}"), 400).startswith("since: ")


async def test_a_list_with_nothing_in_it_is_no_list(ann_for_all: Tenant) -> None:
    """The JavaScript client sends an empty list as `inboxId=`."""
    everything = (await ann_for_all.client.get("/emails")).json()["totalElements"]
    assert everything >= 2
    for query in ("inboxId=", "inboxId=&unreadOnly=&searchFilter=&since="):
        response = await ann_for_all.client.get(f"/emails?{query}")
        assert (response.status_code, response.json()["totalElements"]) == (200, everything)
    assert (await ann_for_all.client.get("/emails/latest?inboxIds=")).status_code == 200


SINGLE = [
    (name, parameter)
    for name in CASES
    for parameter, field in operation_takes(name, "query").items()
    if not field["required"] and parameter != "apiKey" and OPERATIONS[name]["method"] == "GET"
]


@pytest.mark.parametrize("name", sorted({name for name, _ in SINGLE}))
async def test_a_parameter_without_a_value_counts_as_absent(name: str, ann_for_all: Tenant) -> None:
    """Where something is only asked for. A deletion within bounds that are not said is refused: it may be a slip."""
    call = CASES[name](ann_for_all.own)
    required = {one for one, field in operation_takes(name, "query").items() if field["required"]}
    query = {parameter: "" for one, parameter in SINGLE if one == name}
    query |= {key: value for key, value in call.query.items() if key in required}
    response = await ask(ann_for_all.client, name, Call(call.path, query))
    assert response.is_success, response.text


@pytest.mark.parametrize("path", ["/emails", "/inboxes"])
@pytest.mark.parametrize("bound", ["createdAtSince", "createdAtBefore"])
async def test_bounds_without_a_value_delete_nothing(path: str, bound: str, ann_for_all: Tenant) -> None:
    """What a script with an unset variable sends."""
    assert told(await ann_for_all.client.delete(f"{path}?{bound}="), 400).startswith(bound)


PAGED = [name for name in CASES if "size" in operation_takes(name, "query")]


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("size", ["101", "0", "-1", "many", "1e2", "99999999999999999999"])
async def test_a_page_has_at_most_a_hundred_and_at_least_one(name: str, size: str, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    response = await ask(ann_for_all.client, name, Call(call.path, {**call.query, "size": size}))
    assert told(response, 400).startswith("size: ")


ALWAYS_EMPTY = {"getEntityAutomations"}  # there are none yet
OF_AN_EMAIL_THAT_NOBODY_WAS_TOLD_OF = {"getAllWebhookResults", "getWebhookResults", "getEntityEvents"}


@pytest.mark.parametrize("name", [name for name in PAGED if str(OPERATIONS[name]["response"]).startswith("Page")])
async def test_a_page_beyond_the_last_is_empty(name: str, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    response = await ask(ann_for_all.client, name, Call(call.path, {**call.query, "page": 2**31 - 1, "size": 100}))
    body = response.json()
    assert (body["content"], body["empty"], body["last"], body["number"]) == ([], True, True, 2**31 - 1)
    assert body["totalElements"] > 0 or name in OF_AN_EMAIL_THAT_NOBODY_WAS_TOLD_OF | ALWAYS_EMPTY


async def test_a_nul_in_a_text_is_a_400(ann_for_all: Tenant) -> None:
    """PostgreSQL takes none."""
    for path in (
        "/connectors/by-name?name=%00",
        "/connectors/by-email-address?emailAddress=a%00@b",
        "/inboxes/byName?name=%00",
        "/inboxes/byEmailAddress?emailAddress=a%00",
        "/inboxes/exists?emailAddress=a%00",
        "/inboxes/paginated?search=%00",
        "/emails?searchFilter=%00",
        "/sent?searchFilter=%00",
        "/attachments?fileNameFilter=%00",
        "/attachments/%00",
        "/attachments/a%00b/bytes",
    ):
        told(await ann_for_all.client.get(path), 400)


# --- HEAD, OPTIONS and pages of other hosts ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CASES if OPERATIONS[name]["method"] == "GET"])
async def test_head_is_a_get_without_its_content(name: str, ann_for_all: Tenant) -> None:
    call = CASES[name](ann_for_all.own)
    path = OPERATIONS_BY_NAME[name].path.format_map(call.path)
    get = await ann_for_all.client.get(path, params=call.query)
    head = await ann_for_all.client.head(path, params=call.query)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers.get("content-type") == get.headers.get("content-type")


@pytest.mark.parametrize("name", sorted(BUILT))
async def test_a_page_of_any_host_may_call_every_operation(name: str, town: Town) -> None:
    operation = OPERATIONS_BY_NAME[name]
    headers = {
        "Origin": "https://tests.example.org",
        "Access-Control-Request-Method": operation.method,
        "Access-Control-Request-Headers": "x-api-key,content-type,x-own",
    }
    stranger = town.client("")
    path = operation.path.format_map(dict.fromkeys(operation_takes(name, "path"), str(uuid4())))
    asked = await stranger.options(path, headers=headers)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == "*"
    assert operation.method in asked.headers["access-control-allow-methods"]
    assert "x-own" in asked.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in asked.headers
    answered = await stranger.request(operation.method, path, headers={"Origin": "https://tests.example.org"})
    told(answered, 401)
    assert answered.headers["access-control-allow-origin"] == "*"


async def test_a_key_may_be_in_the_query(town: Town, ann_for_all: Tenant) -> None:
    key = ann_for_all.client.headers["x-api-key"]
    own, stranger = ann_for_all.own, town.client("")
    link = f"/emails/{own.email}/attachments/{own.attachment}?apiKey={key}"
    downloaded = await stranger.get(link)
    assert downloaded.content == bytes(range(256))
    assert key not in str(downloaded.headers)
    told(await stranger.get(link[:-1]), 401)


# --- what strangers write ----------------------------------------------------------------------------------------

HOSTILE = (
    b"From: a@example.org\r\nSubject: =?utf-8?q?a=0D=0AX-Injected=3A_1?= \xff\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="B"\r\n\r\n--B\r\nContent-Type: text/html; charset=nonsense\r\n\r\n'
    b"<script>alert(1)</script>\xff\r\n"
)
ATTACHED = (
    b'Content-Type: application/x-\xff; name="a\xff.txt"',
    b"Content-Type: text/html, text/plain\r\nContent-Disposition: attachment; filename*=utf-8''a%0D%0AX-Injected:1",
    b'Content-Type: te"xt/pl;ain\r\nContent-Disposition: attachment; filename="..\\..\\etc"pass;wd"',
    b'Content-Type: image/svg+xml\r\nContent-Disposition: inline; filename="=?utf-8?b?w7wK?="',
    b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename*=utf-8''%ED%A0%80%00%E2%80%AEgpj.exe",
    b"Content-Disposition: attachment",
)


async def test_a_stranger_s_mail_makes_no_headers_and_runs_nowhere(town: Town, ann: Tenant) -> None:
    parts = b"".join(b"--B\r\n" + head + b"\r\n\r\n\0\xff<script>\r\n" for head in ATTACHED)
    town.provider.deliver(ann.own.mailbox.address, HOSTILE + parts + b"--B--\r\n")
    synced = await ann.client.post(f"/connectors/{ann.own.connector}/sync")
    [email] = synced.json()["syncResult"]["emailIds"]
    attachments = (await ann.client.get(f"/emails/{email}/attachments")).json()
    assert len(attachments) == len(ATTACHED)
    paths = [f"/emails/{email}/{part}" for part in ("html", "body", "body-bytes", "raw")]
    paths += [f"/emails/{email}/attachments/{one['id']}" for one in attachments]
    paths += [f"/attachments/{one['id']}/bytes" for one in attachments]
    for path in paths:
        response = await ann.client.get(path)
        assert response.status_code == 200, path
        assert "x-injected" not in response.headers
        assert response.headers["x-content-type-options"] == "nosniff"
        policy = response.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'")
        assert "script" not in policy
        assert all(value.isprintable() for value in response.headers.values())
        if "attachments" in path:
            assert response.headers["content-disposition"].startswith("attachment")
            assert response.content == b"\0\xff<script>"
    for path in (
        f"/emails/{email}",
        f"/emails/{email}/summary",
        f"/emails/{email}/raw/json",
        "/emails",
        "/attachments",
    ):
        assert (await ann.client.get(path)).status_code == 200


# --- secrets -----------------------------------------------------------------------------------------------------

CANARIES = ("imap-canary", "smtp-canary", "proxy-canary")


def disguises(canary: str, own: Own) -> set[str]:
    """How a password looks on its way: as it is, in Base64, inside what SASL makes of it, in a URL."""
    plain = f"\0{own.mailbox.address}\0{canary}"
    encoded = {base64.b64encode(text.encode()).decode() for text in (canary, plain, canary + "\n")}
    # Whatever stands before it: the middle of its Base64 at each of the three alignments.
    shifted = {base64.b64encode(b"x" * shift + canary.encode()).decode()[4:-4] for shift in range(3)}
    return {canary, canary.encode().hex(), *encoded, *shifted}


async def with_canaries(ann: Tenant) -> None:
    """Save passwords that are easy to recognise, and use all of them: with success, and in vain."""
    client, own = ann.client, ann.own
    proxied = {"proxyHost": f"socks5://proxy-user:{CANARIES[2]}@127.0.0.1", "proxyPort": 1, "proxyEnabled": False}
    imap = own.mailbox.imap(imapPassword=CANARIES[0], **proxied)
    smtp = own.mailbox.smtp(smtpPassword=CANARIES[1], **proxied)
    for path, settings in (("imap", imap), ("smtp", smtp)):
        assert (await client.patch(f"/connectors/{own.connector}/{path}", json=settings)).status_code == 200
        assert (await client.post(f"/connectors/{own.connector}/{path}/test")).json()["success"] is False
        tested = await client.post(f"/connectors/connections/{path}/test", json={**settings, "proxyEnabled": True})
        assert tested.json()["success"] is False
    synced = await client.post(f"/connectors/{own.connector}/sync?logging=true")
    assert synced.json()["exception"]
    sending = {"to": ["bob@elsewhere.example"], "subject": "s", "body": "b"}
    assert (await client.post(f"/connectors/{own.connector}/send", json=sending)).status_code == 502


async def test_no_answer_and_no_log_ever_says_a_password(
    town: Town, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    async def listen(response: httpx2.Response) -> None:
        await response.aread()
        said.append(f"{response.request.url}: {response.text} {response.headers}")

    with capture_logs() as logs:
        ann = await town.tenant()
        ann.client.event_hooks["response"].append(listen)
        await with_canaries(ann)
        events = await ann.client.get("/connectors/events?size=100")
        for event in events.json()["content"]:
            await ann.client.get(f"/connectors/events/{event['id']}")
        for name in CASES:
            if OPERATIONS[name]["method"] == "GET":
                await ask(ann.client, name, CASES[name](ann.own))
    out, err = capfd.readouterr()
    everything = {"answers": "\n".join(said), "log": f"{logs}{caplog.text}", "output": out + err}
    assert "AUTHENTICATE" in everything["answers"] or "LOGIN" in everything["answers"]
    assert "synced" in everything["log"]
    key = ann.client.headers["x-api-key"]
    for where, text in everything.items():
        assert key not in text, f"the API key is in the {where}"
        for canary in (*CANARIES, ann.own.mailbox.password):
            for disguise in disguises(canary, ann.own):
                assert disguise not in text, f"{canary} is in the {where}, as {disguise}"


async def test_what_is_refused_is_not_repeated_where_it_may_be_a_secret(ann_for_all: Tenant) -> None:
    client, own = ann_for_all.client, ann_for_all.own
    secret = "the-canary\r\nA1 LOGOUT"
    for path, body in (
        (f"/connectors/{own.bare_connector}/imap", own.mailbox.imap(imapPassword=secret)),
        (f"/connectors/{own.bare_connector}/imap", own.mailbox.imap(imapPassword=["the-canary"])),
        (f"/connectors/{own.bare_connector}/smtp", own.mailbox.smtp(smtpPassword={"the-canary": 1})),
        (f"/connectors/{own.bare_connector}/smtp", own.mailbox.smtp(proxyHost="ftp://u:the-canary@h")),
        (f"/connectors/{own.bare_connector}/smtp", own.mailbox.smtp(proxyHost="http://u:the-canary@")),
    ):
        response = await client.post(path, json=body)
        assert "the-canary" not in response.text
        told(response, 400)
