"""The whole house, served to the official client, against real servers, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.certificates import Authority

from .served import Served, served


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server that trusts the tests' certificate authority."""
    data: Path = tmp_path_factory.mktemp("served")
    trusted = authority.save(data / "authority.pem")
    database_url = "sqlite"
    if request.param == "postgresql":
        database_url = request.getfixturevalue("postgres").fresh_database()
    with served(data, database_url=database_url, authority=trusted) as running:
        yield running
