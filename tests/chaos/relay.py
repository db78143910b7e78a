"""The network between us and a mail server, with a pair of scissors: a TCP relay on loopback."""

import asyncio
import contextlib

from peers.process import LOOPBACK


class Relay:
    """Passes everything on to `port` of loopback. While it is cut nobody gets through, in old connections or new."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        """Listen: on any free port at first, on the same one after a cut."""
        self._server = await asyncio.start_server(self._pass_on, LOOPBACK, self.port, backlog=1000)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> int:
        """Break all connections (RST) and refuse new ones. How many there were."""
        if self._server is not None:
            self._server.close()
        ends = tuple(self._ends)
        for end in ends:
            end.transport.abort()
        return len(ends) // 2

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(LOOPBACK, self._to)
            self._ends |= {writer, back}
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                self._ends -= {writer, back}
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()
