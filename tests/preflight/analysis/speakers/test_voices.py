"""One voice or two, and which take differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.speakers.voices import Split, Voices, likeness, odd_ones

RANDOM = np.random.default_rng(2)
ANN, BEN, EVE = (np.abs(RANDOM.normal(size=256)) * (RANDOM.random(256) > 0.6) for _ in range(3))
"""Voices as the encoder gives them: without negative values, and many of them zero."""


def voices(*centers: Any, spread: float = 0.3) -> Voices:
    """One window for each center, each a little beside it."""
    random = np.random.default_rng(len(centers))
    vectors = np.stack([center + spread * np.abs(random.normal(size=256)) for center in centers])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    spans = tuple((2.0 * at, 2.0 * at + 1.6) for at in range(len(centers)))
    return Voices(vectors=vectors.astype("<f4").tobytes(), spans=spans)


def split(*centers: Any) -> Split:
    found = voices(*centers).split()
    assert found is not None
    return found


def test_two_voices_are_found_where_they_are() -> None:
    found = split(*[ANN] * 6, BEN, BEN, *[ANN] * 4)
    assert found.cosine < 0.75
    assert found.share == pytest.approx(2 / 12)
    assert found.spans == ((12.0, 13.6), (14.0, 15.6))


def test_one_voice() -> None:
    assert split(*[ANN] * 12).cosine > 0.9


def test_one_window_is_no_second_speaker() -> None:
    assert split(*[ANN] * 11, BEN) == Split(1.0, 0.0, ())


def test_too_little_speech() -> None:
    assert voices(ANN, BEN, BEN).split() is None
    assert Voices().split() is None
    with pytest.raises(ValueError, match="no speech"):
        Voices().mean()


def test_moved_to_where_the_part_is() -> None:
    moved = voices(ANN, ANN).moved(60.0)
    assert moved.spans == ((60.0, 61.6), (62.0, 63.6))
    assert moved.vectors == voices(ANN, ANN).vectors


def test_likeness() -> None:
    first, second = voices(ANN, ANN), voices(ANN, ANN, ANN)
    assert likeness(first, first) == pytest.approx(1.0, abs=1e-6)
    assert (likeness(first, second) or 0) > 0.9
    assert (likeness(first, voices(BEN, BEN)) or 0) < 0.75
    assert likeness(first, Voices()) is None


def test_the_take_that_differs() -> None:
    assert odd_ones([voices(ANN, ANN), voices(ANN, ANN, ANN), voices(BEN, BEN)]).keys() == {2}
    assert odd_ones([voices(BEN, BEN), voices(ANN, ANN, ANN), voices(ANN, ANN)]).keys() == {0}
    assert odd_ones([voices(ANN, ANN), voices(BEN, BEN)]).keys() == {1}
    assert odd_ones([voices(ANN, ANN), voices(EVE), voices(ANN), voices(BEN, BEN), voices(ANN)]).keys() == {1, 3}


def test_takes_of_one_voice_and_takes_without_speech() -> None:
    assert odd_ones([voices(ANN, ANN), Voices(), voices(ANN, ANN, ANN)]) == {}
    assert odd_ones([Voices(), voices(BEN)]) == {}


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4], [2, 4, 5, 1, 3, 0]])
def test_the_order_of_the_windows_does_not_matter(order: list[int]) -> None:
    all_windows = voices(ANN, ANN, ANN, ANN, BEN, BEN)
    moved = Voices(
        vectors=all_windows.array()[order].tobytes(), spans=tuple(all_windows.spans[number] for number in order)
    )
    plain, found = all_windows.split(), moved.split()
    assert plain is not None
    assert found is not None
    assert found.cosine == pytest.approx(plain.cosine, abs=1e-5)
    assert found.share == plain.share
    assert set(found.spans) == set(plain.spans)


@pytest.mark.parametrize(("windows", "of_ben", "splits"), [(4, 2, True), (19, 1, False), (20, 2, True), (30, 2, False)])
def test_a_second_voice_has_two_windows_and_a_tenth(windows: int, of_ben: int, splits: bool) -> None:
    found = split(*[ANN] * (windows - of_ben), *[BEN] * of_ben)
    assert (found.share > 0) == splits
    assert (found.cosine < 0.75) == splits
    assert len(found.spans) == (of_ben if splits else 0)


def test_identical_windows_are_one_voice() -> None:
    vector = (ANN / np.linalg.norm(ANN)).astype("<f4").tobytes()
    same = Voices(vectors=5 * vector, spans=tuple((float(at), at + 1.6) for at in range(5)))
    assert same.split() == Split(1.0, 0.0, ())
    assert np.linalg.norm(same.mean()) == pytest.approx(1, abs=1e-6)


def test_likeness_is_the_same_both_ways() -> None:
    one, other = voices(ANN, ANN, BEN), voices(EVE, ANN)
    assert likeness(one, other) == likeness(other, one)
    assert 0 < (likeness(one, other) or 0) < 1
