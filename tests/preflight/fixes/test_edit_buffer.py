"""Edits in pydub segments: to the sample, without loss, and without clipping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from preflight.fixes.edit_buffer import (
    EditBuffer,
    amplify,
    cut,
    full_scale_for,
    prepend,
    remove_spans,
    to_block,
    to_segment,
)

RATE = 8000
FADE = RATE // 100
Sound = NDArray[np.float32]


def noise(frames: int, channels: int = 1, bits: int = 24, peak: float = 0.9, seed: int = 1) -> Sound:
    """Uniform noise that was quantized to `bits`."""
    top = 2 ** (bits - 1)
    samples = np.random.default_rng(seed).uniform(-peak, peak, (frames, channels))
    return np.asarray(np.rint(samples * top) / top, np.float32)


def blocks_of(sound: Sound, size: int) -> Iterator[Sound]:
    return (sound[start : start + size] for start in range(0, len(sound), size))


def joined(blocks: Iterator[Sound], channels: int = 1) -> Sound:
    return np.concatenate([np.zeros((0, channels), np.float32), *blocks])


@pytest.mark.parametrize(
    ("peak", "expected"),
    [(0.0, 1.0), (0.3, 0.5), (0.5, 1.0), (0.999, 1.0), (1.0, 2.0), (127.0, 128.0), (1e-30, 2**-64)],
)
def test_full_scale_is_the_next_power_of_two(peak: float, expected: float) -> None:
    assert full_scale_for(peak) == expected


@pytest.mark.parametrize("bits", [8, 16, 24])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("full_scale", [1.0, 2.0, 128.0])
def test_integer_recordings_convert_without_error(bits: int, channels: int, full_scale: float) -> None:
    sound = noise(500, channels, bits)
    segment = to_segment(sound, full_scale)
    assert (segment.sample_width, segment.channels, len(segment)) == (4, channels, 500)
    assert np.array_equal(to_block(segment, full_scale), sound)


@given(peak_db=st.floats(-100, 42), seed=st.integers(0, 2**32 - 1))
def test_float_recordings_convert_with_30_bits_below_the_peak(peak_db: float, seed: int) -> None:
    sound = np.random.default_rng(seed).uniform(-1, 1, (100, 1)).astype(np.float32)
    sound *= np.float32(10 ** (peak_db / 20))
    full_scale = full_scale_for(float(np.abs(sound).max()))
    error = np.abs(to_block(to_segment(sound, full_scale), full_scale).astype(np.float64) - sound)
    assert error.max() <= np.abs(sound).max() * 2.0**-23  # the last bit of float32 itself


def test_a_read_returns_the_exact_number_of_frames() -> None:
    sound = noise(1000)
    buffer = EditBuffer(blocks_of(sound, 64), 1.0)
    buffer.skip(10)
    first = buffer.read_one(333)
    assert first is not None
    assert np.array_equal(to_block(first, buffer.full_scale), sound[10:343])
    assert buffer.position == 343
    rest = joined(to_block(segment, buffer.full_scale) for segment in buffer.read(None))
    assert np.array_equal(rest, sound[343:])
    assert buffer.read_one(5) is None


def test_empty_blocks_are_skipped() -> None:
    sound = noise(10)
    blocks = iter([sound[:0], sound[:4], sound[:0], sound[4:], sound[:0]])
    assert np.array_equal(joined(amplify(cut(blocks, RATE, (0, 10 / RATE), peak=1, fades=(False, False)), 0.0)), sound)


@settings(max_examples=60)
@given(
    size=st.integers(1, 900),
    start=st.integers(0, 700),
    length=st.integers(2 * FADE, 1000),
    fades=st.tuples(st.booleans(), st.booleans()),
    rate=st.sampled_from([RATE, 7999, 8001, 11_025]),
)
def test_a_cut_is_exact_to_the_sample(size: int, start: int, length: int, fades: tuple[bool, bool], rate: int) -> None:
    sound = noise(2000, 2)
    window = (start / rate, (start + length) / rate)
    kept = joined(cut(blocks_of(sound, size), rate, window, peak=1.0, fades=fades), 2)
    assert len(kept) == length
    fade = round(rate * 0.01)
    inner = slice(fade * fades[0], length - fade * fades[1])
    assert np.array_equal(kept[inner], sound[start : start + length][inner])
    if fades[0]:
        assert np.abs(kept[0]).max() < 1e-5
    if fades[1]:
        assert np.abs(kept[-1]).max() <= 1 / fade


def test_a_fade_is_linear() -> None:
    ones = np.ones((1000, 1), np.float32)
    kept = joined(cut(blocks_of(ones, 100), RATE, (0, 1000 / RATE), peak=1.0, fades=(True, True)))[:, 0]
    assert kept[:FADE] == pytest.approx(np.arange(FADE) / FADE, abs=2e-6)
    assert kept[-FADE:] == pytest.approx(1 - np.arange(FADE) / FADE, abs=2e-6)


@given(gain=st.floats(0.1, 100))
@settings(max_examples=20)
def test_fades_do_not_clip_floating_point_above_full_scale(gain: float) -> None:
    block = np.full((4800, 1), gain, np.float32)
    kept = joined(cut(iter([block]), 48_000, (0.02, 0.08), peak=gain, fades=(True, True)))
    assert kept.max() == pytest.approx(gain, rel=1e-6)
    assert kept[0] < 0.1 * gain


def test_a_cut_beyond_the_end_keeps_what_is_there() -> None:
    sound = noise(1000)
    kept = joined(cut(blocks_of(sound, 64), RATE, (0.1, 0.2), peak=1.0, fades=(False, True)))
    assert len(kept) == 200
    assert np.array_equal(kept[:100], sound[800:900])


@settings(max_examples=40)
@given(size=st.integers(1, 900), start=st.integers(FADE, 800), length=st.integers(2 * FADE, 800))
def test_removed_spans_are_crossfaded(size: int, start: int, length: int) -> None:
    sound, end = noise(2000), start + length
    kept = joined(remove_spans(blocks_of(sound, size), RATE, [(start / RATE, end / RATE)], peak=1.0))
    assert len(kept) == 2000 - length
    assert np.array_equal(kept[:start], sound[:start])
    assert np.array_equal(kept[start + FADE :], sound[end + FADE :])
    ramp = (np.arange(FADE) / FADE)[:, np.newaxis]
    expected = sound[start : start + FADE] * (1 - ramp) + sound[end : end + FADE] * ramp
    assert np.abs(kept[start : start + FADE] - expected).max() < 3e-6


def test_a_crossfade_of_a_constant_is_the_constant() -> None:
    kept = joined(remove_spans(blocks_of(np.ones((900, 1), np.float32), 77), RATE, [(0.02, 0.05)], peak=1.0))
    assert kept == pytest.approx(1.0, abs=3e-6)


def test_several_spans_are_removed() -> None:
    sound = noise(8000)
    spans = [(0.1, 0.2), (0.4, 0.5), (0.7, 0.95)]
    kept = joined(remove_spans(blocks_of(sound, 500), RATE, spans, peak=1.0))
    assert len(kept) == 8000 - 0.45 * RATE
    assert np.array_equal(kept[FADE - 400 :], sound[FADE - 400 :])


@pytest.mark.parametrize("gain_db", [-60.0, -3.0, 0.0, 6.0, 40.0])
@pytest.mark.parametrize("peak", [1e-4, 0.5, 90.0])
def test_a_gain_is_as_exact_as_float32_and_never_clips(gain_db: float, peak: float) -> None:
    sound = np.random.default_rng(2).uniform(-peak, peak, (5000, 2)).astype(np.float32)
    expected = sound * 10 ** (gain_db / 20)
    result = joined(amplify(blocks_of(sound, 700), gain_db), 2)
    # the last bit of float32, and one of the 31 bits before the gain
    assert np.abs(result - expected).max() <= np.abs(expected).max() * 2.0**-23 + peak * 2.0**-30


def test_silence_stays_silence() -> None:
    result = joined(amplify(iter([np.zeros((100, 1), np.float32)]), 30.0))
    assert not result.any()


@pytest.mark.parametrize("length", [0, 1, 300])
def test_silence_is_prepended(length: int) -> None:
    sound, silence = noise(1000, 2), noise(length, 2, seed=5) * np.float32(1e-3)
    result = joined(prepend(silence, blocks_of(sound, 256)), 2)
    assert len(result) == 1000 + length
    assert np.array_equal(result[length:], sound)
    assert np.abs(result[:length] - silence).max(initial=0.0) < 2**-31


def test_nothing_is_prepended_to_nothing() -> None:
    assert list(prepend(noise(10), iter([]))) == []


def test_a_long_recording_is_held_block_by_block() -> None:
    """A generator that notices how many of its blocks are alive at a time."""
    alive: list[Any] = []

    def endless() -> Iterator[Sound]:
        for number in range(200):
            alive.append(number)
            yield noise(100, seed=number)

    buffer = EditBuffer(endless(), 1.0)
    for _ in zip(range(20), buffer.read(None), strict=False):
        pass
    assert len(alive) <= 21
