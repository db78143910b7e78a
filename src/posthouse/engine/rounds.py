"""Whose turn it is to be asked whether it really has nothing new, among the sessions that idle in this process.

Nothing here waits or knows a network. Four rules, each a few lines of `due`:

- Everybody's turn comes once in a round, who was asked longest ago first. Rounds are short where sessions are few, and
  grow with their number, so that ten thousand cost no more than the pace allows.
- In long rounds somebody of each host is asked every few seconds all the same, as far as there is room.
- A host that has left a question unanswered, or a session that failed, casts doubt on all the other sessions of the
  host: they are asked at once, within seconds.
- Those whose turn it is are asked together: to wake for many costs a quarter of waking for each.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from posthouse.model.standing import PACE, Pace
from posthouse.model.sync import Knock

TICK = 0.5
"""Seconds between two looks at who is due."""
HOST = 20.0
"""Seconds after which somebody of a host is asked, however long the round."""
HOSTS_A_SECOND = 20
"""So many may be asked for their hosts' sake, beside the pace."""
LATE = 4.0
"""Seconds after which a host that has not answered anybody since is doubted."""
SPREAD = 10.0
"""Seconds in which all sessions of a doubted host are asked."""
AGAIN = 30.0
"""Seconds in which one host is not doubted twice."""
_LONGEST_GAP = 2.0  # seconds that count between two looks: who was paused for an hour doesn't ask everybody at once


class Turn:
    """One session's place in the rounds: `due` when it is to be asked, until it has been.

    It is also what may end an IDLE: for that, and for whatever `wake` is set.
    """

    __slots__ = ("_ear", "_rounds", "_wake", "at", "due", "host")

    def __init__(self, rounds: "Rounds", host: "_Host", wake: Knock) -> None:
        self.due = False
        self.at = 0.0
        """When it was asked or heard last."""
        self.host = host
        self._rounds = rounds
        self._wake = wake
        self._ear: Callable[[], object] | None = None

    def answered(self) -> None:
        """The server has said something, asked or by itself."""
        self._rounds.answered(self)

    def failed(self) -> None:
        """The server has not done what it should: others of its host may be no better off."""
        self._rounds.doubt(self.host)

    def leave(self) -> None:
        """This session is not asked any more. To leave twice is allowed."""
        self._rounds.leave(self)

    # As a knock

    @property
    def ear(self) -> Callable[[], object] | None:
        return self._ear

    @ear.setter
    def ear(self, ear: Callable[[], object] | None) -> None:
        self._ear = self._wake.ear = ear

    def is_set(self) -> bool:
        return self.due or self._wake.is_set()


class _Host:
    """The sessions of one host, those first that were asked or heard longest ago."""

    __slots__ = ("at", "credit", "doubted", "doubted_at", "heard_at", "name", "rate", "turns")

    def __init__(self, name: str) -> None:
        self.name = name
        self.turns: OrderedDict[Turn, None] = OrderedDict()
        self.at = 0.0
        self.heard_at = 0.0
        self.doubted_at = float("-inf")
        self.doubted = False
        self.rate = self.credit = 0.0


class Rounds:
    def __init__(self, clock: Callable[[], float] = time.monotonic, pace: Pace | None = None) -> None:
        """`clock` tells seconds since whenever."""
        self._clock = clock
        self.pace = pace or PACE
        self._turns: OrderedDict[Turn, None] = OrderedDict()  # as those of a host
        self._hosts: OrderedDict[str, _Host] = OrderedDict()  # asked or heard longest ago first
        self._questions: deque[tuple[float, Turn]] = deque()  # that may come to be late
        self._doubted: list[_Host] = []
        self._looked_at = clock()
        self._credit = self._hosts_credit = 0.0

    @property
    def length(self) -> float:
        """How long a round takes, in seconds: each session is asked after so long at the latest."""
        return self.pace.round_of(len(self._turns)).total_seconds()

    async def run(self) -> None:
        """Knock at those whose turn it is, until cancelled."""
        while True:
            for turn in self.due():
                if turn.ear is not None:
                    turn.ear()
            await asyncio.sleep(TICK)

    def join(self, host: str, wake: Knock) -> Turn:
        """A place for a session of this host, which has been asked a moment ago."""
        theirs = self._hosts.get(host)
        if theirs is None:
            theirs = self._hosts[host] = _Host(host)
        turn = Turn(self, theirs, wake)
        self._turns[turn] = theirs.turns[turn] = None
        self.answered(turn)
        return turn

    def leave(self, turn: Turn) -> None:
        if turn not in self._turns:
            return
        del self._turns[turn], turn.host.turns[turn]
        turn.due = False
        if not turn.host.turns:
            del self._hosts[turn.host.name]

    def answered(self, turn: Turn) -> None:
        turn.due = False
        if turn in self._turns:
            turn.host.heard_at = self._clock()
            self._to_the_end(turn, turn.host.heard_at)

    def doubt(self, host: _Host) -> None:
        """Have all sessions of this host asked soon."""
        now = self._clock()
        if now - host.doubted_at >= AGAIN:
            host.doubted_at = now
            host.rate, host.credit = len(host.turns) / SPREAD, 1.0
            if not host.doubted:
                host.doubted = True
                self._doubted.append(host)

    def due(self) -> list[Turn]:
        """Those that are to be asked now. Called often."""
        now = self._clock()
        gap, self._looked_at = now - self._looked_at, now
        length = self.length
        asked: list[Turn] = []

        if gap <= _LONGEST_GAP:  # else it was us: answers may be there that nobody has read yet
            self._judge_the_late(now)
        gap = min(gap, _LONGEST_GAP)
        self._doubted = [host for host in self._doubted if self._ask_the_doubted(host, gap, now, asked)]

        if length > self.pace.shortest.total_seconds():
            self._hosts_credit = min(self._hosts_credit + gap * HOSTS_A_SECOND, _LONGEST_GAP * HOSTS_A_SECOND)
            while self._hosts_credit >= 1.0 and (host := next(iter(self._hosts.values()), None)):
                if now - host.at < HOST:
                    break
                self._ask(next(iter(host.turns)), now, asked)
                self._hosts_credit -= 1.0

        self._credit += gap * len(self._turns) / length
        while self._credit >= 1.0 and self._turns:
            self._ask(next(iter(self._turns)), now, asked)
            self._credit -= 1.0
        return asked

    def _judge_the_late(self, now: float) -> None:
        while self._questions and now - self._questions[0][0] >= LATE:
            asked_at, turn = self._questions.popleft()
            # One that is slow, while others are answered, has its own time until it fails.
            if turn.due and turn.host.heard_at <= asked_at:
                self.doubt(turn.host)

    def _ask_the_doubted(self, host: _Host, gap: float, now: float, asked: list[Turn]) -> bool:
        """False: all have been asked."""
        host.credit += gap * host.rate
        while host.turns and (turn := next(iter(host.turns))).at < host.doubted_at:
            if host.credit < 1.0:
                return True
            self._ask(turn, now, asked)
            host.credit -= 1.0
        host.doubted = False
        return False

    def _ask(self, turn: Turn, now: float, asked: list[Turn]) -> None:
        self._to_the_end(turn, now)
        if not turn.due:  # else it is being asked, or busy with something else
            turn.due = True
            self._questions.append((now, turn))
            asked.append(turn)

    def _to_the_end(self, turn: Turn, now: float) -> None:
        turn.at = turn.host.at = now
        self._turns.move_to_end(turn)
        turn.host.turns.move_to_end(turn)
        self._hosts.move_to_end(turn.host.name)
