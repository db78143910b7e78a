"""How much there is, for people who look after a server."""

from dataclasses import dataclass
from datetime import datetime

COUNTED = 200_000
"""Nothing is counted further than this: a count that says so many means so many or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What an account has."""

    connectors: int
    inboxes: int
    emails: int
    sent: int
    events: int
    webhooks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlogs:
    """What is still to be done for an account: emails to send, and messages to webhooks that wait or were given up."""

    sending: int
    webhooks_waiting: int
    webhooks_given_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSetting:
    """A setting of this server, safe to show: of a secret, `value` tells no more than that it is set. `variable` is
    what it is called in the environment; '' stands for a setting that is not set."""

    variable: str
    value: str
    default: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The server as it stands. `schema` is the last migration; sizes are bytes, `free` is None where nobody knows how
    much room there is for mail; `workers` are the processes that look after connectors, the living ones."""

    database: str
    schema: str
    database_size: int
    free: int | None
    workers: int
    started_at: datetime
