"""Spans of time, (start, end) in seconds: runs of frames, merged spans, and pauses in speech, where a cut is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.meters.peak_and_rms import LevelMeter
    from preflight.report import Span


def merged(begins: NDArray[Any], ends: NDArray[Any], gap: float) -> tuple[Span, ...]:
    """Return spans in order, those joined that overlap or are at most `gap` apart.

    Args:
        begins: Shape (spans,), in any order.
        ends: Shape (spans,).
        gap: In the unit of `begins` and `ends`.

    >>> merged(np.array([5.0, 0.0, 1.5]), np.array([6.0, 1.0, 2.0]), gap=0.5)
    ((0.0, 2.0), (5.0, 6.0))
    """
    if not len(begins):
        return ()
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])  # a long span may cover several that follow
    parts = np.flatnonzero(begins[1:] - ends[:-1] > gap)
    first = begins[np.concatenate(([0], parts + 1))]
    last = ends[np.append(parts, len(ends) - 1)]
    return tuple((float(begin), float(end)) for begin, end in zip(first, last, strict=True))


def true_runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return start and end (exclusive) of each run of true values, of shape (runs, 2).

    >>> true_runs(np.array([True, True, False, True])).tolist()
    [[0, 2], [3, 4]]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return edges.reshape(-1, 2)


MIN_PAUSE_S: Final = 0.25
"""Shorter gaps are closures of plosives, not pauses (Goldman-Eisler, Psycholinguistics, 1968: 250 ms)."""
# For recordings with digital silence: else the threshold would be too low for anything but that silence.
_LOWEST_FLOOR_DBFS: Final = -80.0
_MIN_CONTRAST_DB: Final = 12.0
# 25 frames of 10 ms are 0.25 s, give or take the last bit of a float.
_ROUNDING_S: Final = 1e-9


def find_pauses(levels_dbfs: NDArray[np.float32], frame_s: float) -> list[Span]:
    """Return the spans of at least 0.25 s near the recording's own noise floor.

    The threshold is a quarter of the way from the noise floor (5th percentile of the levels) to the speech (95th
    percentile). A recording with less than 12 dB between the two has no pauses.

    Args:
        levels_dbfs: RMS of each frame, shape (frames,).
        frame_s: Seconds in a frame, about 10 ms.

    >>> levels = np.full(300, -20.0)
    >>> levels[100:150] = -60.0
    >>> find_pauses(levels, frame_s=0.01)
    [(1.0, 1.5)]
    """
    if not len(levels_dbfs):
        return []
    floor, speech = np.percentile(levels_dbfs, (5, 95))
    floor = max(float(floor), _LOWEST_FLOOR_DBFS)
    if speech - floor < _MIN_CONTRAST_DB:
        return []
    runs = true_runs(np.asarray(levels_dbfs < floor + (speech - floor) / 4)) * frame_s
    return [(float(start), float(end)) for start, end in runs if _is_pause(start, end)]


def pauses_between_speech(levels: LevelMeter, speech: tuple[Span, ...]) -> list[Span]:
    """Return the pauses by level, without the parts in which the speech detector finds speech."""
    pauses = find_pauses(levels.frame_levels_dbfs(), levels.frame_s)
    return without(pauses, speech) if speech else pauses


def without(pauses: list[Span], speech: tuple[Span, ...]) -> list[Span]:
    """Return the parts of `pauses` outside `speech` that are still at least 0.25 s long; both are in order.

    >>> without([(0.0, 2.0)], speech=((0.1, 0.5), (1.0, 1.2)))
    [(0.5, 1.0), (1.2, 2.0)]
    """
    parts, at = [], 0
    for start, end in pauses:
        while at < len(speech) and speech[at][1] <= start:
            at += 1
        begin = start
        for speech_start, speech_end in speech[at:]:
            if speech_start >= end:
                break
            parts.append((begin, speech_start))
            begin = max(begin, speech_end)
        parts.append((begin, end))
    return [(start, end) for start, end in parts if _is_pause(start, end)]


def _is_pause(start: float, end: float) -> bool:
    return bool(end - start >= MIN_PAUSE_S - _ROUNDING_S)
