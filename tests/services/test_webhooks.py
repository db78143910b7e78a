"""Webhooks are told what has happened: at least once, in order, under the same ids, on both databases."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from house import Tenant, add_tenant, an_inbox, opened_database
from posthouse.model.errors import Invalid, NotFound, Unreachable
from posthouse.model.events import Happening
from posthouse.model.mail import Inbox, Mark
from posthouse.model.reports import Bounce, BouncedRecipient, DeliveryStatus
from posthouse.model.values import (
    Backoff,
    BouncedId,
    BounceId,
    DeliveryId,
    EmailId,
    InboxId,
    Secret,
    SentId,
    Slice,
    utc_now,
)
from posthouse.model.webhooks import (
    Answer,
    Backlog,
    Call,
    EventName,
    Health,
    MessageId,
    ResultQuery,
    ResultType,
    Webhook,
    WebhookQuery,
)
from posthouse.services.intake import Incoming, Intake
from posthouse.services.lookout import Lookout
from posthouse.services.mail import Mail
from posthouse.services.telling import Telling
from posthouse.services.webhook_results import WebhookResults
from posthouse.services.webhooks import NewWebhook, Webhooks
from posthouse.store.blobs import Blobs
from posthouse.store.database import Database
from posthouse.store.tables import webhook_lanes

URL = "https://hooks.example.org/in"


def a_message(number: int, attachments: int = 0) -> bytes:
    head = f"From: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: Number {number}\r\n"
    if not attachments:
        return f"{head}\r\nHello {number}.\r\n".encode()
    parts = "".join(
        f"--b\r\nContent-Type: application/x-{n}\r\nContent-Disposition: attachment; filename=f{n}.bin\r\n\r\n{n}\r\n"
        for n in range(attachments)
    )
    return f'{head}Content-Type: multipart/mixed; boundary="b"\r\n\r\n{parts}--b--\r\n'.encode()


@dataclass
class Receiver:
    """Takes what is posted. `decide` says what it answers to a call; None breaks the connection."""

    heard: list[Call] = field(default_factory=list)
    decide: Callable[[Call], int | None] = lambda _: 200
    retry_after: timedelta | None = None

    async def __call__(self, call: Call) -> Answer:
        self.heard.append(call)
        status = self.decide(call)
        if status is None:
            raise Unreachable("hooks.example.org broke the connection off")
        return Answer(status=status, text=f"said {status}", retry_after=self.retry_after)

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.heard]

    def subjects(self) -> list[str]:
        return [payload["subject"] for payload in self.payloads]


@dataclass
class House:
    database: Database
    tenant: Tenant
    blobs: Blobs
    receiver: Receiver
    webhooks: Webhooks
    results: WebhookResults
    telling: Telling
    me: UUID = field(default_factory=uuid4)

    @property
    def account(self) -> Any:
        return self.tenant.account.id

    async def receive(self, *contents: bytes, inbox: Inbox | None = None) -> list[EmailId]:
        intake = Intake(self.blobs, utc_now)
        prepared = await intake.prepare([Incoming(content=content, size=len(content)) for content in contents])
        async with self.database.transaction() as tx:
            taken = await intake.take_in(tx, self.account, (inbox or self.tenant.inbox).id, prepared)
        return list(taken.new)

    async def another_inbox(self) -> Inbox:
        inbox = an_inbox(self.tenant.account, f"{uuid4().hex}@posthouse.example")
        async with self.database.transaction() as tx:
            await tx.inboxes.add(inbox)
        return inbox

    async def hook(self, event: EventName = EventName.NEW_EMAIL, *, inbox: bool = True, **more: Any) -> Webhook:
        wish = NewWebhook(url=URL, event=event, **more)
        return await self.webhooks.create(self.account, wish, self.tenant.inbox.id if inbox else None)

    async def tell(self) -> None:
        """One look, and everything that it finds to do."""
        while await self.telling.spread():
            pass
        due = await self.telling.due(each=8, most=100)
        for key in await self.telling.claim(self.me, [lane.key for lane in due]) if due else []:
            await self.telling.work(self.me, key)

    async def tell_once_more(self) -> None:
        """Whatever has to be waited for."""
        async with self.database.transaction() as tx:
            for key in await tx.lanes.open_lanes(self.account):
                await tx.lanes.reopen(key, utc_now())
        await self.tell()

    async def tell_until_rest(self) -> None:
        """As often as it takes, whatever has to be waited for."""
        for _ in range(1000):
            async with self.database.reading() as tx:
                if not await tx.lanes.open_lanes(self.account) and not await tx.lanes.has_news():
                    return
            await self.tell_once_more()
        raise AssertionError("there is no end to it")

    async def outcomes(self) -> list[ResultType]:
        page = await self.results.page(self.account, ResultQuery(slice=Slice(size=1000)))
        return [result.type for result in page.items]

    async def lanes(self) -> int:
        async with self.database.reading() as tx:
            return len(await tx.lanes.open_lanes(self.account))


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with opened_database(database_url) as database:
        tenant, receiver = await add_tenant(database), Receiver()
        backoff = Backoff(first=timedelta(hours=1), most=timedelta(hours=1))
        yield House(
            database,
            tenant,
            Blobs(str(tmp_path / "blobs")),
            receiver,
            Webhooks(database, receiver, utc_now),
            WebhookResults(database, Lookout(database.signals, timedelta(minutes=5)), utc_now),
            Telling(database, receiver, utc_now, backoff=backoff),
        )


# What is told


async def test_a_new_email_is_told_with_everything_that_clients_know(house: House) -> None:
    hook = await house.hook(name="orders")
    [email] = await house.receive(a_message(1, attachments=1))
    await house.tell()
    [payload] = house.receiver.payloads
    async with house.database.reading() as tx:
        [attachment] = await tx.mail.attachments(email)
    assert payload.pop("createdAt").endswith("Z")
    assert UUID(payload.pop("messageId"))
    assert payload == {
        "webhookId": str(hook.id),
        "eventName": "NEW_EMAIL",
        "webhookName": "orders",
        "inboxId": str(house.tenant.inbox.id),
        "domainId": None,
        "emailId": str(email),
        "to": ["bob@example.org"],
        "from": "ann@example.org",
        "cc": [],
        "bcc": [],
        "subject": "Number 1",
        "attachmentMetaDatas": [
            {
                "name": "f0.bin",
                "contentType": "application/x-0",
                "contentLength": attachment.size,
                "id": attachment.id,
                "contentId": None,
            }
        ],
    }
    assert await house.outcomes() == [ResultType.SUCCESS]
    assert await house.lanes() == 0


async def test_each_attachment_is_told_by_itself(house: House) -> None:
    await house.hook(EventName.NEW_ATTACHMENT)
    await house.receive(a_message(1, attachments=3), a_message(2))
    await house.tell()
    assert [payload["name"] for payload in house.receiver.payloads] == ["f0.bin", "f1.bin", "f2.bin"]
    assert len({payload["messageId"] for payload in house.receiver.payloads}) == 3


async def test_reading_is_told_to_who_asked_for_it_alone(house: House) -> None:
    await house.hook(EventName.EMAIL_READ)
    [email] = await house.receive(a_message(1))
    await house.tell()
    assert house.receiver.heard == []
    await Mail(house.database, house.blobs, utc_now).mark_read(house.account, email)
    await house.tell()
    [payload] = house.receiver.payloads
    assert (payload["emailId"], payload["emailIsRead"]) == (str(email), True)


async def test_a_webhook_of_the_account_hears_of_every_inbox_and_others_of_their_own(house: House) -> None:
    everywhere = await house.hook(inbox=False)
    here = await house.hook()
    elsewhere = await house.another_inbox()
    await house.receive(a_message(1))
    await house.receive(a_message(2), inbox=elsewhere)
    await house.tell()
    told = {(payload["webhookId"], payload["subject"]) for payload in house.receiver.payloads}
    assert told == {
        (str(everywhere.id), "Number 1"),
        (str(everywhere.id), "Number 2"),
        (str(here.id), "Number 1"),
    }


async def test_nobody_hears_of_another_accounts_mail(house: House) -> None:
    other = await add_tenant(house.database, "other")
    await house.webhooks.create(other.account.id, NewWebhook(url=URL))
    await house.receive(a_message(1))
    await house.tell()
    assert house.receiver.heard == []


async def test_a_new_webhook_hears_of_what_comes_after_it(house: House) -> None:
    await house.receive(a_message(1))
    await house.hook()
    await house.hook(inbox=False)
    await house.receive(a_message(2))
    await house.tell()
    assert house.receiver.subjects() == ["Number 2", "Number 2"]


@pytest.mark.parametrize("event", [EventName.NEW_SMS, EventName.NEW_CONTACT, EventName.EMAIL_OPENED])
async def test_what_never_happens_here_may_be_waited_for(event: EventName, house: House) -> None:
    await house.hook(event)
    await house.receive(a_message(1))
    await house.tell()
    assert house.receiver.heard == []


async def test_an_email_that_is_gone_is_not_told(house: House) -> None:
    await house.hook()
    ids = await house.receive(a_message(1), a_message(2))
    await Mail(house.database, house.blobs, utc_now).delete(house.account, ids[0])
    await house.tell()
    assert house.receiver.subjects() == ["Number 2"]
    assert await house.lanes() == 0


async def test_at_rest_there_is_nothing_to_look_through(house: House) -> None:
    await house.hook(inbox=False)
    for _ in range(5):
        await house.receive(a_message(1), inbox=await house.another_inbox())
    await house.tell()
    assert len(house.receiver.heard) == 5
    assert await house.lanes() == 0
    assert not await house.telling.spread()


async def test_news_is_found_by_an_index_that_holds_nothing_else(house: House) -> None:
    query = "SELECT id FROM inboxes WHERE position > told LIMIT 1"
    async with house.database.reading() as tx:
        if house.database.is_sqlite:
            plan = str((await tx.connection.execute(sa.text(f"EXPLAIN QUERY PLAN {query}"))).all())
        else:
            await tx.connection.execute(sa.text("SET enable_seqscan = off"))  # there are too few rows for an index
            plan = str((await tx.connection.execute(sa.text(f"EXPLAIN {query}"))).all())
    assert "ix_inboxes_untold" in plan


async def test_what_became_of_sent_emails_is_told(house: House) -> None:
    for event in (EventName.BOUNCE, EventName.BOUNCE_RECIPIENT, EventName.DELIVERY_STATUS):
        await house.hook(event)
    now, inbox = utc_now(), house.tenant.inbox.id
    sent = SentId(uuid4())
    gone = [
        BouncedRecipient(id=BouncedId(uuid4()), recipient=f"{name}@example.org", status="5.1.1", reason="unknown")
        for name in ("bob", "carol")
    ]
    bounce = Bounce(
        id=BounceId(uuid4()),
        account_id=house.account,
        inbox_id=inbox,
        sent_id=sent,
        email_id=None,
        created_at=now,
        sender="ann@example.org",
        subject="Hello",
        sent_to=("bob@example.org", "carol@example.org", "dave@example.org"),
        recipients=tuple(gone),
    )
    status = DeliveryStatus(
        id=DeliveryId(uuid4()),
        account_id=house.account,
        inbox_id=inbox,
        sent_id=sent,
        created_at=now,
        recipients=("dave@example.org",),
        subject="Hello",
        reporting_mta="mx.example.org",
        smtp_code=250,
        smtp_text="250 OK",
        milliseconds=17,
    )
    async with house.database.transaction() as tx:
        await tx.reports.add_bounce(bounce)
        await tx.reports.add_status(status)
        await tx.journal.append(inbox, Happening.BOUNCED, [bounce.id], now)
        await tx.journal.append(inbox, Happening.BOUNCED_RECIPIENT, [one.id for one in gone], now)
        await tx.journal.append(inbox, Happening.DELIVERY_STATUS, [status.id], now)
    await house.tell()
    told: dict[str, list[dict[str, Any]]] = {}
    for payload in house.receiver.payloads:
        del payload["messageId"], payload["webhookId"], payload["webhookName"]
        told.setdefault(payload.pop("eventName"), []).append(payload)
    assert told == {
        "BOUNCE": [
            {
                "bounceId": str(bounce.id),
                "sentToRecipients": list(bounce.sent_to),
                "sender": "ann@example.org",
                "bounceRecipients": ["bob@example.org", "carol@example.org"],
            }
        ],
        "BOUNCE_RECIPIENT": [{"recipient": "bob@example.org"}, {"recipient": "carol@example.org"}],
        "DELIVERY_STATUS": [
            {
                "id": str(status.id),
                "userId": str(house.account),
                "sentId": str(sent),
                "remoteMtaIp": None,
                "inboxId": str(inbox),
                "reportingMta": "mx.example.org",
                "recipients": ["dave@example.org"],
                "smtpResponse": "250 OK",
                "smtpStatusCode": 250,
                "processingTimeMillis": 17,
                "received": None,
                "subject": "Hello",
            }
        ],
    }


# How it is signed


async def test_a_message_is_signed_as_the_standard_says(house: House) -> None:
    hook = await house.hook()
    await house.receive(a_message(1))
    await house.tell()
    [call] = house.receiver.heard
    secret = hook.secret.reveal()
    assert secret.startswith("whsec_")
    said = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    expected = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), said, hashlib.sha256).digest()
    assert call.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    assert call.headers["webhook-id"] == call.headers["x-message-id"] == house.receiver.payloads[0]["messageId"]
    assert call.headers["x-event"] == "NEW_EMAIL"


async def test_a_signature_can_be_checked_by_asking(house: House) -> None:
    await house.hook()
    await house.receive(a_message(1))
    await house.tell()
    [call] = house.receiver.heard
    message, signature = MessageId(UUID(call.headers["x-message-id"])), call.headers["x-signature"]
    other = await add_tenant(house.database, "other")
    assert await house.webhooks.verify(house.account, message, signature)
    assert not await house.webhooks.verify(house.account, message, signature[:-1] + "x")
    assert not await house.webhooks.verify(house.account, MessageId(uuid4()), signature)
    assert not await house.webhooks.verify(other.account.id, message, signature)


async def test_headers_and_basic_auth_go_along(house: House) -> None:
    await house.hook(username="ann", password=Secret("p:w"), headers={"X-Team": Secret("blue")})
    await house.receive(a_message(1))
    await house.tell()
    [call] = house.receiver.heard
    assert call.headers["X-Team"] == "blue"
    assert call.headers["Authorization"] == "Basic " + base64.b64encode(b"ann:p:w").decode()


async def test_a_template_makes_the_words(house: House) -> None:
    await house.hook(template='{"text": "{{from}}: {{subject}}", "to": {{{to}}}}')
    await house.receive(a_message(1).replace(b"Number 1", b'A "quoted" one'))
    await house.tell()
    assert house.receiver.payloads == [{"text": 'ann@example.org: A "quoted" one', "to": ["bob@example.org"]}]


async def test_no_secret_lies_open_in_the_database(house: House, tmp_path: Path) -> None:
    await house.hook(username="ann", password=Secret("canary-1"), headers={"X-Api-Key": Secret("canary-2")})
    async with house.database.reading() as tx:
        row = (await tx.connection.execute(sa.text("SELECT * FROM webhooks"))).mappings().one()
    assert "canary" not in str({key: bytes(v) if isinstance(v, bytes | memoryview) else v for key, v in row.items()})


# When it fails


async def test_a_failing_message_holds_back_the_later_ones_of_its_lane_and_nobody_else(house: House) -> None:
    await house.hook(inbox=False)
    elsewhere = await house.another_inbox()
    house.receiver.decide = lambda call: 500 if b"Number 1" in call.body else 200
    await house.receive(a_message(1), a_message(2))
    await house.receive(a_message(3), inbox=elsewhere)
    await house.tell()
    assert sorted(house.receiver.subjects()) == ["Number 1", "Number 3"]
    house.receiver.decide = lambda _: 200
    await house.tell()
    assert len(house.receiver.heard) == 2, "it is not tried again before its time"
    await house.tell_until_rest()
    assert house.receiver.subjects()[2:] == ["Number 1", "Number 2"]


@pytest.mark.parametrize("status", [301, 302, 308, 400, 404, 410, 500, 503, None])
async def test_whatever_is_not_2xx_is_tried_again_under_the_same_id(status: int | None, house: House) -> None:
    await house.hook()
    house.receiver.decide = lambda _: status
    await house.receive(a_message(1))
    await house.tell()
    house.receiver.decide = lambda _: 204
    await house.tell_until_rest()
    first, second = house.receiver.heard
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    failed = ResultType.EXCEPTION if status is None else ResultType.BAD_RESPONSE
    assert await house.outcomes() == [failed, ResultType.SUCCESS]


async def test_after_a_day_a_message_is_given_up_and_the_later_ones_go_on(house: House) -> None:
    await house.hook()
    house.telling._patience = timedelta()
    house.receiver.decide = lambda call: 500 if b"Number 1" in call.body else 200
    await house.receive(a_message(1), a_message(2))
    await house.tell_until_rest()
    assert house.receiver.subjects() == ["Number 1", "Number 2"]
    assert await house.outcomes() == [ResultType.EXHAUSTED, ResultType.SUCCESS]


async def test_a_receiver_may_ask_for_a_longer_pause(house: House) -> None:
    await house.hook()
    house.receiver.decide, house.receiver.retry_after = (lambda _: 429), timedelta(hours=2)
    await house.receive(a_message(1))
    await house.tell()
    async with house.database.reading() as tx:
        due_at = await tx.connection.scalar(sa.select(webhook_lanes.c.due_at))
    assert due_at is not None
    assert timedelta(hours=1.9) < due_at - utc_now() < timedelta(hours=2.1)


async def test_a_webhook_that_keeps_failing_is_unhealthy_until_it_answers(house: House) -> None:
    hook = await house.hook()
    await house.receive(a_message(1))
    house.receiver.decide = lambda _: 500
    for tries in range(1, 4):
        await house.tell_once_more()
        health = (await house.webhooks.get(house.account, hook.id)).health
        assert health is (Health.UNHEALTHY if tries == 3 else Health.HEALTHY)
    unhealthy = WebhookQuery(slice=Slice(), health=Health.UNHEALTHY)
    assert (await house.webhooks.page(house.account, unhealthy)).total == 1
    assert (await house.webhooks.endpoints(house.account, unhealthy)).items == ((URL, Health.UNHEALTHY),)
    house.receiver.decide = lambda _: 200
    await house.tell_until_rest()
    assert (await house.webhooks.get(house.account, hook.id)).health is Health.HEALTHY


# When processes die


async def test_a_process_that_dies_before_it_writes_down_says_it_twice_and_loses_nothing(house: House) -> None:
    await house.hook()
    await house.receive(a_message(1), a_message(2))
    await house.telling.spread()
    [lane] = await house.telling.due(each=1, most=1)
    dead = uuid4()
    assert await house.telling.claim(dead, [lane.key])

    class Dies(BaseException):
        pass

    async def die(call: Call) -> Answer:
        house.receiver.heard.append(call)
        raise Dies

    with pytest.raises(Dies):
        await Telling(house.database, die, utc_now).work(dead, lane.key)
    await house.tell()
    assert len(house.receiver.heard) == 1, "its lane is still believed to be in good hands"
    await house.telling.release(dead)  # as time does
    await house.tell()
    assert house.receiver.subjects() == ["Number 1", "Number 1", "Number 2"]
    assert house.receiver.heard[0].headers["webhook-id"] == house.receiver.heard[1].headers["webhook-id"]


async def test_who_has_lost_a_lane_writes_nothing_down(house: House) -> None:
    await house.hook()
    await house.receive(a_message(1))
    await house.telling.spread()
    [lane] = await house.telling.due(each=1, most=1)
    slow = uuid4()
    await house.telling.claim(slow, [lane.key])
    taken_over: list[UUID] = []

    async def too_slow(call: Call) -> Answer:
        await house.telling.release(slow)
        taken_over.append(house.me)
        await house.telling.claim(house.me, [lane.key])
        return Answer(status=200, text="")

    await Telling(house.database, too_slow, utc_now).work(slow, lane.key)
    assert taken_over
    assert await house.outcomes() == []
    await house.telling.work(house.me, lane.key)
    assert house.receiver.subjects() == ["Number 1"]


async def test_a_lane_is_claimed_once(house: House) -> None:
    await house.hook()
    await house.receive(a_message(1))
    await house.telling.spread()
    [lane] = await house.telling.due(each=1, most=1)
    assert await house.telling.claim(uuid4(), [lane.key]) == [lane.key]
    assert await house.telling.claim(uuid4(), [lane.key]) == []


# Again


async def test_a_webhook_is_set_back_and_told_again_under_the_same_ids(house: House) -> None:
    hook = await house.hook()
    await house.receive(a_message(1), a_message(2), a_message(3))
    await house.tell()
    before = house.receiver.payloads
    rewound = await house.webhooks.rewind(house.account, hook.id, position=1)
    assert (rewound.position, rewound.ahead) == (1, 2)
    await house.receive(a_message(4))
    await house.tell()
    assert house.receiver.payloads[3:5] == before[1:]
    assert house.receiver.subjects()[3:] == ["Number 2", "Number 3", "Number 4"]


async def test_a_new_webhook_can_be_told_of_the_past(house: House) -> None:
    await house.receive(a_message(1), a_message(2))
    hook = await house.hook(inbox=False)
    inbox = house.tenant.inbox.id
    await house.webhooks.rewind(house.account, hook.id, inbox, mark=Mark(inbox, 1))
    await house.tell()
    assert house.receiver.subjects() == ["Number 2"]
    await house.webhooks.rewind(house.account, hook.id, inbox, since=house.tenant.inbox.created_at)
    await house.tell()
    assert house.receiver.subjects() == ["Number 2", "Number 1", "Number 2"]


async def test_a_place_that_is_not_there_is_refused(house: House) -> None:
    hook, wide = await house.hook(), await house.hook(inbox=False)
    elsewhere = await house.another_inbox()
    other = await add_tenant(house.database, "other")
    with pytest.raises(Invalid, match="ends at 0"):
        await house.webhooks.rewind(house.account, hook.id, position=1)
    with pytest.raises(Invalid, match="another inbox"):
        await house.webhooks.rewind(house.account, hook.id, elsewhere.id, position=0)
    with pytest.raises(Invalid, match="inboxId is missing"):
        await house.webhooks.rewind(house.account, wide.id, position=0)
    with pytest.raises(NotFound):
        await house.webhooks.rewind(house.account, wide.id, other.inbox.id, position=0)


async def test_what_was_given_up_is_told_again_when_asked(house: House) -> None:
    await house.hook()
    house.telling._patience = timedelta()
    house.receiver.decide = lambda _: 500
    await house.receive(a_message(1), a_message(2))
    await house.tell_until_rest()
    assert await house.results.unseen_failures(house.account) == 2
    house.receiver.decide = lambda _: 200
    assert await house.results.redrive_all(house.account) == 2
    await house.tell()
    assert house.receiver.subjects()[2:] == ["Number 1", "Number 2"]
    assert await house.outcomes() == [ResultType.REDRIVEN] * 2 + [ResultType.SUCCESS] * 2
    assert await house.results.unseen_failures(house.account) == 0
    assert await house.results.redrive_all(house.account) == 0


async def test_one_webhooks_backlog_is_known_and_told_again_without_the_others(house: House) -> None:
    hook, other = await house.hook(), await house.hook()
    house.telling._patience = timedelta()
    house.receiver.decide = lambda _: 500
    await house.receive(a_message(1))
    await house.tell_until_rest()
    assert await house.results.backlog(house.account) == {hook.id: Backlog(0, 1), other.id: Backlog(0, 1)}
    house.receiver.decide = lambda _: 200
    assert await house.results.redrive_all(house.account, hook.id) == 1
    assert await house.results.backlog(house.account) == {hook.id: Backlog(1, 0), other.id: Backlog(0, 1)}
    await house.tell()
    assert await house.results.backlog(house.account) == {other.id: Backlog(0, 1)}
    stranger = await add_tenant(house.database, "stranger")
    assert await house.results.backlog(stranger.account.id) == {}
    with pytest.raises(NotFound):
        await house.results.redrive_all(stranger.account.id, other.id)


async def test_what_was_said_can_be_read_beside_its_result(house: House) -> None:
    await house.hook()
    await house.receive(a_message(1))
    await house.tell()
    [result] = (await house.results.page(house.account, ResultQuery(slice=Slice()))).items
    message = await house.results.told(house.account, result.id)
    assert message is not None
    assert message.body.encode() == house.receiver.heard[0].body
    stranger = await add_tenant(house.database, "stranger")
    with pytest.raises(NotFound):
        await house.results.told(stranger.account.id, result.id)


async def test_one_result_is_told_again_under_its_id(house: House) -> None:
    await house.hook()
    await house.receive(a_message(1), a_message(2))
    await house.tell()
    page = await house.results.page(house.account, ResultQuery(slice=Slice()))
    assert await house.results.redrive(house.account, page.items[0].id) is None
    await house.tell()
    assert house.receiver.subjects() == ["Number 1", "Number 2", "Number 1"]
    assert house.receiver.payloads[0] == house.receiver.payloads[2]


async def test_a_test_is_said_here_and_now_and_leaves_a_result(house: House) -> None:
    hook = await house.hook()
    said = await house.webhooks.test(house.account, hook.id)
    assert said.answer is not None
    [payload] = house.receiver.payloads
    assert payload["inboxId"] == str(house.tenant.inbox.id)
    [result] = await house.results.wait(house.account, hook.id, 1, timedelta(seconds=1))
    assert str(result.message_id) == payload["messageId"]
    assert await house.webhooks.verify(house.account, result.message_id, said.call.headers["x-signature"])
    assert "test" in str(await house.results.redrive(house.account, result.id))


async def test_old_results_are_forgotten(house: House) -> None:
    await house.hook()
    await house.receive(a_message(1))
    await house.tell()
    later = Telling(house.database, house.receiver, lambda: utc_now() + timedelta(days=15))
    await house.telling.prune()
    assert await house.outcomes() == [ResultType.SUCCESS]
    await later.prune()
    assert await house.outcomes() == []


# What can't be


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://hooks.example.org",
        "https://",
        "https://ann:pw@hooks.example.org",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/" + "x" * 2000,
    ],
)
async def test_a_url_that_leads_nowhere_is_refused(url: str, house: House) -> None:
    with pytest.raises(Invalid, match="url"):
        await house.webhooks.create(house.account, NewWebhook(url=url))


@pytest.mark.parametrize("header", ["", "a b", "Host", "content-length", "X-Signature", "webhook-id", "né"])
async def test_a_header_that_is_ours_or_none_is_refused(header: str, house: House) -> None:
    with pytest.raises(Invalid, match="includeHeaders"):
        await house.hook(headers={header: Secret("x")})


async def test_a_template_that_is_none_is_refused(house: House) -> None:
    with pytest.raises(Invalid, match="requestBodyTemplate"):
        await house.hook(template="{{#open}}")


async def test_an_inbox_that_is_gone_takes_its_webhooks_along(house: House) -> None:
    hook = await house.hook()
    async with house.database.transaction() as tx:
        await tx.inboxes.remove([InboxId(house.tenant.inbox.id)])
    with pytest.raises(NotFound):
        await house.webhooks.get(house.account, hook.id)
