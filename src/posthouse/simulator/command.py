"""`posthouse simulate`: a provider to rehearse failures with, until somebody ends it."""

import asyncio
import contextlib
import json
import re
import shlex
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from posthouse.simulator.certificate import Certificate, self_signed
from posthouse.simulator.control import controlled
from posthouse.simulator.demo_mail import endless_mail
from posthouse.simulator.faults import Faults, NoSuchFault
from posthouse.simulator.profiles import PROFILES
from posthouse.simulator.server import Provider

DEMO_USER = "ann@demo.example:demo"

_FAULT = re.compile(r"(\w+)(?::(\d+))?(?:=(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for. A port of 0 is any free one; all listen on loopback."""

    profile: str = "plain"
    imap_port: int = 0
    imaps_port: int = 0
    smtp_port: int = 0
    smtps_port: int = 0
    control_port: int = 0
    users: Sequence[str] = (DEMO_USER,)
    """Each `address:password`."""
    faults: Sequence[str] = ()
    """Each `name`, `name=value`, or `name:times=value`."""
    messages: int = 3
    """Demo mail in the first user's INBOX to begin with."""
    deliver_every: float = 0.0
    """Seconds between the messages that arrive from then on; 0 for none."""
    expired_certificate: bool = False
    require_tls: bool = False


class BadOption(ValueError):
    """An option that makes no sense. The text says which."""


async def simulate(options: Options, say: Callable[[str], None], told_to_stop: Callable[[], Awaitable[None]]) -> None:
    """Serve until told to stop. Raises `BadOption`, and `OSError` when a port is taken."""
    provider = furnished(options)
    certificate = await asyncio.to_thread(self_signed, expired=options.expired_certificate)
    first = next(iter(provider.users.values()))
    mail = endless_mail(first.address, provider.now)
    for message in islice(mail, options.messages):
        provider.deliver(first.address, message)
    try:
        await provider.start(
            imap_port=options.imap_port,
            imaps_port=options.imaps_port,
            smtp_port=options.smtp_port,
            smtps_port=options.smtps_port,
            tls=certificate.context,
        )
        async with controlled(provider, options.control_port) as url:
            say(introduction(provider, certificate, url))
            arriving = asyncio.create_task(_arrive(provider, first.address, mail, options.deliver_every))
            try:
                await told_to_stop()
            finally:
                arriving.cancel()
    finally:
        await provider.stop()


def furnished(options: Options) -> Provider:
    """A provider with its users and faults, not yet started. Raises `BadOption`."""
    if options.profile not in PROFILES:
        raise BadOption(f"there is no profile {options.profile!r}; there are {', '.join(PROFILES)}")
    provider = Provider(replace(PROFILES[options.profile], sign_in_on_clear_text=not options.require_tls))
    for text in options.users or (DEMO_USER,):
        address, colon, password = text.partition(":")
        if not colon or not password:
            raise BadOption(f"a user is address:password, not {text!r}")
        try:
            provider.add_user(address, password)
        except ValueError as error:
            raise BadOption(str(error)) from error
    for text in options.faults:
        set_from(provider.faults, text)
    return provider


def set_from(faults: Faults, text: str) -> None:
    """Set a fault from `name`, `name=value` or `name:times=value`; the value is JSON or a word. Raises `BadOption`."""
    match = _FAULT.fullmatch(text)
    if not match:
        raise BadOption(f"a fault is name=value or name:times=value, not {text!r}")
    value: object = True if match[3] is None else match[3]
    if match[3]:
        with contextlib.suppress(ValueError):
            value = json.loads(match[3])
    try:
        faults.set(match[1], value, times=int(match[2]) if match[2] else None)
    except NoSuchFault as error:
        raise BadOption(str(error)) from error


def introduction(provider: Provider, certificate: Certificate, url: str) -> str:
    """Where everything is, and what can be done with it."""
    rows = [
        ("IMAP", f"127.0.0.1:{provider.imap_port} (STARTTLS if you like), TLS on {provider.imaps_port}"),
        ("SMTP", f"127.0.0.1:{provider.smtp_port} (STARTTLS if you like), TLS on {provider.smtps_port}"),
        *(("user, password", f"{user.address}  {user.password}") for user in provider.users.values()),
        ("certificate", certificate.fingerprint),
        ("", "(put it into a connector's sslTrust)"),
        ("control", url),
    ]
    examples = [
        ("See what there is, and what clients have changed", "GET", "/state", None),
        ("Let a mail arrive", "POST", "/deliver", None),
        ("Refuse the next three commands for a while, as Exchange does", "PUT", "/faults", _THROTTLED),
        ("Make IDLE deaf", "PUT", "/faults", '{"deaf_idle": true}'),
        ("All is well again", "DELETE", "/faults", None),
        ("Make all UIDs void", "POST", "/folders/INBOX/uidvalidity", None),
        ("Cut all connections", "POST", "/disconnect", None),
    ]
    lines = [f"The simulated mail provider ({provider.profile.name}) is ready.", ""]
    lines += [f"  {name:<16}{value}" for name, value in rows]
    for what, method, path, body in examples:
        words = ["curl", "-s", "-X", method, url + path]
        words += ["-H", "content-type: application/json", "-d", body] if body else []
        lines += ["", f"{what}:", f"  {shlex.join(words)}"]
    lines += ["", f"Without curl: posthouse request GET /state --url {url}", "Ctrl-C ends it."]
    return "\n".join(lines)


_THROTTLED = '{"throttle": {"value": 30000, "times": 3}}'


async def _arrive(provider: Provider, address: str, mail: Iterator[bytes], pause: float) -> None:
    while pause > 0:
        await asyncio.sleep(pause)
        provider.deliver(address, next(mail))
