"""What a browser shows: the page with its files, and the interface's description."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

from digits.rendering import pages
from digits.serving.guard import Limits

API_PAGE = Path(__file__).parents[1] / "api.html"


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
        return FileResponse(page / "index.html")

    app.include_router(routes)
    app.mount("/static", StaticFiles(directory=page, check_dir=False))
