"""One request over HTTP/1.1, and the beginning of its answer.

h11 knows the protocol and no socket; here it is put in the form of an exchange. A redirect is an answer like any
other. Of the answer's body only so much is read as is wanted: who holds the connection closes it afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import h11

from posthouse.protocols.exchange import (
    ConnectionClosed,
    Exchange,
    LocalProtocolError,
    Receive,
    RemoteProtocolError,
    Send,
)

_MOST_INTERIM_ANSWERS = 10  # 1xx before the real one (RFC 9110 §15.2)


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` by their names in lower case; of several of one name the first. `body` may be a beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(host: str, target: str, headers: Mapping[str, str], body: bytes, *, most: int) -> Exchange[Response]:
    """POST `body` to `target` (path and query) of `host` (as the Host header has it), and read the answer: of its body
    `most` bytes. Raises LocalProtocolError for headers that can't be, RemoteProtocolError and ConnectionClosed."""
    connection = h11.Connection(h11.CLIENT)
    said = [("Host", host), *headers.items(), ("Content-Length", str(len(body))), ("Connection", "close")]
    try:
        request = h11.Request(method="POST", target=target, headers=said)
        yield Send(_bytes(connection.send(request)) + _bytes(connection.send(h11.Data(data=body))))
        connection.send(h11.EndOfMessage())
    except h11.LocalProtocolError as error:
        raise LocalProtocolError(f"this can't be said in HTTP: {error}") from error
    try:
        return (yield from _read(connection, most))
    except h11.RemoteProtocolError as error:
        raise RemoteProtocolError(f"this is no answer in HTTP: {error}") from error


def _read(connection: h11.Connection, most: int) -> Exchange[Response]:
    status, headers, read = 0, dict[str, str](), bytearray()
    interim = 0
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                data = yield Receive()
                if not data and not status:
                    raise ConnectionClosed("the connection was closed before an answer came")
                connection.receive_data(data or b"")
            case h11.InformationalResponse():
                interim += 1
                if interim > _MOST_INTERIM_ANSWERS:
                    raise RemoteProtocolError("too many interim answers")
            case h11.Response():
                status = event.status_code
                for name, value in event.headers:
                    headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
            case h11.Data():
                read += event.data
                if len(read) >= most:
                    break
            case _:
                break
    return Response(status, headers, bytes(read[:most]))


def _bytes(data: bytes | None) -> bytes:
    return data or b""
