"""POST /predict: the digits of a picture, or of bare images."""

from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response

from digits.recognition.digitizing import Digit
from digits.recognition.recognizer import stack
from digits.serving import bodies, schemas
from digits.serving.collecting import WishOption, collect
from digits.serving.encoding import json_response
from digits.serving.media import FORM, PICTURES, RAW, media_type, require
from digits.serving.service import Served, Service

FEW = 200  # images whose answers are written at once; more would keep other requests waiting
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
    async def predict(request: Request, wish: WishOption) -> Response:
        """The digits of a picture, or of bare images."""
        main = service.served[0]
        recognizer, body, digits = main.recognizer, await _content(service, request), None
        if media_type(request) == RAW:
            images = bodies.raw(body, recognizer.network.image_shape)
        else:
            digits = await service.find(recognizer, body)
            images = stack(digits)
        probabilities = await main.classify(images)
        picture = None if digits is None else body
        ids = collect(service, wish, images, [(recognizer, probabilities)], picture)
        if len(images) > FEW:
            return await service.parsing.run(lambda: _answer(main, probabilities, digits, ids))
        return _answer(main, probabilities, digits, ids)

    def _answer(
        main: Served,
        probabilities: np.ndarray,
        digits: Sequence[Digit] | None,
        ids: Sequence[str],
    ) -> Response:
        recognizer = main.recognizer
        answers = recognizer.answers(probabilities, digits)
        refused = sum(answer.refused for answer in answers)
        service.metrics.digits.labels("true").inc(refused)
        service.metrics.digits.labels("false").inc(len(answers) - refused)
        found = [answer.as_json() for answer in answers]
        for digit, identity in zip(found, ids, strict=False):  # none where it is not collected
            digit["id"] = identity
        return json_response({"model": recognizer.as_json(), "digits": found})

    return routes


async def _content(service: Service, request: Request) -> bytes:
    """The body, or the file of a form."""
    kind, body = require(request, *PICTURES, RAW, FORM), await request.body()
    if kind != FORM:
        return body
    content_type = request.headers["content-type"]
    content: bytes = await service.parsing.run(lambda: bodies.form(body, content_type))
    return content
