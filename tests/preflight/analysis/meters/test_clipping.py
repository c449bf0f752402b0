"""Clipped tones, whose share of clipped samples is known from a formula."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from preflight.analysis.meters.clipping import ClippingMeter
from tests.support.chunks import measured_by, sine, white_noise

RATE = 48_000
HZ = 443.7  # no whole number of samples in a period


def clipping(sound: Any, *, coarse: bool = False) -> ClippingMeter:
    return measured_by(lambda grid: ClippingMeter(grid, coarse=coarse), sound, RATE)


def clipped_tone(ceiling: float, seconds: float = 3, floor: float | None = None) -> Any:
    return np.clip(sine(HZ, seconds, RATE, 0.9), -ceiling if floor is None else floor, ceiling)


@pytest.mark.parametrize("ceiling", [0.89, 0.8, 0.6, 0.3])
def test_the_share_of_clipped_samples(ceiling: float) -> None:
    """A sine of amplitude A is above c for 1/2 - asin(c / A) / pi of the time, and as long below -c."""
    found = clipping(clipped_tone(ceiling)).measurements()
    share = 1 - 2 / math.pi * math.asin(ceiling / 0.9)
    assert found["clipped_percent"] == pytest.approx(100 * share, rel=0.12)
    assert found["clipped_runs"] == pytest.approx(2 * HZ * 3, rel=0.02)


def test_one_side_only() -> None:
    found = clipping(clipped_tone(0.6, floor=-1)).measurements()
    share = 1 / 2 - math.asin(0.6 / 0.9) / math.pi
    assert found["clipped_percent"] == pytest.approx(100 * share, rel=0.05)
    assert found["clipped_runs"] == pytest.approx(HZ * 3, rel=0.02)


@pytest.mark.parametrize("gain", [0.1, 0.5, 1.1])
def test_gain_after_clipping_changes_nothing(gain: float) -> None:
    plain, later = (clipping(factor * clipped_tone(0.8)).measurements() for factor in (1.0, gain))
    assert later["clipped_percent"] == pytest.approx(plain["clipped_percent"], rel=0.05)


def test_a_clean_tone_is_not_clipped() -> None:
    for sound in (sine(HZ, 3, RATE, 1.0), white_noise(0.1, 3 * RATE), np.zeros(RATE)):
        meter = clipping(sound)
        assert meter.measurements() == {"clipped_percent": 0.0, "clipped_runs": 0.0}
        assert meter.spans() == ()


@pytest.mark.parametrize(("length", "runs"), [(2, 0), (3, 1), (20, 1)])
def test_a_run_has_three_samples(length: int, runs: int) -> None:
    sound = white_noise(0.05, RATE).clip(-0.5, 0.5)
    sound[20_000 : 20_000 + length] = 0.8
    assert clipping(sound).measurements()["clipped_runs"] == runs


def test_samples_beyond_full_scale_are_clipped() -> None:
    sound = white_noise(0.05, RATE)
    sound[[10_000, 30_000]] = 1.2  # a decoder of a lossy codec overshoots
    found = clipping(sound).measurements()
    assert found["clipped_percent"] == pytest.approx(100 * 2 / RATE, abs=1e-4)
    assert found["clipped_runs"] == 2


def test_spans_cover_the_clipped_part() -> None:
    sound = np.concatenate((sine(HZ, 1, RATE, 0.4), clipped_tone(0.6, 1), sine(HZ, 1, RATE, 0.4)))
    (span,) = clipping(sound).spans()
    assert span == pytest.approx((1, 2), abs=0.01)


def test_each_channel_has_a_ceiling_of_its_own() -> None:
    both = np.stack((clipped_tone(0.8), 0.1 * clipped_tone(0.8)), axis=1)
    alone = clipping(clipped_tone(0.8)).measurements()
    found = clipping(both).measurements()
    assert found["clipped_percent"] == pytest.approx(alone["clipped_percent"], rel=0.02)
    assert found["clipped_runs"] == pytest.approx(2 * alone["clipped_runs"], rel=0.02)


def test_with_8_bits_only_runs_at_full_scale_count() -> None:
    for ceiling, is_found in ((0.6, False), (0.99, True)):
        sound = np.clip(sine(HZ, 3, RATE, 1.2), -ceiling, ceiling)
        assert (clipping(sound, coarse=True).measurements()["clipped_runs"] > 0) == is_found


def test_a_recording_that_gets_louder_has_one_ceiling() -> None:
    """Flat runs far below the highest sample of the recording do not count."""
    sound = np.concatenate((0.3 * clipped_tone(0.8, 1), sine(HZ, 2, RATE, 0.9)))
    assert clipping(sound).measurements()["clipped_runs"] == 0
