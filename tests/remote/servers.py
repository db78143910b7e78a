"""Small servers of the tests' own: each connection is handed to a coroutine that does what it likes with it."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from posthouse.remote.egress import Egress

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]

LOOPBACK = Egress.allowing(["127.0.0.0/8", "::1"])


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve on a free port, which is yielded; at the end every connection is dropped."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await handler(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def forever(reader: Reader, writer: Writer) -> None:
    """Take what comes and say nothing."""
    while await reader.read(65536):
        pass


async def echo(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def conversation(script: str, then: Handler = forever) -> Handler:
    """A server that says the lines `S: …` and waits for what begins like the lines `C: …`, in turn.

    `S- …` says something without a line break. Whoever says something else is told so, and dropped.
    """

    async def serve(reader: Reader, writer: Writer) -> None:
        for line in filter(None, map(str.strip, script.splitlines())):
            kind, words = line[:2], line[2:].removeprefix(" ").encode("utf-8", "surrogateescape")
            if kind == "C:":
                said = await reader.readline()
                if not said.startswith(words):
                    writer.write(b"* BYE the script has %r, not %r\r\n" % (words, said))
                    await writer.drain()
                    return
            else:
                writer.write(words + (b"\r\n" if kind == "S:" else b""))
        await writer.drain()
        await then(reader, writer)

    return serve


async def hang_up(reader: Reader, writer: Writer) -> None:
    """Close in an orderly way."""
    writer.close()


@dataclass
class Tunnels:
    """A proxy, HTTP CONNECT and SOCKS5 in one, which remembers what it was asked for."""

    username: str = ""
    password: str = ""
    refuse: bool = False
    greet: bytes = b""
    names: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def http(self, reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, authority, _ = head.split("\r\n")[0].split(" ")
        assert method == "CONNECT"
        if self.username:
            token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            if f"Proxy-Authorization: Basic {token}\r\n" not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                await forever(reader, writer)
                return
        if self.refuse:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await forever(reader, writer)
            return
        host, _, port = authority.rpartition(":")
        self.asked.append((host, int(port)))
        await self.connect(host.strip("[]"), int(port), b"HTTP/1.1 200 Fine\r\nVia: x\r\n\r\n", reader, writer)

    async def socks5(self, reader: Reader, writer: Writer) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if self.username:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                return await forever(reader, writer)
            writer.write(b"\x05\x02")
            _, length = await reader.readexactly(2)
            user = (await reader.readexactly(length)).decode()
            password = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
            good = (user, password) == (self.username, self.password)
            writer.write(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return await forever(reader, writer)
        else:
            writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        if self.refuse:
            writer.write(b"\x05\x02\x00\x01\0\0\0\0\0\0")
            return await forever(reader, writer)
        self.asked.append((host, port))
        await self.connect(host, port, b"\x05\x00\x00\x01\0\0\0\0\0\0", reader, writer)
        return None

    async def connect(self, host: str, port: int, yes: bytes, reader: Reader, writer: Writer) -> None:
        there, here = await asyncio.open_connection(self.names.get(host, host), port)
        writer.write(yes + self.greet)

        async def carry(source: Reader, sink: Writer) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        try:
            await asyncio.gather(carry(reader, here), carry(there, writer))
        finally:
            here.transport.abort()
