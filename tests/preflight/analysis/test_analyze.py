"""Decode and measure in threads and without."""

from __future__ import annotations

import contextlib
import math
import threading
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
import threadpoolctl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preflight.analysis.analysis import Analysis
from preflight.analysis.analyze import keep_memory, one_thread
from tests.support import make_audio as making
from tests.support.audio_measures import analysis_of, measured
from tests.support.defects import noise
from tests.support.processes import HANGS_AFTER_S

if TYPE_CHECKING:
    from tests.support.audio_measures import Sound


OFTEN = settings(max_examples=20)
RATES = st.sampled_from([1_000, 3_363, 8_000, 11_025, 16_000, 22_050, 44_099, 44_100, 48_000, 96_000, 192_000, 768_000])


def assert_sane(sound: Sound, rate: int) -> None:
    analysis = analysis_of(sound, rate)
    assert all(math.isfinite(value) for value in analysis.measurements.values()), analysis.measurements
    assert analysis.is_measured == bool(len(sound))
    places = (analysis.clipped, analysis.dropouts, analysis.clicks, analysis.splices, analysis.plosives)
    for spans in (analysis.speech, analysis.pauses, *places):
        assert all(0 <= start <= end <= len(sound) / rate + 1e-9 for start, end in spans)
        assert list(spans) == sorted(spans)
    assert analysis.measured_s == analysis.decoded_s == pytest.approx(len(sound) / rate)


@OFTEN
@given(RATES, st.integers(0, 30_000), st.integers(1, 2), st.integers(0, 3), st.floats(-9, 9))
@example(48_000, 1, 1, 0, 0.0)
@example(48_000, 38_400, 2, 0, 0.0)
def test_any_length_rate_and_size(rate: int, frames: int, channels: int, seed: int, magnitude: float) -> None:
    generator = np.random.default_rng(seed)
    sound = generator.normal(0, 10**magnitude, (frames, channels)).astype(np.float32)
    if seed == 3:  # sparse: mostly digital silence
        sound[generator.random(frames) < 0.999] = 0
    assert_sane(sound, rate)


@pytest.mark.slow
@OFTEN
@given(st.integers(1, 60_000), st.sampled_from([8_000, 44_100, 48_000]))
def test_results_do_not_depend_on_the_blocks(block: int, rate: int) -> None:
    talk = making.at_rate(making.talk(3), rate)
    sound = np.stack((talk, np.roll(talk, 7) * 0.5), axis=1)
    sound[rate // 2 : rate // 2 + 900] = 0
    sound = np.clip(sound, -0.3, 0.3)
    assert analysis_of(sound, rate, block=block) == analysis_of(sound, rate, block=len(sound))


def test_the_end_counts_as_much_as_the_beginning() -> None:
    """A peak between the last samples, and sound that fills the last row exactly."""
    for frames in (9_600 * 4, 9_600 * 4 + 1, 9_600 * 4 - 1):
        sound = np.zeros(frames, np.float32)
        sound[-1] = 0.5
        found = measured(sound, 48_000)
        assert found["sample_peak_dbfs"] == pytest.approx(-6.02, abs=0.01)
        assert found["measured_s"] == pytest.approx(frames / 48_000, abs=1e-3)


@pytest.mark.parametrize("opposite", [1, -1])
def test_speech_is_detected_for_any_polarity_of_the_channels(opposite: int) -> None:
    talk = making.talk(12)
    found = measured(np.stack((talk, opposite * talk), axis=1), making.RATE)
    assert found["speech_percent"] > 80
    assert found["bandwidth_hz"] > 5000


def square_wave(count: int) -> Sound:
    return np.where(np.arange(count) // 4 % 2, 1.0, -1.0).astype(np.float32)


def holes(count: int) -> Sound:
    return np.where(np.arange(count) % 600 < 300, 0.1 * noise(count, "white"), 0).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("make", [square_wave, holes])
def test_what_is_full_of_defects_does_not_fill_the_memory(make: object) -> None:
    assert callable(make)
    peaks = []
    for seconds in (60, 180):
        sound = make(seconds * 24_000)
        tracemalloc.start()
        analysis_of(sound, 24_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 4_000_000


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_uses_one_thread_for_the_time_of_an_analysis() -> None:
    np.ones((4, 4)) @ np.ones((4, 4))  # loads BLAS
    before = blas_threads()
    with one_thread():
        assert blas_threads() <= {1}
    assert blas_threads() == before


def test_the_limit_is_left_alone_where_the_environment_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert isinstance(one_thread(), contextlib.nullcontext)


def test_keeping_memory_allocates_nothing_for_long() -> None:
    import tracemalloc

    tracemalloc.start()
    keep_memory()
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert current < 100_000
    assert peak >= 8 << 20


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_results_are_the_same_bits_in_several_threads(channels: int) -> None:
    sound = np.stack([np.roll(making.talk(8), 31 * number) for number in range(channels)], axis=1)
    expected = analysis_of(sound, making.RATE, pictures=True)
    found: list[Analysis] = []

    def work(block: int) -> None:
        found.append(analysis_of(sound, making.RATE, block=block, pictures=True))

    others = [threading.Thread(target=work, args=(block,)) for block in (1000, 1000, 48_000, 48_000)]
    for other in others:
        other.start()
    for other in others:
        other.join(HANGS_AFTER_S)
    assert found == [expected] * 4
