import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.serving.batching import LARGEST, Batcher


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread: Playwright leaves a running loop in that of the tests."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()


def images(first: int, count: int) -> np.ndarray:
    """Images that can be told apart: `uint8 (count, 1, 2)`, their numbers in two bytes."""
    return np.arange(first, first + count, dtype=">u2").view(np.uint8).reshape(count, 1, 2)


def numbers(several: np.ndarray) -> np.ndarray:
    """A model that gives each image its number."""
    if (found := several.reshape(-1, 2).view(">u2").astype(np.float32)).size and found[0] == 9999:
        raise ValueError("broken")
    return found


class Gate:
    """A model whose first batch waits until it is let through, and the sizes of all."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.sizes: list[int] = []

    def __call__(self, several: np.ndarray) -> np.ndarray:
        assert self.open.wait(10)
        return numbers(several)


async def ask(counts: list[int], gate: Gate) -> list[np.ndarray]:
    """Some requests at once, all of which come while the first is computed."""
    with ThreadPoolExecutor(1) as executor:
        batcher = Batcher(gate, executor, gate.sizes.append)
        starts = np.cumsum([0, *counts])
        asked = [
            asyncio.create_task(batcher(images(start, count)))
            for start, count in zip(starts[:-1].tolist(), counts, strict=True)
        ]
        await asyncio.sleep(0)
        gate.open.set()
        return await asyncio.gather(*asked)


@given(st.lists(st.integers(0, 2 * LARGEST + 1), min_size=1, max_size=12))
def test_each_request_gets_its_own_rows(counts: list[int]) -> None:
    gate = Gate()
    answers = run(ask(counts, gate))
    assert [len(answer) for answer in answers] == counts
    np.testing.assert_array_equal(np.concatenate(answers).ravel(), np.arange(sum(counts)))
    assert sum(gate.sizes) == sum(counts)
    assert max(gate.sizes) <= LARGEST


def test_what_waits_is_one_batch() -> None:
    gate = Gate()
    run(ask([1] * 20, gate))
    assert len(gate.sizes) <= 2


def test_an_error_reaches_those_who_asked_and_nobody_else() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(numbers, executor, lambda size: None)
            with pytest.raises(ValueError, match="broken"):
                await batcher(images(9999, 1))
            assert (await batcher(images(3, 1))).tolist() == [[3]]

    run(main())


def test_who_no_longer_waits_is_left_out() -> None:
    async def main() -> None:
        gate = Gate()
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(gate, executor, gate.sizes.append)
            first = asyncio.create_task(batcher(images(0, 1)))
            await asyncio.sleep(0.01)
            gone, second = (asyncio.create_task(batcher(images(n, 1))) for n in (1, 2))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
            gate.open.set()
            assert (await asyncio.gather(first, second))[1].tolist() == [[2]]
        assert gate.sizes == [1, 1]

    run(main())
