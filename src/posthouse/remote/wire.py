"""The callback side of one connection: what has come and was not taken yet, and whether it still stands.

What waits here is bounded: over a megabyte, the transport stops reading until the reader has caught up, and TCP
tells the server to wait.
"""

import asyncio
import threading
from asyncio import sslproto
from typing import cast

from posthouse.model.sync import Knock

_ENOUGH = 1024 * 1024  # bytes that wait for us before we stop reading …
_LITTLE = 256 * 1024  # … and how few make us read on

# Stock asyncio keeps a read buffer of this size, by default 256 KiB, for every TLS connection, and most of ours
# are idle (python/cpython#109534). uvloop has none of this.
sslproto.SSLProtocol.max_size = 32 * 1024


class _Scratch(threading.local):
    """One read buffer for all connections of an event loop: filling and emptying it is one step of the loop."""

    def __init__(self) -> None:
        # asyncio's TLS slices what we give it, so it must be a view: slices of a bytearray are copies.
        self.view = memoryview(bytearray(256 * 1024))


_scratch = _Scratch()


class Wire(asyncio.BufferedProtocol):
    """Collects what a transport delivers. One task at a time may `wait`."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.ended = False
        """The peer says no more, or can't be heard any more."""
        self.lost = False
        """Nothing can be said any more."""
        self.error: Exception | None = None
        self.full = False
        """Enough waits to be sent; say no more until it is not."""
        self._arrived: list[bytes] = []  # a deque takes 600 bytes when it is empty
        self._size = 0
        self._paused = False
        self._news: asyncio.Future[None] | None = None

    @property
    def holds_bytes(self) -> bool:
        return bool(self._arrived)

    def take(self) -> bytes:
        """What came first; b"" when there is nothing."""
        if not self._arrived:
            return b""
        data = self._arrived.pop(0)
        self._size -= len(data)
        if self._paused and self._size <= _LITTLE and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        return data

    def put_back(self, data: bytes) -> None:
        """What was taken and belongs to the next reader."""
        if data:
            self._arrived.insert(0, data)
            self._size += len(data)

    async def wait(self, seconds: float | None, wake: Knock | None = None) -> None:
        """Until anything happens here, `wake` is set, or the time is up where there is one."""
        loop = asyncio.get_running_loop()
        self._news = loop.create_future()
        timer = None if seconds is None else loop.call_later(max(0.0, seconds), self._tell)
        if wake is not None:
            wake.ear = self._tell
            if wake.is_set():
                self._tell()
        try:
            await self._news
        finally:
            self._news = None
            if timer is not None:
                timer.cancel()
            if wake is not None:
                wake.ear = None

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # Called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its ancestry

    def get_buffer(self, sizehint: int) -> memoryview:
        return _scratch.view

    def buffer_updated(self, nbytes: int) -> None:
        self._arrived.append(bytes(_scratch.view[:nbytes]))
        self._size += nbytes
        if self._size >= _ENOUGH and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        self.ended = True
        self._tell()
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = self.lost = True
        self.error = exc
        self._tell()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._tell()
