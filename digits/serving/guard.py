"""What stands before the routes, as ASGI middleware: who may ask, and what a body may cost."""

import asyncio
import contextlib
import time

import orjson
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digits.serving.access import Access
from digits.serving.limits import SMALL_BODY, Limits
from digits.serving.metrics import Metrics

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
        "img-src 'self' blob: data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
QUIET_SECONDS = 0.5  # without a byte of a refused body: its client waits for the answer
DRAIN_SECONDS = 5.0  # at most, for the rest of a refused body
CLIENT_LEFT = 499  # as nginx counts a client that left before it had sent all


class Guard:
    """Checks, counts and times every request, takes in the bodies, and adds the headers."""

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, access: Access) -> None:
        self._app, self._limits, self._metrics, self._access = app, limits, metrics, access
        self._held = 0  # bytes of the bodies larger than SMALL_BODY
        self._headers = [
            (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500  # what comes of an exception
        is_whole = False  # whether the body has come to its end
        if scope["method"] == "HEAD":  # the server leaves the body of the answer out
            scope = {**scope, "method": "GET"}

        async def receiving() -> Message:
            nonlocal is_whole
            message = await receive()
            is_whole = not message.get("more_body", False)
            return message

        async def drain() -> None:
            """Throw away the rest of a refused body, for a time.

            A client that still sends when the connection is closed sees a reset connection
            instead of the answer (RFC 9112, 9.6).
            """
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    while not is_whole:
                        await asyncio.wait_for(receiving(), QUIET_SECONDS)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        try:
            answer = self._access.check(scope)
            if answer:
                await answer(scope, receiving, sending)
            elif scope["method"] == "POST":
                if not await self._post(scope, receiving, sending):
                    status = CLIENT_LEFT
            else:
                await self._app(scope, receiving, sending)
        except HTTPException as error:
            if "expect" not in Headers(scope=scope):  # a client that asks first sends no body
                await drain()
            await refusal(error, is_last=True)(scope, receiving, sending)
        finally:
            path = getattr(scope.get("route"), "path", "other")  # a handful, whoever asks
            self._metrics.requests.labels(path, status).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Take in the body of a request, then answer it in the time there is.

        Returns:
            Whether the body came to its end: the client may have left before.
        """
        held = 0

        async def take_in() -> bytes | None:
            """Read the body to its end; None if the client has left."""
            nonlocal held
            parts, size = [], 0
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.bytes:
                    raise HTTPException(413, too_large)
                if size > SMALL_BODY:
                    self._held += size - held
                    held = size
                    if self._held > limits.held:
                        raise HTTPException(429, "too many large bodies", {"Retry-After": "1"})
                if not message.get("more_body", False):
                    return b"".join(parts)

        limits = self._limits
        too_large = f"the body has more than {limits.bytes:,} bytes"
        if int(Headers(scope=scope).get("content-length", 0)) > limits.bytes:
            raise HTTPException(413, too_large)
        try:
            try:
                async with asyncio.timeout(limits.body_seconds):
                    body = await take_in()
            except TimeoutError:
                late = f"the body did not come within {limits.body_seconds:g} seconds"
                raise HTTPException(408, late) from None
            except asyncio.CancelledError:  # as uvicorn ends what is still open at its end
                raise HTTPException(503, "the server is being ended") from None
            if body is not None:
                await self._answer(scope, body, receive, send)
            return body is not None
        finally:
            self._held -= held

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Pass a request on with its whole body, or say that it took too long."""
        answering, given = False, False

        async def receiving() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def sending(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        self._metrics.busy += 1
        try:
            async with asyncio.timeout(self._limits.seconds):
                await self._app(scope, receiving, sending)
        except TimeoutError:
            late = f"not answered within {self._limits.seconds:g} seconds"
            if not answering:
                raise HTTPException(408, late) from None
        finally:
            self._metrics.busy -= 1


def refusal(error: HTTPException, is_last: bool = False) -> Response:
    """Encode a JSON error response.

    Args:
        is_last: closes the connection, because the body was not read.
    """
    headers = dict(error.headers or {})
    if is_last:
        headers["Connection"] = "close"
    content = orjson.dumps({"detail": str(error.detail)})
    return Response(content, error.status_code, headers, "application/json")
