"""The one file that knows everybody: builds the house from its settings, starts it and stops it."""

import asyncio
import contextlib
import logging
import os
import secrets
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from posthouse.api.asgi import create_api
from posthouse.api.metrics import show_metrics
from posthouse.config import Settings
from posthouse.dashboard.app import create_dashboard
from posthouse.engine.dispatcher import Dispatcher
from posthouse.engine.janitor import Chore, Janitor
from posthouse.engine.postman import Postman
from posthouse.engine.worker import Worker
from posthouse.model.errors import PosthouseError
from posthouse.model.values import Clock, Secret, utc_now
from posthouse.remote.admission import Admission
from posthouse.remote.egress import Egress
from posthouse.remote.mailbox import check_search_terms, open_mailbox
from posthouse.remote.quirks import files_sent
from posthouse.remote.submission import open_submission
from posthouse.remote.web import post_to
from posthouse.services import Services
from posthouse.services.about import About
from posthouse.services.accounts import Accounts
from posthouse.services.addresses import PlusAddresses
from posthouse.services.addressing import Addressing
from posthouse.services.answering import Answering
from posthouse.services.attachments import Attachments
from posthouse.services.bounces import note_report
from posthouse.services.browsing import Browsing
from posthouse.services.budget import forget_usage
from posthouse.services.composing import Composing
from posthouse.services.connectors import Connectors
from posthouse.services.contacts import Contacts
from posthouse.services.conversations import Conversations
from posthouse.services.delivering import Delivering
from posthouse.services.drafts import Drafts
from posthouse.services.extracting import Extracting
from posthouse.services.favourites import Favourites
from posthouse.services.fetching import Batches
from posthouse.services.importing import Importing
from posthouse.services.inboxes import Inboxes
from posthouse.services.intake import Intake
from posthouse.services.jobs import Jobs
from posthouse.services.local import Local
from posthouse.services.logins import Logins
from posthouse.services.lookout import Lookout
from posthouse.services.mail import Mail
from posthouse.services.outbox import Outbox
from posthouse.services.overview import Overviews
from posthouse.services.reading import Readers
from posthouse.services.reports import Reports
from posthouse.services.sending import Sending
from posthouse.services.sent import Sent
from posthouse.services.sentfolder import SentFolder
from posthouse.services.showing import Showing
from posthouse.services.sync import Sync
from posthouse.services.telling import Telling
from posthouse.services.templates import Templates
from posthouse.services.threads import Threads
from posthouse.services.waiting import Waiting
from posthouse.services.watching import Watching
from posthouse.services.webhook_results import WebhookResults
from posthouse.services.webhooks import Webhooks
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database
from posthouse.store.sealing import Seal

log = structlog.get_logger()

SECRET_KEY_FILE = "secret.key"  # noqa: S105 (a file's name)
ORPHAN_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class App:
    """The house, built. `opened` brings it to life and puts it to rest."""

    settings: Settings
    database: Database
    blobs: Blobs
    services: Services
    readers: Readers
    now: Clock

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Services]:
        """The services on an up-to-date database, until the block ends."""
        await self.database.open()
        try:
            yield self.services
        finally:
            await self.services.conversations.close()
            await self.readers.close()
            await self.database.close()

    @contextlib.asynccontextmanager
    async def looking_after(self) -> AsyncIterator[None]:
        """Look after connectors, the outbox and webhooks, as one engine process among as many as there are, until the
        block ends."""
        worker = Worker(self.services.sync, self.services.watching, self.now, self.settings.sessions_per_host)
        dispatcher = Dispatcher(self.services.telling)
        parts = (worker, Postman(self.services.outbox), dispatcher, Janitor(self.chores()))
        tasks = [asyncio.create_task(part.run()) for part in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def chores(self) -> tuple[Chore, ...]:
        """What is to be tidied up now and then."""
        days = timedelta(days=self.settings.event_days)
        return (
            Chore("inboxes expired", timedelta(seconds=20), self.services.inboxes.expire_due),
            Chore("connector events forgotten", timedelta(minutes=10), lambda: self.services.connectors.forget(days)),
            Chore("webhook results forgotten", timedelta(hours=1), self.services.telling.prune),
            Chore("logins forgotten", timedelta(hours=1), self.services.logins.forget_expired),
            Chore("usage forgotten", timedelta(hours=1), lambda: forget_usage(self.database, self.now)),
            Chore("idempotency keys forgotten", timedelta(hours=1), self.services.outbox.prune),
        )

    async def sweep(self) -> int:
        """Remove raw bytes that no row mentions, left by a crash between keeping and filing. How many packs went."""
        candidates = await self.blobs.written_before(self.now() - ORPHAN_AGE)
        removed = 0
        for start in range(0, len(candidates), 500):
            some = candidates[start : start + 500]
            async with self.database.reading() as tx:
                orphans = set(some) - await tx.packs.known(some)
            await self.blobs.remove(orphans)
            removed += len(orphans)
        return removed

    def asgi(self) -> FastAPI:
        """The web application: the API, and the dashboard beside it."""
        api = create_api(self.services, version=version("posthouse"), public_url=self.settings.public_url)
        key = self.settings.metrics_key
        show_metrics(api, self.services, Secret(key.get_secret_value()) if key else None)
        shown = self.settings.shown()
        create_dashboard(api, self.services, public_url=self.settings.public_url, settings=shown)
        return api


def build(settings: Settings, now: Clock = utc_now) -> App:
    """Build the house. Opens nothing yet, except the data directory and the key file in it."""
    if not settings.data.exists():
        settings.data.mkdir(mode=0o700, parents=True)  # everybody's mail lies in it
    database = Database(settings.sql_url, Seal(_secret_keys(settings)))
    blobs = Blobs(settings.blob_location)
    egress = Egress(settings.egress_allow)
    mailbox = Admission(partial(open_mailbox, egress=egress, message_limit=settings.message_limit_mb << 20)).open
    submission = partial(open_submission, egress=egress)
    poster = partial(post_to, egress=egress)
    readers = Readers()
    intake = Intake(blobs, now, readers=readers, reported=note_report)
    sync = Sync(database, intake, mailbox, now, Batches(first_sync=settings.first_sync_limit))
    local = Local(database, intake, settings.inbox_domain)
    lookout = Lookout(database.signals, timedelta(milliseconds=settings.longest_wait_ms))
    delivering = Delivering(database, blobs, local, submission, files_sent, now, copies=settings.sent_copy)
    outbox = Outbox(database, delivering, SentFolder(database, blobs, mailbox, now), now)
    mail, watching = Mail(database, blobs, now), Watching(database, now)
    services = Services(
        accounts=Accounts(database, now),
        logins=Logins(database, now),
        lookout=lookout,
        inboxes=Inboxes(database, blobs, settings.inbox_domain, now),
        plus_addresses=PlusAddresses(database, now),
        importing=Importing(database, intake, settings.inbox_domain),
        connectors=Connectors(database, mailbox, submission, check_search_terms, settings.inbox_domain, now),
        sync=sync,
        running=sync.running,
        conversations=Conversations(),
        mail=mail,
        browsing=Browsing(database),
        showing=Showing(mail),
        extracting=Extracting(mail),
        threads=Threads(database),
        favourites=Favourites(database),
        sending=Sending(
            database, blobs, Addressing(database), Composing(database, blobs, now), local, outbox, lookout, now
        ),
        answering=Answering(database, mail),
        drafts=Drafts(database, now),
        templates=Templates(database, now),
        contacts=Contacts(database, now),
        outbox=outbox,
        jobs=Jobs(database, now),
        reports=Reports(database, lookout),
        sent=Sent(database, blobs),
        attachments=Attachments(database, blobs, now),
        watching=watching,
        overviews=Overviews(database, watching.round_of_the_pushed, now),
        waiting=Waiting(database, mail, sync, watching, lookout, now),
        webhooks=Webhooks(database, poster, now),
        webhook_results=WebhookResults(database, lookout, now),
        telling=Telling(database, poster, now),
        about=About(database, blobs, now),
    )
    return App(settings, database, blobs, services, readers, now)


@contextlib.asynccontextmanager
async def serving(app: App) -> AsyncIterator[str]:
    """Serve the web application on the settings' address until the block ends. Gives the URL once it answers."""
    config = uvicorn.Config(
        app.asgi(),
        host=app.settings.host,
        port=app.settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=20,
        server_header=False,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                await task
                raise PosthouseError(
                    f"can't listen on {app.settings.host}:{app.settings.port}: is something else running there? "
                    "Choose another --port"
                )
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        host = f"[{app.settings.host}]" if ":" in app.settings.host else app.settings.host
        yield f"http://{host}:{port}"
    finally:
        app.services.lookout.stop()
        await app.services.conversations.close()
        server.should_exit = True
        with contextlib.suppress(SystemExit):
            await task


class KeyFileUnsafe(PosthouseError):
    """The key file can be read by others than its owner."""


def _secret_keys(settings: Settings) -> list[Secret]:
    if settings.secret_key is not None:
        return [Secret(key.strip()) for key in settings.secret_key.get_secret_value().split(",")]
    return [Secret(_key_from_file(settings.data / SECRET_KEY_FILE))]


def _key_from_file(path: Path) -> str:
    """The key in this file, which is made, readable by its owner alone, when it is not there."""
    with contextlib.suppress(FileExistsError):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as new:
            new.write(secrets.token_hex(32) + "\n")
            new.flush()
            os.fsync(new.fileno())
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileUnsafe(f"{path} can be read by others: `chmod 600 {path}`")
    return path.read_text().strip()


def set_up_logging(json: bool) -> None:
    """One line an event, with the ids; what a mail or a server said is escaped, never printed raw."""
    renderer = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # rich's shows local variables, and so secrets
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if json else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
