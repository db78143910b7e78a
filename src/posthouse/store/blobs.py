"""Raw bytes: what mail looked like when it came, and what is sent and uploaded.

Bytes go in many at a time and come out one at a time, so they are kept in *packs*: each `put` writes one immutable
file of compressed stretches (zstd, one frame each), and a row remembers where its stretch lies. A pack is durable
before `put` returns. One that no transaction came to mention is an orphan, harmless, and swept away later; one
whose last row is gone is deleted.

Packs lie in a directory, or in any store that obstore has a URL for (`s3://bucket/prefix`, `gs://…`, `az://…`).
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Protocol
from uuid import uuid4

import obstore
import zstandard
from obstore.store import ObjectStore, from_url

from posthouse.model.mail import Stored
from posthouse.model.sync import Buffer

_LEVEL = 1  # three quarters of what level 3 saves, at half the time
_CHUNK = 1 << 20
_BUFFER = 1 << 18
_IN_MEMORY = 16 << 20


Write = Callable[[IO[bytes]], list[Stored]]


class Shelf(Protocol):
    """Where packs lie: a directory or an object store."""

    async def put(self, name: str, write: Write) -> list[Stored]:
        """Keep what `write` writes, called in another thread; durable on return. What it said."""
        ...

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """Raises FileNotFoundError."""
        ...

    async def remove(self, name: str) -> None:
        """Does nothing when it is gone already."""
        ...

    def names(self) -> AsyncIterator[tuple[str, datetime]]:
        """Every pack with the time it was written."""
        ...

    def free(self) -> int | None:
        """How many more bytes there is room for; None where nobody knows. Called in another thread."""
        ...


class Blobs:
    """The packs on one shelf. `location` is a directory's path or an object store's URL."""

    def __init__(self, location: str) -> None:
        self._shelf: Shelf = _ObjectShelf(from_url(location)) if "://" in location else _Directory(Path(location))

    async def put(self, pieces: Sequence[Buffer]) -> list[Stored]:
        """Keep these pieces, in one pack; durable on return. Where each lies, in the same order."""
        name = str(uuid4())
        return await self._shelf.put(name, partial(_write_pack, name, pieces))

    def put_soon(self, pieces: Sequence[Buffer]) -> tuple[list[Stored], asyncio.Task[object]]:
        """As `put`, for little: where each piece is going to lie, and a task that is done when they are durable."""
        name, packed = str(uuid4()), BytesIO()
        stored = _write_pack(name, pieces, packed)

        def write(pack: IO[bytes]) -> list[Stored]:
            pack.write(packed.getbuffer())
            return stored

        return stored, asyncio.create_task(self._shelf.put(name, write))

    async def get(self, stored: Stored) -> bytes:
        """The piece that lies there, whole. Raises FileNotFoundError when its pack is gone."""
        frame = await self._shelf.read(stored.pack, stored.offset, stored.length)
        if stored.size < _CHUNK:
            return _inflate(frame, stored.size)
        return await asyncio.to_thread(_inflate, frame, stored.size)

    async def remove(self, packs: Iterable[str]) -> None:
        for pack in packs:
            await self._shelf.remove(pack)

    async def free(self) -> int | None:
        """How many more bytes there is room for; None where nobody knows."""
        return await asyncio.to_thread(self._shelf.free)

    async def written_before(self, moment: datetime) -> list[str]:
        """The packs that are older than this: where a sweep looks for orphans."""
        return [name async for name, written in self._shelf.names() if written < moment]


def _write_pack(name: str, pieces: Sequence[Buffer], pack: IO[bytes]) -> list[Stored]:
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    stored, offset = [], 0
    for piece in pieces:
        if len(piece) <= _CHUNK:
            pack.write(compressor.compress(memoryview(piece)))
        else:
            with compressor.stream_writer(pack, size=len(piece), closefd=False) as frame:
                for start in range(0, len(piece), _CHUNK):
                    frame.write(piece[start : start + _CHUNK])
        end = pack.tell()
        stored.append(Stored(pack=name, offset=offset, length=end - offset, size=len(piece)))
        offset = end
    return stored


def _inflate(frame: bytes, size: int) -> bytes:
    return zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)


class _Directory:
    """Packs as files, in 256 folders by the first letters of their names; synced to the disk before they count.
    One that was not finished is an orphan as any other."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, name: str, write: Write) -> list[Stored]:
        return await asyncio.to_thread(self._put, name, write)

    def _put(self, name: str, write: Write) -> list[Stored]:
        path = self._path(name)
        try:
            file = path.open("xb", buffering=_BUFFER)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb", buffering=_BUFFER)
        with file:
            stored = write(file)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return stored

    async def read(self, name: str, offset: int, length: int) -> bytes:
        return await asyncio.to_thread(self._read, name, offset, length)

    def _read(self, name: str, offset: int, length: int) -> bytes:
        with self._path(name).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    async def remove(self, name: str) -> None:
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    async def names(self) -> AsyncIterator[tuple[str, datetime]]:
        for path in await asyncio.to_thread(lambda: list(self._root.glob("??/*"))):
            yield path.stem, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def free(self) -> int | None:
        for folder in (self._root, *self._root.absolute().parents):  # which there is none of before the first pack
            if folder.exists():
                return shutil.disk_usage(folder).free
        return None

    def _path(self, name: str) -> Path:
        return self._root / name[:2] / name


class _ObjectShelf:
    """Packs as objects."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, name: str, write: Write) -> list[Stored]:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as pack:
            stored = await asyncio.to_thread(write, pack)
            pack.seek(0)
            await obstore.put_async(self._store, name, pack)
        return stored

    async def read(self, name: str, offset: int, length: int) -> bytes:
        return bytes(await obstore.get_range_async(self._store, name, start=offset, length=length))

    async def remove(self, name: str) -> None:
        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return

    async def names(self) -> AsyncIterator[tuple[str, datetime]]:
        async for objects in obstore.list(self._store):
            for found in objects:
                yield found["path"], found["last_modified"]

    def free(self) -> int | None:
        return None
