"""The server as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from digits.base.errors import UserError
from digits.collection.collector import Collector, Settings
from digits.recognition.recognizer import Recognizer
from digits.serving.access import LOOPBACK, Access
from digits.serving.guard import Guard, refusal
from digits.serving.limits import Limits
from digits.serving.metrics import Metrics
from digits.serving.routes import (
    device,
    drawing,
    feedback,
    operations,
    prediction,
    review,
    scoring,
    site,
)
from digits.serving.service import Service

PAGE = Path(__file__).parent / "page"
NO_MEMORY = "it takes more memory than there is; send less at a time"


def build(
    recognizers: Sequence[Recognizer],
    limits: Limits | None = None,
    beside: Callable[[Service], Coroutine[Any, Any, None]] | None = None,
    page: Path = PAGE,
    access: Access | None = None,
    collection: Settings | None = None,
) -> FastAPI:
    """Put the application together: a service, what stands before it, and its routes.

    Args:
        recognizers: the main one first.
        beside: given the service, runs beside it from its start to its end.
        page: the folder with index.html and what it needs.
        access: who may ask; by default whoever asks by one of loopback's names.
        collection: what to keep of what is answered; by default nothing.

    Raises:
        UserError: the file to collect in cannot be used.
    """
    limits, metrics, access = limits or Limits(), Metrics(), access or Access()
    collector = None
    if collection:
        classes = recognizers[0].network.classes
        collector = Collector(
            collection, classes, lambda result, count: metrics.collected.labels(result).inc(count)
        )
    service = Service(recognizers, limits, metrics, collector)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(beside(service)) if beside else None
        yield
        if task:
            task.cancel()
        service.close()

    app = FastAPI(
        title="digits",
        description="Reads handwritten digits. An error is JSON, `detail` its reason.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Guard, limits=limits, metrics=metrics, access=access)
    _handle_errors(app)
    for subject in (prediction, drawing, scoring, operations, device):
        app.include_router(subject.router(service))
    app.include_router(feedback.routes_of_page(service))
    if collector:
        app.include_router(feedback.router(service, collector))
        # Without a token others' handwriting is shown to this machine alone: a further name that
        # is answered to may be that of a proxy, which lets others in.
        is_local = not access.addresses and access.hosts <= LOOPBACK
        if access.token is not None or is_local:
            app.include_router(review.router(service, collector))
    site.add(app, page, limits)
    return app


def _handle_errors(app: FastAPI) -> None:
    """Answer each error that a request may cause with its reason."""
    app.add_exception_handler(UserError, lambda _, error: refusal(HTTPException(400, str(error))))
    app.add_exception_handler(MemoryError, lambda *_: refusal(HTTPException(413, NO_MEMORY)))
    app.add_exception_handler(HTTPException, lambda _, error: refusal(error))
    app.add_exception_handler(RequestValidationError, _invalid)
    # Nobody hears the answer to a client that has left.
    app.add_exception_handler(ClientDisconnect, lambda *_: Response(status_code=400))


def _invalid(_: Request, error: Exception) -> Response:
    """Name each parameter of the URL that is missing or wrong, in one line."""
    assert isinstance(error, RequestValidationError)
    problems = (f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return refusal(HTTPException(400, "; ".join(problems)))
