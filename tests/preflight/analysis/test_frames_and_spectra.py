"""The grid: sizes at every rate, chunks that do not depend on the blocks, and what is computed of each chunk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.frames_and_spectra import ChunkCutter, Grid, absolute_peaks
from tests.support.chunks import chunks_of, white_noise

RATE = 16_000
GRID = Grid.at(RATE, 1)
RATES = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]


@pytest.mark.parametrize("rate", RATES)
def test_a_frame_is_10_ms_at_common_rates(rate: int) -> None:
    grid = Grid.at(rate, 2)
    assert grid.frame_s == pytest.approx(0.01, rel=0.005)
    assert (grid.row, grid.lead, grid.transform) == (20 * grid.frame, 5 * grid.frame, 25 * grid.frame)
    assert grid.row_s == pytest.approx(20 * grid.frame_s)


@pytest.mark.parametrize("rate", RATES)
def test_transforms_have_small_prime_factors_at_common_rates(rate: int) -> None:
    rest = Grid.at(rate, 1).transform
    for factor in (2, 3, 5, 7, 11):
        while rest % factor == 0:
            rest //= factor
    assert rest == 1


@given(st.integers(1_000, 768_000))
def test_a_frame_is_about_10_ms_at_any_rate(rate: int) -> None:
    frame = Grid.at(rate, 1).frame
    assert abs(frame - rate * 0.01) <= max(1, rate * 0.01 * 0.005) + 1 or frame == 14


@pytest.mark.parametrize("rate", [100, 1_000, 1_399])
def test_frames_are_long_enough_to_look_back_at_any_rate(rate: int) -> None:
    assert Grid.at(rate, 1).lead >= 64


def test_bins_are_spaced_by_the_transform() -> None:
    grid = Grid.at(48_000, 1)
    assert grid.bin_hz == 4.0
    frequencies = grid.frequencies_hz()
    assert (frequencies[0], frequencies[1], frequencies[-1]) == (0, 4, 24_000)
    assert len(frequencies) == 6001


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 40_000), st.integers(1, 9_000), st.integers(1, 3))
def test_chunks_hold_every_sample_once_for_any_blocks(count: int, block: int, channels: int) -> None:
    sound = np.random.default_rng(count).uniform(-1, 1, (count, channels)).astype(np.float32)
    chunks = chunks_of(sound, RATE, block)
    if not count:
        assert not chunks
        return
    joined = np.concatenate([chunk.samples for chunk in chunks], axis=1)
    assert np.array_equal(joined, sound.T)
    assert [chunk.start for chunk in chunks] == [12_800 * number for number in range(len(chunks))]
    assert sum(chunk.filled for chunk in chunks) == count


def test_the_lead_holds_the_samples_before() -> None:
    sound = np.arange(30_000, dtype=np.float32)
    first, second, _ = chunks_of(sound, RATE)
    assert not first.wave[0, : GRID.lead].any()
    assert np.array_equal(second.wave[0, : GRID.lead], sound[12_800 - GRID.lead : 12_800])


@pytest.mark.parametrize("count", [1, 3_199, 3_200, 12_799, 12_800, 12_801])
def test_the_last_chunk_ends_with_a_zero(count: int) -> None:
    last = chunks_of(np.ones(count), RATE)[-1]
    assert last.filled < last.rows * GRID.row
    assert last.wave[0, -1] == 0
    assert last.whole_frames == last.filled // GRID.frame


def test_integers_are_scaled_to_full_scale() -> None:
    cutter = ChunkCutter(GRID)
    block = np.array([[-32768], [0], [16384]], np.int16)
    assert not list(cutter.add(block, scale=2**-15))
    (chunk,) = cutter.end()
    assert chunk.samples.tolist() == [[-1.0, 0.0, 0.5]]


def test_frames_have_peaks_powers_and_means() -> None:
    sound = white_noise(0.1, 12_800)
    chunk = chunks_of(sound, RATE)[0]
    frames = sound.astype(np.float32).reshape(-1, GRID.frame)
    assert np.allclose(chunk.frame_peaks[0], np.abs(frames).max(axis=1))
    assert np.allclose(chunk.frame_powers[0], (frames**2).mean(axis=1), rtol=1e-5)
    assert np.allclose(chunk.frame_means[0], frames.mean(axis=1), atol=1e-7)


def test_a_negative_peak_counts_as_a_positive_one() -> None:
    sound = np.zeros(12_800)
    sound[200] = -0.75
    peaks = chunks_of(sound, RATE)[0].frame_peaks[0]
    assert peaks[1] == 0.75
    assert peaks.sum() == 0.75


def test_identical_channels_are_transformed_once() -> None:
    sound = white_noise(0.1, 12_800)
    same = chunks_of(np.stack((sound, sound), axis=1), RATE)[0]
    assert (same.distinct, len(same.spectra)) == (1, 1)
    other = chunks_of(np.stack((sound, 0.5 * sound), axis=1), RATE)[0]
    assert (other.distinct, len(other.spectra)) == (2, 2)


def test_spectra_are_transforms_of_lead_and_row() -> None:
    sound = white_noise(0.1, 12_800)
    chunk = chunks_of(sound, RATE)[0]
    padded = np.concatenate((np.zeros(GRID.lead), sound))
    for row in range(4):
        piece = padded[row * GRID.row : row * GRID.row + GRID.transform]
        assert np.allclose(chunk.spectra[0, row], np.fft.rfft(piece, norm="forward"), atol=1e-7)


def test_the_mix_is_the_mean_of_the_channels() -> None:
    left, right = white_noise(0.1, 12_800), white_noise(0.1, 12_800, seed=2) + white_noise(0.1, 12_800)
    chunk = chunks_of(np.stack((left, right), axis=1), RATE)[0]
    assert np.allclose(chunk.mixed_spectra, chunk.spectra.mean(axis=0), atol=1e-8)
    folded = chunk.folded()
    assert folded.grid.channels == 1
    assert np.allclose(folded.samples[0], (left + right) / 2, atol=1e-6)


def test_the_mix_of_inverted_channels_does_not_cancel() -> None:
    left = white_noise(0.1, 12_800)
    chunk = chunks_of(np.stack((left, -0.5 * left), axis=1), RATE)[0]
    alone = chunks_of(0.75 * left, RATE)[0]
    assert np.allclose(chunk.mixed_spectra, alone.spectra[0], atol=1e-7)


def test_overlap_save_equals_convolution() -> None:
    """A filter as long as the lead: the longest that is exact."""
    taps = white_noise(0.1, GRID.lead, seed=3)
    sound = white_noise(0.1, 30_000)
    response = np.fft.rfft(taps, GRID.transform) * GRID.transform
    rows = [
        np.fft.irfft(chunk.spectra[0] * response, n=GRID.transform)[:, GRID.lead :].ravel()
        for chunk in chunks_of(sound, RATE)
    ]
    assert np.allclose(np.concatenate(rows)[:30_000], np.convolve(sound, taps)[:30_000], atol=1e-4)


@pytest.mark.parametrize("count", [12_799, 12_800, 12_801, 25_600])
def test_padding_is_neither_a_sample_nor_a_whole_frame(count: int) -> None:
    chunks = chunks_of(np.ones(count), RATE)
    assert sum(chunk.samples.shape[1] for chunk in chunks) == count
    assert sum(chunk.whole_frames for chunk in chunks) == count // GRID.frame
    assert all(chunk.filled == chunk.rows * GRID.row for chunk in chunks[:-1])


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_rows_are_numbered_through_all_chunks(rate: int) -> None:
    chunks = chunks_of(white_noise(0.1, 2 * rate), rate)
    rows = [chunk.first_row + row for chunk in chunks for row in range(chunk.rows)]
    assert rows == list(range(len(rows)))
    assert [chunk.start for chunk in chunks] == [chunk.first_row * chunk.grid.row for chunk in chunks]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_any_number_type_becomes_float32(dtype: type[np.generic]) -> None:
    cutter = ChunkCutter(GRID)
    chunks = [*cutter.add(np.full((100, 1), 3, dtype), scale=0.25), *cutter.end()]
    assert [chunk.wave.dtype for chunk in chunks] == [np.float32]
    assert set(chunks[0].samples.ravel().tolist()) == {0.75}


def test_a_chunk_keeps_its_samples_when_the_next_one_is_filled() -> None:
    cutter = ChunkCutter(GRID, rows=4)
    (first,) = cutter.add(np.ones((12_800, 1), np.float32))
    list(cutter.add(np.full((12_800, 1), -1.0, np.float32)))
    assert set(first.samples.ravel().tolist()) == {1.0}


def test_an_empty_block_changes_nothing() -> None:
    cutter = ChunkCutter(GRID)
    assert not list(cutter.add(np.zeros((0, 1), np.float32)))
    assert not list(cutter.end())


@pytest.mark.parametrize("rate", [1_000, 8_000, 44_099, 48_000, 192_000])
@pytest.mark.parametrize("short", [-1, 0, 1, 2])
def test_zeros_for_half_a_lead_follow_the_last_sample(rate: int, short: int) -> None:
    """The filters of downmix and true peak look ahead; a recording may end anywhere in a row."""
    grid = Grid.at(rate, 1)
    for count in (grid.row - short, grid.row - grid.lead // 2 - short, 4 * grid.row - short):
        last = chunks_of(np.ones(count), rate)[-1]
        padding = last.wave[0, grid.lead + last.filled :]
        assert len(padding) > grid.lead // 2
        assert not padding.any()


@given(st.integers(100, 768_000), st.integers(1, 64))
def test_chunks_are_bounded_at_any_rate_and_number_of_channels(rate: int, channels: int) -> None:
    grid = Grid.at(rate, channels)
    assert 4 <= grid.rows_per_chunk <= 32
    samples = grid.rows_per_chunk * grid.row * channels
    assert samples <= 1 << 19 or grid.rows_per_chunk == 4


def test_products_of_two_channels_are_summed_per_frame() -> None:
    left, right = white_noise(0.1, 12_800), white_noise(0.2, 12_800, seed=2)
    chunk = chunks_of(np.stack((left, right), axis=1), RATE)[0]
    expected = (left * right).reshape(-1, GRID.frame).sum(axis=1)
    assert np.allclose(chunk.frame_products, expected, atol=1e-5)


def test_eight_channels_are_folded_to_their_mean() -> None:
    sound = np.random.default_rng(4).uniform(-1, 1, (20_000, 8))
    for chunk in chunks_of(sound, RATE):
        folded = chunk.folded()
        part = sound[chunk.start : chunk.start + chunk.filled]
        assert (folded.first_row, folded.filled, folded.rows) == (chunk.first_row, chunk.filled, chunk.rows)
        assert folded.samples.shape == (1, chunk.filled)
        assert np.allclose(folded.samples[0], part.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("at", [0, 12_799, 12_800, 15_000])
def test_one_differing_sample_makes_channels_distinct_in_its_chunk_only(at: int) -> None:
    sound = np.tile(white_noise(0.1, 25_600)[:, np.newaxis], 2)
    sound[at, 1] += 0.01
    # the lead of the second chunk holds the last samples of the first
    expected = [at < 12_800, at >= 12_800 - GRID.lead]
    assert [chunk.distinct == 2 for chunk in chunks_of(sound, RATE)[:2]] == expected


@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 2_000), st.sampled_from([14, 80, 441]))
def test_the_absolute_peak_of_a_frame_is_its_highest_sample(seed: int, channels: int, count: int, frame: int) -> None:
    samples = np.random.default_rng(seed).normal(0, 0.3, (channels, count)).astype(np.float32)
    expected = [np.abs(samples[:, at : at + frame]).max(axis=1) for at in range(0, count, frame)]
    assert np.array_equal(absolute_peaks(samples, frame), np.stack(expected, axis=1))


@pytest.mark.parametrize("offset", [0.0, 0.25, -0.9])
def test_the_mean_of_a_frame_is_exact_beside_a_large_offset(offset: float) -> None:
    sound = white_noise(0.01, 12_800) + offset
    chunk = chunks_of(sound, RATE)[0]
    expected = np.asarray(sound, np.float32).astype(np.float64).reshape(-1, GRID.frame).mean(axis=1)
    assert np.abs(chunk.frame_means[0, : len(expected)] - expected).max() < 2e-7


@pytest.mark.parametrize("at", [0, 300, 799, 800, 12_799])
def test_channels_that_differ_in_one_sample_are_two(at: int) -> None:
    sound = white_noise(0.1, 12_800)
    other = sound.copy()
    other[at] += 0.01
    assert chunks_of(np.stack((sound, other), axis=1), RATE)[0].distinct == 2
