"""Kaldi's features against their definition, one frame and one triangle after the other."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from preflight.analysis.speakers.fbank import log_mel
from tests.support.voices import voice


def mel(hz: float) -> float:
    return 1127 * math.log(1 + hz / 700)


def plain(frame: list[float], bands: int) -> list[float]:
    """The logarithms of one frame of 400 samples, before the mean over all frames is removed."""
    centered = [32_768 * value - 32_768 * sum(frame) / 400 for value in frame]
    raised = [value - 0.97 * centered[max(at - 1, 0)] for at, value in enumerate(centered)]
    shaped = [value * (0.5 - 0.5 * math.cos(2 * math.pi * at / 399)) ** 0.85 for at, value in enumerate(raised)]
    powers = [
        abs(sum(value * cmath.exp(-2j * math.pi * number * at / 512) for at, value in enumerate(shaped))) ** 2
        for number in range(257)
    ]
    step, low = (mel(8000) - mel(20)) / (bands + 1), mel(20)
    found = []
    for band in range(bands):
        heights = (max(0.0, 1 - abs(mel(number * 31.25) - low - (band + 1) * step) / step) for number in range(257))
        found.append(math.log(max(sum(map(math.prod, zip(heights, powers, strict=True))), 2**-23)))
    return found


@pytest.mark.parametrize("bands", [24, 80])
def test_the_features_equal_their_definition(bands: int) -> None:
    window = voice()[30_000 : 30_000 + 400 + 2 * 160]
    expected = np.array([plain(window[at : at + 400].tolist(), bands) for at in (0, 160, 320)])
    np.testing.assert_allclose(log_mel(window, bands), expected - expected.mean(axis=0), atol=1e-4)


def test_only_whole_frames_count() -> None:
    shapes = [log_mel(np.ones(size, np.float32), 40).shape for size in (400, 559, 560, 25_840)]
    assert shapes == [(1, 40), (1, 40), (2, 40), (160, 40)]


def test_silence_is_finite() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(4000, np.float32), 80), 0, atol=1e-5)


@pytest.mark.parametrize("gain", [0.03, 0.5, 1.0])
def test_the_features_do_not_depend_on_the_level(gain: float) -> None:
    window = voice()[30_000:38_000]
    np.testing.assert_allclose(log_mel(np.float32(gain) * window, 40), log_mel(window, 40), atol=0.02)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 3500.0])
def test_a_tone_that_starts_raises_the_band_of_its_frequency(hz: float) -> None:
    window = 1e-3 * np.random.default_rng(1).standard_normal(16_000)
    window[8_000:] += 0.3 * np.sin(2 * np.pi * hz * np.arange(8_000) / 16_000)
    features = log_mel(window.astype(np.float32), 40)
    rise = features[60:].mean(axis=0) - features[:40].mean(axis=0)
    centers = [mel(20) + (band + 1) * (mel(8000) - mel(20)) / 41 for band in range(40)]
    assert int(rise.argmax()) == min(range(40), key=lambda band: abs(centers[band] - mel(hz)))
