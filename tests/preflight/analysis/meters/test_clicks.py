"""A click is one sample that no waveform passes through; steps, onsets and clipping are not clicks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.meters.clicks import ClickDetector
from tests.support.chunks import measured_by, sine, white_noise

RATE = 48_000
CHUNK = 38_400


def clicks(sound: Any, rate: int = RATE) -> list[int]:
    return measured_by(ClickDetector, sound, rate).found


def voice() -> Any:
    return sine(220, 2, RATE, 0.2) + sine(660, 2, RATE, 0.1) + white_noise(0.001, 2 * RATE)


@pytest.mark.parametrize("at", [100, 20_000, CHUNK - 33, CHUNK - 1, CHUNK, CHUNK + 1, 2 * RATE - 100])
@pytest.mark.parametrize("size", [0.1, -0.5])
def test_a_click_is_found_to_the_sample(at: int, size: float) -> None:
    sound = voice()
    sound[at] += size
    assert clicks(sound) == [at]


def test_clicks_of_both_channels() -> None:
    left, right = voice(), 0.9 * voice()
    left[5_000] += 0.3
    right[9_000] -= 0.3
    assert clicks(np.stack((left, right), axis=1)) == [5_000, 9_000]


def test_a_faint_click_is_left_alone() -> None:
    sound = voice()
    sound[20_000] += 0.02  # below -30 dBFS
    assert clicks(sound) == []


@pytest.mark.parametrize("width", [2, 3, 10])
def test_what_is_wider_than_a_sample_is_not_a_click(width: int) -> None:
    sound = voice()
    sound[20_000 : 20_000 + width] += 0.3
    assert clicks(sound) == []


def test_a_step_is_not_a_click() -> None:
    sound = voice()
    sound[20_000:] += 0.3
    assert clicks(sound) == []


def test_clipped_peaks_and_loud_noise_are_not_clicks() -> None:
    assert clicks(np.clip(3 * voice(), -0.5, 0.5)) == []
    assert clicks(white_noise(0.2, 2 * RATE)) == []


def test_one_quantization_step_is_not_a_click() -> None:
    sound = np.zeros(2 * RATE)
    sound[20_000] = 0.125  # the only step of a converter with 4 bits
    assert clicks(sound) == []


@pytest.mark.parametrize("at", [0, 31, 2 * RATE - 1])
def test_the_ends_of_a_recording_do_not_click(at: int) -> None:
    sound = voice()
    sound[at] += 0.5
    assert clicks(sound) == []


def test_below_16_khz_consonants_look_like_clicks() -> None:
    sound = sine(220, 2, 8_000, 0.2)
    sound[5_000] += 0.5
    assert clicks(sound, 8_000) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(100, 2 * RATE - 100), st.sampled_from([-0.6, -0.2, 0.1, 0.4]))
def test_a_click_anywhere_is_found_once(at: int, size: float) -> None:
    sound = voice()
    sound[at] += size
    assert clicks(sound) == [at]


@pytest.mark.parametrize("rate", [16_000, 44_100, 192_000])
def test_clicks_at_any_rate(rate: int) -> None:
    sound = sine(220, 1, rate, 0.2) + white_noise(0.001, rate)
    places = [1_000, rate // 2, rate - 1_000]
    sound[places] -= 0.4
    assert clicks(sound, rate) == places


def test_a_click_has_either_polarity() -> None:
    sound = voice()
    sound[[20_000, 50_000]] += 0.2, -0.2
    assert clicks(sound) == clicks(-sound) == [20_000, 50_000]


@pytest.mark.parametrize("apart", [1, 2, 5])
def test_deviating_samples_side_by_side_are_no_single_click(apart: int) -> None:
    """Neither of them is alone, as a click has to be."""
    sound = voice()
    sound[[20_000, 20_000 + apart]] += 0.3
    assert clicks(sound) == []


def test_identical_channels_click_once() -> None:
    sound = voice()
    sound[20_000] += 0.3
    assert clicks(np.stack((sound, sound), axis=1)) == [20_000]
