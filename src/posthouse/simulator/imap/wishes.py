"""What a client wants to be told without asking: NOTIFY (RFC 5465), as far as it is about messages.

Of the selected folder only what `selected` or `selected-delayed` says counts; of every other folder, the first group
that it belongs to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from posthouse.simulator.imap import fetch
from posthouse.simulator.imap.grammar import Arguments, BadSyntax
from posthouse.simulator.mailbox import INBOX, Folder, Refused

SUPPORTED = ("MessageNew", "MessageExpunge", "FlagChange")
_SUPPORTED = {event.upper() for event in SUPPORTED}
_OF_SELECTED = ("SELECTED", "SELECTED-DELAYED")


@dataclass(frozen=True, slots=True)
class Selected:
    """Of the selected folder: FETCH items to show of each new message, and whether expunges are told at once."""

    items: Sequence[fetch.Item]
    at_once: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Some folders, and whether anything is to be told about them."""

    kind: str
    names: tuple[str, ...]
    wanted: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """What NOTIFY has been set to."""

    of_selected: Selected | None
    groups: tuple[Group, ...]
    delimiter: str
    with_status: bool
    """The client wants to know at once how the folders are now."""

    def include(self, folder: Folder) -> bool:
        """Whether to tell about this folder while it is not selected."""
        group = next((group for group in self.groups if self._belongs(folder, group)), None)
        return group is not None and group.wanted

    def _belongs(self, folder: Folder, group: Group) -> bool:
        match group.kind:
            case "PERSONAL":
                return folder.selectable
            case "INBOXES":
                return folder.name == INBOX
            case "SUBSCRIBED":
                return folder.subscribed
            case "MAILBOXES":
                return folder.name in group.names
            case _:
                return any(
                    f"{folder.name}{self.delimiter}".startswith(f"{name}{self.delimiter}") for name in group.names
                )


def parse(arguments: Arguments, delimiter: str) -> Wishes | None:
    """The rest of a NOTIFY command; None is NONE. Raises `BadSyntax`, and `Refused` for events we know nothing of."""
    arguments.space()
    if arguments.word() == "NONE":
        arguments.end()
        return None
    with_status = arguments.take(b" STATUS")
    selected: Selected | None = None
    groups: list[Group] = []
    filters: set[str] = set()
    arguments.expect(b" (")
    while True:
        kind = arguments.word()
        names: tuple[str, ...] = ()
        if kind in ("SUBTREE", "MAILBOXES"):
            arguments.space()
            names = _folders(arguments)
        elif kind not in (*_OF_SELECTED, "INBOXES", "PERSONAL", "SUBSCRIBED"):
            raise BadSyntax(f"Unknown kind of folders {kind}")
        arguments.space()
        events, items = _events(arguments, may_fetch=kind in _OF_SELECTED)
        if kind in _OF_SELECTED:
            if filters & set(_OF_SELECTED):
                raise BadSyntax("The selected folder is meant twice")
            selected = Selected(items, kind == "SELECTED") if events else None
        else:
            groups.append(Group(kind, names, "MESSAGENEW" in events))
        filters.add(kind)
        arguments.expect(b")")
        if not arguments.take(b" ("):
            break
    arguments.end()
    return Wishes(selected, tuple(groups), delimiter, with_status)


def _folders(arguments: Arguments) -> tuple[str, ...]:
    if not arguments.take(b"("):
        return (arguments.mailbox(),)
    names = [arguments.mailbox()]
    while not arguments.take(b")"):
        arguments.space()
        names.append(arguments.mailbox())
    return tuple(names)


def _events(arguments: Arguments, *, may_fetch: bool) -> tuple[set[str], Sequence[fetch.Item]]:
    events: set[str] = set()
    items: Sequence[fetch.Item] = ()
    if arguments.take(b"NONE"):
        return events, items
    arguments.expect(b"(")
    while True:
        event = arguments.word()
        if event not in _SUPPORTED:
            raise Refused("These events are not told", f"BADEVENT ({' '.join(SUPPORTED)})")
        events.add(event)
        if event == "MESSAGENEW" and may_fetch and arguments.take(b" ("):
            items = fetch.parse_list(arguments)
        if arguments.take(b")"):
            break
        arguments.space()
    if not {"MESSAGENEW", "MESSAGEEXPUNGE"} <= events:
        # RFC 5465 §5: one without the other leaves a client that can't count.
        raise BadSyntax("MessageNew and MessageExpunge go together")
    return events, items
