"""Posting to a receiver: where the guard lets it, over TLS as configured, in bounded time."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from peers.certificates import Authority
from posthouse.model.errors import EgressRefused, Garbled, TlsFailed, Unreachable
from posthouse.model.webhooks import Answer, Call
from posthouse.remote.egress import Egress
from posthouse.remote.tls import Tls
from posthouse.remote.web import post_to

from .servers import LOOPBACK, Handler, Reader, Writer, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nRetry-After: 60\r\n\r\nok"


def a_call(port: int, *, scheme: str = "http", host: str = "127.0.0.1", path: str = "/in", **more: bool) -> Call:
    return Call(url=f"{scheme}://{host}:{port}{path}", headers={"X-Team": "blue"}, body=b'{"a":1}', **more)


def answering(answer: bytes, heard: list[bytes] | None = None) -> Handler:
    async def handle(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(7)
        if heard is not None:
            heard.append(head + body)
        writer.write(answer)
        await writer.drain()
        await reader.read()

    return handle


async def test_it_is_posted_and_the_answer_comes_back() -> None:
    heard: list[bytes] = []
    async with serving(answering(OK, heard)) as port:
        answer = await post_to(a_call(port, path="/ü?q=é%20b"), egress=LOOPBACK)
    assert answer == Answer(status=200, text="ok", retry_after=timedelta(minutes=1))
    [said] = heard
    assert said.startswith(f"POST /%C3%BC?q=%C3%A9%20b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
    assert said.endswith(b'\r\n\r\n{"a":1}')


async def test_a_redirect_leads_nowhere() -> None:
    heard: list[bytes] = []
    async with serving(answering(OK, heard)) as inside:
        redirect = f"HTTP/1.1 307 Temporary\r\nLocation: http://127.0.0.1:{inside}/\r\nContent-Length: 0\r\n\r\n"
        async with serving(answering(redirect.encode())) as port:
            assert (await post_to(a_call(port), egress=LOOPBACK)).status == 307
    assert heard == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "169.254.169.254"])
async def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    async def forbidden(reader: Reader, writer: Writer) -> None:
        raise AssertionError("nobody may come here")

    async with serving(forbidden) as port:
        with pytest.raises(EgressRefused):
            await post_to(a_call(port, host=host), egress=Egress())


async def test_a_name_is_asked_for_once_each_time_and_its_address_is_kept_to() -> None:
    """A name server that gives a good address first and a bad one after has nothing to gain."""
    asked: list[str] = []

    async def rebinding(name: str) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    egress = Egress.allowing(["127.0.0.0/8"], rebinding)
    async with serving(answering(OK)) as port:
        assert (await post_to(a_call(port, host="hooks.example.org"), egress=egress)).accepted
        assert asked == ["hooks.example.org"]
        with pytest.raises(EgressRefused):
            await post_to(a_call(port, host="hooks.example.org"), egress=egress)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(answering(OK)) as port:
        assert (await post_to(a_call(port), egress=LOOPBACK)).accepted


async def test_a_certificate_is_checked_unless_any_is_taken(authority: Authority, tmp_path: Path) -> None:
    chain, key = authority.issue()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (tmp_path / "both.pem").write_text(key + chain)
    context.load_cert_chain(tmp_path / "both.pem")
    async with serving(answering(OK), tls=context) as port:
        call = a_call(port, scheme="https", host="localhost")
        with pytest.raises(TlsFailed, match="ignoreInsecureSslCertificates"):
            await post_to(call, egress=LOOPBACK)
        trusting = Tls(authority.pem)
        assert (await post_to(call, egress=LOOPBACK, tls=trusting)).accepted
        unchecked = a_call(port, scheme="https", host="localhost", takes_any_certificate=True)
        assert (await post_to(unchecked, egress=LOOPBACK)).accepted


async def test_a_receiver_that_does_not_speak_tls_is_told_in_words_of_the_web() -> None:
    async def plain(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with serving(plain) as port:
        with pytest.raises(TlsFailed, match="is http:// meant"):
            await post_to(a_call(port, scheme="https"), egress=LOOPBACK)


async def test_a_receiver_that_says_nothing_is_left_after_a_while() -> None:
    async def silent(reader: Reader, writer: Writer) -> None:
        await reader.read()

    async with serving(silent) as port:
        with pytest.raises(Unreachable):
            await post_to(a_call(port), egress=LOOPBACK, within=0.2)


async def test_a_receiver_that_drips_is_left_after_a_while() -> None:
    async def drip(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(1000):
            writer.write(b"X-%d: 1\r\n" % n)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(drip) as port:
        with pytest.raises(Unreachable):
            await post_to(a_call(port), egress=LOOPBACK, within=0.3)


@pytest.mark.parametrize("answer", [b"", b"220 smtp ready\r\n", b"HTTP/1.1 200 OK\r\nX"])
async def test_what_is_no_answer_is_a_failure(answer: bytes) -> None:
    async def odd(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with serving(odd) as port:
        with pytest.raises((Unreachable, Garbled)):
            await post_to(a_call(port), egress=LOOPBACK)


async def test_nobody_listens() -> None:
    async with serving(answering(OK)) as port:
        pass
    with pytest.raises(Unreachable, match="refuses connections"):
        await post_to(a_call(port), egress=LOOPBACK)
