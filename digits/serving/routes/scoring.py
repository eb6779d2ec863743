"""POST /invocations: probabilities, by MLflow's scoring protocol."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from digits.serving import bodies, schemas
from digits.serving.encoding import json_response
from digits.serving.limits import SMALL_BODY
from digits.serving.media import JSON, require
from digits.serving.service import Service

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
    async def invocations(request: Request) -> Response:
        """The probabilities of the classes, as MLflow's own server answers."""
        require(request, JSON)
        main, body = service.served[0], await request.body()
        shape = main.recognizer.network.image_shape
        if len(body) <= SMALL_BODY:  # read by the thread that runs the model
            most = bodies.most_images(body, shape)
            probabilities = await main.classify.prepared(lambda: bodies.scoring(body, shape), most)
            return json_response({"predictions": probabilities})
        images = await service.parsing.run(lambda: bodies.scoring(body, shape))
        return json_response({"predictions": await main.classify(images)})

    return routes
