"""What a provider keeps: users, their folders, the messages in them.

A folder numbers its messages (UID, UIDVALIDITY), counts its changes (MODSEQ) and wakes whoever listens. It does
not know who asks; what clients changed is written in the log of `Change`s by the sessions that did it.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class Change:
    """Something a client changed. `what` is the command, or `SEEN` for a FETCH that marked a message as read."""

    user: str
    what: str
    folder: str
    uid: int | None = None
    detail: str = ""


class Refused(Exception):
    """What a user asked of a folder can't be done. `code` is the response code (RFC 5530), or ''."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.text, self.code = text, code


@dataclass(slots=True, eq=False)
class Message:
    """One message in one folder. The bytes are as they were delivered; two messages are never equal."""

    uid: int
    data: bytes
    flags: frozenset[str]
    internal_date: datetime
    modseq: int
    identity: int = 0
    """The same for copies of one message, and 0 where nobody keeps account of it."""
    thread: int = 0


class Folder:
    """Messages in ascending order of UID."""

    def __init__(self, name: str, uid_validity: int, special_use: str = "") -> None:
        self.name = name
        self.uid_validity = uid_validity
        self.special_use = special_use
        self.subscribed = True
        self.messages: list[Message] = []
        self.by_identity: dict[int, Message] = {}
        """The messages that have an identity."""
        self.recent: set[int] = set()
        """UIDs no session has been told about as \\Recent."""
        self.uid_next = 1
        self.highest_modseq = 1
        self.removals = 0
        """How often messages have been removed."""
        self.vanished: list[tuple[int, int]] = []
        """Mod-sequence and UID of what has been removed, in order."""
        self.rebuilt = 0
        """How often the folder has been rebuilt, so that sessions inside know nothing any more."""
        self.listeners: set[Callable[[], None]] = set()
        """Called after every change, in no particular order."""

    @property
    def selectable(self) -> bool:
        return self.special_use != "\\Noselect"

    def add(
        self, data: bytes, flags: Iterable[str], internal_date: datetime, identity: int = 0, thread: int = 0
    ) -> Message:
        self.highest_modseq += 1
        modseq = self.highest_modseq
        message = Message(self.uid_next, data, frozenset(flags), internal_date, modseq, identity, thread)
        self.uid_next += 1
        self.messages.append(message)
        if identity:
            self.by_identity[identity] = message
        self.recent.add(message.uid)
        self._tell()
        return message

    def holds(self, message: Message) -> bool:
        at = bisect_left(self.messages, message.uid, key=lambda each: each.uid)
        return at < len(self.messages) and self.messages[at] is message

    def mark(self, message: Message, flags: frozenset[str]) -> None:
        """Give the message exactly these flags."""
        self.highest_modseq += 1
        message.flags, message.modseq = flags, self.highest_modseq
        self._tell()

    def remove(self, messages: Collection[Message]) -> None:
        gone = {message for message in messages if self.holds(message)}
        if not gone:
            return
        self.highest_modseq += 1
        self.removals += 1
        self.messages = [message for message in self.messages if message not in gone]
        self.recent -= {message.uid for message in gone}
        self.by_identity = {message.identity: message for message in self.messages if message.identity}
        self.vanished += [(self.highest_modseq, uid) for uid in sorted(message.uid for message in gone)]
        self._tell()

    def bump_uid_validity(self) -> None:
        """Say that all UIDs are void, as a server does after a restored backup. Sessions inside are dismissed."""
        self.uid_validity += 1
        self._rebuilt()

    def renumber(self, *, keep_uid_validity: bool = False, reverse: bool = False) -> None:
        """Count the messages from 1 again, in `reverse` order if need be. Sessions inside are dismissed.

        With `keep_uid_validity` nobody is told that the UIDs mean something else now, which no server should do.
        """
        self.highest_modseq += 1
        order = reversed(self.messages) if reverse else self.messages
        self.messages = [replace(message, uid=uid, modseq=self.highest_modseq) for uid, message in enumerate(order, 1)]
        self.by_identity = {message.identity: message for message in self.messages if message.identity}
        self.uid_next = len(self.messages) + 1
        self.recent.clear()
        self.vanished.clear()
        self.uid_validity += not keep_uid_validity
        self._rebuilt()

    def _rebuilt(self) -> None:
        self.rebuilt += 1
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()


@dataclass(eq=False)
class User:
    """Somebody with a mailbox here. Folder names are in Unicode; INBOX is INBOX in any case."""

    address: str
    password: str = field(repr=False)
    delimiter: str
    prefix: str
    files_sent: bool
    """Whether the provider files submitted mail in the Sent folder by itself; may be changed at any time."""
    validities: "count[int]" = field(repr=False)
    folders: dict[str, Folder] = field(default_factory=dict, repr=False)
    sessions: int = 0
    """Of IMAP, at the moment."""
    listeners: set[Callable[[], None]] = field(default_factory=set, repr=False)
    """Called after every change in any folder, in no particular order."""

    # Mail in folders

    def add(self, folder: Folder, data: bytes, flags: Iterable[str], internal_date: datetime) -> Message:
        return folder.add(data, flags, internal_date)

    def copy(self, messages: Iterable[Message], target: Folder) -> list[Message]:
        """The copies, in the same order."""
        return [target.add(each.data, each.flags, each.internal_date) for each in messages]

    def mark(self, folder: Folder, message: Message, flags: frozenset[str]) -> None:
        folder.mark(message, flags)

    def remove(self, folder: Folder, messages: Collection[Message]) -> None:
        folder.remove(messages)

    # Folders

    def folder(self, name: str) -> Folder:
        """Raises `Refused` when there is no such folder."""
        try:
            return self.folders[self._name(name)]
        except KeyError:
            raise Refused("There is no such folder", "NONEXISTENT") from None

    def mail_folder(self, name: str) -> Folder:
        """A folder that can hold mail. Raises `Refused` when there is none."""
        folder = self.folder(name)
        if not folder.selectable:
            raise Refused("There is no mail in this folder", "NONEXISTENT")
        return folder

    def create(self, name: str, special_use: str = "") -> Folder:
        """Create the folder, and those above it."""
        name = self._name(name.removesuffix(self.delimiter))
        if name in self.folders:
            raise Refused("This folder exists already", "ALREADYEXISTS")
        if not name or f"{self.delimiter}{self.delimiter}" in name or name.startswith(self.delimiter):
            raise Refused("A folder needs a name", "CANNOT")
        if name != INBOX and not name.startswith(self.prefix):
            raise Refused(f"All folders are below {self.prefix}", "CANNOT")
        above, _, _ = name.rpartition(self.delimiter)
        if above and self._name(above) not in self.folders:
            self.create(above)
        self.folders[name] = folder = Folder(name, next(self.validities), special_use)
        folder.listeners.add(self._tell)
        return folder

    def delete(self, name: str) -> None:
        folder = self.folder(name)
        if folder.name == INBOX:
            raise Refused("INBOX stays", "CANNOT")
        if self.children(folder):
            raise Refused("There are folders in this folder", "HASCHILDREN")
        del self.folders[folder.name]
        # Whoever is inside sees that it was rebuilt, and leaves.
        folder.bump_uid_validity()

    def rename(self, name: str, new_name: str) -> None:
        """Rename the folder with all below it; of INBOX, move the messages (RFC 3501 §6.3.5)."""
        folder = self.folder(name)
        if folder.name == INBOX:
            target = self.create(new_name)
            moved = tuple(folder.messages)
            self.copy(moved, target)
            self.remove(folder, moved)
            return
        new_name = self._name(new_name)
        if new_name in self.folders:
            raise Refused("A folder of this name exists already", "ALREADYEXISTS")
        if new_name.startswith(folder.name + self.delimiter):
            raise Refused("A folder does not go into itself", "CANNOT")
        above, _, _ = new_name.rpartition(self.delimiter)
        if above and self._name(above) not in self.folders:
            self.create(above)
        old_name = folder.name
        for renamed in [folder, *self.children(folder)]:
            del self.folders[renamed.name]
            renamed.name = new_name + renamed.name.removeprefix(old_name)
            self.folders[renamed.name] = renamed

    def children(self, folder: Folder) -> list[Folder]:
        """All folders below this one, at any depth."""
        return [other for other in self.folders.values() if other.name.startswith(folder.name + self.delimiter)]

    def sent_folder(self) -> Folder:
        for folder in self.folders.values():
            if folder.special_use == "\\Sent":
                return folder
        name = f"{self.prefix}Sent"
        return self.folders[name] if name in self.folders else self.create(name, "\\Sent")

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def _name(self, name: str) -> str:
        first, delimiter, rest = name.partition(self.delimiter)
        return INBOX + delimiter + rest if first.upper() == INBOX else name
