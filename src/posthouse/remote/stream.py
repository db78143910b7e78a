"""One connection to a server, and the pump that runs exchanges over it.

The only place that knows sockets, TLS and deadlines. A connection goes where the guard lets it, through a proxy
where the settings have one, and is used by one exchange at a time. An exchange that ends in anything but the
server's own no takes the connection with it: no half-understood conversation is ever gone on with.
"""

import asyncio
import errno
import socket
import ssl
from asyncio import staggered
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address, ip_address
from itertools import chain, zip_longest
from typing import Any, Self, TypeVar

from posthouse.model.connectors import Proxy, ServerSettings
from posthouse.model.errors import CredentialsRefused, EgressRefused, Stage, TlsFailed, Unreachable
from posthouse.model.events import Transcript
from posthouse.model.sync import Knock
from posthouse.protocols.exchange import (
    CommandRefused,
    Exchange,
    Give,
    LocalProtocolError,
    NoMechanism,
    NoReturn,
    ProtocolError,
    Receive,
    ReceiveOrWake,
    Send,
    StartTls,
    Want,
)
from posthouse.remote.egress import Address, Egress, canonical, is_public
from posthouse.remote.proxies import Target, tunnel
from posthouse.remote.tls import Tls, check_pins, failed, fingerprint, no_tls
from posthouse.remote.wire import Wire

T = TypeVar("T")

DEFAULT_TLS = Tls()

_TICK = 0.001  # seconds; uvloop's timers are early by less, and waiting for the rest would be hundreds of rounds
_STAGGER = 0.25  # seconds between attempts (RFC 8305 §5)
_MOST_ADDRESSES = 8  # a name server may list a thousand

_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 8), ("TCP_KEEPCNT", 3))  # a silent drop shows in a minute


class Stream:
    """An open connection. `close` it, or let an error do it."""

    def __init__(self, settings: ServerSettings, transcript: Transcript, tls: Tls) -> None:
        self.host = canonical(settings.host)
        self.port = settings.port
        self.secure = False
        """TLS is up, and the server is who it should be."""
        self.cut_short = False
        """The connection was gone before all that we had to say was said."""
        self._settings = settings
        self._transcript = transcript
        self._tls = tls
        self._wire = Wire()
        self._reach_stage(Stage.NAME)
        self._busy = False
        self._aborted = False

    @classmethod
    async def open(
        cls,
        settings: ServerSettings,
        *,
        egress: Egress,
        transcript: Transcript,
        within: float,
        secure: bool,
        tls: Tls = DEFAULT_TLS,
    ) -> Self:
        """Connect; `secure` has TLS from the first byte. The whole takes no longer than `within` seconds.

        Raises Unreachable, EgressRefused, TlsFailed, or CredentialsRefused for a proxy's.
        """
        stream = cls(settings, transcript, tls)
        try:
            async with asyncio.timeout(within):
                await stream._connect(egress, within)
                if secure:
                    await stream._start_tls(from_the_start=True)
        except TimeoutError as error:
            stream.abort()
            raise stream._too_slow(within) from error
        except BaseException:
            stream.abort()
            raise
        return stream

    @property
    def local_address(self) -> Address:
        """Our end's address; 127.0.0.1 when there is no telling."""
        name = self._wire.transport.get_extra_info("sockname") if self._wire.transport else None
        return ip_address(name[0]) if name else IPv4Address("127.0.0.1")

    @property
    def usable(self) -> bool:
        """Whether another exchange may be run."""
        return not (self._aborted or self._busy or self._wire.ended)

    async def run(
        self,
        exchange: Exchange[T],
        *,
        within: float,
        silence: float | None = None,
        wake: Knock | None = None,
        rest: float | None = None,
        no_return: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Run an exchange to its end and return its result.

        Waiting for the server takes no longer than `within` seconds in all, and no longer than `silence` at a
        time. Where the exchange asks to be left waiting (ReceiveOrWake), `wake` or the end of `rest` seconds wakes
        it, and the time is not counted. `no_return` is called before what can't be taken back; when it raises, that is
        not done. Raises Unreachable, TlsFailed and whatever the exchange raises.
        """
        patience = _Patience(self.host, within, silence)
        with self._in_use(exchange):
            answer: bytes | None = None
            while True:
                try:
                    want = exchange.send(answer)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                if isinstance(want, Give):
                    raise TypeError("an exchange that gives values is run by `each`")
                if isinstance(want, NoReturn):
                    if no_return is not None:
                        await no_return()
                    answer = None
                else:
                    answer = await self._fulfil(want, patience, wake, rest)

    async def each(
        self, exchange: Exchange[None], *, within: float, silence: float | None = None
    ) -> AsyncGenerator[Any, None]:
        """Run an exchange and yield every value that it gives, at the consumer's pace.

        As `run`; only the time in which we wait for the server is counted. Whoever leaves early ends the connection.
        """
        patience = _Patience(self.host, within, silence)
        with self._in_use(exchange):
            answer: bytes | None = None
            while True:
                try:
                    want = exchange.send(answer)
                except StopIteration:
                    return
                if isinstance(want, Give):
                    yield want.value
                    answer = None
                else:
                    answer = await self._fulfil(want, patience, None, None)

    async def close(self, within: float = 1.0) -> None:
        """Close in an orderly way, or after so many seconds in any; whoever still waits is told. Never raises."""
        transport = self._wire.transport
        if transport is not None and not self._wire.lost and not self._aborted and not self._busy:
            transport.close()
            if not self._wire.lost:
                await self._wire.wait(within)
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once. It can't be used any more."""
        self._aborted = True
        if self._wire.transport is not None and not self._wire.lost:
            self._wire.transport.abort()

    # The pump

    @contextmanager
    def _in_use(self, exchange: Exchange[Any]) -> Iterator[None]:
        if self._aborted or self._busy:
            exchange.close()
            raise Unreachable(f"the connection to {self.host} is closed" if self._aborted else "the line is busy")
        self._busy = True
        try:
            yield
        except (CommandRefused, NoMechanism, LocalProtocolError):
            raise  # the conversation is whole: somebody said no
        except BaseException:
            self.abort()
            raise
        finally:
            self._busy = False
            exchange.close()

    async def _fulfil(self, want: Want, patience: "_Patience", wake: Knock | None, rest: float | None) -> bytes | None:
        match want:
            case Receive():
                return await self._receive(patience)
            case Send(data):
                await self._send(data, patience)
            case ReceiveOrWake():
                return await self._receive_or_wake(patience, wake, rest)
            case StartTls():
                await self._upgrade(patience)
            case _:
                raise TypeError(f"an exchange can't ask for {want!r}")
        return None

    async def _receive(self, patience: "_Patience") -> bytes:
        wire = self._wire
        while not (data := wire.take()):
            if wire.ended:
                return self._end()
            await patience.wait(wire)
        patience.heard = True
        return data

    async def _receive_or_wake(self, patience: "_Patience", wake: Knock | None, rest: float | None) -> bytes | None:
        wire, loop = self._wire, asyncio.get_running_loop()
        until = None if rest is None else loop.time() + rest
        while not (data := wire.take()):
            if wire.ended:
                return self._end()
            if (wake is not None and wake.is_set()) or (until is not None and loop.time() >= until - _TICK):
                return None
            if wake is None and until is None:
                await patience.wait(wire)
            else:
                await wire.wait(until - loop.time() if until is not None else None, wake)
        return data

    def _end(self) -> bytes:
        if self._wire.error is not None:
            raise Unreachable(f"{self.host} broke the connection off") from self._wire.error
        return b""

    async def _send(self, data: bytes, patience: "_Patience") -> None:
        wire = self._wire
        if wire.ended or wire.transport is None:
            self.cut_short = True
            if wire.holds_bytes:
                return  # it said why; the exchange will ask
            raise Unreachable(f"{self.host} broke the connection off") from wire.error
        wire.transport.write(data)
        while wire.full and not wire.lost:
            await patience.wait(wire)

    # Connecting

    async def _connect(self, egress: Egress, within: float) -> None:
        proxy = self._settings.proxy
        if proxy is None or not proxy.enabled:
            addresses = await egress.resolve(self.host)
            await self._reach(egress, self.host, addresses, self.port)
            return
        name = canonical(proxy.host)
        addresses = await egress.resolve(name)
        target = await self._behind(addresses, egress)
        await self._reach(egress, name, addresses, proxy.port)
        self._transcript.note(f"* asking the proxy for {target} port {self.port}")
        await self._pass(proxy, name, target, within)

    async def _behind(self, proxy: Sequence[Address], egress: Egress) -> Target:
        """What to ask a proxy for: an address that passed the guard, so that the proxy looks up nothing.

        Where there is no name server for us, a proxy may be the only one who knows the name. It is handed on
        unchecked only to proxies on the public internet, which are as far from our network as anybody; one that
        the operator's exceptions let us reach may stand inside.
        """
        try:
            found = await egress.resolve(self.host)
        except Unreachable:
            if egress.open or all(map(is_public, proxy)):
                return self.host
            raise EgressRefused(
                f"the name {self.host} can't be looked up here, and is not handed unchecked to a proxy that is "
                "not at a public address: use the server's address instead of its name"
            ) from None
        return min(found, key=lambda address: address.version)  # many proxies have no IPv6

    async def _pass(self, proxy: Proxy, name: str, target: Target, within: float) -> None:
        try:
            rest = await self.run(tunnel(proxy, target, self.port), within=within)
        except CommandRefused as error:
            if error.code == "407":
                raise CredentialsRefused(
                    f"the proxy {name} won't let us in: {error.text}", stage=Stage.CONNECTION
                ) from error
            raise Unreachable(f"the proxy {name} can't reach {self.host} port {self.port}: {error.text}") from error
        except ProtocolError as error:
            raise Unreachable(
                f"{name} port {proxy.port} is no {proxy.kind} proxy, or is out of order: {error}"
            ) from error
        self._wire.put_back(rest)

    async def _reach(self, egress: Egress, name: str, addresses: Sequence[Address], port: int) -> None:
        if not 0 < port < 65536:
            raise Unreachable(f"there is no port {port}: ports are 1 to 65535")
        self._reach_stage(Stage.CONNECTION)
        connection, pinned = await _first_to_answer(name, addresses, port)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                if hasattr(socket, option):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
            peer = str(connection.getpeername()[0])
            egress.check_peer(name, peer, pinned)
            await asyncio.get_running_loop().create_connection(lambda: self._wire, sock=connection)
        except OSError as error:
            connection.close()
            raise Unreachable(f"{name} broke the connection off") from error
        except BaseException:
            connection.close()
            raise
        shown = f"[{peer}]" if ":" in peer else peer
        self._transcript.note(f"* connected to {shown}:{port}")

    async def _upgrade(self, patience: "_Patience") -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        try:
            async with asyncio.timeout(patience.left):
                await self._start_tls(from_the_start=False)
        except TimeoutError as error:
            raise self._too_slow(patience.left) from error
        patience.left -= loop.time() - before

    async def _start_tls(self, *, from_the_start: bool) -> None:
        wire = self._wire
        self._reach_stage(Stage.TLS)
        if wire.holds_bytes:
            # RFC 3207 §6: whatever came before the handshake was said by somebody in the middle.
            raise (
                no_tls(self.host, self.port)
                if from_the_start
                else TlsFailed(f"somebody spoke between {self.host} and us before the TLS handshake of STARTTLS")
            )
        context = self._tls.context(self._settings, self.host)
        if wire.ended or wire.transport is None:
            raise failed(ConnectionResetError(), self.host, self.port)
        try:
            transport = await asyncio.get_running_loop().start_tls(
                wire.transport,
                wire,
                context,
                server_hostname=self.host,  # the ssl module sends no SNI for an address (RFC 6066 §3)
                ssl_handshake_timeout=3600.0,  # whoever calls us has a shorter one
                ssl_shutdown_timeout=1.0,
            )
        except OSError as error:  # ssl.SSLError is one
            self._transcript.note("* the TLS handshake failed")
            raise failed(error, self.host, self.port) from error
        if transport is None:
            raise failed(ConnectionResetError(), self.host, self.port)
        wire.connection_made(transport)
        self._check_certificate(transport.get_extra_info("ssl_object"))
        self.secure = True

    def _check_certificate(self, tls: ssl.SSLObject) -> None:
        certificate = tls.getpeercert(binary_form=True)
        shown = "verified" if tls.context.verify_mode is ssl.CERT_REQUIRED else "not verified, as sslTrust says"
        if certificate is not None:
            shown = f"sha256:{fingerprint(certificate)} {shown}"
        self._transcript.note(f"* {tls.version()}, certificate of {self.host} {shown}")
        check_pins(self._settings, self.host, certificate)

    def _reach_stage(self, stage: Stage) -> None:
        self._stage = stage
        self._transcript.reach(stage)

    def _too_slow(self, within: float) -> Unreachable:
        if self._stage is Stage.NAME:
            what = f"the name {self.host} could not be looked up within {within:g} s"
        elif self._stage is Stage.TLS:
            what = (
                f"the TLS handshake with {self.host} port {self.port} was not done within {within:g} s: "
                "check the port, and the settings for SSL and STARTTLS"
            )
        else:
            what = (
                f"{self.host} did not answer on port {self.port} within {within:g} s: check host and port, "
                "and whether a firewall is in between"
            )
        return Unreachable(what, stage=self._stage)


class _Patience:
    """How long an exchange may still wait."""

    def __init__(self, host: str, within: float, silence: float | None) -> None:
        self.left = within
        self.heard = False
        self._host = host
        self._within = within
        self._silence = silence

    async def wait(self, wire: Wire) -> None:
        """Until anything happens. Raises Unreachable when patience is at its end."""
        loop = asyncio.get_running_loop()
        silence = self._silence if self._silence is not None else self.left
        before = loop.time()
        await wire.wait(min(self.left, silence))
        waited = loop.time() - before
        self.left -= waited
        if wire.holds_bytes or wire.ended:
            return
        if self.left <= 0:
            how = "is too slow: it was not done" if self.heard else "did not answer"
            raise Unreachable(f"{self._host} {how} within {self._within:g} s")
        if waited >= silence - _TICK:
            raise Unreachable(f"{self._host} fell silent for {silence:g} s")


async def _first_to_answer(name: str, addresses: Sequence[Address], port: int) -> tuple[socket.socket, Address]:
    """Try the addresses in turn without waiting for the slow ones (Happy Eyeballs, RFC 8305)."""
    order = _alternating(addresses)[:_MOST_ADDRESSES]
    winner: tuple[socket.socket, Address] | None
    winner, _index, errors = await staggered.staggered_race(
        [partial(_try, address, port) for address in order], _STAGGER
    )
    if winner is None:
        raise Unreachable(_why_not(name, port, errors)) from next((e for e in errors if e), None)
    return winner


async def _try(address: Address, port: int) -> tuple[socket.socket, Address]:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection, address


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """RFC 8305 §4: the resolver's favourite family first, then the families by turns."""
    first = [address for address in addresses if address.version == addresses[0].version]
    second = [address for address in addresses if address.version != addresses[0].version]
    return [address for address in chain(*zip_longest(first, second)) if address is not None]


def _why_not(name: str, port: int, errors: Sequence[BaseException | None]) -> str:
    numbers = {error.errno for error in errors if isinstance(error, OSError)}
    if errno.ECONNREFUSED in numbers:
        return f"{name} refuses connections on port {port}: check the port, and whether the server is running"
    if errno.ETIMEDOUT in numbers:
        return f"{name} does not answer on port {port}: check host and port, and whether a firewall is in between"
    if numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return f"there is no route from here to {name}"
    return f"{name} can't be reached on port {port}"
