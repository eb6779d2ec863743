"""Where something is in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Return the first pixel outside."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """Return the first pixel outside."""
        return self.top + self.height

    @property
    def middle(self) -> tuple[float, float]:
        """Return how far to the right and down its middle is."""
        return self.left + self.width / 2, self.top + self.height / 2

    def around(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        return Box(left, top, right - left, bottom - top)

    def scaled(self, down: float, across: float) -> Box:
        """Return the box in a picture that is larger by these factors, at least a pixel."""
        left, top = int(self.left * across), int(self.top * down)
        # 300 x 0.07 is a bit above 21, which is no further pixel.
        right = int(np.ceil(self.right * across - 1e-6))
        bottom = int(np.ceil(self.bottom * down - 1e-6))
        return Box(left, top, right - left, bottom - top)

    def moved(self, right: int, down: int) -> Box:
        """Return the box so far to the right and down."""
        return Box(self.left + right, self.top + down, self.width, self.height)

    def overlap(self, other: Box) -> tuple[int, int]:
        """Return how many pixels two boxes share across and down; the gap, where negative."""
        return (
            min(self.right, other.right) - max(self.left, other.left),
            min(self.bottom, other.bottom) - max(self.top, other.top),
        )
