"""Signing in: challenge → answer (RFC 4422), the same for IMAP and SMTP.

A mechanism is one attempt with one set of credentials: bytes of the server's in, bytes to say out, before any
base64. `choose` says which to try. What a server tells of its reasons inside the exchange is kept as
`problem`, and `complete` says whether its yes may be believed.
"""

import hmac
import json
import re
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import new as new_hash
from hashlib import pbkdf2_hmac
from secrets import token_urlsafe
from typing import Protocol

from posthouse.protocols.exchange import LocalProtocolError, RemoteProtocolError

MAX_ITERATIONS = 1_000_000  # of PBKDF2; a hostile server may ask for 2^31 and hold us for an hour

_BY_TOKEN = ("OAUTHBEARER", "XOAUTH2")
_OVER_TLS = ("SCRAM-SHA-256", "PLAIN", "LOGIN", "SCRAM-SHA-1", "CRAM-MD5")
_IN_CLEAR = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")  # hide the password while we can

_CONTROLS = "".join(map(chr, range(32))) + "\x7f"


@dataclass(frozen=True)
class Credentials:
    """Who signs in, with a password or an OAuth access token; host and port of the server as configured."""

    username: str
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    host: str = ""
    port: int = 0


class Mechanism(Protocol):
    """One attempt to sign in. Not to be used again for another."""

    name: str
    """As in the standards, upper case."""

    problem: str
    """Why the server will refuse, where it said so inside the exchange; else ''. Hostile text, one line."""

    @property
    def complete(self) -> bool:
        """Whether a yes may be believed. False while the server owes us its own proof (SCRAM)."""

    def initial(self) -> bytes | None:
        """What we say first, or None where the server speaks first.

        Where the command can't carry it, it is the answer to the server's first, empty challenge instead.
        """

    def respond(self, challenge: bytes) -> bytes:
        """The answer to one (further) challenge. LocalProtocolError: the credentials can't be said in this
        mechanism. RemoteProtocolError: the server does not play by its rules; end the conversation."""

    def secrets(self) -> tuple[str, ...]:
        """What must not be seen in transcripts."""


def choose(
    offered: Collection[str], allowed: Sequence[str], credentials: Credentials, *, secure: bool
) -> list[Mechanism]:
    """The mechanisms worth trying, best first; empty when none is both offered and usable.

    `allowed` restricts and orders (in any case); empty, all that we know and that suits the credentials is.
    A password counts as the access token for a token mechanism that was asked for by name.
    """
    on_offer = {name.upper() for name in offered}
    if allowed:
        wanted = list(dict.fromkeys(name.upper() for name in allowed))
    else:
        wanted = list(_BY_TOKEN) if credentials.token else []
        if credentials.password or not credentials.token:
            wanted += _OVER_TLS if secure else _IN_CLEAR
    return [_MECHANISMS[name](credentials) for name in wanted if name in on_offer and name in _MECHANISMS]


class _OneWay:
    """What the mechanisms share in which the server proves nothing."""

    name = ""
    complete = True

    def __init__(self, credentials: Credentials) -> None:
        self.problem = ""
        self._credentials = credentials

    def secrets(self) -> tuple[str, ...]:
        return (self._credentials.password,)

    def _asked_too_much(self) -> RemoteProtocolError:
        return RemoteProtocolError(f"the server asks for more than {self.name} has to say")


class Plain(_OneWay):
    """RFC 4616."""

    name = "PLAIN"

    def initial(self) -> bytes:
        username, password = self._credentials.username, self._credentials.password
        return b"\0" + _bytes("username", username, without="\0") + b"\0" + _bytes("password", password, without="\0")

    def respond(self, challenge: bytes) -> bytes:
        raise self._asked_too_much()


class Login(_OneWay):
    """Never a standard. The prompts are not read, for they say anything: `Username:`, `User Name\\0`, nothing
    at all. First comes the user name, then the password."""

    name = "LOGIN"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(credentials)
        self._answers = iter((("username", credentials.username), ("password", credentials.password)))

    def initial(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes:
        for field_name, text in self._answers:
            return _bytes(field_name, text)
        raise self._asked_too_much()


class CramMd5(_OneWay):
    """RFC 2195."""

    name = "CRAM-MD5"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(credentials)
        self._answered = False

    def initial(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes:
        if self._answered:
            raise self._asked_too_much()
        self._answered = True
        password = _bytes("password", self._credentials.password)
        digest = hmac.new(password, challenge, "md5").hexdigest()
        return _bytes("username", self._credentials.username) + b" " + digest.encode()


class _Bearer(_OneWay):
    """What the OAuth mechanisms share: a refusal comes as a challenge that must be answered before the no."""

    farewell = b""

    def secrets(self) -> tuple[str, ...]:
        return (self._token,)

    def respond(self, challenge: bytes) -> bytes:
        if self.problem:
            raise self._asked_too_much()
        self.problem = _status(challenge)
        return self.farewell

    @property
    def _token(self) -> str:
        return self._credentials.token or self._credentials.password

    def _authorization(self) -> bytes:
        return b"auth=Bearer " + _bytes("access token", self._token, without=_CONTROLS)


class XOAuth2(_Bearer):
    """Google's and Microsoft's, before there was a standard."""

    name = "XOAUTH2"

    def initial(self) -> bytes:
        user = _bytes("username", self._credentials.username, without=_CONTROLS)
        return b"user=" + user + b"\x01" + self._authorization() + b"\x01\x01"


class OAuthBearer(_Bearer):
    """RFC 7628."""

    name = "OAUTHBEARER"
    farewell = b"\x01"

    def initial(self) -> bytes:
        credentials = self._credentials
        user = _bytes("username", _sasl_name(credentials.username), without=_CONTROLS)
        parts = [b"n,a=" + user + b","]
        if credentials.host:
            parts.append(b"host=" + _bytes("host", credentials.host, without=_CONTROLS))
        if credentials.port:
            parts.append(b"port=%d" % credentials.port)
        return b"\x01".join([*parts, self._authorization(), b"", b""])


class Scram:
    """RFC 5802 without channel binding. The server proves that it knows the password, too."""

    def __init__(self, credentials: Credentials, algorithm: str, *, nonce: str = "") -> None:
        self.name = f"SCRAM-{algorithm}"
        self.problem = ""
        self.complete = False
        self._credentials = credentials
        self._hash = algorithm.lower().replace("-", "")
        self._nonce = nonce or token_urlsafe(24)
        self._next: Callable[[bytes], bytes] | None = self._prove
        self._server_signature = b""

    def secrets(self) -> tuple[str, ...]:
        return (self._credentials.password,)

    def initial(self) -> bytes:
        return b"n,," + self._client_first()

    def respond(self, challenge: bytes) -> bytes:
        answer, self._next = self._next, None
        if answer is None:
            raise RemoteProtocolError(f"the server asks for more than {self.name} has to say")
        return answer(challenge)

    def _client_first(self) -> bytes:
        user = _bytes("username", _sasl_name(_prepared(self._credentials.username)), without="\0")
        return b"n=" + user + b",r=" + self._nonce.encode()

    def _prove(self, server_first: bytes) -> bytes:
        if server_first.startswith(b"e="):
            return self._told_why(server_first)
        nonce, salt, iterations = self._challenge(server_first)
        password = _bytes("password", _prepared(self._credentials.password))
        salted = pbkdf2_hmac(self._hash, password, salt, iterations)
        client_key = self._hmac(salted, b"Client Key")
        client_final = b"c=biws,r=" + nonce
        said = b",".join((self._client_first(), server_first, client_final))
        stored_key = new_hash(self._hash, client_key).digest()
        proof = bytes(a ^ b for a, b in zip(client_key, self._hmac(stored_key, said), strict=True))
        self._server_signature = self._hmac(self._hmac(salted, b"Server Key"), said)
        self._next = self._check
        return client_final + b",p=" + b64encode(proof)

    def _challenge(self, server_first: bytes) -> tuple[bytes, bytes, int]:
        # An extension before the nonce (`m=`) is one that we must understand, and there is none that we do.
        found = re.match(rb"r=([\x21-\x2b\x2d-\x7e]+),s=([^,]+),i=([0-9]{1,10})(?:,|\Z)", server_first)
        salt = _unbase64(found[2]) if found else None
        if found is None or salt is None:
            raise RemoteProtocolError(f"the server's {self.name} challenge can't be read")
        nonce, iterations = found[1], int(found[3])
        if not nonce.startswith(self._nonce.encode()) or len(nonce) == len(self._nonce):
            raise RemoteProtocolError(f"the server's {self.name} challenge is not an answer to ours")
        if not 1 <= iterations <= MAX_ITERATIONS:
            raise RemoteProtocolError(f"the server asks for {iterations} rounds of {self.name}: we do 1 to 1,000,000")
        return nonce, salt, iterations

    def _check(self, server_final: bytes) -> bytes:
        if server_final.startswith(b"e="):
            return self._told_why(server_final)
        found = re.match(rb"v=([^,]+)(?:,|\Z)", server_final)
        signature = _unbase64(found[1]) if found else None
        if signature is None or not hmac.compare_digest(signature, self._server_signature):
            raise RemoteProtocolError("the server could not prove that it knows the password")
        self.complete = True
        return b""

    def _told_why(self, reason: bytes) -> bytes:
        self.problem = _one_line(reason[2:])
        return b""

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)


def _scram(algorithm: str) -> Callable[[Credentials], Mechanism]:
    return lambda credentials: Scram(credentials, algorithm)


_MECHANISMS: dict[str, Callable[[Credentials], Mechanism]] = {
    "SCRAM-SHA-256": _scram("SHA-256"),
    "SCRAM-SHA-1": _scram("SHA-1"),
    "PLAIN": Plain,
    "LOGIN": Login,
    "CRAM-MD5": CramMd5,
    "XOAUTH2": XOAuth2,
    "OAUTHBEARER": OAuthBearer,
}


def _bytes(field_name: str, text: str, *, without: str = "") -> bytes:
    """UTF-8, or a LocalProtocolError that names the field and not what is in it."""
    if any(character in without for character in text):
        forbidden = "a NUL character" if without == "\0" else "a control character"
        raise LocalProtocolError(f"the {field_name} holds {forbidden}, which can't be sent")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"the {field_name} holds a character that is none") from error


def _sasl_name(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")  # RFC 5802 §5.1


def _unbase64(text: bytes) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return None


def _status(challenge: bytes) -> str:
    """What an OAuth refusal says: `{"status": "invalid_token", …}` (RFC 7628 §3.2.2; Google: `"400"`)."""
    try:
        said = json.loads(challenge)
        return _one_line(str(said["status"]).encode("utf-8", "replace")) or "no status"
    except (ValueError, RecursionError, KeyError, TypeError):
        return _one_line(challenge) or "no status"


def _one_line(text: bytes) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text.decode("utf-8", "replace")).split())[:200]


def _prepared(text: str) -> str:
    """SASLprep (RFC 4013) for a query. What has no prepared form is taken as it is, as PostgreSQL's client
    does: a server that lets people choose such a password compares it so."""
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared or any(forbids(character) for forbids in _FORBIDDEN for character in prepared):
        return text
    if any(map(stringprep.in_table_d1, prepared)):  # right-to-left text is so from end to end (RFC 3454 §6)
        ends_right = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
        if not ends_right or any(map(stringprep.in_table_d2, prepared)):
            return text
    return prepared


_FORBIDDEN = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
