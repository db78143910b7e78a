"""How a failure is told: every one is JSON in MailSlurp's shape, whoever noticed it.

MailSlurp's JavaScript client throws away the status and parses the body, whatever it is; so there is no answer of
ours that is not JSON where JSON is expected, and each repeats its status.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from posthouse.api.operations import Catalogue
from posthouse.api.wire.common import ErrorBody
from posthouse.model.errors import PosthouseError, RemoteError, Unauthorized
from posthouse.model.values import utc_now

# The clients' vocabulary, as far as it goes; what it has no word for is built like its words.
_CODES = {
    400: "W_400_BAD_REQUEST",
    401: "W_401_UNAUTHORIZED",
    403: "W_403_FORBIDDEN",
    404: "W_404_ENTITY_NOT_FOUND",
    409: "W_409_CONFLICT",
    429: "W_429_RATE_LIMITED",
    500: "E_500_INTERNAL_ERROR",
}

INTERNAL = "An internal error. The server's log has the details."
_MOST_COMPLAINTS = 5


def failure(path: str, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that tells of a failure. `path` is without its query, which may hold an API key."""
    severity = "W" if status < 500 else "E"
    body = ErrorBody(
        message=_writable(message),
        status=status,
        error_code=_CODES.get(status) or f"{severity}_{status}_{HTTPStatus(status).name}",
        timestamp=utc_now(),
        path=_writable(path),
    )
    return Response(body.model_dump_json(), status, headers, "application/json")


def _writable(text: str) -> str:
    """`text` without the lone surrogates that no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def tell_failures(app: FastAPI, known: Catalogue) -> None:
    """Make `app` answer every expected failure in our shape. A bug is not expected: see `Edge`."""

    async def tell_ours(request: Request, error: PosthouseError) -> Response:
        headers = {}
        if isinstance(error, Unauthorized):
            headers["WWW-Authenticate"] = "ApiKey"  # RFC 9110 §11.6.1: a 401 must say how
        if isinstance(error, RemoteError) and error.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(error.retry_after.total_seconds())))
        return failure(request.scope["path"], error.status, error.message, headers)

    async def tell_invalid(request: Request, error: RequestValidationError) -> Response:
        return failure(request.scope["path"], 400, complaint(error.errors()))

    async def tell_http(request: Request, error: HTTPException) -> Response:
        path, status, message = request.scope["path"], error.status_code, str(error.detail)
        headers = dict(error.headers or {})
        if status in (404, 405) and (methods := known.methods(path)):
            status, headers["Allow"] = 405, ", ".join(methods)
        if status == 404:
            message = f"There is nothing at {path}"
        elif status == 405:
            message = f"{request.method} is not possible at {path}"
        return failure(path, status, message, headers)

    app.exception_handler(PosthouseError)(tell_ours)
    app.exception_handler(RequestValidationError)(tell_invalid)
    app.exception_handler(HTTPException)(tell_http)


def complaint(found: Sequence[Any]) -> str:
    """What is wrong with a request, in words; never what was given, which may be a secret."""
    told = [_one_complaint(error) for error in found[:_MOST_COMPLAINTS]]
    if len(found) > _MOST_COMPLAINTS:
        told.append(f"and {len(found) - _MOST_COMPLAINTS} more")
    return "; ".join(told)


def _one_complaint(error: Any) -> str:
    place, *rest = error["loc"]
    where = ".".join(map(str, rest))
    if error["type"] == "json_invalid":
        return f"the body is not valid JSON: {error['ctx']['error']} at character {where}"
    if place == "body" and not where:
        if error["type"] == "missing":
            return "a JSON body is needed"
        return "the body must be a JSON object, sent with Content-Type: application/json"
    if error["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"
