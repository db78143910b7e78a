"""A town to test the API in: our house, a mail provider beside it, and tenants who don't know each other.

Tenants have one of everything, and got it by the API alone; so the same town stands around a house in this process
and around one that is served elsewhere.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from email import policy
from email.message import EmailMessage
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from fastapi import FastAPI

from house import sqlite_in
from posthouse.app import App, build
from posthouse.config import Settings
from posthouse.simulator import Provider

FILE = bytes(range(256))
_numbers = count(1)


@dataclass(frozen=True)
class Mailbox:
    """An external mailbox at the provider, and the way to it."""

    address: str
    password: str
    imap_port: int
    smtp_port: int

    def tagged(self, tag: str) -> str:
        """Its address with a plus and a tag."""
        return self.address.replace("@", f"+{tag}@")

    def imap(self, **more: Any) -> dict[str, Any]:
        """An IMAP connection to it, as clients say it."""
        return self._connection("imap", self.imap_port) | more

    def smtp(self, **more: Any) -> dict[str, Any]:
        return self._connection("smtp", self.smtp_port) | more

    def _connection(self, protocol: str, port: int) -> dict[str, Any]:
        own = {"Host": "127.0.0.1", "Port": port, "Ssl": False, "Username": self.address, "Password": self.password}
        return {protocol + name: value for name, value in own.items()} | {"startTls": False, "enabled": True}


@dataclass(frozen=True, kw_only=True)
class Own:
    """What a tenant has, by id. `bare_connector` has no connections; `inbox` is the other connector's.
    `plain_address_tagged` is a plus address of `plain_inbox`."""

    mailbox: Mailbox
    connector: str
    bare_connector: str
    inbox: str
    plain_inbox: str
    email: str
    thread: str
    attachment: str
    upload: str
    sent: str
    event: str
    contact: str
    group: str
    template: str
    draft: str
    job: str
    delivery: str
    plus_address: str
    plain_address_tagged: str
    expired: str
    expired_inbox: str
    webhook: str
    account_webhook: str
    webhook_result: str
    webhook_message: str


@dataclass(frozen=True)
class Tenant:
    """An account: somebody with a key, who asks through `client`."""

    client: httpx2.AsyncClient
    own: Own


@dataclass
class Town:
    """`client` gives a client for a key, `make_key` a key for the account of a name."""

    provider: Provider
    client: Callable[[str], httpx2.AsyncClient]
    make_key: Callable[[str], Awaitable[str]]
    app: App | None = None
    asgi: FastAPI | None = None

    async def tenant(self, name: str = "") -> Tenant:
        """A new account, or more for the one of this name."""
        client = self.client(await self.make_key(name or f"tenant {next(_numbers)}"))
        return Tenant(client, await furnish(client, self.provider))


@asynccontextmanager
async def town_around(data: Path) -> AsyncIterator[Town]:
    """A town with the house in this very process, on SQLite."""
    provider = Provider()
    await provider.start()
    sqlite_in(data)
    app = build(Settings(data=data, egress_allow=(ip_network("127.0.0.0/8"),)))
    try:
        async with app.opened() as services:
            asgi = app.asgi()

            def client(key: str) -> httpx2.AsyncClient:
                transport = httpx2.ASGITransport(app=asgi, raise_app_exceptions=False)
                headers = {"x-api-key": key} if key else {}
                return httpx2.AsyncClient(transport=transport, base_url="http://posthouse.example", headers=headers)

            async def make_key(name: str) -> str:
                return (await services.accounts.create_key(account=name)).secret.reveal()

            yield Town(provider, client, make_key, app, asgi)
    finally:
        await provider.stop()


def message(to: str, subject: str) -> bytes:
    """An email with an attachment that no charset holds."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Zoë <zoe@example.org>", to, subject
    mail["Message-ID"] = f"<{uuid4()}@example.org>"
    mail.set_content("Guten Tag,\nGrüße.\n")
    mail.add_alternative("<p>Guten Tag, <b>Grüße</b>.</p>", subtype="html")
    mail.add_attachment(FILE, maintype="application", subtype="octet-stream", filename="März.bin")
    return mail.as_bytes(policy=policy.SMTP)


async def furnish(client: httpx2.AsyncClient, provider: Provider) -> Own:
    """Give the client's account one of everything."""
    mailbox = add_mailbox(provider)

    async def post(path: str, json: Any = None, status: int = 201) -> Any:
        response = await client.post(path, json=json)
        assert response.status_code == status, response.text
        return response.json()

    made = await post(
        "/connectors/withOptions",
        {
            "createConnectorOptions": {"name": f"connector of {mailbox.address}", "emailAddress": mailbox.address},
            "createConnectorImapConnectionOptions": mailbox.imap(),
            "createConnectorSmtpConnectionOptions": mailbox.smtp(),
            "createConnectorSyncSettingsOptions": {"syncEnabled": True, "syncInterval": 5},
        },
    )
    plain = await post("/inboxes/withOptions", {"name": f"plain inbox of {mailbox.address}", "tags": ["plain"]})
    brief = await post("/inboxes/withOptions", {"expiresIn": 1})
    assert (await client.delete("/inboxes/expired")).status_code == 200
    expired = (await client.get(f"/expired/inbox/{brief['id']}")).json()
    bare = await post("/connectors", {"name": "bare"})
    synced = await post(f"/connectors/{made['id']}/sync?logging=true", status=200)
    assert synced["exception"] is None, synced
    # Where an engine runs it may have been there before us, so the mail is asked for, and not taken from the answer.
    [email, _] = (await client.get(f"/inboxes/{made['inboxId']}/emails")).json()
    favourite = await client.put(f"/emails/{email['id']}/favourite", params={"favourited": "true"})
    assert favourite.status_code == 204
    [attachment] = (await client.get(f"/emails/{email['id']}/attachments")).json()
    [upload] = await post("/attachments", {"base64Contents": "AAEC/w==", "filename": "four.bin"})
    sent = await post(
        f"/connectors/{made['id']}/send",
        {"to": ["bob@elsewhere.example"], "subject": "Sent", "body": "Hi", "attachments": [upload]},
        status=200,
    )
    webhook = await post(f"/inboxes/{plain['id']}/webhooks", {"url": nowhere(plain["id"]), "eventName": "NEW_EMAIL"})
    account_webhook = await post("/webhooks", {"url": nowhere(made["id"]), "eventName": "NEW_CONTACT"})
    await post(f"/webhooks/{webhook['id']}/test")
    [result] = (await client.get(f"/webhooks/{webhook['id']}/results")).json()["content"]
    group = await post("/groups", {"name": "Friends"})
    people = {"firstName": "Bob", "emailAddresses": ["bob@elsewhere.example"], "groupId": group["id"]}
    contact = await post("/contacts", people)
    template = await post("/templates", {"name": "Greeting", "content": "<p>Dear {{firstName}}</p>"})
    wish = {"to": ["Bob <bob@elsewhere.example>"], "subject": "Draft", "body": "Not yet"}
    draft = await post(f"/emails/drafts?inboxId={made['inboxId']}", wish, status=200)
    job = await post(
        f"/inboxes/{made['inboxId']}/with-schedule?sendAtNowPlusSeconds=86400",
        {"to": ["bob@elsewhere.example"], "subject": "Tomorrow", "body": "Hi"},
    )
    [delivery] = (await client.get(f"/sent/{sent['id']}/delivery-status")).json()["content"]
    return Own(
        mailbox=mailbox,
        contact=contact["id"],
        group=group["id"],
        template=template["id"],
        draft=draft["id"],
        connector=made["id"],
        bare_connector=bare["id"],
        inbox=made["inboxId"],
        plain_inbox=plain["id"],
        email=email["id"],
        thread=email["threadId"],
        attachment=attachment["id"],
        upload=upload,
        sent=sent["id"],
        event=synced["eventId"],
        job=job["id"],
        delivery=delivery["id"],
        plus_address=(await client.get(f"/inboxes/{made['inboxId']}/plus-addresses")).json()["content"][0]["id"],
        plain_address_tagged=plain["emailAddress"].replace("@", "+tag@"),
        expired=expired["id"],
        expired_inbox=expired["inboxId"],
        webhook=webhook["id"],
        account_webhook=account_webhook["id"],
        webhook_result=result["id"],
        webhook_message=result["messageId"],
    )


def nowhere(path: str) -> str:
    """A URL of this machine where nobody listens."""
    return f"http://127.0.0.1:9/{path}"


def add_mailbox(provider: Provider) -> Mailbox:
    """A new mailbox at the provider, with two messages in it, one of them to its plus address `tag`."""
    address, password = f"ann{next(_numbers)}-{uuid4().hex[:6]}@provider.example", f"pass-{uuid4()}"
    provider.add_user(address, password)
    provider.deliver(address, message(address, "First"))
    mailbox = Mailbox(address, password, provider.imap_port, provider.smtp_port)
    provider.deliver(address, message(mailbox.tagged("tag"), "Second"))
    return mailbox


def nothing_of(own: Own) -> Own:
    """Ids of the same kind for what nobody has."""
    ids = {field.name: str(uuid4()) for field in fields(own) if field.name != "mailbox"}
    return Own(mailbox=own.mailbox, **ids)
