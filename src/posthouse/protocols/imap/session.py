"""One IMAP connection's conversation, as exchanges (RFC 3501 §3 and §6).

A session knows what the server has said so far and nothing of sockets or time. One exchange runs at a time; one
that ends in an error other than `CommandRefused`, or is left before its end, leaves a session that is of no
further use. Nothing but CAPABILITY and STARTTLS is said before TLS where TLS was asked for.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from posthouse.protocols.exchange import (
    CommandRefused,
    Count,
    Exchange,
    Give,
    LocalProtocolError,
    Note,
    ProtocolError,
    ReceiveOrWake,
    RemoteProtocolError,
    uncounted,
    unheard,
)
from posthouse.protocols.imap import commands
from posthouse.protocols.imap.assembling import Assembly
from posthouse.protocols.imap.conversation import BadCommand, is_end_of
from posthouse.protocols.imap.encoding import Argument, Literal, uid_set
from posthouse.protocols.imap.fetching import Fetched, item_name
from posthouse.protocols.imap.framing import Limits, OpenSpill
from posthouse.protocols.imap.opening import LOGIN_COMMAND, Opening
from posthouse.protocols.imap.responses import (
    Continuation,
    Expunged,
    Folder,
    FolderStatus,
    Found,
    FoundSet,
    Namespaces,
    Response,
    Status,
)
from posthouse.protocols.imap.selecting import SELECTING, Selected, positive, selection
from posthouse.protocols.imap.uidset import HIGHEST, UidSet
from posthouse.protocols.imap.words import folder_name

__all__ = ["BODY", "LOGIN_COMMAND", "BadCommand", "Selected", "Session"]

BODY = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]")
"""A whole message. `RFC822` is not asked for: iCloud answers it with nothing, and it sets `\\Seen`."""

# RFC 7162 §4: servers need not read commands of more than 8192 octets.
LONGEST_SET = 7000

FOUND = (Found, FoundSet)
NO_LONGER_EXIST = re.compile("no longer exist", re.IGNORECASE)

Folders = list[Folder]  # for `Session.list` takes the name away
Uids = list[int]
Arguments = list[Argument]
Words = list[str]


class Session(Opening):
    """One connection, from greeting to logout.

    `capabilities` are upper case and current; `last_words` is what the server said last that is meant for
    people (BYE, ALERT); `server_id` is its answer to ID.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        note: Note = unheard,
        count: Count = uncounted,
        open_spill: OpenSpill | None = None,
    ) -> None:
        super().__init__(limits=limits, note=note, count=count, open_spill=open_spill)
        self.selected: Selected | None = None
        self._list_options: Words | None = None
        self._plain_search = False

    # --- folders ---------------------------------------------------------------------------------------------

    def list(self, reference: str = "", pattern: str = "*") -> Exchange[Folders]:
        """The folders that match, with their special uses where the server knows them.

        `list()` never returns nothing: INBOX always exists, so an empty answer is `RemoteProtocolError`, not
        a mailbox without folders.
        """
        while True:
            options = self._options_of_list()
            arguments: Arguments = [self._mailbox(reference), self._mailbox(pattern)]
            if options:
                arguments += [b"RETURN", tuple(option.encode() for option in options)]
            try:
                told = yield from self._ask("LIST", *arguments, keep=Folder)
            except BadCommand:
                if not options:
                    raise
                options.pop()  # advertised and not understood; one less, for the rest of this connection
                continue
            folders = [folder for folder in told if isinstance(folder, Folder) and folder.raw]
            if not folders and (reference, pattern) == ("", "*"):
                raise RemoteProtocolError("the server lists no folder at all")
            return folders

    def _options_of_list(self) -> Words:
        # RFC 5258 §4: once there are options, what is not asked for is not told.
        if self._list_options is None:
            offered = "LIST-EXTENDED" in self.capabilities
            self._list_options = ["CHILDREN", "SUBSCRIBED"] if offered else []
            if offered and "SPECIAL-USE" in self.capabilities:
                self._list_options.insert(0, "SPECIAL-USE")
        return self._list_options

    def namespace(self) -> Exchange[Namespaces]:
        """Where personal, others' and shared folders are; all empty where the server does not offer it."""
        if "NAMESPACE" not in self.capabilities:
            return Namespaces()
        told = yield from self._ask("NAMESPACE", keep=Namespaces)
        return next((response for response in told if isinstance(response, Namespaces)), Namespaces())

    def status(self, folder: str | bytes, items: Sequence[str]) -> Exchange[dict[str, int]]:
        """Numbers of a folder that need not be selected; those that the server left out are not there."""
        wanted = tuple(map(commands.fetch_item, items))
        told = yield from self._ask("STATUS", self._mailbox(folder), wanted, keep=FolderStatus)
        return next((response.numbers for response in told if isinstance(response, FolderStatus)), {})

    def select(
        self, folder: str | bytes, *, read_only: bool = True, qresync: tuple[int, int] | None = None
    ) -> Exchange[Selected]:
        """Open a folder, read-only by EXAMINE; `bytes` is a raw name as LIST gave it.

        `qresync` is the UIDVALIDITY and the mod-sequence last seen, and needs QRESYNC enabled. After a refusal
        no folder is selected. UIDNEXT is looked up where the server does not tell it and a message is there.
        """
        self.selected = None  # RFC 3501 §6.3.1: also when it fails
        verb, name = "EXAMINE" if read_only else "SELECT", self._mailbox(folder)
        parameters = self._parameters_of_select(qresync)
        self._exists, self._news = 0, False
        try:
            told = yield from self._ask(verb, name, *parameters, keep=SELECTING)
        except BadCommand:
            if not parameters:
                raise
            told = yield from self._ask(verb, name, keep=SELECTING)
        text = folder_name(folder) if isinstance(folder, bytes) else folder
        selected = selection(Selected(folder=text, read_only=read_only), told)
        if selected.uid_next is None and selected.exists:
            selected = replace(selected, uid_next=(yield from self._uid_after(selected.exists)))
        self.selected = selected
        self._news = False
        return selected

    def _parameters_of_select(self, qresync: tuple[int, int] | None) -> Arguments:
        if qresync and "QRESYNC" in self._enabled:
            uid_validity, modseq = qresync
            return [(b"QRESYNC", (b"%d" % uid_validity, b"%d" % modseq))]
        return [(b"CONDSTORE",)] if self.capabilities & {"CONDSTORE", "QRESYNC"} else []

    def _uid_after(self, sequence: int) -> Exchange[int | None]:
        # Not by `*`, which some servers refuse.
        with suppress(CommandRefused):
            told = yield from self._ask("FETCH", b"%d" % sequence, (b"UID",), keep=Fetched)
            uids = [message.uid for message in told if isinstance(message, Fetched) and message.uid]
            return max(uids, default=HIGHEST) + 1 if uids else None
        return None

    # --- messages --------------------------------------------------------------------------------------------

    def search(self, criteria: str = "ALL", *, uids: str | None = None) -> Exchange[Uids]:
        """UIDs of the messages that match, ascending, each once; `uids` (`5:9`, `7:*`) looks only at these.

        Raises `LocalProtocolError` for criteria that can't be read. A server that knows no UTF-8 is asked
        without it.
        """
        keys = commands.search_keys(criteria)
        arguments = ((b"UID", uid_set(uids)) if uids else ()) + keys.arguments
        charset = keys.beyond_ascii and "UTF8=ACCEPT" not in self._enabled  # RFC 6855 §3
        try:
            found = yield from self._search(arguments, charset=charset)
        except CommandRefused as refused:
            if not charset or refused.code != "BADCHARSET":
                raise
            found = yield from self._search(arguments, charset=False)
        # RFC 3501 §6.4.8: `7:*` includes the last message even where its UID is 3.
        within = UidSet.parse(uids) if uids else None
        return sorted({uid for uid in found if uid > 0 and (within is None or uid in within)})

    def _search(self, arguments: Sequence[Argument], *, charset: bool) -> Exchange[Uids]:
        if charset:
            arguments = (b"CHARSET", b"UTF-8", *arguments)
        # RFC 4731 answers with ranges: 300,000 messages in one short line.
        if "ESEARCH" in self.capabilities and not self._plain_search:
            with suppress(BadCommand):
                told = yield from self._ask("UID SEARCH", b"RETURN", (b"ALL",), *arguments, keep=FOUND)
                found = found_in(told)
                # Some (Strato, Arcor) find nothing this way, whatever is there.
                if found or (found is not None and (tuple(arguments) != (b"ALL",) or not self._exists)):
                    return found
            self._plain_search = True
        return found_in((yield from self._ask("UID SEARCH", *arguments, keep=FOUND))) or []

    @property
    def body_items(self) -> tuple[str, ...]:
        """`BODY` and everything by which this server tells one message from another."""
        items = [*BODY]
        if self.selected and self.selected.highest_modseq:
            items.insert(-1, "MODSEQ")
        if "OBJECTID" in self.capabilities:
            items[-1:-1] = ["EMAILID", "THREADID"]
        if "X-GM-EXT-1" in self.capabilities:
            items[-1:-1] = ["X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"]
        return tuple(items)

    def fetch(
        self, uids: Iterable[int] | str, items: Sequence[str] = BODY, *, changed_since: int | None = None
    ) -> Exchange[None]:
        """`Give` a `Fetched` for each of these messages, as it comes and in the server's order.

        UIDs may be numbers or a set as text (`7:*`). Messages that are gone, or of which the server does not
        tell the UID, are not given; one is given whose body the server does not tell. Each is given once.
        Many scattered UIDs are asked for in several commands. Bodies on disk are closed by whoever is given
        them.
        """
        wanted = UidSet.parse(str(uid_set(uids), "ascii")) if isinstance(uids, str) else numbers_of(uids)
        names = tuple(map(commands.fetch_item, items))
        modifier = ((b"CHANGEDSINCE", b"%d" % changed_since),) if changed_since is not None else ()
        given: set[int] = set()
        for line in wanted.in_lines(LONGEST_SET):
            yield from self._fetch(line, wanted, (names, *modifier), frozenset(map(item_name, items)), given)

    def _fetch(
        self,
        line: str,
        wanted: UidSet,
        arguments: Sequence[Argument],
        items: frozenset[str],
        given: set[int],
    ) -> Exchange[None]:
        tag = yield from self._start("UID FETCH", line.encode(), *arguments)
        assembly = Assembly(wanted, items, given)
        try:
            while True:
                response = yield from self._next()
                if is_end_of(response, tag):
                    break
                if isinstance(response, Fetched):
                    for message in assembly.take(response):
                        yield Give(message)
                elif isinstance(response, Expunged):
                    assembly.expunge(response.sequence)
            for message in assembly.rest():
                yield Give(message)
        finally:
            assembly.clear()
        try:
            self._judge(response)
        except CommandRefused as refused:
            # Cyrus, Exchange and others: not a failure, what is there has been told.
            if refused.code != "EXPUNGEISSUED" and not NO_LONGER_EXIST.search(refused.text):
                raise

    # --- waiting, adding, leaving ----------------------------------------------------------------------------

    @property
    def exists(self) -> int:
        """How many messages are in the selected folder, as far as the server has told."""
        return self._exists

    @property
    def has_news(self) -> bool:
        """Whether there was news since the folder was selected or looked at last."""
        return self._news

    def idle(self) -> Exchange[bool]:
        """Wait until the mailbox changes. True: there is news. False: we were woken, or the server ended it.

        Returns at once, and says nothing, when there was news since the folder was selected or looked at last. The
        session goes on idling until something else is asked: to wait again costs nothing.
        """
        if self._news:
            return self._take_news()
        if not self._idling:
            yield from self._go_idling((yield from self._start("IDLE")))
        while not self._news and self._idling:
            parts = self._framer.response()
            if parts is None:
                data = yield from self._received_by(ReceiveOrWake())
                if data is None:
                    break
                self._feed(data)
                continue
            response = self._heard(parts)
            if isinstance(response, Status) and response.tag != "*":
                self._idling = ""
                self._judge(response)
        return self._take_news()

    def _go_idling(self, tag: str) -> Exchange[None]:
        while not isinstance(response := (yield from self._answer(tag)), Continuation):
            if is_end_of(response, tag):
                return
        self._idling = tag

    def notify(self, folders: Sequence[str | bytes]) -> Exchange[None]:
        """Have the server tell of new mail in these folders too, beside the selected one (NOTIFY, RFC 5465 §5).

        From now on `idle` ends for news in any of them. `CommandRefused` where the server won't.
        """
        events: Argument = (b"MessageNew", b"MessageExpunge")
        others = (b"MAILBOXES", tuple(self._mailbox(folder) for folder in folders), events)
        yield from self._ask("NOTIFY", b"SET", (b"SELECTED", events), others)

    def noop(self, *, one_by_one: bool = False) -> Exchange[bool]:
        """Give the server occasion to speak. True: there was news since the folder was last looked at.

        In a session that idles this is one round trip, and it idles on; unless `one_by_one`, for servers that lose
        commands which they are sent together, contrary to RFC 3501 §5.5.
        """
        if self._idling and not one_by_one:
            yield from self._noop_idling()
        else:
            yield from self._ask("NOOP")
        return self._take_news()

    def _noop_idling(self) -> Exchange[None]:
        ended, noop, idle = self._idling, f"A{self._tags + 1}", f"A{self._tags + 2}"
        self._tags += 2
        self._count("NOOP")
        self._count("IDLE")
        self._idling = ""
        yield from self._say(f"DONE\r\n{noop} NOOP\r\n{idle} IDLE\r\n".encode(), f"DONE, {noop} NOOP, {idle} IDLE")
        yield from self._finish(ended)
        self._running, self._verb = noop, "NOOP"
        yield from self._finish(noop)
        self._running, self._verb = idle, "IDLE"
        yield from self._go_idling(idle)

    def append(
        self,
        folder: str | bytes,
        message: bytes,
        flags: Sequence[str] = (),
        date: datetime | None = None,
    ) -> Exchange[tuple[int, int] | None]:
        """Add a message to a folder. Returns its UIDVALIDITY and UID where the server tells (RFC 4315).

        `CommandRefused` with code `TRYCREATE`: the folder does not exist.
        """
        arguments: Arguments = [self._mailbox(folder)]
        if flags:
            arguments.append(tuple(map(commands.flag, flags)))
        if date:
            arguments.append(commands.date_time(date))
        tag = yield from self._start("APPEND", *arguments, Literal(message))
        done = yield from self._finish(tag)
        if done.code != "APPENDUID":
            return None
        uid_validity, uid = [*(positive(word, HIGHEST) for word in done.argument.split()), None, None][:2]
        return (uid_validity, uid) if uid_validity and uid else None

    def logout(self) -> Exchange[None]:
        """Say goodbye. Never fails: whatever the server answers, or that it does not, it is the end."""
        self._leaving = True
        with suppress(ProtocolError):
            yield from self._ask("LOGOUT")


def found_in(told: Iterable[Response]) -> list[int] | None:
    """The numbers of all search results in here; `None` when there is no result, not even an empty one."""
    results = [result for result in told if isinstance(result, FOUND)]
    if not results:
        return None
    return [n for result in results for n in (result.numbers if isinstance(result, Found) else result.uids or ())]


def numbers_of(uids: Iterable[int]) -> UidSet:
    try:
        return UidSet.of(uids)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from error
