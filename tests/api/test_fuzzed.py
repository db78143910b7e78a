"""Requests that no client would send, made up from the API's own document: none of them may be a fault of ours.

A few for each operation, the same in every run. FUZZ_EXAMPLES=200 looks further, and at every bound of the document
too; that takes some minutes.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from live.served import Served, served
from posthouse.api.asgi import create_api

FEW = 3
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", FEW))

HOSTS = ("imapHost", "smtpHost", "proxyHost")

api = schemathesis.openapi.from_dict(create_api(None).openapi())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("fuzzed"), longest_wait_ms="50") as server:
        yield server


def at_home(body: Any) -> Any:
    """The body with every good host name in it replaced by our own: nobody else is to be called by a test."""
    if not isinstance(body, dict):
        return body
    return {
        key: "127.0.0.1" if key in HOSTS and isinstance(value, str) and value.isprintable() else at_home(value)
        for key, value in body.items()
    }


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate] if EXAMPLES == FEW else [Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_asked_is_a_fault_of_ours(case: schemathesis.Case[Any], server: Served) -> None:
    case.body = at_home(case.body)
    response = case.call(base_url=server.url, headers={"x-api-key": server.key}, timeout=30)
    # 502 and 503 are what a mail server or a busy database made of it; a fault of ours is a 500.
    if response.status_code not in (501, 502, 503):
        case.validate_response(response, checks=[not_a_server_error])
    if response.status_code >= 400 and case.method != "HEAD":
        assert response.json()["status"] == response.status_code
