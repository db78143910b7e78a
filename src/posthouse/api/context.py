"""What every route is given: whose key it is, and the services.

A route of a controller asks for the key before a byte of the body is read, so that nobody without one can make us
hold or parse what they send.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, APIKeyQuery

from posthouse.api.wire.common import ErrorBody, Text
from posthouse.model.accounts import Account
from posthouse.model.errors import Unauthorized
from posthouse.model.values import ConnectorId, EmailId, InboxId
from posthouse.services import Services

KEY_HEADER = "x-api-key"
KEY_PARAMETER = "apiKey"

# For the OpenAPI document; the key itself is taken by `_KeyedRoute`, before FastAPI looks at a request.
_SCHEMES = (
    Security(APIKeyHeader(name=KEY_HEADER, scheme_name="API_KEY", auto_error=False)),
    Security(APIKeyQuery(name=KEY_PARAMETER, scheme_name="API_KEY_QUERY", auto_error=False)),
)

_FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "What was asked for cannot be: `message` says what to change"},
    "5XX": {"model": ErrorBody, "description": "A failure of ours, or of the server that we talk to for the caller"},
}


class _KeyedRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_for_a_caller(request: Request) -> Response:
            key = request.headers.get(KEY_HEADER) or request.query_params.get(KEY_PARAMETER)
            if not key:
                raise Unauthorized(f"No API key was given: send it as the header {KEY_HEADER}")
            services: Services = request.app.state.services
            request.state.caller = await services.accounts.authenticate(key)
            return await handle(request)

        return handle_for_a_caller


def controller(name: str) -> APIRouter:
    """A router for the operations of one of MailSlurp's controllers. All of them need a key."""
    return APIRouter(tags=[name], route_class=_KeyedRoute, dependencies=_SCHEMES, responses=_FAILURES)


def told_as(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: a route that answers with something else than JSON."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in media_types}}}


def _caller(request: Request) -> Account:
    caller: Account = request.state.caller
    return caller


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Caller = Annotated[Account, Depends(_caller)]
"""The account whose key came with the request."""

House = Annotated[Services, Depends(_services)]
"""The services that this API is a face of."""


def _origin(request: Request) -> str:
    public_url: str | None = request.app.state.public_url
    return (public_url or str(request.base_url)).rstrip("/")


Origin = Annotated[str, Depends(_origin)]
"""The URL that this API is reached at, for links into it; without a slash at its end."""

OnceKey = Annotated[
    Text | None,
    Header(
        alias="Idempotency-Key",
        description="The same request with the same key is made once, however often it is sent; for 24 hours at least.",
    ),
]
"""By which a request that sends is recognised when it is made again."""

# Ids in paths, by the names that MailSlurp's clients and documents have for them.
ConnectorPath = Annotated[ConnectorId, Path(alias="id")]
InboxPath = Annotated[InboxId, Path(alias="inboxId")]
EmailPath = Annotated[EmailId, Path(alias="emailId")]
AttachmentPath = Annotated[Text, Path(alias="attachmentId")]
