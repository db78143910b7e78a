"""One IMAP connection's conversation, as exchanges (RFC 3501 §3 and §6).

A session knows what the server has said so far and nothing of sockets or time. One exchange runs at a time; one
that ends in an error other than `CommandRefused`, or is left before its end, leaves a session that is of no
further use. Nothing but CAPABILITY and STARTTLS is said before TLS where TLS was asked for.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeGuard

from posthouse.protocols import sasl
from posthouse.protocols.exchange import (
    CommandRefused,
    ConnectionClosed,
    Exchange,
    Give,
    LocalProtocolError,
    NoMechanism,
    Note,
    ProtocolError,
    Receive,
    ReceiveOrWake,
    RemoteProtocolError,
    Send,
    StartTls,
    TlsRefused,
    unheard,
)
from posthouse.protocols.imap import commands
from posthouse.protocols.imap.assembling import Assembly
from posthouse.protocols.imap.encoding import Argument, Literal, Secret, Waiting, astring, shown, uid_set, wire
from posthouse.protocols.imap.fetching import Fetched, item_name
from posthouse.protocols.imap.framing import Framer, Limits, OpenSpill, Part
from posthouse.protocols.imap.responses import (
    Bare,
    Capabilities,
    Continuation,
    Enabled,
    Exists,
    Expunged,
    Flags,
    Folder,
    FolderStatus,
    Found,
    FoundSet,
    Namespaces,
    Response,
    ServerId,
    Status,
    Vanished,
    parse,
)
from posthouse.protocols.imap.uidset import HIGHEST, UidSet
from posthouse.protocols.imap.words import folder_name, number
from posthouse.protocols.masking import Masked

BODY = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]")
"""A whole message. `RFC822` is not asked for: iCloud answers it with nothing, and it sets `\\Seen`."""

LOGIN_COMMAND = "LOGIN-COMMAND"
"""The name under which `authenticate` knows the LOGIN command, which is no SASL mechanism."""

# RFC 7162 §4: servers need not read commands of more than 8192 octets.
LONGEST_SET = 7000


NONE = UidSet()

Folders = list[Folder]  # for `Session.list` takes the name away
Uids = list[int]
Told = list[Response]
Arguments = list[Argument]
Words = list[str]


class BadCommand(CommandRefused):
    """The server answered BAD: it does not know the command, or not in this form."""


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


class Session:
    """One connection, from greeting to logout.

    `capabilities` are upper case and current; `last_words` is what the server said last that is meant for
    people (BYE, ALERT); `server_id` is its answer to ID.
    """

    def __init__(
        self, *, limits: Limits | None = None, note: Note = unheard, open_spill: OpenSpill | None = None
    ) -> None:
        self.capabilities: frozenset[str] = frozenset()
        self.last_words = ""
        self.server_id: dict[str, str] = {}
        self.authenticated = False
        self.selected: Selected | None = None
        self._limits = limits or Limits()
        self._framer = Framer(self._limits, open_spill)
        self._talk = Masked(note)
        self._silent = note is unheard
        self._tags = 0
        self._received = 0  # bytes
        self._running = ""  # tag of the command under way
        self._verb = ""
        self._secure = False
        self._signing_in = False
        self._leaving = False
        self._capabilities_told = False  # since this was last set to False
        self._enabled: frozenset[str] = frozenset()
        self._exists = 0
        self._news = False
        self._list_options: Words | None = None
        self._plain_search = False

    # --- opening ---------------------------------------------------------------------------------------------

    def open(self, *, starttls: bool, secure: bool) -> Exchange[None]:
        """Hear the greeting, upgrade to TLS if asked, learn the capabilities.

        `secure`: TLS is up already. `starttls`: it must be before anything else is said; else `TlsRefused`. A
        server that greets with PREAUTH has us signed in, unless somebody in clear text says so.
        """
        self._secure = secure
        greeting = yield from self._next()
        if not isinstance(greeting, Status) or greeting.tag != "*" or greeting.kind not in ("OK", "PREAUTH"):
            raise RemoteProtocolError("the server does not greet as IMAP servers do")
        if starttls and not secure:
            if greeting.kind == "PREAUTH":
                # RFC 3501 §6.2.1 knows no STARTTLS in this state; a man in the middle would say just this.
                raise TlsRefused("the server signs us in without TLS, which STARTTLS can't follow")
            yield from self._upgrade()
        self.authenticated = greeting.kind == "PREAUTH"
        if not self.capabilities:
            yield from self._ask("CAPABILITY")

    def _upgrade(self) -> Exchange[None]:
        if "STARTTLS" not in self.capabilities:
            yield from self._ask("CAPABILITY")
        if "STARTTLS" not in self.capabilities:
            raise TlsRefused("the server does not offer STARTTLS")
        try:
            yield from self._ask("STARTTLS")
        except CommandRefused as refused:
            raise TlsRefused(f"the server refused STARTTLS: {refused.text}") from refused
        if not self._framer.empty:
            raise TlsRefused("somebody spoke between STARTTLS and the handshake")
        yield StartTls()
        # RFC 3501 §6.2.1: whatever was said in clear text may have been said by anybody.
        self._secure = True
        self.capabilities, self.last_words = frozenset(), ""
        yield from self._ask("CAPABILITY")

    # --- signing in ------------------------------------------------------------------------------------------

    def authenticate(self, credentials: sasl.Credentials, allowed: Sequence[str] = ()) -> Exchange[str]:
        """Sign in by the best mechanism and return its name (`PREAUTH` if the greeting did it).

        The next best is tried only where the server does not understand the command; a refusal is final, for
        more attempts with a wrong password lock accounts. `allowed` may name `LOGIN-COMMAND`, too; without
        `allowed`, or with `LOGIN` in it, that command is the last resort.
        """
        if self.authenticated:
            return "PREAUTH"
        offered = sorted(name.removeprefix("AUTH=") for name in self.capabilities if name.startswith("AUTH="))
        mechanisms = sasl.choose(offered, allowed, credentials, secure=self._secure)
        self._talk.hide(credentials.password, credentials.token)
        attempts = [self._sasl(mechanism) for mechanism in mechanisms]
        if self._may_login(credentials, allowed):
            attempts.append(self._login(credentials))
        if not attempts:
            raise NoMechanism(
                f"no way to sign in: the server offers {', '.join(offered) or 'nothing'}"
                f"{' and refuses LOGIN' if 'LOGINDISABLED' in self.capabilities else ''}, "
                f"the settings allow {', '.join(allowed) or 'all that suit the credentials'}"
            )
        self._capabilities_told = False
        used = yield from first_understood(attempts)
        self.authenticated = True
        # RFC 3501 §6.2.3: the list may change by signing in, and most servers tell it with their OK.
        if not self._capabilities_told:
            yield from self._ask("CAPABILITY")
        return used

    def _may_login(self, credentials: sasl.Credentials, allowed: Sequence[str]) -> bool:
        if "LOGINDISABLED" in self.capabilities or not credentials.password:
            return False
        return not allowed or any(name.upper() in ("LOGIN", LOGIN_COMMAND) for name in allowed)

    def _login(self, credentials: sasl.Credentials) -> Exchange[str]:
        password = Secret(astring(credentials.password))
        yield from self._ask("LOGIN", astring(credentials.username), password)
        return LOGIN_COMMAND

    def _sasl(self, mechanism: sasl.Mechanism) -> Exchange[str]:
        self._talk.hide(*mechanism.secrets())
        initial = mechanism.initial()
        in_command = initial is not None and "SASL-IR" in self.capabilities
        try:
            yield from self._sasl_talk(mechanism, initial, in_command=in_command)
        except BadCommand:
            if not in_command:
                raise
            # Coremail (126.com, 163.com) advertises SASL-IR but answers it with BAD; wait for its "+" instead.
            yield from self._sasl_talk(mechanism, initial, in_command=False)
        return mechanism.name

    def _sasl_talk(self, mechanism: sasl.Mechanism, initial: bytes | None, *, in_command: bool) -> Exchange[None]:
        arguments: Arguments = [mechanism.name.encode()]
        if initial is not None and in_command:
            # RFC 4959 §3: an empty response is written "=".
            arguments.append(Secret(self._hidden(initial) or b"="))
            initial = None
        challenged = False
        try:
            tag = yield from self._start("AUTHENTICATE", *arguments)
            self._signing_in = True
            while not is_end_of(response := (yield from self._answer(tag)), tag):
                if not isinstance(response, Continuation):
                    continue
                challenged = True
                if initial is not None:
                    answer, initial = initial, None
                else:
                    answer = yield from self._respond(tag, mechanism, response.data)
                yield from self._say(self._hidden(answer) + b"\r\n", "***")
        except CommandRefused as refused:
            if not challenged:
                raise
            # Whatever the word: it understood the command, and refused what we answered.
            why = f" ({mechanism.problem})" if mechanism.problem else ""
            text = self._talk.text(refused.text + why)
            raise CommandRefused(text, refused.code, command=refused.command) from refused
        finally:
            self._signing_in = False
        if not mechanism.complete:
            raise RemoteProtocolError("the server let us in without proving that it knows the password")

    def _hidden(self, answer: bytes) -> bytes:
        encoded = b64encode(answer)
        self._talk.hide(encoded.decode())
        return encoded

    def _respond(self, tag: str, mechanism: sasl.Mechanism, challenge: bytes) -> Exchange[bytes]:
        """The mechanism's answer; where it has none, the attempt is cancelled in order and its error raised."""
        try:
            return mechanism.respond(unbase64(challenge))
        except ProtocolError:
            yield from self._say(b"*\r\n", "*")  # RFC 3501 §6.2.2
            with suppress(CommandRefused):
                yield from self._finish(tag)
            raise

    def identify(self, fields: Mapping[str, str]) -> Exchange[dict[str, str]]:
        """Tell who we are and hear who the server is (RFC 2971); `{}` where it does not say.

        Nothing is sent to a server that does not offer ID. Text is told in ASCII, accents dropped.
        """
        if "ID" not in self.capabilities:
            return {}
        told: Told = []
        with suppress(CommandRefused):
            told = yield from self._ask("ID", commands.id_fields(fields), keep=ServerId)
        for response in told:
            if isinstance(response, ServerId):
                self.server_id = response.fields
        return self.server_id

    def enable(self, *wanted: str) -> Exchange[frozenset[str]]:
        """Switch extensions on where they are offered; returns what is on (RFC 5161).

        IMAP4rev2 is never switched on: too many servers speak it by half.
        """
        if "ENABLE" not in self.capabilities:
            return self._enabled
        names = [name.upper() for name in wanted if name.upper() in self.capabilities]
        names = [name for name in names if name != "IMAP4REV2" and name not in self._enabled]
        if names:
            try:
                yield from self._ask("ENABLE", *map(astring, names))
            except CommandRefused:
                # Some refuse the whole for one word that they don't know.
                for name in names if len(names) > 1 else ():
                    with suppress(CommandRefused):
                        yield from self._ask("ENABLE", astring(name))
        return self._enabled

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

    def fetch_sizes(self, uids: Iterable[int] | str) -> Exchange[dict[int, int]]:
        """RFC822.SIZE by UID, of the messages of which it is told."""
        messages = yield from gathered(self.fetch(uids, ("UID", "RFC822.SIZE")))
        return {message.uid: message.size for message in messages if message.size is not None}

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

    def idle(self) -> Exchange[bool]:
        """Wait until the mailbox changes. True: there is news. False: we were woken, or the server ended it.

        Returns at once, and says nothing, when there was news since the folder was selected or looked at last.
        """
        if self._news:
            self._news = False
            return True
        tag = yield from self._start("IDLE")
        while not isinstance(response := (yield from self._answer(tag)), Continuation):
            if is_end_of(response, tag):
                return self._take_news()
        ended = False
        while not (self._news or ended):
            parts = self._framer.response()
            if parts is None:
                data = yield from self._received_by(ReceiveOrWake())
                if data is None:
                    break
                self._feed(data)
                continue
            response = self._heard(parts)
            if isinstance(response, Status) and response.tag != "*":
                self._judge(response)
                ended = True
        if not ended:
            yield from self._say(b"DONE\r\n", "DONE")
            yield from self._finish(tag)
        return self._take_news()

    def noop(self) -> Exchange[bool]:
        """Give the server occasion to speak. True: there was news since the folder was last looked at."""
        yield from self._ask("NOOP")
        return self._take_news()

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

    # --- one command -----------------------------------------------------------------------------------------

    def _ask(self, verb: str, *arguments: Argument, keep: type | tuple[type, ...] = ()) -> Exchange[Told]:
        """Run one command; returns the responses of the kinds to keep, the tagged one among them."""
        tag = yield from self._start(verb, *arguments)
        kept: Told = []
        before = self._received
        while not is_end_of(response := (yield from self._answer(tag)), tag):
            if isinstance(response, keep):
                kept.append(response)
                if self._received - before > self._limits.answer:
                    raise RemoteProtocolError(f"the server answered with more than {self._limits.answer} bytes")
        return [*kept, response] if isinstance(response, keep) else kept

    def _start(self, verb: str, *arguments: Argument) -> Exchange[str]:
        """Send a command, waiting where a literal has to; returns its tag."""
        tag = f"A{self._tags + 1}"
        words = (verb.encode(), *arguments)
        pieces = wire(tag, words, self._waiting())
        self._tags += 1
        self._running, self._verb = tag, verb
        yield from self._say(pieces[0], "" if self._silent else shown(tag, words))
        for piece in pieces[1:]:
            while not isinstance(response := (yield from self._answer(tag)), Continuation):
                if is_end_of(response, tag):
                    raise RemoteProtocolError(f"the server ended {verb} in the middle")
            yield Send(piece)
        return tag

    def _finish(self, tag: str) -> Exchange[Status]:
        while True:
            response = yield from self._answer(tag)
            if is_end_of(response, tag):
                return response

    def _answer(self, tag: str) -> Exchange[Response]:
        """The next response. `CommandRefused` when it is the command's NO or BAD."""
        response = yield from self._next()
        if is_end_of(response, tag):
            self._judge(response)
        return response

    def _judge(self, status: Status) -> None:
        self._running = ""
        text = self._talk.text(status.text or status.code or status.kind)
        if status.kind == "BYE" and not self._leaving:
            raise ConnectionClosed(self._talk.text(status.words))
        if status.kind == "NO":
            raise CommandRefused(text, status.code, command=self._verb)
        if status.kind == "BAD":
            raise BadCommand(text, status.code, command=self._verb)

    def _next(self) -> Exchange[Response]:
        while (parts := self._framer.response()) is None:
            self._feed((yield from self._received_by(Receive())))
        return self._heard(parts)

    def _received_by(self, want: Receive | ReceiveOrWake) -> Exchange[bytes | None]:
        try:
            return (yield want)
        except BaseException:  # whoever runs us has given up
            self._framer.abandon()
            raise

    def _feed(self, data: bytes | None) -> None:
        if not data:
            self._framer.abandon()
            raise ConnectionClosed(self.last_words or "the server closed the connection")
        self._received += len(data)
        self._framer.feed(data)

    def _say(self, data: bytes, shown: str) -> Exchange[None]:
        self._talk.client(shown)
        yield Send(data)

    def _waiting(self) -> Waiting:
        if "LITERAL+" in self.capabilities:
            return Waiting.NEVER
        return Waiting.OVER_4096 if "LITERAL-" in self.capabilities else Waiting.ALWAYS

    def _mailbox(self, name: str | bytes) -> bytes | Literal:
        return commands.mailbox(name, utf8="UTF8=ACCEPT" in self._enabled)

    # --- what the server says --------------------------------------------------------------------------------

    def _heard(self, parts: Sequence[Part]) -> Response:
        """Note a response, read it, and remember what it tells about the session."""
        if not self._silent:
            self._note(parts)
        response = parse(parts, self._limits)
        match response:
            case Status():
                self._heard_status(response)
            case Capabilities(names):
                self.capabilities, self._capabilities_told = names, True
            case Enabled(names):
                self._enabled |= names
            case Exists(count):
                self._news |= count != self._exists
                self._exists = count
            case Expunged():
                self._news = True
                self._exists = max(0, self._exists - 1)
            case Vanished(earlier=False, uids=uids):
                self._news = True
                self._exists = max(0, self._exists - len(uids))
            case Fetched():
                # Unasked, somebody changed a flag; asked for, it is no news.
                self._news |= self._verb not in ("UID FETCH", "FETCH", "EXAMINE", "SELECT")
                if self._verb != "UID FETCH":
                    response.close()
            case Bare(text):
                if not self._running or not BARE_BAD.search(text):
                    raise RemoteProtocolError(f"the server does not speak IMAP: {self._talk.text(text[:200])!r}")
                return Status(self._running, "BAD", text=text)
        return response

    def _heard_status(self, status: Status) -> None:
        if status.tag not in ("*", self._running):
            raise RemoteProtocolError(f"the server answered to {status.tag[:40]!r}, which we did not ask")
        if status.code == "CAPABILITY" and status.argument:
            self.capabilities = frozenset(status.argument.upper().split())
            self._capabilities_told = True
        if status.code == "ALERT" or status.kind == "BYE":
            self.last_words = self._talk.text(status.words)
        if status.kind == "BYE" and status.tag == "*" and not self._leaving:
            raise ConnectionClosed(self.last_words)

    def _take_news(self) -> bool:
        news, self._news = self._news, False
        return news

    def _note(self, parts: Sequence[Part]) -> None:
        line = b"".join(part for part in parts[::2] if isinstance(part, bytes)).decode("utf-8", "replace")
        self._talk.server("+ ***" if self._signing_in and line.startswith("+") else line)


# --- around a session ----------------------------------------------------------------------------------------

SELECTING = (Status, Exists, Flags, Vanished, Fetched)
FOUND = (Found, FoundSet)
NO_LONGER_EXIST = re.compile("no longer exist", re.IGNORECASE)
BARE_BAD = re.compile("unavailable|throttled", re.IGNORECASE)


def is_end_of(response: Response, tag: str) -> TypeGuard[Status]:
    return isinstance(response, Status) and response.tag == tag


def first_understood(attempts: Iterable[Exchange[str]]) -> Exchange[str]:
    """Run the first of these exchanges whose command the server understands."""
    *others, last = attempts
    for attempt in others:
        with suppress(BadCommand):
            return (yield from attempt)
    return (yield from last)


def gathered(exchange: Exchange[None]) -> Exchange[list[Any]]:
    """Run an exchange and keep what it gives."""
    values: list[Any] = []
    answer: bytes | None = None
    while True:
        try:
            want = exchange.send(answer)
        except StopIteration:
            return values
        if isinstance(want, Give):
            values.append(want.value)
            answer = None
        else:
            answer = yield want


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


def unbase64(challenge: bytes) -> bytes:
    """A challenge decoded, or as it is where it is not base64: some prompt in plain text."""
    with suppress(ValueError):
        return b64decode(challenge.strip(), validate=True)
    return challenge
