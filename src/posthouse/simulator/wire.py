"""One connection as the servers see it: lines and counted bytes in, bytes out, TLS in between.

The faults that belong to the connection and not to a protocol (dead, dripping) live here.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, cast

from posthouse.simulator.faults import Faults

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0


class Hangup(Exception):
    """The conversation is over: the client has gone, or we have said goodbye."""


@dataclass(slots=True)
class Presence:
    """Who is at the other end, as far as we know."""

    protocol: str
    peer: str = ""
    user: str = ""
    folder: str = ""
    secure: bool = False


class Wire(asyncio.Protocol):
    """Runs `serve(wire)` as a task as soon as a client is there, and closes the connection when it returns."""

    def __init__(
        self,
        faults: Callable[[], Faults],
        serve: Callable[["Wire"], Awaitable[None]],
        wires: "set[Wire]",
        *,
        protocol: str,
        secure: bool,
    ) -> None:
        self._transport: asyncio.Transport
        self.presence = Presence(protocol, secure=secure)
        self.task: asyncio.Task[None] | None = None
        self.lost = asyncio.get_running_loop().create_future()
        """Done when the connection is gone."""
        self._faults, self._serve, self._wires = faults, serve, wires
        self._buffer = bytearray()
        self._over = False
        self._dead = False
        self._stirred = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # What the session asks for

    async def line(self, limit: int) -> bytes:
        """The next line with its line break; longer ones hang up. Raises `Hangup` when the client has gone."""
        while (line := self.line_if_any(limit)) is None:
            await self.stirring()
        return line

    def line_if_any(self, limit: int) -> bytes | None:
        """The next line if it is here already. Raises `Hangup` as `line` does."""
        end = self._buffer.find(b"\n", 0, limit) + 1
        if end:
            return self._take(end)
        if self._over or len(self._buffer) >= limit:
            raise Hangup
        return None

    async def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if self._over:
                raise Hangup
            await self.stirring()
        return self._take(size)

    async def dotted(self, limit: int) -> bytes | None:
        """A message up to CRLF.CRLF, which is taken away, still dot-stuffed; None if longer than `limit`."""
        end = b"\r\n.\r\n"
        # The CRLF before the dot of an empty message is the one that ended the DATA command.
        self._buffer[:0] = b"\r\n"
        too_long = False
        searched = 0
        while (at := self._buffer.find(end, searched)) < 0:
            if self._over:
                raise Hangup
            if len(self._buffer) > limit + len(end):
                too_long = True
                del self._buffer[: -len(end)]
            searched = max(0, len(self._buffer) - len(end))
            await self.stirring()
        message = self._take(at + len(end))[2 : -len(end) + 2]
        return None if too_long or len(message) > limit else message

    async def send(self, data: bytes) -> None:
        """Write, and wait until the client keeps up."""
        if self._is_dead():
            return
        if self._transport.is_closing():
            raise Hangup
        if self._faults().drip:
            for byte in data:
                await asyncio.sleep(self._faults().drip)
                if self._over:
                    raise Hangup
                self._transport.write(bytes((byte,)))
            self._faults().struck("drip")
        else:
            self._transport.write(data)
        await self._writable.wait()

    def last_words(self, data: bytes) -> None:
        """Say this if it can still be said, without waiting."""
        if not self._is_dead() and not self._transport.is_closing():
            self._transport.write(data)

    async def silence(self) -> NoReturn:
        """Say nothing and hear nothing from now on, until the client gives up. Raises `Hangup`."""
        self._dead = True
        await asyncio.shield(self.lost)
        raise Hangup

    async def stirring(self) -> None:
        """Wait until something came, the client left, or somebody called `stir`."""
        await self._stirred.wait()
        self._stirred.clear()

    def stir(self) -> None:
        self._stirred.set()

    @property
    def pending(self) -> bool:
        """Whether the client has already said something that nobody has read."""
        return bool(self._buffer)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        # No await between the go-ahead and here: loop.start_tls stops reading at once, so that the client's
        # first bytes of the handshake can't be mistaken for the protocol's.
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError as error:
            raise Hangup from error
        if transport is None:
            raise Hangup
        self._transport = transport
        self.presence.secure = True

    @property
    def secure(self) -> bool:
        return self.presence.secure

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    # What the event loop tells us

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.presence.peer = str(self._transport.get_extra_info("peername", ("",))[0])
        self._wires.add(self)
        self.task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes) -> None:
        if not self._is_dead():
            self._buffer += data
            self.stir()

    def eof_received(self) -> bool:
        self._over = True
        self.stir()
        # A client that only stopped talking still gets its answers; TLS has no such thing as half a close.
        return not self.secure and not self._dead

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._writable.set()
        self.stir()
        self._wires.discard(self)
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def _run(self) -> None:
        try:
            await self._serve(self)
        except Hangup:
            pass
        except Exception:
            log.exception("a simulated session failed")
        finally:
            self.close()

    def _is_dead(self) -> bool:
        # Once dead, always dead: bytes are lost, so this conversation can't go on in any sensible way.
        if not self._dead and self._faults().half_open:
            self._dead = True
            self._faults().struck("half_open")
        return self._dead

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
