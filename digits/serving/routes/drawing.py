"""POST /read: the digits of a drawing as every model sees them, for the page."""

import asyncio
import time
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from digits.base.errors import UserError
from digits.recognition.recognizer import stack
from digits.serving import encoding, schemas
from digits.serving.media import RAW
from digits.serving.service import Service

BODY = schemas.body(
    "width x height bytes of grey, 0 black to 255 white.",
    **{RAW: {"type": "string", "format": "binary"}},
)
Side = Annotated[int, Query(ge=1)]


def router(service: Service) -> APIRouter:
    """The route of a service."""
    routes = APIRouter()

    @routes.post(
        "/read",
        responses={200: {"model": schemas.Reading}, **schemas.PROBLEMS},
        openapi_extra=BODY,
    )
    async def read(
        request: Request,
        width: Side,
        height: Side,
        maps: Annotated[
            int | None, Query(ge=0, description="number of the digit whose feature maps to add")
        ] = None,
        unfinished: Annotated[
            bool, Query(description="the pen is still down: what touches is not parted yet")
        ] = False,
    ) -> Response:
        """The digits of a drawing as every model sees them."""
        start = time.perf_counter()
        if width * height > service.limits.pixels:
            most = f"at most {service.limits.pixels:,} pixels"
            raise HTTPException(413, f"{width} x {height}: {most}")
        body = await request.body()
        if len(body) != width * height:
            raise UserError(f"{len(body)} bytes: must be {width} x {height}, one a pixel")
        picture = np.frombuffer(body, np.uint8).reshape(height, width)
        reading = await _read(service, picture, parted=not unfinished, maps=maps)
        reading["milliseconds"] = round(1000 * (time.perf_counter() - start), 3)
        return encoding.json_response(reading)

    return routes


async def _read(
    service: Service, picture: np.ndarray, parted: bool, maps: int | None
) -> dict[str, Any]:
    """Find the digits of a picture, and ask every model for each.

    Args:
        picture: `uint8 (height, width)`.
        parted: whether digits that touch are parted.
        maps: number of the digit whose feature maps to add.
    """
    served = service.served  # another model may lead before the end
    main = served[0].recognizer
    digits = await service.find(main, picture, parted)
    images = stack(digits)
    probabilities = await asyncio.gather(*(model.classify(images) for model in served))
    answers = {
        model.recognizer.network.name: encoding.predictions(model.recognizer, of_model)
        for model, of_model in zip(served, probabilities, strict=True)
    }
    reading: dict[str, Any] = {
        "digits": [
            encoding.drawn_digit(digit, {name: given[index] for name, given in answers.items()})
            for index, digit in enumerate(digits)
        ],
        "classes": main.network.classes,
    }
    if maps is not None and maps < len(digits):
        layers = await service.in_thread(lambda: main.network.layers(images[maps : maps + 1]))
        reading["maps"] = {"digit": maps, "layers": encoding.feature_maps(layers)}
    return reading
