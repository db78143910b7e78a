"""What comes of a command or a message: taken, or refused as a whole or for some."""

from collections.abc import Sequence
from dataclasses import dataclass

from posthouse.protocols.exchange import CommandRefused
from posthouse.protocols.smtp.replies import Reply


class Refused(CommandRefused):
    """The server said no. The text is its words, the rest is in `code`, `enhanced` and `command` (the verb; ''
    where it refused us with its greeting)."""

    def __init__(self, reply: Reply, command: str, text: str = "") -> None:
        super().__init__(text or reply.text or str(reply), str(reply.code), command=command)
        self.reply = reply

    @property
    def enhanced(self) -> str:
        """Like `5.7.8`, or ''."""
        return self.reply.enhanced

    @property
    def transient(self) -> bool:
        """Whether another try later may do (4xx)."""
        return self.reply.transient


@dataclass(frozen=True, slots=True)
class Refusal:
    """One recipient that the server did not take, and its words."""

    recipient: str
    code: int
    enhanced: str
    text: str

    @property
    def transient(self) -> bool:
        """Whether another try later may do (4xx)."""
        return 400 <= self.code < 500


class RecipientsRefused(Refused):
    """No recipient was taken. The code is that of the first who may be taken later, or else of the first."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        first = next((refusal for refusal in refusals if refusal.transient), refusals[0])
        super().__init__(Reply(first.code, (first.text,), first.enhanced), "RCPT")
        self.refusals = tuple(refusals)


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has taken the message for these recipients; `reply` is its last word, often with an id."""

    accepted: tuple[str, ...]
    refused: tuple[Refusal, ...]
    reply: Reply
