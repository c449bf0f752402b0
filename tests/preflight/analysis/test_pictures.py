"""Drawing data: bounded, from the pass that measures, and only on request."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from preflight.batch import analyze_many
from preflight.checks import analyze, report_of
from tests.support.audio_measures import analysis_of, tone
from tests.support.make_audio import FIXTURES
from tests.support.worker_jobs import count_jobs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.pictures import Pictures

RATE = 16_000


def drawn(sound: NDArray[np.float32], rate: int = RATE) -> Pictures:
    pictures = analysis_of(sound, rate, pictures=True).pictures
    assert pictures is not None
    return pictures


def test_the_waveform_shows_each_channel_where_it_is() -> None:
    sound = np.zeros((30 * RATE, 2), np.float32)
    sound[10 * RATE : 20 * RATE, 0] = 0.5
    sound[25 * RATE : 26 * RATE, 1] = -2.0  # beyond full scale
    waveform = drawn(sound).waveform
    left, right = (np.frombuffer(highs, "<i2") / 32767 for highs in waveform.highs)
    low = np.frombuffer(waveform.lows[1], "<i2") / 32767
    assert (left.max(), right.max(), low.min()) == (pytest.approx(0.5, abs=1e-4), 0, -1)
    inside = np.flatnonzero(left > 0.4) * waveform.column_s
    assert (inside[0], inside[-1]) == (pytest.approx(10, abs=0.1), pytest.approx(20, abs=0.1))


def test_the_spectrogram_shows_a_tone_at_its_frequency() -> None:
    picture = drawn(tone(-10, 10, RATE, hz=1000)).spectrogram
    assert picture is not None
    levels = np.frombuffer(picture.levels, np.uint8).reshape(-1, picture.columns)[::-1]
    assert levels.max() == 255
    loudest = int(levels[:, picture.columns // 2].argmax())
    edges = np.geomspace(picture.low_hz, picture.high_hz, len(levels) + 1)
    assert edges[loudest] * 0.97 <= 1000 <= edges[loudest + 1] * 1.03
    assert levels[loudest + 8 :, 2:-2].max() < 40


def test_loudness_over_time_is_that_of_the_tone() -> None:
    both = np.stack([tone(-23, 20, 48_000, hz=1000)] * 2, axis=1)  # EBU Tech 3341, case 1: -23 LUFS
    pictures = drawn(both, 48_000)
    for track in (pictures.momentary, pictures.short_term):
        assert track is not None
        assert np.median(track.lufs) == pytest.approx(-23, abs=0.15)
    assert drawn(tone(-23, 2, RATE)).short_term is None


@pytest.mark.parametrize("seconds", [0.05, 3, 100, 1000])
def test_the_size_is_bounded_for_any_duration(seconds: float) -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    pictures = drawn(sound)
    assert len(pictures.waveform.highs[0]) <= 2 * 1200
    assert pictures.waveform.column_s * len(pictures.waveform.highs[0]) / 2 >= seconds
    assert len(msgspec.msgpack.encode(pictures)) < 70_000


@pytest.mark.parametrize("name", ["good.m4a", "surround.m4a", "damaged.mp3", "silent.m4a"])
def test_pictures_change_nothing_else(name: str) -> None:
    path = FIXTURES / name
    plain, drawn = analyze(path), analyze(path, pictures=True)
    assert plain.pictures is None
    assert drawn.pictures is not None
    assert report_of(plain) == report_of(drawn)
    assert next(analyze_many([path], pictures=True)) == drawn


def test_one_job_for_each_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures come from the pass that measures: nothing is decoded for them."""
    jobs = count_jobs(monkeypatch)
    takes = [FIXTURES / name for name in ("good.m4a", "good.mp3", "stereo.m4a")]
    assert all(one.pictures for one in analyze_many(takes, pictures=True))
    assert sorted(jobs) == sorted(map(str, takes))


def test_files_without_audio_have_no_pictures(tmp_path: Path) -> None:
    takes = [FIXTURES / "text.mp3", FIXTURES / "empty.wav", tmp_path / "missing.wav", FIXTURES / "good.wav"]
    found = list(analyze_many(takes, pictures=True))
    assert [one.pictures is not None for one in found] == [False, False, False, True]
    assert [one.pictures for one in analyze_many(takes, quick=True, pictures=True)] == [None] * 4


def test_pictures_come_from_any_executor() -> None:
    takes = [FIXTURES / "good.wav", FIXTURES / "text.mp3"]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        good, text = analyze_many(takes, pictures=True, workers=1, executor=pool)
    expected = next(analyze_many(takes, pictures=True))
    assert good == expected
    assert pickle.loads(pickle.dumps(good)) == good
    assert text.problem is not None
    assert "text file" in text.problem.message
