"""Peaks of a waveform: places, levels, and the heights that widths and edges predict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.peak_shapes import BENT, Peaks, peaks_above

RATE = 48_000
Wave = np.ndarray[tuple[int], np.dtype[np.float32]]


def peaks_of(wave: Wave, floor: float = 0.4) -> Peaks:
    return peaks_above(np.full(2, floor, np.float32), wave, range(len(wave)), RATE)


def tone(hz: float, seconds: float = 0.5) -> Wave:
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


def voice_like(seed: int, count: int = 48_000) -> Wave:
    """Harmonics of 130 Hz with random phases, and noise 40 dB below."""
    chance = np.random.default_rng(seed)
    at = np.arange(count) / RATE
    phases = chance.uniform(0, 2 * np.pi, 20)
    sound = sum(np.sin(2 * np.pi * 130 * n * at + phases[n]) / n for n in range(1, 20))
    sound = sound + chance.normal(0, 0.01, count)
    return np.asarray(sound / np.abs(sound).max(), np.float32)


@given(st.integers(0, 2**31), st.sampled_from([0.125, 0.5, 2.0, 16.0]))
@settings(max_examples=20, deadline=None)
def test_gain_scales_the_levels_only(seed: int, gain: float) -> None:
    wave = voice_like(seed)
    found, scaled = peaks_of(wave, 0.4), peaks_of(wave * np.float32(gain), 0.4 * gain)
    assert np.array_equal(found.begins, scaled.begins)
    assert np.array_equal(found.ends, scaled.ends)
    assert np.allclose(found.levels * gain, scaled.levels, rtol=1e-5)
    assert np.allclose(np.maximum(found.heights, BENT), np.maximum(scaled.heights, BENT), rtol=1e-3)


@given(st.integers(0, 2**31), st.floats(0.5, 0.9))
@settings(max_examples=20, deadline=None)
def test_the_other_polarity_has_the_same_peaks_on_the_other_side(seed: int, ceiling: float) -> None:
    wave = np.clip(voice_like(seed), -ceiling, ceiling)
    found, inverted = peaks_of(wave), peaks_of(-wave)
    for side in range(2):
        one, other = found.sides == side, inverted.sides == 1 - side
        assert np.array_equal(found.begins[one], inverted.begins[other])
        assert np.allclose(np.maximum(found.heights[one], BENT), np.maximum(inverted.heights[other], BENT))


@given(st.integers(0, 2**31), st.integers(1, 47_999))
@settings(max_examples=20, deadline=None)
def test_each_peak_belongs_to_one_of_two_halves(seed: int, border: int) -> None:
    wave, floors = voice_like(seed), np.full(2, 0.4, np.float32)
    whole = peaks_above(floors, wave, range(len(wave)), RATE)
    halves = [peaks_above(floors, wave, owned, RATE) for owned in (range(border), range(border, len(wave)))]
    for name, least in (("begins", 0), ("levels", 0.0), ("heights", BENT)):
        parts = [getattr(half, name)[half.sides == side] for side in range(2) for half in halves]
        assert np.allclose(np.maximum(getattr(whole, name), least), np.maximum(np.concatenate(parts), least))


@given(st.integers(0, 2**31), st.floats(0.3, 0.95), st.sampled_from([8_000, 22_050, 48_000, 96_000]))
@settings(max_examples=20, deadline=None)
def test_slow_edges_are_followed_wherever_they_decide(seed: int, ceiling: float, rate: int) -> None:
    """The heights above `BENT` are those of a search without shortcuts."""
    wave = np.clip(voice_like(seed), -ceiling, ceiling)
    found = peaks_above(np.full(2, 0.2, np.float32), wave, range(len(wave)), rate)
    reach = max(6, round(0.0015 * rate))
    for begin, end, side, level, height in zip(*found[:5], strict=True):
        signed = wave if side == 0 else -wave
        rise = _edge_samples(signed[max(0, begin - reach + 1) : begin + 1][::-1], level)
        fall = _edge_samples(signed[end - 1 : end - 1 + reach], level)
        if height > BENT:
            assert rise is not None
            assert fall is not None
            edge = (rise[0] + fall[0]) / 2
            width = end - 1 + fall[1] - (begin - rise[1])
            assert height == pytest.approx(0.75 + 0.3 / edge * (width + edge) / 4, rel=1e-3)


def _edge_samples(falling: Wave, level: float) -> tuple[float, float] | None:
    """Samples from 0.9 down to 0.6 of the level, and those down to 0.9; None where it does not fall that far."""
    by_level = falling.astype(np.float64) / level
    below = np.flatnonzero(by_level <= 0.6)
    if not len(below) or below[0] == 0:
        return None
    at = int(below[0])
    lower = at - 1 + (by_level[at - 1] - 0.6) / (by_level[at - 1] - by_level[at])
    upper = min(1.0, max(0.0, (by_level[0] - 0.9) / max(by_level[0] - by_level[1], 1e-9)))
    return lower - upper, upper
