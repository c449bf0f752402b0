"""Hum: frequency, level and height above the noise, in the quiet parts only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.hum import HumMeter, mains_hz
from tests.support.chunks import sine, white_noise

RATE = 2_000  # what the downmix gives this meter
GRID = Grid.at(48_000, 1)


def hum(sound: Any, pieces: int = 397) -> dict[str, float]:
    meter = HumMeter(GRID)
    for at in range(0, len(sound), pieces):
        meter.add(np.asarray(sound[at : at + pieces], np.float32))
    meter.end()
    return meter.measurements()


def lines(mains: float, seconds: float, amplitude: float, harmonics: int = 3) -> Any:
    return sum(sine(mains * number, seconds, RATE, amplitude) for number in range(1, harmonics + 1))


@pytest.mark.parametrize("mains", [50, 60])
def test_the_mains_frequency(mains: int) -> None:
    found = hum(lines(mains, 10, 0.003) + white_noise(1e-4, 10 * RATE))
    assert found["hum_hz"] == mains
    assert found["hum_db"] > 20


@pytest.mark.parametrize("amplitude", [0.1, 0.01, 0.001])
def test_the_level_of_one_line_is_that_of_a_sine(amplitude: float) -> None:
    """A sine of amplitude A has the power A² / 2; 50 Hz is the middle of a bin."""
    found = hum(sine(50, 10, RATE, amplitude))
    assert found["hum_dbfs"] == pytest.approx(20 * np.log10(amplitude) - 3.01, abs=0.1)


def test_the_level_of_three_lines_is_their_sum() -> None:
    assert hum(lines(60, 10, 0.01))["hum_dbfs"] == pytest.approx(-43.01 + 4.77, abs=0.1)


def test_the_height_above_white_noise() -> None:
    """A bin of 2 Hz under a Hann window holds the noise of 3 Hz: 1.5 bins (Harris, 1978)."""
    noise_rms = 1e-3
    found = hum(lines(50, 60, 0.003) + white_noise(noise_rms, 60 * RATE))
    noise_db = 10 * np.log10(noise_rms**2 / (RATE / 2) * 3)
    # the mean of the logarithm of exponentially distributed powers is 2.5 dB below that of their mean
    assert found["hum_db"] == pytest.approx(20 * np.log10(0.003) - 3.01 - (noise_db - 2.51), abs=1)


def test_a_buzz_stands_out_in_all_harmonics() -> None:
    """Each line is 12 dB above the noise in its bin: the strongest three of six alone would be no more."""
    time = np.arange(20 * RATE) / RATE
    buzz = sum(np.cos(2 * np.pi * 50 * number * time) for number in range(1, 20))
    assert hum(3e-4 * buzz + white_noise(3e-4, 20 * RATE))["buzz_db"] > 15


@pytest.mark.parametrize(("hz", "rumbles"), [(30, True), (120, False)])
def test_only_what_is_below_the_mains_is_rumble(hz: float, rumbles: bool) -> None:
    found = hum(sine(hz, 10, RATE, 0.01) + white_noise(1e-4, 10 * RATE))
    assert (found["rumble_db"] > 15) == rumbles


def test_noise_does_not_hum() -> None:
    assert hum(white_noise(0.01, 60 * RATE))["hum_db"] < 3


def test_two_lines_are_less_than_three() -> None:
    noise = white_noise(1e-4, 20 * RATE)
    two, three = (hum(lines(50, 20, 0.003, count) + noise)["hum_db"] for count in (2, 3))
    assert two == pytest.approx(three * 2 / 3, abs=2)


def test_a_voice_with_the_pitch_of_the_mains_does_not_count() -> None:
    """Three quarters of the time a person hums a note at 100 Hz; the pauses have noise only."""
    voiced, pause = lines(100, 15, 0.1), np.zeros(5 * RATE)
    sound = np.concatenate((voiced, pause)) + white_noise(1e-3, 20 * RATE)
    assert hum(sound)["hum_db"] < 6


def test_hum_in_the_pauses_counts() -> None:
    speech = np.concatenate((white_noise(0.1, 15 * RATE), np.zeros(5 * RATE)))
    assert hum(speech + lines(50, 20, 0.002) + white_noise(1e-4, 20 * RATE))["hum_hz"] == 50


@pytest.mark.parametrize("count", [0, 1, 999])
def test_a_short_recording_has_no_measurement(count: int) -> None:
    assert hum(np.ones(count)) == {}


@pytest.mark.parametrize("pieces", [1, 160, 7_000])
def test_pieces_do_not_matter(pieces: int) -> None:
    sound = lines(60, 4, 0.01) + white_noise(1e-3, 4 * RATE)
    assert hum(sound, pieces) == hum(sound)


def test_the_stronger_mains_frequency_counts() -> None:
    noise = white_noise(1e-4, 20 * RATE)
    assert hum(lines(50, 20, 0.003) + lines(60, 20, 0.0003) + noise)["hum_hz"] == 50
    assert hum(lines(50, 20, 0.0003) + lines(60, 20, 0.003) + noise)["hum_hz"] == 60


@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_the_height_does_not_depend_on_the_level(gain: float) -> None:
    sound = lines(50, 20, 0.003) + white_noise(1e-3, 20 * RATE)
    plain, other = hum(sound), hum(gain * sound)
    assert other["hum_db"] == pytest.approx(plain["hum_db"], abs=0.2)
    assert other["hum_dbfs"] == pytest.approx(plain["hum_dbfs"] + 20 * np.log10(gain), abs=0.1)


def test_silence_does_not_hum() -> None:
    assert hum(np.zeros(10 * RATE))["hum_db"] == 0


@pytest.mark.parametrize(("number", "counts"), [(1, True), (4, True), (6, True), (7, False), (12, False)])
def test_the_level_is_that_of_the_first_six_harmonics(number: int, counts: bool) -> None:
    found = hum(lines(60, 10, 0.01) + sine(60 * number, 10, RATE, 0.05))
    base = 3 * 0.01**2 / 2
    # a line that is there already adds up in amplitude
    added = (0.06**2 - 0.01**2) / 2 if number <= 3 else 0.05**2 / 2
    assert found["hum_hz"] == 60
    assert found["hum_dbfs"] == pytest.approx(10 * np.log10(base + counts * added), abs=0.1)


@pytest.mark.parametrize("ratio_db", [0.0, 6.0, -9.0])
def test_rumble_is_a_ratio_of_powers(ratio_db: float) -> None:
    """One tone in either band; a Hann window spreads both alike."""
    low, high = sine(30, 10, RATE, 0.01 * 10 ** (ratio_db / 20)), sine(210, 10, RATE, 0.01)
    assert hum(low + high)["rumble_db"] == pytest.approx(ratio_db, abs=0.2)


def test_nothing_is_mains_hum_unless_a_limit_is_exceeded() -> None:
    assert mains_hz({}) is None
    assert mains_hz({"hum_hz": 50.0, "hum_db": 12.0, "buzz_db": 5.0}) is None
    assert mains_hz({"hum_hz": 50.0, "hum_db": 12.1, "buzz_db": 0.0}) == 50
    assert mains_hz({"hum_hz": 60.0, "hum_db": 0.0, "buzz_db": 5.1}) == 60
