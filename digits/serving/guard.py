"""What stands before the routes: limits, security headers and metrics, as ASGI middleware."""

import asyncio
import time
from dataclasses import dataclass

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
        "img-src 'self' blob: data:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes:
        bytes: of its body.
        pixels: of a picture, once unpacked.
        digits: found in a picture.
        seconds: from its head to its answer.
        waiting: requests at work or waiting at a time.
    """

    bytes: int = 16_000_000
    pixels: int = 25_000_000
    digits: int = 200
    seconds: float = 10.0
    waiting: int = 64


class Metrics:
    """What Prometheus is told.

    Attributes:
        busy: requests with a body, at work or waiting.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("path", "status")
        self.requests = Counter("digits_requests", "Requests.", labels, registry=self.registry)
        self.seconds = Histogram(
            "digits_request_seconds",
            "From the head of a request to the end of its answer.",
            ["path"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
            registry=self.registry,
        )
        self.busy = 0
        gauge = Gauge("digits_busy_requests", "At work or waiting.", registry=self.registry)
        gauge.set_function(lambda: self.busy)
        self.batch = Histogram(
            "digits_batch_images",
            "Images that a model was given at once.",
            buckets=[2**n for n in range(15)],
            registry=self.registry,
        )
        self.digits = Counter(
            "digits_answers", "Digits answered.", ["refused"], registry=self.registry
        )


class Guard:
    """Counts and times every request, bounds those with a body, and adds the headers."""

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics) -> None:
        self._app, self._limits, self._metrics = app, limits, metrics
        self._headers = [
            (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500  # what comes of an exception

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        try:
            if scope["method"] == "POST":
                await self._bounded(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        finally:
            path = getattr(scope.get("route"), "path", "other")  # a handful, whoever asks
            self._metrics.requests.labels(path, status).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on within the limits, or answer with a 4xx and the reason."""
        limits, received, answering = self._limits, 0, False

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limits.bytes:
                raise too_large
            return message

        async def sending(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        too_large = HTTPException(413, f"the body has more than {limits.bytes:,} bytes")
        if int(Headers(scope=scope).get("content-length", 0)) > limits.bytes:
            await refusal(too_large)(scope, receive, send)
            return
        metrics = self._metrics
        if metrics.busy >= limits.waiting:
            busy = HTTPException(429, f"{metrics.busy} requests wait already", {"Retry-After": "1"})
            await refusal(busy)(scope, receive, send)
            return
        metrics.busy += 1
        try:
            async with asyncio.timeout(limits.seconds):
                await self._app(scope, receiving, sending)
        except TimeoutError:
            late = HTTPException(408, f"not answered within {limits.seconds:g} seconds")
            if not answering:
                await refusal(late)(scope, receive, send)
        finally:
            metrics.busy -= 1


def refusal(error: HTTPException) -> Response:
    """The answer to a request that is refused; where its body was not read, the last one."""
    headers = dict(error.headers or {})
    if error.status_code in (408, 413, 429):
        headers["Connection"] = "close"
    content = orjson.dumps({"detail": str(error.detail)})
    return Response(content, error.status_code, headers, "application/json")
