"""An external mailbox over IMAP, in our words.

A session is opened, signed in and asked; nothing at the server is changed, unless a copy of what was sent is to be kept
there: folders are opened by EXAMINE and messages are read by PEEK. What providers do in their own way is in `quirks`;
what any server may do wrong is dealt with here, so that whoever syncs sees UIDs that ascend, messages that are whole or
say why not, and errors in words.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from mmap import ACCESS_READ, mmap
from typing import BinaryIO, TypeVar, cast

from posthouse import metrics
from posthouse.model.budgets import budget_of
from posthouse.model.connectors import ImapSettings, Security
from posthouse.model.errors import FolderMissing, Garbled, Invalid, PosthouseError, RemoteError, Stage, Unreachable
from posthouse.model.events import Transcript
from posthouse.model.sync import Arrival, Buffer, Cursor, Folder, Glance, Identity, Knock, RawMessage, Snapshot
from posthouse.protocols.exchange import CommandRefused, Exchange, ProtocolError
from posthouse.protocols.imap.fetching import Fetched
from posthouse.protocols.imap.framing import Limits, Spilled
from posthouse.protocols.imap.search import search_keys
from posthouse.protocols.imap.search import since as since_day
from posthouse.protocols.imap.session import Selected, Session
from posthouse.protocols.imap.uidset import HIGHEST
from posthouse.protocols.sasl import Credentials
from posthouse.remote.bounds import DEFAULT_BOUNDS, Bounds
from posthouse.remote.egress import Egress
from posthouse.remote.quirks import quirks_of
from posthouse.remote.stream import DEFAULT_TLS, Stream
from posthouse.remote.tls import Tls
from posthouse.remote.words import Words, is_throttled

T = TypeVar("T")

_WHOLE = ("UID", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]")
_HEADER = ("UID", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[HEADER]")
_SIZE = ("UID", "INTERNALDATE", "RFC822.SIZE")
_BEGINS = 32 * 1024
_BEGINNING = (*_SIZE, f"BODY.PEEK[]<0.{_BEGINS}>")
_IDENTITY = ("UID", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")

_SIGNING_IN = frozenset({"LOGIN", "AUTHENTICATE"})
_US = {"name": "Posthouse"}
_AGAIN = (1.0, 1.7, 2.9)  # seconds before we ask again for what a lagging replica has announced and not got yet
_MOST_REFUSED = 3  # single messages that a server may be unable to give before we doubt the server
_SHOWN_FOLDERS = 12
_FEW = 3  # new messages that are asked for before their sizes are known

_NEWEST = 30  # UIDs at the end of a folder among which a message is looked for one by one
_SENT_NAMES = frozenset({
    "sent", "sent items", "sent messages", "sent mail", "sent-mail", "gesendet", "gesendete elemente",
    "gesendete objekte", "envoyés", "éléments envoyés", "enviados", "elementos enviados", "posta inviata", "inviati",
    "verzonden", "verzonden items", "wysłane", "отправленные", "已发送", "已发送邮件", "送信済み",
})  # fmt: skip

_takes_commands_together: dict[str, bool] = {}
"""By host, what came of the first question to a session that idles. One that has failed then is asked more gently."""

_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)


async def open_mailbox(
    settings: ImapSettings,
    transcript: Transcript,
    *,
    egress: Egress,
    tls: Tls = DEFAULT_TLS,
    message_limit: int = 100 * 1024 * 1024,
    bounds: Bounds = DEFAULT_BOUNDS,
    again: Sequence[float] = _AGAIN,
) -> "ImapMailbox":
    """Connect and sign in; the caller closes. Raises RemoteError and its kin; the transcript tells how far it came.

    A message over `message_limit` bytes is fetched as its header alone. `again` are the pauses (seconds) before we
    ask again for messages that the server has announced and did not give.
    """
    stream = await Stream.open(
        settings,
        egress=egress,
        transcript=transcript,
        within=bounds.connect,
        secure=settings.security is Security.TLS,
        tls=tls,
    )
    mailbox = ImapMailbox(settings, stream, transcript, message_limit, bounds, again)
    try:
        await mailbox.sign_in()
    except PosthouseError:
        await mailbox.close()
        raise
    except BaseException:
        stream.abort()
        raise
    return mailbox


@dataclass(frozen=True, slots=True)
class _Withheld:
    """A message that is there and that the server does not give."""

    uid: int
    why: str


def check_search_terms(terms: str) -> None:
    """Raises Invalid when these are no IMAP search keys (RFC 3501 §6.4.4), naming the word that is not understood."""
    try:
        if terms.strip():
            search_keys(terms)
    except ProtocolError as error:
        raise Invalid(f"searchTerms: {error}") from error


class ImapMailbox:
    """A signed-in IMAP session; implements the port `Mailbox`."""

    def __init__(
        self,
        settings: ImapSettings,
        stream: Stream,
        transcript: Transcript,
        message_limit: int,
        bounds: Bounds,
        again: Sequence[float],
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._message_limit = message_limit
        self._bounds = bounds
        self._again = again
        self._counted = 0  # messages in the folder when it was looked at
        self._gives_beginnings = True
        self._gone: Callable[[], object] | None = None
        self._quirks = quirks_of(stream.host)
        self._words = Words(settings, stream.host, transcript.reach)
        # Sizes are announced, and announced wrongly (Exchange): a message within its limit may be somewhat over it.
        most = message_limit + message_limit // 2
        self._session = Session(
            limits=Limits(literal=most, response=most + 10 * 1024 * 1024),
            note=transcript.note,
            count=partial(_count, transcript, budget_of(stream.host).provider or "other"),
            open_spill=_open_spill,
        )

    # Signing in

    async def sign_in(self) -> None:
        """From the greeting to a session that may be asked. Called once, by `open_mailbox`."""
        session, upgrade = self._session, self._settings.security is Security.STARTTLS
        with self._words.at(Stage.GREETING):
            await self._stream.run(
                session.open(starttls=upgrade, secure=self._stream.secure), within=self._bounds.connect
            )
        with self._words.at(Stage.SIGN_IN):
            if self._quirks.identify_first:
                await self._run(session.identify(_US))
            await self._authenticate()
            await self._run(session.identify(_US))
            await self._run(session.enable("CONDSTORE", "QRESYNC"))
            if self._quirks.welcomes_strangers:
                await self._run(session.namespace())

    async def _authenticate(self) -> None:
        settings = self._settings
        password = settings.password.reveal() if settings.password else ""

        def as_user(name: str) -> Exchange[str]:
            credentials = Credentials(name, password, host=settings.host, port=settings.port)
            return self._session.authenticate(credentials, settings.mechanisms)

        name, at, _domain = settings.username.rpartition("@")
        try:
            await self._run(as_user(settings.username))
        except CommandRefused as refused:
            if not (self._quirks.user_without_domain and at) or is_throttled(refused):
                raise
            await self._run(as_user(name))

    # Folders

    async def list_folders(self) -> list[Folder]:
        """The folders of the mailbox, as the server lists them."""
        with self._words.at(Stage.FOLDER):
            found = await self._run(self._session.list())
        return [
            Folder(name=folder.name, selectable=folder.selectable, special_use=folder.special_use) for folder in found
        ]

    async def select(self, folder: str, known: Cursor | None = None) -> Snapshot:
        """Open a folder for reading. Raises FolderMissing when it is not there."""
        self._session.together = _takes_commands_together.get(self._stream.host, False)
        try:
            with self._words.at(Stage.FOLDER):
                selected = await self._run(self._session.select(folder, qresync=_resumption(folder, known)))
                next_uid = await self._next_uid(selected, known)
        except FolderMissing as error:
            raise FolderMissing(error.message + await self._what_there_is(folder)) from error
        self._counted = selected.exists
        # RFC 3501 §2.3.1.1 and RFC 4315 §3: without either, UIDs mean nothing in the next session.
        lasting = bool(selected.uid_validity) and not selected.uid_not_sticky
        return Snapshot(
            folder=folder,
            uid_validity=selected.uid_validity if lasting else None,
            next_uid=next_uid,
            exists=selected.exists,
            highest_modseq=selected.highest_modseq or None,
            vanished=tuple(range(low, high + 1) for low, high in selected.vanished.ranges),
        )

    async def _next_uid(self, selected: Selected, known: Cursor | None) -> int:
        if selected.uid_next:
            return selected.uid_next
        if selected.exists:
            uids = await self._run(self._session.search("ALL"))
            if not uids:
                raise Garbled(f"{self._stream.host} tells no UIDs of its messages", stage=Stage.FOLDER)
            return max(uids) + 1
        # Nothing there and nothing said: no reason to believe that the numbers began anew.
        same = known is not None and known.uid_validity == selected.uid_validity
        return known.next_uid if known is not None and same else 1

    async def _what_there_is(self, folder: str) -> str:
        """The folders to choose from, for an error that is on its way already."""
        try:
            names = [each.name for each in await self.list_folders() if each.selectable]
        except PosthouseError:
            return f" (the folder is {folder[:80]!r})"
        more = ", …" if len(names) > _SHOWN_FOLDERS else ""
        shown = ", ".join(repr(self._words.shown(name)) for name in names[:_SHOWN_FOLDERS])
        return f"; {folder[:80]!r} was asked for, and there are {shown}{more}"

    # Messages

    async def search(self, uids: range, *, terms: str = "", since: date | None = None) -> list[int]:
        """The UIDs in this range that match, ascending. Raises Invalid when the terms are no search keys."""
        uids = range(max(uids.start, 1), min(uids.stop, HIGHEST + 1))
        if not uids:
            return []
        criteria = " ".join(filter(None, (since_day(since) if since else "", terms.strip())))
        try:
            with self._words.at(Stage.TRANSFER):
                found = await self._run(self._session.search(criteria or "ALL", uids=f"{uids.start}:{uids.stop - 1}"))
        except Invalid as error:
            raise Invalid(f"the search terms can't be used: {error.message}") from error
        return [uid for uid in found if uid in uids]

    async def identities(self, uids: Sequence[int], *, message_ids: bool = True) -> AsyncIterator[Identity]:
        """By what these messages can be recognised, without their bodies; ascending.

        Without `message_ids` only sizes and dates are asked for, which costs the server much less.
        """
        items = _IDENTITY if message_ids else _SIZE
        for batch in _batches(sorted(uids), self._bounds.batch * 4):
            found: list[Identity] = []
            within = self._bounds.transfer(len(batch) * 512)
            async with aclosing(self._obtained(batch, items, within)) as messages:
                async for message in messages:
                    found.append(_identity(message))
            for identity in sorted(found, key=lambda identity: identity.uid):
                yield identity

    async def fetch(self, identities: Sequence[Identity]) -> AsyncGenerator[RawMessage, None]:
        """The messages themselves, as they come; one that is gone meanwhile is left out.

        A message over the size limit, or one that the server does not give, comes as its header (or nothing at
        all), and `cut` says why.
        """
        for batch in self._portions(sorted(identities, key=lambda identity: identity.uid)):
            known = {identity.uid: identity for identity in batch}
            size = sum(min(identity.size, self._message_limit) for identity in batch)
            too_big = batch[0].size > self._message_limit
            items = _HEADER if too_big else _WHOLE
            async with aclosing(self._obtained(list(known), items, self._bounds.transfer(size))) as messages:
                async for message in messages:
                    identity = known[message.uid]
                    if isinstance(message, _Withheld):
                        if not too_big:
                            message = await self._header_at_least(message)
                        yield _cut(identity, message)
                    elif too_big:
                        yield _cut(identity, message, f"over the limit of {self._message_limit} bytes")
                    else:
                        yield _raw(identity, message)

    # Waiting

    @property
    def can_push(self) -> bool:
        """Whether the server says that it tells of new mail by itself (IDLE, RFC 2177)."""
        return "IDLE" in self._session.capabilities

    async def glance(self, folder: str) -> Glance:
        """The numbers of a folder that need not be selected (STATUS). Raises FolderMissing."""
        with self._words.at(Stage.FOLDER):
            told = await self._run(self._session.status(folder, ("MESSAGES", "UIDNEXT", "UIDVALIDITY")))
        return Glance(told.get("UIDVALIDITY"), told.get("UIDNEXT"), told.get("MESSAGES"))

    async def notify(self, folders: Sequence[str]) -> bool:
        """Have `idle` end for news in these folders too. False: the server can't, they must be asked after."""
        if "NOTIFY" not in self._session.capabilities:
            return False
        try:
            await self._run(self._session.notify(folders))
        except CommandRefused:
            return False
        return True

    async def idle(self, wake: Knock, rest: float | None = None) -> bool:
        """Wait in the selected folder until the server tells of a change (True), `wake` is set or `rest` seconds are
        over (False)."""
        with self._words.at(Stage.TRANSFER):
            return await self._stream.run(self._session.idle(), within=self._bounds.command, wake=wake, rest=rest)

    @property
    def has_news(self) -> bool:
        """The server has told of a change in an answer to something else: `idle` returns at once."""
        return self._session.has_news

    async def arrivals(self, next_uid: int) -> list[Arrival]:
        """What has come to the selected folder under this UID and higher ones, ascending. Where the server has told of
        few, they are asked for with their beginnings, which is all of most of them: that saves a round trip."""
        self._session.together = _takes_commands_together.get(self._stream.host, False)
        more, self._counted = self._session.exists - self._counted, self._session.exists
        few = self._gives_beginnings and 0 < more <= _FEW
        try:
            arrived = await self._told_of(next_uid, _BEGINNING if few else _SIZE)
        except RemoteError as error:
            no = error.__cause__
            if not few or not isinstance(no, CommandRefused) or is_throttled(no):
                raise
            self._gives_beginnings = False
            arrived = await self._told_of(next_uid, _SIZE)
        return sorted(arrived, key=lambda one: one.identity.uid)

    async def _told_of(self, next_uid: int, items: Sequence[str]) -> list[Arrival]:
        arrived: list[Arrival] = []
        exchange, within = self._session.fetch(f"{next_uid}:*", items), self._bounds.transfer(_FEW * _BEGINS)
        with self._words.at(Stage.TRANSFER):
            values = self._stream.each(exchange, within=within, silence=self._bounds.silence)
            async with aclosing(values) as messages:
                async for message in messages:
                    identity = _identity(message)
                    # What the server gives unasked is not kept.
                    wanted = items is _BEGINNING and len(arrived) < _FEW
                    arrived.append(Arrival(identity, self._whole(identity, message) if wanted else None))
                    message.close()
        return arrived

    def _whole(self, identity: Identity, message: Fetched) -> RawMessage | None:
        """The message, when its beginning is all of it; `fetch` is for what is longer, or strange."""
        body = message.body
        most = min(_BEGINS, self._message_limit + 1)
        if not isinstance(body, bytes) or not 0 < len(body) < most or identity.size >= most:
            return None
        return _raw(identity, message)

    async def anything_new(self) -> bool:
        """Ask whether the selected folder has changed since it was last looked at, or told of."""
        host = self._stream.host
        try:
            with self._words.at(Stage.TRANSFER):
                exchange = self._session.noop(one_by_one=not _takes_commands_together.get(host, True))
                news = await self._stream.run(exchange, within=self._bounds.check)
        except (Unreachable, Garbled):
            _takes_commands_together.setdefault(host, False)
            raise
        _takes_commands_together.setdefault(host, True)
        return news

    # Sent mail

    async def sent_folder(self) -> str | None:
        """The folder where sent mail is kept: the one that is said to be it (RFC 6154), or one that is called so."""
        folders = [folder for folder in await self.list_folders() if folder.selectable]
        meant = [folder.name for folder in folders if folder.special_use == "sent"]
        called = [folder.name for folder in folders if re.split(r"[/.\\]", folder.name)[-1].lower() in _SENT_NAMES]
        return next(iter([*meant, *called]), None)

    async def holds(self, folder: str, message_id: str) -> bool:
        """Whether a message with this id (without its brackets) lies in a folder. Raises FolderMissing."""
        seen = await self.select(folder)
        quoted = message_id.replace("\\", "\\\\").replace('"', '\\"')
        found = await self.search(range(1, HIGHEST + 1), terms=f'HEADER "Message-ID" "{quoted}"')
        # There are servers whose search knows no headers, or not yet those of the newest mail, and those (QQ) that find
        # everything: what counts is the header itself.
        newest = await self.search(range(max(1, seen.next_uid - _NEWEST), seen.next_uid)) if seen.exists else []
        seen_ids = [one.message_id.strip("<>") async for one in self.identities([*found[-_NEWEST:], *newest])]
        return message_id in seen_ids

    async def append(self, folder: str, message: bytes, at: datetime) -> None:
        """Put a message there, read, as if it had come at that moment. Raises FolderMissing, and Refused."""
        exchange = self._session.append(folder, message, ("\\Seen",), at)
        within = self._bounds.transfer(len(message))
        with self._words.at(Stage.TRANSFER):
            try:
                await self._stream.run(exchange, within=within, silence=self._bounds.silence)
            except CommandRefused as refused:
                if refused.code == "TRYCREATE":
                    raise FolderMissing(f"{self._stream.host} has no folder {folder!r} any more") from refused
                raise

    def when_closed(self, gone: Callable[[], object]) -> None:
        """Call this once, when the session is over."""
        self._gone = gone

    async def close(self) -> None:
        """Say goodbye and close; never raises."""
        try:
            if self._stream.usable:
                # Providers count sessions that were not logged out, and some for a long time.
                with suppress(PosthouseError, ProtocolError):
                    await self._stream.run(self._session.logout(), within=self._bounds.goodbye)
            await self._stream.close()
        finally:
            gone, self._gone = self._gone, None
            if gone is not None:
                gone()

    def _portions(self, identities: Iterable[Identity]) -> Iterator[list[Identity]]:
        """Cut where a batch is long or heavy, and between whole messages and those that are too big."""
        batch: list[Identity] = []
        weight = 0
        for identity in identities:
            too_big = identity.size > self._message_limit
            full = len(batch) >= self._bounds.batch or weight + identity.size > self._bounds.batch_bytes
            if batch and (full or too_big or batch[0].size > self._message_limit):
                yield batch
                batch, weight = [], 0
            batch.append(identity)
            weight += identity.size
        if batch:
            yield batch

    async def _obtained(
        self, uids: Sequence[int], items: Sequence[str], within: float
    ) -> AsyncGenerator[Fetched | _Withheld, None]:
        """Each of these messages that is there: what was asked for, or that it can't be had."""
        missing = set(uids)
        for pause in (None, *self._again):
            if pause is not None:
                await asyncio.sleep(pause)
            async with aclosing(self._asked(sorted(missing), items, within)) as messages:
                async for message in messages:
                    if isinstance(message, _Withheld) or _complete(message, items):
                        missing.discard(message.uid)
                        yield message
            if missing:
                missing &= await self._still_there(missing)
            if not missing:
                return
        for uid in sorted(missing):
            yield _Withheld(uid, "the server lists the message and does not give it")

    async def _asked(
        self, uids: Sequence[int], items: Sequence[str], within: float
    ) -> AsyncGenerator[Fetched | _Withheld, None]:
        """FETCH; where it is refused, halves of what is left, until it is known for which message (Yahoo)."""
        waiting, refused = [list(uids)], 0
        while waiting:
            batch = waiting.pop()
            given: set[int] = set()
            try:
                with self._words.at(Stage.TRANSFER):
                    exchange = self._session.fetch(batch, items)
                    values = self._stream.each(exchange, within=within, silence=self._bounds.silence)
                    async with aclosing(values) as messages:
                        async for message in messages:
                            given.add(message.uid)
                            yield cast(Fetched, message)
            except RemoteError as error:
                no = error.__cause__
                if not isinstance(no, CommandRefused) or is_throttled(no):
                    raise
                rest = [uid for uid in batch if uid not in given]
                if len(rest) == 1:
                    refused += 1
                    if refused > _MOST_REFUSED:
                        raise
                    yield _Withheld(rest[0], error.message)
                elif rest:
                    waiting += [rest[len(rest) // 2 :], rest[: len(rest) // 2]]

    async def _still_there(self, uids: Iterable[int]) -> set[int]:
        wanted = set(uids)
        return wanted & set(await self.search(range(min(wanted), max(wanted) + 1)))

    async def _header_at_least(self, withheld: _Withheld) -> Fetched | _Withheld:
        async with aclosing(self._asked([withheld.uid], _HEADER, self._bounds.command)) as messages:
            async for message in messages:
                if isinstance(message, Fetched) and message.header:
                    return message
        return withheld

    async def _run(self, exchange: Exchange[T]) -> T:
        return await self._stream.run(exchange, within=self._bounds.command)


def _count(transcript: Transcript, provider: str, verb: str) -> None:
    login = verb in _SIGNING_IN
    transcript.count_command(login=login)
    metrics.mailbox_commands.labels(provider).inc()
    if login:
        metrics.mailbox_logins.labels(provider).inc()


def _open_spill(_size: int) -> BinaryIO:
    return cast(BinaryIO, tempfile.TemporaryFile(prefix="posthouse-"))


def _resumption(folder: str, known: Cursor | None) -> tuple[int, int] | None:
    """What QRESYNC goes on from (RFC 7162 §3.2.5)."""
    if known is None or known.folder != folder or not known.uid_validity or not known.highest_modseq:
        return None
    return known.uid_validity, known.highest_modseq


def _batches(uids: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), most):
        yield uids[start : start + most]


def _complete(message: Fetched, items: Sequence[str]) -> bool:
    """Whether it holds what was asked for; iCloud and lagging replicas sometimes tell everything but the content."""
    if items is _WHOLE:
        return bool(message.body) or (message.body is not None and message.size == 0)
    return items is _SIZE or message.header is not None


def _identity(message: Fetched | _Withheld) -> Identity:
    if isinstance(message, _Withheld):
        return Identity(uid=message.uid, size=0, internal_date=None, message_id="")
    return Identity(
        uid=message.uid,
        size=message.size or 0,
        internal_date=message.internal_date,
        message_id=_message_id(message.header or b""),
    )


def _message_id(header: bytes) -> str:
    found = _MESSAGE_ID.search(header)
    return " ".join(found[1].decode("utf-8", "replace").split()) if found else ""


def _raw(identity: Identity, message: Fetched) -> RawMessage:
    content: Buffer
    if isinstance(message.body, Spilled):
        with message.body.file as file:  # the mapping keeps the file alive, which has no name any more
            content = mmap(file.fileno(), message.body.size, access=ACCESS_READ)
    else:
        content = message.body or b""
    return RawMessage(
        uid=identity.uid,
        size=len(content),
        internal_date=message.internal_date or identity.internal_date,
        content=content,
    )


def _cut(identity: Identity, message: Fetched | _Withheld, why: str | None = None) -> RawMessage:
    if isinstance(message, _Withheld):
        header, reason = b"", message.why
    else:
        header, reason = message.header or b"", why or "the server gives the header and not the message"
    return RawMessage(
        uid=identity.uid,
        size=identity.size,
        internal_date=identity.internal_date,
        content=header,
        cut=reason,
    )
