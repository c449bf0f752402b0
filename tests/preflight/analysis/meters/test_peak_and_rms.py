"""Levels and decibels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.peak_and_rms import LevelMeter, decibels, levels_db
from tests.support.chunks import chunks_of, measured_by, sine, white_noise


@pytest.mark.parametrize(("power", "expected"), [(1, 0), (0.5, -3.01), (0.1, -10), (100, 20), (1e-12, -120), (0, -120)])
def test_a_power_in_decibels(power: float, expected: float) -> None:
    assert decibels(power) == expected


def test_full_scale_is_positive_zero() -> None:
    assert math.copysign(1, decibels(1 - 1e-9)) == 1


@given(st.floats(0, 1e12))
def test_arrays_and_numbers_agree(power: float) -> None:
    (level,) = levels_db(np.array([power]))
    assert level == pytest.approx(decibels(power), abs=0.0051)
    assert level >= -120


def test_levels_keep_shape_and_precision() -> None:
    levels = levels_db(np.ones((2, 3, 4)))
    assert levels.shape == (2, 3, 4)
    assert levels.dtype == np.float32


RATE = 16_000


def levels_of(sound: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rate: int = RATE) -> dict[str, float]:
    return measured_by(LevelMeter, sound, rate).measurements()


@pytest.mark.parametrize(("amplitude", "rms", "peak"), [(1.0, -3.01, 0.0), (0.5, -9.03, -6.02), (0.001, -63.01, -60.0)])
def test_a_sine_is_3_db_below_its_peak(amplitude: float, rms: float, peak: float) -> None:
    assert levels_of(sine(1000, 2, RATE, amplitude)) == {"rms_dbfs": rms, "sample_peak_dbfs": peak}


def test_a_full_scale_square_wave_has_0_dbfs() -> None:
    square = np.where(np.arange(RATE) // 8 % 2, 1.0, -1.0)
    assert levels_of(square) == {"rms_dbfs": 0.0, "sample_peak_dbfs": 0.0}


def test_silence_has_the_lowest_level() -> None:
    assert levels_of(np.zeros(RATE)) == {"rms_dbfs": -120.0, "sample_peak_dbfs": -120.0}


def test_rms_is_the_mean_power_of_all_channels() -> None:
    loud = sine(1000, 1, RATE, 1.0)
    assert levels_of(np.stack((loud, np.zeros(RATE)), axis=1))["rms_dbfs"] == -6.02
    assert levels_of(np.stack((loud, loud), axis=1))["rms_dbfs"] == -3.01


@pytest.mark.parametrize("count", [1, 159, 160, 161, 12_801])
def test_padding_does_not_change_the_rms(count: int) -> None:
    assert levels_of(np.full(count, 0.5))["rms_dbfs"] == -6.02


def test_frames_follow_the_level_over_time() -> None:
    sound = np.concatenate([sine(1000, 1, RATE, amplitude) for amplitude in (1.0, 0.1, 0.01)])
    meter = measured_by(LevelMeter, sound, RATE)
    levels = meter.frame_levels_dbfs()
    assert len(levels) == 300
    for second, expected in enumerate((-3.01, -23.01, -43.01)):
        assert levels[100 * second : 100 * second + 100] == pytest.approx(expected, abs=0.01)
    assert (meter.seconds, meter.frame_s) == (3.0, 0.01)


def test_dc_is_not_sound() -> None:
    sound = 0.25 + sine(1000, 1, RATE, 0.01)
    meter = measured_by(LevelMeter, sound, RATE)
    assert meter.frame_levels_dbfs() == pytest.approx(-43.01, abs=0.02)
    assert meter.measurements()["rms_dbfs"] == pytest.approx(-12.03, abs=0.02)


@pytest.mark.parametrize("mains", [50, 60])
def test_hum_counts_in_full(mains: int) -> None:
    """Half a period in a frame of 10 ms has a mean that is not a DC offset."""
    powers = measured_by(LevelMeter, sine(mains, 2, RATE, 0.1), RATE).frame_powers()
    assert powers.mean() == pytest.approx(0.005, rel=0.01)


def test_a_partial_frame_has_no_level() -> None:
    assert len(measured_by(LevelMeter, white_noise(0.1, 479), RATE).frame_powers()) == 2


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_level_is_the_mean_power_of_all_channels(channels: int) -> None:
    rms = [0.2 / number for number in range(1, channels + 1)]
    sound = np.stack([white_noise(one, 48_000, seed=number) for number, one in enumerate(rms)], axis=1)
    found = measured_by(LevelMeter, sound, 48_000).measurements()
    assert found["rms_dbfs"] == pytest.approx(10 * np.log10(np.mean(np.square(rms))), abs=0.05)


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_peak_is_the_highest_of_any_channel_and_polarity(channel: int, sign: int) -> None:
    sound = np.zeros((48_000, 2))
    sound[12_345, channel] = 0.25 * sign
    assert measured_by(LevelMeter, sound, 48_000).measurements()["sample_peak_dbfs"] == -12.04


@pytest.mark.parametrize("count", [1, 479, 480, 481, 48_123])
def test_only_whole_frames_have_a_level_and_all_samples_count(count: int) -> None:
    meter = measured_by(LevelMeter, np.resize([0.5, -0.5], count), 48_000)
    assert meter.seconds == count / 48_000
    assert meter.measurements()["rms_dbfs"] == pytest.approx(-6.02, abs=0.01)
    assert len(meter.frame_powers()) == count // 480
    assert meter.frame_levels_dbfs() == pytest.approx(np.full(count // 480, -6.02), abs=0.01)


def test_no_level_is_below_120_db() -> None:
    meter = measured_by(LevelMeter, np.zeros(48_000), 48_000)
    assert meter.measurements() == {"rms_dbfs": -120.0, "sample_peak_dbfs": -120.0}
    assert meter.frame_levels_dbfs() == pytest.approx(np.full(100, -120.0))
    assert decibels(1e-30) == -120.0
    assert str(decibels(1.0)) == "0.0"  # not -0.0


def test_hum_counts_in_full_although_an_offset_does_not() -> None:
    hum = sine(50, 1, 48_000, 0.1)
    plain, shifted = (measured_by(LevelMeter, offset + hum, 48_000).frame_powers() for offset in (0.0, 0.2))
    assert shifted == pytest.approx(plain, abs=1e-5)
    assert plain.mean() == pytest.approx(0.005, rel=0.01)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 8), (192_000, 2), (192_000, 8)])
def test_levels_at_any_rate_and_number_of_channels(rate: int, channels: int) -> None:
    """Channel n is a sine of half the amplitude of the one before: the mean power is a geometric sum."""
    amplitudes = 0.8 * 0.5 ** np.arange(channels)
    sound = sine(500, 0.5, rate)[:, np.newaxis] * amplitudes
    found = levels_of(sound, rate)
    assert found["rms_dbfs"] == pytest.approx(10 * math.log10((amplitudes**2).mean() / 2), abs=0.01)
    assert found["sample_peak_dbfs"] == -1.94
    assert levels_of(sound[:, ::-1], rate) == found


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20_000), st.integers(1, 9_000))
def test_the_blocks_do_not_matter(count: int, block: int) -> None:
    sound = np.resize(white_noise(0.1, 997), count)
    meters = [LevelMeter(Grid.at(RATE, 1)) for _ in range(2)]
    for meter, size in zip(meters, (count, block), strict=True):
        for chunk in chunks_of(sound, RATE, size):
            meter.add(chunk)
    assert meters[0].measurements() == meters[1].measurements()
    assert np.array_equal(meters[0].frame_powers(), meters[1].frame_powers())
