"""Webhooks as MailSlurp's clients know them: what they are, and how telling them went."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import INT32, Line, Moment, PageQuery, QueryModel, SpringPage, Text, WireModel
from posthouse.api.wire.payloads import schema_of
from posthouse.api.wire.waiting import parse_mark
from posthouse.model.errors import Invalid
from posthouse.model.mail import Mark
from posthouse.model.values import EmailId, InboxId, Secret, Sort
from posthouse.model.webhooks import (
    EventName,
    Health,
    MessageId,
    Result,
    ResultQuery,
    ResultType,
    Webhook,
    WebhookId,
    WebhookQuery,
    tells_a_secret,
)
from posthouse.services.saying import Said
from posthouse.services.webhooks import NewWebhook, Rewound

HIDDEN = "***"
"""What is shown of a header that is likely to hold a secret; sent back, it leaves the header as it is."""


class HttpMethod(StrEnum):
    """Ours is always the first."""

    POST = "POST"
    DELETE = "DELETE"
    GET = "GET"
    PUT = "PUT"
    PATCH = "PATCH"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    TRACE = "TRACE"


class EventSource(StrEnum):
    INBOX = "INBOX"
    PHONE = "PHONE"
    AI_TRANSFORMER = "AI_TRANSFORMER"


# --- what is wished ----------------------------------------------------------------------------------------------


class BasicAuthOptions(WireModel):
    username: Text
    password: Text


class WebhookHeaderNameValue(WireModel):
    name: Line
    value: Line


class WebhookHeaders(WireModel):
    headers: list[WebhookHeaderNameValue]

    @classmethod
    def of(cls, headers: Mapping[str, Secret]) -> Self:
        return cls(
            headers=[
                WebhookHeaderNameValue(name=name, value=HIDDEN if tells_a_secret(name) else value.reveal())
                for name, value in headers.items()
            ]
        )

    def to_domain(self, present: Mapping[str, Secret]) -> dict[str, Secret]:
        """The headers, where a hidden value stands for the one that is there already."""
        known = {name.lower(): value for name, value in present.items()}
        wished: dict[str, Secret] = {}
        for header in self.headers:
            kept = known.get(header.name.lower()) if header.value == HIDDEN else None
            wished[header.name] = kept or Secret(header.value)
        if len({name.lower() for name in wished}) < len(self.headers):
            raise Invalid("includeHeaders: each header may stand there but once")
        return wished


class CreateWebhookOptions(WireModel):
    """What a webhook should be. To have a static address is remembered, and changes nothing."""

    url: Line
    basic_auth: BasicAuthOptions | None = None
    name: Line | None = None
    event_name: EventName | None = None
    include_headers: WebhookHeaders | None = None
    request_body_template: Text | None = None
    ai_transform_id: UUID | None = None
    use_static_ip_range: bool | None = False
    ignore_insecure_ssl_certificates: bool | None = None
    tags: list[Line] | None = None

    def to_domain(self) -> NewWebhook:
        return NewWebhook(
            url=self.url,
            event=self.event_name or EventName.EMAIL_RECEIVED,
            name=self.name,
            username=self.basic_auth.username if self.basic_auth else None,
            password=Secret(self.basic_auth.password) if self.basic_auth else None,
            headers=self.include_headers.to_domain({}) if self.include_headers else {},
            template=self.request_body_template or None,
            takes_any_certificate=bool(self.ignore_insecure_ssl_certificates),
            static_addresses=self.use_static_ip_range,
            ai_transform_id=self.ai_transform_id,
            tags=tuple(self.tags or ()),
        )

    def changes(self, present: Webhook, *, override_auth: bool) -> dict[str, Any]:
        """What to change of a webhook: what is sent. Basic authentication that is not sent stays, unless it is to be
        overridden."""
        sent = self.model_fields_set
        wished = self.to_domain()
        changes = {ours: getattr(wished, ours) for theirs, ours in _CHANGEABLE.items() if theirs in sent}
        if self.event_name is not None:
            changes["event"] = self.event_name
        if self.include_headers is not None:
            changes["headers"] = self.include_headers.to_domain(present.headers)
        elif "include_headers" in sent:
            changes["headers"] = {}
        if self.basic_auth is not None or override_auth:
            changes |= {"username": wished.username, "password": wished.password}
        return changes


_CHANGEABLE = {
    "url": "url",
    "name": "name",
    "request_body_template": "template",
    "ai_transform_id": "ai_transform_id",
    "use_static_ip_range": "static_addresses",
    "ignore_insecure_ssl_certificates": "takes_any_certificate",
    "tags": "tags",
}
"""What is simply put in place when it is sent, by its name here and there."""


class UpdateWebhookQuery(QueryModel):
    inbox_id: InboxId | None = None
    ai_transformer_id: UUID | None = None
    phone_number_id: UUID | None = None
    override_auth: bool = False


class RewindOptions(WireModel):
    """Which place in an inbox's journal a webhook goes on from: one of `mark`, `position` and `since` says it."""

    inbox_id: InboxId | None = None
    mark: str | None = None
    position: int | None = Field(default=None, ge=0, le=2**62)
    since: Moment | None = None

    def to_domain(self) -> dict[str, Any]:
        """Raises Invalid."""
        if sum(place is not None for place in (self.mark, self.position, self.since)) != 1:
            raise Invalid("one of mark, position and since is needed, and no more")
        mark: Mark | None = parse_mark(self.mark, where="mark")
        return {"mark": mark, "position": self.position, "since": self.since}


class VerifyWebhookSignatureOptions(WireModel):
    message_id: Text
    signature: Text

    def to_domain(self) -> MessageId | None:
        """The message that is meant; ours are UUIDs."""
        try:
            return MessageId(UUID(self.message_id.strip()))
        except ValueError:
            return None


# --- what is asked for -------------------------------------------------------------------------------------------


class InboxWebhooksQuery(QueryModel):
    page: int = Field(0, ge=0, le=INT32)
    size: int = Field(20, ge=1, le=100)
    sort: Sort = Sort.ASC


class WebhooksQuery(PageQuery):
    """What all lists of webhooks can be narrowed by."""

    search_filter: Text | None = None
    health: Health | None = None
    event_type: EventName | None = None

    def to_domain(self, **more: Any) -> WebhookQuery:
        return WebhookQuery(
            slice=self.slice(),
            event=self.event_type,
            health=self.health,
            search=self.search_filter or "",
            **more,
        )


class InboxWebhookPageQuery(WebhooksQuery):
    include_account_wide: bool | None = None


class AccountWebhooksQuery(WebhooksQuery):
    sort: Sort = Sort.DESC


class EndpointsQuery(WebhooksQuery):
    sort: Sort = Sort.DESC
    inbox_id: InboxId | None = None
    phone_id: UUID | None = None


class AllWebhooksQuery(EndpointsQuery):
    ai_transformer_id: UUID | None = None
    url: Text | None = None
    event_type_source: EventSource | None = None
    include_account_wide: bool | None = None


class ResultsQuery(PageQuery):
    """What lists of results can be narrowed by. Nothing comes from phones or AI."""

    search_filter: Text | None = None
    unseen_only: bool = False
    result_type: ResultType | None = None
    event_name: EventName | None = None
    min_status_code: int | None = Field(default=None, ge=0, le=INT32)
    max_status_code: int | None = Field(default=None, ge=0, le=INT32)
    inbox_id: InboxId | None = None
    sms_id: UUID | None = None
    attachment_id: Text | None = None
    email_id: EmailId | None = None
    phone_id: UUID | None = None
    ai_transformer_id: UUID | None = None

    def to_domain(self, webhook: WebhookId | None = None) -> ResultQuery:
        return ResultQuery(
            slice=self.slice(),
            webhook_id=webhook,
            search=self.search_filter or "",
            unseen_only=self.unseen_only,
            type=self.result_type,
            event=self.event_name,
            least_status=self.min_status_code,
            most_status=self.max_status_code,
            inbox_id=self.inbox_id,
            email_id=self.email_id,
            attachment_id=self.attachment_id,
            nothing=bool(self.sms_id or self.phone_id or self.ai_transformer_id),
        )


class WaitForResultsQuery(QueryModel):
    expected_count: int = Field(ge=0, le=100)
    timeout: int = Field(ge=0, le=INT32)

    def patience(self) -> timedelta:
        return timedelta(milliseconds=self.timeout)


class ExampleQuery(QueryModel):
    event_name: EventName = EventName.NEW_EMAIL


# --- what is answered --------------------------------------------------------------------------------------------


class WebhookDto(WireModel):
    """A webhook. Its password and its signing secret are never told here."""

    id: UUID
    user_id: UUID
    basic_auth: bool
    name: str | None
    phone_id: UUID | None = None
    inbox_id: UUID | None
    request_body_template: str | None
    url: str
    method: HttpMethod = HttpMethod.POST
    payload_json_schema: str
    created_at: Moment | None
    updated_at: Moment
    event_name: EventName | None
    request_headers: WebhookHeaders | None
    ai_transform_id: UUID | None
    ignore_insecure_ssl_certificates: bool | None
    use_static_ip_range: bool | None
    health_status: Health | None
    enabled: bool | None = True

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls(
            id=webhook.id,
            user_id=webhook.account_id,
            basic_auth=webhook.username is not None,
            name=webhook.name,
            inbox_id=webhook.inbox_id,
            request_body_template=webhook.template,
            url=webhook.url,
            payload_json_schema=schema_of(webhook.event),
            created_at=webhook.created_at,
            updated_at=webhook.updated_at,
            event_name=webhook.event,
            request_headers=WebhookHeaders.of(webhook.headers) if webhook.headers else None,
            ai_transform_id=webhook.ai_transform_id,
            ignore_insecure_ssl_certificates=webhook.takes_any_certificate,
            use_static_ip_range=webhook.static_addresses,
            health_status=webhook.health,
        )


class WebhookProjection(WireModel):
    """A webhook in a list."""

    name: str | None
    id: UUID
    event_name: EventName | None
    url: str
    password: str | None = None
    username: str | None
    user_id: UUID
    inbox_id: UUID | None
    enabled: bool | None = True
    created_at: Moment
    updated_at: Moment
    ai_transformer_id: UUID | None = None
    phone_number_id: UUID | None = None
    ai_transform_id: UUID | None
    health_status: Health | None

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls(
            name=webhook.name,
            id=webhook.id,
            event_name=webhook.event,
            url=webhook.url,
            username=webhook.username,
            user_id=webhook.account_id,
            inbox_id=webhook.inbox_id,
            created_at=webhook.created_at,
            updated_at=webhook.updated_at,
            ai_transform_id=webhook.ai_transform_id,
            health_status=webhook.health,
        )


class PageWebhookProjection(SpringPage[WebhookProjection]):
    pass


class WebhookEndpointProjection(WireModel):
    url: str
    health: Health

    @classmethod
    def of(cls, endpoint: tuple[str, Health]) -> Self:
        return cls(url=endpoint[0], health=endpoint[1])


class PageWebhookEndpointProjection(SpringPage[WebhookEndpointProjection]):
    pass


class WebhookResultDto(WireModel):
    """One time that a webhook was told something."""

    id: UUID | None
    user_id: UUID
    webhook_id: UUID
    webhook_url: str
    message_id: str
    redrive_id: UUID | None
    http_method: HttpMethod = HttpMethod.POST
    webhook_event: EventName
    response_status: int | None
    response_time_millis: int
    response_body_extract: str | None
    result_type: ResultType | None
    created_at: Moment
    updated_at: Moment
    seen: bool
    inbox_id: UUID | None
    email_id: UUID | None
    attachment_id: UUID | None = None
    phone_id: UUID | None = None
    sms_id: UUID | None = None
    ai_transformer_id: UUID | None = None

    @classmethod
    def of(cls, result: Result) -> Self:
        """Clients take an attachment's id for a UUID here, which ours are not: it stays away."""
        return cls(
            id=result.id,
            user_id=result.account_id,
            webhook_id=result.webhook_id,
            webhook_url=result.url,
            message_id=str(result.message_id),
            redrive_id=result.redrive_id,
            webhook_event=result.event,
            response_status=result.status,
            response_time_millis=result.took // timedelta(milliseconds=1),
            response_body_extract=result.extract,
            result_type=result.type,
            created_at=result.created_at,
            updated_at=result.updated_at,
            seen=result.seen,
            inbox_id=result.inbox_id,
            email_id=result.email_id,
        )


class PageWebhookResult(SpringPage[WebhookResultDto]):
    pass


class UnseenErrorCountDto(WireModel):
    count: int


class WebhookRedriveResult(WireModel):
    webhook_result_id: UUID
    success: bool
    message: str | None


class WebhookRedriveAllResult(WireModel):
    success: bool
    message: str | None


class WebhookTestRequest(WireModel):
    url: str
    method: HttpMethod = HttpMethod.POST
    headers: dict[str, str]
    payload: str | None


class WebhookTestResponse(WireModel):
    status_code: int | None
    message: str | None


class WebhookTestResult(WireModel):
    message: str | None
    response: WebhookTestResponse
    request: WebhookTestRequest

    @classmethod
    def of(cls, said: Said) -> Self:
        shown = {
            name: HIDDEN if tells_a_secret(name) and not name.lower().endswith("-signature") else value
            for name, value in said.call.headers.items()
        }
        if said.answer is None:
            words = said.problem
        elif said.answer.accepted:
            words = "The receiver has taken it"
        else:
            words = f"The receiver answered {said.answer.status}: only 2xx means that it has taken it"
        return cls(
            message=words,
            response=WebhookTestResponse(
                status_code=said.answer.status if said.answer else None,
                message=said.answer.text if said.answer else said.problem,
            ),
            request=WebhookTestRequest(url=said.call.url, headers=shown, payload=said.call.body.decode()),
        )


class JSONSchemaDto(WireModel):
    value: str


class VerifyWebhookSignatureResults(WireModel):
    is_valid: bool


class WebhookSecretDto(WireModel):
    """What a webhook's messages are signed with: `whsec_` and Base64, as the Standard Webhooks libraries take it."""

    webhook_id: UUID
    secret: str


class RewoundDto(WireModel):
    """Where a webhook goes on from in an inbox's journal, and how many of its lines lie ahead."""

    webhook_id: UUID
    inbox_id: UUID
    position: int
    ahead: int

    @classmethod
    def of(cls, rewound: Rewound) -> Self:
        return cls(
            webhook_id=rewound.webhook_id,
            inbox_id=rewound.inbox_id,
            position=rewound.position,
            ahead=rewound.ahead,
        )
