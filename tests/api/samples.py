"""One of everything that we can say: words of ours, whole and bare, and the answers that they become."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from api import samples_webhooks
from posthouse.api.wire import (
    accounts,
    addresses,
    common,
    composing,
    connections,
    connectors,
    entities,
    extracting,
    inboxes,
    mail,
    outbox,
    sending,
    threads,
)
from posthouse.api.wire.common import WireModel
from posthouse.model.accounts import Account
from posthouse.model.addresses import ExpiredInbox, PlusAddress
from posthouse.model.composing import Contact, Group, KeptDraft, Template
from posthouse.model.connectors import (
    Connector,
    ImapConnection,
    ImapSettings,
    Proxy,
    ProxyKind,
    Security,
    SmtpConnection,
    SmtpSettings,
    SyncSchedule,
    SyncSettings,
)
from posthouse.model.errors import Stage
from posthouse.model.events import ConnectorEvent, EventStatus, EventType, TestResult
from posthouse.model.favourites import Favourite, FavouriteKind
from posthouse.model.findings import (
    BodyCheck,
    Code,
    Flaw,
    FoundCodes,
    Issue,
    LinkBehaviour,
    OneTimeLink,
    PartContent,
    Severity,
    Signature,
    SignatureKind,
    Source,
)
from posthouse.model.mail import Attachment, AttachmentEntry, Email, Inbox, SendState, SentEmail, Stored
from posthouse.model.message import Address, Message, Transfer
from posthouse.model.outbox import Job
from posthouse.model.reports import DeliveryStatus
from posthouse.model.sync import SyncOutcome
from posthouse.model.threads import Thread
from posthouse.model.values import (
    AccountId,
    ConnectorId,
    ContactId,
    DeliveryId,
    DraftId,
    EmailId,
    EventId,
    ExpiredId,
    GroupId,
    InboxId,
    JobId,
    Page,
    PlusAddressId,
    Secret,
    SentId,
    Slice,
    TemplateId,
    ThreadId,
)

CANARY = "tell-nobody"
"""The password in every sample; it may be in no answer."""

MORNING = datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC)
NOON = MORNING + timedelta(hours=2)


def _uuid(number: int) -> UUID:
    return UUID(int=0x0192E000_0000_7000_8000_000000000000 + number)


ACCOUNT_ID = AccountId(_uuid(1))
CONNECTOR_ID = ConnectorId(_uuid(2))
INBOX_ID = InboxId(_uuid(3))
EMAIL_ID = EmailId(_uuid(4))
EVENT_ID = EventId(_uuid(5))
SENT_ID = SentId(_uuid(6))
THREAD_ID = ThreadId(_uuid(17))
CONNECTION_ID = _uuid(7)
SCHEDULE_ID = _uuid(8)

ANN = Address("Ann Archer", "ann@example.org")
BOB = Address("", "bob@example.org")
STORED = Stored(pack="0001", offset=0, length=700, size=1234)

ACCOUNT = Account(id=ACCOUNT_ID, name="workshop", created_at=MORNING)

CONNECTOR = Connector(
    id=CONNECTOR_ID,
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    name="Support",
    email_address="support@example.org",
    enabled=True,
    created_at=MORNING,
    updated_at=NOON,
)
BARE_CONNECTOR = Connector(
    id=CONNECTOR_ID,
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    name=None,
    email_address=None,
    enabled=False,
    created_at=MORNING,
    updated_at=MORNING,
)

PROXY = Proxy(host="proxy.example.org", port=1080, kind=ProxyKind.SOCKS5, username="guest", password=Secret(CANARY))
IMAP = ImapSettings(
    host="imap.example.org",
    port=993,
    security=Security.TLS,
    username="support",
    password=Secret(CANARY),
    mechanisms=("SCRAM-SHA-256", "PLAIN"),
    tls_protocols=("TLSv1.3",),
    tls_trust="imap.example.org",
    local_host_name="posthouse.example.org",
    proxy=PROXY,
    folder="INBOX/Support",
    search_terms="UNSEEN",
)
BARE_IMAP = ImapSettings(host="imap.example.org", port=143, security=Security.PLAIN)
SMTP = SmtpSettings(
    host="smtp.example.org",
    port=587,
    security=Security.STARTTLS,
    username="support",
    password=Secret(CANARY),
    enabled=False,
    mechanisms=("PLAIN",),
    tls_protocols=("TLSv1.2", "TLSv1.3"),
    tls_trust="*",
    local_host_name="posthouse.example.org",
    proxy=Proxy(host="::1", port=3128, username="guest", password=Secret(CANARY), enabled=False),
)
BARE_SMTP = SmtpSettings(host="smtp.example.org", port=25, security=Security.PLAIN)


def imap_connection(settings: ImapSettings = IMAP) -> ImapConnection:
    return ImapConnection(id=CONNECTION_ID, connector_id=CONNECTOR_ID, settings=settings, created_at=MORNING)


def smtp_connection(settings: SmtpSettings = SMTP) -> SmtpConnection:
    return SmtpConnection(id=CONNECTION_ID, connector_id=CONNECTOR_ID, settings=settings, created_at=MORNING)


def schedule(interval: timedelta | None = timedelta(minutes=5), *, enabled: bool = True) -> SyncSchedule:
    return SyncSchedule(
        id=SCHEDULE_ID,
        account_id=ACCOUNT_ID,
        connector_id=CONNECTOR_ID,
        settings=SyncSettings(enabled=enabled, interval=interval),
    )


EVENT = ConnectorEvent(
    id=EVENT_ID,
    account_id=ACCOUNT_ID,
    connector_id=CONNECTOR_ID,
    type=EventType.SYNC,
    status=EventStatus.CONNECTION_ERROR,
    size=0,
    message="imap.example.org refused the username or password",
    logs="S: * OK ready\nC: A1 LOGIN support ***",
    seen=False,
    created_at=NOON,
)
BARE_EVENT = ConnectorEvent(
    id=EVENT_ID,
    account_id=ACCOUNT_ID,
    connector_id=CONNECTOR_ID,
    type=EventType.SEND,
    status=EventStatus.SUCCESS,
    size=1,
    message=None,
    logs=None,
    seen=False,
    created_at=NOON,
)

TEST_FAILED = TestResult(
    success=False,
    message="imap.example.org refused the username or password",
    stage=Stage.SIGN_IN,
    logs=("S: * OK ready", "C: A1 LOGIN support ***"),
)
TEST_PASSED = TestResult(success=True, message="signed in at smtp.example.org")

SYNCED = SyncOutcome(event_id=EVENT_ID, email_ids=(EMAIL_ID,), logs=("S: * OK ready", "C: A1 CAPABILITY"))
NOT_SYNCED = SyncOutcome(event_id=EVENT_ID, email_ids=(), logs=("S: * BYE",), failure="the server hung up")

INBOX = Inbox(
    id=INBOX_ID,
    account_id=ACCOUNT_ID,
    email_address="copper-lane@mail.example.org",
    name="Support",
    description="What customers write",
    tags=("support", "de"),
    favourite=True,
    virtual=False,
    expires_at=NOON,
    created_at=MORNING,
    updated_at=NOON,
    connector_id=CONNECTOR_ID,
)
BARE_INBOX = Inbox(
    id=INBOX_ID,
    account_id=ACCOUNT_ID,
    email_address="copper-lane@mail.example.org",
    name=None,
    description=None,
    tags=(),
    favourite=False,
    virtual=False,
    expires_at=None,
    created_at=MORNING,
    updated_at=MORNING,
)

EMAIL = Email(
    id=EMAIL_ID,
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    created_at=MORNING,
    updated_at=NOON,
    read=False,
    favourite=False,
    sender=ANN,
    to=(BOB, Address("Grüße", "gruss@example.org")),
    cc=(Address("", "carol@example.org"),),
    bcc=(),
    reply_to=(Address("Desk", "desk@example.org"),),
    subject="Приве́т — your order",
    message_id="<17.order@example.org>",
    in_reply_to="<16.order@example.org>",
    sent_at=MORNING - timedelta(minutes=3),
    size=1234,
    excerpt="Your order is on its way",
    is_html=True,
    charset="utf-8",
    content_types=("text/plain", "text/html", "application/pdf"),
    attachment_ids=("0192e000-4.1",),
    folder="INBOX/Support",
    external_id="4711",
    problem=None,
    plus_address_id=PlusAddressId(_uuid(9)),
    stored=STORED,
    thread_id=THREAD_ID,
)
BARE_EMAIL = Email(
    id=EMAIL_ID,
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    created_at=MORNING,
    updated_at=MORNING,
    read=True,
    favourite=False,
    sender=None,
    to=(),
    cc=(),
    bcc=(),
    reply_to=(),
    subject="",
    message_id="",
    in_reply_to="",
    sent_at=None,
    size=0,
    excerpt="",
    is_html=False,
    charset="",
    content_types=(),
    attachment_ids=(),
    folder=None,
    external_id=None,
    problem="the message is empty",
    stored=STORED,
)
MESSAGE = Message(
    message_id="<17.order@example.org>",
    in_reply_to="<16.order@example.org>",
    subject="Приве́т — your order",
    sender=(ANN,),
    to=EMAIL.to,
    headers=(
        ("Received", "from b by c"),
        ("Received", "from a by b"),
        ("Subject", "Приве́т — your order"),
        ("RECEIVED", "from ann by a"),
    ),
    text="Your order is on its way",
    html="<p>Your order is <b>on its way</b></p>",
    charset="utf-8",
)

ATTACHMENT = Attachment(
    id="0192e000-4.1",
    email_id=EMAIL_ID,
    inbox_id=INBOX_ID,
    name="order.pdf",
    content_type="application/pdf",
    content_id="order",
    size=900,
    start=300,
    end=1200,
    transfer=Transfer.BASE64,
    created_at=MORNING,
)


RECEIVED = AttachmentEntry(
    id=ATTACHMENT.id,
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    email_id=EMAIL_ID,
    name="order.pdf",
    content_type="application/pdf",
    content_id="order",
    size=900,
    created_at=MORNING,
)
UPLOADED = AttachmentEntry(
    id="1761991200000-up",
    account_id=ACCOUNT_ID,
    inbox_id=None,
    email_id=None,
    name="",
    content_type="text/plain",
    content_id=None,
    size=1234,
    created_at=MORNING,
)

SENT = SentEmail(
    id=SENT_ID,
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    connector_id=CONNECTOR_ID,
    state=SendState.ACCEPTED,
    state_text="250 2.0.0 queued",
    created_at=MORNING,
    sent_at=NOON,
    sender=ANN,
    to=(BOB,),
    cc=(),
    bcc=(Address("", "carol@example.org"),),
    reply_to=(ANN,),
    refused=("carol@example.org",),
    subject="Re: your order",
    message_id="<18.order@example.org>",
    is_html=True,
    size=1234,
    excerpt="Your order is on its way",
    attachment_ids=("1761991200000-up",),
    virtual=False,
    stored=STORED,
    in_reply_to="<17.order@example.org>",
    thread_id=THREAD_ID,
)
BARE_SENT = SentEmail(
    id=SENT_ID,
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    connector_id=None,
    state=SendState.CONNECTING,
    state_text="",
    created_at=MORNING,
    sent_at=None,
    sender=Address("", ""),
    to=(),
    cc=(),
    bcc=(),
    reply_to=(),
    refused=(),
    subject="",
    message_id="",
    is_html=False,
    size=0,
    excerpt="",
    attachment_ids=(),
    virtual=True,
    stored=STORED,
)

THREAD = Thread(
    id=THREAD_ID,
    account_id=ACCOUNT_ID,
    created_at=MORNING,
    first=EMAIL,
    last=SENT,
    count=2,
    unread=True,
    has_attachments=True,
)
BARE_THREAD = Thread(
    id=THREAD_ID,
    account_id=ACCOUNT_ID,
    created_at=MORNING,
    first=BARE_EMAIL,
    last=BARE_EMAIL,
    count=1,
    unread=False,
    has_attachments=False,
)

FAVOURITE = Favourite(
    id=EMAIL_ID, kind=FavouriteKind.EMAIL, name="Hello", description="Your order is on its way", created_at=MORNING
)

FOUND = FoundCodes(
    codes=(Code(value="482910", confidence=0.95, source=Source.TEXT, offset=13, context="your code is 482910"),),
    links=(OneTimeLink(url="https://example.org/verify?token=1", text="Verify", source=Source.HTML, offset=None),),
    notes=("no pattern of yours found a code: these have the usual forms",),
)
SIGNED = Signature(body="Ann Archer", marker="-- ", kind=SignatureKind.DELIMITER, source=Source.TEXT)
FLAWS = (
    Flaw(1, "there is no <!DOCTYPE html>", Severity.INFO),
    Flaw(2, "<img> has no alt", Severity.WARNING),
    Flaw(3, "<b> is never closed", Severity.ERROR),
)
CHECKED = BodyCheck(
    links=(Issue("http://example.org/", "the address is not encrypted (http:)", Severity.WARNING),),
    images=(Issue("", "the image has no address", Severity.ERROR),),
)
CONTACT = Contact(
    id=ContactId(_uuid(11)),
    account_id=ACCOUNT_ID,
    first_name="Ann",
    last_name="Archer",
    company="Archery",
    email_addresses=("ann@example.org", "archer@example.org"),
    tags=("de",),
    about={"size": "M"},
    opted_out=True,
    created_at=MORNING,
    group_id=GroupId(_uuid(12)),
)
BARE_CONTACT = Contact(
    id=ContactId(_uuid(11)),
    account_id=ACCOUNT_ID,
    first_name=None,
    last_name=None,
    company=None,
    email_addresses=(),
    tags=(),
    about=None,
    opted_out=False,
    created_at=MORNING,
)
GROUP = Group(
    id=GroupId(_uuid(12)), account_id=ACCOUNT_ID, name="Friends", description="Who is one", created_at=MORNING
)
TEMPLATE = Template(
    id=TemplateId(_uuid(13)),
    account_id=ACCOUNT_ID,
    name="Greeting",
    content="<p>Dear {{firstName}}</p>",
    created_at=MORNING,
    updated_at=NOON,
)
DRAFT = KeptDraft(
    id=DraftId(_uuid(14)),
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    said={"to": ["Ann <ann@example.org>"], "from": "bob@example.org", "subject": "Soon", "body": "Not\nyet"},
    created_at=MORNING,
    updated_at=NOON,
)
PLUS_ADDRESS = PlusAddress(
    id=PlusAddressId(_uuid(9)),
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    tag="shop",
    full_address="copper-lane+shop@mail.example.org",
    created_at=MORNING,
)
EXPIRED = ExpiredInbox(
    id=ExpiredId(_uuid(10)),
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    email_address="copper-lane@mail.example.org",
    created_at=NOON,
)

ASKED = Slice(page=1, size=2)


def whole_answers() -> Iterator[WireModel]:
    """One of each model that we answer with, as full as it gets."""
    imap = connections.ConnectorImapConnectionDto.of(imap_connection())
    smtp = connections.ConnectorSmtpConnectionDto.of(smtp_connection())
    yield accounts.UserInfoDto.of(ACCOUNT)
    yield common.CountDto(total_elements=17)
    yield connectors.ConnectorDto.of(CONNECTOR)
    yield connectors.ConnectorProjection.of(CONNECTOR)
    yield connectors.PageConnector.of(Page((CONNECTOR,), 3, ASKED), connectors.ConnectorProjection.of)
    yield connectors.OptionalConnectorDto.holding(connectors.ConnectorDto.of(CONNECTOR))
    yield imap
    yield connections.OptionalConnectorImapConnectionDto.holding(imap)
    yield smtp
    yield connections.OptionalConnectorSmtpConnectionDto.holding(smtp)
    yield connections.ConnectorImapConnectionTestResult.of(TEST_FAILED)
    yield connections.ConnectorSmtpConnectionTestResult.of(TEST_PASSED)
    yield connections.ConnectorProviderSettingsDto()
    yield connections.ConnectorProviderSettingsDto().google_settings
    settings = connectors.ConnectorSyncSettingsDto.of(schedule())
    yield settings
    yield connectors.OptionalConnectorSyncSettingsDto.holding(settings)
    result = connectors.ConnectorSyncRequestResult.of(SYNCED)
    yield result
    assert result.sync_result
    yield result.sync_result
    yield connectors.ConnectorEventDto.of(EVENT)
    yield connectors.ConnectorEventProjection.of(EVENT)
    yield connectors.PageConnectorEvents.of(Page((EVENT,), 3, ASKED), connectors.ConnectorEventProjection.of)
    yield inboxes.InboxDto.of(INBOX)
    yield inboxes.InboxPreview.of(INBOX)
    yield inboxes.PageInboxProjection.of(Page((INBOX,), 3, ASKED), inboxes.InboxPreview.of)
    item = inboxes.InboxIdItem(id=INBOX.id, email_address=INBOX.email_address)
    yield item
    yield inboxes.InboxIdsResult(inbox_ids=[item])
    yield inboxes.InboxByEmailAddressResult.of(INBOX)
    yield inboxes.InboxByNameResult.of(INBOX)
    yield inboxes.InboxExistsDto(exists=True)
    yield inboxes.EmailAvailableResult(available=True)
    yield inboxes.OrganizationInboxProjection.of(INBOX)
    yield inboxes.PageOrganizationInboxProjection.of(Page((INBOX,), 3, ASKED), inboxes.OrganizationInboxProjection.of)
    yield inboxes.PageInboxTags.of(Page(("support", "de"), 3, ASKED), str)
    contact = composing.ContactDto.of(CONTACT)
    yield contact
    yield composing.ContactProjection.of(CONTACT)
    yield composing.PageContactProjection.of(Page((CONTACT,), 3, ASKED), composing.ContactProjection.of)
    yield composing.GroupDto.of(GROUP)
    yield composing.GroupProjection.of(GROUP)
    yield composing.PageGroupProjection.of(Page((GROUP,), 3, ASKED), composing.GroupProjection.of)
    yield composing.GroupContactsDto.of(GROUP, [CONTACT])
    template = composing.TemplateDto.of(TEMPLATE)
    yield template
    yield template.variables[0]
    yield composing.TemplateProjection.of(TEMPLATE)
    yield composing.PageTemplateProjection.of(Page((TEMPLATE,), 3, ASKED), composing.TemplateProjection.of)
    yield composing.TemplatePreview(preview="<p>Dear Ann</p>")
    yield composing.EmailDraftDto.of(DRAFT)
    yield composing.EmailDraftProjection.of(DRAFT)
    yield composing.PageEmailDraftProjection.of(Page((DRAFT,), 3, ASKED), composing.EmailDraftProjection.of)
    yield addresses.PlusAddressDto.of(PLUS_ADDRESS)
    yield addresses.PlusAddressProjection.of(PLUS_ADDRESS)
    yield addresses.PagePlusAddressProjection.of(Page((PLUS_ADDRESS,), 3, ASKED), addresses.PlusAddressProjection.of)
    yield addresses.ExpiredInboxDto.of(EXPIRED)
    yield addresses.ExpiredInboxRecordProjection.of(EXPIRED)
    yield addresses.PageExpiredInboxRecordProjection.of(
        Page((EXPIRED,), 3, ASKED), addresses.ExpiredInboxRecordProjection.of
    )
    yield addresses.ExpirationDefaults()
    yield addresses.FlushExpiredInboxesResult.of(([INBOX_ID], NOON))
    email = mail.EmailDto.of(EMAIL, MESSAGE)
    yield email
    assert email.sender
    assert email.recipients
    assert email.recipients.to
    yield email.sender
    yield email.recipients
    yield email.recipients.to[0]
    yield mail.EmailPreview.of(EMAIL)
    yield mail.PageEmailPreview.of(Page((EMAIL,), 3, ASKED), mail.EmailPreview.of)
    yield mail.EmailProjection.of(EMAIL)
    page = mail.PageEmailProjection.of(Page((EMAIL,), 3, ASKED), mail.EmailProjection.of)
    yield page
    yield page.pageable
    yield page.sort
    yield mail.EmailHtmlDto(subject=EMAIL.subject, body=MESSAGE.html)
    yield mail.RawEmailJson.of("Subject: grüß\r\n\r\nhello".encode())
    yield mail.UnreadCount(count=3)
    yield from whole_findings()
    yield from whole_entities()
    yield threads.EmailThreadDto.of(THREAD)
    talk = threads.EmailThreadProjection.of(THREAD)
    yield talk
    assert talk.sender
    assert talk.recipients
    assert talk.recipients.to
    yield talk.sender
    yield talk.recipients
    yield talk.recipients.to[0]
    yield threads.PageEmailThreadProjection.of(Page((THREAD,), 3, ASKED), threads.EmailThreadProjection.of)
    yield threads.EmailThreadItemsDto(items=[threads.EmailThreadItem.of(EMAIL), threads.EmailThreadItem.of(SENT)])
    yield threads.EmailThreadItem.of(EMAIL)
    yield from outbox_answers()
    yield mail.AttachmentMetaData.of(ATTACHMENT)
    yield mail.AttachmentProjection.of(RECEIVED)
    yield mail.PageAttachmentEntity.of(Page((RECEIVED,), 3, ASKED), mail.AttachmentProjection.of)
    yield mail.AttachmentEntityDto.of(UPLOADED)
    yield mail.DownloadAttachmentDto.of(b"hello", "text/plain")
    yield sending.SentEmailDto.of(SENT, MESSAGE)
    yield sending.SentEmailProjection.of(SENT)
    yield sending.PageSentEmailProjection.of(Page((SENT,), 3, ASKED), sending.SentEmailProjection.of)

    yield from samples_webhooks.whole_answers(CANARY)


def whole_entities() -> Iterator[WireModel]:
    """One of each thing in the lists over everything."""
    page = entities.PageEntityFavouriteItems.of(Page((FAVOURITE,), 3, ASKED), entities.EntityFavouriteItemProjection.of)
    yield page
    yield from page.content
    automation = entities.EntityAutomationItemProjection(
        automation_type=entities.AutomationType.INBOX_REPLIER,
        name="Away",
        id=SCHEDULE_ID,
        inbox_id=INBOX_ID,
        action=None,
        phone_id=None,
    )
    yield automation
    yield entities.PageEntityAutomationItems.of(Page((automation,), 3, ASKED), lambda one: one)
    event = entities.EntityEventItemProjection(
        event_type=entities.EntityEventType.WEBHOOK_EVENT,
        severity=entities.EntityEventSeverity.WARNING,
        id=EVENT_ID,
        inbox_id=INBOX_ID,
        phone_id=None,
    )
    yield event
    yield entities.PageEntityEventItems.of(Page((event,), 3, ASKED), lambda one: one)


def whole_findings() -> Iterator[WireModel]:
    """What is found in an email, as full as it gets."""
    codes = extracting.ExtractCodesResult.of(FOUND, ["there is no LLM here: codes were looked for by their patterns"])
    yield codes
    yield from codes.candidates
    yield extracting.EmailContentMatchResult(pattern="code is (.)", matches=["code is 4", "4"])
    yield extracting.EmailContentPartResult.of(PartContent(content_type="application/pdf", content=b"%PDF", text=None))
    yield extracting.EmailTextLinesResult.of(["Your code is", "482910"], "\r\n")
    yield extracting.EmailLinksResult(
        links=["https://example.org/verify"], body='<a href="https://example.org/verify">'
    )
    yield extracting.EmailPreviewHtmlDto(subject="Hello", html="<p>Hello</p>", link_behavior=LinkBehaviour.NEW_TAB)
    yield extracting.EmailPreviewUrls.of("https://posthouse.example.org", f"/emails/{EMAIL_ID}")
    signed = extracting.EmailSignatureParseResult.of(SIGNED)
    yield signed
    assert signed.signature
    yield signed.signature
    validity = extracting.HTMLValidationResult.of(FLAWS)
    yield extracting.ValidationDto(email_id=EMAIL_ID, html=validity)
    yield validity
    yield validity.errors[0]
    check = extracting.CheckEmailBodyResults.of(CHECKED)
    yield check
    yield from check.link_issues
    yield from check.image_issues
    yield extracting.SpellingIssue(group="word", suggestion="ward", severity=extracting.Weight.WARNING, message="?")


JOB = Job(
    id=JobId(_uuid(30)),
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    sent_id=SENT_ID,
    send_at=NOON,
    created_at=MORNING,
    updated_at=MORNING,
)
STATUS = DeliveryStatus(
    id=DeliveryId(_uuid(31)),
    account_id=ACCOUNT_ID,
    inbox_id=INBOX_ID,
    sent_id=SENT_ID,
    created_at=NOON,
    recipients=("bob@example.org",),
    subject="Re: your order",
    reporting_mta="smtp.example.org",
    remote_mta="mx.example.com",
    smtp_code=250,
    smtp_text="250 2.0.0 queued",
    milliseconds=170,
    received_at=MORNING,
)


def outbox_answers() -> Iterator[WireModel]:
    """What is said of mail on its way."""
    yield outbox.CanSendEmailResults(is_sending_permitted=False, message="an email needs a recipient")
    yield outbox.ScheduledJobDto.of(JOB)
    yield outbox.ScheduledJob.of(JOB)
    yield outbox.PageScheduledJobs.of(Page((JOB,), 3, ASKED), outbox.ScheduledJob.of)
    yield outbox.SendWithQueueResult.of(SENT)
    yield outbox.PageSentEmailWithQueueProjection.of(Page((SENT,), 3, ASKED), outbox.SendWithQueueResult.of)
    yield outbox.DeliveryStatusDto.of(STATUS)
    yield outbox.PageDeliveryStatus.of(Page((STATUS,), 3, ASKED), outbox.DeliveryStatusDto.of)


def bare_answers() -> Iterator[WireModel]:
    """The same where there is as little to say as can be."""
    nothing = Message()
    yield connectors.ConnectorDto.of(BARE_CONNECTOR)
    yield connectors.ConnectorProjection.of(BARE_CONNECTOR)
    yield connectors.PageConnector.of(Page((), 0, Slice()), connectors.ConnectorProjection.of)
    yield connectors.OptionalConnectorDto.holding(None)
    yield connections.ConnectorImapConnectionDto.of(imap_connection(BARE_IMAP))
    yield connections.OptionalConnectorImapConnectionDto.holding(None)
    yield connections.ConnectorSmtpConnectionDto.of(smtp_connection(BARE_SMTP))
    yield connections.OptionalConnectorSmtpConnectionDto.holding(None)
    yield connections.ConnectorImapConnectionTestResult.of(TEST_PASSED)
    yield connectors.ConnectorSyncSettingsDto.of(schedule(None, enabled=False))
    yield connectors.OptionalConnectorSyncSettingsDto.holding(None)
    yield connectors.ConnectorSyncRequestResult.of(NOT_SYNCED)
    yield connectors.ConnectorEventDto.of(BARE_EVENT)
    yield connectors.ConnectorEventProjection.of(BARE_EVENT)
    yield inboxes.InboxDto.of(BARE_INBOX)
    yield inboxes.InboxPreview.of(BARE_INBOX)
    yield inboxes.InboxByEmailAddressResult.of(None)
    yield inboxes.InboxByNameResult.of(None)
    yield inboxes.InboxIdsResult(inbox_ids=[])
    yield mail.EmailDto.of(BARE_EMAIL, nothing)
    yield mail.EmailPreview.of(BARE_EMAIL)
    yield mail.EmailProjection.of(BARE_EMAIL)
    yield threads.EmailThreadDto.of(BARE_THREAD)
    yield threads.EmailThreadProjection.of(BARE_THREAD)
    yield threads.EmailThreadItem.of(BARE_EMAIL)
    yield threads.EmailThreadItem.of(BARE_SENT)
    yield extracting.ExtractCodesResult.of(FoundCodes(codes=(), links=()))
    yield extracting.EmailSignatureParseResult.of(None)
    yield extracting.CheckEmailBodyResults.of(BodyCheck())
    yield extracting.HTMLValidationResult.of([])
    yield mail.AttachmentMetaData.of(UPLOADED)
    yield mail.RawEmailJson.of(b"")
    yield composing.ContactDto.of(BARE_CONTACT)
    yield composing.ContactProjection.of(BARE_CONTACT)
    yield composing.EmailDraftDto.of(replace(DRAFT, said={}))
    yield composing.EmailDraftProjection.of(replace(DRAFT, said={}))
    yield sending.SentEmailDto.of(BARE_SENT, nothing)
    yield sending.SentEmailProjection.of(BARE_SENT)
    yield from samples_webhooks.bare_answers(CANARY)
