"""Filters, loudness and limiter, measured on synthetic audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from preflight.errors import CannotFix
from preflight.fixes.dsp import apply_filters, measure_loudness, measure_peak, process, resample
from preflight.fixes.edit_descriptions import MAX_GAIN_DBTP, DspSettings

pytestmark = pytest.mark.slow

RATE = 16_000
Sound = NDArray[np.float32]


def sine(hz: float, seconds: float = 4.0, level: float = 0.1, rate: int = RATE, channels: int = 1) -> Sound:
    wave = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, np.newaxis], channels, axis=1).astype(np.float32)


def bursts(seconds: float = 8.0, level: float = 0.1) -> Sound:
    """Noise with peaks far above its loudness, as in speech."""
    generator = np.random.default_rng(4)
    noise = generator.normal(0, 1, round(seconds * RATE))
    smooth = np.convolve(noise, np.ones(8) / 8, "same")
    envelope = 0.2 + np.abs(np.sin(2 * np.pi * 1.3 * np.arange(len(noise)) / RATE)) ** 4
    return np.asarray(level * smooth * envelope, np.float32)[:, np.newaxis]


def source(sound: Sound, size: int = 4096) -> Callable[[], Iterator[Sound]]:
    return lambda: (sound[start : start + size] for start in range(0, len(sound), size))


def processed(sound: Sound, rate: int = RATE, **settings: Any) -> Sound:
    peak = float(np.abs(sound).max())
    return np.concatenate(list(process(source(sound), rate, DspSettings(**settings), peak=peak)))


def level_db(before: Sound, after: Sound) -> float:
    """Gain in the middle, where filters have settled."""
    middle = slice(len(before) // 2, -len(before) // 8)
    return float(20 * np.log10(np.std(after[middle]) / np.std(before[middle])))


def test_nothing_asked_nothing_changed() -> None:
    sound = bursts()
    assert np.array_equal(processed(sound), sound)


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(20, -60, -40), (40, -30, -20), (80, -6.5, -5.5), (160, -0.8, 0), (1000, -0.05, 0.05)]
)
def test_the_high_pass_has_24_db_per_octave(hz: float, low: float, high: float) -> None:
    sound = sine(hz)
    assert low <= level_db(sound, processed(sound, high_pass_hz=80.0)) <= high


@pytest.mark.parametrize("mains", [50.0, 60.0])
@pytest.mark.parametrize("harmonic", [1, 2, 3, 6])
def test_notches_remove_mains_hum_and_its_harmonics(mains: float, harmonic: int) -> None:
    sound = sine(harmonic * mains)
    assert level_db(sound, processed(sound, hum_hz=mains)) < -35


@pytest.mark.parametrize("hz", [25.0, 75.0, 220.0, 1000.0])
def test_notches_keep_what_is_between(hz: float) -> None:
    sound = sine(hz)
    assert level_db(sound, processed(sound, hum_hz=50.0)) > -1.5


def test_notches_near_the_nyquist_frequency_are_left_out() -> None:
    sound = sine(100.0, rate=600)
    assert len(processed(sound, 600, hum_hz=60.0)) == len(sound)


def test_the_offset_of_each_channel_is_removed() -> None:
    sound = sine(200.0, channels=2) + np.array([0.2, -0.05], np.float32)
    result = processed(sound, remove_dc=True)
    assert result.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert level_db(sound[:, :1], result[:, :1]) == pytest.approx(0, abs=1e-3)


def test_the_offset_is_that_of_the_inverted_channel() -> None:
    sound = sine(200.0, channels=2) + np.array([0.2, 0.1], np.float32)
    result = processed(sound, remove_dc=True, invert=True)
    assert result.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert np.abs(result[:, 0] + result[:, 1]).max() < 1e-6


def test_pauses_are_removed_before_the_filters() -> None:
    sound = sine(200.0, 4.0)
    result = processed(sound, pauses=((1.0, 2.0),), high_pass_hz=80.0)
    assert len(result) == 3 * RATE


@pytest.mark.parametrize("target", [-40.0, -30.0, -24.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_loudness_is_normalized_with_one_gain(target: float, channels: int) -> None:
    sound = np.repeat(bursts(), channels, axis=1)
    result = processed(sound, loudness_lufs=target)
    assert measure_loudness(iter([result]), RATE).lufs == pytest.approx(target, abs=0.01)
    factor = float(result[:, 0] @ sound[:, 0] / (sound[:, 0] @ sound[:, 0]))
    assert np.abs(result - factor * sound).max() < 1e-6


def test_the_gain_stops_where_a_peak_reaches_the_limit() -> None:
    result = processed(bursts(), loudness_lufs=-9.0)
    found = measure_loudness(iter([result]), RATE)
    assert found.dbtp == pytest.approx(MAX_GAIN_DBTP, abs=0.02)
    assert (found.lufs or 0) < -12


def test_with_a_limiter_the_target_is_reached() -> None:
    sound = bursts()
    result = processed(sound, loudness_lufs=-14.0, limit=True)
    found = measure_loudness(iter([result]), RATE)
    assert found.lufs == pytest.approx(-14, abs=0.2)
    assert found.dbtp == pytest.approx(MAX_GAIN_DBTP, abs=0.1)
    assert len(result) == len(sound)  # the look-ahead of the limiter does not shift it


def test_a_target_out_of_reach_is_reported() -> None:
    with pytest.raises(CannotFix, match=r"reaches only -\d+\.\d LUFS, not -2 LUFS") as caught:
        processed(bursts(3.0), loudness_lufs=-2.0, limit=True)
    assert caught.value.hint


@pytest.mark.parametrize("sound", [bursts(0.3), bursts(3.0, 1e-6), np.zeros((0, 1), np.float32)])
def test_audio_without_a_loudness_is_reported(sound: Sound) -> None:
    with pytest.raises(CannotFix, match="too quiet or too short"):
        list(process(source(sound), RATE, DspSettings(loudness_lufs=-20.0), peak=0.1))


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_a_gain(gain_db: float) -> None:
    sound = bursts()
    assert np.abs(processed(sound, gain_db=gain_db) - sound * 10 ** (gain_db / 20)).max() < 1e-6


@pytest.mark.parametrize("hz", [1000.0, 4000.0])
def test_the_loudness_of_a_tone_is_that_of_the_standard(hz: float) -> None:
    """EBU Tech 3341, case 1: 1 kHz at -23 dBFS in both channels has -23 LUFS; K-weighting adds about 3 dB at 4 kHz."""
    sound = sine(hz, 20.0, 10 ** (-23 / 20), 48_000, 2)
    expected = {1000.0: -23.0, 4000.0: -19.7}[hz]
    assert measure_loudness(iter([sound]), 48_000).lufs == pytest.approx(expected, abs=0.3)


def test_the_true_peak_lies_between_the_samples() -> None:
    """Sampled at 45 degrees, a tone of a quarter of the sample rate has samples 3 dB below its peak."""
    # faded, because a tone that starts at once overshoots in any interpolation
    wave = 0.5 * np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4) * np.hanning(RATE)
    found = measure_peak(iter([wave.astype(np.float32)[:, np.newaxis]]), RATE)
    assert found.sample == pytest.approx(0.5 * np.sqrt(0.5), rel=1e-4)
    assert found.dbtp == pytest.approx(-6.02, abs=0.1)


def test_the_peak_of_nothing() -> None:
    assert measure_peak(iter([]), RATE).sample == 0
    assert measure_loudness(iter([]), RATE).lufs is None


@pytest.mark.parametrize(("before", "after"), [(48_000, 16_000), (16_000, 48_000), (44_100, 48_000)])
def test_resampling_does_not_alias(before: int, after: int) -> None:
    kept = np.concatenate(list(resample(source(sine(1000.0, rate=before))(), before, after)))
    assert len(kept) == pytest.approx(4 * after, abs=64)
    assert np.sqrt(2 * np.mean(kept[after:-after] ** 2)) == pytest.approx(0.1, rel=0.01)
    if after < before:
        above = np.concatenate(list(resample(source(sine(11_000.0, rate=before))(), before, after)))
        assert np.abs(above[after:-after]).max() < 1e-4


def test_resampling_to_the_same_rate_returns_the_same_blocks() -> None:
    blocks = source(bursts())()
    assert resample(blocks, RATE, RATE) is blocks


def test_filters_are_fed_and_drained_block_by_block() -> None:
    read = 0

    def counted() -> Iterator[Sound]:
        nonlocal read
        for block in source(bursts(20.0), 1024)():
            read += 1
            yield block

    result = apply_filters(counted(), RATE, [("highpass", "f=80")])
    next(result)
    assert read < 20


def test_empty_blocks_do_no_harm() -> None:
    empty = np.zeros((0, 1), np.float32)
    assert list(apply_filters(iter([empty, empty]), RATE, [("highpass", "f=80")])) == []
