import re
import socket
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from posthouse.model.errors import EgressRefused, Stage, Unreachable
from posthouse.remote.egress import Egress, canonical

REFUSED = {
    "loopback": "127.0.0.1",
    "loopback, last": "127.255.255.254",
    "loopback, IPv6": "::1",
    "unspecified": "0.0.0.0",
    "unspecified, IPv6": "::",
    "this network": "0.1.2.3",
    "private A": "10.0.0.5",
    "private B": "172.16.0.1",
    "private B, last": "172.31.255.255",
    "private C": "192.168.1.1",
    "carrier-grade NAT": "100.64.0.1",
    "metadata, Alibaba": "100.100.100.200",
    "metadata": "169.254.169.254",
    "metadata, IPv6": "fd00:ec2::254",
    "metadata, Oracle": "192.0.0.192",
    "platform, Azure": "168.63.129.16",
    "link-local": "169.254.1.1",
    "link-local, IPv6": "fe80::1",
    "link-local, IPv6, scoped": "fe80::1%eth0",
    "site-local": "fec0::1",
    "unique local": "fc00::1",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.7",
    "documentation 3": "203.0.113.9",
    "documentation, IPv6": "2001:db8::1",
    "documentation, IPv6, new": "3fff::1",
    "benchmarking": "198.18.0.1",
    "benchmarking, IPv6": "2001:2::1",
    "multicast": "224.0.0.1",
    "multicast, IPv6": "ff02::1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "discard": "100::1",
    "segment routing": "5f00::1",
    "mapped": "::ffff:127.0.0.1",
    "mapped private": "::ffff:10.0.0.1",
    "compatible": "::10.0.0.1",
    "NAT64": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "NAT64, local use": "64:ff9b:1::808:808",
    "6to4": "2002:7f00:1::1",
    "6to4 private": "2002:c0a8:101::1",
    "Teredo, client": "2001:0:808:808::f5ff:fffe",  # 10.0.0.1, inverted
    "Teredo, server": "2001:0:a00:1::f7f7:f7f7",  # 8.8.8.8, inverted
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "octal": "0177.0.0.1",
    "mixed": "0x7f.1",
    "shortened": "127.1",
    "trailing dot": "127.0.0.1.",
    "brackets": "[::1]",
    "full width": "１２７.０.０.１",
    "circled, ideographic dots": "①②⑦。⓪。⓪。①",
    "space around": " 10.0.0.1 ",
}

PERMITTED = {
    "public": "8.8.8.8",
    "just below private B": "172.15.255.255",
    "just above private B": "172.32.0.0",
    "just above CGNAT": "100.128.0.0",
    "public, IPv6": "2606:4700::1111",
    "mapped public": "::ffff:8.8.8.8",
    "NAT64 of public": "64:ff9b::808:808",
    "6to4 of public": "2002:808:808::1",
    "Teredo of public": "2001:0:808:808::f7f7:f7f7",
    "decimal public": "134744072",
}


def answering(*addresses: str) -> Egress:
    async def resolver(_name: str) -> Sequence[str]:
        return addresses

    return Egress(resolver=resolver)


@pytest.mark.parametrize("host", REFUSED.values(), ids=REFUSED.keys())
async def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(EgressRefused):
        await answering().resolve(host)


def plain_addresses() -> list[str]:
    """Those of the table that a name server could answer with: addresses, and no clever spellings of them."""
    return [
        text for text in REFUSED.values() if re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+){3}|[0-9a-f:.]*:[0-9a-f:.]*", text)
    ]


@pytest.mark.parametrize("address", plain_addresses())
async def test_a_name_that_leads_there_is_refused_as_well(address: str) -> None:
    with pytest.raises(EgressRefused):
        await answering(address).resolve("rebound.example.com")


@pytest.mark.parametrize("host", PERMITTED.values(), ids=PERMITTED.keys())
async def test_a_public_address_may_be_reached(host: str) -> None:
    assert await answering().resolve(host)


async def test_all_refusals_say_the_same_and_name_the_setting() -> None:
    said = set()
    for host in REFUSED.values():
        with pytest.raises(EgressRefused) as caught:
            await answering().resolve(host)
        name = canonical(host)
        assert f"adding {name} " in caught.value.message
        said.add(caught.value.message.replace(name, "X"))
    assert len(said) == 1
    assert "POSTHOUSE_EGRESS_ALLOW" in said.pop()


async def test_only_the_permitted_addresses_of_a_name_are_handed_out() -> None:
    assert await answering("10.0.0.1", "8.8.8.8", "::1").resolve("mixed.example.com") == (ip_address("8.8.8.8"),)


async def test_a_name_is_asked_for_once() -> None:
    asked = []

    async def resolver(name: str) -> Sequence[str]:
        asked.append(name)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    await Egress(resolver=resolver).resolve("IMAP.Example.COM.")
    assert asked == ["imap.example.com"]


async def test_what_the_operator_lists_may_be_reached_in_every_spelling() -> None:
    egress = Egress.allowing(["127.0.0.0/8", "fd00::/8", "10.1.2.3"])
    for host in ("127.0.0.1", "2130706433", "::ffff:127.0.0.1", "fd00::1", "10.1.2.3", "64:ff9b::a01:203"):
        assert await egress.resolve(host)
    for host in ("10.1.2.4", "::1", "fe80::1"):
        with pytest.raises(EgressRefused):
            await egress.resolve(host)


def test_the_whole_internet_opens_the_guard() -> None:
    assert Egress.allowing(["0.0.0.0/0", "::/0"]).open
    assert not Egress.allowing(["10.0.0.0/8"]).open


def test_a_connection_that_ended_elsewhere_is_refused() -> None:
    with pytest.raises(EgressRefused):
        Egress().check_peer("example.com", "127.0.0.1", ip_address("8.8.8.8"))
    with pytest.raises(EgressRefused):
        Egress().check_peer("example.com", "127.0.0.1", ip_address("127.0.0.1"))
    Egress().check_peer("example.com", "8.8.8.8", ip_address("8.8.8.8"))


@pytest.mark.parametrize(
    "host", ["", " ", "a b", "a/b", "a\r\nb", "a\0b", "http://a", "user@a", "a..b", "-a", "a" * 64]
)
async def test_what_is_no_host_name_is_not_looked_up(host: str) -> None:
    with pytest.raises(Unreachable, match="not a host name") as caught:
        await answering("8.8.8.8").resolve(host)
    assert caught.value.stage is Stage.NAME


@pytest.mark.parametrize(
    ("number", "words"), [(socket.EAI_NONAME, "typing error"), (socket.EAI_AGAIN, "at the moment")]
)
async def test_a_name_without_an_answer_says_why(number: int, words: str) -> None:
    async def resolver(_name: str) -> Sequence[str]:
        raise socket.gaierror(number, "no")

    with pytest.raises(Unreachable, match=words) as caught:
        await Egress(resolver=resolver).resolve("nowhere.example.com")
    assert caught.value.stage is Stage.NAME


def test_an_international_name_becomes_its_ascii_form() -> None:
    assert canonical("Bücher.example.") == "xn--bcher-kva.example"
