"""GET /device.json and /device/...: what a browser needs to read by itself, if it was fetched."""

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from digits.serving import device, encoding, runtime
from digits.serving.service import Service

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # names tell the content


def router(service: Service) -> APIRouter:
    """The routes of a service."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(f"/{device.DESCRIPTION}")
    def describe() -> Response:
        """The models that answer now, and their files; empty: the page asks the server."""
        if not runtime.is_there():
            return Response(status_code=204)
        recognizers = [model.recognizer for model in service.served]
        return encoding.json_response(device.describe(recognizers, has_server=True))

    @routes.get(f"/{device.FOLDER}/{{name}}")
    def file(name: str) -> Response:
        """A file that the description names."""
        if name in runtime.FILES and runtime.is_there():
            return FileResponse(runtime.folder() / name, headers=FOR_EVER)
        for model in service.served:
            if name == device.file_name(model.recognizer):
                content = model.recognizer.network.content
                return Response(content, 200, FOR_EVER, "application/octet-stream")
        raise HTTPException(404, "no such file")

    return routes
