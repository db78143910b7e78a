"""What can be wrong at a provider for long, rehearsed at the simulator: how soon a user is told, and in which words."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from house import Tenant, add_tenant, opened_database, sqlite_in
from posthouse.engine.worker import Worker
from posthouse.model.connectors import Connector, ImapSettings, Security, SyncSettings
from posthouse.model.mail import Submission
from posthouse.model.standing import MomentKind, State
from posthouse.model.values import Secret, utc_now
from posthouse.remote.bounds import DEFAULT_BOUNDS, Bounds
from posthouse.remote.egress import Egress
from posthouse.remote.mailbox import open_mailbox
from posthouse.remote.tls import Tls
from posthouse.services.connectors import Connectors, NewConnector
from posthouse.services.intake import Intake
from posthouse.services.sync import Sync
from posthouse.services.watching import Report, Watching
from posthouse.simulator import Provider
from posthouse.simulator.certificate import self_signed
from posthouse.store.blobs import Blobs

ADDRESS, PASSWORD = "ann@post.example", "sesame"


@dataclass
class Practice:
    """Connectors at one provider, looked after by a worker of ours."""

    provider: Provider
    connectors: Connectors
    watching: Watching
    tenant: Tenant
    made: list[Connector]

    async def until(self, shown: Callable[[Report], bool], within: float) -> Report:
        """The first report that shows it, once those of all connectors do. Fails with the last one."""
        deadline = asyncio.get_running_loop().time() + within
        for connector in self.made:
            while not shown(report := await self.watching.report(self.tenant.account.id, connector.id)):
                assert asyncio.get_running_loop().time() < deadline, f"not shown within {within:g} s: {report}"
                await asyncio.sleep(0.02)
        return report


@contextlib.asynccontextmanager
async def practice(
    data: Path, bounds: Bounds = DEFAULT_BOUNDS, *, expired: bool = False, count: int = 1
) -> AsyncIterator[Practice]:
    """So many connectors, in sync; or with a provider whose certificate has `expired`, and nothing synced yet."""
    certificate = self_signed(expired=expired)
    provider = Provider()
    provider.add_user(ADDRESS, PASSWORD)
    await provider.start(imaps_port=0, tls=certificate.context)
    tls, egress = Tls(authorities=certificate.pem), Egress((ip_network("127.0.0.0/8"),))
    mailbox = partial(open_mailbox, egress=egress, tls=tls, bounds=bounds)

    async def no_submission(*_: object) -> Submission:
        raise AssertionError("nothing is sent here")

    async with opened_database(sqlite_in(data)) as database:
        connectors = Connectors(database, mailbox, no_submission, lambda _: None, "posthouse.example", utc_now)
        watching = Watching(database, utc_now)
        sync = Sync(database, Intake(Blobs(str(data / "blobs")), utc_now), mailbox, utc_now)
        tenant = await add_tenant(database)
        settings = ImapSettings(
            host="localhost",
            port=provider.imaps_port,
            security=Security.TLS,
            username=ADDRESS,
            password=Secret(PASSWORD),
        )
        wish = NewConnector(imap=settings, sync=SyncSettings(enabled=True))
        made = [await connectors.create(tenant.account.id, wish) for _ in range(count)]
        here = Practice(provider, connectors, watching, tenant, made)
        worker = asyncio.create_task(Worker(sync, watching, utc_now).run())
        try:
            if not expired:
                await here.until(lambda report: report.state is State.FRESH, 20.0)
            yield here
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await provider.stop()


@dataclass(frozen=True)
class Trouble:
    """A fault, how it is shown, and within how many seconds. `begin` makes it happen."""

    name: str
    begin: Callable[[Provider], object]
    state: State
    words: tuple[str, ...]
    within: float = 60.0
    expired: bool = False

    def shown(self, report: Report) -> bool:
        said = " ".join([report.standing.problem or "", *(moment.text for moment in report.timeline)])
        return report.state is self.state and all(word in said for word in self.words)


def _deaf(provider: Provider) -> None:
    provider.faults.set("deaf_idle")
    provider.deliver(ADDRESS, b"Subject: Nobody says so\r\n\r\nHello\r\n")


def _stalled(provider: Provider) -> None:
    provider.faults.set("half_open")


def _refused(provider: Provider) -> None:
    provider.faults.set("refuse_credentials_after", 0)
    provider.disconnect()


def _app_password(provider: Provider) -> None:
    provider.faults.set("app_password_required")
    provider.disconnect()


STALLED = Trouble("stalled server", _stalled, State.LAGGING, ("localhost did not answer within",))
TROUBLES = (
    Trouble("deaf IDLE", _deaf, State.FRESH, ("did not: asking every",), within=90.0),
    STALLED,
    Trouble("refused credentials", _refused, State.BROKEN, ("refused the user name or password",)),
    Trouble("app password", _app_password, State.BROKEN, ("make an app password in the provider's security settings",)),
    Trouble(
        "expired certificate",
        lambda _: None,
        State.BROKEN,
        ("the certificate of localhost has expired", "its owner must renew it"),
        expired=True,
    ),
)


async def rehearse(trouble: Trouble, data: Path, bounds: Bounds = DEFAULT_BOUNDS, *, count: int = 1) -> float:
    """Let it happen to so many. Seconds until it was shown with its remedy; fails when that takes too long."""
    async with practice(data, bounds, expired=trouble.expired, count=count) as here:
        began = asyncio.get_running_loop().time()
        trouble.begin(here.provider)
        report = await here.until(trouble.shown, trouble.within)
        if trouble.begin is _deaf:
            assert MomentKind.DOWNGRADED in [moment.kind for moment in report.timeline]
        return asyncio.get_running_loop().time() - began
