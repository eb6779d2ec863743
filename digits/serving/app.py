"""The server's routes."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from digits.base.errors import UserError
from digits.inference.layers import Layer
from digits.recognition.answers import Answer, corners
from digits.recognition.recognizer import Recognizer, stack
from digits.rendering import pages
from digits.serving import bodies, schemas
from digits.serving.guard import Guard, Limits, Metrics, refusal
from digits.serving.service import Service

API_PAGE = Path(__file__).with_name("api.html")
PAGE = Path(__file__).parent / "page"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/bmp")
RAW, FORM, JSON = "application/octet-stream", "multipart/form-data", "application/json"
LARGE = 100_000  # bytes: so much JSON is read beside the answers to other requests

BINARY = {"type": "string", "format": "binary"}
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
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": schemas.Problem,
        "description": "400: not what it must be; 408: it took too long; 413: too large; "
        "415: a media type that is not taken; 429: too many requests wait already",
    }
}


def build(
    recognizers: Sequence[Recognizer],
    limits: Limits | None = None,
    beside: Callable[[Service], Coroutine[Any, Any, None]] | None = None,
    page: Path = PAGE,
) -> FastAPI:
    """The application.

    Args:
        recognizers: the main one first.
        beside: given the service, runs beside it from its start to its end.
        page: the folder with index.html and what it needs.
    """
    limits, metrics = limits or Limits(), Metrics()
    service = Service(recognizers, limits, metrics)

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
    app.add_middleware(Guard, limits=limits, metrics=metrics)
    app.add_exception_handler(UserError, lambda _, error: refusal(HTTPException(400, str(error))))
    app.add_exception_handler(HTTPException, lambda _, error: refusal(error))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, lambda *_: Response(status_code=400))  # unheard

    @app.post(
        "/predict",
        responses={200: {"model": schemas.Prediction}, **PROBLEMS},
        openapi_extra=schemas.body(
            "A picture, as the body or as the field `file` of a form; or N x 784 bytes, images "
            "of 28 x 28 pixels with light ink on black as MNIST's.",
            **dict.fromkeys((*PICTURES, RAW), BINARY),
            **{FORM: {"type": "object", "required": ["file"], "properties": {"file": BINARY}}},
        ),
    )
    async def predict(request: Request) -> Response:
        """The digits of a picture, or of bare images."""
        main = service.served[0]
        recognizer, body, digits = main.recognizer, await _content(request), None
        if _media_type(request) == RAW:
            images = bodies.raw(body, recognizer.network.image_shape)
        else:
            digits = await service.find(recognizer, body)
            images = stack(digits)
        answers = recognizer.answers(await main.classify(images), digits)
        _count(metrics, answers)
        return _json(
            {"model": recognizer.as_json(), "digits": [answer.as_json() for answer in answers]}
        )

    @app.post(
        "/read",
        responses={200: {"model": schemas.Reading}, **PROBLEMS},
        openapi_extra=schemas.body(
            "width x height bytes of grey, 0 black to 255 white.", **{RAW: BINARY}
        ),
    )
    async def read(
        request: Request,
        width: Annotated[int, Query(ge=1)],
        height: Annotated[int, Query(ge=1)],
        maps: Annotated[
            int | None, Query(ge=0, description="number of the digit whose feature maps to add")
        ] = None,
        unfinished: Annotated[
            bool, Query(description="the pen is still down: what touches is not parted yet")
        ] = False,
    ) -> Response:
        """The digits of a drawing as every model sees them."""
        start = time.perf_counter()
        if width * height > limits.pixels:
            raise HTTPException(413, f"{width} x {height}: at most {limits.pixels:,} pixels")
        body = await request.body()
        if len(body) != width * height:
            raise UserError(f"{len(body)} bytes: must be {width} x {height}, one a pixel")
        served = service.served
        main = served[0].recognizer
        picture = np.frombuffer(body, np.uint8).reshape(height, width)
        digits = await service.find(main, picture, parted=not unfinished)
        images = stack(digits)
        probabilities = await asyncio.gather(*(each.classify(images) for each in served))
        answers = {
            each.recognizer.network.name: _model_answers(each.recognizer, several)
            for each, several in zip(served, probabilities, strict=True)
        }
        reading: dict[str, Any] = {
            "digits": [
                {
                    "box": corners(digit.box),
                    "row": digit.row,
                    "crop": _base64(digit.image),
                    "answers": {name: several[index] for name, several in answers.items()},
                }
                for index, digit in enumerate(digits)
            ],
            "classes": main.network.classes,
        }
        if maps is not None and maps < len(digits):
            layers = await service.in_thread(lambda: main.network.layers(images[maps : maps + 1]))
            reading["maps"] = {"digit": maps, "layers": _maps(layers)}
        reading["milliseconds"] = round(1000 * (time.perf_counter() - start), 3)
        return _json(reading)

    @app.post(
        "/invocations",
        responses={200: {"model": schemas.Predictions}, **PROBLEMS},
        openapi_extra=schemas.body(
            "MLflow's scoring protocol; pixels from 0, the ground, to 255, the ink.",
            **{JSON: SCORING},
        ),
    )
    async def invocations(request: Request) -> Response:
        """The probabilities of the classes, as MLflow's own server answers."""
        if _media_type(request) != JSON:
            raise HTTPException(415, f"send {JSON}")
        main, body = service.served[0], await request.body()
        shape = main.recognizer.network.image_shape
        if len(body) > LARGE:
            images = await service.in_thread(lambda: bodies.scoring(body, shape))
        else:
            images = bodies.scoring(body, shape)
        return _json({"predictions": await main.classify(images)})

    @app.get("/ping", include_in_schema=False)
    @app.get(
        "/health",
        responses={200: {"model": schemas.Health}, 503: {"model": schemas.Health}},
    )
    def health() -> Response:
        """Whether it runs, and whether it takes requests; /ping is MLflow's name for it."""
        ready = metrics.busy < limits.waiting
        return _json({"live": True, "ready": ready}, 200 if ready else 503)

    @app.get("/version", responses={200: {"model": schemas.Version}})
    def version() -> Response:
        """The model that answers."""
        recognizer, *others = (each.recognizer for each in service.served)
        origin = recognizer.origin
        return _json(
            {
                **recognizer.as_json(),
                "version": origin.version,
                "run_id": origin.run_id,
                "threshold": recognizer.threshold,
                "metrics": origin.metrics,
                "others": [other.as_json() for other in others],
            }
        )

    @app.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
    def prometheus() -> Response:
        """Counts and times for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """What openapi.json says, to read; without a script or a network."""
        return HTMLResponse(pages.render(API_PAGE, api=app.openapi(), limits=limits))

    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(page / "index.html")

    app.mount("/static", StaticFiles(directory=page, check_dir=False))
    return app


def _invalid(_: Request, error: Exception) -> Response:
    """A parameter of the URL that is missing or wrong, in one line."""
    assert isinstance(error, RequestValidationError)
    problems = (f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return refusal(HTTPException(400, "; ".join(problems)))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _content(request: Request) -> bytes:
    """The body, or the file of a form."""
    kind = _media_type(request)
    if kind in (*PICTURES, RAW):
        return await request.body()
    if kind != FORM:
        raise HTTPException(415, f"send {', '.join((*PICTURES, RAW, FORM))}")
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise UserError("the form has no file of the name `file`")
        return await file.read()


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, None, JSON)


def _model_answers(recognizer: Recognizer, probabilities: np.ndarray) -> list[dict[str, Any]]:
    return [
        {
            "digit": answer.digit,
            "confidence": answer.confidence,
            "probabilities": several,
            "refused": answer.refused,
        }
        for answer, several in zip(
            recognizer.answers(probabilities), probabilities.astype(float).round(6), strict=True
        )
    ]


def _count(metrics: Metrics, answers: Sequence[Answer]) -> None:
    refused = sum(answer.refused for answer in answers)
    metrics.digits.labels("true").inc(refused)
    metrics.digits.labels("false").inc(len(answers) - refused)


def _maps(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Layers as bytes: each channel on its own scale, a pooling's that of what it pools."""
    encoded = []
    scale = np.empty(0)
    for layer in layers:
        (maps,) = np.nan_to_num(layer.maps)  # (channels, height, width)
        if not layer.pools or len(maps) != len(scale):
            scale = np.abs(maps).max(axis=(1, 2), keepdims=True).clip(1e-9)
        pixels = (128 + 127 * maps / scale).round().clip(0, 255).astype(np.uint8)
        channels, height, width = pixels.shape
        encoded.append(
            {
                "name": layer.name,
                "pools": layer.pools,
                "channels": channels,
                "height": height,
                "width": width,
                "pixels": _base64(pixels),
            }
        )
    return encoded


def _base64(pixels: np.ndarray) -> str:
    return base64.b64encode(pixels.tobytes()).decode("ascii")
