"""GET /review: the digits that are worth a look first, for people to judge."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from digits.base.errors import UserError
from digits.collection import records
from digits.collection.collector import Collector
from digits.collection.records import Record
from digits.serving import schemas
from digits.serving.encoding import base64_text, json_response
from digits.serving.routes.feedback import REVIEWER
from digits.serving.routes.site import REVALIDATED
from digits.serving.service import Service

FOLDER = Path(__file__).parents[1] / "review_page"
MOST = 100  # digits at a time


def router(service: Service, collector: Collector) -> APIRouter:
    """The routes of a service that collects."""
    routes = APIRouter()

    @routes.get("/review", include_in_schema=False)
    def page() -> Response:
        """The page."""
        return FileResponse(FOLDER / "review.html", headers=REVALIDATED)

    @routes.get("/review/{name}.{suffix}", include_in_schema=False)
    def file(name: str, suffix: str) -> Response:
        """The page's script and style."""
        if (name, suffix) not in (("review", "js"), ("review", "css")):
            raise HTTPException(404, "no such file")
        return FileResponse(FOLDER / f"{name}.{suffix}", headers=REVALIDATED)

    @routes.get(
        "/review/digits",
        responses={200: {"model": schemas.ToReview}, **schemas.PROBLEMS},
    )
    async def digits(
        reviewer: Annotated[str, Query(pattern=REVIEWER, description="who judges")],
        most: Annotated[int, Query(ge=1, le=MOST)] = MOST,
        first: Annotated[int, Query(ge=0, le=2**31, description="to leave out before")] = 0,
    ) -> Response:
        """What this reviewer has not judged: what is worth a look most comes first."""
        found = await service.parsing.run(partial(_find, collector, reviewer, most, first))
        classes = service.served[0].recognizer.network.classes
        return json_response({"classes": classes, "digits": list(map(_as_json, found))})

    return routes


def _find(collector: Collector, reviewer: str, most: int, first: int) -> list[Record]:
    try:
        with records.opened(collector.settings.folder) as connection:
            return records.to_review(connection, reviewer, most, first)
    except UserError as error:  # the file's trouble, not the client's mistake
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from None


def _as_json(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "crop": base64_text(record.image),
        "digit": record.digit,
        "confidence": record.confidence,
        "refused": record.refused,
        "answers": {name: said["digit"] for name, said in record.answers.items()},
        "verdicts": record.verdicts,
    }
