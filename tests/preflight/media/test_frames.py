"""Conversion of decoded frames to one format, and collection to blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from preflight.media.frames import FrameCollector, FrameConverter, samples_of

RATE = 16_000


def frame(samples: NDArray[Any], form: str = "fltp", layout: str = "mono", rate: int = RATE) -> av.AudioFrame:
    made = av.AudioFrame.from_ndarray(samples, format=form, layout=layout)
    made.sample_rate = rate
    return made


def silence(count: int, channels: int = 1, rate: int = RATE) -> av.AudioFrame:
    return frame(np.zeros((channels, count), np.float32), layout="mono" if channels == 1 else "stereo", rate=rate)


@pytest.mark.parametrize(
    ("form", "dtype", "lowest", "step"),
    [("u8", np.uint8, 0, 1 / 128), ("s16", np.int16, -(2**15), 2**-15), ("s32", np.int32, -(2**31), 2**-31)],
)
def test_integers_are_scaled_to_a_full_scale_of_one(form: str, dtype: type, lowest: int, step: float) -> None:
    middle = 128 if form == "u8" else 0
    values: NDArray[Any] = np.array([[lowest, middle, middle + 1]], dtype)
    for planar in ("", "p"):
        assert np.allclose(samples_of(frame(values, form + planar)), [[-1, 0, step]], atol=1e-9)


def test_interleaved_and_planar_stereo_have_the_same_shape() -> None:
    left, right = np.arange(5, dtype=np.float32) / 8, -np.arange(5, dtype=np.float32) / 8
    planar = frame(np.stack([left, right]), "fltp", "stereo")
    packed = frame(np.stack([left, right], axis=1).reshape(1, -1), "flt", "stereo")
    for made in (planar, packed):
        assert np.array_equal(samples_of(made), [left, right])


def test_frames_in_the_output_format_pass_unchanged() -> None:
    changes: list[tuple[float, int, int]] = []
    converter = FrameConverter(RATE, 1, changes)
    given = silence(100)
    assert list(converter.frames(given)) == [given]
    assert (converter.position_s, changes) == (100 / RATE, [])


@pytest.mark.parametrize(("channels", "rate"), [(2, RATE), (1, 48_000), (2, 8_000)])
def test_another_format_is_converted_and_recorded(channels: int, rate: int) -> None:
    changes: list[tuple[float, int, int]] = []
    converter = FrameConverter(RATE, 1, changes)
    frames: list[av.AudioFrame] = []
    for given in (silence(RATE), *[silence(rate // 10, channels, rate)] * 10, None):
        frames += converter.frames(given)
    assert changes == [(1.0, rate, channels)]
    assert {(made.sample_rate, made.layout.nb_channels) for made in frames} == {(RATE, 1)}
    assert sum(made.samples for made in frames) == pytest.approx(2 * RATE, abs=50)


def test_changes_of_rate_and_channels_in_adjacent_frames_are_one() -> None:
    changes: list[tuple[float, int, int]] = []
    converter = FrameConverter(RATE, 1, changes)
    for given in (silence(RATE), silence(160, 2), silence(480, 2, 48_000)):
        list(converter.frames(given))
    assert [(rate, channels) for _, rate, channels in changes] == [(48_000, 2)]


def collected(frames: Iterator[av.AudioFrame], block_frames: int) -> list[NDArray[np.float32]]:
    collector = FrameCollector(block_frames)
    blocks = [block for made in frames for block in collector.add(made)]
    return [*blocks, *collector.end()]


def test_small_frames_are_collected_to_blocks() -> None:
    ramp = np.arange(1000, dtype=np.float32).reshape(1, -1)
    blocks = collected((frame(part) for part in np.split(ramp, 10, axis=1)), 300)
    assert [block.shape for block in blocks] == [(1, 300)] * 3 + [(1, 100)]
    assert np.array_equal(np.concatenate(blocks, axis=1), ramp)


def test_another_sample_format_starts_a_new_block() -> None:
    given = [silence(100), frame(np.zeros((1, 100), np.int16), "s16"), silence(100)]
    assert [block.shape[1] for block in collected(iter(given), 1000)] == [100, 100, 100]
