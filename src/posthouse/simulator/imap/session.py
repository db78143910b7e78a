"""One session of one client: reading commands, answering them, and telling what is new.

What the client has selected and knows of it is a `View`. What the commands do is written elsewhere: a session is given
the table of them.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from posthouse.simulator.gmail import LabelledUser
from posthouse.simulator.imap import fetch
from posthouse.simulator.imap.grammar import LITERAL, SMALL_LITERAL, Arguments, BadSyntax, shown_folder, shown_label
from posthouse.simulator.imap.view import View
from posthouse.simulator.imap.wishes import Wishes
from posthouse.simulator.mailbox import Change, Folder, Message, Refused, User
from posthouse.simulator.office import Office
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


@dataclass(frozen=True, slots=True)
class Command:
    """A command's doer answers with what follows the tag, or '' when it has said so itself."""

    run: Callable[["Session", Call], Awaitable[str]]
    state: State
    extension: str = ""
    by_uid: bool = False


class Session:
    """Serves one connection until one side has had enough."""

    def __init__(self, office: Office, wire: Wire, commands: Mapping[str, Command]) -> None:
        self.office, self.wire, self.commands = office, wire, commands
        self.selected: View | None = None
        self.wants_modseq = False
        self.vanishing = False
        """QRESYNC is enabled: expunges are told by UID."""
        self.wishes: Wishes | None = None
        """What NOTIFY has been set to."""
        self.told: dict[Folder, tuple[int, int]] = {}
        """The folders NOTIFY is about: how many messages and which UIDNEXT the client knows of."""
        self._user: User | None = None
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
            self.leave()
            if self._user:
                self._user.sessions -= 1
                self._user.listeners.discard(self.wire.stir)

    # Reading and answering

    async def _greet(self) -> None:
        await self._trouble("CONNECT")
        if self.office.faults.preauth and self.office.users:
            self.sign_in(next(iter(self.office.users.values())))
            self.office.faults.struck("preauth")
        word = "PREAUTH" if self._user else "OK"
        await self.say(f"* {word} [CAPABILITY {self.capabilities()}] Simulated mail server ready")
        await self.flush()

    async def _command(self) -> bytes | None:
        """The next whole command, literals in place, without its last line break; None if it was refused."""
        limit = self.office.profile.largest_message if self._user else LARGEST_LITERAL_OF_A_STRANGER
        while (line := self.wire.line_if_any(LONGEST_LINE)) is None:
            await self._tell_unasked()
            await self.wire.stirring()
        command = [line]
        while literal := LITERAL.search(line):
            size, synchronising = int(literal[1]), not literal[2]
            if not synchronising and not self._takes_unasked(size):
                break
            if size > limit:
                tag = line.split(b" ")[0].decode("latin-1") if len(command) == 1 else "*"
                await self.say(f"{tag} NO [TOOBIG] That is too large")
                await self.flush()
                if synchronising:
                    return None
                raise Hangup  # It comes all the same (RFC 7888 §4).
            if synchronising:
                await self.say("+ Go ahead")
                await self.flush()
            command.append(await self.wire.exactly(size))
            line = await self.wire.line(LONGEST_LINE)
            command.append(line)
        if not line.endswith(b"\r\n"):
            await self.say("* BAD A line ends with CR and LF")
            await self.flush()
            return None
        return b"".join(command)[:-2]

    async def _obey(self, line: bytes) -> None:
        self.leave_if_void()
        tag = _TAG.match(line)
        if not tag:
            await self.say("* BAD Expected a tag and a command")
            await self.flush()
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
            await self._trouble(verb)
            answer = self._fault(verb) or await command.run(self, Call(name, verb, arguments, by_uid))
        except BadSyntax as error:
            answer = f"BAD {error}"
        except Refused as error:
            answer = f"NO [{error.code}] {error}" if error.code else f"NO {error}"
        if self.office.faults.at("lose_answer", verb):
            raise Hangup
        if answer:
            # RFC 3501 §7.4.1: numbers do not change while commands that use them are under way.
            await self.tell_news(verb, expunges=by_uid or verb not in ("FETCH", "STORE", "SEARCH"))
            await self.tell_of_other_folders()
            await self.say(f"{name} {await self._slowly(answer)}")
        await self.flush()

    def _known(self, verb: str, by_uid: bool) -> Command:
        command = self.commands.get(verb)
        if command is None or (command.extension and not self.offers(command.extension)):
            raise BadSyntax(f"Unknown command {verb}")
        if by_uid and not (command.by_uid or (verb == "EXPUNGE" and self.offers("UIDPLUS"))):
            raise BadSyntax(f"{verb} does not go by UID")
        if command.state > State.ANY and self._user is None:
            raise BadSyntax("Sign in first")
        if command.state == State.SELECTED and self.selected is None:
            raise BadSyntax("Select a folder first")
        return command

    async def _trouble(self, point: str) -> None:
        """What goes wrong before anything is done, and is worse than an answer."""
        faults = self.office.faults
        faults.roll()
        if faults.delay:
            await asyncio.sleep(faults.delay)
            faults.struck("delay")
        if faults.at("stall_at", point):
            await self.wire.silence()
        if faults.at("imap_cut_at", point):
            raise Hangup
        if faults.at("bye_at", point):
            await self.say("* BYE Server shutting down")
            await self.flush()
            raise Hangup

    def _fault(self, verb: str) -> str:
        """What the client is told instead, or ''."""
        faults = self.office.faults
        answer = faults.imap_answers.get(verb) or faults.imap_answers.get("*", "")
        if answer:
            faults.struck("imap_answers")
        elif self._user and verb not in ("CAPABILITY", "LOGOUT"):
            if faults.ok_then_bad:
                faults.struck("ok_then_bad")
                answer = "BAD User is authenticated but not connected."
            elif faults.throttle is not None and not self.office.profile.slows_down:
                answer = f"BAD Request is throttled. Suggested Backoff Time: {faults.throttle} milliseconds"
                faults.struck("throttle")
        return answer

    async def _slowly(self, answer: str) -> str:
        faults = self.office.faults
        if self._user and self.office.profile.slows_down and faults.throttle is not None:
            await asyncio.sleep(faults.throttle / 1000)
            faults.struck("throttle")
            return f"{answer} [THROTTLED]"
        return answer

    async def say(self, line: str | bytes) -> None:
        self._out += line.encode("utf-8") if isinstance(line, str) else line
        self._out += b"\r\n"
        if len(self._out) >= FLUSH_AT:
            await self.flush()

    async def flush(self) -> None:
        if self._out:
            out = bytes(self._out)
            self._out.clear()
            await self.wire.send(out)

    # What is offered, and to whom

    def offers(self, extension: str) -> bool:
        return extension in self.office.profile.capabilities

    def may_sign_in(self) -> bool:
        return self.wire.secure or self.office.profile.sign_in_on_clear_text

    def capabilities(self) -> str:
        words = list(self.office.profile.capabilities)
        if self._user is None:
            if self.office.tls and not self.wire.secure:
                words.append("STARTTLS")
            if self.may_sign_in():
                words += [f"AUTH={mechanism}" for mechanism in self.office.profile.mechanisms]
            else:
                words.append("LOGINDISABLED")
        return " ".join(words)

    def _takes_unasked(self, size: int) -> bool:
        return self.offers("LITERAL+") or (self.offers("LITERAL-") and size <= SMALL_LITERAL)

    @property
    def signed_in(self) -> bool:
        return self._user is not None

    @property
    def user(self) -> User:
        assert self._user, "the table of commands says who needs a user"
        return self._user

    def sign_in(self, user: User) -> None:
        self._user = user
        user.sessions += 1
        self.wire.presence.user = user.address

    # What the session knows of its folder

    @property
    def view(self) -> View:
        assert self.selected, "the table of commands says who needs a folder"
        return self.selected

    def enter(self, view: View) -> None:
        self.selected = view
        self.wire.presence.folder = view.folder.name
        view.folder.listeners.add(self.wire.stir)

    def leave(self) -> None:
        if self.selected:
            self.selected.folder.listeners.discard(self.wire.stir)
        self.selected = None
        self.wire.presence.folder = ""

    def leave_if_void(self) -> None:
        if self.selected and self.selected.void:
            self.wire.last_words(b"* BYE The folder was rebuilt, come again\r\n")
            raise Hangup

    def record(self, what: str, folder: str, uid: int | None = None, detail: str = "") -> None:
        self.office.changes.append(Change(self.user.address, what, folder, uid, detail))

    # What is new

    async def tell_news(self, verb: str, *, expunges: bool) -> None:
        """Tell what is new in the selected folder, unless something keeps it back. `verb` says at which command."""
        if self.selected is None or (self.wishes and self.wishes.of_selected is None):
            return
        faults = self.office.faults
        if faults.deaf_until == "SELECT" or (faults.deaf_until == "NOOP" and verb not in ("NOOP", "CHECK")):
            if self.selected.stale:
                faults.struck("deaf_until")
            return
        news = self.selected.news(
            expunges=expunges,
            with_modseq=self.wants_modseq,
            vanishing=self.vanishing,
            exists_off_by=faults.exists_off_by,
        )
        for line in news.lines:
            await self.say(line)
        if self.wishes and self.wishes.of_selected:
            for number, message in news.arrived:
                if self.wishes.of_selected.items:
                    await self.say_fetched(number, message, self.wishes.of_selected.items)

    async def tell_of_other_folders(self) -> None:
        """NOTIFY: the STATUS of folders that have changed (RFC 5465 §5.2, §5.3)."""
        if not self.wishes:
            return
        selected = self.selected.folder if self.selected else None
        for folder in self.user.folders.values():
            counts = len(folder.messages), folder.uid_next
            known, self.told[folder] = self.told.get(folder, (0, 1)), counts
            if known != counts and folder is not selected and self.wishes.include(folder):
                await self.say(
                    b"* STATUS %s (MESSAGES %d UIDNEXT %d UIDVALIDITY %d)"
                    % (shown_folder(folder.name), *counts, folder.uid_validity)
                )

    async def _tell_unasked(self) -> None:
        if self.wishes:
            self.leave_if_void()
            await self.tell_news("", expunges=bool(self.wishes.of_selected and self.wishes.of_selected.at_once))
            await self.tell_of_other_folders()
            await self.flush()

    # Showing messages

    async def say_fetched(self, number: int, message: Message, items: Sequence[fetch.Item]) -> None:
        """FETCH; an item that marks the message as read does so."""
        faults = self.office.faults
        named = {item.name for item in items}
        shown = list(items)
        if any(item.marks_seen for item in items) and self._mark_seen(message) and "FLAGS" not in named:
            shown.append(fetch.Item("FLAGS", b"FLAGS"))
        showing = fetch.Showing(
            self.view.flags(message),
            self.labels(message) if "X-GM-LABELS" in named else b"",
            round(len(message.data) * (1 + self.office.profile.size_error)),
        )
        self._out += b"* %d FETCH (" % number
        if faults.endless_line:
            faults.struck("endless_line")
            await self._pour(b'X-NOISE "', None)
        between = b""
        for item in shown:
            if item.name in faults.omit:
                faults.struck("omit")
                continue
            self._out += between + item.label + b" "
            between = b" "
            value = fetch.value(item, message, showing)
            if isinstance(value, fetch.Literal):
                await self._put_literal(value.data)
            else:
                self._out += value
        await self.say(b")")

    def labels(self, message: Message) -> bytes:
        """Gmail's labels of a message in the selected folder."""
        assert isinstance(self.user, LabelledUser)
        return b"(" + b" ".join(shown_label(each) for each in self.user.labels(message, self.view.folder)) + b")"

    def _mark_seen(self, message: Message) -> bool:
        folder = self.view.folder
        if self.view.read_only or "\\Seen" in message.flags or not folder.holds(message):
            return False
        self.user.mark(folder, message, message.flags | {"\\Seen"})
        self.view.knows_of(message)
        self.record("SEEN", folder.name, message.uid, "\\Seen")
        return True

    async def _put_literal(self, data: bytes) -> None:
        faults = self.office.faults
        if (size := faults.huge_literal) is not None:
            faults.struck("huge_literal")
            await self._pour(b"{%d}\r\n" % size, size)
            return
        self._out += b"{%d}\r\n" % len(data)
        if (size := faults.cut_literal_at) is not None:
            faults.struck("cut_literal_at")
            await self.say(data[:size])
            await self.say("* BYE Server shutting down")
            await self.flush()
            raise Hangup
        if (size := faults.stall_literal_at) is not None:
            faults.struck("stall_literal_at")
            self._out += data[:size]
            await self.flush()
            await self.wire.silence()
        self._out += data

    async def _pour(self, start: bytes, size: int | None) -> None:
        """Send `size` bytes of nothing much, or for ever: until the client has had enough."""
        self._out += start
        while size is None or size > 0:
            piece = min(FLUSH_AT, FLUSH_AT if size is None else size)
            self._out += b"x" * piece
            size = None if size is None else size - piece
            await self.flush()
            # A client that keeps up would keep us from everybody else.
            await asyncio.sleep(0)
