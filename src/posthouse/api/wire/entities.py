"""Lists over everything that an account has, as MailSlurp's clients know them."""

from enum import StrEnum
from typing import Self
from uuid import UUID

from posthouse.api.wire.common import Moment, PageQuery, SpringPage, WireModel
from posthouse.model.favourites import Favourite
from posthouse.model.values import EmailId, InboxId, Sort
from posthouse.model.webhooks import Result, ResultQuery, ResultType


class EntityQuery(PageQuery):
    """The newest first, unless it is said otherwise."""

    sort: Sort = Sort.DESC


# --- favourites --------------------------------------------------------------------------------------------------


class EntityType(StrEnum):
    INBOX = "INBOX"
    EMAIL = "EMAIL"
    ATTACHMENT = "ATTACHMENT"
    PHONE = "PHONE"
    SMS = "SMS"


class FavouritesQuery(EntityQuery):
    filter: EntityType | None = None


class EntityFavouriteItemProjection(WireModel):
    name: str
    id: UUID
    description: str | None
    created_at: Moment
    entity_type: EntityType

    @classmethod
    def of(cls, favourite: Favourite) -> Self:
        return cls(
            name=favourite.name,
            id=favourite.id,
            description=favourite.description,
            created_at=favourite.created_at,
            entity_type=EntityType(favourite.kind),
        )


class PageEntityFavouriteItems(SpringPage[EntityFavouriteItemProjection]):
    pass


# --- automations, and what they did ------------------------------------------------------------------------------


class AutomationType(StrEnum):
    INBOX_FORWARDER = "INBOX_FORWARDER"
    INBOX_REPLIER = "INBOX_REPLIER"
    INBOX_RULESET = "INBOX_RULESET"


class AutomationsQuery(EntityQuery):
    inbox_id: UUID | None = None
    phone_id: UUID | None = None
    filter: AutomationType | None = None


class EntityAutomationItemProjection(WireModel):
    automation_type: AutomationType
    name: str | None
    id: UUID
    inbox_id: UUID | None
    action: str | None
    phone_id: UUID | None


class PageEntityAutomationItems(SpringPage[EntityAutomationItemProjection]):
    pass


class EntityEventType(StrEnum):
    WEBHOOK_EVENT = "WEBHOOK_EVENT"
    INBOX_FORWARDER_EVENT = "INBOX_FORWARDER_EVENT"
    INBOX_REPLIER_EVENT = "INBOX_REPLIER_EVENT"
    INBOX_RULESET_EVENT = "INBOX_RULESET_EVENT"
    ALIAS_EVENT = "ALIAS_EVENT"


class EntityEventSeverity(StrEnum):
    INFO = "INFO"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    DANGER = "DANGER"


class EntityEventsQuery(EntityQuery):
    inbox_id: InboxId | None = None
    email_id: EmailId | None = None
    phone_id: UUID | None = None
    sms_id: UUID | None = None
    attachment_id: UUID | None = None
    filter: EntityEventType | None = None

    def to_domain(self) -> ResultQuery:
        """Only webhooks have done anything here, and only for inboxes and their mail."""
        others = self.filter not in (None, EntityEventType.WEBHOOK_EVENT)
        return ResultQuery(
            slice=self.slice(),
            inbox_id=self.inbox_id,
            email_id=self.email_id,
            attachment_id=str(self.attachment_id) if self.attachment_id else None,
            nothing=others or self.phone_id is not None or self.sms_id is not None,
        )


_SEVERITIES = {
    ResultType.SUCCESS: EntityEventSeverity.SUCCESS,
    ResultType.BAD_RESPONSE: EntityEventSeverity.WARNING,
    ResultType.EXCEPTION: EntityEventSeverity.WARNING,
    ResultType.EXHAUSTED: EntityEventSeverity.DANGER,
    ResultType.REDRIVEN: EntityEventSeverity.INFO,
}


class EntityEventItemProjection(WireModel):
    event_type: EntityEventType
    severity: EntityEventSeverity
    id: UUID
    inbox_id: UUID | None
    phone_id: UUID | None = None

    @classmethod
    def of(cls, result: Result) -> Self:
        return cls(
            event_type=EntityEventType.WEBHOOK_EVENT,
            severity=_SEVERITIES[result.type],
            id=result.id,
            inbox_id=result.inbox_id,
        )


class PageEntityEventItems(SpringPage[EntityEventItemProjection]):
    pass
