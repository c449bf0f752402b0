"""Spans of speech from probabilities, and probabilities from any pieces of sound."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.vad.silero import WINDOW
from preflight.analysis.vad.speech import SAMPLES_PER_FRAME, SpeechMeter, SpeechTrack, hysteresis
from tests.support import make_audio as making

PROBABILITIES = st.lists(st.floats(0, 1), max_size=60).map(lambda values: np.array(values, np.float32))


@settings(max_examples=30)
@given(PROBABILITIES)
def test_hysteresis(probabilities: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    expected, is_on = [], False
    for probability in probabilities:
        is_on = bool(probability >= 0.5 or (is_on and probability >= np.float32(0.35)))
        expected.append(is_on)
    assert hysteresis(probabilities).tolist() == expected


def track(*probabilities: float) -> SpeechTrack:
    return SpeechTrack(np.array(probabilities, np.float32), 0.032)


def test_a_span_covers_its_windows() -> None:
    assert track(0, 0.9, 0.9, 0.9, 0.9, 0, 0).spans(1.0)[0] == pytest.approx((0.032, 0.16))


@pytest.mark.parametrize(("windows", "count"), [(3, 0), (4, 1)])
def test_a_span_lasts_a_tenth_of_a_second(windows: int, count: int) -> None:
    assert len(track(0, *[0.9] * windows, 0).spans(1.0)) == count


@pytest.mark.parametrize(("windows", "count"), [(3, 1), (4, 2)])
def test_gaps_of_up_to_a_tenth_of_a_second_are_closed(windows: int, count: int) -> None:
    speech = [0.9] * 5
    assert len(track(*speech, *[0.1] * windows, *speech).spans(1.0)) == count


def test_a_span_ends_with_the_recording() -> None:
    (span,) = track(*[0.9] * 10).spans(0.3)
    assert span == (0, 0.3)


@settings(max_examples=30)
@given(PROBABILITIES)
def test_spans_are_ordered_and_apart(probabilities: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    spans = SpeechTrack(probabilities, 0.032).spans(len(probabilities) * 0.032)
    assert all(end - start >= 0.1 for start, end in spans)
    assert all(after[0] - before[1] > 0.1 for before, after in pairwise(spans))


@pytest.mark.parametrize("piece", [700, 5_000, WINDOW * 64, 10**6])
def test_pieces_do_not_matter(piece: int) -> None:
    sound = making.talk(5).astype(np.float32)
    meters = SpeechMeter(16_000), SpeechMeter(16_000)
    meters[0].add(sound)
    for at in range(0, len(sound), piece):
        meters[1].add(sound[at : at + piece])
    whole, parts = (meter.result() for meter in meters)
    assert np.array_equal(whole.track.probabilities, parts.track.probabilities)
    assert whole.voice_like_s == parts.voice_like_s
    assert (whole.room_decay_s, whole.background) == (parts.room_decay_s, parts.background)


def test_pieces_do_not_matter_for_embeddings() -> None:
    sound = making.story().astype(np.float32)[: 12 * making.RATE]
    meters = SpeechMeter(16_000, speakers=True), SpeechMeter(16_000, speakers=True)
    meters[0].add(sound)
    for at in range(0, len(sound), 5_000):
        meters[1].add(sound[at : at + 5_000])
    whole, parts = (meter.result().voices for meter in meters)
    assert whole is not None
    assert len(whole.spans) > 3
    assert whole == parts


def test_silence_has_no_embeddings_and_without_speakers_there_are_none_at_all() -> None:
    with_speakers, without = SpeechMeter(16_000, speakers=True), SpeechMeter(16_000)
    for meter in (with_speakers, without):
        meter.add(np.zeros(16_000, np.float32))
    voices = with_speakers.result().voices
    assert voices is not None
    assert voices.spans == ()
    assert without.result().voices is None


@pytest.mark.parametrize(("samples", "windows"), [(0, 0), (1, 1), (512, 1), (513, 2), (512 * 65, 65)])
def test_the_last_window_is_padded(samples: int, windows: int) -> None:
    meter = SpeechMeter(16_000)
    meter.add(np.zeros(samples, np.float32))
    assert len(meter.result().track.probabilities) == windows


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_a_window_is_32_ms(rate: int) -> None:
    assert SAMPLES_PER_FRAME == 160
    assert SpeechMeter(rate).result().track.window_s == pytest.approx(0.032, rel=0.005)


@settings(max_examples=30)
@given(PROBABILITIES)
def test_spans_are_runs_whose_short_gaps_are_closed(
    probabilities: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    """A model of windows: three (96 ms) or fewer close a gap, four (128 ms) or more make a span."""
    flags = hysteresis(probabilities).tolist()
    speech = {at for at, flag in enumerate(flags) if flag}
    for at in sorted(speech):
        following = next((after for after in sorted(speech) if after > at), at)
        if following - at - 1 <= 3:
            speech |= set(range(at, following))
    runs = [at for at in sorted(speech) if at - 1 not in speech]
    ends = [at + 1 for at in sorted(speech) if at + 1 not in speech]
    expected = [(start, end) for start, end in zip(runs, ends, strict=True) if end - start >= 4]
    found = SpeechTrack(probabilities, 0.032).spans(100.0)
    assert [(round(start / 0.032), round(end / 0.032)) for start, end in found] == expected


@pytest.mark.parametrize("probability", [0.0, 0.34, 0.49])
def test_what_never_rises_to_one_half_is_no_speech(probability: float) -> None:
    assert track(*[probability] * 50).spans(1.6) == ()
