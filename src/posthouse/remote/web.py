"""Posting to receivers of webhooks: somebody else's URL, so everything about it is suspect.

Each time the name is resolved anew, and the connection goes to an address that passed the guard, and to no other.
Redirects are not followed, no proxy is taken from the environment, and little of the answer is read.
"""

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

from posthouse.model.connectors import Security, ServerSettings
from posthouse.model.errors import Garbled, TlsFailed, Unreachable
from posthouse.model.events import Transcript
from posthouse.model.webhooks import Answer, Call
from posthouse.protocols.exchange import ConnectionClosed, ProtocolError
from posthouse.protocols.http import Response, post
from posthouse.remote.egress import Egress
from posthouse.remote.stream import DEFAULT_TLS, Stream
from posthouse.remote.tls import OTHER_PORT, TRUST_IT, Tls

WITHIN = 30.0
"""Seconds that a receiver has, from the first packet to the end of its answer."""
_CONNECT = 10.0
_EXTRACT = 4096  # bytes of an answer that are read
_LONGEST_WISH = timedelta(hours=1)


async def post_to(call: Call, *, egress: Egress, tls: Tls = DEFAULT_TLS, within: float = WITHIN) -> Answer:
    """Say it, and hear what comes back. Raises Unreachable, EgressRefused, TlsFailed or Garbled."""
    parts = urlsplit(call.url)
    secure = parts.scheme == "https"
    settings = ServerSettings(
        host=parts.hostname or "",
        port=parts.port or (443 if secure else 80),
        security=Security.TLS if secure else Security.PLAIN,
        tls_trust="*" if call.takes_any_certificate else "",
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    try:
        stream = await Stream.open(
            settings,
            egress=egress,
            transcript=Transcript(),
            within=min(_CONNECT, within),
            secure=secure,
            tls=tls,
        )
    except TlsFailed as error:
        raise TlsFailed(_in_words_of_the_web(error.message), stage=error.stage) from error
    try:
        host = f"[{stream.host}]" if ":" in stream.host else stream.host
        host += f":{parts.port}" if parts.port else ""
        asking = post(host, _ascii(target), call.headers, call.body, most=_EXTRACT)
        response = await stream.run(asking, within=max(1.0, end - loop.time()))
    except ConnectionClosed as error:
        raise Unreachable(f"{stream.host} closed the connection without an answer") from error
    except ProtocolError as error:
        raise Garbled(f"{stream.host}: {error}") from error
    finally:
        stream.abort()
    return Answer(status=response.status, text=_text(response), retry_after=_wish(response))


def _in_words_of_the_web(text: str) -> str:
    """What went wrong with TLS, with the names that things have here."""
    return text.replace(OTHER_PORT, "is http:// meant, or another port?").replace(
        TRUST_IT, "or take any certificate by ignoreInsecureSslCertificates"
    )


def _ascii(target: str) -> str:
    """The target as it can be sent: what is not ASCII is escaped (RFC 3986 §2.1)."""
    return "".join(c if c.isascii() else "".join(f"%{byte:02X}" for byte in c.encode()) for c in target)


def _text(response: Response) -> str:
    return response.body.decode("utf-8", "replace")


def _wish(response: Response) -> timedelta | None:
    """Retry-After in seconds (RFC 9110 §10.2.3); a date is passed over, for its clock is not ours."""
    text = response.headers.get("retry-after", "")
    return min(timedelta(seconds=int(text)), _LONGEST_WISH) if text.isdecimal() and len(text) < 9 else None
