"""Micro-batches: what waits while one batch is computed becomes the next one."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

LARGEST = 512  # images of a batch

Classify = Callable[[np.ndarray], np.ndarray]


class Batcher:
    """Calls a model from a thread, for all that wait at once.

    There is no delay to wait for more: a request that comes alone is computed alone.
    """

    def __init__(
        self, classify: Classify, executor: Executor, observe: Callable[[int], object]
    ) -> None:
        """Prepare for requests.

        Args:
            classify: images `uint8 (N, height, width)` -> probabilities, `float32 (N, classes)`.
            observe: told the number of images of each batch.
        """
        self._classify, self._executor, self._observe = classify, executor, observe
        self._waiting: deque[tuple[np.ndarray, asyncio.Future[np.ndarray]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, images: np.ndarray) -> np.ndarray:
        """The probabilities of some images; others get their turn amid very many."""
        if len(images) > LARGEST:
            parts = np.split(images, range(LARGEST, len(images), LARGEST))
            return np.concatenate([await self(part) for part in parts])
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((images, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._next():
            images = np.concatenate([images for images, _ in batch]) if batch[1:] else batch[0][0]
            self._observe(len(images))
            try:
                answers = await loop.run_in_executor(self._executor, self._classify, images)
            except Exception as error:  # each that asked is told
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            ends = itertools.accumulate(len(images) for images, _ in batch)
            for (images, future), end in zip(batch, ends, strict=True):
                if not future.done():  # as one is whose time ran out
                    future.set_result(answers[end - len(images) : end])
        self._working = None

    def _next(self) -> list[tuple[np.ndarray, asyncio.Future[np.ndarray]]]:
        """The requests of the next batch; those who no longer wait are left out."""
        batch: list[tuple[np.ndarray, asyncio.Future[np.ndarray]]] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= LARGEST):
            images, future = self._waiting.popleft()
            if not future.done():
                batch.append((images, future))
                size += len(images)
        return batch
