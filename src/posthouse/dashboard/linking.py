"""Linking a mailbox: a form that proposes what it can, tests what it says while one looks on, and saves it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from fastapi import Response

from posthouse.dashboard.linking_form import Form, Reading, as_options, read
from posthouse.dashboard.live import event, stream
from posthouse.dashboard.stages import Trial, begin
from posthouse.dashboard.typed import texts
from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.connectors import ImapSettings, SmtpSettings
from posthouse.model.errors import PosthouseError
from posthouse.model.providers import PRESETS
from posthouse.model.sync import Folder
from posthouse.model.values import utc_now
from posthouse.services.connectors import NewConnector

router = pages()

_NOTHING_YET: dict[str, Any] = {"problems": {}, "trials": None, "live": False}


@router.get("/connectors/new")
async def ask(visit: Visit) -> Response:
    return await _page(visit, Form.of({**_defaults(), **visit.request.query_params}).with_proposal())


@router.get("/connectors/new/settings")
async def propose(visit: Visit) -> Response:
    """The part of the form that depends on address and provider."""
    form = Form.of(visit.request.query_params).with_proposal()
    return visit.page("linking/_settings.html", form=form, **_NOTHING_YET, **await _known(visit, form))


@router.post("/connectors/new/settings")
async def propose_without_script(visit: Visit) -> Response:
    form = Form.of(await visit.request.form())
    return await _page(visit, form.with_proposal())


@router.post("/connectors/new/test")
async def test(visit: Visit) -> Response:
    """Try out what the form says: stage by stage as it goes, or as a page when it is over."""
    form, reading = await _read(visit)
    if reading.problems:
        return await _wrong(visit, form, reading.problems)
    trials = _Trials(visit, reading.wish)
    if visit.htmx:
        return stream(visit, trials.shown())
    async for _ in trials.changes():
        pass
    return await _page(visit, form, trials=trials)


@router.post("/connectors/new")
async def link(visit: Visit) -> Response:
    form, reading = await _read(visit)
    if reading.problems:
        return await _wrong(visit, form, reading.problems)
    services, account = visit.services, visit.account.id
    try:
        connector = await services.connectors.create(account, reading.wish)
    except PosthouseError as error:
        return await _wrong(visit, form, {"": error.message})
    if reading.wish.imap is None:
        return visit.to(f"/connectors/{connector.id}", said="Linked. Mail can be sent through this mailbox.")
    if reading.wish.sync is not None:  # the engine begins at once
        return visit.to(f"/connectors/{connector.id}", said="Linked. Its mail is coming in.")
    begun = services.conversations.begin(account, lambda ear: services.sync.run(account, connector.id, ear=ear))
    return visit.to(f"/connectors/{connector.id}/syncs/{begun.id}", said="Linked.")


class _Trials:
    """The tests of a form: IMAP, and SMTP when that is good, so that a wrong password is tried once."""

    def __init__(self, visit: Visitor, wish: NewConnector) -> None:
        self.all: list[Trial] = []
        self.folders: list[Folder] = []
        self._visit = visit
        self._wish = wish

    async def changes(self) -> AsyncGenerator[None, None]:
        """Gives whenever there is more to see, until all is over."""
        connections: tuple[ImapSettings | SmtpSettings | None, ...] = (self._wish.imap, self._wish.smtp)
        for settings in connections:
            if settings is None:
                continue
            trial = begin(self._visit, settings)
            self.all.append(trial)
            async for _ in trial.conversation.changes():
                yield
            if not trial.success:
                return
            if isinstance(settings, ImapSettings):
                self.folders = await self._listed(settings)

    async def shown(self) -> AsyncGenerator[str, None]:
        """The same as events for a page."""
        async for _ in self.changes():
            yield self._event(over=False)
        yield self._event(over=True)

    def _event(self, *, over: bool) -> str:
        return event(self._visit.render("linking/_tests.html", trials=self, over=over, problems={}, live=True))

    async def _listed(self, settings: ImapSettings) -> list[Folder]:
        with suppress(PosthouseError):
            async with asyncio.timeout(20):
                return await self._visit.services.connectors.folders(settings)
        return []


def _defaults() -> dict[str, str]:
    return {"imap": "on", "smtp": "on", "sign_in": "password", "how": "push", "minutes": "5", "back": "all"} | {
        "imap_port": "993",
        "imap_security": "tls",
        "smtp_port": "465",
        "smtp_security": "tls",
        "folder": "INBOX",
    }


async def _read(visit: Visitor) -> tuple[Form, Reading]:
    given = await visit.request.form()
    form = Form.of(given)
    return form, read(form, texts(given, ["password"])["password"], utc_now().date())


async def _known(visit: Visitor, form: Form) -> dict[str, Any]:
    """What a page needs to know beside the form."""
    address = form.email_address
    same = await visit.services.connectors.by_address(visit.account.id, address) if "@" in address else None
    return {"presets": PRESETS, "proposal": form.proposal, "same": same, "options": as_options(form)}


async def _page(
    visit: Visitor, form: Form, problems: dict[str, str] | None = None, trials: _Trials | None = None
) -> Response:
    values = {"form": form, "problems": problems or {}, "trials": trials, "over": True, "live": False}
    status = 422 if problems else 200
    return visit.page("linking/new.html", status, here="connectors", **values, **await _known(visit, form))


async def _wrong(visit: Visitor, form: Form, problems: dict[str, str]) -> Response:
    if visit.htmx:
        return visit.page("linking/_problems.html", problems=problems)
    return await _page(visit, form, problems)
