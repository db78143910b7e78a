"""A connection test as people see it: its stages one after the other, and what became of each."""

from dataclasses import dataclass
from functools import partial

from posthouse.dashboard.visit import Visitor
from posthouse.model.connectors import ImapSettings, Security, ServerSettings, SmtpSettings
from posthouse.model.errors import Stage
from posthouse.model.events import TestResult
from posthouse.model.values import ConnectorId
from posthouse.services.conversations import Conversation

_WORDS = {
    Stage.NAME: "Look up the name",
    Stage.CONNECTION: "Connect",
    Stage.TLS: "Agree on TLS",
    Stage.GREETING: "Hear the greeting",
    Stage.SIGN_IN: "Sign in",
    Stage.FOLDER: "Open the folder",
}


@dataclass(frozen=True, slots=True)
class Step:
    """`state` is `done`, `now`, `failed` or `open`."""

    words: str
    state: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A test that goes on or is over."""

    protocol: str
    settings: ServerSettings
    conversation: Conversation

    @property
    def over(self) -> bool:
        return self.conversation.over

    @property
    def success(self) -> bool:
        result = self.conversation.result
        return isinstance(result, TestResult) and result.success

    @property
    def words(self) -> str:
        """How it ended; nothing as long as it goes on."""
        result = self.conversation.result
        return result.message if isinstance(result, TestResult) else self.conversation.failure or ""

    @property
    def steps(self) -> list[Step]:
        stages = _stages(self.settings)
        here = self._here(stages)
        return [Step(_WORDS[stage], self._state(place, here)) for place, stage in enumerate(stages)]

    def _here(self, stages: list[Stage]) -> int:
        """The place of the stage where it is, or has failed."""
        result = self.conversation.result
        reached = [stage for stage in self.conversation.stages if stage in stages]
        if isinstance(result, TestResult) and result.stage in stages:
            return stages.index(result.stage)
        return stages.index(reached[-1]) if reached else 0

    def _state(self, place: int, here: int) -> str:
        if self.success or place < here:
            return "done"
        if place > here:
            return "open"
        return "failed" if self.over else "now"


def begin(visit: Visitor, settings: ImapSettings | SmtpSettings, connector: ConnectorId | None = None) -> Trial:
    """Test these settings, whoever looks on; what is asked is counted for the connector whose settings they are."""
    connectors, account, conversations = visit.services.connectors, visit.account.id, visit.services.conversations
    if isinstance(settings, ImapSettings):
        test = partial(connectors.test_imap, settings, connector_id=connector)
        return Trial("IMAP", settings, conversations.begin(account, test))
    return Trial("SMTP", settings, conversations.begin(account, partial(connectors.test_smtp, settings)))


def _stages(settings: ServerSettings) -> list[Stage]:
    stages = [Stage.NAME, Stage.CONNECTION]
    match settings.security:
        case Security.TLS:
            stages += [Stage.TLS, Stage.GREETING]
        case Security.STARTTLS:
            stages += [Stage.GREETING, Stage.TLS]
        case Security.PLAIN:
            stages += [Stage.GREETING]
    if settings.username:
        stages.append(Stage.SIGN_IN)
    if isinstance(settings, ImapSettings):
        stages.append(Stage.FOLDER)
    return stages
