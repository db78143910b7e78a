"""A running provider with two users, and clients that are not ours to talk to it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import trustme

from posthouse.simulator import Provider
from simulator.clients import Connect, Raw, signed_in


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`await connect(port)`: a raw client, closed after the test. Does not read the greeting."""
    opened: list[Raw] = []

    async def connect(port: int, tls: ssl.SSLContext | None = None) -> Raw:
        hostname = "localhost" if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=hostname)
        opened.append(Raw(reader, writer))
        return opened[-1]

    yield connect
    for raw in opened:
        raw.writer.close()


@pytest.fixture(autouse=True)
def no_session_fails(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The servers log what they did not expect and hang up; no test here may be the cause of it."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.fixture(scope="session")
def certificates() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(certificates: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def client_tls(certificates: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    certificates.configure_trust(context)
    return context


@pytest.fixture
async def provider(server_tls: ssl.SSLContext) -> AsyncIterator[Provider]:
    provider = Provider()
    provider.add_user("ann@post.example", "sesame")
    provider.add_user("bob@post.example", "opensesame")
    await provider.start(imaps_port=0, smtps_port=0, tls=server_tls)
    yield provider
    await provider.stop()


@pytest.fixture
async def ann(provider: Provider, connect: Connect) -> Raw:
    """A raw IMAP client of ann's, signed in."""
    return await signed_in(provider, connect)


@pytest.fixture
def another(provider: Provider, connect: Connect) -> Callable[[], Awaitable[Raw]]:
    """`await another()`: one more IMAP client of ann's."""
    return lambda: signed_in(provider, connect)
