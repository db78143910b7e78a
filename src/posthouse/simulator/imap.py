"""The IMAP server: one session of one client (RFC 3501 and the extensions of the profile).

What the client has selected and knows of it is a `View`; `COMMANDS`, at the end, says what may be asked when.
"""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from posthouse.simulator import fetch, sasl, search
from posthouse.simulator.grammar import (
    LITERAL,
    Arguments,
    BadSyntax,
    quoted,
    shown_folder,
    shown_set,
)
from posthouse.simulator.mailbox import INBOX, Change, Folder, Message, Refused, User
from posthouse.simulator.office import Office
from posthouse.simulator.view import View
from posthouse.simulator.wire import Hangup, Wire

LONGEST_LINE = 1024 * 1024
LARGEST_LITERAL_OF_A_STRANGER = 8192
FLUSH_AT = 64 * 1024

_TAG = re.compile(rb'([^\x00-\x20\x7f(){%*"\\+]+) ')


class State(IntEnum):
    """What a client must have reached for a command."""

    ANY = 0
    SIGNED_IN = 1
    SELECTED = 2


@dataclass(frozen=True, slots=True)
class Call:
    """One command of the client's."""

    tag: str
    verb: str
    arguments: Arguments
    by_uid: bool


class Session:
    """Serves one connection until one side has had enough."""

    def __init__(self, office: Office, wire: Wire) -> None:
        self.office, self.wire = office, wire
        self.user: User | None = None
        self.selected: View | None = None
        self.wants_modseq = False
        self._out = bytearray()

    async def run(self) -> None:
        try:
            await self._greet()
            while True:
                if (line := await self._command()) is not None:
                    await self._obey(line)
        except asyncio.CancelledError:
            self.wire.last_words(b"* BYE The server is shutting down\r\n")
            raise
        finally:
            self._leave()

    # Reading and answering

    async def _greet(self) -> None:
        if self.office.faults.preauth and self.office.users:
            self.user = next(iter(self.office.users.values()))
        word = "PREAUTH" if self.user else "OK"
        await self._say(f"* {word} [CAPABILITY {self._capabilities()}] Simulated mail server ready")
        await self._flush()

    async def _command(self) -> bytes | None:
        """The next whole command, literals in place, without its last line break; None if it was refused."""
        limit = self.office.profile.largest_message if self.user else LARGEST_LITERAL_OF_A_STRANGER
        line = await self.wire.line(LONGEST_LINE)
        command = [line]
        while literal := LITERAL.search(line):
            size, synchronising = int(literal[1]), not literal[2]
            if not synchronising and not self._offers("LITERAL+"):
                break
            if size > limit:
                tag = line.split(b" ")[0].decode("latin-1") if len(command) == 1 else "*"
                await self._say(f"{tag} NO [TOOBIG] That is too large")
                await self._flush()
                if synchronising:
                    return None
                raise Hangup  # It comes all the same (RFC 7888 §4).
            if synchronising:
                await self._say("+ Go ahead")
                await self._flush()
            command.append(await self.wire.exactly(size))
            line = await self.wire.line(LONGEST_LINE)
            command.append(line)
        if not line.endswith(b"\r\n"):
            await self._say("* BAD A line ends with CR and LF")
            await self._flush()
            return None
        return b"".join(command)[:-2]

    async def _obey(self, line: bytes) -> None:
        self._leave_if_void()
        tag = _TAG.match(line)
        if not tag:
            await self._say("* BAD Expected a tag and a command")
            await self._flush()
            return
        arguments = Arguments(line[tag.end() :])
        name = tag[1].decode("latin-1")
        by_uid = False
        verb = ""
        try:
            verb = arguments.word()
            if verb == "UID":
                by_uid = True
                arguments.space()
                verb = arguments.word()
            command = self._known(verb, by_uid)
            answer = self._fault(verb) or await command.run(self, Call(name, verb, arguments, by_uid))
        except BadSyntax as error:
            answer = f"BAD {error}"
        except Refused as error:
            answer = f"NO [{error.code}] {error}" if error.code else f"NO {error}"
        if answer:
            # RFC 3501 §7.4.1: numbers do not change while commands that use them are under way.
            await self._tell_news(expunges=by_uid or verb not in ("FETCH", "STORE", "SEARCH"))
            await self._say(f"{name} {answer}")
        await self._flush()

    def _known(self, verb: str, by_uid: bool) -> "Command":
        command = COMMANDS.get(verb)
        if command is None or (command.extension and not self._offers(command.extension)):
            raise BadSyntax(f"Unknown command {verb}")
        if by_uid and not (command.by_uid or (verb == "EXPUNGE" and self._offers("UIDPLUS"))):
            raise BadSyntax(f"{verb} does not go by UID")
        if command.state > State.ANY and self.user is None:
            raise BadSyntax("Sign in first")
        if command.state == State.SELECTED and self.selected is None:
            raise BadSyntax("Select a folder first")
        return command

    def _fault(self, verb: str) -> str | None:
        faults = self.office.faults
        if verb in faults.imap_answers:
            return faults.imap_answers[verb]
        if self.user and verb not in ("CAPABILITY", "LOGOUT"):
            if faults.ok_then_bad:
                return "BAD User is authenticated but not connected."
            if faults.throttle is not None:
                return f"BAD Request is throttled. Suggested Backoff Time: {faults.throttle} milliseconds"
        return None

    async def _say(self, line: str | bytes) -> None:
        self._out += line.encode("utf-8") if isinstance(line, str) else line
        self._out += b"\r\n"
        if len(self._out) >= FLUSH_AT:
            await self._flush()

    async def _flush(self) -> None:
        if self._out:
            out = bytes(self._out)
            self._out.clear()
            await self.wire.send(out)

    def _offers(self, extension: str) -> bool:
        return extension in self.office.profile.capabilities

    def _may_sign_in(self) -> bool:
        return self.wire.secure or self.office.profile.sign_in_on_clear_text

    def _capabilities(self) -> str:
        words = list(self.office.profile.capabilities)
        if self.user is None:
            if self.office.tls and not self.wire.secure:
                words.append("STARTTLS")
            if self._may_sign_in():
                words += [f"AUTH={mechanism}" for mechanism in self.office.profile.mechanisms]
            else:
                words.append("LOGINDISABLED")
        return " ".join(words)

    # In any state

    async def capability(self, call: Call) -> str:
        call.arguments.end()
        await self._say(f"* CAPABILITY {self._capabilities()}")
        return "OK Done"

    async def noop(self, call: Call) -> str:
        call.arguments.end()
        return "OK Nothing done"

    async def logout(self, call: Call) -> str:
        call.arguments.end()
        await self._say("* BYE Goodbye")
        await self._say(f"{call.tag} OK Logged out")
        await self._flush()
        raise Hangup

    async def id(self, call: Call) -> str:
        call.arguments.space()
        if call.arguments.take(b"("):
            while not call.arguments.take(b")"):
                call.arguments.nstring()
                call.arguments.take(b" ")
        else:
            call.arguments.expect(b"NIL")
        call.arguments.end()
        await self._say('* ID ("name" "Posthouse simulator")')
        return "OK Done"

    # Signing in

    async def starttls(self, call: Call) -> str:
        call.arguments.end()
        tls = self.office.tls
        if tls is None or self.wire.secure or self.user:
            raise BadSyntax("There is no STARTTLS here")
        if self.wire.pending:
            # Somebody in the middle may have spoken for the client (CVE-2011-0411).
            await self._say("* BYE Nothing is said between STARTTLS and the handshake")
            await self._flush()
            raise Hangup
        await self.wire.send(f"{call.tag} OK Begin TLS\r\n".encode("latin-1") + self.office.faults.starttls_injection)
        await self.wire.start_tls(tls)
        return ""

    async def login(self, call: Call) -> str:
        call.arguments.space()
        username = call.arguments.astring()
        call.arguments.space()
        password = call.arguments.astring()
        call.arguments.end()
        self._check_may_sign_in()
        return self._signed_in(sasl.with_password(self.office.users, username, password))

    async def authenticate(self, call: Call) -> str:
        call.arguments.space()
        mechanism = call.arguments.word()
        initial: bytes | None = None
        try:
            if self._offers("SASL-IR") and call.arguments.take(b" "):
                # RFC 4959: an initial response that is empty is sent as "=".
                initial = b"" if call.arguments.take(b"=") else sasl.decoded(call.arguments.astring())
            call.arguments.end()
            self._check_may_sign_in()
            if mechanism not in self.office.profile.mechanisms:
                raise Refused("This mechanism is not offered", "CANNOT")
            return self._signed_in(await sasl.authenticate(mechanism, initial, self._challenge, self.office.users))
        except sasl.Cancelled:
            return "BAD Cancelled"

    async def _challenge(self, challenge: bytes) -> bytes:
        await self._say(b"+ " + base64.b64encode(challenge))
        await self._flush()
        return sasl.decoded(await self.wire.line(LONGEST_LINE))

    def _check_may_sign_in(self) -> None:
        if self.user:
            raise BadSyntax("You have signed in already")
        if not self._may_sign_in():
            raise Refused("Start TLS first", "PRIVACYREQUIRED")

    def _signed_in(self, user: User | None) -> str:
        self.user = self.office.admit(user)
        if self.user is None:
            return "NO [AUTHENTICATIONFAILED] Wrong username or password"
        return f"OK [CAPABILITY {self._capabilities()}] Signed in"

    # Folders

    async def enable(self, call: Call) -> str:
        call.arguments.space()
        wanted = [call.arguments.word()]
        while call.arguments.take(b" "):
            wanted.append(call.arguments.word())
        call.arguments.end()
        enabled = [word for word in wanted if word == "CONDSTORE" and self._offers(word)]
        self.wants_modseq = self.wants_modseq or bool(enabled)
        await self._say(" ".join(["* ENABLED", *enabled]))
        return "OK Done"

    async def namespace(self, call: Call) -> str:
        call.arguments.end()
        delimiter = quoted(self.office.profile.delimiter)
        await self._say(b'* NAMESPACE (("" ' + delimiter + b")) NIL NIL")
        return "OK Done"

    async def select(self, call: Call) -> str:
        call.arguments.space()
        name = call.arguments.mailbox()
        if call.arguments.take(b" "):
            parameters = call.arguments.words()
            if parameters != ["CONDSTORE"] or not self._offers("CONDSTORE"):
                raise BadSyntax("Unknown parameter")
            self.wants_modseq = True
        call.arguments.end()
        self._leave()  # RFC 3501 §6.3.1: a SELECT that fails leaves nothing selected.
        folder = self._user.folder(name)
        self.selected = view = View(folder, read_only=call.verb == "EXAMINE")
        folder.listeners.add(self.wire.stir)
        flags = view.flags_in_use()
        unseen = next((n for n, message in enumerate(view.messages, 1) if "\\Seen" not in message.flags), None)
        await self._say(f"* FLAGS ({flags})")
        for line in view.counts(self.office.faults.exists_off_by):
            await self._say(line)
        if unseen:
            await self._say(f"* OK [UNSEEN {unseen}] The first unread message")
        permanent = "" if view.read_only else f"{flags} \\*"
        await self._say(f"* OK [PERMANENTFLAGS ({permanent})] What can be changed")
        await self._say(f"* OK [UIDVALIDITY {folder.uid_validity}] UIDs are valid")
        if not self.office.faults.forget_uid_next:
            await self._say(f"* OK [UIDNEXT {folder.uid_next}] The next UID")
        if self._offers("CONDSTORE"):
            await self._say(f"* OK [HIGHESTMODSEQ {folder.highest_modseq}] The latest change")
        return f"OK [{'READ-ONLY' if view.read_only else 'READ-WRITE'}] Selected"

    async def create(self, call: Call) -> str:
        name = self._only_name(call)
        self._user.create(name)
        self._record(call.verb, name)
        return "OK Created"

    async def delete(self, call: Call) -> str:
        name = self._only_name(call)
        if self.selected and self.selected.folder is self._user.folder(name):
            self._leave()
        self._user.delete(name)
        self._record(call.verb, name)
        return "OK Deleted"

    async def rename(self, call: Call) -> str:
        call.arguments.space()
        name = call.arguments.mailbox()
        call.arguments.space()
        new_name = call.arguments.mailbox()
        call.arguments.end()
        self._user.rename(name, new_name)
        self._record(call.verb, name, detail=new_name)
        return "OK Renamed"

    async def subscribe(self, call: Call) -> str:
        folder = self._user.folder(self._only_name(call))
        folder.subscribed = call.verb == "SUBSCRIBE"
        self._record(call.verb, folder.name)
        return "OK Done"

    async def list_folders(self, call: Call) -> str:
        arguments = call.arguments
        arguments.space()
        selection: list[str] = []
        extended = self._offers("LIST-EXTENDED") and call.verb == "LIST"
        if (extended or self._offers("SPECIAL-USE")) and arguments.next_is(b"("):
            selection = arguments.words()
            arguments.space()
        reference = arguments.mailbox()
        arguments.space()
        patterns: list[str] = []
        if extended and arguments.take(b"("):
            patterns.append(arguments.list_mailbox())
            while not arguments.take(b")"):
                arguments.space()
                patterns.append(arguments.list_mailbox())
        else:
            patterns.append(arguments.list_mailbox())
        returns, status = self._list_returns(arguments) if extended else (set(), [])
        arguments.end()
        if set(selection) - {"SUBSCRIBED", "SPECIAL-USE", "REMOTE", "RECURSIVEMATCH"}:
            raise BadSyntax("Unknown selection option")
        if patterns == [""]:
            delimiter = quoted(self.office.profile.delimiter)
            await self._say(b"* " + call.verb.encode() + b" (\\Noselect) " + delimiter + b' ""')
            return "OK Done"
        if self.office.faults.empty_list:
            return "OK Listed"
        wanted = [self._pattern(reference + pattern) for pattern in patterns]
        for folder in sorted(self._user.folders.values(), key=lambda each: (each.name != INBOX, each.name)):
            if not any(pattern.fullmatch(folder.name) for pattern in wanted):
                continue
            if (call.verb == "LSUB" or "SUBSCRIBED" in selection) and not folder.subscribed:
                continue
            if "SPECIAL-USE" in selection and not folder.special_use:
                continue
            await self._say(self._listed(call.verb, folder, returns | set(selection)))
            if status:
                await self._say(self._status(folder, status))
        return "OK Listed"

    async def status(self, call: Call) -> str:
        call.arguments.space()
        folder = self._user.folder(call.arguments.mailbox())
        call.arguments.space()
        items = call.arguments.words()
        call.arguments.end()
        await self._say(self._status(folder, items))
        return "OK Done"

    async def append(self, call: Call) -> str:
        arguments = call.arguments
        arguments.space()
        name = arguments.mailbox()
        arguments.space()
        flags: frozenset[str] = frozenset()
        if arguments.next_is(b"("):
            flags = arguments.flags()
            arguments.space()
        moment = self.office.now()
        if arguments.next_is(b'"'):
            moment = arguments.date_time()
            arguments.space()
        if not arguments.next_is_literal():
            raise BadSyntax("Expected the message as a literal")
        data = arguments.astring()
        arguments.end()
        folder = self._target(name)
        message = folder.add(data, flags - {"\\Recent"}, moment)
        self._record(call.verb, folder.name, message.uid)
        code = f"[APPENDUID {folder.uid_validity} {message.uid}] " if self._offers("UIDPLUS") else ""
        return f"OK {code}Appended"

    # In a folder

    async def close(self, call: Call) -> str:
        call.arguments.end()
        if call.verb == "CLOSE" and not self._view.read_only:
            self._expunge(call.verb, [message for message in self._view.messages if "\\Deleted" in message.flags])
        self._leave()
        return "OK Closed"

    async def expunge(self, call: Call) -> str:
        candidates: Iterable[Message] = self._view.messages
        if call.by_uid:
            call.arguments.space()
            candidates = [message for _, message in self._view.numbered(call.arguments.sequence_set(), by_uid=True)]
        call.arguments.end()
        self._check_writable()
        self._expunge(call.verb, [message for message in candidates if "\\Deleted" in message.flags])
        return "OK Expunged"

    async def search_messages(self, call: Call) -> str:
        call.arguments.space()
        if call.arguments.next_is(b"RETURN ") and not self._offers("ESEARCH"):
            raise BadSyntax("Unknown search key RETURN")
        asked = search.parse(
            call.arguments,
            largest=len(self._view.messages),
            largest_uid=self._view.last_uid,
            recent=self._view.recent,
        )
        if asked.uses_modseq:
            if not self._offers("CONDSTORE"):
                raise BadSyntax("Unknown search key MODSEQ")
            self.wants_modseq = True
        found = [(n, message) for n, message in enumerate(self._view.messages, 1) if asked.test(message, n)]
        numbers = [message.uid if call.by_uid else n for n, message in found]
        latest = max((message.modseq for _, message in found), default=0) if asked.uses_modseq else 0
        if asked.returns is None:
            shown = "".join(f" {number}" for number in numbers)
            await self._say(f"* SEARCH{shown}" + (f" (MODSEQ {latest})" if latest else ""))
            return "OK Searched"
        answer = [f"* ESEARCH (TAG {quoted(call.tag).decode()})"]
        answer += ["UID"] if call.by_uid else []
        if numbers:
            ends = {"MIN": str(numbers[0]), "MAX": str(numbers[-1]), "ALL": shown_set(numbers)}
            answer += [f"{option} {shown}" for option, shown in ends.items() if option in asked.returns]
        if "COUNT" in asked.returns:
            answer.append(f"COUNT {len(numbers)}")
        if latest:
            answer.append(f"MODSEQ {latest}")
        await self._say(" ".join(answer))
        return "OK Searched"

    async def fetch_messages(self, call: Call) -> str:
        arguments = call.arguments
        arguments.space()
        ranges = arguments.sequence_set()
        arguments.space()
        items = fetch.parse(arguments)
        since = -1
        if self._offers("CONDSTORE") and arguments.take(b" (CHANGEDSINCE "):
            since = arguments.number()
            arguments.expect(b")")
            self.wants_modseq = True
        arguments.end()
        if any(item.name == "MODSEQ" for item in items):
            if not self._offers("CONDSTORE"):
                raise BadSyntax("Unknown item MODSEQ")
            self.wants_modseq = True
        for number, message in self._view.numbered(ranges, by_uid=call.by_uid):
            if message.modseq > since:
                await self._say_fetched(call, number, message, items, always_modseq=since >= 0)
        return "OK Fetched"

    async def store(self, call: Call) -> str:
        arguments = call.arguments
        arguments.space()
        ranges = arguments.sequence_set()
        arguments.space()
        unchanged_since: int | None = None
        if self._offers("CONDSTORE") and arguments.take(b"(UNCHANGEDSINCE "):
            unchanged_since = arguments.number()
            arguments.expect(b") ")
            self.wants_modseq = True
        sign = next((sign for sign in (b"+", b"-") if arguments.take(sign)), b"")
        arguments.expect(b"FLAGS")
        silent = arguments.take(b".SILENT")
        arguments.space()
        flags = arguments.flags() - {"\\Recent"}
        arguments.end()
        self._check_writable()
        folder = self._view.folder
        modified: list[int] = []
        for number, message in self._view.numbered(ranges, by_uid=call.by_uid):
            if not folder.holds(message):
                continue
            if unchanged_since is not None and message.modseq > unchanged_since:
                modified.append(message.uid if call.by_uid else number)
                continue
            new = {b"+": message.flags | flags, b"-": message.flags - flags}.get(sign, flags)
            if new != message.flags:
                folder.mark(message, new)
                self._record(call.verb, folder.name, message.uid, " ".join(sorted(new)))
            self._view.knows_of(message)
            if not silent or self.wants_modseq:
                await self._say(
                    self._view.flag_news(
                        number, message, with_modseq=self.wants_modseq, with_flags=not silent, with_uid=call.by_uid
                    )
                )
        code = f"[MODIFIED {shown_set(modified)}] " if modified else ""
        return f"OK {code}Stored"

    async def copy(self, call: Call) -> str:
        call.arguments.space()
        ranges = call.arguments.sequence_set()
        call.arguments.space()
        name = call.arguments.mailbox()
        call.arguments.end()
        target = self._target(name)
        if call.verb == "MOVE":
            self._check_writable()
        numbered = self._view.numbered(ranges, by_uid=call.by_uid)
        originals = [message for _, message in numbered if self._view.folder.holds(message)]
        copies = [target.add(each.data, each.flags, each.internal_date) for each in originals]
        for original, message in zip(originals, copies, strict=True):
            self._record(call.verb, self._view.folder.name, original.uid, f"{target.name} {message.uid}")
        code = ""
        if originals and self._offers("UIDPLUS"):
            sets = (shown_set(message.uid for message in messages) for messages in (originals, copies))
            code = f"[COPYUID {target.uid_validity} {' '.join(sets)}] "
        if call.verb == "COPY":
            return f"OK {code}Copied"
        if code:
            await self._say(f"* OK {code}Moved")
        self._view.folder.remove(originals)
        return "OK Moved"

    async def idle(self, call: Call) -> str:
        call.arguments.end()
        await self._say("+ Idling")
        await self._flush()
        while (line := self.wire.line_if_any(LONGEST_LINE)) is None:
            self._leave_if_void()
            if not self.office.faults.deaf_idle:
                await self._tell_news(expunges=True)
                await self._flush()
            await self.wire.stirring()
        if line.strip().upper() != b"DONE":
            raise BadSyntax("Expected DONE")
        return "OK Idled"

    # What the session knows of its folder

    @property
    def _user(self) -> User:
        assert self.user, "the table of commands says who needs a user"
        return self.user

    @property
    def _view(self) -> View:
        assert self.selected, "the table of commands says who needs a folder"
        return self.selected

    def _leave(self) -> None:
        if self.selected:
            self.selected.folder.listeners.discard(self.wire.stir)
        self.selected = None

    def _leave_if_void(self) -> None:
        if self.selected and self.selected.void:
            self.wire.last_words(b"* BYE The folder was rebuilt, come again\r\n")
            raise Hangup

    async def _tell_news(self, *, expunges: bool) -> None:
        if self.selected:
            off_by = self.office.faults.exists_off_by
            news = self.selected.news(expunges=expunges, with_modseq=self.wants_modseq, exists_off_by=off_by)
            for line in news:
                await self._say(line)

    async def _say_fetched(
        self, call: Call, number: int, message: Message, items: Sequence[fetch.Item], *, always_modseq: bool
    ) -> None:
        faults = self.office.faults
        named = {item.name for item in items}
        shown = list(items)
        if call.by_uid and "UID" not in named:
            shown.insert(0, fetch.Item("UID", b"UID"))
        if any(item.marks_seen for item in items) and self._mark_seen(message) and "FLAGS" not in named:
            shown.append(fetch.Item("FLAGS", b"FLAGS"))
        if always_modseq and "MODSEQ" not in named:
            shown.append(fetch.Item("MODSEQ", b"MODSEQ"))
        self._out += b"* %d FETCH (" % number
        if faults.endless_line:
            await self._pour(b'X-NOISE "', None)
        between = b""
        for item in shown:
            if item.name in faults.omit:
                continue
            self._out += between + item.label + b" "
            between = b" "
            value = fetch.value(item, message, self._view.flags(message))
            if isinstance(value, fetch.Literal):
                await self._put_literal(value.data)
            else:
                self._out += value
        await self._say(b")")

    async def _put_literal(self, data: bytes) -> None:
        faults = self.office.faults
        if faults.huge_literal is not None:
            await self._pour(b"{%d}\r\n" % faults.huge_literal, faults.huge_literal)
            return
        self._out += b"{%d}\r\n" % len(data)
        if faults.cut_literal_at is not None:
            await self._say(data[: faults.cut_literal_at])
            await self._say("* BYE Server shutting down")
            await self._flush()
            raise Hangup
        self._out += data

    async def _pour(self, start: bytes, size: int | None) -> None:
        """Send `size` bytes of nothing much, or for ever: until the client has had enough."""
        self._out += start
        while size is None or size > 0:
            piece = min(FLUSH_AT, FLUSH_AT if size is None else size)
            self._out += b"x" * piece
            size = None if size is None else size - piece
            await self._flush()
            # A client that keeps up would keep us from everybody else.
            await asyncio.sleep(0)

    def _mark_seen(self, message: Message) -> bool:
        if self._view.read_only or "\\Seen" in message.flags or not self._view.folder.holds(message):
            return False
        self._view.folder.mark(message, message.flags | {"\\Seen"})
        self._view.knows_of(message)
        self._record("SEEN", self._view.folder.name, message.uid, "\\Seen")
        return True

    def _expunge(self, verb: str, messages: Sequence[Message]) -> None:
        gone = [message for message in messages if self._view.folder.holds(message)]
        for message in gone:
            self._record(verb, self._view.folder.name, message.uid)
        if gone:
            self._view.folder.remove(gone)

    def _check_writable(self) -> None:
        if self._view.read_only:
            raise Refused("The folder is open for reading only", "CANNOT")

    def _record(self, what: str, folder: str, uid: int | None = None, detail: str = "") -> None:
        self.office.changes.append(Change(self._user.address, what, folder, uid, detail))

    # Names, lists and counts

    def _only_name(self, call: Call) -> str:
        call.arguments.space()
        name = call.arguments.mailbox()
        call.arguments.end()
        return name

    def _target(self, name: str) -> Folder:
        try:
            return self._user.folder(name)
        except Refused as error:
            raise Refused(error.text, "TRYCREATE") from None

    def _pattern(self, pattern: str) -> re.Pattern[str]:
        delimiter = re.escape(self.office.profile.delimiter)
        wild = {"*": ".*", "%": f"[^{delimiter}]*"}
        if pattern.upper() == INBOX:
            pattern = INBOX
        return re.compile("".join(wild.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)

    def _list_returns(self, arguments: Arguments) -> tuple[set[str], list[str]]:
        options: set[str] = set()
        status: list[str] = []
        if not arguments.take(b" RETURN ("):
            return options, status
        while not arguments.take(b")"):
            option = arguments.word()
            options.add(option)
            if option == "STATUS" and self._offers("LIST-STATUS"):
                arguments.space()
                status = arguments.words()
            elif option not in ("SPECIAL-USE", "CHILDREN", "SUBSCRIBED"):
                raise BadSyntax(f"Unknown return option {option}")
            arguments.take(b" ")
        return options, status

    def _listed(self, verb: str, folder: Folder, options: set[str]) -> bytes:
        attributes: list[str] = []
        if self._offers("CHILDREN"):
            attributes.append("\\HasChildren" if self._user.children(folder) else "\\HasNoChildren")
        if folder.special_use and self._offers("SPECIAL-USE"):
            attributes.append(folder.special_use)
        if folder.subscribed and "SUBSCRIBED" in options:
            attributes.append("\\Subscribed")
        head = f"* {verb} ({' '.join(attributes)}) ".encode()
        return head + quoted(self.office.profile.delimiter) + b" " + shown_folder(folder.name)

    def _status(self, folder: Folder, items: Iterable[str]) -> bytes:
        counts = {
            "MESSAGES": max(0, len(folder.messages) + self.office.faults.exists_off_by),
            "RECENT": len(folder.recent),
            "UIDNEXT": folder.uid_next,
            "UIDVALIDITY": folder.uid_validity,
            "UNSEEN": sum("\\Seen" not in message.flags for message in folder.messages),
        }
        if self._offers("CONDSTORE"):
            counts["HIGHESTMODSEQ"] = folder.highest_modseq
        try:
            shown = " ".join(f"{item} {counts[item]}" for item in items)
        except KeyError as error:
            raise BadSyntax(f"Unknown status item {error}") from error
        return b"* STATUS " + shown_folder(folder.name) + f" ({shown})".encode()


@dataclass(frozen=True, slots=True)
class Command:
    """A command's doer answers with what follows the tag, or '' when it has said so itself."""

    run: Callable[[Session, Call], Awaitable[str]]
    state: State
    extension: str = ""
    by_uid: bool = False


COMMANDS = {
    "CAPABILITY": Command(Session.capability, State.ANY),
    "NOOP": Command(Session.noop, State.ANY),
    "LOGOUT": Command(Session.logout, State.ANY),
    "ID": Command(Session.id, State.ANY, "ID"),
    "STARTTLS": Command(Session.starttls, State.ANY),
    "LOGIN": Command(Session.login, State.ANY),
    "AUTHENTICATE": Command(Session.authenticate, State.ANY),
    "ENABLE": Command(Session.enable, State.SIGNED_IN, "ENABLE"),
    "NAMESPACE": Command(Session.namespace, State.SIGNED_IN, "NAMESPACE"),
    "SELECT": Command(Session.select, State.SIGNED_IN),
    "EXAMINE": Command(Session.select, State.SIGNED_IN),
    "CREATE": Command(Session.create, State.SIGNED_IN),
    "DELETE": Command(Session.delete, State.SIGNED_IN),
    "RENAME": Command(Session.rename, State.SIGNED_IN),
    "SUBSCRIBE": Command(Session.subscribe, State.SIGNED_IN),
    "UNSUBSCRIBE": Command(Session.subscribe, State.SIGNED_IN),
    "LIST": Command(Session.list_folders, State.SIGNED_IN),
    "LSUB": Command(Session.list_folders, State.SIGNED_IN),
    "STATUS": Command(Session.status, State.SIGNED_IN),
    "APPEND": Command(Session.append, State.SIGNED_IN),
    "IDLE": Command(Session.idle, State.SIGNED_IN, "IDLE"),
    "CHECK": Command(Session.noop, State.SELECTED),
    "CLOSE": Command(Session.close, State.SELECTED),
    "UNSELECT": Command(Session.close, State.SELECTED, "UNSELECT"),
    "EXPUNGE": Command(Session.expunge, State.SELECTED),
    "SEARCH": Command(Session.search_messages, State.SELECTED, by_uid=True),
    "FETCH": Command(Session.fetch_messages, State.SELECTED, by_uid=True),
    "STORE": Command(Session.store, State.SELECTED, by_uid=True),
    "COPY": Command(Session.copy, State.SELECTED, by_uid=True),
    "MOVE": Command(Session.copy, State.SELECTED, "MOVE", by_uid=True),
}
