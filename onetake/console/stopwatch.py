"""Measure how long each result of a run took."""

from __future__ import annotations

import time


class Stopwatch:
    """Splits the wall time of a run among its results.

    Recordings are processed several at a time, so a result gets the seconds since the result before it. The
    sum is the run time.

    Attributes:
        seconds: One entry per result, in order.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = time.monotonic()

    def split(self) -> None:
        """Note that the next result is there."""
        now = time.monotonic()
        self.seconds.append(now - self._last)
        self._last = now
