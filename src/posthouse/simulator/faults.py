"""What goes wrong at a provider at the moment.

Every fault is off until somebody sets it, may be set and cleared while clients are connected, and is consulted at
one place in the servers, which says so by `struck`. A fault that was set for so many times heals after them.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from random import Random
from typing import Any, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError

SMTP_STATES = (
    "connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "message", "answer",
)  # fmt: skip
SmtpState = Literal["", "connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "message", "answer"]

CHANCES: Mapping[str, tuple[object, ...]] = {
    "bye_at": ("*",),
    "cut_literal_at": (3,),
    "deaf_idle": (True,),
    "drop_after_login": (True,),
    "empty_fetch": (True,),
    "imap_answers": ({"*": "NO [UNAVAILABLE] Server error, try again later"},),
    "imap_cut_at": ("*",),
    "lose_answer": ("*",),
    "ok_then_bad": (True,),
    "throttle": (20,),
    "lose_verdict": (True,),
    "smtp_answers": ({"MAIL": "451 4.3.0 Try again later"}, {"MESSAGE": "452 4.3.1 Try again later"}),
    "smtp_cut_at": SMTP_STATES,
    # Only for those who name them, for a client needs its whole patience to get over them:
    "half_open": (True,),
    "stall_at": ("*",),
    "stall_literal_at": (3,),
}
"""What can happen at random: the values of which one is taken."""
IMPATIENT = tuple(sorted(CHANCES.keys() - {"half_open", "stall_at", "stall_literal_at"}))
"""Those of them from which a client learns at once."""


class NoSuchFault(ValueError):
    """There is no fault of this name, or it can't have this value. The text says which."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """What goes wrong at the moment. A fresh `Faults()` is a provider on a good day.

    A command is named by its verb in any case, such as `FETCH` (also for `UID FETCH`); `CONNECT` is before the
    greeting, and `*` whichever comes next.
    """

    # The connection
    half_open: bool = False
    """A connection used or opened now is dead for ever: no byte goes either way, and nobody says so."""
    stall_at: str = ""
    """At this command, of IMAP or SMTP, the connection falls silent for ever."""
    drip: float = 0.0
    """Seconds before each single byte that is sent."""
    delay: float = 0.0
    """Seconds before each command is done."""
    connection_limit: int | None = None
    """Signing in by IMAP is refused to a user who has this many sessions; instead of the profile's own limit."""

    # IMAP: signing in
    preauth: bool = False
    """The greeting says PREAUTH, and the client is the first user."""
    starttls_injection: bytes = b""
    """Sent in clear text right behind the go-ahead of STARTTLS, IMAP and SMTP alike."""
    refuse_credentials_after: int | None = None
    """After this many sign-ins, by IMAP and SMTP together, right credentials are refused."""
    app_password_required: bool = False
    """Right credentials are refused as the account's own, where an application's are wanted (Gmail)."""
    ok_then_bad: bool = False
    """Signing in succeeds, everything after it is `BAD User is authenticated but not connected.` (Exchange)."""
    drop_after_login: bool = False
    """Signing in succeeds, and the connection closes."""

    # IMAP: answers
    throttle: int | None = None
    """Once signed in, every command is refused with a hint of this many milliseconds (Exchange).

    A profile that slows down instead takes so much longer, and says `[THROTTLED]` (Gmail).
    """
    imap_answers: Mapping[str, str] = field(default_factory=dict)
    """Verb in upper case → what follows the tag instead of doing it: `{"SELECT": "NO [UNAVAILABLE] later"}`."""
    bye_at: str = ""
    """At this command: BYE, and the connection closes."""
    imap_cut_at: str = ""
    """At this command the connection closes without a word; it is not done."""
    lose_answer: str = ""
    """This command is done, and the connection closes before its answer."""
    deaf_idle: bool = False
    """IDLE is accepted and says nothing until it is done."""
    deaf_until: Literal["", "NOOP", "SELECT"] = ""
    """What is new in a selected folder is kept back until the next NOOP, or until the folder is selected again."""
    exists_off_by: int = 0
    """Added to every message count: EXISTS and STATUS MESSAGES."""
    forget_uid_next: bool = False
    """SELECT and EXAMINE do not mention UIDNEXT."""
    empty_list: bool = False
    """LIST and LSUB succeed and list nothing."""
    empty_fetch: bool = False
    """FETCH succeeds and shows nothing."""
    omit: Collection[str] = ()
    """FETCH items left out of the answers, in upper case: `{"FLAGS"}`."""
    unfetchable: Collection[int] = ()
    """UIDs at which any FETCH that includes them breaks off with `NO [UNAVAILABLE]` (Yahoo)."""
    cut_literal_at: int | None = None
    """In FETCH, after this many bytes of a literal: BYE, and the connection closes."""
    stall_literal_at: int | None = None
    """In FETCH, after this many bytes of a literal the connection falls silent for ever."""
    huge_literal: int | None = None
    """FETCH announces literals of this many bytes, and does send them."""
    endless_line: bool = False
    """FETCH answers with a line that never ends."""

    # SMTP
    smtp_answers: Mapping[str, str] = field(default_factory=dict)
    """Verb in upper case, `CONNECT` or `MESSAGE` → the reply instead of doing it: `{"MAIL": "451 4.7.1 Later"}`.

    A reply of 421 also closes the connection (RFC 5321 §3.8).
    """
    refused_recipients: Mapping[str, str] = field(default_factory=dict)
    """Address in lower case → the reply to its RCPT."""
    greylist: bool = False
    """Every recipient is put off with 451 once."""
    smtp_cut_at: SmtpState = ""
    """Where the connection closes without a word: before (`connect`) or after the `greeting`, at a command, in the
    middle of the `message`, or before its `answer`, when the message is complete but not accepted."""
    lose_verdict: bool = False
    """A message is accepted and delivered, and the connection closes before the 250."""

    strikes: Counter[str] = field(default_factory=Counter, init=False)
    """How often each has struck."""
    _left: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _greylisted: set[str] = field(default_factory=set, init=False, repr=False)
    _dice: "_Dice | None" = field(default=None, init=False, repr=False)

    def set(self, name: str, value: object = True, *, times: int | None = None) -> None:
        """Set one by its name, to a value as JSON has it; with `times` it heals after so many strikes.

        Raises `NoSuchFault`.
        """
        if name not in _KINDS:
            raise NoSuchFault(f"there is no fault {name!r}")
        if times is not None and times < 1:
            raise NoSuchFault(f"{name}: it strikes at least once")
        try:
            setattr(self, name, _KINDS[name].validate_python(value))
        except ValidationError as error:
            raise NoSuchFault(f"{name}: {error.errors()[0]['msg']}") from error
        self._left.pop(name, None)
        if times is not None:
            self._left[name] = times

    def clear(self, name: str) -> None:
        """Heal one. Raises `NoSuchFault`."""
        if name not in _KINDS:
            raise NoSuchFault(f"there is no fault {name!r}")
        setattr(self, name, _default(name))
        self._left.pop(name, None)

    def at_random(self, rate: float, seed: int, names: Collection[str] = IMPATIENT) -> None:
        """From now on, at each command and connection, let one of these faults happen once with this probability.

        The same seed and the same commands meet the same faults. A rate of 0 ends it. Raises `NoSuchFault`.
        """
        if unknown := sorted(set(names) - CHANCES.keys()):
            raise NoSuchFault(f"not at random: {', '.join(unknown)}")
        self._dice = _Dice(rate, Random(seed), sorted(names)) if rate > 0 and names else None  # noqa: S311

    # What the servers ask

    def roll(self) -> None:
        """A chance for something to go wrong."""
        if self._dice and self._dice.generator.random() < self._dice.rate:
            name = self._dice.generator.choice(self._dice.names)
            if not self.is_set(name):
                self.set(name, self._dice.generator.choice(CHANCES[name]), times=1)

    def at(self, name: str, point: str) -> bool:
        """Whether this fault, which is set to a command or a state, strikes here; if so, it has struck."""
        where: str = getattr(self, name)
        if where and where.upper() in (point.upper(), "*"):
            self.struck(name)
            return True
        return False

    def struck(self, name: str) -> None:
        """It has happened once."""
        self.strikes[name] += 1
        if name in self._left:
            self._left[name] -= 1
            if not self._left[name]:
                self.clear(name)

    def puts_off(self, recipient: str) -> bool:
        """Whether this recipient is greylisted now, and will not be the next time."""
        if not self.greylist or recipient.lower() in self._greylisted:
            return False
        self._greylisted.add(recipient.lower())
        self.struck("greylist")
        return True

    # What others may see

    def is_set(self, name: str) -> bool:
        return bool(getattr(self, name) != _default(name))

    def shown(self) -> dict[str, Any]:
        """Those that are set, as JSON has them: the value, or value and remaining times."""
        values = {
            name: _KINDS[name].dump_python(getattr(self, name), mode="json") for name in NAMES if self.is_set(name)
        }
        return {
            name: {"value": value, "times": self._left[name]} if name in self._left else value
            for name, value in values.items()
        }


@dataclass(frozen=True, slots=True)
class _Dice:
    rate: float
    generator: Random
    names: list[str]


NAMES = tuple(each.name for each in fields(Faults) if each.init)
_DEFAULTS = {each.name: each for each in fields(Faults)}
_JSON = {Collection[str]: frozenset[str], Collection[int]: frozenset[int], Mapping[str, str]: dict[str, str]}
_KINDS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(_JSON.get(kind, kind)) for name, kind in get_type_hints(Faults).items() if name in NAMES
}


def _default(name: str) -> object:
    default = _DEFAULTS[name]
    return default.default if default.default_factory is MISSING else default.default_factory()
