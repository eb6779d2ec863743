"""POST /read and /strokes: the digits of a drawing as every model sees them, for the page."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from digits.base.errors import UserError
from digits.inference.layers import Layer
from digits.recognition.digitizing import Digit
from digits.recognition.recognizer import Recognizer, stack
from digits.serving import encoding, schemas
from digits.serving.collecting import Wish, WishOption, collect
from digits.serving.media import RAW, require
from digits.serving.service import Service

BODY = schemas.body(
    "width x height bytes of grey, 0 black to 255 white.",
    **{RAW: {"type": "string", "format": "binary"}},
)
STROKES_BODY = schemas.body(
    "Of each stroke the number of its points, then x, y and width of each point in eighths of a "
    "pixel; all numbers have two bytes, the low one first.",
    **{RAW: {"type": "string", "format": "binary"}},
)
Side = Annotated[int, Query(ge=1)]
MapsOption = Annotated[
    int | None, Query(ge=0, description="number of the digit whose feature maps to add")
]
UnfinishedOption = Annotated[
    bool, Query(description="the pen is still down: what touches is not parted yet")
]


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
        wish: WishOption,
        maps: MapsOption = None,
        unfinished: UnfinishedOption = False,
    ) -> Response:
        """The digits of a drawing as every model sees them."""
        start = time.perf_counter()
        require(request, RAW)
        if width * height > service.limits.pixels:
            most = f"at most {service.limits.pixels:,} pixels"
            raise HTTPException(413, f"{width} x {height}: {most}")
        body = await request.body()
        if len(body) != width * height:
            raise UserError(f"{len(body)} bytes: must be {width} x {height}, one a pixel")
        picture = np.frombuffer(body, np.uint8).reshape(height, width)
        main = service.served[0].recognizer
        digits = await service.find(main, picture, parted=not unfinished)
        wish = replace(wish, collect=wish.collect and not unfinished)
        reading = await _read(service, digits, maps, wish, picture)
        reading["milliseconds"] = round(1000 * (time.perf_counter() - start), 3)
        return encoding.json_response(reading)

    @routes.post(
        "/strokes",
        responses={200: {"model": schemas.Reading}, **schemas.PROBLEMS},
        openapi_extra=STROKES_BODY,
    )
    async def strokes(
        request: Request,
        wish: WishOption,
        maps: MapsOption = None,
        unfinished: UnfinishedOption = False,
    ) -> Response:
        """The digits of what a pen wrote as every model sees them."""
        start = time.perf_counter()
        require(request, RAW)
        body, main = await request.body(), service.served[0].recognizer
        digits = await service.find_drawn(main, body, parted=not unfinished)
        wish = replace(wish, collect=wish.collect and not unfinished)
        reading = await _read(service, digits, maps, wish)
        reading["milliseconds"] = round(1000 * (time.perf_counter() - start), 3)
        return encoding.json_response(reading)

    return routes


async def _read(
    service: Service,
    digits: Sequence[Digit],
    maps: int | None,
    wish: Wish,
    picture: np.ndarray | None = None,
) -> dict[str, Any]:
    """Ask every model for each digit, and hand the answer to the collector.

    Args:
        service: with the models.
        digits: as they were found.
        maps: number of the digit whose feature maps to add.
        wish: whether the client lets it be collected.
        picture: that was read, grey.
    """
    served = service.served  # another model may lead before the end
    main = served[0].recognizer
    images = stack(digits)
    probabilities, layers = await asyncio.gather(
        asyncio.gather(*(model.classify(images) for model in served)),
        _layers(service, main, images, maps),
    )
    answers = {
        model.recognizer.network.name: encoding.predictions(model.recognizer, of_model)
        for model, of_model in zip(served, probabilities, strict=True)
    }
    given = [(model.recognizer, p) for model, p in zip(served, probabilities, strict=True)]
    ids = collect(service, wish, images, given, picture)
    reading: dict[str, Any] = {
        "digits": [
            encoding.drawn_digit(
                digit, {name: of_model[index] for name, of_model in answers.items()}
            )
            for index, digit in enumerate(digits)
        ],
        "classes": main.network.classes,
    }
    for digit, identity in zip(reading["digits"], ids, strict=False):  # none where not collected
        digit["id"] = identity
    if layers is not None:
        reading["maps"] = {"digit": maps, "layers": encoding.feature_maps(layers)}
    return reading


async def _layers(
    service: Service, recognizer: Recognizer, images: np.ndarray, index: int | None
) -> list[Layer] | None:
    """Ask the main model for its feature maps of one image; None without such an image."""
    if index is None or index >= len(images):
        return None
    image = images[index : index + 1]
    layers: list[Layer] = await service.drawings.run(lambda: recognizer.network.layers(image))
    return layers
