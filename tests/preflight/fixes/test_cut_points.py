"""Where a recording can be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.fixes.cut_points import CutPoints, first_cut_after, last_cut_before

Span = tuple[float, float]
ORDERED = st.lists(st.integers(1, 40), min_size=2, max_size=16, unique=True).map(
    lambda edges: [(a / 4, b / 4) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)
PAUSES: list[Span] = [(0.0, 0.5), (4.0, 5.0), (8.0, 8.3), (20.0, 20.4)]


@pytest.mark.parametrize(
    ("end_s", "cut"),
    [
        (10.0, 4.5),  # the last is short: within a sentence
        (4.2, 4.2),  # inside a pause, at the limit
        (4.05, None),  # too close to the sound before it; a pause at the very start leaves nothing
        (19.0, 8.15),  # the long one is further back than ten seconds
        (30.1, 20.2),
        (300.0, 20.2),  # no pause in the last ten seconds: the last one
        (0.4, None),
    ],
)
def test_the_last_cut(end_s: float, cut: float | None) -> None:
    assert last_cut_before(PAUSES, end_s) == (None if cut is None else pytest.approx(cut))


@pytest.mark.parametrize(
    ("start_s", "cut"), [(0.0, 0.25), (0.3, 0.3), (0.45, 4.5), (4.7, 4.7), (6.0, 8.15), (20.35, None), (21.0, None)]
)
def test_the_first_cut(start_s: float, cut: float | None) -> None:
    assert first_cut_after(PAUSES, start_s) == (None if cut is None else pytest.approx(cut))


@given(ORDERED, st.integers(0, 44))
def test_a_first_cut_is_in_the_earliest_usable_pause(pauses: list[Span], quarter: int) -> None:
    start_s = quarter / 4
    cut = first_cut_after(pauses, start_s)
    usable = [pause for pause in pauses if pause[1] - 0.1 >= start_s]
    if cut is None:
        assert not usable
        return
    first, last = usable[0]
    assert max(first, start_s) <= cut <= last - 0.1


@given(ORDERED, st.integers(0, 60))
def test_a_last_cut_is_in_a_pause_at_or_before_the_end(pauses: list[Span], quarter: int) -> None:
    end_s = quarter / 4
    cut = last_cut_before(pauses, end_s)
    usable = [pause for pause in pauses if 0 < pause[0] <= end_s - 0.1]
    if cut is None:
        # a pause that reaches into the last ten seconds from the very start leaves nothing
        assert not [pause for pause in usable if pause[1] >= end_s - 10]
        return
    assert cut <= end_s
    assert any(start + 0.1 <= cut < end for start, end in usable)


def test_the_longest_window_begins_and_ends_at_cuts() -> None:
    pauses = [(100.0, 102.0), (280.0, 281.0), (350.0, 351.0)]
    cuts = CutPoints(pauses, seconds=400.0)
    assert cuts.longest_window(0.0, 400.0) == (0.0, 280.5)
    assert cuts.longest_window(100.0, 400.0) == (101.0, 400.0)  # shorter than five minutes: to the end
    assert cuts.longest_window(90.0, 300.0) == (101.0, 280.5)
    assert cuts.longest_window(360.0, 400.0) is None  # no cut follows
