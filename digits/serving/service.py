"""The models that answer: calls to them from threads, and the swap when the champion changes."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits.base.errors import UserError
from digits.base.text import one_line
from digits.inference import loading
from digits.recognition.digitizing import Digit
from digits.recognition.recognizer import Recognizer
from digits.serving.batching import Batcher
from digits.serving.guard import Limits, Metrics

PICTURE_THREADS = 2  # finding digits in pictures; OpenCV and Pillow let others run meanwhile

logger = logging.getLogger("uvicorn.error")  # where the server's other lines go


@dataclass(frozen=True)
class Served:
    """A recogniser, and the queue before it."""

    recognizer: Recognizer
    classify: Batcher


class Service:
    """What the routes stand on.

    Attributes:
        served: the models, the main one first. A request keeps those that it began with.
    """

    def __init__(self, recognizers: Sequence[Recognizer], limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        self._inference = ThreadPoolExecutor(1, "inference")
        self._pictures = ThreadPoolExecutor(PICTURE_THREADS, "pictures")
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
        """The digits of a picture, see `Recognizer.examine`."""
        most, pixels = self.limits.digits, self.limits.pixels
        sheet = await self.in_thread(lambda: recognizer.examine(picture, pixels, parted))
        digits: list[Digit] = sheet.digits
        if len(digits) > most:
            raise UserError(f"a picture of {len(digits)} digits: at most {most} are answered")
        return digits

    async def in_thread(self, call: Callable[[], Any]) -> Any:
        """Call something that takes its time, beside the answers to other requests."""
        return await asyncio.get_running_loop().run_in_executor(self._pictures, call)

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
        for executor in (self._inference, self._pictures):
            executor.shutdown(cancel_futures=True)
