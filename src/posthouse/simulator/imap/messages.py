"""The commands about messages in the selected folder: looking for, showing, marking, copying, removing."""

from collections.abc import Iterable, Sequence

from posthouse.simulator import gmail
from posthouse.simulator.imap import fetch, search
from posthouse.simulator.imap.folders import target
from posthouse.simulator.imap.grammar import Arguments, BadSyntax, SetRange, quoted, resolve, shown_set
from posthouse.simulator.imap.session import Call, Session
from posthouse.simulator.mailbox import Message, Refused


async def close(session: Session, call: Call) -> str:
    call.arguments.end()
    if call.verb == "CLOSE" and not session.view.read_only:
        _expunge(session, call.verb, [message for message in session.view.messages if "\\Deleted" in message.flags])
    session.leave()
    return "OK Closed"


async def expunge(session: Session, call: Call) -> str:
    candidates: Iterable[Message] = session.view.messages
    if call.by_uid:
        call.arguments.space()
        candidates = [message for _, message in session.view.numbered(call.arguments.sequence_set(), by_uid=True)]
    call.arguments.end()
    _check_writable(session)
    gone = _expunge(session, call.verb, [message for message in candidates if "\\Deleted" in message.flags])
    # RFC 7162 §3.2.7: who keeps account of mod-sequences is told of the latest.
    told = session.wants_modseq and gone
    return f"OK [HIGHESTMODSEQ {session.view.folder.highest_modseq}] Expunged" if told else "OK Expunged"


async def search_messages(session: Session, call: Call) -> str:
    call.arguments.space()
    if call.arguments.next_is(b"RETURN ") and not session.offers("ESEARCH"):
        raise BadSyntax("Unknown search key RETURN")
    view = session.view
    asked = search.parse(
        call.arguments,
        largest=len(view.messages),
        largest_uid=view.last_uid,
        recent=view.recent,
        charsets=session.office.profile.search_charsets,
        own_keys=_own_keys(session),
    )
    if asked.uses_modseq:
        if not session.offers("CONDSTORE"):
            raise BadSyntax("Unknown search key MODSEQ")
        session.wants_modseq = True
    found = [(n, message) for n, message in enumerate(view.messages, 1) if asked.test(message, n)]
    numbers = [message.uid if call.by_uid else n for n, message in found]
    latest = max((message.modseq for _, message in found), default=0) if asked.uses_modseq else 0
    if asked.returns is None:
        shown = "".join(f" {number}" for number in numbers)
        await session.say(f"* SEARCH{shown}" + (f" (MODSEQ {latest})" if latest else ""))
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
    await session.say(" ".join(answer))
    return "OK Searched"


def _own_keys(session: Session) -> search.OwnKeys:
    """Gmail's: X-GM-RAW, X-GM-MSGID, X-GM-THRID, X-GM-LABELS."""
    user, folder = session.user, session.view.folder
    if not isinstance(user, gmail.LabelledUser) or not session.offers("X-GM-EXT-1"):
        return {}

    def raw(arguments: Arguments) -> gmail.Meets:
        return gmail.raw_search(arguments.astring().decode("utf-8", "replace"))

    def identity(arguments: Arguments) -> gmail.Meets:
        wanted = arguments.number()
        return lambda message: message.identity == wanted

    def thread(arguments: Arguments) -> gmail.Meets:
        wanted = arguments.number()
        return lambda message: message.thread == wanted

    def labels(arguments: Arguments) -> gmail.Meets:
        wanted = set(arguments.labels())
        return lambda message: wanted <= set(user.labels(message, folder))

    return {"X-GM-RAW": raw, "X-GM-MSGID": identity, "X-GM-THRID": thread, "X-GM-LABELS": labels}


async def fetch_messages(session: Session, call: Call) -> str:
    arguments = call.arguments
    arguments.space()
    ranges = _set(session, arguments)
    arguments.space()
    items = fetch.parse(arguments)
    since = -1
    vanished = False
    if session.offers("CONDSTORE") and arguments.take(b" (CHANGEDSINCE "):
        since = arguments.number()
        vanished = arguments.take(b" VANISHED")
        arguments.expect(b")")
        session.wants_modseq = True
        if vanished and not (session.vanishing and call.by_uid):
            raise BadSyntax("VANISHED needs QRESYNC, and goes by UID")
    arguments.end()
    named = {item.name for item in items}
    if "MODSEQ" in named:
        if not session.offers("CONDSTORE"):
            raise BadSyntax("Unknown item MODSEQ")
        session.wants_modseq = True
    if named & fetch.GMAIL_ITEMS and not session.offers("X-GM-EXT-1"):
        raise BadSyntax("Unknown item of Gmail's")
    if call.by_uid and "UID" not in named:
        items.insert(0, fetch.Item("UID", b"UID"))
    if since >= 0 and "MODSEQ" not in named:
        items.append(fetch.Item("MODSEQ", b"MODSEQ"))
    if vanished:
        # `*` is the largest UID there has been: what has gone may have had it.
        wanted = resolve(ranges, session.view.folder.uid_next - 1)
        gone = [uid for uid in session.view.vanished_since(since) if any(uid in span for span in wanted)]
        if gone:
            await session.say(f"* VANISHED (EARLIER) {shown_set(gone)}")
    numbered = _numbered(session, ranges, call)
    faults = session.office.faults
    if faults.empty_fetch and numbered:
        faults.struck("empty_fetch")
        return "OK Fetched"
    for number, message in reversed(numbered) if session.office.profile.fetches_descending else numbered:
        if message.uid in faults.unfetchable:
            faults.struck("unfetchable")
            return "NO [UNAVAILABLE] UID FETCH Server error"
        if message.modseq > since:
            await session.say_fetched(number, message, items)
    return "OK Fetched"


async def store(session: Session, call: Call) -> str:
    arguments = call.arguments
    arguments.space()
    ranges = _set(session, arguments)
    arguments.space()
    unchanged_since: int | None = None
    if session.offers("CONDSTORE") and arguments.take(b"(UNCHANGEDSINCE "):
        unchanged_since = arguments.number()
        arguments.expect(b") ")
        session.wants_modseq = True
    sign = next((sign for sign in (b"+", b"-") if arguments.take(sign)), b"")
    if session.offers("X-GM-EXT-1") and arguments.take(b"X-GM-LABELS"):
        return await _store_labels(session, call, ranges, sign)
    arguments.expect(b"FLAGS")
    silent = arguments.take(b".SILENT")
    arguments.space()
    flags = arguments.flags() - {"\\Recent"}
    arguments.end()
    _check_writable(session)
    view, folder = session.view, session.view.folder
    modified: list[int] = []
    for number, message in _numbered(session, ranges, call):
        if not folder.holds(message):
            continue
        if unchanged_since is not None and message.modseq > unchanged_since:
            modified.append(message.uid if call.by_uid else number)
            continue
        new = {b"+": message.flags | flags, b"-": message.flags - flags}.get(sign, flags)
        if new != message.flags:
            session.user.mark(folder, message, new)
            session.record(call.verb, folder.name, message.uid, " ".join(sorted(new)))
        view.knows_of(message)
        if not silent or session.wants_modseq:
            await session.say(
                view.flag_news(
                    number, message, with_modseq=session.wants_modseq, with_flags=not silent, with_uid=call.by_uid
                )
            )
    code = f"[MODIFIED {shown_set(modified)}] " if modified else ""
    return f"OK {code}Stored"


async def _store_labels(session: Session, call: Call, ranges: Sequence[SetRange], sign: bytes) -> str:
    silent = call.arguments.take(b".SILENT")
    call.arguments.space()
    labels = call.arguments.labels()
    call.arguments.end()
    _check_writable(session)
    user, folder = session.user, session.view.folder
    assert isinstance(user, gmail.LabelledUser)
    for number, message in _numbered(session, ranges, call):
        if folder.holds(message):
            user.relabel(message, folder, sign, labels)
            session.record("LABEL", folder.name, message.uid, f"{sign.decode()}{' '.join(labels)}")
            if not silent:
                shown = b"UID %d " % message.uid if call.by_uid else b""
                await session.say(b"* %d FETCH (%sX-GM-LABELS %s)" % (number, shown, session.labels(message)))
    return "OK Stored"


async def copy(session: Session, call: Call) -> str:
    call.arguments.space()
    ranges = _set(session, call.arguments)
    call.arguments.space()
    name = call.arguments.mailbox()
    call.arguments.end()
    to = target(session, name)
    if call.verb == "MOVE":
        _check_writable(session)
    folder = session.view.folder
    originals = [message for _, message in _numbered(session, ranges, call) if folder.holds(message)]
    copies = session.user.copy(originals, to)
    for original, message in zip(originals, copies, strict=True):
        session.record(call.verb, folder.name, original.uid, f"{to.name} {message.uid}")
    code = ""
    if originals and session.offers("UIDPLUS"):
        sets = (shown_set(message.uid for message in messages) for messages in (originals, copies))
        code = f"[COPYUID {to.uid_validity} {' '.join(sets)}] "
    if call.verb == "COPY":
        return f"OK {code}Copied"
    if code:
        await session.say(f"* OK {code}Moved")
    if to is not folder or not isinstance(session.user, gmail.LabelledUser):
        session.user.remove(folder, originals)
    return "OK Moved"


def _set(session: Session, arguments: Arguments) -> list[SetRange]:
    ranges = arguments.sequence_set()
    if session.office.profile.refuses_descending_sets and any(a and b and a > b for a, b in ranges):
        raise BadSyntax("Invalid message set")
    return ranges


def _numbered(session: Session, ranges: Sequence[SetRange], call: Call) -> list[tuple[int, Message]]:
    forgiving = session.office.profile.forgives_numbers
    return session.view.numbered(ranges, by_uid=call.by_uid, forgiving=forgiving)


def _expunge(session: Session, verb: str, messages: Sequence[Message]) -> bool:
    folder = session.view.folder
    gone = [message for message in messages if folder.holds(message)]
    for message in gone:
        session.record(verb, folder.name, message.uid)
    session.user.remove(folder, gone)
    return bool(gone)


def _check_writable(session: Session) -> None:
    if session.view.read_only:
        raise Refused("The folder is open for reading only", "CANNOT")
