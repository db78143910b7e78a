"""Mail that arrives by itself, from a real server: pushed, in several folders, and shown as what it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from peers.mailbox import Mailbox
from posthouse.app import App, build
from posthouse.config import Settings
from posthouse.model.connectors import Connector, ImapSettings, Security, SyncSettings
from posthouse.model.mail import Email, EmailQuery
from posthouse.model.standing import Mode, State
from posthouse.model.values import AccountId, Secret, Slice
from posthouse.services.connectors import NewConnector


@dataclass
class Kept:
    """A connector that is looked after in this process."""

    app: App
    account: AccountId
    connector: Connector

    async def until(self, count: int) -> list[Email]:
        """The inbox's emails, once there are so many."""
        topic = f"inbox:{self.connector.inbox_id}"
        async with asyncio.timeout(20):
            with self.app.database.signals.listen(topic) as listener:
                while True:
                    page = await self.app.services.mail.page(self.account, EmailQuery(slice=Slice()))
                    if page.total >= count:
                        return list(page.items)
                    await listener.next(1)

    async def until_mode(self, mode: Mode) -> None:
        async with asyncio.timeout(20):
            while await self._mode() is not mode:
                await asyncio.sleep(0.05)

    async def _mode(self) -> Mode:
        return (await self.app.services.watching.report(self.account, self.connector.id)).standing.mode


@asynccontextmanager
async def kept(data: Path, mailbox: Mailbox, **schedule: object) -> AsyncIterator[Kept]:
    app = build(Settings(data=data, egress_allow=(ip_network("127.0.0.0/8"),)))
    imap = ImapSettings(
        host="127.0.0.1",
        port=mailbox.server.imap_port,
        security=Security.PLAIN,
        username=mailbox.address,
        password=Secret(mailbox.password),
    )
    sync = SyncSettings(enabled=True, interval=timedelta(hours=1), **schedule)  # type: ignore[arg-type]
    async with app.opened() as services, app.looking_after():
        account = (await services.accounts.create_key()).account
        connector = await services.connectors.create(account.id, NewConnector(name="kept", imap=imap, sync=sync))
        yield Kept(app, account.id, connector)


def message(subject: str) -> bytes:
    return f"From: a@example.org\r\nTo: b@example.org\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()


async def test_mail_is_pushed_one_after_the_other(tmp_path: Path, mailbox: Mailbox) -> None:
    async with kept(tmp_path, mailbox) as house:
        await house.until_mode(Mode.PUSH)
        for number in range(3):
            await asyncio.to_thread(mailbox.deliver, message(f"number {number}"))
            emails = await house.until(number + 1)
            assert emails[-1].subject == f"number {number}"
        report = await house.app.services.watching.report(house.account, house.connector.id)
        assert (report.state, report.standing.problem) == (State.FRESH, None)
        assert report.standing.pushed_at is not None
    assert all("\\Seen" not in each.flags for each in mailbox.messages())


async def test_other_folders_are_watched_in_the_same_session(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.append(message("junk before"), "Junk")
    async with kept(tmp_path, mailbox, watch_folders=("Junk", "Not there")) as house:
        await house.until(1)
        await house.until_mode(Mode.PUSH)
        await asyncio.to_thread(mailbox.append, message("junk pushed"), "Junk")
        await house.until(2)
        await asyncio.to_thread(mailbox.deliver, message("inbox pushed"))
        emails = await house.until(3)
        assert [(email.subject, email.folder) for email in emails] == [
            ("junk before", "Junk"),
            ("junk pushed", "Junk"),
            ("inbox pushed", "INBOX"),
        ]
        timeline = (await house.app.services.watching.report(house.account, house.connector.id)).timeline
        assert any("Not there" in moment.text for moment in timeline)


async def test_a_direct_sync_borrows_the_session_that_is_there(tmp_path: Path, mailbox: Mailbox) -> None:
    async with kept(tmp_path, mailbox) as house:
        await house.until_mode(Mode.PUSH)
        outcome = await house.app.services.sync.run(house.account, house.connector.id, logging=True)
        assert (outcome.failure, outcome.email_ids) == (None, ())
        assert outcome.logs is not None
        assert any("CAPABILITY IMAP4rev1" in line for line in outcome.logs)
        assert sum("AUTHENTICATE" in line for line in outcome.logs) == 1
