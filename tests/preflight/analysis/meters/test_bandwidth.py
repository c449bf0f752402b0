"""The bandwidth of modulated noise with a known upper edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.bandwidth import BandwidthMeter, hann_spectra
from tests.support.chunks import measured_by, sine, white_noise

RATE = 48_000
GRID = Grid.at(RATE, channels=1)
SECONDS = 8


def bandwidth(sound: Any, rate: int = RATE) -> float | None:
    return measured_by(BandwidthMeter, sound, rate).measurements().get("bandwidth_hz")


def low_passed(sound: Any, hz: float, rate: int = RATE) -> Any:
    spectrum = np.fft.rfft(sound)
    spectrum[round(hz * len(sound) / rate) :] = 0
    return np.fft.irfft(spectrum, len(sound))


def voice_like(hz: float, rate: int = RATE) -> Any:
    """Noise below `hz` whose level varies by 20 dB, as slowly as phrases do; it fades in, since an onset is a click."""
    level = 10 ** (sine(0.7, SECONDS, rate) / 2)
    level *= np.minimum(1, np.arange(SECONDS * rate) / rate) ** 2
    return low_passed(0.05 * level * white_noise(1, SECONDS * rate), hz, rate)


@pytest.mark.parametrize("hz", [3_400, 5_500, 8_000, 15_000])
def test_the_upper_edge(hz: float) -> None:
    assert bandwidth(voice_like(hz)) == pytest.approx(hz, abs=150)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
def test_the_whole_band_at_any_rate(rate: int) -> None:
    assert bandwidth(voice_like(rate / 2, rate), rate) == pytest.approx(rate / 2, abs=200)


def test_constant_noise_above_the_edge_does_not_count() -> None:
    """The noise of a 16-bit converter, spread up to 24 kHz."""
    sound = voice_like(3_400) + white_noise(2**-15 / np.sqrt(12), SECONDS * RATE)
    assert bandwidth(sound) == pytest.approx(3_400, abs=150)


def test_loud_noise_covers_the_edge() -> None:
    assert bandwidth(voice_like(3_400) + white_noise(0.03, SECONDS * RATE)) is None


def test_a_whistle_far_above_does_not_count() -> None:
    whistle = (1 - np.cos(2 * np.pi * 0.5 * np.arange(SECONDS * RATE) / RATE)) * sine(15_000, SECONDS, RATE, 0.01)
    assert bandwidth(voice_like(5_000) + whistle) == pytest.approx(5_000, abs=150)


def test_stationary_sound_has_no_bandwidth() -> None:
    assert bandwidth(white_noise(0.1, SECONDS * RATE)) is None


def test_silence_and_short_sounds_have_no_bandwidth() -> None:
    assert bandwidth(np.zeros(RATE)) is None
    assert bandwidth(voice_like(5_000)[: RATE // 5]) is None


def test_gated_silence_between_phrases_does_not_widen_it() -> None:
    sound = voice_like(6_000)
    fade = np.hanning(RATE // 5)
    sound[RATE : 3 * RATE] = 0
    sound[RATE - RATE // 10 : RATE] *= fade[RATE // 10 :]
    sound[3 * RATE : 3 * RATE + RATE // 10] *= fade[: RATE // 10]
    assert bandwidth(sound) == pytest.approx(6_000, abs=150)


@pytest.mark.parametrize("hz", [100.0, 1234.5, 7000.0])
def test_hann_spectra_equal_those_of_a_windowed_signal(hz: float) -> None:
    piece = sine(hz, GRID.transform / RATE, RATE)
    window = 1 - np.cos(2 * np.pi * np.arange(GRID.transform) / GRID.transform)
    plain = np.fft.rfft(piece, norm="forward").astype(np.complex64)
    expected = np.fft.rfft(piece * window, norm="forward")[1:-1]
    assert np.allclose(hann_spectra(plain[np.newaxis])[0], expected, atol=1e-6)


@pytest.mark.parametrize(("hz", "dbfs"), [(15_625, -45.0), (15_625, -60.0), (6_040, -50.0)])
def test_a_steady_tone_above_4_khz(hz: float, dbfs: float) -> None:
    tone = sine(hz, SECONDS, RATE, 10 ** (dbfs / 20))
    found = measured_by(BandwidthMeter, voice_like(5_000) + tone + white_noise(1e-5, len(tone)), RATE).whine()
    assert found["whine_hz"] == pytest.approx(hz, abs=100)
    assert found["whine_dbfs"] == pytest.approx(dbfs - 3, abs=0.5)  # the power of a sine is half of its peak's


@pytest.mark.parametrize(
    "sound",
    [
        white_noise(1e-2, SECONDS * RATE),
        low_passed(white_noise(1e-2, SECONDS * RATE), 16_000),  # the edge of an encoder is not a tone
        voice_like(15_000) + white_noise(1e-4, SECONDS * RATE),
        sine(15_625, SECONDS, RATE, 0.01) * (np.arange(SECONDS * RATE) // RATE % 2),  # beeps
        np.zeros(SECONDS * RATE),
        sine(15_625, 0.5, RATE, 0.01),
        sine(1_000, SECONDS, RATE, 0.01),  # for `MusicMeter`
    ],
    ids=["noise", "an edge", "a voice", "beeps", "silence", "short", "low"],
)
def test_nothing_else_is_a_steady_tone(sound: Any) -> None:
    assert measured_by(BandwidthMeter, sound, RATE).whine() == {}


@pytest.mark.parametrize("gain", [0.1, 0.5])
def test_the_edge_does_not_depend_on_level_and_polarity(gain: float) -> None:
    sound = voice_like(5_500)
    assert bandwidth(gain * sound) == bandwidth(-sound) == bandwidth(sound)


def test_the_edge_of_a_voice_in_one_of_two_channels() -> None:
    sound = voice_like(5_500)
    for order in (1, -1):
        both = np.stack((sound, np.zeros(len(sound)))[::order], axis=1)
        assert bandwidth(both) == pytest.approx(5_500, abs=150)


@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_the_edge_of_a_telephone_line_at_any_rate(rate: int) -> None:
    assert bandwidth(voice_like(3_400, rate), rate) == pytest.approx(3_400, abs=150)
