"""Dropouts: gaps, repeated buffers and clicks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.meters.dropouts import DropoutMeter, RepeatDetector
from tests.support import defects
from tests.support import make_audio as making
from tests.support.audio_measures import judged
from tests.support.chunks import measured_by, sine, white_noise
from tests.support.make_audio import RATE, story

SPEECH = defects.clean(making.talk(12), RATE)


def gated(threshold_dbfs: float, fade: int) -> Any:
    """The story with everything below the threshold set to zero, in frames of 10 ms."""
    sound = story()[: len(story()) // 160 * 160]
    is_open = np.repeat((sound.reshape(-1, 160) ** 2).mean(axis=1) > 10 ** (threshold_dbfs / 10), 160).astype(float)
    if fade:
        is_open = np.convolve(is_open, np.ones(fade) / fade, "same")
    return sound * is_open


@pytest.mark.parametrize("fade", [0, 40, 160])
@pytest.mark.parametrize("threshold", [-45, -38])
def test_a_noise_gate_leaves_no_dropouts(threshold: float, fade: int) -> None:
    assert "dropouts" not in judged(gated(threshold, fade), RATE)[1]


@pytest.mark.parametrize("bits", [5, 6, 8])
def test_a_low_bit_depth_leaves_no_dropouts(bits: int) -> None:
    steps = 2.0 ** (bits - 1)
    sound = np.round(story() / np.abs(story()).max() * 0.7 * steps) / steps
    assert "dropouts" not in judged(sound, RATE)[1]


@pytest.mark.parametrize("frequency", [150, 220])
def test_synthetic_words_that_fade_leave_no_dropouts(frequency: int) -> None:
    time = np.arange(RATE // 4) / RATE
    word = 0.3 * np.sin(2 * np.pi * frequency * time) * np.hanning(len(time))
    gap = np.zeros(RATE // 20)
    assert judged(np.tile(np.concatenate((word, gap)), 40), RATE)[0].measurements["dropouts"] == 0


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("milliseconds", [6, 30])
def test_a_dropout_in_one_channel_is_found(milliseconds: int, channel: int) -> None:
    sound = np.stack((SPEECH.sound, 0.8 * SPEECH.sound), axis=1)
    for moment in SPEECH.voiced[1:]:
        start = round(moment * RATE)
        sound[start : start + milliseconds * RATE // 1000, channel] = 0
    _, findings = judged(sound, RATE)
    assert len(findings["dropouts"].spans) == len(SPEECH.voiced) - 1


def test_a_buffer_repeated_in_the_second_channel_is_found() -> None:
    sound = np.stack((SPEECH.sound, 0.8 * SPEECH.sound), axis=1)
    start = round(SPEECH.voiced[0] * RATE)
    sound[start : start + 512, 1] = sound[start - 512 : start, 1]
    decoded, _ = judged(sound, RATE)
    assert decoded.measurements["dropouts"] == 1


def test_gaps_repeats_and_clicks_are_counted() -> None:
    rate = 48_000
    sound = sine(1000, 3, rate, 0.3) + white_noise(1e-4, 3 * rate)
    sound[30_012:30_972] = 0  # 20 ms, cut at the tone's peaks
    sound[60_000:61_024] = sound[60_000 - 1024 : 60_000]
    sound[100_000] += 0.5
    meter = measured_by(DropoutMeter, sound, rate)
    assert meter.measurements() == {
        "dropouts": 2.0,
        "dropouts_s": pytest.approx(1984 / rate, abs=1e-3),
        "clicks": 1.0,
        "splices": 0.0,
    }
    assert meter.spans()[0] == pytest.approx((30_012 / rate, 30_972 / rate), abs=1e-4)
    assert list(meter.clicks()) == [pytest.approx((100_000 / rate, 100_001 / rate))]


def test_the_edge_of_a_dropout_is_not_a_click() -> None:
    sound = sine(1000, 3, 48_000, 0.3) + white_noise(1e-4, 3 * 48_000)
    sound[30_012:30_972] = 0
    sound[30_012] = 0.9  # the last sample before the silence is wrong, too
    meter = measured_by(DropoutMeter, sound, 48_000)
    assert meter.clicks() == ()


def test_gaps_of_both_channels_are_one_dropout() -> None:
    sound = sine(1000, 3, 48_000, 0.3)
    sound[30_012:30_972] = 0
    both = measured_by(DropoutMeter, np.stack((sound, 0.5 * sound), axis=1), 48_000)
    assert both.measurements()["dropouts"] == 1


RATE_HZ = 48_000
CHUNK = 38_400
BUFFERS = [256, 480, 512, 960, 1024, 1152, 2048, 4096]


def repeats(sound: Any, channel: int = 0) -> list[tuple[int, int]]:
    return measured_by(lambda grid: RepeatDetector(grid, channel), sound, RATE_HZ).found


def with_repeat(at: int, buffer: int, rms: float = 0.1) -> Any:
    sound = white_noise(rms, 2 * RATE_HZ)
    sound[at : at + buffer] = sound[at - buffer : at]
    return sound


@pytest.mark.parametrize("buffer", BUFFERS)
def test_a_repeated_buffer_is_found_to_the_sample(buffer: int) -> None:
    assert repeats(with_repeat(20_003, buffer)) == [(20_003, 20_003 + buffer)]


@pytest.mark.parametrize("at", [CHUNK - 1024, CHUNK - 500, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_repeat_at_a_chunk_border_is_found_once(at: int) -> None:
    assert repeats(with_repeat(at, 1024)) == [(at, at + 1024)]


def test_a_buffer_written_three_times_is_one_repeat() -> None:
    sound = white_noise(0.1, 2 * RATE_HZ)
    for at in (20_000, 20_512):
        sound[at : at + 512] = sound[at - 512 : at]
    assert (20_000, 21_024) in repeats(sound)


@pytest.mark.parametrize("buffer", [100, 300, 700, 3000])
def test_other_sizes_are_no_buffers(buffer: int) -> None:
    assert repeats(with_repeat(20_000, buffer)) == []


def test_half_a_buffer_is_no_repeat() -> None:
    sound = white_noise(0.1, 2 * RATE_HZ)
    sound[20_000:20_500] = sound[20_000 - 1024 : 20_500 - 1024]
    assert repeats(sound) == []


def test_periodic_sound_repeats_for_longer() -> None:
    assert repeats(np.tile(sine(1000, 0.01, RATE_HZ, 0.5) + 0.01, 200)) == []


def test_faint_noise_and_silence_do_not_count() -> None:
    assert repeats(with_repeat(20_000, 1024, rms=0.0005)) == []
    assert repeats(np.zeros(2 * RATE_HZ)) == []


def test_a_copy_with_another_gain_is_no_repeat() -> None:
    sound = white_noise(0.1, 2 * RATE_HZ)
    sound[20_000:21_024] = 0.9 * sound[20_000 - 1024 : 20_000]
    assert repeats(sound) == []


def test_each_channel_has_repeats_of_its_own() -> None:
    both = np.stack((white_noise(0.1, 2 * RATE_HZ), with_repeat(20_000, 512)), axis=1)
    assert repeats(both, channel=0) == []
    assert repeats(both, channel=1) == [(20_000, 20_512)]


@settings(max_examples=15, deadline=None)
@given(st.integers(10_000, 2 * RATE_HZ - 5_000), st.sampled_from(BUFFERS))
def test_a_repeat_anywhere_is_found_once(at: int, buffer: int) -> None:
    assert repeats(with_repeat(at, buffer)) == [(at, at + buffer)]
