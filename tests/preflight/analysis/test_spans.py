"""Spans found in arrays, against loops that do the same."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis.spans import merged, true_runs

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12)


@given(st.lists(st.booleans(), max_size=60))
def test_true_runs(flags: list[bool]) -> None:
    expected, at = [], 0
    for value, group in groupby(flags):
        length = len(list(group))
        if value:
            expected.append([at, at + length])
        at += length
    assert true_runs(np.array(flags, bool)).tolist() == expected


@given(PAIRS, st.integers(0, 5))
def test_spans_are_joined_where_they_are_close(pairs: list[tuple[int, int]], gap: int) -> None:
    spans = [(start, start + length) for start, length in pairs]
    joined: list[list[float]] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= gap:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    begins, ends = (np.array([span[side] for span in spans], float) for side in (0, 1))
    assert [list(span) for span in merged(begins, ends, gap)] == joined


def test_no_spans() -> None:
    assert merged(np.empty(0), np.empty(0), 1.0) == ()
    assert true_runs(np.zeros(0, bool)).shape == (0, 2)
