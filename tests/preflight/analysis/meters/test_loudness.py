"""Loudness and true peak against EBU Tech 3341 and 3342, and against libebur128."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.loudness import LoudnessMeter, integrated, k_weighting, loudness_range
from tests.support.audio_measures import measured, stereo, tone
from tests.support.chunks import measured_by, sine
from tests.support.make_audio import FIXTURES
from tests.support.selection import parametrize_some

RATES = (44_100, 48_000)
AUDIO = Path(__file__).parents[5] / "shared" / "audio"


def tones(parts: list[tuple[float, float]], rate: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """1 kHz in both channels: (dBFS, seconds) one after the other, in one phase."""
    levels = np.concatenate([np.full(round(seconds * rate), 10 ** (dbfs / 20)) for dbfs, seconds in parts])
    carrier = np.sin(2 * np.pi * 1000 * np.arange(len(levels)) / rate)
    return stereo(np.asarray(levels * carrier, np.float32))


# EBU Tech 3341 (2016), table 1; cases 6 to 8 need five channels, or recordings without a description
INTEGRATED = {
    "1": ([(-23.0, 20.0)], -23.0),
    "2": ([(-33.0, 20.0)], -33.0),
    "3": ([(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
    "4": ([(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)], -23.0),
    "5": ([(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
}


@parametrize_some("rate", RATES, fast=1)
@pytest.mark.parametrize("case", INTEGRATED)
def test_integrated_loudness(case: str, rate: int) -> None:
    parts, lufs = INTEGRATED[case]
    found = measured(tones(parts, rate), rate)
    assert found["integrated_loudness_lufs"] == pytest.approx(lufs, abs=0.1)
    if case in "12":
        assert found["momentary_max_lufs"] == pytest.approx(lufs, abs=0.1)
        assert found["short_term_max_lufs"] == pytest.approx(lufs, abs=0.1)


def test_short_term_loudness_of_alternating_tones() -> None:  # case 9
    found = measured(tones([(-20.0, 1.34), (-30.0, 1.66)] * 5, 48_000), 48_000)
    assert found["short_term_max_lufs"] == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("number", range(1, 21))
def test_short_term_loudness_of_a_burst(number: int) -> None:  # case 10
    parts = [(-120.0, number * 0.15), (-23.0, 3.0), (-120.0, 1.0)]
    assert measured(tones(parts, 48_000), 48_000)["short_term_max_lufs"] == pytest.approx(-23.0, abs=0.1)


def test_momentary_loudness_of_alternating_tones() -> None:  # case 12
    found = measured(tones([(-20.0, 0.18), (-30.0, 0.22)] * 25, 48_000), 48_000)
    assert found["momentary_max_lufs"] == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("number", range(1, 21))
def test_momentary_loudness_of_a_burst(number: int) -> None:  # case 13
    parts = [(-120.0, number * 0.02), (-23.0, 0.4), (-120.0, 1.0)]
    assert measured(tones(parts, 48_000), 48_000)["momentary_max_lufs"] == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "range_lu"),
    [  # EBU Tech 3342 (2016), table 1, cases 1 to 4
        ([(-20.0, 20.0), (-30.0, 20.0)], 10.0),
        ([(-20.0, 20.0), (-15.0, 20.0)], 5.0),
        ([(-40.0, 20.0), (-20.0, 20.0)], 20.0),
        ([(-50.0, 20.0), (-35.0, 20.0), (-20.0, 20.0), (-35.0, 20.0), (-50.0, 20.0)], 15.0),
    ],
)
def test_loudness_range(parts: list[tuple[float, float]], range_lu: float) -> None:
    assert measured(tones(parts, 48_000), 48_000)["loudness_range_lu"] == pytest.approx(range_lu, abs=1.0)


@pytest.mark.parametrize(
    ("divisor", "phase", "amplitude", "dbtp"),
    [  # EBU Tech 3341, cases 15 to 19: tolerance +0.2, -0.4 dB
        (4, 0.0, 0.5, -6.0),
        (4, 45.0, 0.5, -6.0),
        (6, 60.0, 0.5, -6.0),
        (8, 67.5, 0.5, -6.0),
        (4, 45.0, 1.41, 3.0),
    ],
)
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 16_000])
def test_true_peak_between_the_samples(divisor: int, phase: float, amplitude: float, dbtp: float, rate: int) -> None:
    sound = tone(20 * math.log10(amplitude), 2.0, rate, rate / divisor, phase)
    fade = np.minimum(1, np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / (0.1 * rate))
    found = measured(stereo(np.asarray(sound * fade, np.float32)), rate)["true_peak_dbtp"]
    assert dbtp - 0.4 <= found <= dbtp + 0.2


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_skipping_frames_does_not_change_the_true_peak(rate: int) -> None:
    from preflight.analysis.meters.true_peak import interpolator

    noise = np.random.default_rng(5).uniform(-1, 1, rate * 2).astype(np.float32) ** 3
    taps = interpolator(math.ceil(192_000 / rate))
    padded = np.pad(noise, (len(taps), len(taps)))
    phases = [np.convolve(padded, taps[::-1, phase], "valid") for phase in range(taps.shape[1])]
    highest = max(float(np.abs(noise).max()), *(float(np.abs(phase).max()) for phase in phases))
    assert measured(noise, rate)["true_peak_dbtp"] == pytest.approx(20 * math.log10(highest), abs=0.02)


# BS.1770-5, annex 1, tables 1 and 2: b0, b1, b2 and a1, a2 at 48 kHz
SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)
HIGH_PASS = (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)


def test_the_k_weighting_has_the_coefficients_of_the_standard() -> None:
    grid = Grid.at(48_000, 1)
    z = np.exp(-2j * np.pi * grid.frequencies_hz() / 48_000)
    expected = np.ones(len(z), complex)
    for (b0, b1, b2), (a1, a2) in (SHELF, HIGH_PASS):
        expected *= (b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)
    assert np.abs(k_weighting(grid) - expected).max() < 1e-6


@pytest.mark.parametrize("rate", [1_000, 3_000, 8_000, 16_000, 44_100, 192_000])
def test_the_k_weighting_is_bounded_at_any_rate(rate: int) -> None:
    gains = np.abs(k_weighting(Grid.at(rate, 1)))
    assert gains[0] == pytest.approx(0, abs=1e-9)
    assert gains.max() < 10 ** (6 / 20)  # below 16 kHz the bilinear transform bends the shelf


@pytest.mark.parametrize("rate", [*RATES, 16_000, 96_000])
def test_a_full_scale_sine_of_997_hz_has_minus_3_lkfs(rate: int) -> None:
    """The calibration of BS.1770-5, annex 1: -3.01 LKFS in one channel, 0 in two."""
    sound = tone(0, 5, rate, hz=997)
    assert measured(sound, rate)["integrated_loudness_lufs"] == pytest.approx(-3.01, abs=0.05)
    assert measured(stereo(sound), rate)["integrated_loudness_lufs"] == pytest.approx(0, abs=0.05)


def powers(*lufs: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([10 ** ((value + 0.691) / 10) for value in lufs])


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ((-20.0,), -20.0),
        ((-70.01,), None),  # the absolute gate
        ((-69.99,), -69.99),
        ((-20.0, -71.0), -20.0),
        ((-20.0, -33.1), -20.0),  # the relative gate is 10 LU below the mean of both, -22.8
        ((-20.0, -32.5), -22.77),
        ((), None),
    ],
)
def test_the_gates_of_integrated_loudness(blocks: tuple[float, ...], expected: float | None) -> None:
    found = integrated(powers(*blocks))
    assert found == (None if expected is None else pytest.approx(expected, abs=0.01))


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([-20.0] * 100, 0.0),
        ([-30.0] * 50 + [-20.0] * 50, 10.0),
        ([-30.0] * 4 + [-20.0] * 96, 0.0),  # below the 10th percentile
        ([-41.0] * 50 + [-18.0] * 50, 0.0),  # 20 LU below the mean of both
        ([-75.0], None),
    ],
)
def test_the_gates_and_percentiles_of_the_loudness_range(blocks: list[float], expected: float | None) -> None:
    found = loudness_range(powers(*blocks))
    assert found == (None if expected is None else pytest.approx(expected, abs=0.01))


@pytest.mark.parametrize(("seconds", "missing"), [(0.3, 4), (0.5, 2), (2.9, 2), (3.1, 0)])
def test_short_recordings_have_fewer_measurements(seconds: float, missing: int) -> None:
    meter = measured_by(LoudnessMeter, tone(-20, seconds), 48_000)
    assert len(meter.measurements()) == 4 - missing
    assert (meter.momentary() is None) == (missing == 4)
    assert (meter.short_term() is None) == (missing > 0)


def test_loudness_over_time() -> None:
    meter = measured_by(LoudnessMeter, tones([(-23.0, 5.0), (-33.0, 5.0)], 48_000), 48_000)
    track = meter.momentary()
    assert track is not None
    assert (track.first_s, track.column_s, len(track.lufs)) == (0.2, 0.1, 97)
    assert track.lufs[10] == pytest.approx(-23, abs=0.1)
    assert track.lufs[-10] == pytest.approx(-33, abs=0.1)


def test_silence_has_no_loudness() -> None:
    meter = measured_by(LoudnessMeter, np.zeros(5 * 48_000), 48_000)
    assert meter.measurements() == {}
    track = meter.momentary()
    assert track is not None
    assert set(track.lufs) == {-120.0}


def peers(sound: np.ndarray[tuple[int, int], np.dtype[np.float32]], rate: int) -> tuple[float, float]:
    """Integrated loudness and true peak by libebur128."""
    library = pytest.importorskip("pyebur128", reason="pyebur128 has no wheel for this Python")
    mode = library.MeasurementMode.MODE_I | library.MeasurementMode.MODE_TRUE_PEAK
    state = library.R128State(sound.shape[1], rate, mode)
    state.add_frames(np.ascontiguousarray(sound).ravel(), len(sound))
    peak = max(library.get_true_peak(state, channel) for channel in range(sound.shape[1]))
    return float(library.get_loudness_global(state)), 20 * math.log10(peak)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 44_099])
def test_libebur128_agrees_on_speech_at_any_rate(rate: int) -> None:
    speech, _ = soundfile.read(FIXTURES / "good.wav", dtype="float32")
    left = np.resize(speech, rate * 12)  # spoken faster or slower, which does not matter here
    sound = np.stack((left, 0.5 * np.roll(left, 100)), axis=1).astype(np.float32)
    lufs, dbtp = peers(sound, rate)
    found = measured(sound, rate)
    assert found["integrated_loudness_lufs"] == pytest.approx(lufs, abs=0.1)
    assert found["true_peak_dbtp"] == pytest.approx(dbtp, abs=0.2)


@pytest.mark.slow
@pytest.mark.skipif(not AUDIO.is_dir(), reason="the real recordings are missing")
def test_libebur128_agrees_on_real_recordings() -> None:
    from preflight.errors import PreflightError
    from preflight.input.source import Source
    from preflight.media.decoder import Decoder
    from preflight.media.probe import probe

    compared = 0
    for path in sorted(AUDIO.iterdir()):
        with Source.open(path) as source:
            try:
                decoder = Decoder(source, probe(source))
            except PreflightError:
                continue
            sound = np.concatenate(list(decoder.blocks()))
        rate = decoder.probe.sample_rate_hz
        lufs, dbtp = peers(sound, rate)
        found = measured(sound, rate)
        assert found["integrated_loudness_lufs"] == pytest.approx(lufs, abs=0.1), path.name
        assert found["true_peak_dbtp"] == pytest.approx(dbtp, abs=0.2), path.name
        compared += 1
    assert compared >= 20


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("below_db", [0.0, 20.0, 29.0, 31.0, 45.0])
def test_sound_in_the_upper_half_of_the_band_counts(rate: int, below_db: float) -> None:
    """The upper half is left out only of rows in which it adds 0.004 dB at most."""
    low, high = 1000.0, 0.4 * rate
    amplitudes = (0.1, 0.1 * 10 ** (-below_db / 20))
    sound = sine(low, 4, rate, amplitudes[0]) + sine(high, 4, rate, amplitudes[1])
    grid = Grid.at(rate, 1)
    gains = np.interp([low, high], grid.frequencies_hz(), np.abs(k_weighting(grid)))
    power = sum((amplitude * gain) ** 2 / 2 for amplitude, gain in zip(amplitudes, gains, strict=True))
    assert loudness(sound, rate)["short_term_max_lufs"] == pytest.approx(-0.691 + 10 * math.log10(power), abs=0.01)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_rows_with_and_without_an_upper_half_are_measured_together(rate: int) -> None:
    """Vowels and fricatives: seconds of a low tone, and seconds of a high one."""
    low, high = sine(300, 1, rate, 0.1), sine(0.42 * rate, 1, rate, 0.05)
    sound = np.concatenate([low, high] * 5)
    grid = Grid.at(rate, 1)
    gains = np.interp([300, 0.42 * rate], grid.frequencies_hz(), np.abs(k_weighting(grid)))
    power = ((0.1 * gains[0]) ** 2 + (0.05 * gains[1]) ** 2) / 4
    assert loudness(sound, rate)["integrated_loudness_lufs"] == pytest.approx(-0.691 + 10 * math.log10(power), abs=0.1)


def loudness(sound: Any, rate: int = 48_000) -> dict[str, float]:
    return measured_by(LoudnessMeter, sound, rate).measurements()


@pytest.mark.parametrize("lufs", [-36.0, -23.0, -10.0])
@pytest.mark.parametrize("rate", [8_000, 48_000, 192_000])
def test_a_sine_of_997_hz_in_two_channels_has_its_peak_as_loudness(lufs: float, rate: int) -> None:
    """EBU Tech 3341, cases 1 and 2: the level of the peak in dBFS is the loudness of both channels together."""
    one = sine(997, 4, rate, 10 ** (lufs / 20))
    found = loudness(np.stack((one, one), axis=1), rate)
    for name in ("integrated_loudness_lufs", "momentary_max_lufs", "short_term_max_lufs"):
        assert found[name] == pytest.approx(lufs, abs=0.1), name


def test_the_powers_of_the_channels_are_added() -> None:
    loud, faint = sine(997, 4, 48_000, 0.1), sine(997, 4, 48_000, 0.05)
    found = loudness(np.stack((loud, faint), axis=1))["integrated_loudness_lufs"]
    assert found == pytest.approx(-23.01 + 10 * math.log10(1 + 0.25), abs=0.1)
    assert loudness(np.stack((faint, loud), axis=1))["integrated_loudness_lufs"] == found
    assert loudness(np.stack((loud, -loud), axis=1)) == loudness(np.stack((loud, loud), axis=1))
