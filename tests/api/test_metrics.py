"""Who may read the numbers, and what they say."""

import httpx2
import pytest
from fastapi import FastAPI

from posthouse.api.metrics import show_metrics
from posthouse.model.standing import State
from posthouse.model.values import Secret


class NoServices:
    """Only the census is asked for here."""

    @property
    def watching(self) -> "NoServices":
        return self

    async def census(self) -> dict[State, int]:
        return dict.fromkeys(State, 0) | {State.FRESH: 3}


def an_app(key: str | None) -> FastAPI:
    app = FastAPI()
    show_metrics(app, NoServices(), Secret(key) if key else None)  # type: ignore[arg-type]
    return app


async def read(app: FastAPI, client: str = "127.0.0.1", **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app, client=(client, 1), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as asking:
        return await asking.get("/metrics", headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_this_machine_reads_them_without_a_key() -> None:
    answer = await read(an_app(None))
    assert answer.status_code == 200
    assert 'posthouse_connectors{state="fresh"} 3.0' in answer.text
    assert "posthouse_sync_seconds_bucket" in answer.text


@pytest.mark.parametrize(
    ("client", "headers"),
    [("10.1.2.3", {}), ("127.0.0.1", {"x_forwarded_for": "10.1.2.3"}), ("127.0.0.1", {"forwarded": "for=10.1.2.3"})],
)
async def test_nobody_else_does(client: str, headers: dict[str, str]) -> None:
    assert (
        await read(an_app(None), client, **headers)
    ).status_code == 500  # the bare app has no words for Unauthorized


async def test_with_a_key_it_is_the_key_that_counts() -> None:
    app = an_app("the operator's key")
    assert (await read(app, authorization="Bearer the operator's key")).status_code == 200
    assert (await read(app, "10.1.2.3", authorization="bearer the operator's key")).status_code == 200
    assert (await read(app)).status_code == 500
    assert (await read(app, authorization="Bearer another")).status_code == 500
