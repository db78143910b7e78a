"""Proving who one is, from the server's side, for IMAP and SMTP alike (RFC 4422, 4616, 2195, 7628).

A token is a user's password here: XOAUTH2 and OAUTHBEARER are right when the bearer token equals it.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping

from posthouse.simulator.mailbox import User

Ask = Callable[[bytes], Awaitable[bytes]]
"""Send a challenge and wait for the client's answer, both without their base64. Raises `Cancelled`."""

OAUTH_ERROR = b'{"status":"401","schemes":"bearer","scope":"https://mail.example/"}'


class Cancelled(Exception):
    """The client sent `*`, or something that is not base64."""


async def authenticate(mechanism: str, initial: bytes | None, ask: Ask, users: Mapping[str, User]) -> User | None:
    """Who the client has proved to be, or None. `users` are by address in lower case."""
    return await MECHANISMS[mechanism](initial, ask, users)


def decoded(line: bytes) -> bytes:
    """A client's answer. Raises `Cancelled`."""
    try:
        return base64.b64decode(line.strip(), validate=True)
    except ValueError as error:
        raise Cancelled from error


def with_password(users: Mapping[str, User], username: bytes, password: bytes) -> User | None:
    user = users.get(username.decode("utf-8", "replace").lower())
    return user if user and hmac.compare_digest(user.password.encode(), password) else None


async def _plain(initial: bytes | None, ask: Ask, users: Mapping[str, User]) -> User | None:
    parts = (await ask(b"") if initial is None else initial).split(b"\0")
    if len(parts) != 3:
        return None
    authorization, username, password = parts
    return with_password(users, username, password) if authorization in (b"", username) else None


async def _login(initial: bytes | None, ask: Ask, users: Mapping[str, User]) -> User | None:
    username = await ask(b"Username:") if initial is None else initial
    return with_password(users, username, await ask(b"Password:"))


async def _cram_md5(_initial: bytes | None, ask: Ask, users: Mapping[str, User]) -> User | None:
    challenge = f"<{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}@mail.example>".encode()
    username, _, digest = (await ask(challenge)).rpartition(b" ")
    user = users.get(username.decode("utf-8", "replace").lower())
    if user is None:
        return None
    expected = hmac.new(user.password.encode(), challenge, hashlib.md5).hexdigest().encode()
    return user if hmac.compare_digest(expected, digest) else None


async def _xoauth2(initial: bytes | None, ask: Ask, users: Mapping[str, User]) -> User | None:
    answer = await ask(b"") if initial is None else initial
    found = re.fullmatch(rb"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01", answer, re.IGNORECASE)
    return await _bearer(found, ask, users)


async def _oauthbearer(initial: bytes | None, ask: Ask, users: Mapping[str, User]) -> User | None:
    answer = await ask(b"") if initial is None else initial
    pattern = rb"n,a=([^,\x01]*),\x01(?:[^\x01]+\x01)*?auth=Bearer ([^\x01]*)\x01(?:[^\x01]+\x01)*\x01"
    return await _bearer(re.fullmatch(pattern, answer, re.IGNORECASE), ask, users)


async def _bearer(found: re.Match[bytes] | None, ask: Ask, users: Mapping[str, User]) -> User | None:
    user = with_password(users, found[1], found[2]) if found else None
    if user is None:
        # RFC 7628 §3.2.3: the reason is a challenge, which the client answers with nothing before it is refused.
        await ask(OAUTH_ERROR)
    return user


MECHANISMS: Mapping[str, Callable[[bytes | None, Ask, Mapping[str, User]], Awaitable[User | None]]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
