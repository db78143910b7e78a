"""API keys of the account: made, seen once, revoked."""

from typing import Annotated
from uuid import UUID

from fastapi import Form, Response

from posthouse.dashboard.visit import Visit, Visitor, pages
from posthouse.model.accounts import ApiKey
from posthouse.model.errors import Invalid, NotFound
from posthouse.services.accounts import NewKey

router = pages()


@router.get("/keys")
async def keys(visit: Visit) -> Response:
    return await _list(visit)


@router.post("/keys")
async def make(visit: Visit, name: Annotated[str, Form()] = "") -> Response:
    """The answer shows the key itself, so it is no redirect."""
    try:
        made = await visit.services.accounts.another_key(visit.account.id, name.strip())
    except Invalid as error:
        return await _list(visit, 422, name=name, problems={"name": error.message})
    return await _list(visit, made=made)


@router.get("/keys/{key_id}/revoke")
async def ask_to_revoke(visit: Visit, key_id: UUID) -> Response:
    keys = await visit.services.accounts.keys_of(visit.account.id)
    key = next((key for key in keys if key.id == key_id), None)
    if key is None:
        raise NotFound(f"there is no key {key_id}")
    return visit.page("keys/revoke.html", here="keys", key=key, own=_is_own(visit, key), last=len(keys) == 1)


@router.post("/keys/{key_id}/revoke")
async def revoke(visit: Visit, key_id: UUID) -> Response:
    await visit.services.accounts.revoke(key_id, visit.account.id)
    return visit.to("/keys", said="Revoked.")


async def _list(
    visit: Visitor,
    status: int = 200,
    *,
    made: NewKey | None = None,
    name: str = "",
    problems: dict[str, str] | None = None,
) -> Response:
    keys = await visit.services.accounts.keys_of(visit.account.id)
    return visit.page(
        "keys/list.html",
        status,
        here="keys",
        keys=[(key, _is_own(visit, key)) for key in keys],
        made=made,
        name=name,
        problems=problems or {},
    )


def _is_own(visit: Visitor, key: ApiKey) -> bool:
    """Whether this is the key that the visitor has signed in with."""
    return key.id == visit.login.api_key_id
