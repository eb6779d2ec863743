"""What a request was answered, as it is handed to the collector."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """What models say of N images.

    Attributes:
        of: each model by its name, the main one first: for each image the likeliest class and
            its confidence.
        refused: for each image, whether the main model refused.
    """

    of: Mapping[str, Sequence[tuple[str, float]]]
    refused: Sequence[bool]


@dataclass(frozen=True)
class Reading:
    """What a request was answered.

    Attributes:
        session: of the client; None: one is made for this request alone.
        images: `uint8 (N, 28, 28)`.
        answers: makes the answers; called by the thread that writes.
        md5s: of each model by its name.
        version: of the main model in MLflow's registry, if it comes from there.
        picture: what was read, a file or grey pixels, if it is to be kept.
    """

    session: str | None
    images: np.ndarray
    answers: Callable[[], Answers]
    md5s: Mapping[str, str]
    version: str | None
    picture: bytes | np.ndarray | None = None
