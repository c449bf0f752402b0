"""A gap is digital silence that cuts into sound; fades, gates and quiet pauses are not gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.dropouts import GapDetector
from tests.support.chunks import chunks_of, measured_by, sine, white_noise

RATE = 48_000
CHUNK = 38_400
PERIOD = 48  # of the tone
TOP = 12  # the tone's peak


def tone(amplitude: float = 0.3, seconds: float = 4) -> Any:
    return sine(RATE / PERIOD, seconds, RATE, amplitude)


def with_gap(start: int, length: int, amplitude: float = 0.3) -> Any:
    sound = tone(amplitude)
    sound[start : start + length] = 0
    return sound


def gaps(sound: Any, *, channel: int = 0, coarse: bool = False) -> list[tuple[int, int]]:
    return measured_by(lambda grid: GapDetector(grid, channel, coarse=coarse), sound, RATE).found


START = 400 * PERIOD + TOP


@pytest.mark.parametrize("periods", [5, 20, 100, 999])
def test_a_gap_is_found_to_the_sample(periods: int) -> None:
    assert gaps(with_gap(START, periods * PERIOD)) == [(START, START + periods * PERIOD)]


@pytest.mark.parametrize("periods", [3, 1001])
def test_a_gap_lasts_4_ms_to_1_s(periods: int) -> None:
    assert gaps(with_gap(START, periods * PERIOD)) == []


@pytest.mark.parametrize("before", [0, 1, 2, 5, 10, 11])
def test_a_gap_at_a_chunk_border_is_found_once(before: int) -> None:
    start = CHUNK - before * PERIOD + TOP
    assert gaps(with_gap(start, 10 * PERIOD)) == [(start, start + 10 * PERIOD)]


def test_a_gap_longer_than_a_chunk() -> None:
    start = CHUNK - 10 * PERIOD + TOP
    assert gaps(with_gap(start, 900 * PERIOD)) == [(start, start + 900 * PERIOD)]


def test_each_channel_has_gaps_of_its_own() -> None:
    both = np.stack((tone(), with_gap(START, 10 * PERIOD)), axis=1)
    assert gaps(both, channel=0) == []
    assert gaps(both, channel=1) == [(START, START + 10 * PERIOD)]


def test_one_abrupt_edge_is_enough() -> None:
    sound = with_gap(START, 10 * PERIOD)
    end = START + 10 * PERIOD
    sound[end : end + 480] *= np.linspace(0, 1, 480) ** 2  # fades in
    ((found, _),) = gaps(sound)
    assert found == START


def test_fades_on_both_sides_are_no_gap() -> None:
    sound = with_gap(START, 10 * PERIOD)
    end = START + 10 * PERIOD
    sound[START - 480 : START] *= np.linspace(1, 0, 480) ** 2
    sound[end : end + 480] *= np.linspace(0, 1, 480) ** 2
    assert gaps(sound) == []


def test_silence_at_the_ends_is_no_gap() -> None:
    sound = tone()
    sound[: START // 2] = 0
    sound[-START:] = 0
    assert gaps(sound) == []


def test_noise_between_words_is_no_gap() -> None:
    sound = with_gap(START, 10 * PERIOD) + white_noise(0.0005, 4 * RATE)
    assert gaps(sound) == []


def test_a_quiet_edge_is_no_gap() -> None:
    """Below -48 dBFS."""
    assert gaps(with_gap(START, 10 * PERIOD, amplitude=0.003)) == []


def test_with_8_bits_only_loud_edges_count() -> None:
    assert gaps(with_gap(START, 10 * PERIOD, amplitude=0.05), coarse=True) == []
    assert len(gaps(with_gap(START, 10 * PERIOD, amplitude=0.3), coarse=True)) == 1


def test_after_a_gate_only_gaps_in_loud_sound_count() -> None:
    """Two silences that fade are the work of a gate, which may also cut faint sound abruptly."""
    sound = np.concatenate((tone(0.4), 0.1 * with_gap(START, 10 * PERIOD, 0.4)))
    assert len(gaps(sound)) == 1
    for start in (START, START + 4800):
        end = start + 10 * PERIOD
        sound[start:end] = 0
        sound[start - 480 : start] *= np.linspace(1, 0, 480) ** 2
        sound[end : end + 480] *= np.linspace(0, 1, 480) ** 2
    assert gaps(sound) == []


def test_the_number_that_is_kept_is_limited() -> None:
    sound = tone()
    for number in range(10):
        sound[START + number * 4800 :][: 10 * PERIOD] = 0
    chunks = chunks_of(sound, RATE)
    detector = GapDetector(chunks[0].grid)
    for chunk in chunks:
        detector.add(chunk)
        detector.limit(3)
    assert [start for start, _ in detector.found] == [START + number * 4800 for number in range(3)]


@settings(max_examples=15, deadline=None)
@given(st.integers(RATE // 2, 3 * RATE), st.integers(200, 12_000))
def test_a_gap_anywhere_is_found_at_most_once(start: int, length: int) -> None:
    """Cut at any phase, its edges may lie at a zero crossing: then it counts as a fade."""
    found = gaps(with_gap(start, length))
    # samples next to the gap that are silent by themselves belong to it
    assert len(found) <= 1
    for begin, end in found:
        assert begin <= start
        assert start - begin <= 1
        assert 0 <= end - (start + length) <= 1
    phases = {start % (PERIOD // 2), (start + length) % (PERIOD // 2)}
    if not phases <= {0, 1, 23}:
        assert found


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(10, 150), min_size=1, max_size=12, unique=True))
def test_every_gap_of_a_recording_is_found(places: list[int]) -> None:
    sound = tone()
    starts = sorted(place * 1200 + TOP for place in places)
    for start in starts:
        sound[start : start + 480] = 0
    assert gaps(sound) == [(start, start + 480) for start in starts]


@pytest.mark.parametrize("gain", [0.1, 3.0, -1.0])
def test_gain_and_polarity_do_not_matter(gain: float) -> None:
    sound = with_gap(START, 20 * PERIOD)
    assert gaps(gain * sound) == gaps(sound) == [(START, START + 20 * PERIOD)]


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("milliseconds", [10, 100])
def test_a_gap_has_its_length_at_any_rate(rate: int, milliseconds: int) -> None:
    """It begins and ends at a peak of the tone, and crosses the border of two chunks."""
    chunk = 4 * Grid.at(rate, 1).row
    sound = 0.3 * np.cos(2 * np.pi * np.arange(2 * rate) / (rate // 200))
    start = chunk - rate // 200 * 3
    length = rate * milliseconds // 1000
    sound[start : start + length] = 0
    ((begin, end),) = measured_by(GapDetector, sound, rate).found
    # a sample of the tone that happens to be zero belongs to the gap, too
    assert begin == pytest.approx(start, abs=1)
    assert end == pytest.approx(start + length, abs=1)


@pytest.mark.parametrize("sound", [np.zeros(1), np.ones(1), np.zeros(5), np.zeros(RATE), np.ones(RATE)])
def test_constants_have_no_gaps(sound: Any) -> None:
    assert gaps(sound) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200_000), st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000, 96_000]))
def test_the_shortest_gap_is_found_wherever_it_is(place: int, rate: int) -> None:
    """Chunks are searched only where several samples in a row are silent: a gap must have enough of them."""
    chance = np.random.default_rng(place)
    sound = chance.choice([-1, 1], 3 * rate) * chance.uniform(0.1, 0.3, 3 * rate)
    length = max(4, round(0.004 * rate))
    start = rate // 2 + place % (2 * rate)
    sound[start : start + length] = 0
    found = measured_by(GapDetector, sound, rate).found
    assert [begin for begin, _ in found] == [start]
