"""Spans and pauses."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis.meters.peak_and_rms import LevelMeter
from preflight.analysis.spans import (
    MIN_PAUSE_S,
    find_pauses,
    merged,
    pauses_between_speech,
    true_runs,
    without,
)
from tests.support.chunks import measured_by, sine

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12)


@given(st.lists(st.booleans(), max_size=60))
def test_true_runs(flags: list[bool]) -> None:
    expected, at = [], 0
    for value, group in groupby(flags):
        length = len(list(group))
        if value:
            expected.append([at, at + length])
        at += length
    assert true_runs(np.array(flags, bool)).tolist() == expected


@given(PAIRS, st.integers(0, 5))
def test_spans_are_joined_where_they_are_close(pairs: list[tuple[int, int]], gap: int) -> None:
    spans = [(start, start + length) for start, length in pairs]
    joined: list[list[float]] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= gap:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    begins, ends = (np.array([span[side] for span in spans], float) for side in (0, 1))
    assert [list(span) for span in merged(begins, ends, gap)] == joined


def test_no_spans() -> None:
    assert merged(np.empty(0), np.empty(0), 1.0) == ()
    assert true_runs(np.zeros(0, bool)).shape == (0, 2)


FRAME_S = 0.01
Span = tuple[float, float]


def levels(*parts: tuple[float, float]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The level in dBFS for so many seconds, one after the other."""
    return np.concatenate([np.full(round(seconds / FRAME_S), dbfs, np.float32) for dbfs, seconds in parts])


def test_a_pause_is_where_the_level_is_near_the_floor() -> None:
    found = find_pauses(levels((-20, 1), (-60, 0.5), (-20, 2), (-55, 0.3), (-20, 1)), FRAME_S)
    assert found == [pytest.approx((1.0, 1.5)), pytest.approx((3.5, 3.8))]


@pytest.mark.parametrize(("seconds", "count"), [(0.24, 0), (0.25, 1), (0.26, 1)])
def test_a_pause_lasts_a_quarter_of_a_second(seconds: float, count: int) -> None:
    assert len(find_pauses(levels((-20, 1), (-60, seconds), (-20, 1)), FRAME_S)) == count


def test_the_threshold_is_a_quarter_of_the_way_up() -> None:
    """Floor -60, speech -20: the threshold is -50 dBFS."""
    for dbfs, count in ((-50.5, 2), (-49.5, 1)):
        found = find_pauses(levels((-20, 2), (-60, 0.5), (-20, 2), (dbfs, 0.3), (-20, 1)), FRAME_S)
        assert len(found) == count


def test_no_pauses_without_contrast() -> None:
    assert find_pauses(levels((-20, 1), (-31, 1), (-20, 1)), FRAME_S) == []
    assert find_pauses(np.empty(0, np.float32), FRAME_S) == []


def test_digital_silence_does_not_lower_the_threshold() -> None:
    """The floor is at least -80 dBFS, so that the room's noise at -70 dBFS is a pause, too."""
    found = find_pauses(levels((-20, 2), (-120, 1), (-20, 2), (-70, 0.5), (-20, 2)), FRAME_S)
    assert len(found) == 2


def test_pauses_of_a_recording_without_the_speech_in_them() -> None:
    sound = np.concatenate((sine(400, 1, 16_000, 0.1), np.zeros(16_000), sine(400, 1, 16_000, 0.1)))
    meter = measured_by(LevelMeter, sound, 16_000)
    assert pauses_between_speech(meter, ()) == [pytest.approx((1.0, 2.0), abs=0.02)]
    (left,) = pauses_between_speech(meter, ((0.0, 1.5), (2.0, 3.0)))
    assert left == pytest.approx((1.5, 2.0), abs=0.02)


ORDERED = st.lists(st.integers(1, 40), min_size=2, max_size=16, unique=True).map(
    lambda edges: [(a / 4, b / 4) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)


@given(ORDERED, ORDERED)
def test_what_remains_is_in_a_pause_and_outside_speech(pauses: list[Span], speech: list[Span]) -> None:
    left = without(pauses, tuple(speech))
    moments = np.arange(0, 11, 0.05) + 0.01
    inside = [any(a <= moment < b for a, b in left) for moment in moments]
    expected = [
        any(a <= moment < b for a, b in pauses) and not any(a <= moment < b for a, b in speech) for moment in moments
    ]
    assert inside == expected  # on a grid of 0.25 s, no part is too short
    assert all(end - start >= MIN_PAUSE_S for start, end in left)


@given(PAIRS, st.integers(0, 5))
def test_merged_spans_stay_as_they_are(pairs: list[tuple[int, int]], gap: int) -> None:
    begins = np.array([start for start, _ in pairs], float)
    once = merged(begins, begins + [length for _, length in pairs], gap)
    edges = np.array(once, float).reshape(-1, 2)
    assert merged(edges[:, 0], edges[:, 1], gap) == once
    assert merged(edges[::-1, 0], edges[::-1, 1], gap) == once


@given(PAIRS)
def test_merging_without_a_gap_keeps_the_set_of_moments(pairs: list[tuple[int, int]]) -> None:
    begins = np.array([start for start, _ in pairs], float)
    found = merged(begins, begins + [length for _, length in pairs], 0)
    covered = {moment for start, length in pairs for moment in range(start, start + length)}
    assert {moment for start, end in found for moment in range(int(start), int(end))} == covered
    assert sum(end - start for start, end in found) == len(covered)


@given(ORDERED)
def test_pauses_without_speech_are_their_own_rest(pauses: list[Span]) -> None:
    assert without(pauses, ()) == pauses
    assert without(pauses, tuple(pauses)) == []
    assert without(pauses, ((0.0, 100.0),)) == []


@pytest.mark.parametrize("shift_db", [-30.0, -10.0, 15.0])
def test_pauses_do_not_depend_on_the_level(shift_db: float) -> None:
    plain = levels((-20, 1), (-45, 0.5), (-25, 2), (-44, 0.3), (-20, 1))
    assert find_pauses(plain + np.float32(shift_db), FRAME_S) == find_pauses(plain, FRAME_S)
