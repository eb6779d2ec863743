"""Micro-batches: what waits while one batch is computed becomes the next one."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

LARGEST = 512  # images of a batch

Classify = Callable[[np.ndarray], np.ndarray]
Prepare = Callable[[], np.ndarray]


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
        self._waiting: deque[_Request] = deque()
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, images: np.ndarray) -> np.ndarray:
        """Classify some images; other requests get their turn between very many."""
        if len(images) > LARGEST:
            parts = np.split(images, range(LARGEST, len(images), LARGEST))
            return np.concatenate([await self(part) for part in parts])
        return await self._ask(lambda: images, len(images))

    async def prepared(self, prepare: Prepare, most: int) -> np.ndarray:
        """Classify images that are still to be decoded, which the same thread does.

        Args:
            prepare: returns the images, in a moment; what it raises is raised here.
            most: that it may return.
        """
        return await self._ask(prepare, most)

    async def _ask(self, prepare: Prepare, size: int) -> np.ndarray:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(prepare, size, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._next():
            try:
                answers = await loop.run_in_executor(self._executor, self._compute, batch)
            except Exception as error:  # each that asked is told
                answers = [error] * len(batch)
            for request, answer in zip(batch, answers, strict=True):
                if request.future.done():  # as one is whose time ran out
                    continue
                if isinstance(answer, Exception):
                    request.future.set_exception(answer)
                else:
                    request.future.set_result(answer)
        self._working = None

    def _compute(self, batch: "list[_Request]") -> list[np.ndarray | Exception]:
        """Read each request's images, and ask the model once for those of all."""
        read: list[np.ndarray | Exception] = []
        for request in batch:
            try:
                read.append(request.prepare())
            except Exception as error:  # it is this request's alone
                read.append(error)
        images = [each for each in read if isinstance(each, np.ndarray)]
        if not images:
            return read
        together = np.concatenate(images) if images[1:] else images[0]
        self._observe(len(together))
        answers = self._classify(together)
        ends = itertools.accumulate(map(len, images))
        found = iter([answers[end - len(own) : end] for own, end in zip(images, ends, strict=True)])
        return [next(found) if isinstance(each, np.ndarray) else each for each in read]

    def _next(self) -> "list[_Request]":
        """Take the requests of the next batch, without those whose client has left."""
        batch: list[_Request] = []
        size = 0
        while self._waiting and (not batch or size + self._waiting[0].size <= LARGEST):
            request = self._waiting.popleft()
            if not request.future.done():
                batch.append(request)
                size += request.size
        return batch


@dataclass(frozen=True)
class _Request:
    """Images to be read and classified, and who waits for the answer."""

    prepare: Prepare
    size: int
    future: asyncio.Future[np.ndarray]
