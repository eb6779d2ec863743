"""What a browser shows: the page with its files, and the interface's description."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

from digits.rendering import pages
from digits.serving.limits import Limits

# A browser asks each time whether it has the newest, by the ETag: none mixes two versions.
REVALIDATED = {"Cache-Control": "no-cache"}
API_PAGE = Path(__file__).parents[1] / "api.html"


class PageFiles(StaticFiles):
    """The page's files."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """As StaticFiles does, with the header."""
        response = super().file_response(*args, **options)
        response.headers.update(REVALIDATED)
        return response


def add(app: FastAPI, page: Path, limits: Limits) -> None:
    """Add the routes to an application.

    Args:
        page: the folder with index.html and what it needs.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    def docs() -> HTMLResponse:
        """What openapi.json says, to read; without a script or a network."""
        return HTMLResponse(pages.render(API_PAGE, api=app.openapi(), limits=limits))

    @routes.get("/")
    def index() -> FileResponse:
        return FileResponse(page / "index.html", headers=REVALIDATED)

    app.include_router(routes)
    app.mount("/static", PageFiles(directory=page, check_dir=False))
