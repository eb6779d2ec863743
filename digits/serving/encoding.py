"""From answers to the JSON of a response."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from fastapi.responses import Response

from digits.inference.layers import Layer
from digits.recognition.answers import corners
from digits.recognition.digitizing import Digit
from digits.recognition.recognizer import Recognizer
from digits.serving.media import JSON


def json_response(content: Any, status: int = 200) -> Response:
    """Encode a JSON response; numpy arrays become lists."""
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, None, JSON)


def predictions(recognizer: Recognizer, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Encode what a model says of each digit of a drawing, for /read.

    Args:
        probabilities: `float32 (N, classes)`.
    """
    return [
        {
            "digit": answer.digit,
            "confidence": answer.confidence,
            "probabilities": of_digit,
            "refused": answer.refused,
        }
        for answer, of_digit in zip(
            recognizer.answers(probabilities), probabilities.astype(float).round(6), strict=True
        )
    ]


def drawn_digit(digit: Digit, answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Encode a digit of a drawing, for /read.

    Args:
        answers: of each model, by its name.
    """
    return {
        "box": corners(digit.box),
        "row": digit.row,
        "crop": base64_text(digit.image),
        "answers": answers,
    }


def feature_maps(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Encode layers as bytes: each channel has a scale, which a pooling shares with its input."""
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
                "pixels": base64_text(pixels),
            }
        )
    return encoded


def base64_text(pixels: np.ndarray) -> str:
    """Encode the bytes of an array as base64."""
    return base64.b64encode(pixels.tobytes()).decode("ascii")
