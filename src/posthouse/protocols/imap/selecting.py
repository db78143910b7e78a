"""What SELECT and EXAMINE tell of a folder (RFC 3501 §7.1, RFC 4315, RFC 7162, RFC 8474)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from posthouse.protocols.imap.fetching import Fetched
from posthouse.protocols.imap.responses import (
    Exists,
    Flags,
    Response,
    Status,
    Vanished,
)
from posthouse.protocols.imap.uidset import HIGHEST, UidSet
from posthouse.protocols.imap.words import number

NONE = UidSet()
SELECTING = (Status, Exists, Flags, Vanished, Fetched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A folder as it was when it was selected. What the server did not say, or said wrongly, is `None`."""

    folder: str
    uid_validity: int | None = None
    uid_next: int | None = None
    exists: int = 0
    highest_modseq: int | None = None
    flags: tuple[str, ...] = ()
    permanent_flags: tuple[str, ...] = ()
    read_only: bool = True
    uid_not_sticky: bool = False  # RFC 4315: UIDs will not be the same the next time
    mailbox_id: str | None = None  # RFC 8474
    vanished: UidSet = NONE  # QRESYNC: gone since
    changed: tuple[Fetched, ...] = ()  # QRESYNC: new or with other flags since


def selection(selected: Selected, told: Iterable[Response]) -> Selected:
    """What the responses to SELECT say of the folder."""
    fresh, changed = selected, list[Fetched]()
    for response in told:
        match response:
            case Status(code="CLOSED"):
                selected, changed = fresh, []  # RFC 7162 §3.2.11: until here, it was about the folder before
            case Status(code="UIDVALIDITY", argument=number):
                selected = replace(selected, uid_validity=positive(number, HIGHEST))
            case Status(code="UIDNEXT", argument=number):
                selected = replace(selected, uid_next=positive(number, HIGHEST))
            case Status(code="HIGHESTMODSEQ", argument=number):
                selected = replace(selected, highest_modseq=positive(number))
            case Status(code="NOMODSEQ"):
                selected = replace(selected, highest_modseq=None)
            case Status(code="UIDNOTSTICKY"):
                selected = replace(selected, uid_not_sticky=True)
            case Status(code="PERMANENTFLAGS", argument=words):
                selected = replace(selected, permanent_flags=tuple(words.strip("()").split()))
            case Status(code="MAILBOXID", argument=words):
                selected = replace(selected, mailbox_id=words.strip("()") or None)
            case Status(code="READ-ONLY" | "READ-WRITE" as code):
                selected = replace(selected, read_only=code == "READ-ONLY")
            case Exists(count):
                selected = replace(selected, exists=count)
            case Flags(flags):
                selected = replace(selected, flags=flags)
            case Vanished(earlier=True, uids=uids):
                selected = replace(selected, vanished=uids)
            case Fetched(uid=uid) if uid:
                changed.append(response)
    return replace(selected, changed=tuple(changed))


def positive(digits: str, highest: int = 2**63 - 1) -> int | None:
    return number(digits.encode(), highest) or None
