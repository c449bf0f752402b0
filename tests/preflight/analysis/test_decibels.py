"""Powers in decibels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis.decibels import decibels, levels_db


@pytest.mark.parametrize(("power", "expected"), [(1, 0), (0.5, -3.01), (0.1, -10), (100, 20), (1e-12, -120), (0, -120)])
def test_a_power_in_decibels(power: float, expected: float) -> None:
    assert decibels(power) == expected


def test_full_scale_is_positive_zero() -> None:
    assert math.copysign(1, decibels(1 - 1e-9)) == 1


@given(st.floats(0, 1e12))
def test_arrays_and_numbers_agree(power: float) -> None:
    (level,) = levels_db(np.array([power]))
    assert level == pytest.approx(decibels(power), abs=0.0051)
    assert level >= -120


def test_levels_keep_shape_and_precision() -> None:
    levels = levels_db(np.ones((2, 3, 4)))
    assert levels.shape == (2, 3, 4)
    assert levels.dtype == np.float32
