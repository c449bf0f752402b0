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
