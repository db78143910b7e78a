"""Packs of raw bytes, on every kind of shelf."""

import mmap
import random
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from posthouse.store.blobs import Blobs


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """An object store that speaks S3, with a bucket `mail`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/mail", method="PUT")).close()
    yield endpoint
    server.stop()


@pytest.fixture(params=["directory", "memory", "file", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    match request.param:
        case "s3":
            monkeypatch.setenv("AWS_ENDPOINT", request.getfixturevalue("s3_endpoint"))
            monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
            monkeypatch.setenv("AWS_REGION", "us-east-1")
            return Blobs(f"s3://mail/{tmp_path.name}")
        case "directory":
            return Blobs(str(tmp_path / "blobs"))
        case "memory":
            return Blobs("memory:///")
        case _:
            (tmp_path / "objects").mkdir()
            return Blobs((tmp_path / "objects").as_uri())


async def test_pieces_come_back_as_they_went_in(blobs: Blobs) -> None:
    noise = random.Random(1).randbytes(3_000_000)
    pieces = [b"", b"a", b"hello " * 1000, noise]
    stored = await blobs.put(pieces)
    assert [await blobs.get(one) for one in stored] == pieces
    assert len({one.pack for one in stored}) == 1
    assert stored[2].length < 100


async def test_a_mapped_file_goes_in_as_bytes_do(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"line\r\n" * 500_000)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        [stored] = await blobs.put([mapped])
    assert await blobs.get(stored) == b"line\r\n" * 500_000


async def test_a_pack_that_is_gone_is_a_missing_file_and_can_be_removed_again(blobs: Blobs) -> None:
    [stored] = await blobs.put([b"piece"])
    await blobs.remove([stored.pack])
    await blobs.remove([stored.pack])
    with pytest.raises(FileNotFoundError):
        await blobs.get(stored)


async def test_a_sweep_sees_old_packs_alone(blobs: Blobs) -> None:
    [stored] = await blobs.put([b"piece"])
    now = datetime.now(UTC)
    assert await blobs.written_before(now + timedelta(minutes=1)) == [stored.pack]
    assert await blobs.written_before(now - timedelta(minutes=1)) == []


@settings(max_examples=25)
@given(pieces=st.lists(st.binary(max_size=5000), max_size=20))
async def test_any_pieces_come_back(pieces: list[bytes]) -> None:
    blobs = Blobs("memory:///")
    assert [await blobs.get(one) for one in await blobs.put(pieces)] == pieces
