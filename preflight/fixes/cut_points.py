"""Find where a recording can be cut: in the middle of a pause."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from preflight import limits

if TYPE_CHECKING:
    from preflight.report import Span

# Between a cut and the nearest sound: the soft beginnings and ends of words are below any threshold.
_CLEARANCE_S: Final = 0.1
_SEARCH_BACK_S: Final = 10.0
_NEARLY_LONGEST: Final = 0.7


@dataclass(frozen=True)
class CutPoints:
    """Where a recording can be cut.

    Attributes:
        pauses: Pauses as (start, end) in seconds, in order.
        seconds: Length of the recording.
    """

    pauses: list[Span]
    seconds: float

    def longest_window(self, begin: float, end: float) -> Span | None:
        """Return the longest window within `begin` and `end` that starts at the first cut and is not too long.

        The start and the end of the recording count as cuts.
        """
        start = 0.0 if begin <= 0 else first_cut_after(self.pauses, begin)
        if start is None:
            return None
        last = min(end, start + limits.WRITE_BELOW_S)
        stop = self.seconds if last >= self.seconds else last_cut_before(self.pauses, last)
        return None if stop is None or stop <= start else (start, stop)


def last_cut_before(pauses: list[Span], end_s: float) -> float | None:
    """Return the best moment to stop, at or before `end_s`; None when there is no pause before it.

    That is the middle of the last pause among those of the last ten seconds that are at least 0.7 times as long as the
    longest: pauses are longer between sentences than within them. Without a pause in these ten seconds it is the middle
    of the last one before.

    Args:
        pauses: In order.
        end_s: The latest moment to stop, in seconds.

    >>> last_cut_before([(2.0, 3.0), (7.0, 8.0), (8.5, 8.8)], end_s=10.0)
    7.5
    """
    count = bisect_right(pauses, end_s, key=lambda pause: pause[0] + _CLEARANCE_S)
    first = bisect_left(pauses, end_s - _SEARCH_BACK_S, hi=count, key=lambda pause: pause[1])
    usable = [pause for pause in pauses[min(first, max(0, count - 1)) : count] if pause[0] > 0]
    if not usable:
        return None
    longest = max(pause[1] - pause[0] for pause in usable)
    start, end = [pause for pause in usable if pause[1] - pause[0] >= _NEARLY_LONGEST * longest][-1]
    return min((start + end) / 2, end_s)


def first_cut_after(pauses: list[Span], start_s: float) -> float | None:
    """Return the earliest moment to start, at or after `start_s`; None when there is no pause after it.

    Args:
        pauses: In order.
        start_s: The earliest moment to start, in seconds.

    >>> first_cut_after([(2.0, 3.0), (7.0, 8.0)], start_s=4.0)
    7.5
    """
    index = bisect_left(pauses, start_s, key=lambda pause: pause[1] - _CLEARANCE_S)
    if index == len(pauses):
        return None
    start, end = pauses[index]
    return max((start + end) / 2, start_s)
