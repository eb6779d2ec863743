"""GET /collection and POST /feedback: whether digits are kept, and what people say of them."""

import asyncio
import queue
import sqlite3
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.exceptions import HTTPException

from digits.base.errors import UserError
from digits.base.schema import Section, check
from digits.base.text import one_line
from digits.collection.collector import Collector
from digits.collection.records import NONE, WRITER
from digits.serving import schemas
from digits.serving.encoding import json_response
from digits.serving.media import JSON, require
from digits.serving.service import Service

ID = "^[0-9a-f]{24}$"
REVIEWER = r"^[A-Za-z0-9_.-]{1,40}$"
MOST_BYTES = 1_000  # of a body


class Feedback(Section):
    """A person's word on a digit."""

    id: Annotated[str, Field(pattern=ID, description="of the digit, as the answer gave it")]
    class_: Annotated[
        str | None,
        Field(alias="class", max_length=100, description=f"{NONE}: no digit; null: taken back"),
    ]
    reviewer: Annotated[
        str, Field(pattern=REVIEWER, description="of several people each has a verdict")
    ] = WRITER


SCHEMA: dict[str, Any] = Feedback.model_json_schema()
BODY = schemas.body("A person's word on a digit that was collected.", **{JSON: SCHEMA})


def routes_of_page(service: Service) -> APIRouter:
    """What the page asks, whether the server collects or not."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/collection")
    def collection() -> Response:
        """Whether digits are kept, for the page to say so."""
        settings = service.collector and service.collector.settings
        if not settings:
            return json_response({"collects": False})
        days, pictures = settings.most_days, settings.pictures
        return json_response({"collects": True, "days": days, "pictures": pictures})

    return routes


def router(service: Service, collector: Collector) -> APIRouter:
    """The route of a service that collects."""
    routes = APIRouter()

    @routes.post(
        "/feedback",
        responses={200: {"model": schemas.Verdict}, **schemas.PROBLEMS},
        openapi_extra=BODY,
    )
    async def feedback(request: Request) -> Response:
        """Say what a digit is, that it is none, or take that back."""
        require(request, JSON)
        given = _parse(await request.body())
        classes = [*service.served[0].recognizer.network.classes, NONE]
        if given.class_ is not None and given.class_ not in classes:
            raise UserError(f"class {given.class_!r}: must be null or one of {', '.join(classes)}")
        future = collector.judge(given.id, given.class_, given.reviewer)
        try:
            is_known = await asyncio.wrap_future(future)
        except (queue.Full, sqlite3.Error) as error:
            reason = one_line(error) or "too much waits to be written"
            raise HTTPException(503, f"not stored: {reason}", {"Retry-After": "1"}) from None
        if not is_known:
            raise HTTPException(404, "no such digit: not collected, or forgotten since")
        return json_response({"id": given.id, "class": given.class_})

    return routes


def _parse(body: bytes) -> Feedback:
    if len(body) > MOST_BYTES:
        raise HTTPException(413, f"{len(body):,} bytes: feedback has at most {MOST_BYTES:,}")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UserError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise UserError("must be an object with the keys id and class")
    return check(Feedback, value, "feedback")
