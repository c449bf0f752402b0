"""Frames: conversion and full scale."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import preflight
from preflight.media.frames import FrameCollector, FrameConverter, ScaleMeter, samples_of
from tests.preflight.fixes.test_convert import decoded
from tests.support.make_audio import story, wav


def scale_of(sound: Any) -> float:
    meter = ScaleMeter()
    for start in range(0, len(sound), 30_000):
        meter.add(sound[start : start + 30_000])
    return meter.scale()


@pytest.mark.parametrize("form", ["WAV", "RF64"])
@pytest.mark.parametrize(("full", "whole"), [(2.0**15, True), (2.0**15, False), (2.0**23, False), (2.0**31, False)])
def test_unscaled_integers_are_an_error_that_fix_repairs(full: float, whole: bool, form: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.wav", tmp_path / "out.wav"
    sound = story().astype(np.float64) * full
    stored = np.rint(sound) if whole else sound * 0.9
    path.write_bytes(wav(stored.astype(np.float32), subtype="FLOAT", form=form))
    report = preflight.check(path)
    finding = next(finding for finding in report.errors if finding.rule == "float-scale")
    assert (report.verdict, finding.value) == ("fixable", full)
    assert report.measurements["rms_dbfs"] < -10
    assert not {"too-loud", "dc-offset", "dropouts", "damaged"} & {finding.rule for finding in report.findings}
    fixed = preflight.fix(path, out)
    assert (fixed.action, fixed.edits[0].name) == ("convert", "scale")
    assert np.abs(decoded(out)[:, 0] - story() * (1 if whole else 0.9)).max() < 1e-4
    assert not {"float-scale", "too-loud"} & {finding.rule for finding in preflight.check(out).findings}


def test_a_full_scale_above_32_bits_is_detected() -> None:
    assert scale_of(story() * np.float32(1e30)) > 1e29


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    gain=st.floats(0.001, 60),
    glitches=st.lists(st.tuples(st.integers(0, 100_000), st.sampled_from([np.nan, np.inf, 1e30, -3e4])), max_size=5),
)
def test_a_hot_or_damaged_take_keeps_its_scale(gain: float, glitches: list[tuple[int, float]]) -> None:
    sound = story()[:120_000] * np.float32(gain)
    for place, value in glitches:
        sound[place] = value
    assert scale_of(sound) == 1.0


def test_the_full_scale_of_silence_is_one() -> None:
    assert scale_of(np.empty(0, np.float32)) == 1.0
    assert scale_of(np.zeros(9000, np.float32)) == 1.0
    assert scale_of(np.full(9000, np.nan, np.float32)) == 1.0


RATE = 16_000


def frame(samples: NDArray[Any], form: str = "fltp", layout: str = "mono", rate: int = RATE) -> av.AudioFrame:
    made = av.AudioFrame.from_ndarray(samples, format=form, layout=layout)
    made.sample_rate = rate
    return made


def silence(count: int, channels: int = 1, rate: int = RATE) -> av.AudioFrame:
    if channels > 2:  # interleaved: PyAV makes no planes for more than eight channels
        return frame(np.zeros((1, channels * count), np.float32), "flt", f"{channels} channels", rate)
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
    for item in (silence(RATE), *[silence(rate // 10, channels, rate)] * 10, None):
        frames += converter.frames(item)
    assert changes == [(1.0, rate, channels)]
    assert {(made.sample_rate, made.layout.nb_channels) for made in frames} == {(RATE, 1)}
    assert sum(made.samples for made in frames) == pytest.approx(2 * RATE, abs=50)


def test_no_frame_passes_unconverted_after_one_that_cannot_be_converted() -> None:
    """FFmpeg cannot convert channels without a known layout, as in damaged AAC."""
    converter = FrameConverter(RATE, 2, [])
    frames: list[av.AudioFrame] = []
    for channels in (2, 9, 2, 9, 2, 9, 9, 2):
        with contextlib.suppress(av.FFmpegError):
            frames += converter.frames(silence(1024, channels))
    assert {made.layout.nb_channels for made in frames} == {2}


def test_changes_of_rate_and_channels_in_adjacent_frames_are_one() -> None:
    changes: list[tuple[float, int, int]] = []
    converter = FrameConverter(RATE, 1, changes)
    for item in (silence(RATE), silence(160, 2), silence(480, 2, 48_000)):
        list(converter.frames(item))
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
