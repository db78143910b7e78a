"""Puts together what a server tells of one message in several FETCH responses.

Most tell everything at once, and it goes straight through. Some send the flags first and the body later, or an
unasked change in between; the pieces belong together by their sequence number, as long as nothing is expunged.
"""

from collections.abc import Iterator

from posthouse.protocols.exchange import RemoteProtocolError
from posthouse.protocols.imap.fetching import Fetched
from posthouse.protocols.imap.uidset import UidSet

ATTRIBUTES = {
    "UID": "uid",
    "FLAGS": "flags",
    "RFC822.SIZE": "size",
    "INTERNALDATE": "internal_date",
    "MODSEQ": "modseq",
    "BODY[]": "body",
    "BODY[HEADER]": "header",
    "EMAILID": "email_id",
    "THREADID": "thread_id",
    "X-GM-MSGID": "gmail_message_id",
    "X-GM-THRID": "gmail_thread_id",
    "X-GM-LABELS": "gmail_labels",
}
MOST_HELD = 10_000  # messages in pieces; they hold no bodies


class Assembly:
    """The messages of one UID FETCH: what is asked of them, which of them were given already."""

    def __init__(self, wanted: UidSet, items: frozenset[str], given: set[int]) -> None:
        self._wanted = wanted
        self._items = items | {"UID"}
        self._needed = self._items & {"UID", "BODY[]", "BODY[HEADER]"}
        self._given = given
        self._held: dict[int, Fetched] = {}
        self._latest = 0  # sequence number of the piece that came last

    def take(self, piece: Fetched) -> Iterator[Fetched]:
        """Add a piece; yields the messages that are finished by it."""
        if self._latest != piece.sequence and self._latest in self._held:
            yield from self._move_on(self._held[self._latest])
        self._latest = piece.sequence
        message = self._merged(piece)
        if message.said >= self._items:
            yield from self._give(message)
            return
        self._held[piece.sequence] = message
        if len(self._held) > MOST_HELD:
            raise RemoteProtocolError("the server tells of messages in pieces that don't fit together")

    def expunge(self, sequence: int) -> None:
        """RFC 3501 §7.4.1: the numbers of all messages behind it are one less now."""
        if gone := self._held.pop(sequence, None):
            gone.close()
        self._held = {place - (place > sequence): message for place, message in self._held.items()}
        self._latest -= self._latest > sequence

    def rest(self) -> Iterator[Fetched]:
        """Yields what never was finished and yet has a UID."""
        while self._held:
            yield from self._give(self._held.pop(next(iter(self._held))))

    def clear(self) -> None:
        for message in self._held.values():
            message.close()
        self._held.clear()

    def _move_on(self, message: Fetched) -> Iterator[Fetched]:
        # The server has turned to another message. A body isn't kept waiting for its UID.
        if message.said >= self._needed or message.body is not None:
            del self._held[self._latest]
            yield from self._give(message)

    def _merged(self, piece: Fetched) -> Fetched:
        message = self._held.pop(piece.sequence, None)
        if message is None:
            return piece
        if message.uid and piece.uid and message.uid != piece.uid:
            message.close()
            return piece
        for name in piece.said & ATTRIBUTES.keys():
            if name == "BODY[]":
                message.close()
            setattr(message, ATTRIBUTES[name], getattr(piece, ATTRIBUTES[name]))
        message.said |= piece.said
        return message

    def _give(self, message: Fetched) -> Iterator[Fetched]:
        if message.uid in self._wanted and message.uid not in self._given:
            self._given.add(message.uid)
            yield message
        else:
            message.close()
