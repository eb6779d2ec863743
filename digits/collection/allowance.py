"""How many digits may be kept: a bucket that fills at a steady rate."""

import time

# Of a busier server the file would hold minutes, not hours, and its answers would pay for it.
MOST_A_SECOND = 100  # digits that are kept, once a burst is over
BURST = 5_000  # digits that may come faster; an hour of one busy page has fewer


class Allowance:
    """What may be kept at this moment: a burst at first, then so many a second."""

    def __init__(self) -> None:
        self._left, self._counted = float(BURST), time.monotonic()

    def take(self, count: int) -> bool:
        """Take so many digits, if they are within what may be kept; else none."""
        now = time.monotonic()
        gained = MOST_A_SECOND * (now - self._counted)
        self._left, self._counted = min(BURST, self._left + gained), now
        if count > self._left:
            return False
        self._left -= count
        return True
