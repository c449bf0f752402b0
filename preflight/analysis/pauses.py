"""Where nobody speaks, so that a cut there hits no word."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.meters.levels import LevelMeter
    from preflight.report import Span

MIN_PAUSE_S = 0.25
"""Shorter gaps are closures of plosives, not pauses (Goldman-Eisler, Psycholinguistics, 1968: 250 ms)."""
_KEEP_CLEAR_S = 0.1
"""Between a cut and the nearest sound: soft beginnings and endings of words lie below any threshold."""
_LOWEST_FLOOR_DBFS = -80.0
_LEAST_SPREAD_DB = 12.0
_SEARCH_BACK_S = 10.0
_NEARLY = 0.7


def find_pauses(levels_dbfs: NDArray[np.float32], frame_s: float) -> list[Span]:
    """Stretches of at least `MIN_PAUSE_S` that lie near the take's own noise floor.

    The threshold stands a quarter of the way from the floor (5th percentile of the levels) up to the
    speech (95th percentile); a take without contrast between the two has no pauses that can be told.

    Args:
        levels_dbfs: RMS of each frame.
        frame_s: Seconds of a frame, about 10 ms.
    """
    if not len(levels_dbfs):
        return []
    floor, speech = np.percentile(levels_dbfs, (5, 95))
    floor = max(float(floor), _LOWEST_FLOOR_DBFS)
    if speech - floor < _LEAST_SPREAD_DB:
        return []
    quiet = np.concatenate(([False], levels_dbfs < floor + (speech - floor) / 4, [False]))
    edges = np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2) * frame_s
    return [(float(start), float(end)) for start, end in edges if end - start >= MIN_PAUSE_S - 1e-9]


def quiet_stretches(levels: LevelMeter, speech: tuple[Span, ...]) -> list[Span]:
    """The pauses by the level, without what the speech detector hears in them."""
    pauses = find_pauses(levels.frame_levels_dbfs(), levels.frame_s)
    return without(pauses, speech) if speech else pauses


def without(pauses: list[Span], speech: tuple[Span, ...]) -> list[Span]:
    """What is left of `pauses` outside `speech`, where it is still long enough for a cut."""
    left, at = [], 0
    for start, end in pauses:
        while at < len(speech) and speech[at][1] <= start:
            at += 1
        begin = start
        for said_from, said_to in speech[at:]:
            if said_from >= end:
                break
            left.append((begin, said_from))
            begin = max(begin, said_to)
        left.append((begin, end))
    return [(start, end) for start, end in left if end - start >= MIN_PAUSE_S - 1e-9]


def last_cut_before(pauses: list[Span], end_s: float) -> float | None:
    """The best moment to stop, at or before `end_s`; None when no pause comes before it.

    Of the pauses in the last ten seconds the last that is nearly as long as the longest: there a sentence ends. Else
    the last one before.

    Args:
        pauses: In order.
        end_s: When to stop at the latest.
    """
    count = bisect_right(pauses, end_s, key=lambda pause: pause[0] + _KEEP_CLEAR_S)
    first = bisect_left(pauses, end_s - _SEARCH_BACK_S, hi=count, key=lambda pause: pause[1])
    usable = [pause for pause in pauses[min(first, max(0, count - 1)) : count] if pause[0] > 0]
    if not usable:
        return None
    longest = max(pause[1] - pause[0] for pause in usable)
    start, end = [pause for pause in usable if pause[1] - pause[0] >= _NEARLY * longest][-1]
    return min((start + end) / 2, end_s)


def first_cut_after(pauses: list[Span], start_s: float) -> float | None:
    """The earliest moment to begin, at or after `start_s`; None when no pause comes after it.

    Args:
        pauses: In order.
        start_s: When to begin at the earliest.
    """
    number = bisect_left(pauses, start_s, key=lambda pause: pause[1] - _KEEP_CLEAR_S)
    if number == len(pauses):
        return None
    start, end = pauses[number]
    return max((start + end) / 2, start_s)
