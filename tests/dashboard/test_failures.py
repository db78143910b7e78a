"""What fails is told on a page, whoever noticed it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from posthouse.api.asgi import create_api
from posthouse.dashboard.app import create_dashboard

from .visiting import Client, House

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_page_that_is_not_there_is_told_as_such(client: Client) -> None:
    for path in ("/nowhere", "/inboxes/x", "/webhooks/00000000-0000-0000-0000-000000000000"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "<h1>Not Found</h1>" in answer.text


@pytest.mark.parametrize("length", ["2001", None])
async def test_a_form_that_is_too_large_is_told_on_a_page(house: House, client: Client, length: str | None) -> None:
    app = create_api(house.services, largest_body=2000)
    create_dashboard(app, house.services)

    async def body() -> AsyncIterator[bytes]:
        assert length is None, "what says it is too large was read"
        for _ in range(1000):
            yield b"name=" + b"x" * 1000

    headers = {"content-type": "application/x-www-form-urlencoded"} | ({"content-length": length} if length else {})
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=house.url, cookies=client.http.cookies) as http:
        answer = await http.post("/ui/keys", content=body(), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    assert "may have at most 2000 bytes" in answer.text
