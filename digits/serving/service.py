"""The models that answer: calls to them from threads, and the swap when the champion changes."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from digits.base.errors import UserError
from digits.base.text import one_line
from digits.collection.collector import Collector
from digits.inference import loading
from digits.recognition import drawing
from digits.recognition.decoding import decode
from digits.recognition.digitizing import Digit
from digits.recognition.recognizer import Recognizer
from digits.serving.batching import Batcher
from digits.serving.limits import Limits
from digits.serving.media import FORMATS
from digits.serving.metrics import Metrics
from digits.serving.strokes import parse_strokes

PICTURE_THREADS = 2  # finding digits in pictures; OpenCV and Pillow let others run meanwhile
SMALL_DRAWING = 1_000_000  # pixels of a drawing that does not wait behind pictures
SMALL_STROKES = 10_000  # bytes of strokes that do not: 1,600 points, a line or two of writing

logger = logging.getLogger("uvicorn.error")  # where the server's other lines go


@dataclass(frozen=True)
class Served:
    """A recogniser, and the queue before it."""

    recognizer: Recognizer
    classify: Batcher


class Lane:
    """Threads of their own for one kind of work, and a bound on how much of it waits."""

    def __init__(self, name: str, threads: int, most: int) -> None:
        self._name, self._most = name, most
        self._busy = 0
        self.executor = ThreadPoolExecutor(threads, name)

    @property
    def is_full(self) -> bool:
        """Decide whether more would be refused."""
        return self._busy >= self._most

    async def run(self, call: Callable[[], Any]) -> Any:
        """Call something beside the answers to other requests.

        Raises:
            HTTPException: 429, because as much waits already as may.
        """
        if self.is_full:
            reason = f"{self._busy} {self._name} wait already"
            raise HTTPException(429, reason, {"Retry-After": "1"})
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.executor, call)
        finally:
            self._busy -= 1


class Service:
    """What the routes stand on.

    Attributes:
        served: the models, the main one first. A request keeps those that it began with.
        collector: keeps what is answered; None: nothing is kept.
    """

    def __init__(
        self,
        recognizers: Sequence[Recognizer],
        limits: Limits,
        metrics: Metrics,
        collector: Collector | None = None,
    ) -> None:
        self.limits, self.metrics, self.collector = limits, metrics, collector
        self._inference = ThreadPoolExecutor(1, "inference")
        self.pictures = Lane("pictures", PICTURE_THREADS, limits.waiting)
        self.drawings = Lane("drawings", 1, limits.connections)
        self.parsing = Lane("bodies", 1, limits.waiting)
        self._others = [self._serve(recognizer) for recognizer in recognizers[1:]]
        self.lead(recognizers[0])

    def lead(self, recognizer: Recognizer) -> None:
        """Make a model the main one; another of its name stands back."""
        name = recognizer.network.name
        others = [each for each in self._others if each.recognizer.network.name != name]
        self.served = [self._serve(recognizer), *others]

    def _serve(self, recognizer: Recognizer) -> Served:
        observe = self.metrics.batch.observe
        return Served(recognizer, Batcher(recognizer.classify, self._inference, observe))

    async def find(
        self, recognizer: Recognizer, picture: bytes | np.ndarray, parted: bool = True
    ) -> list[Digit]:
        """Find the digits of a picture, see `Recognizer.examine`."""
        limits, deadline = self.limits, time.monotonic() + self.limits.seconds
        is_small = isinstance(picture, np.ndarray) and picture.size <= SMALL_DRAWING
        lane = self.drawings if is_small else self.pictures

        def examine() -> list[Digit]:
            pixels = (
                picture
                if isinstance(picture, np.ndarray)
                else decode(picture, limits.pixels, FORMATS)
            )
            return recognizer.examine(
                pixels, parted=parted, deadline=deadline, most_digits=limits.digits
            ).digits

        digits: list[Digit] = await lane.run(examine)
        return digits

    async def find_drawn(
        self, recognizer: Recognizer, strokes: bytes, parted: bool = True
    ) -> list[Digit]:
        """Find the digits of what a pen wrote, see `drawing.find`.

        Raises:
            UserError: these are no strokes, see `parse_strokes`, or more digits than are answered.
        """
        predict = recognizer.classify if parted else None
        deadline = time.monotonic() + self.limits.seconds
        lane = self.drawings if len(strokes) <= SMALL_STROKES else self.pictures
        digits: list[Digit] = await lane.run(
            lambda: drawing.find(parse_strokes(strokes), predict, deadline)
        )
        if len(digits) > self.limits.digits:
            raise UserError(f"{len(digits)} digits: at most {self.limits.digits} are answered")
        return digits

    async def follow(self, model: str, load: Callable[[], Recognizer], seconds: float) -> None:
        """Swap the main model whenever the alias stands for another version.

        No request is dropped: those that have begun are answered by the model before. While
        MLflow does not answer, or the new version cannot be loaded, that model stays.
        """
        complained = ""
        while True:
            await asyncio.sleep(seconds)
            before = self.served[0].recognizer.origin.version
            try:
                if await asyncio.to_thread(loading.current_version, model) == before:
                    continue
                recognizer = await asyncio.to_thread(load)
            except Exception as error:  # MLflow's, its database's, the network's, or ours
                reason = one_line(error)
                if reason != complained:
                    logger.warning("%s; %s stays", reason, before)
                complained = reason
                continue
            complained = ""
            self.lead(recognizer)
            logger.warning("%s: %s instead of %s", model, recognizer.origin.version, before)

    def close(self) -> None:
        """End the threads, once the work that they have begun is done."""
        lanes = (self.pictures, self.drawings, self.parsing)
        for executor in (self._inference, *(lane.executor for lane in lanes)):
            executor.shutdown(cancel_futures=True)
        if self.collector:
            self.collector.close()
