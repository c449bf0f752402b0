"""The spectrogram of tones and silence, and its size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.framing import Grid
from preflight.analysis.meters.spectrogram import SpectrogramMeter
from tests.support.chunks import measured_by, sine, white_noise

RATE = 16_000


def spectrogram(sound: Any, rate: int = RATE) -> tuple[Any, Any]:
    """Its levels, with the lowest frequency first, and the edges of its rows in hertz."""
    picture = measured_by(SpectrogramMeter, sound, rate).spectrogram()
    assert picture is not None
    levels = np.frombuffer(picture.levels, np.uint8).reshape(-1, picture.columns)[::-1]
    return levels, np.geomspace(picture.low_hz, picture.high_hz, len(levels) + 1)


@pytest.mark.parametrize("hz", [200, 1000, 5000])
def test_a_tone_is_drawn_in_its_row(hz: float) -> None:
    levels, edges = spectrogram(sine(hz, 5, RATE, 0.5))
    (row,) = set(levels[:, 2:-2].argmax(axis=0).tolist())
    assert edges[row] * 0.97 <= hz <= edges[row + 1] * 1.03
    assert levels.max() == 255


def test_a_level_that_is_20_db_lower_is_a_quarter_darker() -> None:
    """80 dB are 255 steps."""
    sound = np.concatenate((sine(1000, 4, RATE, 0.5), sine(1000, 4, RATE, 0.05)))
    levels, _ = spectrogram(sound)
    row = int(levels[:, 5].argmax())
    assert int(levels[row, 5]) - int(levels[row, -5]) == pytest.approx(255 * 20 / 80, abs=1)


def test_silence_and_faint_noise_are_dark() -> None:
    """The brightest is at least -60 dBFS: silence, -120 dBFS, is a quarter of the way from -140 to it."""
    assert spectrogram(np.zeros(3 * RATE))[0].max() == 64
    assert spectrogram(white_noise(1e-5, 3 * RATE))[0].max() < 128


@pytest.mark.parametrize(("rate", "low", "high"), [(8_000, 50, 4_000), (48_000, 50, 20_000), (96_000, 50, 20_000)])
def test_the_range_of_frequencies(rate: int, low: float, high: float) -> None:
    _, edges = spectrogram(white_noise(0.1, rate), rate)
    assert (edges[0], edges[-1]) == (pytest.approx(low), pytest.approx(high))
    assert len(edges) == 65


def test_columns_are_merged_in_long_recordings() -> None:
    meter = measured_by(SpectrogramMeter, white_noise(0.1, 300 * RATE), RATE)
    picture = meter.spectrogram()
    assert picture is not None
    assert 300 <= picture.columns <= 600
    assert picture.column_s * picture.columns >= 300


def test_there_is_none_without_sound() -> None:
    assert SpectrogramMeter(Grid.at(RATE, 1)).spectrogram() is None
