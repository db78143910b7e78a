"""Waits as their users write them: the official client, a mail server that is ours in nothing, and the clock."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx2
import mailslurp_client as sdk
import pytest

from peers.mailbox import Mailbox

from .served import Served

T = TypeVar("T")


def message(subject: str, sender: str = "zoe@example.org") -> bytes:
    head = f"From: Zoe <{sender}>\nTo: ann@example.org\nSubject: {subject}\nX-Token: of {subject}\n"
    return f"{head}Message-ID: <{subject.replace(' ', '-')}@example.org>\n\nHi.\n".encode()


class Waiter:
    """Somebody with a connector, who waits."""

    def __init__(self, server: Served, mailbox: Mailbox, scheduled: bool, password: str = "") -> None:
        client = server.sdk()
        self.mailbox = mailbox
        self.waits = sdk.WaitForControllerApi(client)
        self.emails = sdk.EmailControllerApi(client)
        self.inboxes = sdk.InboxControllerApi(client)
        self.http = httpx2.Client(base_url=server.url, headers={"x-api-key": server.key}, timeout=60)
        schedule = sdk.CreateConnectorSyncSettingsOptions(
            sync_enabled=True, sync_schedule_type="INTERVAL", sync_interval=60
        )
        self.connector = sdk.ConnectorControllerApi(client).create_connector_with_options(
            sdk.CreateConnectorWithOptions(
                create_connector_options=sdk.CreateConnectorOptions(email_address=mailbox.address, enabled=True),
                create_connector_imap_connection_options=sdk.CreateConnectorImapConnectionOptions(
                    imap_host="127.0.0.1",
                    imap_port=mailbox.server.imap_port,
                    imap_username=mailbox.address,
                    imap_password=password or mailbox.password,
                    imap_ssl=False,
                    enabled=True,
                ),
                create_connector_sync_settings_options=schedule if scheduled else None,
            )
        )
        self.inbox = self.connector.inbox_id
        if scheduled and not password:
            self.wait_until_pushed()

    def wait_until_pushed(self) -> None:
        for _ in range(600):
            if self.state()["mode"] == "PUSH" and self.state()["state"] == "FRESH":
                return
            threading.Event().wait(0.05)
        raise AssertionError(self.state())

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/connectors/{self.connector.id}/state").json()
        return found

    def post(self, path: str, body: Any = None) -> httpx2.Response:
        return self.http.post(f"/inboxes/{self.inbox}/{path}", json=body)

    def during(self, wait: Callable[[], T], *messages: bytes) -> T:
        """What a wait gives while these messages are delivered."""
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait)
            threading.Event().wait(0.2)
            assert not waiting.done()
            for one in messages:
                self.mailbox.deliver(one)
            return waiting.result(60)


@pytest.fixture(params=["pushed", "not scheduled"])
def ann(request: pytest.FixtureRequest, server: Served, mailbox: Mailbox) -> Waiter:
    return Waiter(server, mailbox, scheduled=request.param == "pushed")


def test_all_waits_give_what_is_delivered(ann: Waiter) -> None:
    inbox, waits = ann.inbox, ann.waits
    first = ann.during(lambda: waits.wait_for_latest_email(inbox_id=inbox, timeout=30_000), message("One"))
    assert (first.subject, first.read) == ("One", True)

    unread = ann.during(
        lambda: waits.wait_for_latest_email(inbox_id=inbox, timeout=30_000, unread_only=True), message("Two")
    )
    assert unread.subject == "Two"

    third = ann.during(lambda: waits.wait_for_nth_email(inbox_id=inbox, index=2, timeout=30_000), message("Three"))
    assert third.subject == "Three"
    assert waits.wait_for_nth_email(inbox_id=inbox, timeout=1000).subject == "One"

    four = ann.during(lambda: waits.wait_for_email_count(inbox_id=inbox, count=4, timeout=30_000), message("Four"))
    assert [email.subject for email in four] == ["One", "Two", "Three", "Four"]
    assert [email.read for email in four] == [True, True, True, False]

    options = sdk.MatchOptions(
        matches=[
            sdk.MatchOption(field="SUBJECT", should="MATCH", value="^Code [0-9]{6}$"),
            sdk.MatchOption(field="FROM", should="EQUAL", value="CODES@example.org"),
            sdk.MatchOption(field="HEADERS", should="CONTAIN", value="X-Token: of Code"),
        ],
        conditions=[sdk.ConditionOption(condition="HAS_ATTACHMENTS", value="FALSE")],
    )
    matching = ann.during(
        lambda: waits.wait_for_matching_first_email(inbox_id=inbox, match_options=options, timeout=30_000),
        message("Code 123456"),
        message("Code 12345x", "codes@example.org"),
        message("Code 234567", "codes@example.org"),
    )
    assert (matching.subject, matching.read) == ("Code 234567", True)
    both = ann.during(
        lambda: waits.wait_for_matching_emails(inbox_id=inbox, count=2, match_options=options, timeout=30_000),
        message("Code 345678", "codes@example.org"),
    )
    assert [(email.subject, email.read) for email in both] == [("Code 234567", True), ("Code 345678", False)]

    conditions = sdk.WaitForConditions(
        inbox_id=inbox,
        timeout=30_000,
        count=2,
        count_type="EXACTLY",
        unread_only=True,
        sort_direction="DESC",
        matches=[sdk.MatchOption(field="SUBJECT", should="CONTAIN", value="Five")],
    )
    fives = ann.during(lambda: waits.wait_for(conditions), message("Five"), message("Five again"))
    assert [email.subject for email in fives] == ["Five again", "Five"]

    listed = ann.during(
        lambda: ann.inboxes.get_emails(inbox, min_count=11, retry_timeout=30_000, size=1, sort="DESC"), message("Last")
    )
    assert [email.subject for email in listed] == ["Last"]
    latest = ann.inboxes.get_latest_email_in_inbox(inbox_id=inbox, timeout_millis=1000)
    assert (latest.subject, latest.read) == ("Last", True)
    assert all("\\Seen" not in message.flags for message in ann.mailbox.messages())


def test_a_list_shows_what_lies_at_the_server(ann: Waiter) -> None:
    ann.mailbox.deliver(message("One"))
    emails, inbox = ann.emails, ann.inbox
    # A server that pushes tells us by itself; here it is asked, too.
    paged = ann.inboxes.get_inbox_emails_paginated(inbox, sync_connectors=True)
    assert [email.subject for email in paged.content] == ["One"]
    ann.mailbox.deliver(message("Two"))
    listed = emails.get_emails_paginated(inbox_id=[inbox], sync_connectors=True, sort="DESC")
    assert [email.subject for email in listed.content] == ["Two", "One"]
    ann.mailbox.deliver(message("Three"))
    found = emails.search_emails(sdk.SearchEmailsOptions(inbox_ids=[inbox]), sync_connectors=True)
    assert found.total_elements == 3
    ann.mailbox.deliver(message("Four"))
    assert emails.get_emails_offset_paginated(inbox_id=[inbox], sync_connectors=True).total_elements == 4


def test_a_plain_list_asks_a_mailbox_that_does_not_push(server: Served, mailbox: Mailbox) -> None:
    ann = Waiter(server, mailbox, scheduled=False)
    mailbox.deliver(message("One"))
    assert [email.subject for email in ann.inboxes.get_emails(ann.inbox)] == ["One"]


def test_a_wait_in_vain_is_a_408_that_says_why(ann: Waiter) -> None:
    mark = ann.post("mark").json()["mark"]
    ann.mailbox.deliver(message("Welcom back"))
    body = {"matches": [{"field": "SUBJECT", "should": "CONTAIN", "value": "Welcome"}]}
    query = {"inboxId": ann.inbox, "timeout": 1500, "after": mark}
    failed = ann.http.post("/waitForMatchingFirstEmail", params=query, json=body)
    assert failed.status_code == 408
    answer = failed.json()
    assert answer["status"] == 408
    why = answer["message"]
    assert why.startswith(f"Failed to satisfy email query for inbox ID {ann.inbox} (")
    assert "expected at least 1 email, found 0 in 1500 ms (unread only: false, sort: ASC). " in why
    assert '1 email arrived after the mark. "Welcom back" failed SUBJECT CONTAIN "Welcome". ' in why
    assert "It was last proved fresh " in why
    with pytest.raises(sdk.ApiException) as refused:
        ann.waits.wait_for_email_count(inbox_id=ann.inbox, count=2, timeout=1)
    assert refused.value.status == 408
    assert ann.inbox in json.loads(refused.value.body)["message"]
    with pytest.raises(sdk.ApiException) as refused:
        ann.inboxes.get_emails(ann.inbox, min_count=2, retry_timeout=1)
    assert refused.value.status == 408


def test_a_mark_hides_what_was_there_before(ann: Waiter) -> None:
    ann.mailbox.deliver(message("Old"))  # perhaps not even synced
    mark = ann.post("mark").json()["mark"]
    query = {"inboxId": ann.inbox, "timeout": 30_000, "after": mark}
    found = ann.during(lambda: ann.http.get("/waitForLatestEmail", params=query), message("New"))
    assert found.json()["subject"] == "New"
    other = ann.inboxes.create_inbox_with_defaults().id
    foreign = ann.http.get("/waitForLatestEmail", params={**query, "inboxId": other})
    assert foreign.status_code == 400
    assert ann.http.get("/waitForLatestEmail", params={**query, "after": "m1what"}).status_code == 400


def test_that_nothing_arrives_can_be_asserted(ann: Waiter) -> None:
    ann.mailbox.deliver(message("Old"))
    passed = ann.post("assertNone", {"timeout": 300})
    assert passed.status_code == 200, passed.text
    assert passed.json()["passed"] is True
    assert passed.json()["freshAsOf"]
    unwanted = [{"field": "SUBJECT", "should": "EQUAL", "value": "Unwanted"}]
    wanted = {"timeout": 30_000, "matches": unwanted, "after": ann.post("mark").json()["mark"]}
    arrived = ann.during(lambda: ann.post("assertNone", wanted), message("Other"), message("Unwanted"))
    assert arrived.status_code == 409
    assert '"Unwanted" from Zoe <zoe@example.org>' in arrived.json()["message"]


def test_a_mailbox_that_refuses_us_is_told_of(server: Served, mailbox: Mailbox) -> None:
    ann = Waiter(server, mailbox, scheduled=False, password="wrong")
    failed = ann.http.get("/waitForLatestEmail", params={"inboxId": ann.inbox, "timeout": 1500})
    assert failed.status_code == 408
    assert "Its connector is failing since" in failed.json()["message"]
    assert ann.state()["failuresInARow"] > 0
    assert ann.post("assertNone", {"timeout": 100}).status_code == 502
    assert ann.inboxes.get_emails(ann.inbox) == []
    assert ann.state()["problem"] in failed.json()["message"]


def test_a_connector_tells_how_it_stands(ann: Waiter) -> None:
    uid = ann.mailbox.append(message("One"))
    ann.waits.wait_for_latest_email(inbox_id=ann.inbox, timeout=30_000)
    ann.post("mark")  # the email is here before the sync that brought it has ended
    state = ann.state()
    scheduled = state["mode"] == "PUSH"
    assert state["state"] == ("FRESH" if scheduled else "PAUSED")
    assert state["lastUid"] == uid
    assert state["freshAsOf"] is not None
    assert 0 <= state["lagSeconds"] < 60
    assert (state["expectedEverySeconds"], state["nextRunAt"] is not None) == (45.0 if scheduled else None, scheduled)
    assert (state["failuresInARow"], state["problem"], state["problemSince"]) == (0, None, None)
    assert [moment["kind"] for moment in state["timeline"]] == (["CONNECTED"] if scheduled else [])


def test_a_client_that_goes_away_leaves_no_wait_behind(server: Served, mailbox: Mailbox) -> None:
    ann = Waiter(server, mailbox, scheduled=False)
    with pytest.raises(httpx2.ReadTimeout):
        ann.http.get("/waitForLatestEmail", params={"inboxId": ann.inbox, "timeout": 250_000}, timeout=1.0)
    events = sdk.ConnectorControllerApi(server.sdk())
    threading.Event().wait(1.5)
    before = events.get_connector_events(ann.connector.id).total_elements
    threading.Event().wait(2.5)
    assert events.get_connector_events(ann.connector.id).total_elements == before
