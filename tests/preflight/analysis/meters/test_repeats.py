"""A repeated buffer equals the sound before it, for its own length; periodic and faint sound does not count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.meters.repeats import RepeatDetector
from tests.support.chunks import measured_by, sine, white_noise

RATE = 48_000
CHUNK = 38_400
BUFFERS = [256, 480, 512, 960, 1024, 1152, 2048, 4096]


def repeats(sound: Any, channel: int = 0) -> list[tuple[int, int]]:
    return measured_by(lambda grid: RepeatDetector(grid, channel), sound, RATE).found


def with_repeat(at: int, buffer: int, rms: float = 0.1) -> Any:
    sound = white_noise(rms, 2 * RATE)
    sound[at : at + buffer] = sound[at - buffer : at]
    return sound


@pytest.mark.parametrize("buffer", BUFFERS)
def test_a_repeated_buffer_is_found_to_the_sample(buffer: int) -> None:
    assert repeats(with_repeat(20_003, buffer)) == [(20_003, 20_003 + buffer)]


@pytest.mark.parametrize("at", [CHUNK - 1024, CHUNK - 500, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_repeat_at_a_chunk_border_is_found_once(at: int) -> None:
    assert repeats(with_repeat(at, 1024)) == [(at, at + 1024)]


def test_a_buffer_written_three_times_is_one_repeat() -> None:
    sound = white_noise(0.1, 2 * RATE)
    for at in (20_000, 20_512):
        sound[at : at + 512] = sound[at - 512 : at]
    assert (20_000, 21_024) in repeats(sound)


@pytest.mark.parametrize("buffer", [100, 300, 700, 3000])
def test_other_sizes_are_no_buffers(buffer: int) -> None:
    assert repeats(with_repeat(20_000, buffer)) == []


def test_half_a_buffer_is_no_repeat() -> None:
    sound = white_noise(0.1, 2 * RATE)
    sound[20_000:20_500] = sound[20_000 - 1024 : 20_500 - 1024]
    assert repeats(sound) == []


def test_periodic_sound_repeats_for_longer() -> None:
    assert repeats(np.tile(sine(1000, 0.01, RATE, 0.5) + 0.01, 200)) == []


def test_faint_noise_and_silence_do_not_count() -> None:
    assert repeats(with_repeat(20_000, 1024, rms=0.0005)) == []
    assert repeats(np.zeros(2 * RATE)) == []


def test_a_copy_with_another_gain_is_no_repeat() -> None:
    sound = white_noise(0.1, 2 * RATE)
    sound[20_000:21_024] = 0.9 * sound[20_000 - 1024 : 20_000]
    assert repeats(sound) == []


def test_each_channel_has_repeats_of_its_own() -> None:
    both = np.stack((white_noise(0.1, 2 * RATE), with_repeat(20_000, 512)), axis=1)
    assert repeats(both, channel=0) == []
    assert repeats(both, channel=1) == [(20_000, 20_512)]


@settings(max_examples=15, deadline=None)
@given(st.integers(10_000, 2 * RATE - 5_000), st.sampled_from(BUFFERS))
def test_a_repeat_anywhere_is_found_once(at: int, buffer: int) -> None:
    assert repeats(with_repeat(at, buffer)) == [(at, at + buffer)]
