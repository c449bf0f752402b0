"""Decoding and speech detection in threads: in order, bounded, with errors passed on, and ended with their block."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis import threads
from preflight.analysis.analysis import Analysis
from preflight.analysis.threads import SpeechThread, read_ahead
from preflight.analysis.vad.speech import SpeechHeard, SpeechTrack
from tests.support import make_audio as making
from tests.support.audio_measures import analysis_of
from tests.support.processes import HANGS_AFTER_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.framing import Samples


class Broken(Exception):
    """Raised by what runs in a thread."""


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in {"preflight-decode", "preflight-speech"}]


@given(st.lists(st.integers(), max_size=40))
def test_items_come_in_order(items: list[int]) -> None:
    with read_ahead(items) as ahead:
        assert list(ahead) == items
    assert running() == []


@pytest.mark.parametrize("count", [0, 1, 50])
def test_an_error_comes_after_the_items_before_it(count: int) -> None:
    def items() -> Iterator[int]:
        yield from range(count)
        raise Broken

    seen = []
    with pytest.raises(Broken), read_ahead(items()) as ahead:  # noqa: PT012 - the items before it are checked below
        for item in ahead:
            seen.append(item)
    assert seen == list(range(count))
    assert running() == []


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_a_thread_ends_when_its_items_are_no_longer_wanted(taken: int) -> None:
    made = []

    def items() -> Iterator[int]:
        number = 0
        while True:
            made.append(number)
            yield number
            number += 1

    with read_ahead(items()) as ahead:
        for _ in range(taken):
            next(ahead)
        wait_until(lambda: len(made) > taken + threads._QUEUED)
    assert running() == []
    assert len(made) <= taken + threads._QUEUED + 2


class Detector:
    """A speech detector that notes what it gets, and fails at one of the pieces."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.pieces: list[Samples] = []
        self._fails_at = fails_at

    def add(self, samples: Samples) -> None:
        if len(self.pieces) == self._fails_at:
            raise Broken
        self.pieces.append(samples)

    def heard(self) -> SpeechHeard:
        return SpeechHeard(SpeechTrack(np.concatenate(self.pieces), 0.032), 0.0)


def test_the_detector_gets_all_samples_in_order() -> None:
    pieces = [np.full(size, size, np.float32) for size in range(1, 60)]
    with SpeechThread(Detector()) as thread:
        for piece in pieces:
            thread.add(piece)
        assert thread.heard().track.probabilities.tolist() == np.concatenate(pieces).tolist()
    assert running() == []


def test_an_error_of_the_detector_is_raised_and_blocks_nothing() -> None:
    with pytest.raises(Broken), SpeechThread(Detector(fails_at=2)) as thread:  # noqa: PT012 - `add` must not wait
        for _ in range(10 * threads._QUEUED):
            thread.add(np.zeros(1, np.float32))
        thread.heard()
    assert running() == []


def test_the_thread_of_the_detector_ends_when_the_caller_fails() -> None:
    with pytest.raises(Broken), SpeechThread(Detector()) as thread:  # noqa: PT012
        thread.add(np.zeros(1, np.float32))
        raise Broken
    assert running() == []


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_results_are_the_same_bits_with_and_without_threads(channels: int) -> None:
    sound = np.stack([np.roll(making.talk(8), 31 * number) for number in range(channels)], axis=1)
    expected = analysis_of(sound, making.RATE, pictures=True)
    found: list[Analysis] = []

    def work(block: int) -> None:
        found.append(analysis_of(sound, making.RATE, block=block, pictures=True, threads=True))

    others = [threading.Thread(target=work, args=(block,)) for block in (1000, 1000, 48_000, 48_000)]
    for other in others:
        other.start()
    for other in others:
        other.join(HANGS_AFTER_S)
    assert found == [expected] * 4
