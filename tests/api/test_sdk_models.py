"""Every operation that is built, called by MailSlurp's own Python client at a server of ours.

The client refuses what it does not know: a word that is in no list of its own, or a null where it wants a value, is a
`ValueError` in its user's program.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import httpx2
import mailslurp_client as sdk
import pytest
import pytest_asyncio
from mailslurp_client.rest import RESTResponse

from live.served import Served, served
from posthouse.simulator import Provider

from .cases import CASES, Call
from .contract import OPERATIONS
from .test_contract_routes import spoils, whole
from .town import FILE, Tenant, Town, message

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANNOT = {
    "uploadMultipartForm": "sends JSON where the operation takes a form",
}
"""What the client itself gets wrong."""

IN_ITS_OWN_WAY = {"importEmailIntoInboxMultipart", "importEmailIntoInboxBytes"}
"""What it is asked for otherwise than by parameters: see the tests below."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served_town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Town, Served]]:
    """The same town, around a server as its users run it."""
    provider = Provider()
    await provider.start()
    try:
        with served(tmp_path_factory.mktemp("served")) as server:

            def client(key: str) -> httpx2.AsyncClient:
                return httpx2.AsyncClient(base_url=server.url, headers={"x-api-key": key}, timeout=30)

            async def make_key(_: str) -> str:
                return server.key

            yield Town(provider, client, make_key), server
    finally:
        await provider.stop()


@pytest.fixture(scope="module")
def furnished() -> dict[str, Tenant]:
    """The tenant in use, until a call has taken something away from it."""
    return {}


def method_of(client: sdk.ApiClient, name: str) -> Callable[..., Any]:
    """The client's method for an operation."""
    api = getattr(sdk, f"{OPERATIONS[name]['controller']}Api")(client)
    spelled = {one.replace("_", ""): one for one in dir(api) if not one.startswith("_")}
    # A name that the clients use twice has a number the second time.
    method: Callable[..., Any] = getattr(api, spelled.get(name.lower()) or spelled[f"{name.lower()}1"])
    return method


class _Answer:
    """What the client makes models of."""

    def __init__(self, said: Any) -> None:
        self.data = json.dumps(said)


def model(client: sdk.ApiClient, said: Any, kind: str) -> Any:
    """A model of the client that says this."""
    return client.deserialize(cast("RESTResponse", _Answer(said)), kind)


def arguments(client: sdk.ApiClient, name: str, call: Call, method: Callable[..., Any]) -> dict[str, Any]:
    """The call, as the client's user writes it."""
    known = re.findall(r":param (\S+) (\w+):", method.__doc__ or "")
    given: dict[str, Any] = {}
    for kind, parameter in known:
        for said, value in {**call.query, **call.path}.items():
            if re.sub("[^a-z0-9]", "", said.lower()) == parameter.replace("_", ""):
                given[parameter] = model(client, _as_json(value, kind), kind)
        if OPERATIONS[name]["body"] and kind == OPERATIONS[name]["body"]["type"] and call.json is not None:
            given[parameter] = model(client, call.json, kind)
    assert len(given) == len(call.path) + len(call.query) + (call.json is not None)
    return given


def _as_json(value: Any, kind: str) -> Any:
    return value == "true" if kind == "bool" else value


async def called(server: Served, name: str, call: Call) -> Any:
    with server.sdk() as client:
        method = method_of(client, name)
        return await asyncio.to_thread(method, **arguments(client, name, call, method))


def check(name: str, answer: Any) -> None:
    wanted = OPERATIONS[name]["response"]
    if wanted is None:
        assert answer is None
    elif wanted.startswith("list["):
        assert isinstance(answer, list)
        assert all(isinstance(item, getattr(sdk, wanted[5:-1], str)) for item in answer)
    else:
        assert isinstance(answer, getattr(sdk, wanted, str))


@pytest.mark.parametrize("name", [name for name in CASES if name not in {*CANNOT, *IN_ITS_OWN_WAY}])
async def test_the_official_client_can_call(
    name: str, served_town: tuple[Town, Served], furnished: dict[str, Tenant]
) -> None:
    town, server = served_town
    ann = furnished.get("ann") or await town.tenant()
    furnished["ann"] = ann
    if spoils(name):
        furnished.clear()
    check(name, await called(server, name, whole(name, ann.own)))


async def test_the_bytes_of_an_attachment_survive_the_official_client(served_town: tuple[Town, Served]) -> None:
    """It makes text of everything; in ISO-8859-1 no byte is lost by that."""
    town, server = served_town
    own = (await town.tenant()).own
    for name, path in (
        ("downloadAttachment", {"emailId": own.email, "attachmentId": own.attachment}),
        ("downloadAttachmentAsBytes", {"attachmentId": own.attachment}),
    ):
        text = await called(server, name, Call(path=path))
        assert text.encode("latin-1") == FILE


async def test_the_official_client_uploads_in_base64_alone(served_town: tuple[Town, Served]) -> None:
    """Its `upload_attachment_bytes` has no parameter for the bytes: what it uploads is empty."""
    town, server = served_town
    tenant = await town.tenant()
    [empty] = await called(server, "uploadAttachmentBytes", Call(query={"filename": "a.bin"}))
    assert (await tenant.client.get(f"/attachments/{empty}/bytes")).content == b""
    upload = Call(json={"base64Contents": "AAH+/w==", "filename": "a.bin", "contentType": "application/x-a"})
    [kept] = await called(server, "uploadAttachment", upload)
    answer = await tenant.client.get(f"/attachments/{kept}/bytes")
    assert (answer.content, answer.headers["content-type"]) == (b"\0\1\xfe\xff", "application/x-a;charset=ISO-8859-1")


async def test_the_official_client_imports_files(served_town: tuple[Town, Served], tmp_path: Path) -> None:
    """By `import_email_into_inbox_bytes` it sends no body at all, and is told so."""
    town, server = served_town
    own = (await town.tenant()).own
    file = tmp_path / "a.eml"
    file.write_bytes(message(own.mailbox.address, "From a file"))
    with server.sdk() as client:
        api = sdk.InboxControllerApi(client)
        email = await asyncio.to_thread(api.import_email_into_inbox_multipart, own.plain_inbox, str(file))
        assert (email.subject, email.inbox_id) == ("From a file", own.plain_inbox)
        with pytest.raises(sdk.ApiException) as refused:
            await asyncio.to_thread(api.import_email_into_inbox_bytes, own.plain_inbox)
    assert json.loads(refused.value.body)["message"] == "this is no email message: it is empty"


@pytest.mark.parametrize("name", CANNOT)
async def test_what_the_official_client_cannot_do_is_told_in_words(name: str, served_town: tuple[Town, Served]) -> None:
    _, server = served_town
    with server.sdk() as client, pytest.raises(sdk.ApiException) as refused:
        await asyncio.to_thread(method_of(client, name))
    assert refused.value.status == 400
    assert json.loads(refused.value.body)["message"] == "file is missing"


async def test_a_failure_reaches_the_user_of_the_official_client_in_words(served_town: tuple[Town, Served]) -> None:
    _, server = served_town
    with server.sdk() as client, pytest.raises(sdk.ApiException) as refused:
        await asyncio.to_thread(
            sdk.ConnectorControllerApi(client).get_connector, "01a203d5-0000-7000-8000-000000000000"
        )
    assert refused.value.status == 404
    assert json.loads(refused.value.body)["errorCode"] == "W_404_ENTITY_NOT_FOUND"
