"""Connectors' settings, inboxes, emails and sending: what becomes of the words that are not simply copied."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from api.samples import (
    BARE_EMAIL,
    BARE_INBOX,
    BARE_SENT,
    CONNECTOR,
    EMAIL,
    EMAIL_ID,
    INBOX,
    INBOX_ID,
    MESSAGE,
    MORNING,
    NOT_SYNCED,
    SENT,
    SYNCED,
    TEST_FAILED,
    TEST_PASSED,
    schedule,
)
from posthouse.api.wire.connections import ConnectorImapConnectionTestResult
from posthouse.api.wire.connectors import (
    ConnectorSyncRequestResult,
    ConnectorSyncSettingsDto,
    CreateConnectorOptions,
    CreateConnectorSyncSettingsOptions,
    CreateConnectorWithOptions,
)
from posthouse.api.wire.inboxes import CreateInboxDto, InboxDto, SearchInboxesOptions, UpdateInboxOptions
from posthouse.api.wire.mail import (
    EmailDto,
    EmailPreview,
    InboxEmailsQuery,
    RawEmailJson,
    SearchEmailsOptions,
    bare_id,
    header_lists,
)
from posthouse.api.wire.sending import SendEmailOptions, SentEmailDto, SimpleSendEmailOptions, UploadAttachmentOptions
from posthouse.model.connectors import ImapSettings, Security, SyncSettings
from posthouse.model.errors import Invalid
from posthouse.model.mail import Outgoing
from posthouse.model.message import Address, Message
from posthouse.model.values import Slice, Sort
from posthouse.services.attachments import NewUpload
from posthouse.services.connectors import NewConnector
from posthouse.services.inboxes import NewInbox


def said(model: Any) -> dict[str, Any]:
    answer: dict[str, Any] = model.model_dump(mode="json")
    return answer


@pytest.mark.parametrize(
    ("options", "interval"),
    [
        ({"syncInterval": 5}, timedelta(minutes=5)),
        ({"syncIntervalSeconds": 20}, timedelta(seconds=20)),
        ({"syncInterval": 5, "syncIntervalSeconds": 20}, timedelta(seconds=20)),
        ({}, None),
        ({"syncScheduleType": None}, None),
    ],
)
def test_an_interval_is_in_minutes_or_finer(options: dict[str, Any], interval: timedelta | None) -> None:
    asked = CreateConnectorSyncSettingsOptions.model_validate(options)
    assert asked.to_domain() == SyncSettings(enabled=True, interval=interval)


@pytest.mark.parametrize("options", [{"syncInterval": 0}, {"syncInterval": -1}, {"syncScheduleType": "CRON"}])
def test_a_schedule_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CreateConnectorSyncSettingsOptions.model_validate(options)


@pytest.mark.parametrize(("seconds", "minutes"), [(1, 1), (60, 1), (61, 2), (300, 5)])
def test_an_interval_with_seconds_to_it_is_shown_in_whole_minutes_and_exactly(seconds: int, minutes: int) -> None:
    answer = said(ConnectorSyncSettingsDto.of(schedule(timedelta(seconds=seconds))))
    assert (answer["syncInterval"], answer["syncIntervalSeconds"]) == (minutes, seconds)
    assert answer["syncScheduleType"] == "INTERVAL"


def test_no_interval_is_no_schedule_type() -> None:
    answer = said(ConnectorSyncSettingsDto.of(schedule(None)))
    assert (answer["syncScheduleType"], answer["syncInterval"]) == (None, None)


def test_a_sync_that_failed_is_an_answer() -> None:
    answer = said(ConnectorSyncRequestResult.of(NOT_SYNCED))
    assert answer["exception"] == "the server hung up"
    assert answer["syncResult"] is None
    assert answer["logs"] == ["S: * BYE"]


def test_a_sync_that_failed_half_way_tells_what_came_in() -> None:
    answer = said(ConnectorSyncRequestResult.of(replace(SYNCED, failure="the server hung up")))
    assert answer["exception"] == "the server hung up"
    assert answer["syncResult"]["emailIds"] == [str(EMAIL_ID)]


def test_a_sync_that_went_well_has_no_exception() -> None:
    answer = said(ConnectorSyncRequestResult.of(SYNCED))
    assert answer["exception"] is None
    assert answer["syncResult"]["emailSyncCount"] == 1


def test_a_failed_connection_test_says_how_far_it_came() -> None:
    answer = said(ConnectorImapConnectionTestResult.of(TEST_FAILED))
    assert (answer["success"], answer["error"]) == (False, TEST_FAILED.message)
    assert answer["stage"] == "sign-in"
    assert said(ConnectorImapConnectionTestResult.of(TEST_PASSED))["error"] is None


@pytest.mark.parametrize("address", ["nobody", "@example.org", "a@", "a@b\r\nBcc: c@d"])
def test_a_connector_has_an_address_or_none(address: str) -> None:
    with pytest.raises(ValidationError):
        CreateConnectorOptions(email_address=address)


def test_an_inbox_with_a_connector_functions_as_one() -> None:
    assert said(InboxDto.of(INBOX))["functionsAs"] == "CONNECTOR"
    assert said(InboxDto.of(BARE_INBOX))["functionsAs"] is None


def test_an_inbox_tells_the_parts_of_its_address() -> None:
    answer = said(InboxDto.of(INBOX))
    assert (answer["localPart"], answer["domain"]) == ("copper-lane", "mail.example.org")


def test_a_connector_asks_for_what_its_options_say() -> None:
    options = {
        "createConnectorOptions": {"name": "Support"},
        "createConnectorImapConnectionOptions": {"imapHost": "imap.example.org"},
        "createConnectorSmtpConnectionOptions": None,
        "createConnectorSyncSettingsOptions": {"syncInterval": 5},
    }
    assert CreateConnectorWithOptions.model_validate(options).to_domain() == NewConnector(
        name="Support",
        imap=ImapSettings(host="imap.example.org", port=993, security=Security.TLS),
        sync=SyncSettings(enabled=True, interval=timedelta(minutes=5)),
    )


def test_a_changed_connector_keeps_what_was_not_said() -> None:
    changed = CreateConnectorOptions.model_validate({"name": None}).to_domain(CONNECTOR)
    assert changed == NewConnector(name=None, email_address="support@example.org", enabled=True)
    assert CreateConnectorOptions(enabled=False).to_domain(CONNECTOR).name == "Support"


def test_a_new_inbox_asks_for_what_its_options_say() -> None:
    options = {"name": "n", "tags": ["a"], "favourite": True, "expiresIn": 60_000, "useShortAddress": True}
    assert CreateInboxDto.model_validate(options).to_domain() == NewInbox(
        name="n", tags=("a",), favourite=True, short_address=True, expires_in=timedelta(minutes=1)
    )
    assert CreateInboxDto.model_validate({"expiresAt": "2026-11-01T10:00:00.123456Z"}).to_domain() == NewInbox(
        expires_at=MORNING
    )
    assert CreateInboxDto().to_domain() == NewInbox()


def test_a_life_that_outlasts_the_calendar_is_refused() -> None:
    with pytest.raises(ValidationError):
        CreateInboxDto(expires_in=2**62)


def test_a_changed_inbox_keeps_what_was_not_said() -> None:
    asked = UpdateInboxOptions.model_validate({"name": "New", "tags": None, "favourite": None, "expiresAt": None})
    assert asked.changes() == {"name": "New", "tags": (), "favourite": False, "expires_at": None}
    assert UpdateInboxOptions().changes() == {}


def test_a_search_in_a_body_asks_as_a_query_does() -> None:
    options = SearchInboxesOptions.model_validate({"pageIndex": 2, "pageSize": None, "sortDirection": "DESC"})
    assert options.as_query().slice() == Slice(page=2, size=20, sort=Sort.DESC)
    emails = SearchEmailsOptions.model_validate({"inboxIds": None, "pageSize": 5, "unreadOnly": None})
    assert emails.to_domain().slice == Slice(size=5)


@pytest.mark.parametrize(
    ("given", "size"), [({}, 100), ({"limit": 5}, 5), ({"size": 3}, 3), ({"size": 3, "limit": 5}, 3)]
)
def test_size_is_looked_at_before_limit(given: dict[str, int], size: int) -> None:
    assert InboxEmailsQuery.model_validate(given).to_domain(INBOX_ID).slice.size == size


@pytest.mark.parametrize(
    ("written", "bare"), [("<a@b>", "a@b"), ("a@b", "a@b"), ("", None), ("<>", None), (" <a@b> ", "a@b")]
)
def test_message_ids_have_no_brackets_on_the_wire(written: str, bare: str | None) -> None:
    assert bare_id(written) == bare


def test_headers_of_one_name_are_told_together_and_the_first_stands_for_all() -> None:
    answer = said(EmailDto.of(EMAIL, MESSAGE))
    assert answer["headersMap"]["Received"] == ["from b by c", "from a by b", "from ann by a"]
    assert answer["headers"]["Received"] == "from b by c"
    assert header_lists([]) == {}


def test_the_body_is_html_where_there_is_any() -> None:
    html, text = said(EmailDto.of(EMAIL, MESSAGE)), said(EmailDto.of(EMAIL, replace(MESSAGE, html="")))
    assert (html["body"], html["isHTML"], html["html"]) == (MESSAGE.html, True, True)
    assert (text["body"], text["isHTML"], text["html"]) == (MESSAGE.text, False, False)
    assert said(EmailDto.of(EMAIL, Message(text="hello")))["bodyMD5Hash"] == "5d41402abc4b2a76b9719d911017c592"


def test_an_address_that_could_not_be_read_is_shown_as_it_is() -> None:
    odd = replace(BARE_EMAIL, sender=Address("undisclosed", ""), to=(Address("", ""), Address("list", "")))
    answer = said(EmailPreview.of(odd))
    assert (answer["from"], answer["to"]) == ("undisclosed", ["list"])


@pytest.mark.parametrize("raw", [b"", b"Subject: a", "grüß".encode(), b"\xff\xfe\x00", bytes(range(256))])
def test_raw_bytes_become_text_and_none_is_lost(raw: bytes) -> None:
    content = RawEmailJson.of(raw).content
    assert raw in (content.encode("utf-8"), content.encode("latin-1", "replace"))


def test_what_was_not_sent_yet_was_sent_when_it_was_accepted() -> None:
    assert (
        said(SentEmailDto.of(BARE_SENT, Message()))["sentAt"]
        == said(SentEmailDto.of(BARE_SENT, Message()))["createdAt"]
    )


def test_a_virtual_send_stays_in_the_house() -> None:
    assert said(SentEmailDto.of(SENT, MESSAGE))["transport"] == "PUBLIC_EMAIL"
    assert said(SentEmailDto.of(BARE_SENT, MESSAGE))["transport"] == "SANDBOX_LOCAL"


@pytest.mark.parametrize(
    ("options", "body", "is_html"),
    [
        ({}, "", False),
        ({"body": "hi"}, "hi", False),
        ({"body": "hi", "isHTML": True}, "hi", True),
        ({"body": "hi", "html": True}, "hi", True),
        ({"body": "hi", "html": True, "isHTML": False}, "hi", False),
        ({"body": "no", "bodyParts": [{"contentType": "Text/HTML; charset=x", "contentBody": "hi"}]}, "hi", True),
        ({"bodyParts": [{"contentType": "text/plain", "contentBody": "hi"}]}, "hi", False),
    ],
)
def test_a_body_is_text_or_html(options: dict[str, Any], body: str, is_html: bool) -> None:
    outgoing = SendEmailOptions.model_validate(options).to_domain()
    assert (outgoing.body, outgoing.is_html) == (body, is_html)


def test_an_email_asks_for_what_its_options_say() -> None:
    options = {
        "to": ["Bob <bob@example.org>"],
        "cc": None,
        "bcc": ["carol@example.org"],
        "from": "ann@example.org",
        "fromName": "Ann",
        "replyTo": "desk@example.org",
        "subject": "Order",
        "customHeaders": {"X-Order": "17"},
        "attachments": ["1761991200000-up"],
        "useInboxName": True,
    }
    assert SendEmailOptions.model_validate(options).to_domain() == Outgoing(
        to=("Bob <bob@example.org>",),
        bcc=("carol@example.org",),
        sender="ann@example.org",
        sender_name="Ann",
        use_inbox_name=True,
        reply_to="desk@example.org",
        subject="Order",
        headers=(("X-Order", "17"),),
        attachments=("1761991200000-up",),
    )


@pytest.mark.parametrize(("body", "is_html"), [("<p>hi</p>", True), ("1 < 2 > 0", False), ("", False)])
def test_a_simple_email_is_html_when_there_is_a_tag_in_it(body: str, is_html: bool) -> None:
    assert SimpleSendEmailOptions(to="a@b", body=body).to_domain() == Outgoing(to=("a@b",), body=body, is_html=is_html)


@pytest.mark.parametrize("types", [["text/calendar"], ["text/plain", "text/html"], ["text/html", "text/html"]])
def test_body_parts_that_we_cannot_send_are_refused(types: list[str]) -> None:
    parts = [{"contentType": content_type, "contentBody": "x"} for content_type in types]
    with pytest.raises(Invalid, match="bodyParts"):
        SendEmailOptions.model_validate({"bodyParts": parts}).to_domain()


@pytest.mark.parametrize(
    "options",
    [
        {"subject": "a\r\nBcc: b@c"},
        {"to": ["a@b\r\nBcc: c@d"]},
        {"from": "a@b\n"},
        {"fromName": "a\rb"},
        {"replyTo": "a\0@b"},
        {"customHeaders": {"X-A\r\nBcc": "b"}},
        {"customHeaders": {"X-A": "b\r\nBcc: c@d"}},
    ],
)
def test_a_header_cannot_be_smuggled_into_an_email(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SendEmailOptions.model_validate(options)


@pytest.mark.parametrize("options", [{"isXAmpHtml": True}, {"addTrackingPixel": True}])
def test_a_wish_that_we_cannot_grant_is_not_passed_over(options: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=next(iter(options))):
        SendEmailOptions.model_validate(options).to_domain()
    SendEmailOptions.model_validate({"toContacts": [], "addTrackingPixel": False}).to_domain()


def test_an_upload_is_base64_with_or_without_line_breaks() -> None:
    upload = UploadAttachmentOptions(base64_contents="dGVz\r\ndA==", filename="a.txt").to_domain()
    assert upload == NewUpload(content=b"test", name="a.txt")
    for wrong in ("not base64!", "dGVzdA", "dGVz=dA=", "grüß"):
        with pytest.raises(Invalid):
            UploadAttachmentOptions(base64_contents=wrong).to_domain()
