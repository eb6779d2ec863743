"""The media types of requests, and what a request declares its body to be."""

from fastapi import Request
from starlette.exceptions import HTTPException

PICTURES = ("image/png", "image/jpeg", "image/webp", "image/bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # the same, by Pillow's names
RAW, FORM, JSON = "application/octet-stream", "multipart/form-data", "application/json"


def media_type(request: Request) -> str:
    """Read the media type of a request's body, without its parameters; "" if none is given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require(request: Request, *kinds: str) -> str:
    """Return the media type of a request, or refuse it with 415 unless it is one of these."""
    kind = media_type(request)
    if kind not in kinds:
        raise HTTPException(415, f"send {', '.join(kinds)}")
    return kind
