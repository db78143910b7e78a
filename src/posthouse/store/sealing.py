"""Secrets at rest: AES-256-GCM, bound to the row they belong to.

A sealed value opens only with the key and only under the name it was sealed for (`imap:<connection id>`), so that
a value copied into another row is noise. Several keys may be given, newest first: the first one seals, each of
them opens.
"""

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from posthouse.model.errors import PosthouseError
from posthouse.model.values import Secret

_VERSION = b"\x01"


class SealBroken(PosthouseError):
    """A stored secret can't be opened: the key has changed, or the row was tampered with."""


class Seal:
    """Seals and opens texts. `keys` are passphrases of any length, at least one."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        if not keys:
            raise ValueError("a seal needs a key")
        self._ciphers = [AESGCM(_key(key)) for key in keys]

    def seal(self, secret: Secret, bound_to: str) -> bytes:
        nonce = os.urandom(12)
        sealed = self._ciphers[0].encrypt(nonce, secret.reveal().encode(), bound_to.encode())
        return _VERSION + nonce + sealed

    def open(self, sealed: bytes, bound_to: str) -> Secret:
        """Raises SealBroken when no key fits."""
        version, nonce, rest = sealed[:1], sealed[1:13], sealed[13:]
        for cipher in self._ciphers if version == _VERSION else ():
            try:
                return Secret(cipher.decrypt(nonce, rest, bound_to.encode()).decode())
            except InvalidTag:
                continue
        raise SealBroken(
            "a stored password can't be opened with this POSTHOUSE_SECRET_KEY: give the key it was sealed with, "
            "or save the connection's password again"
        )


def _key(passphrase: Secret) -> bytes:
    # Keys are long and random (we make them so), and a short one is refused by the settings: a plain hash serves.
    return hashlib.sha256(b"posthouse seal\0" + passphrase.reveal().encode()).digest()
