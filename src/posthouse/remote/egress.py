"""Which addresses may be reached.

A host name is a stranger's word: it may lead to the loopback, into the operator's network or to a cloud's
metadata service, and it may lead elsewhere on the next question. So a name is resolved once, every address is
classified by what it really means (transition prefixes decoded), and only the addresses that passed are handed
out to connect to. IMAP, SMTP and proxies all come through here.
"""

import asyncio
import re
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from posthouse.model.errors import EgressRefused, Stage, Unreachable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""All A and AAAA records of a name, in the order in which they should be tried. Raises socket.gaierror."""

# The IANA special-purpose registries, written out: `ipaddress.is_global` changes its mind between releases.
_NOT_PUBLIC_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host (RFC 1122)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); holds Alibaba's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform service, public by its number only
        "169.254.0.0/16",  # link-local (RFC 3927); holds most clouds' metadata service
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890); holds Oracle's metadata service
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.88.99.0/24",  # 6to4 relays, withdrawn (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")  # nothing outside is public: ULA, link-local, multicast, fd00:ec2::254
_NOT_PUBLIC_6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments (RFC 2928): Teredo is decoded before, benchmarking, ORCHID
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4 is decoded before
        "3fff::/20",  # documentation (RFC 9637)
    )
]

_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 §2.5.5.2
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 §2.5.5.1; holds :: and ::1, which decode to 0.0.0.0/8
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052. The local-use 64:ff9b:1::/48 of RFC 8215 is simply not public.
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056
_TEREDO = IPv6Network("2001::/32")  # RFC 4380

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.IGNORECASE)


async def system_resolver(name: str) -> Sequence[str]:
    """What the machine's own resolver says, in its order of preference (RFC 6724)."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for _family, _type, _proto, _name, sockaddr in found]


@dataclass(frozen=True, slots=True)
class Egress:
    """The guard. `allow` lists networks that may be reached although they are not public."""

    allow: tuple[Network, ...] = ()
    resolver: Resolver = system_resolver

    @classmethod
    def allowing(cls, networks: Iterable[str], resolver: Resolver = system_resolver) -> "Egress":
        """A guard whose exceptions are given as text: addresses or networks. Raises ValueError."""
        return cls(tuple(ip_network(network.strip()) for network in networks), resolver)

    async def resolve(self, host: str) -> tuple[Address, ...]:
        """The addresses of `host` that may be reached, in the order in which to try them; never empty.

        Raises EgressRefused when there are only others, Unreachable when there are none.
        """
        name = canonical(host)
        literal = _literal(name)
        found = (literal,) if literal is not None else await self._look_up(name)
        permitted = tuple(address for address in found if self.permits(address))
        if not permitted:
            raise self.refusal(name, found[0])
        return permitted

    def permits(self, address: Address) -> bool:
        """Whether this address may be reached: listed, or public in everything that it stands for."""
        return self._listed(address) or all(is_public(meant) or self._listed(meant) for meant in _meanings(address))

    def check_peer(self, host: str, peer: str, pinned: Address) -> None:
        """Make sure that a connection ended where it was meant to. Raises EgressRefused."""
        address = _without_scope(ip_address(peer))
        if address != _without_scope(pinned) or not self.permits(address):
            raise self.refusal(host, address)

    @property
    def open(self) -> bool:
        """Whether the operator has switched the guard off by allowing a whole address family."""
        return any(network.prefixlen == 0 for network in self.allow)

    def refusal(self, host: str, address: Address) -> EgressRefused:
        """The same words for every kind of address, so that they tell nothing of our network's inside."""
        return EgressRefused(
            f"{host} may not be reached from here, because its address is not a public one. Whoever runs this "
            f"server can allow it by adding {_without_scope(address)} (or its network) to POSTHOUSE_EGRESS_ALLOW"
        )

    def _listed(self, address: Address) -> bool:
        return any(address in network for network in self.allow)

    async def _look_up(self, name: str) -> tuple[Address, ...]:
        try:
            answers = await self.resolver(name)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                why = "can't be looked up at the moment: the name server does not answer"
            else:
                why = "is not known to the name server: check the host for a typing error"
            raise Unreachable(f"the name {name} {why}", stage=Stage.NAME) from error
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the name {name} can't be looked up", stage=Stage.NAME) from error
        found = tuple(dict.fromkeys(map(ip_address, answers)))
        if not found:
            raise Unreachable(f"the name {name} has no address", stage=Stage.NAME)
        return found


def canonical(host: str) -> str:
    """The host as names are compared: in ASCII and lower case, without brackets or the root's dot.

    An address in any of its spellings (decimal, hexadecimal, octal, shortened, full-width) becomes the address.
    Raises Unreachable when it is neither name nor address.
    """
    # IDNA maps full-width digits and ideographic dots; done before looking for an address, for resolvers do it too.
    name = unicodedata.normalize("NFKC", host.strip()).replace("\u3002", ".").lower()
    name = name.removesuffix(".").removeprefix("[").removesuffix("]")
    if (address := _literal(name)) is not None:
        return str(address)
    try:
        name = name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise Unreachable(f"{host[:300]!r} is not a host name", stage=Stage.NAME)
    return name


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet. Nothing is decoded here."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _GLOBAL_UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _meanings(address: Address) -> tuple[Address, ...]:
    """Where packets to this address may end: the IPv4 addresses inside IPv6 ones are what counts."""
    if isinstance(address, IPv4Address):
        return (address,)
    number = int(address)
    if address in _MAPPED or address in _COMPATIBLE or address in _NAT64:
        return (IPv4Address(number & 0xFFFFFFFF),)
    if address in _SIX_TO_FOUR:
        return (IPv4Address(number >> 80 & 0xFFFFFFFF),)
    if address in _TEREDO:
        server, client = number >> 64 & 0xFFFFFFFF, ~number & 0xFFFFFFFF  # the client's is stored inverted
        return (IPv4Address(server), IPv4Address(client))
    return (address,)


def _literal(name: str) -> Address | None:
    try:
        return _without_scope(ip_address(name))
    except ValueError:
        pass
    # 2130706433, 0x7f.1 and 0177.0.0.1 are addresses to the C library, and so to whatever connects.
    if re.fullmatch(r"[0-9a-fx.]+", name, re.IGNORECASE):
        try:
            return IPv4Address(socket.inet_aton(name))
        except (OSError, ValueError):
            pass
    return None


def _without_scope(address: Address) -> Address:
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address
