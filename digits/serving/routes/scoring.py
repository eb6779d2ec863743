"""POST /invocations: probabilities, by MLflow's scoring protocol."""

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response

from digits.serving import bodies, schemas
from digits.serving.collecting import WishOption, collect
from digits.serving.encoding import json_response
from digits.serving.limits import SMALL_BODY
from digits.serving.media import JSON, require
from digits.serving.service import Served, Service

TENSOR = {"type": "array", "items": {}, "description": "N images: N x 28 x 28, or N x 784"}
SCORING = {
    "oneOf": [
        {"type": "object", "required": ["inputs"], "properties": {"inputs": TENSOR}},
        {"type": "object", "required": ["instances"], "properties": {"instances": TENSOR}},
        {
            "type": "object",
            "required": ["dataframe_split"],
            "properties": {
                "dataframe_split": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"columns": {"type": "array", "items": {}}, "data": TENSOR},
                }
            },
        },
    ]
}
BODY = schemas.body(
    "MLflow's scoring protocol; pixels from 0, the ground, to 255, the ink.", **{JSON: SCORING}
)


def router(service: Service) -> APIRouter:
    """The route of a service."""
    routes = APIRouter()

    @routes.post(
        "/invocations",
        responses={200: {"model": schemas.Predictions}, **schemas.PROBLEMS},
        openapi_extra=BODY,
    )
    async def invocations(request: Request, wish: WishOption) -> Response:
        """The probabilities of the classes, as MLflow's own server answers."""
        require(request, JSON)
        main, body = service.served[0], await request.body()
        images, probabilities = await _classify(service, main, body)
        collect(service, wish, images, [(main.recognizer, probabilities)])
        return json_response({"predictions": probabilities})

    return routes


async def _classify(service: Service, main: Served, body: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Read the images of a body, and ask the model for their probabilities."""
    shape = main.recognizer.network.image_shape
    if len(body) > SMALL_BODY:
        images = await service.parsing.run(lambda: bodies.scoring(body, shape))
        return images, await main.classify(images)
    read: list[np.ndarray] = []  # by the thread that runs the model

    def prepare() -> np.ndarray:
        read.append(bodies.scoring(body, shape))
        return read[0]

    probabilities = await main.classify.prepared(prepare, bodies.most_images(body, shape))
    return read[0], probabilities
