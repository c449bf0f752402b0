"""Peaks of a waveform: places, levels, and the heights that widths and edges predict."""

from __future__ import annotations

import numpy as np
import pytest

from preflight.analysis.peak_shapes import BENT, Peaks, peaks_above

RATE = 48_000


def peaks_of(wave: np.ndarray[tuple[int], np.dtype[np.float32]], floor: float = 0.4) -> Peaks:
    return peaks_above(np.full(2, floor, np.float32), wave, range(len(wave)), RATE)


def tone(hz: float, seconds: float = 0.5) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


@pytest.mark.parametrize("hz", [150.0, 400.0, 1100.0])
def test_every_peak_of_a_tone_is_found_on_its_side(hz: float) -> None:
    found = peaks_of(tone(hz))
    assert np.bincount(found.sides).tolist() == [hz / 2, hz / 2]
    middles = (found.begins + found.ends - 1) / 2 / RATE * hz
    expected = np.concatenate((np.arange(hz / 2) + 0.25, np.arange(hz / 2) + 0.75))
    assert np.abs(middles - expected).max() < hz / RATE
    assert found.levels == pytest.approx(np.full(len(found.levels), 0.95), abs=0.02)


@pytest.mark.parametrize("hz", [400.0, 1100.0])
def test_peaks_of_a_tone_are_round(hz: float) -> None:
    assert peaks_of(tone(hz)).heights.max() < BENT


@pytest.mark.parametrize(("ceiling", "height"), [(0.8, 1.2), (0.6, 1.6)])
def test_clipped_peaks_have_the_height_that_was_cut_off(ceiling: float, height: float) -> None:
    whole = tone(400)
    found = peaks_of(np.clip(whole, -ceiling, ceiling))
    assert np.median(found.heights) == pytest.approx(height, abs=0.1)
    assert found.clipped.sum() == pytest.approx((np.abs(whole) >= ceiling).sum(), rel=0.1)


def test_sound_below_the_floors_has_no_peaks() -> None:
    assert not len(peaks_of(0.1 * tone(400)).begins)
