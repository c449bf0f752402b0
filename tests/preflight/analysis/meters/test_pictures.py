"""Drawing data: columns, waveform, spectrogram and loudness."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.loudness import LoudnessMeter
from preflight.analysis.meters.pictures import Columns, EnvelopeMeter, PictureMeters, SpectrogramMeter
from preflight.analysis.pictures import Pictures
from preflight.batch import analyze_many
from preflight.checks import analyze, report_of
from tests.support.audio_measures import analysis_of, tone
from tests.support.chunks import chunks_of, measured_by, sine, white_noise
from tests.support.make_audio import FIXTURES
from tests.support.worker_jobs import count_jobs

if TYPE_CHECKING:
    from numpy.typing import NDArray


RATE = 16_000


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 31, 1000, 12_345])
@pytest.mark.parametrize("pieces", [1, 3, 80])
def test_columns_hold_the_maximum_for_any_pieces(count: int, pieces: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    columns = Columns(8)
    for start in range(0, count, pieces):
        columns.add(values[start : start + pieces])
    found = columns.highest()
    assert len(found) <= 8
    assert columns.width * len(found) >= count
    expected = [values[start : start + columns.width].max() for start in range(0, count, columns.width)]
    assert found.tolist() == expected


@given(st.lists(st.integers(1, 50), max_size=30))
def test_the_width_is_the_smallest_power_of_two_that_fits(pieces: list[int]) -> None:
    columns = Columns(16)
    for length in pieces:
        columns.add(np.ones(length))
    count = sum(pieces)
    assert columns.width & (columns.width - 1) == 0
    assert columns.width == 1 or columns.width * 8 <= count
    assert columns.width * 16 >= count


def test_rows_are_compared_element_by_element() -> None:
    columns = Columns(2)
    columns.add(np.array([[1, 9], [5, 2], [3, 3], [4, 8]]))
    assert columns.highest().tolist() == [[5, 9]]
    assert columns.width == 4


def drawn_in_part(sound: Any, measured_s: float) -> Pictures:
    """The drawing data where only the chunks that begin before `measured_s` are measured."""
    chunks = chunks_of(sound, RATE)
    pictures, loudness = PictureMeters(chunks[0].grid), LoudnessMeter(chunks[0].grid)
    for chunk in chunks:
        is_measured = chunk.start < measured_s * RATE
        pictures.add(chunk, measured=is_measured)
        if is_measured:
            loudness.add(chunk)
    return pictures.pictures(loudness if measured_s else None)


def test_all_pictures_of_a_measured_recording() -> None:
    pictures = drawn_in_part(sine(1000, 8, RATE, 0.5), measured_s=8)
    assert pictures.spectrogram is not None
    assert pictures.momentary is not None
    assert pictures.short_term is not None
    assert pictures.spectrogram.columns * pictures.spectrogram.column_s == pytest.approx(8, abs=0.2)
    assert pictures.momentary.first_s == pytest.approx(0.2)
    assert pictures.short_term.first_s == pytest.approx(1.5)


def test_the_waveform_goes_on_where_nothing_is_measured() -> None:
    pictures = drawn_in_part(sine(1000, 8, RATE, 0.5), measured_s=4)
    columns = len(pictures.waveform.highs[0]) / 2
    assert columns * pictures.waveform.column_s == pytest.approx(8, abs=0.02)
    assert pictures.spectrogram is not None
    assert pictures.spectrogram.columns * pictures.spectrogram.column_s == pytest.approx(4, abs=0.2)


def test_only_the_waveform_without_any_measurement() -> None:
    pictures = drawn_in_part(sine(1000, 8, RATE, 0.5), measured_s=0)
    assert (pictures.spectrogram, pictures.momentary, pictures.short_term) == (None, None, None)
    assert np.frombuffer(pictures.waveform.highs[0], "<i2").max() == pytest.approx(0.5 * 32767, abs=2)


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


@pytest.mark.parametrize("seconds", [0.05, 3, 100, pytest.param(1000, marks=pytest.mark.slow)])
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


FRAME = 160


def envelope(sound: Any) -> tuple[Any, Any, float]:
    """Shape (channels, columns): lows and highs, full scale 1; and the seconds of a column."""
    waveform = measured_by(EnvelopeMeter, sound, RATE).waveform()
    lows, highs = (
        np.stack([np.frombuffer(side, "<i2") for side in sides]) / 32767 for sides in (waveform.lows, waveform.highs)
    )
    return lows, highs, waveform.column_s


def test_each_frame_of_a_short_recording_is_a_column() -> None:
    sound = white_noise(0.2, 50 * FRAME).clip(-1, 1)
    lows, highs, column_s = envelope(sound)
    frames = sound.reshape(-1, FRAME)
    assert column_s == 0.01
    assert lows[0] == pytest.approx(frames.min(axis=1), abs=2e-5)
    assert highs[0] == pytest.approx(frames.max(axis=1), abs=2e-5)


def test_channels_are_kept_apart() -> None:
    lows, highs, _ = envelope(np.stack((np.full(RATE, 0.5), np.full(RATE, -0.25)), axis=1))
    assert highs[0] == pytest.approx(0.5, abs=2e-5)
    assert lows[1] == pytest.approx(-0.25, abs=2e-5)


def test_what_is_beyond_full_scale_is_drawn_at_full_scale() -> None:
    lows, highs, _ = envelope(np.resize([3.0, -3.0], RATE))
    assert (highs.max(), lows.min()) == (1, -1)


@pytest.mark.parametrize("seconds", [1, 20, 100])
def test_the_number_of_columns_is_bounded(seconds: int) -> None:
    lows, _, column_s = envelope(np.full(seconds * RATE, 0.5))
    assert lows.shape[1] <= 1200
    assert lows.shape[1] * column_s >= seconds


def test_the_padding_of_the_last_frame_is_drawn_as_zero() -> None:
    lows, highs, _ = envelope(np.full(FRAME + 1, 0.5))
    assert lows[0].tolist()[0] == pytest.approx(0.5, abs=2e-5)
    assert (lows[0].tolist()[1], highs[0].tolist()[1]) == (0, pytest.approx(0.5, abs=2e-5))


def spectrogram(sound: Any, rate: int = RATE) -> tuple[Any, Any]:
    """Its levels, with the lowest frequency first, and the edges of its rows in hertz."""
    picture = measured_by(SpectrogramMeter, sound, rate).spectrogram()
    assert picture is not None
    levels = np.frombuffer(picture.levels, np.uint8).reshape(-1, picture.columns)[::-1]
    return levels, np.geomspace(picture.low_hz, picture.high_hz, len(levels) + 1)


@pytest.mark.parametrize("hz", [200, 1000, 5000])
def test_a_tone_is_drawn_in_its_row(hz: float) -> None:
    levels, edges = spectrogram(sine(hz, 5, RATE, 0.5))
    (row,) = set(levels[:, 2:-2].argmax(axis=0).tolist())
    assert edges[row] * 0.97 <= hz <= edges[row + 1] * 1.03
    assert levels.max() == 255


def test_a_level_that_is_20_db_lower_is_a_quarter_darker() -> None:
    """80 dB are 255 steps."""
    sound = np.concatenate((sine(1000, 4, RATE, 0.5), sine(1000, 4, RATE, 0.05)))
    levels, _ = spectrogram(sound)
    row = int(levels[:, 5].argmax())
    assert int(levels[row, 5]) - int(levels[row, -5]) == pytest.approx(255 * 20 / 80, abs=1)


def test_silence_and_faint_noise_are_dark() -> None:
    """The brightest is at least -60 dBFS: silence, -120 dBFS, is a quarter of the way from -140 to it."""
    assert spectrogram(np.zeros(3 * RATE))[0].max() == 64
    assert spectrogram(white_noise(1e-5, 3 * RATE))[0].max() < 128


@pytest.mark.parametrize(("rate", "low", "high"), [(8_000, 50, 4_000), (48_000, 50, 20_000), (96_000, 50, 20_000)])
def test_the_range_of_frequencies(rate: int, low: float, high: float) -> None:
    _, edges = spectrogram(white_noise(0.1, rate), rate)
    assert (edges[0], edges[-1]) == (pytest.approx(low), pytest.approx(high))
    assert len(edges) == 65


def test_columns_are_merged_in_long_recordings() -> None:
    meter = measured_by(SpectrogramMeter, white_noise(0.1, 300 * RATE), RATE)
    picture = meter.spectrogram()
    assert picture is not None
    assert 300 <= picture.columns <= 600
    assert picture.column_s * picture.columns >= 300


def test_there_is_none_without_sound() -> None:
    assert SpectrogramMeter(Grid.at(RATE, 1)).spectrogram() is None


@pytest.mark.parametrize("rate", [8_000, 48_000, 192_000])
def test_the_envelope_holds_the_lowest_and_the_highest_sample_of_each_frame(rate: int) -> None:
    sound = np.random.default_rng(5).uniform(-1, 1, (rate // 2, 2))
    meter = measured_by(EnvelopeMeter, sound, rate)
    frame = round(rate / 100)
    expected = np.rint(sound.astype(np.float32).reshape(-1, frame, 2) * 32767)
    found = meter.waveform()
    assert found.column_s == 0.01
    for channel in range(2):
        assert np.abs(np.frombuffer(found.highs[channel], "<i2") - expected[:, :, channel].max(axis=1)).max() <= 1
        assert np.abs(np.frombuffer(found.lows[channel], "<i2") - expected[:, :, channel].min(axis=1)).max() <= 1
