"""POST /predict: the digits of a picture, or of bare images."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import Response

from digits.base.errors import UserError
from digits.recognition.answers import Answer
from digits.recognition.recognizer import stack
from digits.serving import bodies, schemas
from digits.serving.encoding import json_response
from digits.serving.guard import Metrics
from digits.serving.media import FORM, PICTURES, RAW, media_type, require
from digits.serving.service import Service

BINARY = {"type": "string", "format": "binary"}
BODY = schemas.body(
    "A picture, as the body or as the field `file` of a form; or N x 784 bytes, images "
    "of 28 x 28 pixels with light ink on black as MNIST's.",
    **dict.fromkeys((*PICTURES, RAW), BINARY),
    **{FORM: {"type": "object", "required": ["file"], "properties": {"file": BINARY}}},
)


def router(service: Service) -> APIRouter:
    """The route of a service."""
    routes = APIRouter()

    @routes.post(
        "/predict",
        responses={200: {"model": schemas.Prediction}, **schemas.PROBLEMS},
        openapi_extra=BODY,
    )
    async def predict(request: Request) -> Response:
        """The digits of a picture, or of bare images."""
        main = service.served[0]
        recognizer, body, digits = main.recognizer, await _content(request), None
        if media_type(request) == RAW:
            images = bodies.raw(body, recognizer.network.image_shape)
        else:
            digits = await service.find(recognizer, body)
            images = stack(digits)
        answers = recognizer.answers(await main.classify(images), digits)
        _count(service.metrics, answers)
        return json_response(
            {"model": recognizer.as_json(), "digits": [answer.as_json() for answer in answers]}
        )

    return routes


async def _content(request: Request) -> bytes:
    """The body, or the file of a form."""
    if require(request, *PICTURES, RAW, FORM) != FORM:
        return await request.body()
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise UserError("the form has no file of the name `file`")
        return await file.read()


def _count(metrics: Metrics, answers: Sequence[Answer]) -> None:
    refused = sum(answer.refused for answer in answers)
    metrics.digits.labels("true").inc(refused)
    metrics.digits.labels("false").inc(len(answers) - refused)
