"""Stretches of time, as (start, end) in seconds, found in arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.report import Span


def merged(begins: NDArray[Any], ends: NDArray[Any], gap: float) -> tuple[Span, ...]:
    """Spans in order, those no further apart than `gap` joined."""
    if not len(begins):
        return ()
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    parts = np.flatnonzero(begins[1:] - ends[:-1] > gap)
    first = begins[np.concatenate(([0], parts + 1))]
    last = ends[np.append(parts, len(ends) - 1)]
    return tuple((float(begin), float(end)) for begin, end in zip(first, last, strict=True))


def true_runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Beginning and end (exclusive) of each run of true values, of shape (runs, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return edges.reshape(-1, 2)
