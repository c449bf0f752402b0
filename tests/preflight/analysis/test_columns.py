"""Columns keep maxima in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis.columns import Columns


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 31, 1000, 12_345])
@pytest.mark.parametrize("pieces", [1, 3, 80])
def test_columns_hold_the_maximum_for_any_pieces(count: int, pieces: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    columns = Columns(8)
    for start in range(0, count, pieces):
        columns.add(values[start : start + pieces])
    found = columns.highest()
    assert len(found) <= 8
    assert columns.width * len(found) >= count
    expected = [values[start : start + columns.width].max() for start in range(0, count, columns.width)]
    assert found.tolist() == expected


@given(st.lists(st.integers(1, 50), max_size=30))
def test_the_width_is_the_smallest_power_of_two_that_fits(pieces: list[int]) -> None:
    columns = Columns(16)
    for length in pieces:
        columns.add(np.ones(length))
    count = sum(pieces)
    assert columns.width & (columns.width - 1) == 0
    assert columns.width == 1 or columns.width * 8 <= count
    assert columns.width * 16 >= count


def test_rows_are_compared_element_by_element() -> None:
    columns = Columns(2)
    columns.add(np.array([[1, 9], [5, 2], [3, 3], [4, 8]]))
    assert columns.highest().tolist() == [[5, 9]]
    assert columns.width == 4
