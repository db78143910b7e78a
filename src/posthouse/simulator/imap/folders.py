"""The commands about folders as a whole: selecting, listing, counting, making, filing."""

import re
from collections.abc import Iterable

from posthouse.simulator.imap import fetch, wishes
from posthouse.simulator.imap.grammar import Arguments, BadSyntax, quoted, resolve, shown_folder, shown_set
from posthouse.simulator.imap.session import LONGEST_LINE, Call, Session
from posthouse.simulator.imap.view import View
from posthouse.simulator.mailbox import INBOX, Folder, Refused


async def enable(session: Session, call: Call) -> str:
    call.arguments.space()
    wanted = [call.arguments.word()]
    while call.arguments.take(b" "):
        wanted.append(call.arguments.word())
    call.arguments.end()
    enabled = [word for word in wanted if word in ("CONDSTORE", "QRESYNC") and session.offers(word)]
    session.wants_modseq = session.wants_modseq or bool(enabled)
    session.vanishing = session.vanishing or "QRESYNC" in enabled
    await session.say(" ".join(["* ENABLED", *enabled]))
    return "OK Done"


async def namespace(session: Session, call: Call) -> str:
    call.arguments.end()
    profile = session.office.profile
    await session.say(b"* NAMESPACE ((" + quoted(profile.prefix) + b" " + quoted(profile.delimiter) + b")) NIL NIL")
    return "OK Done"


async def notify(session: Session, call: Call) -> str:
    session.wishes = wishes.parse(call.arguments, session.office.profile.delimiter)
    session.told = {folder: (len(folder.messages), folder.uid_next) for folder in session.user.folders.values()}
    if session.wishes is None:
        session.user.listeners.discard(session.wire.stir)
        return "OK You will be told nothing unasked"
    session.user.listeners.add(session.wire.stir)
    if session.wishes.with_status:
        for folder in session.user.folders.values():
            if session.wishes.include(folder) and not (session.selected and session.selected.folder is folder):
                await session.say(_status(session, folder, ("MESSAGES", "UIDNEXT", "UIDVALIDITY")))
    return "OK You will be told"


async def select(session: Session, call: Call) -> str:
    call.arguments.space()
    name = call.arguments.mailbox()
    known: tuple[int, int] | None = None
    known_uids: list[range] | None = None
    if call.arguments.take(b" ("):
        if session.offers("CONDSTORE") and call.arguments.take(b"CONDSTORE)"):
            session.wants_modseq = True
        elif session.vanishing and call.arguments.take(b"QRESYNC ("):
            known, known_uids = _resumption(call.arguments)
        else:
            raise BadSyntax("Unknown parameter")
    call.arguments.end()
    if session.selected and session.vanishing:
        await session.say("* OK [CLOSED] The folder before")  # RFC 7162 §3.2.11
    session.leave()  # RFC 3501 §6.3.1: a SELECT that fails leaves nothing selected.
    folder = session.user.mail_folder(name)
    view = View(folder, read_only=call.verb == "EXAMINE")
    session.enter(view)
    session.told[folder] = len(folder.messages), folder.uid_next
    faults = session.office.faults
    flags = view.flags_in_use()
    unseen = next((n for n, message in enumerate(view.messages, 1) if "\\Seen" not in message.flags), None)
    await session.say(f"* FLAGS ({flags})")
    for line in view.counts(faults.exists_off_by):
        await session.say(line)
    if faults.exists_off_by:
        faults.struck("exists_off_by")
    if unseen:
        await session.say(f"* OK [UNSEEN {unseen}] The first unread message")
    permanent = "" if view.read_only else f"{flags} \\*"
    await session.say(f"* OK [PERMANENTFLAGS ({permanent})] What can be changed")
    await session.say(f"* OK [UIDVALIDITY {folder.uid_validity}] UIDs are valid")
    if faults.forget_uid_next:
        faults.struck("forget_uid_next")
    elif session.office.profile.tells_uid_next:
        await session.say(f"* OK [UIDNEXT {folder.uid_next}] The next UID")
    if session.offers("CONDSTORE"):
        await session.say(f"* OK [HIGHESTMODSEQ {folder.highest_modseq}] The latest change")
    if known and known[0] == folder.uid_validity:
        await _resume(session, view, known[1], known_uids)
    return f"OK [{'READ-ONLY' if view.read_only else 'READ-WRITE'}] Selected"


def _resumption(arguments: Arguments) -> tuple[tuple[int, int], list[range] | None]:
    """The rest of `(QRESYNC (validity modseq [uids [(numbers uids)]]))` (RFC 7162 §3.2.5)."""
    uid_validity = arguments.number()
    arguments.space()
    known = uid_validity, arguments.number()
    uids: list[range] | None = None
    if arguments.take(b" ") and arguments.next_is_set():
        uids = resolve(arguments.sequence_set(), 2**32)
        arguments.take(b" ")
    if arguments.take(b"("):  # Which number had which UID: a help for servers that do not remember what has gone.
        arguments.sequence_set()
        arguments.space()
        arguments.sequence_set()
        arguments.expect(b")")
    arguments.expect(b"))")
    return known, uids


async def _resume(session: Session, view: View, modseq: int, known_uids: list[range] | None) -> None:
    gone = [uid for uid in view.vanished_since(modseq) if known_uids is None or any(uid in span for span in known_uids)]
    if gone:
        await session.say(f"* VANISHED (EARLIER) {shown_set(gone)}")
    items = [fetch.Item(name, name.encode()) for name in ("UID", "FLAGS", "MODSEQ")]
    for number, message in enumerate(view.messages, 1):
        if message.modseq > modseq and (known_uids is None or any(message.uid in span for span in known_uids)):
            await session.say_fetched(number, message, items)


async def create(session: Session, call: Call) -> str:
    name = _only_name(call)
    session.user.create(name)
    session.record(call.verb, name)
    return "OK Created"


async def delete(session: Session, call: Call) -> str:
    name = _only_name(call)
    if session.selected and session.selected.folder is session.user.folder(name):
        session.leave()
    session.user.delete(name)
    session.record(call.verb, name)
    return "OK Deleted"


async def rename(session: Session, call: Call) -> str:
    call.arguments.space()
    name = call.arguments.mailbox()
    call.arguments.space()
    new_name = call.arguments.mailbox()
    call.arguments.end()
    session.user.rename(name, new_name)
    session.record(call.verb, name, detail=new_name)
    return "OK Renamed"


async def subscribe(session: Session, call: Call) -> str:
    folder = session.user.folder(_only_name(call))
    folder.subscribed = call.verb == "SUBSCRIBE"
    session.record(call.verb, folder.name)
    return "OK Done"


async def list_folders(session: Session, call: Call) -> str:
    arguments = call.arguments
    arguments.space()
    selection: list[str] = []
    extended = session.offers("LIST-EXTENDED") and call.verb == "LIST"
    if (extended or session.offers("SPECIAL-USE")) and arguments.next_is(b"("):
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
    returns, status = _list_returns(session, arguments) if extended else (set(), [])
    arguments.end()
    if set(selection) - {"SUBSCRIBED", "SPECIAL-USE", "REMOTE", "RECURSIVEMATCH"}:
        raise BadSyntax("Unknown selection option")
    if patterns == [""]:
        delimiter = quoted(session.office.profile.delimiter)
        await session.say(b"* " + call.verb.encode() + b" (\\Noselect) " + delimiter + b' ""')
        return "OK Done"
    if session.office.faults.empty_list:
        session.office.faults.struck("empty_list")
        return "OK Listed"
    wanted = [_pattern(session, reference + pattern) for pattern in patterns]
    for folder in sorted(session.user.folders.values(), key=lambda each: (each.name != INBOX, each.name)):
        if not any(pattern.fullmatch(folder.name) for pattern in wanted):
            continue
        if (call.verb == "LSUB" or "SUBSCRIBED" in selection) and not folder.subscribed:
            continue
        if "SPECIAL-USE" in selection and not (folder.special_use and folder.selectable):
            continue
        await session.say(_listed(session, call.verb, folder, returns | set(selection)))
        if status and folder.selectable:
            await session.say(_status(session, folder, status))
    return "OK Listed"


async def status(session: Session, call: Call) -> str:
    call.arguments.space()
    folder = session.user.mail_folder(call.arguments.mailbox())
    call.arguments.space()
    items = call.arguments.words()
    call.arguments.end()
    await session.say(_status(session, folder, items))
    return "OK Done"


async def append(session: Session, call: Call) -> str:
    arguments = call.arguments
    arguments.space()
    name = arguments.mailbox()
    arguments.space()
    flags: frozenset[str] = frozenset()
    if arguments.next_is(b"("):
        flags = arguments.flags()
        arguments.space()
    moment = session.office.now()
    if arguments.next_is(b'"'):
        moment = arguments.date_time()
        arguments.space()
    if not arguments.next_is_literal():
        raise BadSyntax("Expected the message as a literal")
    data = arguments.astring()
    arguments.end()
    folder = target(session, name)
    message = session.user.add(folder, data, flags - {"\\Recent"}, moment)
    session.record(call.verb, folder.name, message.uid)
    code = f"[APPENDUID {folder.uid_validity} {message.uid}] " if session.offers("UIDPLUS") else ""
    return f"OK {code}Appended"


async def idle(session: Session, call: Call) -> str:
    call.arguments.end()
    deaf = session.office.faults.deaf_idle
    if deaf:
        session.office.faults.struck("deaf_idle")
        # If it was for this time, it lasts to the end; otherwise until it is cleared.
        deaf = not session.office.faults.deaf_idle
    await session.say("+ Idling")
    await session.flush()
    while (line := session.wire.line_if_any(LONGEST_LINE)) is None:
        session.leave_if_void()
        if not deaf and not session.office.faults.deaf_idle:
            await session.tell_news(call.verb, expunges=True)
            await session.tell_of_other_folders()
            await session.flush()
        await session.wire.stirring()
    if line.strip().upper() != b"DONE":
        raise BadSyntax("Expected DONE")
    return "OK Idled"


def target(session: Session, name: str) -> Folder:
    """Where messages are to go. Raises `Refused`."""
    try:
        return session.user.mail_folder(name)
    except Refused as error:
        raise Refused(error.text, "TRYCREATE") from None


def _only_name(call: Call) -> str:
    call.arguments.space()
    name = call.arguments.mailbox()
    call.arguments.end()
    return name


def _pattern(session: Session, pattern: str) -> re.Pattern[str]:
    delimiter = re.escape(session.office.profile.delimiter)
    wild = {"*": ".*", "%": f"[^{delimiter}]*"}
    if pattern.upper() == INBOX:
        pattern = INBOX
    return re.compile("".join(wild.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)


def _list_returns(session: Session, arguments: Arguments) -> tuple[set[str], list[str]]:
    options: set[str] = set()
    status: list[str] = []
    if not arguments.take(b" RETURN ("):
        return options, status
    while not arguments.take(b")"):
        option = arguments.word()
        options.add(option)
        if option == "STATUS" and session.offers("LIST-STATUS"):
            arguments.space()
            status = arguments.words()
        elif option not in ("SPECIAL-USE", "CHILDREN", "SUBSCRIBED"):
            raise BadSyntax(f"Unknown return option {option}")
        arguments.take(b" ")
    return options, status


def _listed(session: Session, verb: str, folder: Folder, options: set[str]) -> bytes:
    attributes: list[str] = []
    if session.offers("CHILDREN"):
        attributes.append("\\HasChildren" if session.user.children(folder) else "\\HasNoChildren")
    if folder.special_use and (session.offers("SPECIAL-USE") or not folder.selectable):
        attributes.append(folder.special_use)
    if folder.subscribed and "SUBSCRIBED" in options:
        attributes.append("\\Subscribed")
    head = f"* {verb} ({' '.join(attributes)}) ".encode()
    return head + quoted(session.office.profile.delimiter) + b" " + shown_folder(folder.name)


def _status(session: Session, folder: Folder, items: Iterable[str]) -> bytes:
    counts = {
        "MESSAGES": max(0, len(folder.messages) + session.office.faults.exists_off_by),
        "RECENT": len(folder.recent),
        "UIDNEXT": folder.uid_next,
        "UIDVALIDITY": folder.uid_validity,
        "UNSEEN": sum("\\Seen" not in message.flags for message in folder.messages),
    }
    if session.offers("CONDSTORE"):
        counts["HIGHESTMODSEQ"] = folder.highest_modseq
    try:
        shown = " ".join(f"{item} {counts[item]}" for item in items)
    except KeyError as error:
        raise BadSyntax(f"Unknown status item {error}") from error
    return b"* STATUS " + shown_folder(folder.name) + f" ({shown})".encode()
