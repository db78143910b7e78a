"""Clients that are not ours, and mail for them to find."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from posthouse.simulator import Provider


class Raw:
    """A client that says what the test says, and gives back the lines that come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: str | bytes) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def line(self) -> str:
        """The next line without its line break; '' when the server has closed."""
        return (await asyncio.wait_for(self.reader.readline(), 10)).decode("latin-1").removesuffix("\r\n")

    async def until(self, pattern: str) -> list[str]:
        """All lines up to the first that matches from its start, or to the end of the connection."""
        lines: list[str] = []
        while not lines or not re.match(pattern, lines[-1]):
            raw = await asyncio.wait_for(self.reader.readline(), 10)
            if not raw:
                break
            lines.append(raw.decode("latin-1").removesuffix("\r\n"))
        return lines

    async def imap(self, command: str) -> list[str]:
        """One command under the tag `t`, and the answer to its end."""
        await self.send(f"t {command}\r\n")
        return await self.until(r"t (OK|NO|BAD) |\* BYE")

    async def smtp(self, command: str) -> list[str]:
        await self.send(f"{command}\r\n")
        return await self.until(r"\d\d\d ")

    async def rest(self) -> bytes:
        """Everything that still comes before the server closes."""
        return await asyncio.wait_for(self.reader.read(-1), 10)

    async def silent(self) -> bool:
        """Whether nothing comes, nor an end, in a while."""
        try:
            await asyncio.wait_for(self.reader.read(1), 0.2)
        except TimeoutError:
            return True
        return False


Connect = Callable[..., Awaitable[Raw]]


async def signed_in(provider: Provider, connect: Connect) -> Raw:
    raw = await connect(provider.imap_port)
    assert (await raw.line()).startswith("* OK")
    assert (await raw.imap("LOGIN ann@post.example sesame"))[-1].startswith("t OK")
    return raw


def mail(subject: str, body: str = "Hello\r\n", **fields: str) -> bytes:
    """A small message in CRLF. Fields are named with `_` for `-`."""
    head = {"From": "Carol <carol@far.example>", "To": "ann@post.example", "Subject": subject}
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n" + body.encode()
