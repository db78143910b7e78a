"""The user controller: who the caller is, and lists over all that he has."""

import json
from typing import Annotated, Any, Never

from fastapi import Query, Response

from posthouse.api.context import Caller, House, controller, told_as
from posthouse.api.wire.accounts import UserInfoDto
from posthouse.api.wire.common import Text
from posthouse.api.wire.entities import (
    AutomationsQuery,
    EntityAutomationItemProjection,
    EntityEventItemProjection,
    EntityEventsQuery,
    EntityFavouriteItemProjection,
    EntityType,
    FavouritesQuery,
    PageEntityAutomationItems,
    PageEntityEventItems,
    PageEntityFavouriteItems,
)
from posthouse.model.errors import Invalid
from posthouse.model.favourites import FavouriteKind
from posthouse.model.values import Page, Slice

router = controller("UserController")

_KINDS = {EntityType.INBOX: FavouriteKind.INBOX, EntityType.EMAIL: FavouriteKind.EMAIL}


@router.get("/user/info", operation_id="getUserInfo")
async def get_user_info(caller: Caller) -> UserInfoDto:
    return UserInfoDto.of(caller)


@router.get("/user/favorites", operation_id="getEntityFavorites")
async def get_entity_favorites(
    query: Annotated[FavouritesQuery, Query()], caller: Caller, house: House
) -> PageEntityFavouriteItems:
    """Inboxes and emails: nothing else can be a favourite here."""
    if query.filter is not None and query.filter not in _KINDS:
        return PageEntityFavouriteItems.of(_nothing(query.slice()), EntityFavouriteItemProjection.of)
    kind = None if query.filter is None else _KINDS[query.filter]
    found = await house.favourites.page(caller.id, query.slice(), kind)
    return PageEntityFavouriteItems.of(found, EntityFavouriteItemProjection.of)


@router.get("/user/automations", operation_id="getEntityAutomations")
async def get_entity_automations(
    query: Annotated[AutomationsQuery, Query()], caller: Caller
) -> PageEntityAutomationItems:
    """There are no forwarders, repliers and rulesets yet, so none are listed."""
    none = _nothing(query.slice())
    return PageEntityAutomationItems.of(none, lambda one: EntityAutomationItemProjection.model_validate(one))


@router.get("/user/events", operation_id="getEntityEvents")
async def get_entity_events(
    query: Annotated[EntityEventsQuery, Query()], caller: Caller, house: House
) -> PageEntityEventItems:
    """How it went to tell webhooks something. Forwarders, repliers, rulesets and aliases have done nothing yet."""
    found = await house.webhook_results.page(caller.id, query.to_domain())
    return PageEntityEventItems.of(found, EntityEventItemProjection.of)


@router.post(
    "/user/json/pluck",
    operation_id="getJsonPropertyAsString",
    response_class=Response,
    responses=told_as("text/plain"),
)
async def get_json_property_as_string(
    name: Annotated[Text, Query(alias="property", max_length=1000)], document: dict[str, Any], caller: Caller
) -> Response:
    """A property by its name, or by names with dots between them: text as it is, anything else as JSON."""
    found: Any = document
    for step in name.split("."):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise Invalid(f"there is no property {name[:200]} in this JSON: {step[:80]!r} is missing")
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), media_type="text/plain;charset=utf-8")


def _nothing(slice_: Slice) -> Page[Never]:
    return Page((), 0, slice_)
