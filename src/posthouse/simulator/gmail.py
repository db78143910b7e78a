"""Gmail's own: folders are labels, and one message may bear many of them.

Each folder numbers its own copy of a message; copies of one message share `identity`, `thread` and flags. What bears
any label at all is in All Mail, unless it is in Spam or Trash, which are places and not labels.
"""

import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from posthouse.simulator import content
from posthouse.simulator.mailbox import INBOX, Folder, Message, User

SYSTEM_LABELS = {"\\Sent": "\\Sent", "\\Drafts": "\\Draft"}
PLACES = ("\\All", "\\Junk", "\\Trash")
_FIRST_IDENTITY = 1_800_000_000_000_000_001
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")


@dataclass(eq=False)
class LabelledUser(User):
    """A user whose folders are labels. Only what goes through the user's own methods is labelled."""

    identities: "count[int]" = field(default_factory=lambda: count(_FIRST_IDENTITY), repr=False)
    threads: dict[str, int] = field(default_factory=dict, repr=False)
    """By Message-ID."""

    def add(self, folder: Folder, data: bytes, flags: Iterable[str], internal_date: datetime) -> Message:
        identity = next(self.identities)
        message = folder.add(data, flags, internal_date, identity, self._thread(data, identity))
        if folder.special_use not in PLACES:
            self._file(message, self._place("\\All"))
        return message

    def copy(self, messages: Iterable[Message], target: Folder) -> list[Message]:
        copies: list[Message] = []
        for message in messages:
            copies.append(self._file(message, target))
            if target.special_use in ("\\Junk", "\\Trash"):
                gone_from = [folder for folder in self.folders.values() if folder is not target]
            else:
                self._file(message, self._place("\\All"))
                gone_from = [self._place("\\Junk"), self._place("\\Trash")]
            for folder in gone_from:
                _take_off(message, folder)
        return copies

    def mark(self, folder: Folder, message: Message, flags: frozenset[str]) -> None:
        folder.mark(message, flags)
        shared = flags - {"\\Deleted"}
        for other, twin in self._twins(message):
            own = twin.flags & {"\\Deleted"}
            if other is not folder and twin.flags != shared | own:
                other.mark(twin, shared | own)

    def remove(self, folder: Folder, messages: Collection[Message]) -> None:
        """Take the label off. In All Mail nothing happens: there is no label to take off."""
        if folder.special_use != "\\All":
            folder.remove(messages)

    def labels(self, message: Message, selected: Folder) -> list[str]:
        """The message's labels, without that of the folder which the client looks at."""
        labels = [self._label(folder) for folder, _ in self._twins(message) if folder is not selected]
        if "\\Flagged" in message.flags:
            labels.append("\\Starred")
        return sorted(label for label in labels if label)

    def relabel(self, message: Message, selected: Folder, sign: bytes, labels: Collection[str]) -> None:
        """STORE X-GM-LABELS: add (`+`), take off (`-`) or replace. A label that is new becomes a folder."""
        now = {self._label(folder) for folder, _ in self._twins(message)} - {""}
        own = self._label(selected)
        wished = {b"+": now | set(labels), b"-": now - set(labels)}.get(sign, set(labels) | ({own} & now))
        for label in sorted(wished - now - {"\\Starred"}):
            self.copy([message], self._labelled(label))
        for label in sorted(now - wished):
            _take_off(message, self._labelled(label))
        if "\\Starred" in labels:
            starred = message.flags - {"\\Flagged"} if sign == b"-" else message.flags | {"\\Flagged"}
            self.mark(selected, message, frozenset(starred))

    def _file(self, message: Message, folder: Folder) -> Message:
        """The copy in this folder, which is made if need be."""
        if twin := folder.by_identity.get(message.identity):
            return twin
        return folder.add(message.data, message.flags, message.internal_date, message.identity, message.thread)

    def _twins(self, message: Message) -> Iterator[tuple[Folder, Message]]:
        for folder in self.folders.values():
            if twin := folder.by_identity.get(message.identity):
                yield folder, twin

    def _place(self, special_use: str) -> Folder:
        return next(folder for folder in self.folders.values() if folder.special_use == special_use)

    def _label(self, folder: Folder) -> str:
        if folder.special_use in PLACES:
            return ""
        return "\\Inbox" if folder.name == INBOX else SYSTEM_LABELS.get(folder.special_use, folder.name)

    def _labelled(self, label: str) -> Folder:
        for folder in self.folders.values():
            if self._label(folder) == label:
                return folder
        return self.create(label)

    def _thread(self, data: bytes, identity: int) -> int:
        header, _ = content.split(data)
        named = [content.field_value(header, name) or "" for name in ("references", "in-reply-to", "message-id")]
        numbers = [number for value in named for number in _MESSAGE_ID.findall(value[: content.LONGEST_FIELD])]
        thread = next((self.threads[number] for number in numbers if number in self.threads), identity)
        self.threads.update(dict.fromkeys(numbers, thread))
        return thread


def _take_off(message: Message, folder: Folder) -> None:
    if twin := folder.by_identity.get(message.identity):
        folder.remove([twin])


Meets = Callable[[Message], bool]


def raw_search(text: str) -> Meets:
    """X-GM-RAW, of which simple words are understood: all of them must be met.

    Words and "phrases" are looked for in the whole message, `from:`, `to:`, `cc:`, `subject:` and `rfc822msgid:` in
    their fields; `is:read`, `is:unread`, `is:starred` and `has:attachment` are what they say; `-` before any denies it.
    """
    try:
        words = shlex.split(text.lower())
    except ValueError:
        words = text.lower().split()
    tests = [_word(word) for word in words]
    return lambda message: all(test(message) for test in tests)


_FIELDS = {"from": "from", "to": "to", "cc": "cc", "subject": "subject", "rfc822msgid": "message-id"}
_STATES: dict[str, Meets] = {
    "is:read": lambda message: "\\Seen" in message.flags,
    "is:unread": lambda message: "\\Seen" not in message.flags,
    "is:starred": lambda message: "\\Flagged" in message.flags,
    "has:attachment": lambda message: any(
        (content.field_value(part.header, "content-disposition") or "").lower().startswith("attachment")
        for part in content.walk(content.parse(message.data))
    ),
}


def _word(word: str) -> Meets:
    if word.startswith("-") and len(word) > 1:
        denied = _word(word[1:])
        return lambda message: not denied(message)
    if word in _STATES:
        return _STATES[word]
    name, colon, wanted = word.partition(":")
    if colon and name in _FIELDS:
        return lambda message: wanted in _field(message, _FIELDS[name])
    return lambda message: (
        any(word in _field(message, each) for each in ("from", "to", "cc", "subject"))
        or (word in content.readable_body(content.parse(message.data)).lower())
    )


def _field(message: Message, name: str) -> str:
    value = content.field_value(content.split(message.data)[0], name) or ""
    return content.readable(value).lower()
