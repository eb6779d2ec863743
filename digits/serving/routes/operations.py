"""What operators ask: /health, /version and /metrics."""

from pathlib import Path

import orjson
from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from digits.collection.records import DRIFT
from digits.serving import schemas
from digits.serving.encoding import json_response
from digits.serving.metrics import Metrics
from digits.serving.service import Service


def router(service: Service) -> APIRouter:
    """The routes of a service."""
    routes = APIRouter()

    @routes.get("/ping", include_in_schema=False)
    @routes.get(
        "/health",
        responses={200: {"model": schemas.Health}, 503: {"model": schemas.Health}},
    )
    def health() -> Response:
        """Whether it runs, and whether it takes requests; /ping is MLflow's name for it."""
        ready = not service.pictures.is_full
        return json_response({"live": True, "ready": ready}, 200 if ready else 503)

    @routes.get("/version", responses={200: {"model": schemas.Version}})
    def version() -> Response:
        """The model that answers."""
        recognizer, *others = (model.recognizer for model in service.served)
        origin = recognizer.origin
        return json_response(
            {
                **recognizer.as_json(),
                "version": origin.version,
                "run_id": origin.run_id,
                "threshold": recognizer.threshold,
                "metrics": origin.metrics,
                "others": [other.as_json() for other in others],
            }
        )

    @routes.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
    def prometheus() -> Response:
        """Counts and times for Prometheus."""
        if service.collector:
            _tell_drift(service.collector.settings.folder, service.metrics)
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes


def _tell_drift(folder: Path, metrics: Metrics) -> None:
    """Set the gauges to the newest result of `digits drift`, if there is one."""
    try:
        found = orjson.loads((folder / DRIFT).read_bytes())
        psi = {each["feature"]: float(each["psi"]) for each in found["features"]}
        count = len(found["drifted"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    for feature, value in psi.items():
        metrics.drift.labels(feature).set(value)
    metrics.drifted.set(count)
