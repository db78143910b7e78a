import asyncio
import contextlib
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
import uvloop

from posthouse.model.connectors import Proxy, ProxyKind, Security, ServerSettings
from posthouse.model.errors import CredentialsRefused, EgressRefused, RemoteError, Stage, TlsFailed, Unreachable
from posthouse.model.events import Transcript
from posthouse.model.sync import Knock
from posthouse.model.values import Secret
from posthouse.protocols.exchange import CommandRefused, Exchange, Give, Receive, ReceiveOrWake, Send, StartTls
from posthouse.remote.egress import Egress
from posthouse.remote.stream import Stream
from posthouse.remote.tls import Tls, fingerprint
from posthouse.remote.wire import Wire
from posthouse.store.signals import Bell

from .servers import LOOPBACK, Reader, Tunnels, Writer, echo, forever, serving


def to(port: int, host: str = "localhost", **more: Any) -> ServerSettings:
    return ServerSettings(host=host, port=port, security=Security.PLAIN, **more)


@contextlib.asynccontextmanager
async def connected(
    settings: ServerSettings,
    *,
    secure: bool = False,
    tls: Tls | None = None,
    within: float = 10,
    egress: Egress = LOOPBACK,
    transcript: Transcript | None = None,
) -> AsyncIterator[Stream]:
    stream = await Stream.open(
        settings,
        egress=egress,
        transcript=transcript or Transcript(),
        within=within,
        secure=secure,
        tls=tls or Tls(),
    )
    try:
        yield stream
    finally:
        await stream.close()


def ask(words: bytes) -> Exchange[bytes]:
    yield Send(words)
    return (yield Receive()) or b""


def listen() -> Exchange[bytes]:
    return (yield Receive()) or b""


def read_on() -> Exchange[None]:
    while data := (yield Receive()):
        yield Give(data)


def upgrade_then_ask(words: bytes) -> Exchange[bytes]:
    yield StartTls()
    return (yield from ask(words))


# One connection


async def test_an_exchange_runs_over_a_socket() -> None:
    transcript = Transcript()
    async with serving(echo) as port, connected(to(port), transcript=transcript) as stream:
        assert await stream.run(ask(b"one"), within=5) == b"one"
        assert await stream.run(ask(b"two"), within=5) == b"two"
        assert stream.usable
    assert transcript.lines == [f"* connected to 127.0.0.1:{port}"]


async def test_nothing_comes_from_a_connection_that_is_closed() -> None:
    async def close(reader: Reader, writer: Writer) -> None:
        writer.write(b"bye")

    async with serving(close) as port, connected(to(port)) as stream:
        assert await stream.run(listen(), within=5) == b"bye"
        with contextlib.suppress(Unreachable):  # a reset, when the system is that quick
            assert await stream.run(listen(), within=5) == b""
        assert not stream.usable


async def test_a_port_where_nobody_listens_refuses() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="refuses connections on port") as caught:
            async with connected(to(taken.getsockname()[1])):
                pass
    assert caught.value.transient


@pytest.mark.parametrize("port", [0, -1, 65536])
async def test_an_impossible_port_is_not_tried(port: int) -> None:
    with pytest.raises(Unreachable, match="there is no port"):
        async with connected(to(port)):
            pass


async def test_the_guard_stands_before_every_connection() -> None:
    async with serving(echo) as port:
        with pytest.raises(EgressRefused, match="POSTHOUSE_EGRESS_ALLOW"):
            async with connected(to(port), egress=Egress()):
                pass


async def test_the_first_address_that_answers_is_taken() -> None:
    async def resolver(_name: str) -> Sequence[str]:
        return ["::1", "127.0.0.9", "127.0.0.1"]  # the server listens on the last alone

    egress = Egress(LOOPBACK.allow, resolver)
    async with serving(echo) as port, connected(to(port, "mail.example.com"), egress=egress) as stream:
        assert await stream.run(ask(b"here"), within=5) == b"here"


async def test_an_address_that_does_not_answer_does_not_hold_up_the_next() -> None:
    async def resolver(_name: str) -> Sequence[str]:
        return ["127.0.0.7", "127.0.0.1"]

    with full_backlog("127.0.0.7") as port:
        server = await asyncio.start_server(echo, "127.0.0.1", port)
        async with server, connected(to(port, "mail.example.com"), egress=Egress(LOOPBACK.allow, resolver)) as stream:
            assert await stream.run(ask(b"here"), within=5) == b"here"


@contextlib.contextmanager
def full_backlog(host: str) -> Iterator[int]:
    """A port whose queue of new connections is full, so that the next gets no answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_server_that_never_answers_ends_at_the_deadline() -> None:
    with full_backlog("127.0.0.1") as port, pytest.raises(Unreachable, match=r"did not answer on port .* 0\.2 s"):
        async with connected(to(port), within=0.2):
            pass


async def test_a_name_server_that_never_answers_ends_at_the_deadline() -> None:
    async def resolver(_name: str) -> Sequence[str]:
        await asyncio.sleep(3600)
        return []

    with pytest.raises(Unreachable, match="could not be looked up within") as caught:
        async with connected(to(1, "slow.example.com"), egress=Egress(resolver=resolver), within=0.05):
            pass
    assert caught.value.stage is Stage.NAME


# Deadlines


async def drip(reader: Reader, writer: Writer) -> None:
    while True:
        writer.write(b".")
        await asyncio.sleep(0.01)


async def test_an_exchange_without_an_answer_ends() -> None:
    async with serving(forever) as port, connected(to(port)) as stream:
        with pytest.raises(Unreachable, match=r"did not answer within 0\.05 s"):
            await stream.run(ask(b"hello?"), within=0.05)
        assert not stream.usable
        with pytest.raises(Unreachable, match="closed"):
            await stream.run(ask(b"hello?"), within=5)


def read_lines() -> Exchange[None]:
    data = b""
    while b"\n" not in data:
        data += (yield Receive()) or b"\n"


async def test_a_slow_drip_ends() -> None:
    async with serving(drip) as port, connected(to(port)) as stream:
        with pytest.raises(Unreachable, match="too slow"):
            await stream.run(read_lines(), within=0.2, silence=5)


async def test_a_slow_drip_of_values_ends() -> None:
    async with serving(drip) as port, connected(to(port)) as stream:
        with pytest.raises(Unreachable, match="too slow"):
            async for _ in stream.each(read_on(), within=0.2, silence=5):
                pass


async def test_silence_in_a_transfer_ends_it_before_its_time() -> None:
    async def stop_in_the_middle(reader: Reader, writer: Writer) -> None:
        writer.write(b"half")
        await forever(reader, writer)

    async with serving(stop_in_the_middle) as port, connected(to(port)) as stream:
        with pytest.raises(Unreachable, match="fell silent"):
            async for _ in stream.each(read_on(), within=3600, silence=0.05):
                pass


async def test_the_consumers_own_time_is_not_counted() -> None:
    async def three(reader: Reader, writer: Writer) -> None:
        for _ in range(3):
            await reader.readexactly(1)
            writer.write(b"x")

    def asking() -> Exchange[None]:
        for _ in range(3):
            yield Give((yield from ask(b"?")))

    async with serving(three) as port, connected(to(port)) as stream:
        given = []
        async for value in stream.each(asking(), within=0.3):
            given.append(value)
            await asyncio.sleep(0.2)
        assert given == [b"x"] * 3


async def test_a_server_that_does_not_read_ends_a_send() -> None:
    async def deaf(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(3600)

    async with serving(deaf) as port, connected(to(port)) as stream:
        with pytest.raises(Unreachable, match="did not answer"):
            await stream.run(ask(bytes(64 * 1024 * 1024)), within=0.3)


async def test_a_cancelled_exchange_takes_the_connection_with_it() -> None:
    async with serving(forever) as port, connected(to(port)) as stream:
        task = asyncio.create_task(stream.run(ask(b"?"), within=60))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not stream.usable


async def test_a_connection_that_is_closed_under_an_exchange_ends_it() -> None:
    async with serving(forever) as port, connected(to(port)) as stream:
        task = asyncio.create_task(stream.run(ask(b"?"), within=60))
        await asyncio.sleep(0.05)
        await stream.close()
        assert await task == b""


async def test_a_connection_is_not_kept_by_an_opening_that_is_cancelled() -> None:
    gone = asyncio.Event()

    async def watch(reader: Reader, writer: Writer) -> None:
        await forever(reader, writer)
        gone.set()

    async with serving(watch) as port:
        task = asyncio.create_task(hold(to(port)))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(gone.wait(), 5)


async def hold(settings: ServerSettings) -> None:
    async with connected(settings, secure=True):
        await asyncio.sleep(3600)


async def test_a_consumer_who_leaves_early_ends_the_connection() -> None:
    async with serving(drip) as port, connected(to(port)) as stream:
        values = stream.each(read_on(), within=5)
        await anext(values)
        await values.aclose()
        assert not stream.usable


async def test_the_servers_no_leaves_the_connection_usable() -> None:
    def refused() -> Exchange[None]:
        yield from ask(b"may I?")
        raise CommandRefused("no")

    async with serving(echo) as port, connected(to(port)) as stream:
        with pytest.raises(CommandRefused):
            await stream.run(refused(), within=5)
        assert await stream.run(ask(b"and now?"), within=5) == b"and now?"


async def test_what_the_server_said_before_it_broke_off_is_heard_although_we_were_still_talking() -> None:
    async def enough(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1)
        writer.write(b"552 too much")
        writer.write_eof()
        await asyncio.sleep(0.2)

    def talk() -> Exchange[bytes]:
        for _ in range(200):
            yield Send(bytes(64 * 1024))
        return (yield Receive()) or b""

    async with serving(enough) as port, connected(to(port)) as stream:
        assert await stream.run(talk(), within=5) == b"552 too much"
        assert stream.cut_short


async def test_a_fast_server_waits_for_a_slow_reader() -> None:
    sent = 0

    async def flood(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        writer.transport.set_write_buffer_limits(high=0)
        for _ in range(2000):
            writer.write(bytes(64 * 1024))
            await writer.drain()
            sent += 64 * 1024

    async with serving(flood) as port, connected(to(port)) as stream:
        values = stream.each(read_on(), within=30)
        received = len(await anext(values))
        await asyncio.sleep(0.3)
        assert sent < 32 * 1024 * 1024  # what fits the kernel's buffers, and no more
        received += sum([len(value) async for value in values])
        assert received == 2000 * 64 * 1024


async def test_a_machine_that_is_gone_is_noticed_by_tcp_within_a_minute() -> None:
    async with serving(forever) as port, connected(to(port)) as stream:
        assert stream._wire.transport is not None
        connection = stream._wire.transport.get_extra_info("socket")
        idle, between, count = (
            connection.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + between * count < 60


# Waiting to be woken


def idle() -> Exchange[bytes | None]:
    return (yield ReceiveOrWake())


async def test_an_event_wakes_a_resting_exchange() -> None:
    wake = Bell()
    async with serving(forever) as port, connected(to(port)) as stream:
        asyncio.get_running_loop().call_later(0.05, wake.set)
        assert await stream.run(idle(), within=0.01, wake=wake) is None
        assert stream.usable


async def test_a_resting_exchange_is_woken_when_its_time_is_up() -> None:
    async with serving(forever) as port, connected(to(port)) as stream:
        assert await stream.run(idle(), within=0.01, wake=Bell(), rest=0.05) is None


async def test_who_waits_again_is_not_woken_by_the_wait_before() -> None:
    wire, wake = Wire(), Bell()
    await wire.wait(0, wake)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await wire.wait(5, wake)


def test_a_rest_is_waited_for_in_few_rounds_whatever_the_loops_timers_round_to(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[float | None] = []
    real = Wire.wait

    async def wait(self: Wire, seconds: float | None, wake: Knock | None = None) -> None:
        rounds.append(seconds)
        await real(self, seconds, wake)

    async def rest() -> None:
        async with serving(forever) as port, connected(to(port)) as stream:
            for seconds in (0.0104, 0.0156, 0.0209):
                assert await stream.run(idle(), within=1, wake=Bell(), rest=seconds) is None

    monkeypatch.setattr(Wire, "wait", wait)
    uvloop.run(rest())
    assert len(rounds) <= 9


async def test_news_come_before_the_wake() -> None:
    async def news(reader: Reader, writer: Writer) -> None:
        writer.write(b"* 1 EXISTS")
        await forever(reader, writer)

    async with serving(news) as port, connected(to(port)) as stream:
        assert await stream.run(idle(), within=0.01, wake=Bell(), rest=5) == b"* 1 EXISTS"


# TLS


class Certificates:
    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.pem = self.authority.cert_pem.bytes().decode()

    def server(self, *names: str, authority: trustme.CA | None = None, **more: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (authority or self.authority).issue_cert(*(names or ("localhost", "127.0.0.1")), **more).configure_cert(context)
        return context

    @property
    def client(self) -> Tls:
        return Tls(self.pem)


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


def self_signed() -> tuple[ssl.SSLContext, str]:
    """A server with a certificate that vouches for itself, and its fingerprint."""
    import tempfile

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.flush()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file.name)
    return context, fingerprint(certificate.public_bytes(serialization.Encoding.DER))


async def over_tls(port: int, server: ssl.SSLContext | None = None, tls: Tls | None = None, **more: Any) -> str:
    """Say something over TLS from the start; the transcript."""
    transcript = Transcript()
    async with connected(to(port, **more), secure=True, tls=tls, transcript=transcript) as stream:
        assert await stream.run(ask(b"secret"), within=5) == b"secret"
        assert stream.secure
    return transcript.text


async def test_a_verified_server_is_talked_to(certificates: Certificates) -> None:
    async with serving(echo, certificates.server()) as port:
        text = await over_tls(port, tls=certificates.client)
    assert "* TLSv1.3, certificate of localhost sha256:" in text
    assert text.endswith("verified")


Spoilt = Callable[[Certificates], ssl.SSLContext]

UNTRUSTED: dict[str, tuple[Spoilt, str]] = {
    "expired": (lambda c: c.server(not_after=datetime(2020, 1, 1, tzinfo=UTC)), "has expired"),
    "not yet valid": (
        lambda c: c.server(
            not_before=datetime.now(UTC) + timedelta(days=9), not_after=datetime.now(UTC) + timedelta(days=99)
        ),
        "not valid yet",
    ),
    "wrong name": (lambda c: c.server("imap.example.com"), "other names than localhost"),
    "unknown authority": (lambda c: c.server(authority=trustme.CA()), "authority that we don't know"),
    "self-signed": (lambda _: self_signed()[0], "self-signed"),
}


@pytest.mark.parametrize(("server", "words"), UNTRUSTED.values(), ids=UNTRUSTED.keys())
async def test_a_certificate_that_proves_nothing_is_refused_and_told_apart(
    server: Spoilt, words: str, certificates: Certificates
) -> None:
    async with serving(echo, server(certificates)) as port:
        with pytest.raises(TlsFailed, match=words) as caught:
            await over_tls(port, tls=certificates.client)
    assert "sslTrust" in caught.value.message
    assert caught.value.stage is Stage.TLS


@pytest.mark.parametrize("trust", ["*", "localhost", "other.example.com, LOCALHOST", "other.example.com *"])
@pytest.mark.parametrize("server", [server for server, _ in UNTRUSTED.values()], ids=UNTRUSTED.keys())
async def test_the_user_may_trust_a_host_unchecked(server: Spoilt, trust: str, certificates: Certificates) -> None:
    async with serving(echo, server(certificates)) as port:
        assert "not verified, as sslTrust says" in await over_tls(port, tls_trust=trust)


async def test_trust_in_one_host_is_not_trust_in_another(certificates: Certificates) -> None:
    async with serving(echo, self_signed()[0]) as port:
        with pytest.raises(TlsFailed, match="self-signed"):
            await over_tls(port, tls_trust="mail.example.com")


async def test_a_pinned_fingerprint_is_enough() -> None:
    server, pin = self_signed()
    colons = ":".join(pin[i : i + 2] for i in range(0, 64, 2)).upper()
    async with serving(echo, server) as port:
        await over_tls(port, tls_trust=f"sha256:{pin}")
        await over_tls(port, tls_trust=f"SHA256:{colons}")


async def test_another_certificate_than_the_pinned_one_is_refused_and_shown(certificates: Certificates) -> None:
    server, pin = self_signed()
    async with serving(echo, server) as port:
        with pytest.raises(TlsFailed, match=f"sha256:{pin}"):
            await over_tls(port, tls_trust="* sha256:" + "0" * 64)
    async with serving(echo, certificates.server()) as port:
        with pytest.raises(TlsFailed, match="another certificate"):
            await over_tls(port, tls=certificates.client, tls_trust=f"sha256:{pin}")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tls_trust": "sha256:abc"}, "not a SHA-256 fingerprint"),
        ({"tls_protocols": ("SSLv3",)}, "sslProtocols"),
    ],
)
async def test_settings_that_make_no_sense_are_named(more: dict[str, Any], words: str) -> None:
    async with serving(echo) as port:
        with pytest.raises(TlsFailed, match=words):
            await over_tls(port, **more)


@contextlib.contextmanager
def blocking_echo(server: ssl.SSLContext) -> Iterator[int]:
    """An echo over TLS outside asyncio, whose servers drop a bad handshake before OpenSSL's alert is out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plain, _ = listener.accept()
                    with contextlib.suppress(OSError), server.wrap_socket(plain, server_side=True) as connection:
                        while data := connection.recv(4096):
                            connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_old_versions_are_refused_unless_they_are_listed(certificates: Certificates) -> None:
    server = certificates.server()
    server.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server.minimum_version = server.maximum_version = ssl.TLSVersion.TLSv1_1
    with blocking_echo(server) as port:
        with pytest.raises(TlsFailed, match="no TLS version in common"):
            await over_tls(port, tls=certificates.client)
        text = await over_tls(port, tls=certificates.client, tls_protocols=("TLSv1.1", "TLSv1.2"))
    assert "TLSv1.1," in text


async def test_only_the_listed_version_is_used(certificates: Certificates) -> None:
    async with serving(echo, certificates.server()) as port:
        assert "TLSv1.2," in await over_tls(port, tls=certificates.client, tls_protocols=("TLSv1.2",))


@pytest.mark.parametrize("greeting", [b"* OK IMAP ready\r\n", b""])
async def test_a_port_without_tls_is_recognised(greeting: bytes) -> None:
    async def plain(reader: Reader, writer: Writer) -> None:
        writer.write(greeting)
        await reader.read(1)
        writer.write(b"* BAD what?\r\n")

    async with serving(plain) as port:
        with pytest.raises(TlsFailed, match="does not speak TLS on port"):
            await over_tls(port)


async def test_a_server_that_hangs_up_in_the_handshake_is_told_of() -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        await reader.read(1)

    async with serving(hang_up) as port:
        with pytest.raises(TlsFailed, match="closed the connection during the TLS handshake"):
            await over_tls(port)


async def test_a_handshake_without_an_answer_ends_at_the_deadline() -> None:
    async with serving(forever) as port:
        with pytest.raises(Unreachable, match="TLS handshake") as caught:
            async with connected(to(port), secure=True, within=0.2):
                pass
    assert caught.value.stage is Stage.TLS


async def test_an_address_is_never_sent_as_a_server_name(certificates: Certificates) -> None:
    seen: list[str | None] = []
    server = certificates.server()
    server.sni_callback = lambda _socket, name, _context: seen.append(name)
    async with serving(echo, server) as port:
        await over_tls(port, tls=certificates.client, host="127.0.0.1")
        await over_tls(port, tls=certificates.client, host="localhost.")
    assert seen == [None, "localhost"]


def starttls(server: ssl.SSLContext | None, before: bytes = b"") -> Callable[[Reader, Writer], Awaitable[None]]:
    async def handle(reader: Reader, writer: Writer) -> None:
        writer.write(b"go ahead" + before)
        await writer.drain()
        if server is None:
            return await forever(reader, writer)
        await writer.start_tls(server)
        return await echo(reader, writer)

    return handle


async def test_a_connection_is_upgraded(certificates: Certificates) -> None:
    async with (
        serving(starttls(certificates.server())) as port,
        connected(to(port), tls=certificates.client) as stream,
    ):
        assert await stream.run(listen(), within=5) == b"go ahead"
        assert not stream.secure
        assert await stream.run(upgrade_then_ask(b"hi"), within=5) == b"hi"
        assert stream.secure


async def test_what_is_said_before_the_handshake_ends_the_connection(certificates: Certificates) -> None:
    async def inject(reader: Reader, writer: Writer) -> None:
        writer.write(b"go ahead")
        await reader.readexactly(1)
        writer.write(b"* injected")
        await forever(reader, writer)

    def fooled() -> Exchange[bytes]:
        yield Receive()
        yield Send(b"?")
        yield Receive()
        return (yield from upgrade_then_ask(b"hi"))

    def hasty() -> Exchange[bytes]:
        yield Send(b"?")
        return (yield from upgrade_then_ask(b"hi"))

    async with serving(inject) as port:
        async with connected(to(port), tls=certificates.client) as stream:
            with pytest.raises(TlsFailed):  # the kernel still holds it, so the handshake meets it
                await stream.run(hasty(), within=5)
            assert not stream.usable
        async with connected(to(port), tls=certificates.client) as stream:
            await asyncio.sleep(0.05)
            with pytest.raises(TlsFailed, match="somebody spoke"):
                await stream.run(upgrade_then_ask(b"hi"), within=5)


async def test_an_upgrade_without_an_answer_ends(certificates: Certificates) -> None:
    async with serving(starttls(None)) as port, connected(to(port), tls=certificates.client) as stream:
        await stream.run(listen(), within=5)
        with pytest.raises(Unreachable, match="TLS handshake"):
            await stream.run(upgrade_then_ask(b"hi"), within=0.1)


# Proxies


def by(kind: ProxyKind, port: int, username: str = "", password: str = "", host: str = "localhost") -> Proxy:
    return Proxy(host=host, port=port, kind=kind, username=username, password=Secret(password) if password else None)


def handler(tunnels: Tunnels, kind: ProxyKind) -> Callable[[Reader, Writer], Awaitable[None]]:
    return tunnels.http if kind is ProxyKind.HTTP else tunnels.socks5


KINDS = pytest.mark.parametrize("kind", list(ProxyKind))


@KINDS
@pytest.mark.parametrize("username", ["", "ann"])
async def test_a_proxy_shows_the_way(kind: ProxyKind, username: str, certificates: Certificates) -> None:
    tunnels = Tunnels(username=username, password="p:w\r\n ü")
    async with serving(echo, certificates.server()) as port, serving(handler(tunnels, kind)) as there:
        proxy = by(kind, there, username, "p:w\r\n ü" if username else "")
        await over_tls(port, tls=certificates.client, proxy=proxy)
    assert tunnels.asked == [("127.0.0.1", port)]  # the address that passed the guard, not the name


@KINDS
async def test_a_disabled_proxy_is_not_asked(kind: ProxyKind) -> None:
    async with serving(echo) as port:
        proxy = Proxy(host="proxy.example.com", port=1, kind=kind, enabled=False)
        async with connected(to(port, proxy=proxy)) as stream:
            assert await stream.run(ask(b"direct"), within=5) == b"direct"


@KINDS
@pytest.mark.parametrize(("username", "password"), [("", ""), ("ann", "wrong")])
async def test_a_proxy_that_does_not_know_us_is_told_apart(kind: ProxyKind, username: str, password: str) -> None:
    tunnels = Tunnels(username="ann", password="right")
    async with serving(handler(tunnels, kind)) as there:
        with pytest.raises(CredentialsRefused, match="the proxy localhost") as caught:
            async with connected(to(1, proxy=by(kind, there, username, password))):
                pass
    assert "wrong" not in caught.value.message
    assert caught.value.stage is Stage.CONNECTION


@KINDS
async def test_a_proxy_that_refuses_is_told_of(kind: ProxyKind) -> None:
    async with serving(handler(Tunnels(refuse=True), kind)) as there:
        with pytest.raises(Unreachable, match="the proxy localhost can't reach localhost port 993"):
            async with connected(to(993, proxy=by(kind, there))):
                pass


@KINDS
@pytest.mark.parametrize("words", [b"220 smtp.example.com ESMTP\r\n\r\n", b"", b"\x05\x02\x00", b"x" * 40_000])
async def test_what_is_no_proxy_is_recognised(kind: ProxyKind, words: bytes) -> None:
    async def other(reader: Reader, writer: Writer) -> None:
        await reader.read(1)
        writer.write(words)

    async with serving(other) as there:
        with pytest.raises(RemoteError):
            async with connected(to(993, proxy=by(kind, there)), within=2):
                pass


@KINDS
async def test_a_greeting_glued_to_the_proxys_answer_is_the_servers(kind: ProxyKind) -> None:
    tunnels = Tunnels(greet=b"* OK hello\r\n")
    async with (
        serving(echo) as port,
        serving(handler(tunnels, kind)) as there,
        connected(to(port, proxy=by(kind, there))) as stream,
    ):
        assert await stream.run(listen(), within=5) == b"* OK hello\r\n"


@KINDS
async def test_neither_a_proxy_nor_a_target_behind_it_goes_past_the_guard(kind: ProxyKind) -> None:
    only_the_proxy = Egress.allowing(["127.0.0.1"])
    tunnels = Tunnels()
    async with serving(handler(tunnels, kind)) as there:
        with pytest.raises(EgressRefused):
            async with connected(to(993, proxy=by(kind, there)), egress=Egress()):
                pass
        for target in ("10.0.0.1", "169.254.169.254", "2130706434", "::ffff:10.0.0.1"):
            with pytest.raises(EgressRefused):
                async with connected(to(993, target, proxy=by(kind, there)), egress=only_the_proxy):
                    pass
    assert tunnels.asked == []


@KINDS
async def test_a_name_that_only_the_proxy_knows_is_not_given_to_a_proxy_inside(kind: ProxyKind) -> None:
    async def resolver(name: str) -> Sequence[str]:
        if name == "localhost":
            return ["127.0.0.1"]
        raise socket.gaierror(socket.EAI_NONAME, "no")

    async with serving(echo) as port:
        tunnels = Tunnels(names={"mail.internal": "127.0.0.1"})
        async with serving(handler(tunnels, kind)) as there:
            settings = to(port, "mail.internal", proxy=by(kind, there))
            with pytest.raises(EgressRefused, match="can't be looked up here"):
                async with connected(settings, egress=Egress(LOOPBACK.allow, resolver)):
                    pass
            everywhere = Egress.allowing(["0.0.0.0/0"], resolver)
            async with connected(settings, egress=everywhere) as stream:
                assert await stream.run(ask(b"found"), within=5) == b"found"
        assert tunnels.asked == [("mail.internal", port)]


# Another loop, and what is left behind


def test_it_all_works_on_uvloop(certificates: Certificates) -> None:
    big = b"x" * 3_000_000

    def ask_much() -> Exchange[int]:
        yield Send(big)
        heard = 0
        while heard < len(big):
            heard += len((yield Receive()) or b"")
        return heard

    async def main() -> None:
        async with serving(echo, certificates.server()) as port, serving(Tunnels().socks5) as there:
            for proxy in (None, by(ProxyKind.SOCKS5, there)):
                async with connected(to(port, proxy=proxy), secure=True, tls=certificates.client) as stream:
                    assert await stream.run(ask_much(), within=20) == len(big)
                    assert await stream.run(idle(), within=1, wake=Bell(), rest=0.01) is None
                    with pytest.raises(Unreachable):
                        await stream.run(listen(), within=0.05)
        async with (
            serving(starttls(certificates.server())) as port,
            connected(to(port), tls=certificates.client) as stream,
        ):
            await stream.run(listen(), within=5)
            assert await stream.run(upgrade_then_ask(b"hi"), within=5) == b"hi"
        async with serving(echo, self_signed()[0]) as port:
            with pytest.raises(TlsFailed, match="self-signed"):
                await over_tls(port)
        async with serving(drip) as port:
            with pytest.raises(TlsFailed, match="does not speak TLS"):
                await over_tls(port)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_no_socket_is_left_behind(certificates: Certificates) -> None:
    async with serving(echo, self_signed()[0]) as port:
        for _ in range(3):
            with pytest.raises(TlsFailed):
                await over_tls(port)
            await over_tls(port, tls_trust="*")
    await asyncio.sleep(0)
    gc.collect()  # an open socket would warn, and pytest makes that an error
