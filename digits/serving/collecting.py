"""From an answer to what the collector keeps of it, and what a client may say about that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from fastapi import Depends, Query

from digits.collection.readings import Reading
from digits.collection.records import SIDE
from digits.recognition.recognizer import Recognizer
from digits.serving.service import Service

SESSION = r"^[A-Za-z0-9_-]{8,64}$"


@dataclass(frozen=True)
class Wish:
    """What a client says about collecting.

    Attributes:
        collect: whether this request may be kept.
        session: that it belongs to; None: none but itself.
    """

    collect: bool
    session: str | None


async def _wish(  # async, or FastAPI would call it from another thread
    collect: Annotated[
        bool, Query(description="false: nothing of this request is kept, where digits are")
    ] = True,
    session: Annotated[
        str | None, Query(pattern=SESSION, description="any name; what it sent may be forgotten")
    ] = None,
) -> Wish:
    return Wish(collect, session)


WishOption = Annotated[Wish, Depends(_wish)]


def collect(
    service: Service,
    wish: Wish,
    images: np.ndarray,
    answers: Sequence[tuple[Recognizer, np.ndarray]],
    picture: bytes | np.ndarray | None = None,
) -> list[str]:
    """Hand an answer to the collector, if there is one and the client does not mind.

    Args:
        service: which has the collector.
        wish: the client's.
        images: `uint8 (N, height, width)`.
        answers: the models, the main one first, and their probabilities, `float32 (N, classes)`.
        picture: that was read.

    Returns:
        An id for each digit; none if it is not collected.
    """
    collector = service.collector
    if collector is None or not wish.collect or images.shape[1:] != (SIDE, SIDE):
        return []
    kept = picture if collector.settings.pictures else None
    return collector.collect(Reading(wish.session, images, answers, kept))
