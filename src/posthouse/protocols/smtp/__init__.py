"""SMTP submission (RFC 5321, RFC 6409) as exchanges: bytes in, replies out, no socket.

`Session` is one conversation. `Reply`, `Refusal`, `Sent` are what comes of it; `Refused` and
`RecipientsRefused` say no in the server's words.
"""

from posthouse.protocols.smtp.envelope import NO_DSN, Dsn
from posthouse.protocols.smtp.outcomes import RecipientsRefused, Refusal, Refused, Sent
from posthouse.protocols.smtp.replies import Limits, Reply
from posthouse.protocols.smtp.session import Session

__all__ = ["NO_DSN", "Dsn", "Limits", "RecipientsRefused", "Refusal", "Refused", "Reply", "Sent", "Session"]
