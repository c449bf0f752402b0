"""True peaks of signals whose true peak is known, and the filter; EBU's test cases are in test_loudness."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.true_peak import TruePeakMeter, interpolator
from tests.support.chunks import measured_by, sine

RATE = 48_000


def true_peak(sound: Any, rate: int = RATE) -> float:
    return measured_by(TruePeakMeter, sound, rate).measurements()["true_peak_dbtp"]


def between_samples(amplitude: float = 1.0) -> Any:
    """A quarter of the sample rate, at 45 degrees: every sample is 3.01 dB below the peak."""
    at = np.arange(RATE)
    fade = np.minimum(1, np.minimum(at, at[::-1]) / 4800)
    return amplitude * fade * np.sin(np.pi / 2 * at + np.pi / 4)


def test_the_peak_between_samples() -> None:
    assert np.abs(between_samples()).max() == pytest.approx(math.sqrt(0.5))
    assert true_peak(between_samples()) == pytest.approx(0, abs=0.1)
    assert true_peak(between_samples(0.1)) == pytest.approx(-20, abs=0.1)


def test_a_true_peak_can_exceed_full_scale() -> None:
    assert true_peak(between_samples(1.41)) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("at", [0, 1, 38_399, 38_400, 38_401, 47_999])
def test_a_single_sample_is_its_own_peak(at: int) -> None:
    sound = np.zeros(RATE)
    sound[at] = -0.5
    assert true_peak(sound) == -6.02


@pytest.mark.parametrize("at", [0, 479, 38_399, RATE - 2])
def test_two_equal_samples_peak_between_them(at: int) -> None:
    """Halfway between two samples of 1 the sinc interpolates 4 / pi, +2.1 dB, less what the window takes."""
    sound = np.zeros(RATE)
    sound[at : at + 2] = 0.5
    assert true_peak(sound) == pytest.approx(-6.02 + 20 * math.log10(4 / math.pi), abs=0.15)


def test_the_louder_channel_counts() -> None:
    both = np.stack((0.1 * between_samples(), between_samples()), axis=1)
    assert true_peak(both) == true_peak(between_samples())
    assert true_peak(both[:, ::-1]) == true_peak(between_samples())


@pytest.mark.parametrize("rate", [192_000, 384_000])
def test_at_high_rates_it_is_the_sample_peak(rate: int) -> None:
    assert true_peak(sine(rate / 4, 0.5, rate, 0.5), rate) == -6.02


def test_silence_and_a_constant() -> None:
    assert true_peak(np.zeros(RATE)) == -120
    fade = np.minimum(1, np.arange(RATE) / 4800)
    assert true_peak(0.5 * fade * fade[::-1]) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("factor", [2, 4, 5, 12, 24])
def test_the_filter_interpolates_a_sine(factor: int) -> None:
    phases = interpolator(factor)
    assert phases.shape == (16, factor - 1)
    at = np.arange(16)
    for phase in range(factor - 1):
        exact = np.sin(0.5 * (7 + (phase + 1) / factor))
        assert np.sin(0.5 * at) @ phases[:, phase] == pytest.approx(exact, abs=2e-3)


def test_no_oversampling_needs_no_filter() -> None:
    assert interpolator(1).size == 0


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([8_000, 16_000, 44_100, 48_000, 96_000]),
    st.integers(1, 60_000),
    st.floats(1, 9),
)
def test_skipping_changes_nothing(seed: int, rate: int, count: int, power: float) -> None:
    """Noise with rare peaks, against the interpolation of every sample."""
    noise = np.random.default_rng(seed).uniform(-1, 1, count)
    sound = (np.sign(noise) * np.abs(noise) ** power).astype(np.float32)
    phases = interpolator(math.ceil(192_000 / rate))
    padded = np.pad(sound, 16)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 16)
    highest = max(float(np.abs(sound).max()), float(np.abs(windows @ phases).max()))
    assert true_peak(sound, rate) == pytest.approx(20 * math.log10(max(highest, 1e-6)), abs=0.011)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_the_peak_of_a_tone_does_not_depend_on_its_phase(rate: int) -> None:
    """Up to three quarters of the band, where the filter of 16 taps is still flat."""
    at = np.arange(rate // 2)
    fade = np.minimum(1, np.minimum(at, at[::-1]) / (rate / 20))
    peaks = [true_peak(0.5 * fade * np.sin(0.7 * np.pi * at + phase), rate) for phase in np.linspace(0, 3, 7)]
    assert peaks == pytest.approx([-6.02] * 7, abs=0.2)


@given(st.integers(0, 2**31), st.floats(1e-4, 2.0))
@settings(max_examples=15, deadline=None)
def test_it_is_never_below_the_sample_peak(seed: int, rms: float) -> None:
    sound = np.random.default_rng(seed).normal(0, rms, 30_000)
    sample_peak = 20 * math.log10(float(np.abs(sound.astype(np.float32)).max()))
    assert true_peak(sound) >= sample_peak - 0.01


def test_quiet_parts_are_skipped_without_a_difference() -> None:
    """The peak of the whole is that of the part that has it, in any order."""
    loud, low = between_samples(0.5), between_samples(0.01)
    assert true_peak(np.concatenate((loud, low))) == true_peak(np.concatenate((low, loud))) == true_peak(loud)


@pytest.mark.parametrize("missing", range(0, 10, 3))
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_the_peak_after_the_last_samples_counts_wherever_a_row_ends(missing: int, rate: int) -> None:
    """The interpolation needs eight samples after the peak, which are zeros here."""
    for rows in (1, 4):
        sound = np.zeros(rows * Grid.at(rate, 1).row - missing)
        sound[-2:] = 0.5
        assert true_peak(sound, rate) == pytest.approx(-6.02 + 20 * math.log10(4 / math.pi), abs=0.15)


@pytest.mark.parametrize("sound", [[0.5], [-0.25], [0.5, -0.5], [0.0]])
def test_the_shortest_recordings(sound: list[float]) -> None:
    highest = max(abs(value) for value in sound)
    assert true_peak(np.array(sound)) >= (round(20 * math.log10(highest), 2) if highest else -120)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.125, 0.5, 2.0]))
def test_gain_and_polarity(seed: int, gain: float) -> None:
    sound = np.random.default_rng(seed).normal(0, 0.1, 6_000)
    plain = true_peak(sound)
    assert true_peak(-sound) == plain
    assert true_peak(gain * sound) == pytest.approx(plain + 20 * math.log10(gain), abs=0.011)


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_the_channel_with_the_highest_peak_counts_wherever_it_is(channels: int) -> None:
    for at in range(channels):
        sound = np.zeros((3_000, channels))
        sound[1_000, at] = 0.5
        sound[2_000] += 0.25
        assert true_peak(sound) == -6.02
