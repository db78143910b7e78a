"""Connectors: made with their inbox, found, changed, deleted, and their connections tested."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from posthouse.model.connectors import (
    Connector,
    ImapConnection,
    ImapSettings,
    ServerSettings,
    SmtpConnection,
    SmtpSettings,
    SyncSchedule,
    SyncSettings,
)
from posthouse.model.errors import Conflict, NotFound, PosthouseError, RemoteError, Stage
from posthouse.model.events import ConnectorEvent, EventType, TestResult, Transcript
from posthouse.model.hearing import Ear, deaf
from posthouse.model.mail import Submission
from posthouse.model.standing import NO_PROBLEM
from posthouse.model.sync import Folder
from posthouse.model.values import AccountId, Clock, ConnectorId, EventId, InboxId, Page, Slice, new_id
from posthouse.services.inboxes import NewInbox, add_inbox
from posthouse.services.required import require_connector, require_inbox
from posthouse.services.visiting import OpenMailbox, Visits
from posthouse.store.database import Database, Transaction

OpenSubmission = Callable[[SmtpSettings, Transcript], Awaitable[Submission]]
S = TypeVar("S", bound=ServerSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnector:
    """What somebody wants of a new connector, or wants it to be from now on."""

    name: str | None = None
    email_address: str | None = None
    enabled: bool = True
    imap: ImapSettings | None = None
    smtp: SmtpSettings | None = None
    sync: SyncSettings | None = None


class Connectors:
    def __init__(
        self,
        database: Database,
        open_mailbox: OpenMailbox,
        open_submission: OpenSubmission,
        check_search_terms: Callable[[str], None],
        inbox_domain: str,
        now: Clock,
    ) -> None:
        self._database = database
        self._visits = Visits(database, open_mailbox, now)
        self._open_submission = open_submission
        self._check_search_terms = check_search_terms
        self._inbox_domain = inbox_domain
        self._now = now

    # Making and changing

    async def forget(self, older_than: timedelta) -> int:
        """Forget events of all connectors that are older than this, some at a time. How many went."""
        async with self._database.transaction() as tx:
            return await tx.events.remove_before(self._now() - older_than, most=2000)

    async def create(self, account: AccountId, wish: NewConnector, inbox_id: InboxId | None = None) -> Connector:
        """A connector at this inbox, or at a new one. Raises Conflict when the inbox has a connector already."""
        now = self._now()
        async with self._database.transaction() as tx:
            if inbox_id is None:
                inbox = await add_inbox(tx, account, NewInbox(name=wish.name), self._inbox_domain, now)
            else:
                inbox = await require_inbox(tx, account, inbox_id)
                if inbox.connector_id is not None:
                    raise Conflict(
                        f"the inbox {inbox_id} has a connector already ({inbox.connector_id}): delete that one, or "
                        "leave inboxId out for a new inbox"
                    )
            connector = Connector(
                id=ConnectorId(new_id(now)),
                account_id=account,
                inbox_id=inbox.id,
                name=wish.name,
                email_address=wish.email_address,
                enabled=wish.enabled,
                created_at=now,
                updated_at=now,
            )
            await tx.connectors.add(connector)
            if wish.imap is not None:
                await self._set_imap(tx, connector, wish.imap)
            if wish.smtp is not None:
                await self._set_smtp(tx, connector, wish.smtp)
            if wish.sync is not None:
                await self._set_schedule(tx, connector, wish.sync)
        return connector

    async def change(self, account: AccountId, connector_id: ConnectorId, wish: NewConnector) -> Connector:
        """Name, address and whether it is enabled; connections and schedule have calls of their own."""
        async with self._database.transaction() as tx:
            connector = replace(
                await require_connector(tx, account, connector_id),
                name=wish.name,
                email_address=wish.email_address,
                enabled=wish.enabled,
                updated_at=self._now(),
            )
            await tx.connectors.change(connector)
            await self._start_afresh(tx, connector_id)
        return connector

    async def switch(self, account: AccountId, ids: Sequence[ConnectorId], *, enabled: bool) -> list[ConnectorId]:
        """Enable connectors, or disable them: then nothing is synced or sent, whoever asks. Those that it changed;
        ids that are not there are passed over."""
        async with self._database.transaction() as tx:
            changed = await tx.connectors.switch(account, ids, enabled=enabled, now=self._now())
            for connector_id in changed:
                await self._start_afresh(tx, connector_id)
        return changed

    async def delete(self, account: AccountId, connector_id: ConnectorId) -> None:
        """Delete a connector, its settings and events. Its inbox and the mail in it stay."""
        async with self._database.transaction() as tx:
            if not await tx.connectors.remove(account, connector_id):
                raise NotFound(f"there is no connector {connector_id}")
            _signal(tx, connector_id)

    async def delete_all(self, account: AccountId) -> None:
        async with self._database.transaction() as tx:
            await tx.connectors.remove(account)
            tx.signal("connectors")

    # Finding

    async def get(self, account: AccountId, connector_id: ConnectorId) -> Connector:
        async with self._database.reading() as tx:
            return await require_connector(tx, account, connector_id)

    async def page(self, account: AccountId, slice_: Slice) -> Page[Connector]:
        async with self._database.reading() as tx:
            return await tx.connectors.page(account, slice_)

    async def by_name(self, account: AccountId, name: str) -> Connector | None:
        """The oldest connector of this name."""
        async with self._database.reading() as tx:
            return await tx.connectors.by_name(account, name)

    async def by_address(self, account: AccountId, address: str) -> Connector | None:
        """The oldest connector of this external address."""
        async with self._database.reading() as tx:
            return await tx.connectors.by_address(account, address)

    async def by_inbox(self, account: AccountId, inbox: InboxId) -> Connector | None:
        async with self._database.reading() as tx:
            return await tx.connectors.by_inbox(account, inbox)

    async def named(self, text: str) -> Connector:
        """The connector that an operator means by a name, address or id. Raises NotFound, or Conflict for several."""
        async with self._database.reading() as tx:
            found = await tx.connectors.named(text)
        match found:
            case []:
                raise NotFound(f"there is no connector {text!r}: give its name, email address or id")
            case [one]:
                return one
            case _:
                ids = ", ".join(str(one.id) for one in found)
                raise Conflict(f"several connectors are called {text!r}: give the id of one of {ids}")

    # Connections

    async def imap(self, account: AccountId, connector_id: ConnectorId) -> ImapConnection | None:
        async with self._database.reading() as tx:
            await require_connector(tx, account, connector_id)
            return await tx.connectors.imap(connector_id)

    async def smtp(self, account: AccountId, connector_id: ConnectorId) -> SmtpConnection | None:
        async with self._database.reading() as tx:
            await require_connector(tx, account, connector_id)
            return await tx.connectors.smtp(connector_id)

    async def create_imap(
        self, account: AccountId, connector_id: ConnectorId, settings: ImapSettings
    ) -> ImapConnection:
        """Raises Conflict when there is one already."""
        async with self._database.transaction() as tx:
            connector = await require_connector(tx, account, connector_id)
            if await tx.connectors.imap(connector_id) is not None:
                raise Conflict("this connector has an IMAP connection already: PATCH changes it, DELETE removes it")
            return await self._set_imap(tx, connector, settings)

    async def create_smtp(
        self, account: AccountId, connector_id: ConnectorId, settings: SmtpSettings
    ) -> SmtpConnection:
        """Raises Conflict when there is one already."""
        async with self._database.transaction() as tx:
            connector = await require_connector(tx, account, connector_id)
            if await tx.connectors.smtp(connector_id) is not None:
                raise Conflict("this connector has an SMTP connection already: PATCH changes it, DELETE removes it")
            return await self._set_smtp(tx, connector, settings)

    async def change_imap(
        self, account: AccountId, connector_id: ConnectorId, change: Callable[[ImapSettings], ImapSettings]
    ) -> ImapConnection:
        """Put `change(present settings)` in place of the present settings. Raises NotFound when there are none."""
        async with self._database.transaction() as tx:
            await require_connector(tx, account, connector_id)
            present = await tx.connectors.imap(connector_id)
            if present is None:
                raise NotFound("this connector has no IMAP connection: POST creates one")
            changed = replace(present, settings=change(present.settings))
            self._check_search_terms(changed.settings.search_terms)
            await tx.connectors.set_connection(changed)
            await self._start_afresh(tx, connector_id)
        return changed

    async def change_smtp(
        self, account: AccountId, connector_id: ConnectorId, change: Callable[[SmtpSettings], SmtpSettings]
    ) -> SmtpConnection:
        """Put `change(present settings)` in place of the present settings. Raises NotFound when there are none."""
        async with self._database.transaction() as tx:
            await require_connector(tx, account, connector_id)
            present = await tx.connectors.smtp(connector_id)
            if present is None:
                raise NotFound("this connector has no SMTP connection: POST creates one")
            changed = replace(present, settings=change(present.settings))
            await tx.connectors.set_connection(changed)
        return changed

    async def delete_imap(self, account: AccountId, connector_id: ConnectorId) -> None:
        await self._delete_connection(account, connector_id, "imap")

    async def delete_smtp(self, account: AccountId, connector_id: ConnectorId) -> None:
        await self._delete_connection(account, connector_id, "smtp")

    async def _delete_connection(self, account: AccountId, connector_id: ConnectorId, protocol: str) -> None:
        async with self._database.transaction() as tx:
            await require_connector(tx, account, connector_id)
            if not await tx.connectors.remove_connection(connector_id, protocol):
                raise NotFound(f"this connector has no {protocol.upper()} connection")
            _signal(tx, connector_id)

    # Schedule

    async def schedule(self, account: AccountId, connector_id: ConnectorId) -> SyncSchedule | None:
        async with self._database.reading() as tx:
            return await tx.connectors.schedule(await require_connector(tx, account, connector_id))

    async def set_schedule(self, account: AccountId, connector_id: ConnectorId, settings: SyncSettings) -> SyncSchedule:
        async with self._database.transaction() as tx:
            return await self._set_schedule(tx, await require_connector(tx, account, connector_id), settings)

    async def delete_schedule(self, account: AccountId, connector_id: ConnectorId) -> None:
        async with self._database.transaction() as tx:
            await require_connector(tx, account, connector_id)
            if not await tx.connectors.remove_schedule(connector_id):
                raise NotFound("this connector has no sync settings")
            _signal(tx, connector_id)

    # Testing: a failure is a result here, not an error

    async def test_imap(
        self, settings: ImapSettings, ear: Ear = deaf, *, connector_id: ConnectorId | None = None
    ) -> TestResult:
        """Sign in with these settings and open the folder; nothing is read and nothing changed. `ear` hears the
        conversation and its stages while it goes on; what is asked is counted for the connector whose settings they
        are."""

        self._check_search_terms(settings.search_terms)
        transcript = Transcript()

        async def try_out() -> str:
            async with self._visits.visit(settings, transcript, None) as mailbox:
                seen = await mailbox.select(settings.folder)
            return f"signed in at {settings.host} and opened {seen.folder}: {seen.exists} messages"

        # Outside of what is tested: that we can't count says nothing of the settings.
        async with self._visits.counted(transcript, connector_id):
            return await _tested(try_out, transcript, ear)

    async def test_smtp(self, settings: SmtpSettings, ear: Ear = deaf) -> TestResult:
        """Sign in with these settings; nothing is sent. `ear` as in `test_imap`."""

        transcript = Transcript()

        async def try_out() -> str:
            submission = await self._open_submission(settings, transcript)
            await submission.close()
            ready = f"{settings.host} is ready, without sign-in"
            return f"signed in at {settings.host}" if settings.username else ready

        return await _tested(try_out, transcript, ear)

    async def folders(self, settings: ImapSettings, *, connector_id: ConnectorId | None = None) -> list[Folder]:
        """The folders that a server has for these settings; what is asked is counted as in `test_imap`. Raises
        RemoteError, Invalid."""
        async with self._visits.visit(settings, Transcript(), connector_id) as mailbox:
            return await mailbox.list_folders()

    # Events

    async def events(
        self,
        account: AccountId,
        slice_: Slice,
        *,
        connector_id: ConnectorId | None = None,
        type_: EventType | None = None,
    ) -> Page[ConnectorEvent]:
        """What a connector, or all of them, did; without the logs. Raises NotFound for an unknown connector."""
        async with self._database.reading() as tx:
            if connector_id is not None:
                await require_connector(tx, account, connector_id)
            return await tx.events.page(account, slice_, connector=connector_id, type_=type_)

    async def event(self, account: AccountId, event_id: EventId) -> ConnectorEvent:
        """One event, with its log. From now on it counts as seen."""
        async with self._database.transaction() as tx:
            event = await tx.events.get(account, event_id)
            if event is None:
                raise NotFound(f"there is no connector event {event_id}")
            await tx.events.mark_seen(event_id)
        return event

    async def _set_imap(self, tx: Transaction, connector: Connector, settings: ImapSettings) -> ImapConnection:
        self._check_search_terms(settings.search_terms)
        now = self._now()
        connection = ImapConnection(id=new_id(now), connector_id=connector.id, settings=settings, created_at=now)
        await tx.connectors.set_connection(connection)
        await self._start_afresh(tx, connector.id)
        return connection

    async def _start_afresh(self, tx: Transaction, connector_id: ConnectorId) -> None:
        """New settings: what went wrong with the old ones counts no more, and whoever looks after it looks again."""
        await tx.standings.change(connector_id, **NO_PROBLEM)
        _signal(tx, connector_id)

    async def _set_smtp(self, tx: Transaction, connector: Connector, settings: SmtpSettings) -> SmtpConnection:
        now = self._now()
        connection = SmtpConnection(id=new_id(now), connector_id=connector.id, settings=settings, created_at=now)
        await tx.connectors.set_connection(connection)
        return connection

    async def _set_schedule(self, tx: Transaction, connector: Connector, settings: SyncSettings) -> SyncSchedule:
        schedule = SyncSchedule(
            id=new_id(self._now()),
            account_id=connector.account_id,
            connector_id=connector.id,
            settings=settings,
        )
        await tx.connectors.set_schedule(schedule)
        _signal(tx, connector.id)
        return schedule


def _signal(tx: Transaction, connector_id: ConnectorId) -> None:
    """Tell whoever looks after this connector, or after any, that there is something to look at."""
    tx.signal(f"connector:{connector_id}")
    tx.signal("connectors")


async def _tested(try_out: Callable[[], Awaitable[str]], transcript: Transcript, ear: Ear) -> TestResult:
    try:
        with transcript.heard_by(ear):
            message = await try_out()
    except RemoteError as error:
        return TestResult(success=False, message=error.message, stage=error.stage, logs=tuple(transcript.lines))
    except PosthouseError as error:
        return TestResult(success=False, message=error.message, stage=Stage.NAME, logs=tuple(transcript.lines))
    return TestResult(success=True, message=message, logs=tuple(transcript.lines))
