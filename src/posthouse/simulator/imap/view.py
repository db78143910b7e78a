"""What one IMAP session knows of the folder it has selected.

The numbering of messages is the session's own: it changes only when the client is told so (RFC 3501 §7.4.1), while
the folder goes on changing under it. `news` is the difference, and tells it once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from posthouse.simulator.imap.grammar import BadSyntax, SetRange, resolve, shown_set
from posthouse.simulator.mailbox import Folder, Message

SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")


@dataclass(slots=True)
class News:
    """Untagged responses, and the messages that the client learns of by them, with their numbers."""

    lines: list[bytes] = field(default_factory=list)
    arrived: list[tuple[int, Message]] = field(default_factory=list)


class View:
    """A selected folder. `messages[n - 1]` is what the client calls n."""

    def __init__(self, folder: Folder, *, read_only: bool) -> None:
        self.folder, self.read_only = folder, read_only
        self.messages = list(folder.messages)
        self.recent: set[int] = set()
        """UIDs of the messages here that are \\Recent in this session."""
        self.last_uid = self.messages[-1].uid if self.messages else 0
        self._rebuilt = folder.rebuilt
        self._told = folder.highest_modseq
        self._told_of: dict[Message, int] = {}
        self._removals_told = folder.removals
        self._claim_recent()

    @property
    def void(self) -> bool:
        """Whether the folder has been rebuilt or deleted, so that nothing here means anything any more."""
        return self.folder.rebuilt != self._rebuilt

    @property
    def stale(self) -> bool:
        """Whether there is anything that the client has not been told."""
        return self.folder.highest_modseq != self._told or self.folder.removals != self._removals_told

    def numbered(
        self, ranges: Sequence[SetRange], *, by_uid: bool, forgiving: bool = False
    ) -> list[tuple[int, Message]]:
        """The messages meant, in order, with their numbers.

        A UID that is not there is no error; a number that is not there raises `BadSyntax`, unless we are `forgiving`.
        """
        indexes: set[int] = set()
        if by_uid:
            uids = [message.uid for message in self.messages]
            for span in resolve(ranges, self.last_uid):
                indexes.update(range(bisect_left(uids, span.start), bisect_left(uids, span.stop)))
        else:
            for span in resolve(ranges, len(self.messages)):
                if not forgiving and (span.start < 1 or span.stop - 1 > len(self.messages)):
                    raise BadSyntax("There are not so many messages")
                indexes.update(range(max(0, span.start - 1), min(span.stop - 1, len(self.messages))))
        return [(index + 1, self.messages[index]) for index in sorted(indexes)]

    def news(self, *, expunges: bool, with_modseq: bool, vanishing: bool, exists_off_by: int) -> News:
        """All that the client has not been told; expunges only where they are allowed.

        `vanishing` clients are told of expunges by UID (RFC 7162 §3.2.10).
        """
        news = News()
        if not self.stale:
            return news
        folder = self.folder
        if expunges and folder.removals != self._removals_told:
            gone: list[int] = []
            # From the end, so that each number still means what it did.
            for number in range(len(self.messages), 0, -1):
                if not folder.holds(self.messages[number - 1]):
                    gone.append(self.messages.pop(number - 1).uid)
                    if not vanishing:
                        news.lines.append(b"* %d EXPUNGE" % number)
            self.recent.difference_update(gone)
            if gone and vanishing:
                news.lines.append(b"* VANISHED " + shown_set(reversed(gone)).encode())
            self._removals_told = folder.removals
        for number, message in enumerate(self.messages, 1):
            if message.modseq > max(self._told, self._told_of.get(message, 0)):
                news.lines.append(self.flag_news(number, message, with_modseq=with_modseq))
        new = folder.messages[bisect_right(folder.messages, self.last_uid, key=lambda each: each.uid) :]
        if new:
            news.arrived = list(enumerate(new, len(self.messages) + 1))
            self.messages += new
            self.last_uid = new[-1].uid
            self._claim_recent()
            news.lines += self.counts(exists_off_by)
        self._told = folder.highest_modseq
        self._told_of.clear()
        return news

    def vanished_since(self, modseq: int) -> list[int]:
        """UIDs, ascending, of what has been removed since then."""
        return sorted(uid for when, uid in self.folder.vanished if when > modseq)

    def counts(self, exists_off_by: int) -> Iterator[bytes]:
        yield b"* %d EXISTS" % max(0, len(self.messages) + exists_off_by)
        yield b"* %d RECENT" % len(self.recent)

    def flag_news(
        self, number: int, message: Message, *, with_modseq: bool, with_flags: bool = True, with_uid: bool = True
    ) -> bytes:
        shown = [b"UID %d" % message.uid] if with_uid else []
        shown += [b"FLAGS " + self.flags(message)] if with_flags else []
        shown += [b"MODSEQ (%d)" % message.modseq] if with_modseq else []
        return b"* %d FETCH (" % number + b" ".join(shown) + b")"

    def knows_of(self, message: Message) -> None:
        """The client is being told of this message's latest change, or made it and wants no answer."""
        self._told_of[message] = message.modseq

    def flags(self, message: Message) -> bytes:
        flags = sorted(message.flags) + (["\\Recent"] if message.uid in self.recent else [])
        return b"(" + " ".join(flags).encode() + b")"

    def flags_in_use(self) -> str:
        used = {flag for message in self.messages for flag in message.flags}
        return " ".join([*SYSTEM_FLAGS, *sorted(used - set(SYSTEM_FLAGS))])

    def _claim_recent(self) -> None:
        # RFC 3501 §2.3.2: only one session is told, and one that may not change anything does not count.
        self.recent |= self.folder.recent
        if not self.read_only:
            self.folder.recent.clear()
