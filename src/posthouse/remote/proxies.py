"""Asking a proxy for the way: HTTP CONNECT (RFC 9110 §9.3.6) and SOCKS5 (RFC 1928, RFC 1929), as exchanges.

Each ends when the tunnel stands and returns the bytes that came behind the proxy's last word: they are the
first of the server at the other end.
"""

from base64 import b64encode
from ipaddress import IPv4Address, IPv6Address

from posthouse.model.connectors import Proxy, ProxyKind
from posthouse.protocols.exchange import CommandRefused, ConnectionClosed, Exchange, Receive, RemoteProtocolError, Send

Target = IPv4Address | IPv6Address | str
"""An address, or a name (in ASCII) for the proxy to look up."""

_LONGEST_HEAD = 16 * 1024

_SOCKS_WORDS = {
    1: "general failure",
    2: "its rules don't allow it",
    3: "the network can't be reached",
    4: "the host can't be reached",
    5: "the server refuses the connection",
    6: "the server does not answer",
    7: "it can't connect at all",
    8: "it does not know this kind of address",
}


def tunnel(proxy: Proxy, target: Target, port: int) -> Exchange[bytes]:
    """The exchange that this proxy needs. CommandRefused: the proxy won't; code `407` when it's the credentials."""
    return _socks5(proxy, target, port) if proxy.kind is ProxyKind.SOCKS5 else _http(proxy, target, port)


def _http(proxy: Proxy, target: Target, port: int) -> Exchange[bytes]:
    authority = f"[{target}]:{port}" if isinstance(target, IPv6Address) else f"{target}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.username:
        # RFC 7617: base64 lets no line break through, whatever the password holds.
        credentials = f"{proxy.username}:{_password(proxy)}".encode()
        lines.append(f"Proxy-Authorization: Basic {b64encode(credentials).decode()}")
    yield Send("\r\n".join([*lines, "", ""]).encode("ascii"))
    head, rest = yield from _until(b"\r\n\r\n")
    version, _, status = head.split(b"\r\n", 1)[0].partition(b" ")
    if not version.startswith(b"HTTP/1.") or not status[:3].isdigit():
        raise RemoteProtocolError("it does not speak HTTP")
    code = status[:3].decode()
    if code == "407":
        raise CommandRefused("it wants a user name and password, or another one", "407", command="CONNECT")
    if not code.startswith("2"):
        words = status.decode("ascii", "replace").strip()[:100]
        raise CommandRefused(f"it says {words}", code, command="CONNECT")
    return rest


def _socks5(proxy: Proxy, target: Target, port: int) -> Exchange[bytes]:
    yield Send(b"\x05\x02\x00\x02" if proxy.username else b"\x05\x01\x00")
    chosen, rest = yield from _exactly(2)
    if chosen[0] != 5:
        raise RemoteProtocolError("it does not speak SOCKS5")
    if chosen[1] == 2 and proxy.username:
        user, password = proxy.username.encode(), _password(proxy).encode()
        if max(len(user), len(password)) > 255:
            raise CommandRefused("SOCKS5 takes no user name or password of over 255 bytes", "407")
        yield Send(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        verdict, rest = yield from _exactly(2, rest)
        if verdict[1] != 0:
            raise CommandRefused("it refused the user name or password", "407", command="CONNECT")
    elif chosen[1] != 0:
        raise CommandRefused("it wants a user name and password, or another way to sign in", "407", command="CONNECT")
    yield Send(b"\x05\x01\x00" + _socks_address(target) + port.to_bytes(2, "big"))
    answer, rest = yield from _exactly(4, rest)
    if answer[1] != 0:
        words = _SOCKS_WORDS.get(answer[1], f"error {answer[1]}")
        raise CommandRefused(f"it says: {words}", str(answer[1]), command="CONNECT")
    # The address that follows is the proxy's own; it is of no use, only of a length.
    if answer[3] == 3:
        length, rest = yield from _exactly(1, rest)
        size = length[0]
    elif answer[3] in (1, 4):
        size = 4 if answer[3] == 1 else 16
    else:
        raise RemoteProtocolError("its SOCKS5 answer can't be read")
    _bound, rest = yield from _exactly(size + 2, rest)
    return rest


def _socks_address(target: Target) -> bytes:
    if isinstance(target, str):
        name = target.encode("ascii")
        return b"\x03" + bytes([len(name)]) + name
    return (b"\x01" if isinstance(target, IPv4Address) else b"\x04") + target.packed


def _password(proxy: Proxy) -> str:
    return proxy.password.reveal() if proxy.password else ""


def _exactly(size: int, data: bytes = b"") -> Exchange[tuple[bytes, bytes]]:
    while len(data) < size:
        data += yield from _more()
    return data[:size], data[size:]


def _until(mark: bytes) -> Exchange[tuple[bytes, bytes]]:
    data = b""
    while mark not in data:
        if len(data) > _LONGEST_HEAD:
            raise RemoteProtocolError("its answer does not end")
        data += yield from _more()
    head, _, rest = data.partition(mark)
    return head, rest


def _more() -> Exchange[bytes]:
    data = yield Receive()
    if not data:
        raise ConnectionClosed("it closed the connection")
    return data
