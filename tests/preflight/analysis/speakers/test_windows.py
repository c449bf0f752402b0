"""Windows spread over the speech of a take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.speakers.voices import Voices
from preflight.analysis.speakers.windows import EMBEDDED, VoiceMeter

FRAME = 512
FRAME_S = 0.032


def frames_of(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Noise, because the content does not matter here."""
    return np.random.default_rng(3).normal(0, 0.05, (count, FRAME)).astype(np.float32)


def test_the_windows_of_a_short_take() -> None:
    meter = VoiceMeter(FRAME_S)
    meter.add(frames_of(101), np.ones(101, np.float32))
    voices = meter.voices()
    # 51 frames each, every 25
    assert voices.spans == ((0.0, 1.632), (0.8, 2.432), (1.6, 3.232))
    assert voices.array().shape == (3, 256)


def test_too_little_speech_for_a_window() -> None:
    meter = VoiceMeter(FRAME_S)
    meter.add(frames_of(60), np.r_[np.ones(50), np.zeros(10)].astype(np.float32))
    assert meter.windows() == []
    assert meter.voices() == Voices()


def test_pauses_are_left_out() -> None:
    meter = VoiceMeter(FRAME_S)
    meter.add(frames_of(200), np.r_[np.ones(30), np.zeros(100), np.ones(70)].astype(np.float32))
    assert meter.windows()[0][0] == (0.0, round(151 * FRAME_S, 3))


@given(st.lists(st.integers(1, 64), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_blocks_do_not_matter(lengths: list[int]) -> None:
    frames = frames_of(sum(lengths))
    probabilities = np.random.default_rng(5).uniform(0.3, 1.0, len(frames)).astype(np.float32)
    whole, cut = VoiceMeter(FRAME_S), VoiceMeter(FRAME_S)
    whole.add(frames, probabilities)
    at = 0
    for length in lengths:
        cut.add(frames[at : at + length], probabilities[at : at + length])
        at += length
    expected, found = whole.windows(), cut.windows()
    assert [span for span, _ in found] == [span for span, _ in expected]
    assert all((one == other).all() for (_, one), (_, other) in zip(found, expected, strict=True))


@pytest.mark.parametrize("minutes", [2, 7])
def test_the_windows_of_a_long_take_are_few_and_evenly_spread(minutes: int) -> None:
    meter, block = VoiceMeter(FRAME_S), frames_of(64)
    blocks = round(minutes * 60 / (64 * FRAME_S))
    for _ in range(blocks):
        meter.add(block, np.ones(64, np.float32))
        assert len(meter._kept) < 2 * EMBEDDED  # memory does not grow
    spans = [span for span, _ in meter.windows()]
    gaps = np.diff([start for start, _ in spans])
    assert len(spans) == EMBEDDED
    assert spans[0][0] == 0.0
    assert spans[-1][1] > minutes * 60 * 0.94
    assert gaps.max() < 2.01 * gaps.min()


def test_a_window_holds_the_samples_of_its_frames() -> None:
    """Every other frame is speech: the window has these frames, one after the other."""
    frames = frames_of(120)
    probabilities = np.resize([1.0, 0.0], 120).astype(np.float32)
    meter = VoiceMeter(FRAME_S)
    meter.add(frames, probabilities)
    ((span, window),) = meter.windows()
    assert span == (0.0, round(101 * FRAME_S, 3))
    assert np.array_equal(window, frames[::2].ravel()[: len(window)])


@pytest.mark.parametrize(("probability", "count"), [(0.49, 0), (0.5, 1)])
def test_speech_has_a_probability_of_one_half(probability: float, count: int) -> None:
    meter = VoiceMeter(FRAME_S)
    meter.add(frames_of(60), np.full(60, probability, np.float32))
    assert len(meter.windows()) == count
