"""Clipped tones, whose share of clipped samples is known from a formula."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.clipping import ClippingMeter
from tests.support.chunks import measured_by, sine, white_noise

RATE = 48_000
HZ = 443.7  # no whole number of samples in a period


def clipping(sound: Any, *, coarse: bool = False) -> ClippingMeter:
    return measured_by(lambda grid: ClippingMeter(grid, coarse=coarse), sound, RATE)


def clipped_tone(ceiling: float, seconds: float = 3, floor: float | None = None) -> Any:
    return np.clip(sine(HZ, seconds, RATE, 0.9), -ceiling if floor is None else floor, ceiling)


@pytest.mark.parametrize("ceiling", [0.89, 0.8, 0.6, 0.3])
def test_the_share_of_clipped_samples(ceiling: float) -> None:
    """A sine of amplitude A is above c for 1/2 - asin(c / A) / pi of the time, and as long below -c."""
    found = clipping(clipped_tone(ceiling)).measurements()
    share = 1 - 2 / math.pi * math.asin(ceiling / 0.9)
    assert found["clipped_percent"] == pytest.approx(100 * share, rel=0.12)
    assert found["clipped_runs"] == pytest.approx(2 * HZ * 3, rel=0.02)


def test_one_side_only() -> None:
    found = clipping(clipped_tone(0.6, floor=-1)).measurements()
    share = 1 / 2 - math.asin(0.6 / 0.9) / math.pi
    assert found["clipped_percent"] == pytest.approx(100 * share, rel=0.05)
    assert found["clipped_runs"] == pytest.approx(HZ * 3, rel=0.02)


@pytest.mark.parametrize("gain", [0.1, 0.5, 1.1])
def test_gain_after_clipping_changes_nothing(gain: float) -> None:
    plain, later = (clipping(factor * clipped_tone(0.8)).measurements() for factor in (1.0, gain))
    assert later["clipped_percent"] == pytest.approx(plain["clipped_percent"], rel=0.05)


def test_a_clean_tone_is_not_clipped() -> None:
    for sound in (sine(HZ, 3, RATE, 1.0), white_noise(0.1, 3 * RATE), np.zeros(RATE)):
        meter = clipping(sound)
        assert meter.measurements() == {"clipped_percent": 0.0, "clipped_runs": 0.0}
        assert meter.spans() == ()


@pytest.mark.parametrize(("length", "runs"), [(2, 0), (3, 1), (20, 1)])
def test_a_run_has_three_samples(length: int, runs: int) -> None:
    sound = white_noise(0.05, RATE).clip(-0.5, 0.5)
    sound[20_000 : 20_000 + length] = 0.8
    assert clipping(sound).measurements()["clipped_runs"] == runs


def test_samples_above_full_scale_that_are_not_flat_are_not_clipped() -> None:
    """Decoders of lossy codecs overshoot, and floating-point samples do not end at full scale."""
    sound = white_noise(0.05, RATE)
    sound[[10_000, 30_000]] = 1.2
    sound[20_000:20_004] = (1.296, 1.3, 1.299, 1.297)  # no two are equal
    for hot in (sound, sine(HZ, 2, RATE, 2.0), white_noise(0.9, RATE)):
        meter = clipping(hot)
        assert meter.measurements() == {"clipped_percent": 0.0, "clipped_runs": 0.0}
        assert meter.spans() == ()


def test_spans_cover_the_clipped_part() -> None:
    sound = np.concatenate((sine(HZ, 1, RATE, 0.4), clipped_tone(0.6, 1), sine(HZ, 1, RATE, 0.4)))
    (span,) = clipping(sound).spans()
    assert span == pytest.approx((1, 2), abs=0.01)


def test_each_channel_has_a_ceiling_of_its_own() -> None:
    both = np.stack((clipped_tone(0.8), 0.1 * clipped_tone(0.8)), axis=1)
    alone = clipping(clipped_tone(0.8)).measurements()
    found = clipping(both).measurements()
    assert found["clipped_percent"] == pytest.approx(alone["clipped_percent"], rel=0.02)
    assert found["clipped_runs"] == pytest.approx(2 * alone["clipped_runs"], rel=0.02)


def test_with_8_bits_only_runs_at_full_scale_count() -> None:
    for ceiling, is_found in ((0.6, False), (0.99, True)):
        sound = np.clip(sine(HZ, 3, RATE, 1.2), -ceiling, ceiling)
        assert (clipping(sound, coarse=True).measurements()["clipped_runs"] > 0) == is_found


def test_a_recording_that_gets_louder_has_one_ceiling() -> None:
    """Flat runs far below the highest sample of the recording do not count."""
    sound = np.concatenate((0.3 * clipped_tone(0.8, 1), sine(HZ, 2, RATE, 0.9)))
    assert clipping(sound).measurements()["clipped_runs"] == 0


def test_the_polarities_have_ceilings_of_their_own() -> None:
    """An offset before the clipping, removed later, leaves one ceiling higher than the other."""
    found = clipping(np.clip(sine(HZ, 3, RATE, 0.9), -0.5, 0.7)).measurements()
    share = 1 - (math.asin(0.5 / 0.9) + math.asin(0.7 / 0.9)) / math.pi
    assert found["clipped_percent"] == pytest.approx(100 * share, rel=0.12)


@pytest.mark.parametrize("gain", [1.5, 4.0, 30.0])
def test_flat_runs_above_full_scale_are_clipped(gain: float) -> None:
    plain, hot = (clipping(factor * clipped_tone(0.8)).measurements() for factor in (1.0, gain))
    assert hot["clipped_percent"] == pytest.approx(plain["clipped_percent"], rel=0.05)
    assert hot["clipped_runs"] == plain["clipped_runs"]


@pytest.mark.parametrize("at", [38_390, 38_397, 38_398, 38_399, 38_400, 38_401])
def test_a_run_across_the_border_of_two_chunks_is_counted_once(at: int) -> None:
    """A chunk has 38,400 samples at 48 kHz."""
    sound = white_noise(0.05, 2 * RATE).clip(-0.5, 0.5)
    sound[at : at + 12] = 0.8
    meter = clipping(sound)
    assert meter.measurements()["clipped_runs"] == 1
    assert meter.measurements()["clipped_percent"] == pytest.approx(100 * 12 / len(sound), abs=1e-4)
    ((start, end),) = meter.spans()
    assert (round(start * RATE), round(end * RATE)) == (at, at + 12)


def test_each_channel_counts() -> None:
    clean, clipped = sine(HZ, 3, RATE, 0.5), clipped_tone(0.6)
    alone = clipping(clipped).measurements()
    both = clipping(np.stack((clean, clipped), axis=1)).measurements()
    assert both["clipped_percent"] == pytest.approx(alone["clipped_percent"] / 2, rel=0.01)
    assert both["clipped_runs"] == alone["clipped_runs"]


def test_spans_of_near_places_are_merged() -> None:
    sound = white_noise(0.05, 3 * RATE).clip(-0.5, 0.5)
    for at in (RATE, RATE + RATE // 50, 2 * RATE):  # 20 ms apart, then a second
        sound[at : at + 8] = 0.8
    spans = clipping(sound).spans()
    assert [round(start, 2) for start, _ in spans] == [1.0, 2.0]
    assert spans[0][1] == pytest.approx(1.02, abs=0.001)


def test_with_eight_bits_only_runs_at_full_scale_count() -> None:
    coarse = np.round(sine(100, 2, RATE, 0.5) * 64) / 64
    assert clipping(coarse, coarse=True).measurements()["clipped_runs"] == 0
    at_full_scale = np.clip(np.round(sine(100, 2, RATE, 2.0) * 128) / 128, -1, 127 / 128)
    assert clipping(at_full_scale, coarse=True).measurements()["clipped_runs"] == pytest.approx(400, abs=2)


def test_nothing_is_clipped_in_nothing() -> None:
    meter = ClippingMeter(Grid.at(RATE, 2))
    assert meter.measurements() == {"clipped_percent": 0.0, "clipped_runs": 0.0}
    assert meter.spans() == ()


@pytest.mark.parametrize("count", [1, 5, 40])
def test_flat_runs_are_counted_to_the_sample(count: int) -> None:
    """Runs of four samples at one level, a hundredth of a second apart, in a faint tone."""
    sound = sine(HZ, 1, RATE, 0.05)
    for number in range(count):
        sound[480 * number + 100 : 480 * number + 104] = 0.7
    meter = clipping(sound)
    assert meter.measurements() == {"clipped_percent": round(100 * 4 * count / RATE, 4), "clipped_runs": count}
    ((start, end),) = meter.spans()
    assert (start, end) == pytest.approx((100 / RATE, (480 * (count - 1) + 104) / RATE), abs=1e-9)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_order_of_the_channels_does_not_matter(order: list[int]) -> None:
    both = np.stack((clipped_tone(0.6, 1), sine(HZ, 1, RATE, 0.3)), axis=1)
    found, alone = clipping(both[:, order]), clipping(both[:, 0])
    assert found.spans() == alone.spans()
    assert found.measurements()["clipped_percent"] == pytest.approx(
        alone.measurements()["clipped_percent"] / 2, abs=1e-4
    )
