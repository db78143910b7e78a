"""What happens to every request before and after a route has it.

Here a body that is too large is cut off before it is held in memory, an operation that we have not built is told as
such, HEAD and OPTIONS are answered, and what a bug throws is logged whole and shown as nothing but a 500.
"""

from collections.abc import Collection

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posthouse.api.failures import INTERNAL, failure
from posthouse.api.operations import Catalogue, Operation, why_not

log = structlog.get_logger()


class Edge:
    """ASGI middleware around the whole API. `largest_body` is in bytes."""

    def __init__(self, app: ASGIApp, *, known: Catalogue, built: Collection[Operation], largest_body: int) -> None:
        self._app = app
        self._known = known
        self._built = built
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, head=scope["method"] == "HEAD")
        early = self._early_answer(scope)
        if early is not None:
            await early(scope, receive, answer.send)
            return
        if answer.head:
            scope = {**scope, "method": "GET"}  # RFC 9110 §9.3.2: a GET without its content
        try:
            await self._app(scope, _Measured(scope, receive, self._largest_body).receive, answer.send)
        except Exception:
            log.exception("a request failed by a fault of ours", method=scope["method"], path=scope["path"])
            if answer.started:
                raise  # too late for words: the server closes the connection
            await failure(scope["path"], 500, INTERNAL)(scope, receive, answer.send)

    def _early_answer(self, scope: Scope) -> Response | None:
        """The answer to a request that no route needs to see."""
        method, path = scope["method"], scope["path"]
        if method == "OPTIONS" and (methods := self._known.methods(path)):
            return Response(status_code=204, headers={"Allow": ", ".join([*methods, "OPTIONS"])})
        operation = self._known.find(method, path)
        if operation is not None and operation not in self._built:
            message = f"{operation.name} ({method} {operation.path}) is known, and not built yet"
            return failure(path, 501, f"{message}: {why}" if (why := why_not(operation)) else message)
        return None


class _Measured:
    """A request's body, that breaks off where it gets too large: before its first byte when it says so itself. Whoever
    reads it tells, as JSON or on a page."""

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        length = Headers(scope=scope).get("content-length", "")
        self._declared = int(length) if length.isdecimal() else 0
        self._receive = receive
        self._most = most
        self._seen = 0

    async def receive(self) -> Message:
        self._refuse_over(self._declared)
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        self._refuse_over(self._seen)
        return message

    def _refuse_over(self, size: int) -> None:
        if size > self._most:
            words = f"The body of a request may have at most {self._most} bytes"
            raise HTTPException(413, words, {"Connection": "close"})


class _Answer:
    """An answer on its way out: what it must say to browsers is added, and for HEAD its content is left out."""

    def __init__(self, send: Send, *, head: bool) -> None:
        self._send = send
        self.head = head
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
        elif self.head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)
