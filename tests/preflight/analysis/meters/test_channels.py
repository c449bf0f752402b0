"""DC offset and the relation of two channels, from formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.meters.channels import ChannelMeter
from tests.support.chunks import measured_by, sine, white_noise

RATE = 16_000
TONE = sine(1000, 2, RATE, 0.5)


def relation(*channels: Any) -> dict[str, float]:
    return measured_by(ChannelMeter, np.stack(channels, axis=1), RATE).measurements()


@pytest.mark.parametrize("offset", [0.0, 0.01, -0.25])
def test_the_offset_of_one_channel(offset: float) -> None:
    assert relation(TONE + offset) == {"dc_offset_percent": pytest.approx(100 * offset, abs=1e-3)}


def test_offsets_of_two_channels() -> None:
    found = relation(TONE + 0.02, TONE - 0.05)
    assert found["left_dc_offset_percent"] == pytest.approx(2)
    assert found["right_dc_offset_percent"] == pytest.approx(-5)
    assert found["dc_offset_percent"] == pytest.approx(-5)  # the one that is further from zero


def test_identical_channels() -> None:
    found = relation(TONE, TONE)
    assert found["channel_difference_db"] == 0
    assert found["channel_correlation"] == 1
    assert found["fold_down_loss_db"] == 0
    assert found["side_level_db"] == -120


@settings(max_examples=10, deadline=None)
@given(st.floats(0.05, 0.95))
def test_one_channel_fainter_than_the_other(gain: float) -> None:
    """Left 1, right g: mid (1 + g) / 2, side (1 - g) / 2."""
    found = relation(TONE, gain * TONE)
    assert found["channel_difference_db"] == pytest.approx(-20 * math.log10(gain), abs=0.01)
    assert found["channel_correlation"] == pytest.approx(1, abs=1e-4)
    loss = 10 * math.log10((1 + gain**2) / 2 / ((1 + gain) / 2) ** 2)
    assert found["fold_down_loss_db"] == pytest.approx(loss, abs=0.01)
    assert found["side_level_db"] == pytest.approx(20 * math.log10((1 - gain) / (1 + gain)), abs=0.05)


def test_inverted_channels_cancel() -> None:
    found = relation(TONE, -TONE)
    assert found["channel_correlation"] == -1
    assert found["fold_down_loss_db"] > 60
    assert found["side_level_db"] > 60


def test_independent_channels_lose_3_db() -> None:
    found = relation(white_noise(0.1, 10 * RATE), white_noise(0.1, 10 * RATE, seed=2))
    assert found["channel_correlation"] == pytest.approx(0, abs=0.01)
    assert found["fold_down_loss_db"] == pytest.approx(3.01, abs=0.05)
    assert found["side_level_db"] == pytest.approx(0, abs=0.1)


def test_the_relation_ignores_the_offsets() -> None:
    plain, shifted = relation(TONE, 0.5 * TONE), relation(TONE + 0.2, 0.5 * TONE - 0.1)
    for name in ("channel_difference_db", "channel_correlation", "fold_down_loss_db", "side_level_db"):
        assert shifted[name] == pytest.approx(plain[name], abs=0.01)


def test_silence_has_finite_values() -> None:
    found = relation(np.zeros(RATE), np.zeros(RATE))
    assert found["channel_difference_db"] == 0
    assert all(math.isfinite(value) for value in found.values())
