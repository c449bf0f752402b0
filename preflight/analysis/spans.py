"""Spans of time: (start, end) in seconds, found in arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
